/* The node itself: INFO, TIME, SHUTDOWN, SLOWLOG, MEMORY. */
#include "kvnode/cmd/cmd.h"

#include "common/base/num.h"
#include "common/io/clock.h"
#include "kvnode/info.h"
#include "kvnode/slowlog.h"

#include <string.h>

static void cmd_info(struct call *c)
{
    struct str text = {0};

    info_text(call_server(c), c->argc - 1, c->argv + 1, &text);
    reply_verbatim(c->reply, "txt", text.p ? text.p : "", text.len);
    str_fini(&text);
}

static void cmd_time(struct call *c)
{
    int64_t us = clock_wall_us();

    reply_array(c->reply, 2);
    reply_bulk_i64(c->reply, us / 1000000);
    reply_bulk_i64(c->reply, us % 1000000);
}

/* --- SHUTDOWN --- */

static void cmd_shutdown(struct call *c)
{
    static const struct { const char *word; int flag; } words[] = {
        {"nosave", SHUTDOWN_NOSAVE}, {"save", SHUTDOWN_SAVE}, {"now", SHUTDOWN_NOW}, {"force", SHUTDOWN_FORCE}};
    struct err e = {0};
    int flags = 0;
    bool abort = false;

    for (int i = 1; i < c->argc; i++) {
        bool known = false;

        for (size_t k = 0; k < 4 && !known; k++)
            if (arg_is(c, i, words[k].word)) {
                flags |= words[k].flag;
                known = true;
            }
        if (!known && arg_is(c, i, "abort"))
            abort = known = true;
        if (!known) {
            reply_error(c->reply, TEXT_SYNTAX);
            return;
        }
    }
    if ((abort && c->argc > 2) || ((flags & SHUTDOWN_SAVE) && (flags & SHUTDOWN_NOSAVE))) {
        reply_error(c->reply, TEXT_SYNTAX);
        return;
    }
    if (abort) {
        if (server_shutdown_abort(call_server(c)))
            reply_ok(c->reply);
        else
            reply_error(c->reply, "ERR No shutdown in progress.");
        return;
    }
    if (server_shutdown(call_server(c), flags, c->session, &e) != 0)
        reply_error(c->reply, "ERR Errors trying to SHUTDOWN. Check logs.");
}

/* --- SLOWLOG --- */

static void slowlog_get(struct call *c)
{
    const struct slowlog *l = &call_server(c)->slowlog;
    int64_t count = 10;
    size_t n;

    if (c->argc > 2) {
        if (!num_i64_in(c->argv[2].p, c->argv[2].len, -1, INT64_MAX, &count)) {
            reply_error(c->reply, "ERR count should be greater than or equal to -1");
            return;
        }
    }
    n = count == -1 || (size_t)count > l->n ? l->n : (size_t)count;
    reply_array(c->reply, n);
    for (size_t i = 0; i < n; i++) {
        const struct slow_entry *e = &l->at[l->n - 1 - i];

        reply_array(c->reply, 6);
        reply_int(c->reply, (int64_t)e->id);
        reply_int(c->reply, e->at_s);
        reply_int(c->reply, e->us);
        reply_array(c->reply, (size_t)e->argc);
        for (int k = 0; k < e->argc; k++)
            reply_bulk_z(c->reply, e->argv[k]);
        reply_bulk_z(c->reply, e->peer);
        reply_bulk_z(c->reply, e->name);
    }
}

static void slowlog_len(struct call *c) { reply_int(c->reply, (int64_t)call_server(c)->slowlog.n); }

static void cmd_slowlog_reset(struct call *c)
{
    slowlog_reset(&call_server(c)->slowlog);
    reply_ok(c->reply);
}

static void help(struct call *c)
{
    command_reply_help(c->reply, command_find_name(&call_server(c)->commands, c->argv[0]));
}

#define ADMIN CMD_ADMIN | CMD_LOADING | CMD_STALE

static const struct command slowlog_subs[] = {
    {"get", -2, ADMIN, slowlog_get, 0, 0, 0, "server", "[count]", "The slowest commands of late.", "2.2.12"},
    {"len", 2, ADMIN, slowlog_len, 0, 0, 0, "server", "", "How many there are.", "2.2.12"},
    {"reset", 2, ADMIN, cmd_slowlog_reset, 0, 0, 0, "server", "", "Forget them.", "2.2.12"},
    {"help", 2, CMD_LOADING | CMD_STALE, help, 0, 0, 0, "server", "", "What there is.", "6.2.0"},
};

/* --- MEMORY --- */

static void memory_usage(struct call *c)
{
    struct object *o;
    int64_t samples = 5;

    for (int i = 3; i < c->argc; i++) {
        if (i + 1 < c->argc && arg_is(c, i, "samples")) {
            if (!arg_i64(c, ++i, &samples))
                return;
            if (samples >= 0)
                continue;
        }
        reply_error(c->reply, TEXT_SYNTAX);
        return;
    }
    o = db_peek(call_db(c), c->argv[2]);
    if (o)
        reply_int(c->reply, (int64_t)object_memory(o, (size_t)samples));
    else
        reply_null(c->reply);
}

static const struct command memory_subs[] = {
    {"usage", -3, CMD_READ, memory_usage, 2, 2, 1, "server", "key [SAMPLES count]", "Bytes that a key and its value take.", "4.0.0", .access = "-"},
    {"help", 2, CMD_LOADING | CMD_STALE, help, 0, 0, 0, "server", "", "What there is.", "4.0.0"},
};

#define SUBS(a) a, sizeof a / sizeof a[0]

const struct command server_commands[] = {
    {"info", -1, CMD_LOADING | CMD_STALE | CMD_DANGEROUS, cmd_info, 0, 0, 0, "server", "[section [section ...]]", "All about this node.", "1.0.0"},
    {"time", 1, CMD_LOADING | CMD_STALE | CMD_FAST, cmd_time, 0, 0, 0, "server", "", "The clock: seconds and microseconds.", "2.6.0"},
    {"shutdown", -1, CMD_ADMIN | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_NO_MULTI, cmd_shutdown, 0, 0, 0, "server",
     "[NOSAVE|SAVE] [NOW] [FORCE] [ABORT]", "Save and stop.", "1.0.0"},
    {"slowlog", -2, CMD_CONTAINER, NULL, 0, 0, 0, "server", "", "Slow commands.", "2.2.12", SUBS(slowlog_subs)},
    {"memory", -2, CMD_CONTAINER, NULL, 0, 0, 0, "server", "", "Where the memory is.", "4.0.0", SUBS(memory_subs)},
};
ROWS(server);
