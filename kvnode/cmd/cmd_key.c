/* Keys of any type: is it there, what is it, another name, another place, all of them. */
#include "kvnode/cmd/cmd.h"

#include "common/base/glob.h"
#include "common/base/num.h"
#include "kvnode/client/txn.h"
#include "kvnode/disk/snapshot.h"

#include <string.h>

static void cmd_del(struct call *c)
{
    int64_t n = 0;

    for (int i = 1; i < c->argc; i++) {
        struct object *o = db_peek(call_db(c), c->argv[i]);

        if (!o)
            continue;
        db_remove(call_db(c), o);
        changed(c, c->argv[i], EVENT_GENERIC, "del");
        n++;
    }
    reply_int(c->reply, n);
}

static void cmd_exists(struct call *c)
{
    int64_t n = 0;

    for (int i = 1; i < c->argc; i++)
        n += db_look(call_db(c), c->argv[i]) != NULL;
    reply_int(c->reply, n);
}

static void cmd_touch(struct call *c)
{
    int64_t n = 0;

    for (int i = 1; i < c->argc; i++)
        n += db_read(call_db(c), c->argv[i]) != NULL;
    reply_int(c->reply, n);
}

static void cmd_type(struct call *c)
{
    struct object *o = db_look(call_db(c), c->argv[1]);

    reply_simple(c->reply, o ? object_type_name(o->type) : "none");
}

/* --- another name --- */

static void rename_key(struct call *c, bool only_if_free)
{
    struct db *d = call_db(c);
    struct object *o = db_write(d, c->argv[1]);
    bool same = slice_eq(c->argv[1], c->argv[2]);
    bool there;

    if (!o) {
        reply_error(c->reply, TEXT_NO_KEY);
        return;
    }
    if (same) {
        if (only_if_free)
            reply_int(c->reply, 0);
        else
            reply_ok(c->reply);
        return;
    }
    there = db_write(d, c->argv[2]) != NULL;
    if (there && only_if_free) {
        reply_int(c->reply, 0);
        return;
    }
    db_move(d, o, d, c->argv[2]);
    changed(c, c->argv[1], EVENT_GENERIC, "rename_from");
    changed(c, c->argv[2], EVENT_GENERIC, "rename_to");
    if (only_if_free)
        reply_int(c->reply, 1);
    else
        reply_ok(c->reply);
}

static void cmd_rename(struct call *c) { rename_key(c, false); }
static void cmd_renamenx(struct call *c) { rename_key(c, true); }

/* A database number in argument i; text: what to say when it is none. */
static bool arg_db(struct call *c, int i, const char *not_int, int *out)
{
    int64_t n;

    if (!num_i64(c->argv[i].p, c->argv[i].len, &n)) {
        reply_error(c->reply, not_int);
        return false;
    }
    if (n < 0 || n >= call_server(c)->ks->ndbs) {
        reply_error(c->reply, "ERR DB index is out of range");
        return false;
    }
    *out = (int)n;
    return true;
}

static void cmd_move(struct call *c)
{
    struct db *from = call_db(c);
    struct object *o;
    int to;

    if (!arg_db(c, 2, "ERR value is not an integer or out of range", &to))
        return;
    if (to == from->index) {
        reply_error(c->reply, "ERR source and destination objects are the same");
        return;
    }
    o = db_write(from, c->argv[1]);
    if (!o || db_write(keyspace_db(from->ks, to), c->argv[1])) {
        reply_int(c->reply, 0);
        return;
    }
    db_move(from, o, keyspace_db(from->ks, to), c->argv[1]);
    changed(c, c->argv[1], EVENT_GENERIC, "move_from");
    changed_in(c, to, c->argv[1], EVENT_GENERIC, "move_to");
    reply_int(c->reply, 1);
}

static void cmd_copy(struct call *c)
{
    struct db *from = call_db(c);
    int to = from->index;
    bool replace = false;
    struct object *o;
    struct db *d;

    for (int i = 3; i < c->argc; i++) {
        if (arg_is(c, i, "replace")) {
            replace = true;
        } else if (arg_is(c, i, "db") && i + 1 < c->argc) {
            if (!arg_db(c, ++i, "ERR value is not an integer or out of range", &to))
                return;
        } else {
            reply_error(c->reply, TEXT_SYNTAX);
            return;
        }
    }
    if (to == from->index && slice_eq(c->argv[1], c->argv[2])) {
        reply_error(c->reply, "ERR source and destination objects are the same");
        return;
    }
    d = keyspace_db(from->ks, to);
    o = db_read(from, c->argv[1]);
    if (!o || (db_write(d, c->argv[2]) && !replace)) {
        reply_int(c->reply, 0);
        return;
    }
    db_set_copy(d, c->argv[2], o, true);
    changed_in(c, to, c->argv[2], EVENT_GENERIC, "copy_to");
    reply_int(c->reply, 1);
}

/* --- all of them --- */

struct collect {
    struct call *c;
    struct db *d;
    struct scan_opts *o;
    size_t n;
    int64_t seen;
    struct scan_reply reply;
};

