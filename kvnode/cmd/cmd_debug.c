/* DEBUG: for tests and for looking inside. enable-debug-command says who may. */
#include "kvnode/cmd/cmd.h"

#include "common/base/num.h"
#include "common/io/log.h"
#include "kvnode/digest.h"
#include "kvnode/disk/dataset.h"

#include <errno.h>
#include <string.h>
#include <time.h>

static void debug_sleep(struct call *c)
{
    double s;
    struct timespec t;

    if (!num_f64(c->argv[2].p, c->argv[2].len, &s) || s < 0) {
        reply_error(c->reply, TEXT_NOT_FLOAT);
        return;
    }
    t.tv_sec = (time_t)s;
    t.tv_nsec = (long)((s - (double)t.tv_sec) * 1e9);
    while (nanosleep(&t, &t) != 0 && errno == EINTR)
        continue;
    loop_update_now(call_server(c)->loop);
    reply_ok(c->reply);
}

static void put_digest(struct call *c, const unsigned char d[DIGEST_BYTES])
{
    struct str text = {0};

    str_append_hex(&text, d, DIGEST_BYTES);
    reply_simple(c->reply, str_c(&text));
    str_fini(&text);
}

static void debug_digest(struct call *c)
{
    unsigned char d[DIGEST_BYTES];

    digest_keyspace(call_server(c)->ks, d);
    put_digest(c, d);
}

static void debug_digest_value(struct call *c)
{
    reply_array(c->reply, (size_t)c->argc - 2);
    for (int i = 2; i < c->argc; i++) {
        unsigned char d[DIGEST_BYTES] = {0};
        struct object *o = db_peek(call_db(c), c->argv[i]);

        if (o)
            digest_value(o, d);
        put_digest(c, d);
    }
}

static void debug_populate(struct call *c)
{
    struct db *d = call_db(c);
    struct slice prefix = c->argc > 3 ? c->argv[3] : slice_z("key");
    int64_t count, size = 0;
    struct str key = {0}, value = {0};

    if (!arg_i64(c, 2, &count) || (c->argc > 4 && !arg_i64(c, 4, &size)))
        return;
    if (count < 0 || size < 0 || size > call_server(c)->opt.proto_max_bulk_len) {
        reply_error(c->reply, TEXT_NOT_INT);
        return;
    }
    db_expand(d, (size_t)count);
    for (int64_t i = 0; i < count; i++) {
        str_clear(&key);
        str_append(&key, prefix.p, prefix.len);
        str_printf(&key, ":%lld", (long long)i);
        if (db_peek(d, (struct slice){key.p, key.len}))
            continue;
        str_clear(&value);
        str_printf(&value, "value:%lld", (long long)i);
        if (size > 0) {
            if (value.len > (size_t)size)
                str_cut(&value, (size_t)size);
            while (value.len < (size_t)size)
                str_append_c(&value, '\0');
        }
        db_set_string(d, (struct slice){key.p, key.len}, (struct slice){value.p, value.len}, false);
        call_server(c)->ks->dirty++;
        watch_tell(&call_server(c)->watch, WATCH_CHANGED, d->index, (struct slice){key.p, key.len});
    }
    str_fini(&key);
    str_fini(&value);
    call_replace_none(c);              /* as in Redis: for this node only */
    reply_ok(c->reply);
}

static void debug_object(struct call *c)
{
    struct object *o = db_peek(call_db(c), c->argv[2]);
    struct str text = {0};

    if (!o) {
        reply_error(c->reply, TEXT_NO_KEY);
        return;
    }
    str_printf(&text, "Value at:%p refcount:1 encoding:%s serializedlength:%zu lru:%u lru_seconds_idle:%u", (void *)o,
               object_encoding_name(o), object_memory(o, 0), o->used_s & 0xFFFFFF,
               (uint32_t)(call_server(c)->ks->now_ms / 1000) - o->used_s);
    reply_simple(c->reply, str_c(&text));
    str_fini(&text);
}

static void debug_active_expire(struct call *c)
{
    call_server(c)->active_expire = !slice_is(c->argv[2], "0");
    reply_ok(c->reply);
}

static void debug_pause_cron(struct call *c)
{
    call_server(c)->paused_cron = !slice_is(c->argv[2], "0");
    reply_ok(c->reply);
}

static void debug_reload(struct call *c)
{
    struct err e = {0};
    bool save = true;

    for (int i = 2; i < c->argc; i++) {
        if (arg_is(c, i, "nosave")) {
            save = false;
        } else if (!arg_is(c, i, "noflush") && !arg_is(c, i, "merge")) {
            reply_error(c->reply, TEXT_SYNTAX);
            return;
        } else {
            reply_error(c->reply, "ERR NOFLUSH and MERGE are not supported: a file is loaded whole or not at all");
            return;
        }
    }
    if (dataset_reload(call_server(c), save, &e) == 0)
        reply_ok(c->reply);
    else
        reply_errorf(c->reply, "ERR Error trying to load the RDB dump: %s", e.text);
}

