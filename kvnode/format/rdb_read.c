/* RDB bytes into a keyspace. Reads straight down: header, then one opcode or key after the
 * other. The place of an error (byte, database, key) is put in front at one spot, in rdb_read. */
#include "kvnode/format/rdb_read.h"

#include "common/base/dict.h"
#include "common/base/mem.h"
#include "common/base/num.h"
#include "kvnode/ds/listpack.h"
#include "kvnode/format/rdb_format.h"
#include "kvnode/format/rdb_in.h"
#include "kvnode/format/rdb_packed.h"
#include "kvnode/store/keyspace.h"
#include "kvnode/store/t_hash.h"

#include <string.h>

#define BULK_MAX (512LL << 20)
#define EXPECT_MAX (1u << 18)      /* how much we believe a RESIZEDB: room for more comes as the keys do */

struct reader {
    struct keyspace *ks;
    const struct rdb_read_opts *o;
    struct rdb_in in;
    struct rdb_read_result *res;
    struct err *e;
    struct db *db;
    struct str key, field, value;
    bool has_key;
    int version;
    int64_t deadline_ms;           /* of the next key, NEVER_MS = none */
};

static struct slice view(const struct str *s) { return (struct slice){str_c(s), s->len}; }

/* --- values --- */

struct filling {
    struct reader *r;
    struct object *o;
    bool at_value;
};

static int add_field(struct reader *r, struct object *o, struct slice field, struct slice value)
{
    if (hash_set(o, &r->ks->limits, field, value))
        return 0;
    return err_set(r->e, ERR_FORMAT, "hash with a field that stands twice");
}

static int fill_from_packed(void *arg, struct slice element)
{
    struct filling *f = arg;

    f->at_value = !f->at_value;
    if (f->at_value) {
        str_set(&f->r->field, element.p, element.len);
        return 0;
    }
    return add_field(f->r, f->o, view(&f->r->field), element);
}

static int read_hash_old(struct reader *r, unsigned type, struct object *o)
{
    struct filling f = {r, o, false};
    int rc = rdb_get_string(&r->in, &r->value);

    if (rc != 0)
        return rc;
    const unsigned char *p = (const unsigned char *)str_c(&r->value);
    rc = (type == RDB_TYPE_HASH_ZIPLIST ? ziplist_walk : zipmap_walk)(p, r->value.len, fill_from_packed, &f, r->e);
    if (rc == 0 && f.at_value)
        rc = err_set(r->e, ERR_FORMAT, "packed hash with a field that has no value");
    return rc;
}

/* Every field once? Few: compare them all. Many: through a table. */
static bool fields_unique(const unsigned char *lp, size_t count)
{
    char num[NUM_I64_MAX];
    struct dict seen = {0};
    bool unique = true;

    if (count <= 64) {
        for (unsigned char *at = lp_first(lp); at && unique;) {
            unsigned char *next = lp_next(lp, lp_next(lp, at));
            unique = next == NULL || lp_find(lp, next, lp_get(at, num), 1) == NULL;
            at = next;
        }
        return unique;
    }
    dict_init(&seen);
    for (unsigned char *at = lp_first(lp); at && unique; at = lp_next(lp, lp_next(lp, at))) {
        struct slice s = lp_get(at, num);
        dict_put(&seen, s.p, s.len, &unique);
    }
    dict_fini(&seen, NULL);
    return unique;
}

static int read_hash_listpack(struct reader *r, struct object *o)
{
    int rc = rdb_get_string(&r->in, &r->value);

    if (rc != 0)
        return rc;
    const unsigned char *p = (const unsigned char *)str_c(&r->value);
    if (!lp_valid(p, r->value.len))
        return err_set(r->e, ERR_FORMAT, "listpack is damaged");
    size_t count = lp_count(p);
    if (count % 2 != 0)
        return err_set(r->e, ERR_FORMAT, "listpack hash with a field that has no value");
    if (!fields_unique(p, count))
        return err_set(r->e, ERR_FORMAT, "hash with a field that stands twice");
    if (count > 0)
        hash_adopt_listpack(o, &r->ks->limits, mem_dup(p, r->value.len));
    return 0;
}