static void collect_key(void *arg, struct object *o)
{
    struct collect *w = arg;
    struct slice key = object_key(o);

    w->seen++;
    if (w->o->match && !glob_match(w->o->pattern.p, w->o->pattern.len, key.p, key.len, false))
        return;
    if (w->o->by_type && !slice_is_nocase(w->o->type, object_type_name(o->type)))
        return;
    if (db_is_expired(w->d, o) && w->d->ks->expired_keys != KEEP_EXPIRED)
        return;
    reply_bulk_slice(w->c->reply, key);
    w->n++;
}

static void cmd_scan(struct call *c)
{
    struct scan_opts o = {0};
    struct collect w = {.c = c, .d = call_db(c), .o = &o};
    int64_t steps;

    if (!arg_cursor(c, 1, &o.cursor) || !arg_scan(c, 2, true, &o))
        return;
    scan_begin(c->reply, &w.reply);
    steps = o.count > INT64_MAX / 10 ? INT64_MAX : o.count * 10;
    do {
        o.cursor = db_scan(w.d, o.cursor, collect_key, &w);
    } while (o.cursor != 0 && --steps > 0 && w.seen < o.count);
    scan_end(c->reply, &w.reply, o.cursor, w.n);
}

static void cmd_keys(struct call *c)
{
    struct scan_opts o = {.match = !slice_is(c->argv[1], "*"), .pattern = c->argv[1]};
    struct collect w = {.c = c, .d = call_db(c), .o = &o};
    struct reply_hole keys = reply_hole(c->reply);
    struct db_iter it;
    struct object *obj;

    db_iter_init(&it, w.d);
    while ((obj = db_iter_next(&it)))
        collect_key(&w, obj);
    db_iter_fini(&it);
    reply_fill_array(c->reply, keys, w.n);
}

static void cmd_randomkey(struct call *c)
{
    struct object *o = db_random(call_db(c), &call_server(c)->rng);

    if (o)
        reply_bulk_slice(c->reply, object_key(o));
    else
        reply_null(c->reply);
}

static void cmd_dbsize(struct call *c) { reply_int(c->reply, (int64_t)db_count(call_db(c))); }

/* --- emptying, exchanging --- */

static bool arg_flush(struct call *c, bool *later)
{
    *later = call_server(c)->opt.lazyfree_lazy_user_flush;
    if (c->argc == 1)
        return true;
    if (c->argc == 2 && arg_is(c, 1, "async")) {
        *later = true;
        return true;
    }
    if (c->argc == 2 && arg_is(c, 1, "sync")) {
        *later = false;
        return true;
    }
    reply_error(c->reply, TEXT_SYNTAX);
    return false;
}

/* false: answered with an error. */
static bool flush(struct call *c, int first, int last, int tell)
{
    struct keyspace *ks = call_server(c)->ks;
    bool later;
    size_t n = 0;

    if (!arg_flush(c, &later))
        return false;
    watch_tell(&call_server(c)->watch, WATCH_FLUSHED, tell, (struct slice){"", 0});
    for (int i = first; i <= last; i++) {
        n += db_count(keyspace_db(ks, i));
        db_clear(keyspace_db(ks, i), later);
    }
    ks->dirty += n;
    call_also(c);                      /* the replicas may have what we have not */
    reply_ok(c->reply);
    return true;
}

static void cmd_flushdb(struct call *c)
{
    int db = call_client(c)->db;

    flush(c, db, db, db);
}

static void cmd_flushall(struct call *c)
{
    struct server *srv = call_server(c);

    if (flush(c, 0, srv->ks->ndbs - 1, -1))
        snapshot_flushed(srv->snapshot);
}

static void cmd_swapdb(struct call *c)
{
    struct server *srv = call_server(c);
    int a, b;

    if (!arg_db(c, 1, "ERR invalid first DB index", &a) || !arg_db(c, 2, "ERR invalid second DB index", &b))
        return;
    if (a != b) {
        txn_swapped(srv, a, b);
        db_exchange(keyspace_db(srv->ks, a), keyspace_db(srv->ks, b));
    }
    srv->ks->dirty++;
    reply_ok(c->reply);
}

static void cmd_select(struct call *c)
{
    int db;

    if (!arg_db(c, 1, "ERR value is not an integer or out of range", &db))
        return;
    call_client(c)->db = db;
    reply_ok(c->reply);
}

/* --- OBJECT --- */

static struct object *object_arg(struct call *c)
{
    struct object *o = db_look(call_db(c), c->argv[2]);

    if (!o)
        reply_null(c->reply);
    return o;
}

static void object_encoding(struct call *c)
{
    struct object *o = object_arg(c);

    if (o)
        reply_bulk_z(c->reply, object_encoding_name(o));
}

/* Small numbers are one object for all in Redis, and say so; here they take no room of their own either. */
static void object_refcount(struct call *c)
{
    struct object *o = object_arg(c);

    if (o)
        reply_int(c->reply, o->enc == ENC_INT && o->v.i >= 0 && o->v.i < 10000 ? INT32_MAX : 1);
}

