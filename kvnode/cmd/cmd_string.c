/* Strings: arguments, one store call, a reply. */
#include "kvnode/cmd/cmd.h"

#include "kvnode/store/expire.h"
#include "kvnode/store/t_string.h"

#include <math.h>
#include <string.h>

static struct object *read_string(struct call *c, int i, bool *ok)
{
    struct object *o = db_read(call_db(c), c->argv[i]);

    *ok = want_type(c, o, OBJ_STRING);
    return o;
}

static struct object *write_string(struct call *c, int i, bool *ok)
{
    struct object *o = db_write(call_db(c), c->argv[i]);

    *ok = want_type(c, o, OBJ_STRING);
    return o;
}

static void reply_string(struct call *c, const struct object *o)
{
    char num[NUM_I64_MAX];

    if (!o)
        reply_null(c->reply);
    else
        reply_bulk_slice(c->reply, string_view(o, num));
}

static bool fits(struct call *c, size_t len)
{
    if ((int64_t)len <= call_server(c)->opt.proto_max_bulk_len)
        return true;
    reply_error(c->reply, "ERR string exceeds maximum allowed size (proto-max-bulk-len)");
    return false;
}

/* --- deadlines in arguments: EX s, PX ms, EXAT s, PXAT ms --- */

struct when {
    bool given;
    bool persist, keep;
    int arg;                   /* where the amount stands; read after everything has been parsed */
    bool seconds, absolute;
    int64_t at_ms;
};

static const struct { const char *word; bool seconds, absolute; } when_forms[] = {
    {"ex", true, false}, {"px", false, false}, {"exat", true, true}, {"pxat", false, true}};

/* Is argument i one of the four, with its amount behind it? */
static bool is_when(struct call *c, int i, struct when *w)
{
    for (size_t k = 0; k < 4 && i + 1 < c->argc; k++)
        if (arg_is(c, i, when_forms[k].word)) {
            w->given = true;
            w->arg = i + 1;
            w->seconds = when_forms[k].seconds;
            w->absolute = when_forms[k].absolute;
            return true;
        }
    return false;
}

/* The amount; name: the command as errors call it. */
static bool take_when(struct call *c, const char *name, struct when *w)
{
    int64_t amount;

    if (!w->given)
        return true;
    if (!arg_i64(c, w->arg, &amount))
        return false;
    if (amount <= 0 || !expire_deadline(w->absolute ? 0 : call_server(c)->ks->now_ms, amount, w->seconds, &w->at_ms)) {
        reply_errorf(c->reply, "ERR invalid expire time in '%s' command", name);
        return false;
    }
    return true;
}

/* What replicas get instead of a relative deadline. */
static void replace_with_pxat(struct call *c, struct slice key, struct slice value, int64_t at_ms)
{
    char at[NUM_I64_MAX];
    size_t n = num_put_i64(at, at_ms);

    call_replace(c, 5, (struct slice[]){{"SET", 3}, key, value, {"PXAT", 4}, {at, n}});
}

/* A deadline in the past: as if it had been set and had passed at once. */
static void replace_with_del(struct call *c, struct slice key)
{
    call_replace(c, 2, (struct slice[]){{"DEL", 3}, key});
}

static bool is_past(struct call *c, int64_t at_ms)
{
    return at_ms < call_server(c)->ks->now_ms && !call_client(c)->is_primary && !call_server(c)->loading.on;
}

struct set_opts {
    bool nx, xx, get;
    struct when w;
};

static bool parse_set(struct call *c, struct set_opts *s)
{
    for (int i = 3; i < c->argc; i++) {
        if (arg_is(c, i, "nx") && !s->xx) {
            s->nx = true;
        } else if (arg_is(c, i, "xx") && !s->nx) {
            s->xx = true;
        } else if (arg_is(c, i, "get")) {
            s->get = true;
        } else if (arg_is(c, i, "keepttl") && !s->w.given) {
            s->w.keep = true;
        } else if (!s->w.given && !s->w.keep && is_when(c, i, &s->w)) {
            i++;
        } else {
            reply_error(c->reply, TEXT_SYNTAX);
            return false;
        }
    }
    return take_when(c, "set", &s->w);
}

