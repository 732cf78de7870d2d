/* Hashes: arguments, store calls, a reply. A hash that became empty is no key any more. */
#include "kvnode/cmd/cmd.h"

#include "common/base/check.h"
#include "common/base/dict.h"
#include "common/base/glob.h"
#include "common/base/mem.h"
#include "kvnode/store/t_hash.h"

#include <math.h>
#include <string.h>

static struct object *read_hash(struct call *c, bool *ok)
{
    struct object *o = db_read(call_db(c), c->argv[1]);

    *ok = want_type(c, o, OBJ_HASH);
    return o;
}

/* The hash to write to, made when it is not there. NULL: of another type, answered. */
static struct object *hash_for_write(struct call *c)
{
    struct object *o = db_write(call_db(c), c->argv[1]);

    if (!want_type(c, o, OBJ_HASH))
        return NULL;
    return o ? o : db_set_hash(call_db(c), c->argv[1]);
}

static const struct store_limits *limits(struct call *c) { return &call_server(c)->ks->limits; }

static void reply_field(struct call *c, const struct object *o, struct slice field)
{
    char num[NUM_I64_MAX];
    struct slice v;

    if (o && hash_get(o, field, &v, num))
        reply_bulk_slice(c->reply, v);
    else
        reply_null(c->reply);
}

static bool set_pairs(struct call *c, int64_t *added)
{
    struct object *o;

    if (c->argc % 2 == 1) {
        reply_errorf(c->reply, "ERR wrong number of arguments for '%s' command", c->cmd->name);
        return false;
    }
    o = hash_for_write(c);
    if (!o)
        return false;
    *added = 0;
    for (int i = 2; i < c->argc; i += 2)
        *added += hash_set(o, limits(c), c->argv[i], c->argv[i + 1]);
    changed(c, c->argv[1], EVENT_HASH, "hset");
    return true;
}

static void cmd_hset(struct call *c)
{
    int64_t added;

    if (set_pairs(c, &added))
        reply_int(c->reply, added);
}

static void cmd_hmset(struct call *c)
{
    int64_t added;

    if (set_pairs(c, &added))
        reply_ok(c->reply);
}

static void cmd_hsetnx(struct call *c)
{
    struct object *o = db_write(call_db(c), c->argv[1]);

    if (!want_type(c, o, OBJ_HASH))
        return;
    if (o && hash_has(o, c->argv[2])) {
        reply_int(c->reply, 0);
        return;
    }
    hash_set(hash_for_write(c), limits(c), c->argv[2], c->argv[3]);
    changed(c, c->argv[1], EVENT_HASH, "hset");
    reply_int(c->reply, 1);
}

static void cmd_hget(struct call *c)
{
    bool ok;
    struct object *o = read_hash(c, &ok);

    if (ok)
        reply_field(c, o, c->argv[2]);
}

static void cmd_hmget(struct call *c)
{
    bool ok;
    struct object *o = read_hash(c, &ok);

    if (!ok)
        return;
    reply_array(c->reply, (size_t)c->argc - 2);
    for (int i = 2; i < c->argc; i++)
        reply_field(c, o, c->argv[i]);
}

static void cmd_hdel(struct call *c)
{
    struct object *o = db_write(call_db(c), c->argv[1]);
    int64_t n = 0;
    bool empty = false;

    if (!want_type(c, o, OBJ_HASH))
        return;
    for (int i = 2; o && i < c->argc && !empty; i++) {
        if (!hash_del(o, c->argv[i]))
            continue;
        n++;
        if (hash_len(o) == 0) {
            db_remove(call_db(c), o);
            empty = true;
        }
    }
    if (n > 0)
        changed(c, c->argv[1], EVENT_HASH, "hdel");
    if (empty)
        notify_event(call_server(c), EVENT_GENERIC, "del", call_client(c)->db, c->argv[1]);
    reply_int(c->reply, n);
}

static void cmd_hlen(struct call *c)
{
    bool ok;
    struct object *o = read_hash(c, &ok);

    if (ok)
        reply_int(c->reply, o ? (int64_t)hash_len(o) : 0);
}

static void cmd_hstrlen(struct call *c)
{
    bool ok;
    struct object *o = read_hash(c, &ok);
    char num[NUM_I64_MAX];
    struct slice v = {0};

    if (!ok)
        return;
    if (o)
        hash_get(o, c->argv[2], &v, num);
    reply_int(c->reply, (int64_t)v.len);
}

static void cmd_hexists(struct call *c)
{
    bool ok;
    struct object *o = read_hash(c, &ok);

    if (ok)
        reply_int(c->reply, o && hash_has(o, c->argv[2]));
}

