/* A keyspace as RDB bytes. A writer gathers some 64 KiB before it bothers the sink; the
 * checksum runs over everything but itself. Small hashes go out as the listpack they are. */
#include "kvnode/format/rdb_write.h"

#include "common/base/buf.h"
#include "common/base/num.h"
#include "kvnode/format/crc64.h"
#include "kvnode/format/rdb_format.h"
#include "kvnode/store/keyspace.h"
#include "kvnode/store/t_hash.h"
#include "kvnode/store/t_string.h"

#include <liblzf/lzf.h>
#include <stdio.h>
#include <string.h>

#define GATHER (64u << 10)
#define LZF_WORTH 20         /* shorter strings do not get shorter */

struct writer {
    const struct rdb_write_opts *o;
    const struct rdb_sink *sink;
    struct err *e;
    struct buf out;
    struct buf squeezed;     /* LZF scratch */
    uint64_t crc;
    uint64_t keys;
    int rc;                  /* first failure; everything after it is skipped */
};

static void flush(struct writer *w)
{
    if (w->rc == 0 && buf_len(&w->out) > 0) {
        if (w->o->checksum)
            w->crc = crc64(w->crc, buf_data(&w->out), buf_len(&w->out));
        w->rc = w->sink->put(w->sink->arg, buf_data(&w->out), buf_len(&w->out), w->e);
    }
    buf_clear(&w->out);
}

static void put(struct writer *w, const void *p, size_t n)
{
    buf_append(&w->out, p, n);
    if (buf_len(&w->out) >= GATHER)
        flush(w);
}

static void put_byte(struct writer *w, unsigned b)
{
    unsigned char c = (unsigned char)b;

    put(w, &c, 1);
}

static void put_le(struct writer *w, uint64_t v, unsigned bytes)
{
    unsigned char b[8];

    for (unsigned i = 0; i < bytes; i++)
        b[i] = (unsigned char)(v >> (8 * i));
    put(w, b, bytes);
}

static void put_be(struct writer *w, uint64_t v, unsigned bytes)
{
    unsigned char b[8];

    for (unsigned i = 0; i < bytes; i++)
        b[i] = (unsigned char)(v >> (8 * (bytes - 1 - i)));
    put(w, b, bytes);
}

static void put_len(struct writer *w, uint64_t n)
{
    if (n < 1u << 6) {
        put_byte(w, (unsigned)n | RDB_LEN_6 << 6);
    } else if (n < 1u << 14) {
        put_byte(w, (unsigned)(n >> 8) | RDB_LEN_14 << 6);
        put_byte(w, (unsigned)n & 0xff);
    } else if (n <= UINT32_MAX) {
        put_byte(w, RDB_LEN_32);
        put_be(w, n, 4);
    } else {
        put_byte(w, RDB_LEN_64);
        put_be(w, n, 8);
    }
}

static bool put_small_i64(struct writer *w, int64_t v)
{
    static const struct { int64_t min, max; unsigned tag, bytes; } forms[] = {
        {INT8_MIN, INT8_MAX, RDB_STR_INT8, 1},
        {INT16_MIN, INT16_MAX, RDB_STR_INT16, 2},
        {INT32_MIN, INT32_MAX, RDB_STR_INT32, 4},
    };

    for (unsigned i = 0; i < 3; i++) {
        if (v < forms[i].min || v > forms[i].max)
            continue;
        put_byte(w, RDB_LEN_SPECIAL << 6 | forms[i].tag);
        put_le(w, (uint64_t)v, forms[i].bytes);
        return true;
    }
    return false;
}

static bool put_squeezed(struct writer *w, const void *p, size_t n)
{
    if (!w->o->compress || n <= LZF_WORTH || n > UINT32_MAX)
        return false;
    buf_clear(&w->squeezed);
    char *to = buf_tail(&w->squeezed, n);
    unsigned got = lzf_compress(p, (unsigned)n, to, (unsigned)n - 4);
    if (got == 0)
        return false;
    put_byte(w, RDB_LEN_SPECIAL << 6 | RDB_STR_LZF);
    put_len(w, got);
    put_len(w, n);
    put(w, to, got);
    buf_shrink(&w->squeezed, 1u << 20);
    return true;
}

static void put_string(struct writer *w, const void *p, size_t n)
{
    int64_t v;

    if (n <= 11 && num_i64(p, n, &v) && put_small_i64(w, v))
        return;
    if (put_squeezed(w, p, n))
        return;
    put_len(w, n);
    put(w, p, n);
}

static void put_aux(struct writer *w, const char *name, const char *value)
{
    put_byte(w, RDB_OP_AUX);
    put_string(w, name, strlen(name));
    put_string(w, value, strlen(value));
}

