/* The data set on disk: SAVE, BGSAVE, LASTSAVE. */
#include "kvnode/cmd/cmd.h"

#include "kvnode/disk/snapshot.h"

static void run_save(struct call *c)
{
    struct err e = {0};

    if (snapshot_save(call_server(c)->snapshot, &e) == 0)
        reply_ok(c->reply);
    else
        reply_errorf(c->reply, "ERR %s", e.text);
}

static void run_bgsave(struct call *c)
{
    struct snapshot *sn = call_server(c)->snapshot;
    struct err e = {0};

    if (c->argc > 2 || (c->argc == 2 && !arg_is(c, 1, "schedule"))) {
        reply_error(c->reply, TEXT_SYNTAX);
        return;
    }
    if (snapshot_running(sn)) {
        reply_error(c->reply, "ERR Background save already in progress");
    } else if (snapshot_start(sn, &e) == 0) {
        reply_simple(c->reply, "Background saving started");
    } else if (c->argc == 2 && e.code == ERR_BUSY) {
        snapshot_schedule(sn);
        reply_simple(c->reply, "Background saving scheduled");
    } else {
        reply_errorf(c->reply, "ERR %s", e.text);
    }
}

static void run_lastsave(struct call *c) { reply_int(c->reply, snapshot_last_good_s(call_server(c)->snapshot)); }

const struct command persist_commands[] = {
/*    name        arity flags                                                 run           keys     group */
    { "save",     1,    CMD_ADMIN | CMD_NOSCRIPT | CMD_NO_ASYNC_LOADING | CMD_NO_MULTI | CMD_DANGEROUS, run_save, 0, 0, 0, "server",
      "", "Save the data set to disk and wait for it.", .since = "1.0.0" },
    { "bgsave",   -1,   CMD_ADMIN | CMD_NOSCRIPT | CMD_NO_ASYNC_LOADING | CMD_DANGEROUS, run_bgsave, 0, 0, 0, "server",
      "[SCHEDULE]", "Save the data set to disk in the background.", .since = "1.0.0" },
    { "lastsave", 1,    CMD_LOADING | CMD_STALE | CMD_FAST | CMD_ADMIN | CMD_DANGEROUS, run_lastsave, 0, 0, 0, "server",
      "", "Tell when the data set was last saved well, in seconds since 1970.", .since = "1.0.0" },
};
ROWS(persist);