/* The plain part of every SET: value in, deadline, told. */
static void store(struct call *c, struct slice key, struct slice value, const struct when *w)
{
    struct object *o;

    if (w->given && is_past(c, w->at_ms)) {
        if (db_delete(call_db(c), key))
            changed(c, key, EVENT_GENERIC, "del");
        else
            call_server(c)->ks->dirty++;
        replace_with_del(c, key);
        return;
    }
    o = db_set_string(call_db(c), key, value, w->keep);
    if (w->given)
        o = db_set_deadline(call_db(c), o, w->at_ms);
    changed(c, key, EVENT_STRING, "set");
    if (w->given) {
        notify_event(call_server(c), EVENT_GENERIC, "expire", call_client(c)->db, key);
        replace_with_pxat(c, key, value, w->at_ms);
    }
}

static void cmd_set(struct call *c)
{
    struct set_opts s = {0};
    struct object *old = NULL;
    bool ok = true;

    if (c->argc > 3 && !parse_set(c, &s))
        return;
    if (s.get) {
        old = read_string(c, 1, &ok);
        if (!ok)
            return;
        reply_string(c, old);
    } else if (s.nx || s.xx) {
        old = db_write(call_db(c), c->argv[1]);
    }
    if ((s.nx && old) || (s.xx && !old)) {
        if (!s.get)
            reply_null(c->reply);
        return;
    }
    store(c, c->argv[1], c->argv[2], &s.w);
    if (!s.get)
        reply_ok(c->reply);
}

static void cmd_setnx(struct call *c)
{
    if (db_write(call_db(c), c->argv[1])) {
        reply_int(c->reply, 0);
        return;
    }
    store(c, c->argv[1], c->argv[2], &(struct when){0});
    reply_int(c->reply, 1);
}

static void set_with_ttl(struct call *c, bool seconds, const char *name)
{
    struct when w = {.given = true, .arg = 2, .seconds = seconds};

    if (!take_when(c, name, &w))
        return;
    store(c, c->argv[1], c->argv[3], &w);
    reply_ok(c->reply);
}

static void cmd_setex(struct call *c) { set_with_ttl(c, true, "setex"); }
static void cmd_psetex(struct call *c) { set_with_ttl(c, false, "psetex"); }

static void cmd_get(struct call *c)
{
    bool ok;
    struct object *o = read_string(c, 1, &ok);

    if (ok)
        reply_string(c, o);
}

static bool parse_getex(struct call *c, struct when *w)
{
    if (c->argc == 2 || (c->argc == 4 && is_when(c, 2, w)))
        return true;
    if (c->argc == 3 && arg_is(c, 2, "persist")) {
        w->persist = true;
        return true;
    }
    reply_error(c->reply, TEXT_SYNTAX);
    return false;
}

static void getex_deadline(struct call *c, struct object *o, const struct when *w)
{
    char at[NUM_I64_MAX];
    size_t n;

    if (is_past(c, w->at_ms)) {
        db_delete(call_db(c), c->argv[1]);
        changed(c, c->argv[1], EVENT_GENERIC, "del");
        replace_with_del(c, c->argv[1]);
        return;
    }
    n = num_put_i64(at, w->at_ms);
    db_set_deadline(call_db(c), o, w->at_ms);
    changed(c, c->argv[1], EVENT_GENERIC, "expire");
    call_replace(c, 3, (struct slice[]){{"PEXPIREAT", 9}, c->argv[1], {at, n}});
}

static void cmd_getex(struct call *c)
{
    struct when w = {0};
    struct object *o;
    bool ok;

    if (!parse_getex(c, &w))
        return;
    o = read_string(c, 1, &ok);
    if (!ok)
        return;
    if (!o) {
        reply_null(c->reply);
        return;
    }
    if (!take_when(c, "getex", &w))
        return;
    reply_string(c, o);
    if (w.given) {
        getex_deadline(c, o, &w);
    } else if (w.persist && object_deadline(o) != NEVER_MS) {
        db_set_deadline(call_db(c), o, NEVER_MS);
        changed(c, c->argv[1], EVENT_GENERIC, "persist");
        call_replace(c, 2, (struct slice[]){{"PERSIST", 7}, c->argv[1]});
    }
}

