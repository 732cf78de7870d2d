/* The points, and the events that mark them. */
#include "sentinel/shell/crash.h"

#include "common/io/log.h"
#include "common/text/command.h"

#include <string.h>
#include <unistd.h>

#define EXIT_CODE 99

static const struct {
    const char *name, *event, *summary;
} points[] = {
    {"crash-after-election", "+elected-leader", "End when this sentinel was elected to lead a failover."},
    {"crash-after-promotion", "+promoted-slave", "End when the replica that was promoted says that it is the primary."},
};
#define NPOINTS (sizeof points / sizeof points[0])

static uint32_t flags;

uint32_t crash_flags(void)
{
    return flags;
}

void crash_note(const char *event)
{
    for (size_t i = 0; flags && i < NPOINTS; i++)
        if ((flags & 1u << i) && strcmp(event, points[i].event) == 0) {
            log_warning("SENTINEL SIMULATE-FAILURE %s: this sentinel ends now", points[i].name);
            _exit(EXIT_CODE);
        }
}

static void help(struct call *c)
{
    reply_array(c->reply, 2 * NPOINTS);
    for (size_t i = 0; i < NPOINTS; i++) {
        reply_bulk_z(c->reply, points[i].name);
        reply_bulk_z(c->reply, points[i].summary);
    }
}

void cmd_simulate_failure(struct call *c)
{
    uint32_t asked = 0;

    for (int at = 2; at < c->argc; at++) {
        size_t i = 0;

        if (slice_is_nocase(c->argv[at], "help")) {
            help(c);
            return;
        }
        while (i < NPOINTS && !slice_is_nocase(c->argv[at], points[i].name))
            i++;
        if (i == NPOINTS) {
            reply_error(c->reply, "ERR Unknown failure simulation specified. SENTINEL SIMULATE-FAILURE HELP lists those there are.");
            return;
        }
        asked |= 1u << i;
    }
    flags = asked;
    reply_ok(c->reply);
}
