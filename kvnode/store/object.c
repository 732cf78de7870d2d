/* Making, measuring and freeing keys with their values. Where an object stands in a table is
 * the keyspace's business; what its value means, the types'. */
#include "kvnode/store/object.h"

#include "common/base/check.h"
#include "common/base/dict.h"
#include "common/base/mem.h"

#include <string.h>

#define EMBSTR_MAX 44      /* what Redis still calls "embstr" */

static size_t key_offset(const struct object *o) { return o->flags & OBJF_SLOT ? sizeof(int64_t) : 0; }

struct blob *blob_new(struct slice s)
{
    struct blob *b = mem_alloc(sizeof *b + s.len + 1);

    b->len = b->cap = s.len;
    if (s.len > 0)
        memcpy(b->p, s.p, s.len);
    b->p[s.len] = '\0';
    return b;
}

struct slice object_key(const struct object *o) { return (struct slice){o->tail + key_offset(o), o->klen}; }

int64_t object_deadline(const struct object *o)
{
    int64_t at;

    if (!(o->flags & OBJF_DEADLINE))
        return NEVER_MS;
    memcpy(&at, o->tail, sizeof at);
    return at;
}

char *object_inline(const struct object *o) { return (char *)o->tail + key_offset(o) + o->klen + 1; }

size_t object_inline_room(const struct object *o)
{
    return mem_size(o) - offsetof(struct object, tail) - key_offset(o) - o->klen - 1;
}

const char *object_type_name(enum obj_type t)
{
    static const char *const names[OBJ_TYPES] = {"string", "list", "set", "zset", "hash", "stream"};

    return names[t];
}

const char *object_encoding_name(const struct object *o)
{
    switch ((enum obj_enc)o->enc) {
    case ENC_INT:
        return "int";
    case ENC_INLINE:
        return (o->flags & OBJF_EDITED) || o->v.len > EMBSTR_MAX ? "raw" : "embstr";
    case ENC_BLOB:
        return (o->flags & OBJF_EDITED) || o->v.blob->len > EMBSTR_MAX ? "raw" : "embstr";
    case ENC_LISTPACK:
        return "listpack";
    case ENC_DICT:
        return "hashtable";
    }
    return "unknown";
}

static size_t dict_memory(struct dict *d, size_t samples)
{
    size_t bytes = mem_size(d) + dict_buckets(d) * sizeof(void *);
    size_t seen = 0, sum = 0, n = dict_count(d);
    struct dict_iter it;
    struct dict_entry *e;

    dict_iter_init(&it, d);
    while ((samples == 0 || seen < samples) && (e = dict_iter_next(&it))) {
        sum += mem_size(e) + mem_size(e->v.p);
        seen++;
    }
    dict_iter_fini(&it);
    return bytes + (seen ? sum * n / seen : 0);
}

size_t object_memory(const struct object *o, size_t samples)
{
    size_t n = mem_size(o) + sizeof(struct object *);

    switch ((enum obj_enc)o->enc) {
    case ENC_INT:
    case ENC_INLINE:
        break;
    case ENC_BLOB:
        n += mem_size(o->v.blob);
        break;
    case ENC_LISTPACK:
        n += mem_size(o->v.lp);
        break;
    case ENC_DICT:
        n += dict_memory(o->v.dict, samples);
        break;
    }
    return n;
}

struct object *object_new(struct slice key, uint32_t hash_low, enum obj_type t, bool slot, size_t inline_bytes)
{
    size_t tail = (slot ? sizeof(int64_t) : 0) + key.len + 1 + inline_bytes;
    struct object *o;
    char *p;

    CHECK(key.len < UINT32_MAX);
    o = mem_alloc(offsetof(struct object, tail) + tail);
    o->next = NULL;
    o->hash_low = hash_low;
    o->klen = (uint32_t)key.len;
    o->used_s = 0;
    o->type = (uint8_t)t;
    o->enc = ENC_INLINE;
    o->flags = slot ? OBJF_SLOT : 0;
    o->spare = 0;
    o->v.i = 0;
    p = o->tail + key_offset(o);
    memcpy(p, key.p, key.len);
    p[key.len] = '\0';
    return o;
}

void object_free_value(struct object *o)
{
    switch ((enum obj_enc)o->enc) {
    case ENC_INT:
    case ENC_INLINE:
        break;
    case ENC_BLOB:
        mem_free(o->v.blob);
        break;
    case ENC_LISTPACK:
        mem_free(o->v.lp);
        break;
    case ENC_DICT:
        dict_fini(o->v.dict, mem_free);
        mem_free(o->v.dict);
        break;
    }
    o->enc = ENC_INT;
    o->v.i = 0;
}

void object_free(struct object *o)
{
    if (!o)
        return;
    object_free_value(o);
    mem_free(o);
}