static void cmd_getdel(struct call *c)
{
    bool ok;
    struct object *o = read_string(c, 1, &ok);

    if (!ok)
        return;
    reply_string(c, o);
    if (!o)
        return;
    db_delete(call_db(c), c->argv[1]);
    changed(c, c->argv[1], EVENT_GENERIC, "del");
    replace_with_del(c, c->argv[1]);
}

static void cmd_getset(struct call *c)
{
    bool ok;
    struct object *o = read_string(c, 1, &ok);

    if (!ok)
        return;
    reply_string(c, o);
    db_set_string(call_db(c), c->argv[1], c->argv[2], false);
    changed(c, c->argv[1], EVENT_STRING, "set");
    call_replace(c, 3, (struct slice[]){{"SET", 3}, c->argv[1], c->argv[2]});
}

static void cmd_setrange(struct call *c)
{
    struct object *o;
    int64_t offset;
    struct slice value = c->argv[3];
    bool ok;

    if (!arg_i64(c, 2, &offset))
        return;
    if (offset < 0) {
        reply_error(c->reply, "ERR offset is out of range");
        return;
    }
    o = write_string(c, 1, &ok);
    if (!ok)
        return;
    if (value.len == 0) {
        reply_int(c->reply, o ? (int64_t)string_len(o) : 0);
        return;
    }
    if (offset > INT64_MAX - (int64_t)value.len || !fits(c, (size_t)offset + value.len)) {
        if (offset > INT64_MAX - (int64_t)value.len)
            reply_error(c->reply, "ERR string exceeds maximum allowed size (proto-max-bulk-len)");
        return;
    }
    if (!o)
        o = db_set_string(call_db(c), c->argv[1], (struct slice){"", 0}, false);
    memcpy(string_edit(o, (size_t)offset + value.len) + offset, value.p, value.len);
    changed(c, c->argv[1], EVENT_STRING, "setrange");
    reply_int(c->reply, (int64_t)string_len(o));
}

static void cmd_getrange(struct call *c)
{
    int64_t start, end, len;
    char num[NUM_I64_MAX];
    struct object *o;
    struct slice s;
    bool ok;

    if (!arg_i64(c, 2, &start) || !arg_i64(c, 3, &end))
        return;
    o = read_string(c, 1, &ok);
    if (!ok)
        return;
    s = o ? string_view(o, num) : (struct slice){"", 0};
    len = (int64_t)s.len;
    if (start < 0 && end < 0 && start > end) {
        reply_bulk(c->reply, "", 0);
        return;
    }
    if (start < 0)
        start = start + len < 0 ? 0 : start + len;
    if (end < 0)
        end = end + len < 0 ? 0 : end + len;
    if (end >= len)
        end = len - 1;
    if (start > end || len == 0)
        reply_bulk(c->reply, "", 0);
    else
        reply_bulk(c->reply, s.p + start, (size_t)(end - start + 1));
}

static void cmd_strlen(struct call *c)
{
    bool ok;
    struct object *o = read_string(c, 1, &ok);

    if (ok)
        reply_int(c->reply, o ? (int64_t)string_len(o) : 0);
}

static void cmd_append(struct call *c)
{
    bool ok;
    struct object *o = write_string(c, 1, &ok);
    size_t len;

    if (!ok)
        return;
    if (!o) {
        o = db_set_string(call_db(c), c->argv[1], c->argv[2], false);
    } else {
        len = string_len(o);
        if (!fits(c, len + c->argv[2].len))
            return;
        memcpy(string_edit(o, len + c->argv[2].len) + len, c->argv[2].p, c->argv[2].len);
    }
    changed(c, c->argv[1], EVENT_STRING, "append");
    reply_int(c->reply, (int64_t)string_len(o));
}