static void debug_log(struct call *c)
{
    log_warning("DEBUG LOG: %.*s", (int)c->argv[2].len, c->argv[2].p);
    reply_ok(c->reply);
}

static void debug_error(struct call *c)
{
    reply_errorf(c->reply, "%.*s", (int)c->argv[2].len, c->argv[2].p);
}

/* --- DEBUG PROTOCOL: one reply of each kind, for those who write clients --- */

static void put_bulk(struct reply *r) { reply_bulk_z(r, "Hello World"); }
static void put_int(struct reply *r) { reply_int(r, 12345); }
static void put_double(struct reply *r) { reply_double(r, 3.141); }
static void put_null(struct reply *r) { reply_null(r); }
static void put_true(struct reply *r) { reply_bool(r, true); }
static void put_false(struct reply *r) { reply_bool(r, false); }
static void put_bignum(struct reply *r) { reply_big_number(r, "1234567999999999999999999999999999999"); }
static void put_verbatim(struct reply *r) { reply_verbatim(r, "txt", "This is a verbatim\nstring", 25); }

static void put_array(struct reply *r)
{
    reply_array(r, 3);
    for (int i = 0; i < 3; i++)
        reply_int(r, i);
}

static void put_set(struct reply *r)
{
    reply_set(r, 3);
    for (int i = 0; i < 3; i++)
        reply_int(r, i);
}

static void put_map(struct reply *r)
{
    reply_map(r, 3);
    for (int i = 0; i < 3; i++) {
        reply_int(r, i);
        reply_bool(r, i == 1);
    }
}

static void put_attribute(struct reply *r)
{
    if (r->resp > 2) {
        reply_attribute(r, 1);
        reply_bulk_z(r, "key-popularity");
        reply_array(r, 2);
        reply_bulk_z(r, "key:123");
        reply_int(r, 90);
    }
    reply_bulk_z(r, "Some real reply following the attribute");
}

static void put_push(struct reply *r)
{
    reply_push(r, 2);
    reply_bulk_z(r, "server-cpu-usage");
    reply_int(r, 42);
}

static void debug_protocol(struct call *c)
{
    static const struct { const char *name; void (*put)(struct reply *r); } kinds[] = {
        {"string", put_bulk}, {"integer", put_int}, {"double", put_double}, {"null", put_null}, {"array", put_array},
        {"set", put_set}, {"map", put_map}, {"attrib", put_attribute}, {"push", put_push}, {"verbatim", put_verbatim},
        {"true", put_true}, {"false", put_false}, {"bignum", put_bignum}};

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (arg_is(c, 2, kinds[i].name)) {
            kinds[i].put(c->reply);
            return;
        }
    reply_error(c->reply, "ERR Wrong protocol type name. Please use one of the following: "
                          "string|integer|double|null|array|set|map|attrib|push|verbatim|true|false|bignum");
}

static void debug_help(struct call *c)
{
    command_reply_help(c->reply, command_find_name(&call_server(c)->commands, slice_z("debug")));
}

#define DEBUG CMD_ADMIN | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_PROTECTED

static const struct command debug_subs[] = {
    {"sleep", 3, DEBUG, debug_sleep, 0, 0, 0, "server", "seconds", "Do nothing for so long."},
    {"digest", 2, DEBUG, debug_digest, 0, 0, 0, "server", "", "A fingerprint of all data."},
    {"digest-value", -2, DEBUG, debug_digest_value, 0, 0, 0, "server", "[key ...]", "Fingerprints of the values of keys."},
    {"populate", -3, DEBUG, debug_populate, 0, 0, 0, "server", "count [prefix [size]]", "Make many keys."},
    {"object", 3, DEBUG, debug_object, 0, 0, 0, "server", "key", "How a key is kept."},
    {"set-active-expire", 3, DEBUG, debug_active_expire, 0, 0, 0, "server", "0|1", "Whether expired keys are looked for."},
    {"pause-cron", 3, DEBUG, debug_pause_cron, 0, 0, 0, "server", "0|1", "Whether background work stands still."},
    {"reload", -2, DEBUG, debug_reload, 0, 0, 0, "server", "[NOSAVE]", "Save the data and load it again."},
    {"protocol", 3, DEBUG, debug_protocol, 0, 0, 0, "server", "type", "A reply of this kind."},
    {"log", 3, DEBUG, debug_log, 0, 0, 0, "server", "message", "Write to the log."},
    {"error", 3, DEBUG, debug_error, 0, 0, 0, "server", "text", "Answer with this error."},
    {"help", 2, CMD_LOADING | CMD_STALE, debug_help, 0, 0, 0, "server", "", "What there is."},
};

const struct command debug_commands[] = {
    {"debug", -2, CMD_CONTAINER | CMD_PROTECTED, NULL, 0, 0, 0, "server", "", "For tests and for looking inside.", "1.0.0",
     debug_subs, sizeof debug_subs / sizeof debug_subs[0], .categories = "@admin @dangerous"},
};
ROWS(debug);
