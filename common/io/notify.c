/* systemd's notifications. Outside of systemd (no NOTIFY_SOCKET) sd_notify does nothing. */
#include "common/io/notify.h"

#include "common/io/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>
#include <time.h>

static struct timer watchdog;
static int64_t watchdog_ms;

bool notify_under_systemd(void)
{
    const char *where = getenv("NOTIFY_SOCKET");

    return where && where[0];
}

void notify_ready(void)
{
    sd_notify(0, "READY=1");
}

void notify_stopping(void)
{
    sd_notify(0, "STOPPING=1");
}

void notify_reloading(void)
{
    struct timespec ts;

    /* the one place that must name the clock systemd compares with, which is not boot time */
    clock_gettime(CLOCK_MONOTONIC, &ts);
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)ts.tv_sec * 1000000 + ts.tv_nsec / 1000);
}

void notify_status(const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    sd_notifyf(0, "STATUS=%s", text);
}

void notify_extend_timeout(int64_t ms)
{
    sd_notifyf(0, "EXTEND_TIMEOUT_USEC=%lld", (long long)ms * 1000);
}

static void on_watchdog(struct timer *t, void *arg)
{
    (void)arg;
    sd_notify(0, "WATCHDOG=1");
    timer_set(t, watchdog_ms);
}

void notify_watchdog_start(struct loop *l)
{
    uint64_t usec = 0;

    if (sd_watchdog_enabled(0, &usec) <= 0 || usec == 0)
        return;
    watchdog_ms = (int64_t)(usec / 2000);
    timer_init(&watchdog, l, on_watchdog, NULL);
    sd_notify(0, "WATCHDOG=1");
    timer_set(&watchdog, watchdog_ms > 0 ? watchdog_ms : 1);
}