static int read_hash_plain(struct reader *r, struct object *o)
{
    uint64_t n;
    int rc = rdb_get_len(&r->in, &n);

    if (rc != 0)
        return rc;
    hash_expect(o, &r->ks->limits, n < 65536 ? (size_t)n : 65536);
    for (uint64_t i = 0; i < n; i++) {
        rc = rdb_get_string(&r->in, &r->field);
        if (rc == 0)
            rc = rdb_get_string(&r->in, &r->value);
        if (rc == 0)
            rc = add_field(r, o, view(&r->field), view(&r->value));
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int read_value(struct reader *r, unsigned type, struct object **out)
{
    int rc;

    if (type == RDB_TYPE_STRING) {
        rc = rdb_get_string(&r->in, &r->value);
        if (rc == 0)
            *out = db_set_string(r->db, view(&r->key), view(&r->value), false);
        return rc;
    }
    *out = db_set_hash(r->db, view(&r->key));
    if (type == RDB_TYPE_HASH)
        return read_hash_plain(r, *out);
    if (type == RDB_TYPE_HASH_LISTPACK)
        return read_hash_listpack(r, *out);
    return read_hash_old(r, type, *out);
}

/* --- what we refuse, by name --- */

static const struct { unsigned char type; const char *name; } foreign[] = {
    {RDB_TYPE_LIST, "list"}, {RDB_TYPE_LIST_ZIPLIST, "list"}, {RDB_TYPE_LIST_QUICKLIST, "list"},
    {RDB_TYPE_LIST_QUICKLIST_2, "list"}, {RDB_TYPE_SET, "set"}, {RDB_TYPE_SET_INTSET, "set"},
    {RDB_TYPE_SET_LISTPACK, "set"}, {RDB_TYPE_ZSET, "sorted set"}, {RDB_TYPE_ZSET_2, "sorted set"},
    {RDB_TYPE_ZSET_ZIPLIST, "sorted set"}, {RDB_TYPE_ZSET_LISTPACK, "sorted set"},
    {RDB_TYPE_STREAM_LISTPACKS, "stream"}, {RDB_TYPE_STREAM_LISTPACKS_2, "stream"},
    {RDB_TYPE_STREAM_LISTPACKS_3, "stream"}, {RDB_TYPE_MODULE_PRE_GA, "module value"},
    {RDB_TYPE_MODULE_2, "module value"},
};

static bool type_is_ours(unsigned t)
{
    return t == RDB_TYPE_STRING || t == RDB_TYPE_HASH || t == RDB_TYPE_HASH_ZIPMAP || t == RDB_TYPE_HASH_ZIPLIST ||
           t == RDB_TYPE_HASH_LISTPACK;
}

static int refuse_type(struct reader *r, unsigned type)
{
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++)
        if (foreign[i].type == type)
            return err_set(r->e, ERR_REFUSED, "a %s (RDB type %u), a type this server does not keep; nothing was loaded",
                           foreign[i].name, type);
    return err_set(r->e, ERR_FORMAT, "unknown type or opcode %u", type);
}

/* Module ids hold nine letters of six bits above ten bits of version. */
static int refuse_module(struct reader *r)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint64_t id;
    char name[10] = {0};
    int rc = rdb_get_len(&r->in, &id);

    if (rc != 0)
        return rc;
    for (int i = 0; i < 9; i++)
        name[i] = letters[id >> (58 - 6 * i) & 63];
    return err_set(r->e, ERR_REFUSED, "data of the module \"%s\", and this server has no modules; nothing was loaded", name);
}

static int refuse_function(struct reader *r)
{
    int rc = rdb_get_string(&r->in, &r->value);
    const char *line_end;

    if (rc != 0)
        return rc;
    line_end = memchr(str_c(&r->value), '\n', r->value.len);
    int n = line_end ? (int)(line_end - r->value.p) : (int)(r->value.len < 60 ? r->value.len : 60);
    return err_set(r->e, ERR_REFUSED, "a function library (%.*s), and this server has no functions; nothing was loaded",
                   n > 60 ? 60 : n, str_c(&r->value));
}

/* --- top level --- */

