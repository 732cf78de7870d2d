/* The one caller of clock_gettime. Decisions use the boot-time monotonic clock
 * (it goes on during suspend); wall time is for showing and for expiry of keys. */
#ifndef KV_IO_CLOCK_H
#define KV_IO_CLOCK_H

#include <stdint.h>

int64_t clock_mono_ms(void);      /* CLOCK_BOOTTIME */
int64_t clock_mono_us(void);
int64_t clock_wall_ms(void);      /* CLOCK_REALTIME, since 1970 */
int64_t clock_wall_us(void);

#endif
