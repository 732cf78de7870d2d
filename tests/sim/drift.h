/* What a machine believes about time. Each host has a clock of its own: it runs a little
 * too fast or too slow, and may jump ahead (a laptop lid, a paused machine). The
 * clock is the boot-time monotonic one, so it never goes back.
 *
 * True time is in microseconds and known to the world alone. */
#ifndef KV_SIM_DRIFT_H
#define KV_SIM_DRIFT_H

#include <stdint.h>

struct drift {
    int64_t true_us;       /* since this true time ... */
    int64_t local_us;      /* ... when it showed this ... */
    int32_t ppm;           /* ... it gains this many microseconds per second */
};

void    drift_init(struct drift *d, int64_t local_ms, int32_t ppm);
int64_t drift_local_us(const struct drift *d, int64_t true_us);
int64_t drift_local_ms(const struct drift *d, int64_t true_us);
/* The first true microsecond at which the clock shows at least local_ms; NEVER_MS stays never. */
int64_t drift_true_us(const struct drift *d, int64_t local_ms);
void    drift_set_rate(struct drift *d, int64_t true_us, int32_t ppm);
void    drift_jump(struct drift *d, int64_t true_us, int64_t ahead_ms);

#endif