static int read_aux(struct reader *r)
{
    struct rdb_facts *f = &r->res->facts;
    int64_t n = 0;
    int rc = rdb_get_string(&r->in, &r->field);

    if (rc == 0)
        rc = rdb_get_string(&r->in, &r->value);
    if (rc != 0)
        return rc;
    struct slice name = view(&r->field), v = view(&r->value);
    bool is_num = num_i64(v.p, v.len, &n);
    if (slice_is(name, "redis-ver")) {
        slice_copy_z(v, f->version, sizeof f->version);
    } else if (slice_is(name, "ctime") && is_num) {
        f->made_at_s = n;
    } else if (slice_is(name, "used-mem") && is_num) {
        f->used_bytes = n;
    } else if (slice_is(name, "repl-stream-db") && is_num && n >= -1 && n < r->ks->ndbs) {
        f->stream_db = (int)n;
    } else if (slice_is(name, "repl-id") && v.len == ID_HEX && memchr(v.p, '\0', v.len) == NULL) {
        slice_copy_z(v, f->repl_id, sizeof f->repl_id);
    } else if (slice_is(name, "repl-offset") && is_num && n >= 0) {
        f->repl_offset = n;
        f->has_history = f->repl_id[0] != '\0';
    } else if (slice_is(name, "kvorum-repl-id2") && v.len == ID_HEX && memchr(v.p, '\0', v.len) == NULL) {
        slice_copy_z(v, f->repl_id2, sizeof f->repl_id2);
    } else if (slice_is(name, "kvorum-repl-until") && is_num && n > 0) {
        f->repl_until = n;
    } else if (slice_is(name, "kvorum-epochs") && r->o->epochs) {
        str_set(r->o->epochs, v.p, v.len);
    }
    return 0;    /* other facts are for others */
}

static int read_key(struct reader *r, unsigned type)
{
    struct object *o = NULL;
    int rc = rdb_get_string(&r->in, &r->key);

    if (rc != 0)
        return rc;
    r->has_key = true;
    if (!type_is_ours(type))
        return refuse_type(r, type);
    if (db_raw(r->db, view(&r->key)) != NULL)
        return err_set(r->e, ERR_FORMAT, "the key stands twice");
    rc = read_value(r, type, &o);
    if (rc != 0)
        return rc;
    if (o->type == OBJ_HASH && hash_len(o) == 0) {
        db_remove(r->db, o);       /* old versions could write empty hashes */
    } else if (r->deadline_ms < r->o->drop_expired_ms) {
        db_remove(r->db, o);
        if (r->o->expired)
            r->o->expired(r->o->expired_arg, r->db->index, view(&r->key));
        r->res->keys_expired++;
    } else {
        if (r->deadline_ms != NEVER_MS)
            db_set_deadline(r->db, o, r->deadline_ms);
        r->res->keys_loaded++;
    }
    r->has_key = false;
    r->deadline_ms = NEVER_MS;
    return 0;
}

static int read_header(struct reader *r)
{
    char head[9];
    int64_t v = 0;
    int rc = rdb_get(&r->in, head, sizeof head);

    if (rc != 0)
        return rc;
    if (memcmp(head, "REDIS", 5) != 0)
        return err_set(r->e, ERR_FORMAT, "not an RDB file: it does not begin with REDIS");
    for (int i = 5; i < 9; i++) {
        if (head[i] < '0' || head[i] > '9')
            return err_set(r->e, ERR_FORMAT, "the version of the file is not a number");
        v = v * 10 + (head[i] - '0');
    }
    if (v < 1 || v > RDB_VERSION_MAX)
        return err_set(r->e, ERR_REFUSED, "RDB version %d, versions 1 to %d can be read", (int)v, RDB_VERSION_MAX);
    r->version = (int)v;
    return 0;
}

static int read_end(struct reader *r)
{
    uint64_t crc = r->in.crc, said = 0;
    int rc;

    if (r->version < 5)
        return 0;    /* no checksum before */
    rc = rdb_get_le(&r->in, 8, &said);
    if (rc == 0 && r->o->verify && said != 0 && said != crc)
        rc = err_set(r->e, ERR_VERIFY, "CRC error: the checksum in the file is %016llx, its bytes give %016llx",
                     (unsigned long long)said, (unsigned long long)crc);
    return rc;
}