static void cmd_mget(struct call *c)
{
    reply_array(c->reply, (size_t)c->argc - 1);
    for (int i = 1; i < c->argc; i++) {
        struct object *o = db_read(call_db(c), c->argv[i]);

        reply_string(c, o && o->type == OBJ_STRING ? o : NULL);
    }
}

static bool odd_pairs(struct call *c, const char *name)
{
    if (c->argc % 2 == 1)
        return false;
    reply_errorf(c->reply, "ERR wrong number of arguments for '%s' command", name);
    return true;
}

static void set_pairs(struct call *c)
{
    for (int i = 1; i < c->argc; i += 2) {
        db_set_string(call_db(c), c->argv[i], c->argv[i + 1], false);
        changed(c, c->argv[i], EVENT_STRING, "set");
    }
}

static void cmd_mset(struct call *c)
{
    if (odd_pairs(c, "mset"))
        return;
    set_pairs(c);
    reply_ok(c->reply);
}

static void cmd_msetnx(struct call *c)
{
    if (odd_pairs(c, "msetnx"))
        return;
    for (int i = 1; i < c->argc; i += 2)
        if (db_write(call_db(c), c->argv[i])) {
            reply_int(c->reply, 0);
            return;
        }
    set_pairs(c);
    reply_int(c->reply, 1);
}

static void add(struct call *c, int64_t by)
{
    bool ok;
    struct object *o = write_string(c, 1, &ok);
    int64_t v = 0;

    if (!ok)
        return;
    if (o && !string_i64(o, &v)) {
        reply_error(c->reply, TEXT_NOT_INT);
        return;
    }
    if (__builtin_add_overflow(v, by, &v)) {
        reply_error(c->reply, "ERR increment or decrement would overflow");
        return;
    }
    if (o)
        string_put_i64(o, v);
    else
        db_set_i64(call_db(c), c->argv[1], v, false);
    changed(c, c->argv[1], EVENT_STRING, "incrby");
    reply_int(c->reply, v);
}

static void cmd_incr(struct call *c) { add(c, 1); }
static void cmd_decr(struct call *c) { add(c, -1); }

static void cmd_incrby(struct call *c)
{
    int64_t by;

    if (arg_i64(c, 2, &by))
        add(c, by);
}

static void cmd_decrby(struct call *c)
{
    int64_t by;

    if (!arg_i64(c, 2, &by))
        return;
    if (by == INT64_MIN)
        reply_error(c->reply, "ERR decrement would overflow");
    else
        add(c, -by);
}

static void cmd_incrbyfloat(struct call *c)
{
    bool ok;
    struct object *o = write_string(c, 1, &ok);
    char num[NUM_I64_MAX], text[F80_TEXT_MAX];
    long double v = 0, by;
    size_t n;

    if (!ok)
        return;
    if (o) {
        struct slice s = string_view(o, num);

        if (!num_f80(s.p, s.len, &v) || isnan(v)) {
            reply_error(c->reply, TEXT_NOT_FLOAT);
            return;
        }
    }
    if (!arg_f80(c, 2, &by))
        return;
    v += by;
    if (isnan(v) || isinf(v)) {
        reply_error(c->reply, "ERR increment would produce NaN or Infinity");
        return;
    }
    n = put_f80(text, v);
    db_set_bytes(call_db(c), c->argv[1], (struct slice){text, n}, true);
    changed(c, c->argv[1], EVENT_STRING, "incrbyfloat");
    reply_bulk(c->reply, text, n);
    call_replace(c, 4, (struct slice[]){{"SET", 3}, c->argv[1], {text, n}, {"KEEPTTL", 7}});
}

/* With GET the old value is read as well. */
static const char *set_access(int argc, const struct slice *argv)
{
    for (int i = 3; i < argc; i++)
        if (slice_is_nocase(argv[i], "get"))
            return "RW";
    return "W";
}

#define W_OOM CMD_WRITE | CMD_DENYOOM

