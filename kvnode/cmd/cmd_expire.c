/* Deadlines of keys: set, ask, take away. Replicas are told instants, never durations. */
#include "kvnode/cmd/cmd.h"

#include "common/base/num.h"
#include "kvnode/store/expire.h"

struct conditions {
    bool nx, xx, gt, lt;
};

static bool parse_conditions(struct call *c, struct conditions *w)
{
    for (int i = 3; i < c->argc; i++) {
        if (arg_is(c, i, "nx"))
            w->nx = true;
        else if (arg_is(c, i, "xx"))
            w->xx = true;
        else if (arg_is(c, i, "gt"))
            w->gt = true;
        else if (arg_is(c, i, "lt"))
            w->lt = true;
        else {
            reply_errorf(c->reply, "ERR Unsupported option %.*s", (int)(c->argv[i].len < 128 ? c->argv[i].len : 128), c->argv[i].p);
            return false;
        }
    }
    if (w->nx && (w->xx || w->gt || w->lt)) {
        reply_error(c->reply, "ERR NX and XX, GT or LT options at the same time are not compatible");
        return false;
    }
    if (w->gt && w->lt) {
        reply_error(c->reply, "ERR GT and LT options at the same time are not compatible");
        return false;
    }
    return true;
}

/* No deadline counts as infinitely late. */
static bool holds(const struct conditions *w, int64_t now_at, int64_t new_at)
{
    if (w->nx && now_at != NEVER_MS)
        return false;
    if (w->xx && now_at == NEVER_MS)
        return false;
    if (w->gt && (now_at == NEVER_MS || new_at <= now_at))
        return false;
    if (w->lt && now_at != NEVER_MS && new_at >= now_at)
        return false;
    return true;
}

static void expire_at(struct call *c, int64_t base_ms, bool seconds, const char *name)
{
    struct server *srv = call_server(c);
    struct slice key = c->argv[1];
    struct conditions w = {0};
    struct object *o;
    int64_t amount, at_ms;
    char text[NUM_I64_MAX];
    size_t n;

    if (!parse_conditions(c, &w) || !arg_i64(c, 2, &amount))
        return;
    if (!expire_deadline(base_ms, amount, seconds, &at_ms)) {
        reply_errorf(c->reply, "ERR invalid expire time in '%s' command", name);
        return;
    }
    o = db_write(call_db(c), key);
    if (!o || !holds(&w, object_deadline(o), at_ms)) {
        reply_int(c->reply, 0);
        return;
    }
    if (at_ms <= srv->ks->now_ms && !call_client(c)->is_primary && !srv->loading.on) {
        db_remove(call_db(c), o);
        changed(c, key, EVENT_GENERIC, "del");
        call_replace(c, 2, (struct slice[]){{"DEL", 3}, key});
        reply_int(c->reply, 1);
        return;
    }
    db_set_deadline(call_db(c), o, at_ms);
    changed(c, key, EVENT_GENERIC, "expire");
    n = num_put_i64(text, at_ms);
    call_replace(c, 3, (struct slice[]){{"PEXPIREAT", 9}, key, {text, n}});
    reply_int(c->reply, 1);
}

static void cmd_expire(struct call *c) { expire_at(c, call_server(c)->ks->now_ms, true, "expire"); }
static void cmd_pexpire(struct call *c) { expire_at(c, call_server(c)->ks->now_ms, false, "pexpire"); }
static void cmd_expireat(struct call *c) { expire_at(c, 0, true, "expireat"); }
static void cmd_pexpireat(struct call *c) { expire_at(c, 0, false, "pexpireat"); }

static void tell_deadline(struct call *c, bool ms, bool absolute)
{
    struct object *o = db_look(call_db(c), c->argv[1]);
    int64_t at;

    if (!o) {
        reply_int(c->reply, -2);
        return;
    }
    at = object_deadline(o);
    if (at == NEVER_MS) {
        reply_int(c->reply, -1);
        return;
    }
    if (!absolute) {
        at -= call_server(c)->ks->now_ms;
        if (at < 0)
            at = 0;
    }
    reply_int(c->reply, ms ? at : (at + (absolute ? 0 : 500)) / 1000);
}

static void cmd_ttl(struct call *c) { tell_deadline(c, false, false); }
static void cmd_pttl(struct call *c) { tell_deadline(c, true, false); }
static void cmd_expiretime(struct call *c) { tell_deadline(c, false, true); }
static void cmd_pexpiretime(struct call *c) { tell_deadline(c, true, true); }

static void cmd_persist(struct call *c)
{
    struct object *o = db_write(call_db(c), c->argv[1]);

    if (!o || object_deadline(o) == NEVER_MS) {
        reply_int(c->reply, 0);
        return;
    }
    db_set_deadline(call_db(c), o, NEVER_MS);
    changed(c, c->argv[1], EVENT_GENERIC, "persist");
    reply_int(c->reply, 1);
}

#define W_FAST CMD_WRITE | CMD_FAST
#define R_FAST CMD_READ | CMD_FAST

const struct command expire_commands[] = {
    {"expire", -3, W_FAST, cmd_expire, 1, 1, 1, "generic", "key seconds [NX|XX|GT|LT]", "Drop a key after a number of seconds.", "1.0.0", .access = "W"},
    {"pexpire", -3, W_FAST, cmd_pexpire, 1, 1, 1, "generic", "key milliseconds [NX|XX|GT|LT]", "Drop a key after a number of milliseconds.", "2.6.0", .access = "W"},
    {"expireat", -3, W_FAST, cmd_expireat, 1, 1, 1, "generic", "key unix-time-seconds [NX|XX|GT|LT]", "Drop a key at an instant.", "1.2.0", .access = "W"},
    {"pexpireat", -3, W_FAST, cmd_pexpireat, 1, 1, 1, "generic", "key unix-time-milliseconds [NX|XX|GT|LT]", "Drop a key at an instant.", "2.6.0", .access = "W"},
    {"ttl", 2, R_FAST, cmd_ttl, 1, 1, 1, "generic", "key", "Seconds until a key is dropped.", "1.0.0"},
    {"pttl", 2, R_FAST, cmd_pttl, 1, 1, 1, "generic", "key", "Milliseconds until a key is dropped.", "2.6.0"},
    {"expiretime", 2, R_FAST, cmd_expiretime, 1, 1, 1, "generic", "key", "When a key is dropped, in seconds since 1970.", "7.0.0"},
    {"pexpiretime", 2, R_FAST, cmd_pexpiretime, 1, 1, 1, "generic", "key", "When a key is dropped, in milliseconds since 1970.", "7.0.0"},
    {"persist", 2, W_FAST, cmd_persist, 1, 1, 1, "generic", "key", "Do not drop a key any more.", "2.2.0", .access = "W"},
};
ROWS(expire);