static int select_db(struct reader *r)
{
    uint64_t n;
    int rc = rdb_get_len(&r->in, &n);

    if (rc != 0)
        return rc;
    if (n >= (uint64_t)r->ks->ndbs)
        return err_set(r->e, ERR_REFUSED, "database %llu, this server has %d (option databases)",
                       (unsigned long long)n, r->ks->ndbs);
    r->db = keyspace_db(r->ks, (int)n);
    return 0;
}

static int resize_db(struct reader *r)
{
    uint64_t keys, deadlines;
    int rc = rdb_get_len(&r->in, &keys);

    if (rc == 0)
        rc = rdb_get_len(&r->in, &deadlines);
    if (rc == 0 && keys > 0)
        db_expand(r->db, keys < EXPECT_MAX ? (size_t)keys : EXPECT_MAX);
    return rc;
}

static int read_deadline(struct reader *r, unsigned op)
{
    uint64_t v;
    int rc = rdb_get_le(&r->in, op == RDB_OP_EXPIRETIME ? 4 : 8, &v);

    if (rc != 0)
        return rc;
    r->deadline_ms = op == RDB_OP_EXPIRETIME ? (int64_t)(int32_t)v * 1000 : (int64_t)v;
    if (r->deadline_ms == NEVER_MS)
        return err_set(r->e, ERR_RANGE, "a deadline beyond all time");
    return 0;
}

/* One opcode or key; *end at the end of the file. */
static int read_item(struct reader *r, bool *end)
{
    unsigned char op, freq;
    uint64_t idle;
    int rc = rdb_get(&r->in, &op, 1);

    if (rc != 0)
        return rc;
    switch (op) {
    case RDB_OP_EOF: *end = true; return read_end(r);
    case RDB_OP_SELECTDB: return select_db(r);
    case RDB_OP_RESIZEDB: return resize_db(r);
    case RDB_OP_EXPIRETIME:
    case RDB_OP_EXPIRETIME_MS: return read_deadline(r, op);
    case RDB_OP_IDLE: return rdb_get_len(&r->in, &idle);
    case RDB_OP_FREQ: return rdb_get(&r->in, &freq, 1);
    case RDB_OP_AUX: return read_aux(r);
    case RDB_OP_MODULE_AUX: return refuse_module(r);
    case RDB_OP_FUNCTION:
    case RDB_OP_FUNCTION2: return refuse_function(r);
    default: return read_key(r, op);
    }
}

static int read_all(struct reader *r)
{
    struct rdb_progress *p = r->o->progress;
    bool end = false;
    int rc = read_header(r);

    while (rc == 0 && !end) {
        if (p && atomic_load_explicit(&p->cancel, memory_order_relaxed))
            return err_set(r->e, ERR_CLOSED, "given up");
        rc = read_item(r, &end);
        if (p) {
            atomic_store_explicit(&p->bytes, r->in.bytes, memory_order_relaxed);
            atomic_store_explicit(&p->keys, r->res->keys_loaded + r->res->keys_expired, memory_order_relaxed);
        }
    }
    return rc;
}

static void say_where(struct reader *r)
{
    struct str key = {0};

    if (!r->has_key) {
        err_wrap(r->e, "at byte %llu", (unsigned long long)r->in.bytes);
        return;
    }
    str_append_quoted(&key, r->key.p, r->key.len < 100 ? r->key.len : 100);
    err_wrap(r->e, "at byte %llu, database %d, key %s", (unsigned long long)r->in.bytes, r->db->index, str_c(&key));
    str_fini(&key);
}

int rdb_read(struct keyspace *into, const struct rdb_read_opts *o, const struct rdb_source *from,
             struct rdb_read_result *out, struct err *e)
{
    struct reader r = {.ks = into, .o = o, .in = {.from = from, .e = e, .verify = o->verify}, .res = out, .e = e, .deadline_ms = NEVER_MS};

    memset(out, 0, sizeof *out);
    out->facts.stream_db = -1;
    r.in.bulk_max = o->bulk_max > 0 ? o->bulk_max : BULK_MAX;
    r.db = keyspace_db(into, 0);
    int rc = read_all(&r);
    if (rc != 0)
        say_where(&r);
    out->bytes = r.in.bytes;
    str_fini(&r.key);
    str_fini(&r.field);
    str_fini(&r.value);
    str_fini(&r.in.squeezed);
    return rc;
}