static void all(struct call *c, bool fields, bool values)
{
    bool ok;
    struct object *o = read_hash(c, &ok);
    struct hash_iter it;
    struct hash_item item;
    size_t n;

    if (!ok)
        return;
    n = o ? hash_len(o) : 0;
    if (fields && values)
        reply_map(c->reply, n);
    else
        reply_array(c->reply, n);
    if (!o)
        return;
    hash_iter_init(&it, o);
    while (hash_iter_next(&it, &item)) {
        if (fields)
            reply_bulk_slice(c->reply, item.field);
        if (values)
            reply_bulk_slice(c->reply, item.value);
    }
}

static void cmd_hgetall(struct call *c) { all(c, true, true); }
static void cmd_hkeys(struct call *c) { all(c, true, false); }
static void cmd_hvals(struct call *c) { all(c, false, true); }

static void cmd_hincrby(struct call *c)
{
    struct object *o;
    int64_t by, v = 0;
    char num[NUM_I64_MAX];
    struct slice s;

    if (!arg_i64(c, 3, &by))
        return;
    o = db_write(call_db(c), c->argv[1]);
    if (!want_type(c, o, OBJ_HASH))
        return;
    if (o && hash_get(o, c->argv[2], &s, num) && !num_i64(s.p, s.len, &v)) {
        reply_error(c->reply, "ERR hash value is not an integer");
        return;
    }
    if (__builtin_add_overflow(v, by, &v)) {
        reply_error(c->reply, "ERR increment or decrement would overflow");
        return;
    }
    s = (struct slice){num, num_put_i64(num, v)};
    hash_set(hash_for_write(c), limits(c), c->argv[2], s);
    changed(c, c->argv[1], EVENT_HASH, "hincrby");
    reply_int(c->reply, v);
}

static void cmd_hincrbyfloat(struct call *c)
{
    struct object *o;
    long double by, v = 0;
    char num[NUM_I64_MAX], text[F80_TEXT_MAX];
    struct slice s;

    if (!arg_f80(c, 3, &by))
        return;
    if (isinf(by)) {
        reply_error(c->reply, "ERR value is NaN or Infinity");
        return;
    }
    o = db_write(call_db(c), c->argv[1]);
    if (!want_type(c, o, OBJ_HASH))
        return;
    if (o && hash_get(o, c->argv[2], &s, num) && (!num_f80(s.p, s.len, &v) || isnan(v))) {
        reply_error(c->reply, "ERR hash value is not a float");
        return;
    }
    v += by;
    if (isnan(v) || isinf(v)) {
        reply_error(c->reply, "ERR increment would produce NaN or Infinity");
        return;
    }
    s = (struct slice){text, put_f80(text, v)};
    hash_set(hash_for_write(c), limits(c), c->argv[2], s);
    changed(c, c->argv[1], EVENT_HASH, "hincrbyfloat");
    reply_bulk_slice(c->reply, s);
    call_replace(c, 4, (struct slice[]){{"HSET", 4}, c->argv[1], c->argv[2], s});
}

struct collect {
    struct call *c;
    const struct scan_opts *o;
    size_t n;
};

static void collect_item(void *arg, const struct hash_item *item)
{
    struct collect *w = arg;

    if (w->o->match && !glob_match(w->o->pattern.p, w->o->pattern.len, item->field.p, item->field.len, false))
        return;
    reply_bulk_slice(w->c->reply, item->field);
    reply_bulk_slice(w->c->reply, item->value);
    w->n += 2;
}

static void cmd_hscan(struct call *c)
{
    struct scan_opts o = {0};
    struct collect w = {c, &o, 0};
    struct scan_reply r;
    struct object *h;
    bool ok;
    int64_t steps;

    if (!arg_cursor(c, 2, &o.cursor))
        return;
    h = read_hash(c, &ok);
    if (!ok || !arg_scan(c, 3, false, &o))
        return;
    scan_begin(c->reply, &r);
    if (!h)
        o.cursor = 0;
    steps = o.count > INT64_MAX / 10 ? INT64_MAX : o.count * 10;
    if (h)
        do {
            o.cursor = hash_scan(h, o.cursor, collect_item, &w);
        } while (o.cursor != 0 && --steps > 0 && (int64_t)w.n < o.count * 2);
    scan_end(c->reply, &r, o.cursor, w.n);
}

/* --- HRANDFIELD --- */

static void put_random(struct call *c, const struct hash_item *item, bool values)
{
    if (values && c->reply->resp > 2)
        reply_array(c->reply, 2);
    reply_bulk_slice(c->reply, item->field);
    if (values)
        reply_bulk_slice(c->reply, item->value);
}

/* count different fields: go over all of them and take each with the chance that is left. */
static void distinct_random(struct call *c, struct object *o, size_t count, bool values)
{
    size_t left = hash_len(o);
    struct hash_iter it;
    struct hash_item item;

    hash_iter_init(&it, o);
    while (count > 0 && hash_iter_next(&it, &item)) {
        if (rng_below(&call_server(c)->rng, left) < count) {
            put_random(c, &item, values);
            count--;
        }
        left--;
    }
}

