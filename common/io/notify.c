/* systemd's notifications. Outside of systemd (no NOTIFY_SOCKET, no WATCHDOG_USEC) libsystemd is not even loaded. */
#include "common/io/notify.h"

#include "common/io/clock.h"
#include "common/io/library.h"
#include "common/io/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#define SYSTEMD_CALLS(X) X(notify, sd_notify) X(watchdog_enabled, sd_watchdog_enabled)
LIBRARY(systemd, LIBSYSTEMD, SYSTEMD_CALLS);

static struct timer watchdog;
static int64_t watchdog_ms;

static bool is_set(const char *name)
{
    const char *value = getenv(name);

    return value && value[0];
}

bool notify_under_systemd(void) { return is_set("NOTIFY_SOCKET"); }

static bool can_call(void)
{
    static bool complained;
    struct err e = {0};

    if (library_load(&systemd_library, &e) == 0)
        return true;
    if (!complained)
        log_error("systemd is told nothing: %s", e.text);
    complained = true;
    return false;
}

static void tell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void tell(const char *fmt, ...)
{
    char text[600];
    va_list ap;

    if (!notify_under_systemd() || !can_call())
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    systemd.notify(0, text);
}

void notify_ready(void) { tell("READY=1"); }
void notify_stopping(void) { tell("STOPPING=1"); }

void notify_reloading(void)
{
    struct timespec ts;

    /* the one place that must name the clock systemd compares with, which is not boot time */
    clock_gettime(CLOCK_MONOTONIC, &ts);
    tell("RELOADING=1\nMONOTONIC_USEC=%lld", (long long)ts.tv_sec * 1000000 + ts.tv_nsec / 1000);
}

void notify_status(const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    tell("STATUS=%s", text);
}

void notify_extend_timeout(int64_t ms)
{
    tell("EXTEND_TIMEOUT_USEC=%lld", (long long)ms * 1000);
}

static void on_watchdog(struct timer *t, void *arg)
{
    (void)arg;
    tell("WATCHDOG=1");
    timer_set(t, watchdog_ms);
}

void notify_watchdog_start(struct loop *l)
{
    uint64_t usec = 0;

    if (!is_set("WATCHDOG_USEC") || !can_call() || systemd.watchdog_enabled(0, &usec) <= 0 || usec == 0)
        return;
    watchdog_ms = (int64_t)(usec / 2000);
    timer_init(&watchdog, l, on_watchdog, NULL);
    tell("WATCHDOG=1");
    timer_set(&watchdog, watchdog_ms > 0 ? watchdog_ms : 1);
}
