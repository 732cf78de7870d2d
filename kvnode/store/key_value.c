/* What a key is set to: a number, a string (inline behind the key, or of its own), a hash, a copy of another key's value. */
#include "kvnode/store/keyspace.h"

#include "common/base/check.h"
#include "common/base/mem.h"
#include "kvnode/ds/listpack.h"
#include "kvnode/store/keyspace_inside.h"
#include "kvnode/store/t_hash.h"
#include "kvnode/store/t_string.h"

#include <string.h>

#define INLINE_MAX 512           /* strings up to this share the key's allocation */
#define INT_TEXT_MAX 20

struct object *db_set_i64(struct db *d, struct slice key, int64_t value, bool keep_deadline)
{
    struct object *o = keyspace_for_value(d, key, OBJ_STRING, 0, keep_deadline);

    o->enc = ENC_INT;
    o->v.i = value;
    return o;
}

struct object *db_set_string(struct db *d, struct slice key, struct slice value, bool keep_deadline)
{
    int64_t i;

    if (value.len > 0 && value.len <= INT_TEXT_MAX && num_i64(value.p, value.len, &i))
        return db_set_i64(d, key, i, keep_deadline);
    return db_set_bytes(d, key, value, keep_deadline);
}

struct object *db_set_bytes(struct db *d, struct slice key, struct slice value, bool keep_deadline)
{
    struct object *o;

    if (value.len > INLINE_MAX) {
        struct blob *b = blob_new(value);

        o = keyspace_for_value(d, key, OBJ_STRING, 0, keep_deadline);
        o->enc = ENC_BLOB;
        o->v.blob = b;
        return o;
    }
    o = keyspace_for_value(d, key, OBJ_STRING, value.len, keep_deadline);
    o->enc = ENC_INLINE;
    o->v.len = value.len;
    if (value.len > 0)
        memmove(object_inline(o), value.p, value.len);
    return o;
}

struct object *db_set_hash(struct db *d, struct slice key)
{
    struct object *o = keyspace_for_value(d, key, OBJ_HASH, 0, false);

    o->enc = ENC_LISTPACK;
    o->v.lp = lp_new(0);
    return o;
}

struct object *db_set_copy(struct db *d, struct slice key, const struct object *src, bool with_deadline)
{
    int64_t at = object_deadline(src);
    struct object *o = NULL;
    char num[NUM_I64_MAX];
    size_t len;

    if (src->type == OBJ_STRING) {
        struct slice s = string_view(src, num);
        char *own = mem_dup(s.p, s.len);         /* src may be what is replaced */

        o = db_set_string(d, key, (struct slice){own, s.len}, false);
        mem_free(own);
    } else if (src->type == OBJ_HASH) {
        const unsigned char *lp = hash_listpack(src, &len);

        o = object_new(key, keyspace_hash(key), OBJ_HASH, false, 0);
        o->enc = ENC_LISTPACK;
        o->v.lp = lp ? mem_dup(lp, len) : lp_new(0);
        if (!lp) {
            struct hash_iter it;
            struct hash_item item;

            hash_expect(o, &(struct store_limits){0}, hash_len(src));
            hash_iter_init(&it, src);
            while (hash_iter_next(&it, &item))
                hash_set(o, &d->ks->limits, item.field, item.value);
        }
        keyspace_put(d, o);
    }
    CHECK(o != NULL);
    if (with_deadline && at != NEVER_MS)
        o = db_set_deadline(d, o, at);
    return o;
}