static void put_aux_i64(struct writer *w, const char *name, int64_t v)
{
    char text[NUM_I64_MAX];

    num_put_i64(text, v);
    put_aux(w, name, text);
}

static void put_facts(struct writer *w)
{
    const struct rdb_facts *f = &w->o->facts;

    put_aux(w, "redis-ver", f->version[0] ? f->version : COMPAT_VERSION);
    put_aux(w, "redis-bits", "64");
    if (f->made_at_s > 0)
        put_aux_i64(w, "ctime", f->made_at_s);
    if (f->used_bytes > 0)
        put_aux_i64(w, "used-mem", f->used_bytes);
    if (f->has_history) {
        put_aux_i64(w, "repl-stream-db", f->stream_db);
        put_aux(w, "repl-id", f->repl_id);
        put_aux_i64(w, "repl-offset", f->repl_offset);
    }
    if (f->has_history && f->repl_id2[0]) {
        put_aux(w, "kvorum-repl-id2", f->repl_id2);
        put_aux_i64(w, "kvorum-repl-until", f->repl_until);
    }
    if (w->o->epochs)
        put_aux(w, "kvorum-epochs", w->o->epochs);
    put_aux(w, "aof-base", "0");
}

static void put_hash(struct writer *w, const struct object *o)
{
    struct hash_iter it;
    struct hash_item item;

    put_len(w, hash_len(o));
    hash_iter_init(&it, o);
    while (hash_iter_next(&it, &item)) {
        put_string(w, item.field.p, item.field.len);
        put_string(w, item.value.p, item.value.len);
    }
}

static int put_object(struct writer *w, const struct object *o)
{
    struct slice key = object_key(o);
    int64_t deadline = object_deadline(o);
    size_t packed_len = 0;
    const unsigned char *packed = o->type == OBJ_HASH ? hash_listpack(o, &packed_len) : NULL;
    char num[NUM_I64_MAX];

    if (deadline != NEVER_MS) {
        put_byte(w, RDB_OP_EXPIRETIME_MS);
        put_le(w, (uint64_t)deadline, 8);
    }
    if (o->type == OBJ_STRING) {
        struct slice v = string_view(o, num);
        put_byte(w, RDB_TYPE_STRING);
        put_string(w, key.p, key.len);
        put_string(w, v.p, v.len);
    } else if (packed) {
        put_byte(w, RDB_TYPE_HASH_LISTPACK);
        put_string(w, key.p, key.len);
        put_string(w, packed, packed_len);
    } else if (o->type == OBJ_HASH) {
        put_byte(w, RDB_TYPE_HASH);
        put_string(w, key.p, key.len);
        put_hash(w, o);
    } else {
        return err_set(w->e, ERR_REFUSED, "key of type %s cannot be saved", object_type_name(o->type));
    }
    w->keys++;
    if (w->o->progress)
        w->o->progress(w->o->progress_arg, w->keys);
    return 0;
}

static void put_db(struct writer *w, struct db *d)
{
    struct db_iter it;
    struct object *o;

    if (db_count(d) == 0)
        return;
    put_byte(w, RDB_OP_SELECTDB);
    put_len(w, (uint64_t)d->index);
    put_byte(w, RDB_OP_RESIZEDB);
    put_len(w, db_count(d));
    put_len(w, d->with_deadline);
    db_iter_init(&it, d);
    while (w->rc == 0 && (o = db_iter_next(&it)) != NULL) {
        int rc = put_object(w, o);
        if (w->rc == 0)
            w->rc = rc;
    }
    db_iter_fini(&it);
}

int rdb_write(struct keyspace *ks, const struct rdb_write_opts *o, const struct rdb_sink *sink, struct err *e)
{
    struct writer w = {.o = o, .sink = sink, .e = e};
    char head[16];
    unsigned char sum[8] = {0};

    snprintf(head, sizeof head, "REDIS%04d", RDB_VERSION_WRITTEN);
    put(&w, head, 9);
    put_facts(&w);
    for (int i = 0; i < ks->ndbs && w.rc == 0; i++)
        put_db(&w, keyspace_db(ks, i));
    put_byte(&w, RDB_OP_EOF);
    flush(&w);
    if (w.rc == 0) {
        for (int i = 0; o->checksum && i < 8; i++)
            sum[i] = (unsigned char)(w.crc >> (8 * i));
        w.rc = sink->put(sink->arg, sum, 8, e);
    }
    buf_fini(&w.out);
    buf_fini(&w.squeezed);
    return w.rc;
}
