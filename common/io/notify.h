/* What systemd is told (libsystemd's sd_notify); all do nothing outside of it. The first call loads libsystemd: daemons
 * make one before their loop runs. */
#ifndef KV_IO_NOTIFY_H
#define KV_IO_NOTIFY_H

#include "common/io/loop.h"

void notify_ready(void);
void notify_stopping(void);
void notify_reloading(void);          /* RELOADING=1 with MONOTONIC_USEC; follow with notify_ready */
void notify_status(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void notify_extend_timeout(int64_t ms);
/* Pings at half of WATCHDOG_USEC from the loop. */
void notify_watchdog_start(struct loop *l);
bool notify_under_systemd(void);

#endif