static void object_idletime(struct call *c)
{
    struct object *o = object_arg(c);

    if (o)
        reply_int(c->reply, (int64_t)((uint32_t)(call_server(c)->ks->now_ms / 1000) - o->used_s));
}

static void object_freq(struct call *c)
{
    if (object_arg(c))
        reply_error(c->reply, "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that "
                              "when switching between policies at runtime LRU and LFU data will take some time to adjust.");
}

static void object_help(struct call *c) { command_reply_help(c->reply, command_find_name(&call_server(c)->commands, slice_z("object"))); }

static const struct command object_subs[] = {
    {"encoding", 3, CMD_READ, object_encoding, 2, 2, 1, "generic", "key", "How the value of a key is kept.", "2.2.3", .access = "-"},
    {"freq", 3, CMD_READ, object_freq, 2, 2, 1, "generic", "key", "How often a key is used (with an LFU policy).", "4.0.0", .access = "-"},
    {"idletime", 3, CMD_READ, object_idletime, 2, 2, 1, "generic", "key", "Seconds since a key was last used.", "2.2.3", .access = "-"},
    {"refcount", 3, CMD_READ, object_refcount, 2, 2, 1, "generic", "key", "How many own the value of a key: one.", "2.2.3", .access = "-"},
    {"help", 2, CMD_LOADING | CMD_STALE, object_help, 0, 0, 0, "generic", "", "What there is.", "6.2.0"},
};

const struct command key_commands[] = {
    {"del", -2, CMD_WRITE, cmd_del, 1, -1, 1, "generic", "key [key ...]", "Delete keys.", "1.0.0", .access = "W"},
    {"unlink", -2, CMD_WRITE | CMD_FAST, cmd_del, 1, -1, 1, "generic", "key [key ...]", "Delete keys.", "4.0.0", .access = "W"},
    {"exists", -2, CMD_READ | CMD_FAST, cmd_exists, 1, -1, 1, "generic", "key [key ...]", "How many of these keys are there.", "1.0.0", .access = "-"},
    {"touch", -2, CMD_READ | CMD_FAST, cmd_touch, 1, -1, 1, "generic", "key [key ...]", "Count as use of these keys.", "3.2.1", .access = "-"},
    {"type", 2, CMD_READ | CMD_FAST, cmd_type, 1, 1, 1, "generic", "key", "What type a key has.", "1.0.0", .access = "-"},
    {"rename", 3, CMD_WRITE, cmd_rename, 1, 2, 1, "generic", "key newkey", "Give a key another name.", "1.0.0", .access = "RW W"},
    {"renamenx", 3, CMD_WRITE | CMD_FAST, cmd_renamenx, 1, 2, 1, "generic", "key newkey", "Give a key another name if that is free.", "1.0.0", .access = "RW W"},
    {"move", 3, CMD_WRITE | CMD_FAST, cmd_move, 1, 1, 1, "generic", "key db", "Move a key to another database.", "1.0.0"},
    {"copy", -3, CMD_WRITE | CMD_DENYOOM, cmd_copy, 1, 2, 1, "generic", "source destination [DB destination-db] [REPLACE]", "Copy a key.", "6.2.0", .access = "R W"},
    {"scan", -2, CMD_READ, cmd_scan, 0, 0, 0, "generic", "cursor [MATCH pattern] [COUNT count] [TYPE type]", "Some keys, and where to go on.", "2.8.0"},
    {"keys", 2, CMD_READ | CMD_DANGEROUS, cmd_keys, 0, 0, 0, "generic", "pattern", "All keys that match.", "1.0.0"},
    {"randomkey", 1, CMD_READ, cmd_randomkey, 0, 0, 0, "generic", "", "Any key.", "1.0.0"},
    {"object", -2, CMD_CONTAINER, NULL, 0, 0, 0, "generic", "", "Looks at how a key is kept.", "2.2.3",
     object_subs, sizeof object_subs / sizeof object_subs[0]},
    {"dbsize", 1, CMD_READ | CMD_FAST, cmd_dbsize, 0, 0, 0, "server", "", "How many keys the database has.", "1.0.0", .categories = "@keyspace"},
    {"flushdb", -1, CMD_WRITE | CMD_DANGEROUS, cmd_flushdb, 0, 0, 0, "server", "[ASYNC|SYNC]", "Empty the database.", "1.0.0", .categories = "@keyspace"},
    {"flushall", -1, CMD_WRITE | CMD_DANGEROUS, cmd_flushall, 0, 0, 0, "server", "[ASYNC|SYNC]", "Empty all databases.", "1.0.0", .categories = "@keyspace"},
    {"swapdb", 3, CMD_WRITE | CMD_FAST | CMD_DANGEROUS, cmd_swapdb, 0, 0, 0, "server", "index1 index2", "Exchange two databases.", "4.0.0", .categories = "@keyspace"},
    {"select", 2, CMD_LOADING | CMD_STALE | CMD_FAST, cmd_select, 0, 0, 0, "connection", "index", "Use another database.", "1.0.0"},
};
ROWS(key);
