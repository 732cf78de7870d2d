/* The slowest commands of late: SLOWLOG. Bounded in entries and in bytes per entry. */
#ifndef KV_SLOWLOG_H
#define KV_SLOWLOG_H

#include "kvnode/client/client.h"

#include <stdint.h>

struct slow_entry {
    uint64_t id;
    int64_t at_s, us;
    int argc;
    char **argv;                   /* at most 32 arguments of 128 bytes; what is left out is told */
    char *peer, *name;
};

struct slowlog {
    struct slow_entry *at;         /* newest last */
    size_t n;
    uint64_t next_id;
};

/* A command took this long. Kept when slowlog-log-slower-than says so. */
void slowlog_note(struct server *srv, struct client *cl, const struct command *cmd, int argc, const struct slice *argv,
                  int64_t us);
void slowlog_reset(struct slowlog *l);
/* Argument i as SLOWLOG and MONITOR may show it: passwords are not. */
struct slice call_shown_arg(const struct command *cmd, int argc, const struct slice *argv, int i);

#endif