#define RANDOM_MAX (16LL << 20)        /* with repetitions: nothing else would bound what is answered */

static void cmd_hrandfield(struct call *c)
{
    struct object *o;
    struct hash_item item;
    bool ok, values = false;
    int64_t count;
    size_t n;

    if (c->argc > 2) {
        if (!arg_i64(c, 2, &count))
            return;
        if (count == INT64_MIN) {
            reply_errorf(c->reply, "ERR value is out of range, value must between %lld and %lld", -(long long)INT64_MAX, (long long)INT64_MAX);
            return;
        }
        if (c->argc > 4 || (c->argc == 4 && !arg_is(c, 3, "withvalues"))) {
            reply_error(c->reply, TEXT_SYNTAX);
            return;
        }
        values = c->argc == 4;
        if (values && (count < -INT64_MAX / 2 || count > INT64_MAX / 2)) {
            reply_error(c->reply, "ERR value is out of range");
            return;
        }
    }
    o = read_hash(c, &ok);
    if (!ok)
        return;
    if (c->argc == 2) {
        if (!o) {
            reply_null(c->reply);
            return;
        }
        hash_random(o, &call_server(c)->rng, &item);
        reply_bulk_slice(c->reply, item.field);
        return;
    }
    if (!o || count == 0) {
        reply_array(c->reply, 0);
        return;
    }
    if (count < -RANDOM_MAX) {
        reply_error(c->reply, "ERR value is out of range, no more than 16777216 fields with repetitions at once");
        return;
    }
    n = count < 0 ? (size_t)-count : (size_t)count < hash_len(o) ? (size_t)count : hash_len(o);
    reply_array(c->reply, values && c->reply->resp == 2 ? n * 2 : n);
    if (count > 0) {
        distinct_random(c, o, n, values);
        return;
    }
    while (n-- > 0) {
        hash_random(o, &call_server(c)->rng, &item);
        put_random(c, &item, values);
    }
}

#define W_OOM CMD_WRITE | CMD_DENYOOM | CMD_FAST

const struct command hash_commands[] = {
    {"hset", -4, W_OOM, cmd_hset, 1, 1, 1, "hash", "key field value [field value ...]", "Set fields of a hash.", "2.0.0", .access = "W"},
    {"hmset", -4, W_OOM, cmd_hmset, 1, 1, 1, "hash", "key field value [field value ...]", "Set fields of a hash.", "2.0.0", .access = "W"},
    {"hsetnx", 4, W_OOM, cmd_hsetnx, 1, 1, 1, "hash", "key field value", "Set a field if it is not there.", "2.0.0", .access = "W"},
    {"hget", 3, CMD_READ | CMD_FAST, cmd_hget, 1, 1, 1, "hash", "key field", "The value of a field.", "2.0.0"},
    {"hmget", -3, CMD_READ | CMD_FAST, cmd_hmget, 1, 1, 1, "hash", "key field [field ...]", "The values of several fields.", "2.0.0"},
    {"hdel", -3, CMD_WRITE | CMD_FAST, cmd_hdel, 1, 1, 1, "hash", "key field [field ...]", "Delete fields.", "2.0.0", .access = "W"},
    {"hlen", 2, CMD_READ | CMD_FAST, cmd_hlen, 1, 1, 1, "hash", "key", "How many fields there are.", "2.0.0", .access = "-"},
    {"hstrlen", 3, CMD_READ | CMD_FAST, cmd_hstrlen, 1, 1, 1, "hash", "key field", "How long the value of a field is.", "3.2.0", .access = "-"},
    {"hexists", 3, CMD_READ | CMD_FAST, cmd_hexists, 1, 1, 1, "hash", "key field", "Is this field there?", "2.0.0", .access = "-"},
    {"hgetall", 2, CMD_READ, cmd_hgetall, 1, 1, 1, "hash", "key", "All fields and values.", "2.0.0"},
    {"hkeys", 2, CMD_READ, cmd_hkeys, 1, 1, 1, "hash", "key", "All fields.", "2.0.0"},
    {"hvals", 2, CMD_READ, cmd_hvals, 1, 1, 1, "hash", "key", "All values.", "2.0.0"},
    {"hincrby", 4, W_OOM, cmd_hincrby, 1, 1, 1, "hash", "key field increment", "Add to a field that is a number.", "2.0.0"},
    {"hincrbyfloat", 4, W_OOM, cmd_hincrbyfloat, 1, 1, 1, "hash", "key field increment", "Add to a field that is a number with decimals.", "2.6.0"},
    {"hscan", -3, CMD_READ, cmd_hscan, 1, 1, 1, "hash", "key cursor [MATCH pattern] [COUNT count]", "Some fields, and where to go on.", "2.8.0"},
    {"hrandfield", -2, CMD_READ, cmd_hrandfield, 1, 1, 1, "hash", "key [count [WITHVALUES]]", "Any fields.", "6.2.0"},
};
ROWS(hash);