const struct command string_commands[] = {
    /* name      arity  flags                 run              keys     group */
    {"set", -3, W_OOM, cmd_set, 1, 1, 1, "string",
     "key value [NX|XX] [GET] [EX seconds|PX milliseconds|EXAT unix-time-seconds|PXAT unix-time-milliseconds|KEEPTTL]",
     "Give a key a value.", "1.0.0", .access_of = set_access},
    {"setnx", 3, W_OOM | CMD_FAST, cmd_setnx, 1, 1, 1, "string", "key value", "Give a key a value if it has none.", "1.0.0", .access = "W"},
    {"setex", 4, W_OOM, cmd_setex, 1, 1, 1, "string", "key seconds value", "Give a key a value and a time to live.", "2.0.0", .access = "W"},
    {"psetex", 4, W_OOM, cmd_psetex, 1, 1, 1, "string", "key milliseconds value", "Give a key a value and a time to live.", "2.6.0", .access = "W"},
    {"get", 2, CMD_READ | CMD_FAST, cmd_get, 1, 1, 1, "string", "key", "The value of a key.", "1.0.0"},
    {"getex", -2, CMD_WRITE | CMD_FAST, cmd_getex, 1, 1, 1, "string",
     "key [EX seconds|PX milliseconds|EXAT unix-time-seconds|PXAT unix-time-milliseconds|PERSIST]",
     "The value of a key, changing its time to live.", "6.2.0"},
    {"getdel", 2, CMD_WRITE | CMD_FAST, cmd_getdel, 1, 1, 1, "string", "key", "The value of a key, which is deleted.", "6.2.0"},
    {"getset", 3, W_OOM | CMD_FAST, cmd_getset, 1, 1, 1, "string", "key value", "Set a key, answer its old value.", "1.0.0"},
    {"setrange", 4, W_OOM, cmd_setrange, 1, 1, 1, "string", "key offset value", "Overwrite a part of a string.", "2.2.0", .access = "W"},
    {"getrange", 4, CMD_READ, cmd_getrange, 1, 1, 1, "string", "key start end", "A part of a string.", "2.4.0"},
    {"substr", 4, CMD_READ, cmd_getrange, 1, 1, 1, "string", "key start end", "A part of a string.", "1.0.0"},
    {"strlen", 2, CMD_READ | CMD_FAST, cmd_strlen, 1, 1, 1, "string", "key", "How long a string is.", "2.2.0", .access = "-"},
    {"append", 3, W_OOM | CMD_FAST, cmd_append, 1, 1, 1, "string", "key value", "Add to the end of a string.", "2.0.0", .access = "W"},
    {"mget", -2, CMD_READ | CMD_FAST, cmd_mget, 1, -1, 1, "string", "key [key ...]", "The values of several keys.", "1.0.0"},
    {"mset", -3, W_OOM, cmd_mset, 1, -1, 2, "string", "key value [key value ...]", "Set several keys at once.", "1.0.1", .access = "W"},
    {"msetnx", -3, W_OOM, cmd_msetnx, 1, -1, 2, "string", "key value [key value ...]", "Set several keys if none of them is there.", "1.0.1", .access = "W"},
    {"incr", 2, W_OOM | CMD_FAST, cmd_incr, 1, 1, 1, "string", "key", "Add one to a number.", "1.0.0"},
    {"decr", 2, W_OOM | CMD_FAST, cmd_decr, 1, 1, 1, "string", "key", "Take one from a number.", "1.0.0"},
    {"incrby", 3, W_OOM | CMD_FAST, cmd_incrby, 1, 1, 1, "string", "key increment", "Add to a number.", "1.0.0"},
    {"decrby", 3, W_OOM | CMD_FAST, cmd_decrby, 1, 1, 1, "string", "key decrement", "Take from a number.", "1.0.0"},
    {"incrbyfloat", 3, W_OOM | CMD_FAST, cmd_incrbyfloat, 1, 1, 1, "string", "key increment", "Add to a number with decimals.", "2.6.0"},
};
ROWS(string);
