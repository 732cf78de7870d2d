/* A key with its value: type, encoding, deadline, size in memory. One allocation holds
 * the key, the deadline when there is one, and the value when it is short.
 *
 *   +--------+------------+-----------+-----+----+---------------------+
 *   | header | [deadline] | key bytes | \0  | .. | [short string value] |
 *   +--------+------------+-----------+-----+----+---------------------+
 *
 * Objects live in a keyspace (keyspace.h), which makes, moves and frees them. A pointer to
 * one is good until the next call that adds, deletes or gives a deadline to a key. */
#ifndef KV_STORE_OBJECT_H
#define KV_STORE_OBJECT_H

#include "common/base/str.h"
#include "common/base/timeval.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum obj_type { OBJ_STRING, OBJ_LIST, OBJ_SET, OBJ_ZSET, OBJ_HASH, OBJ_STREAM, OBJ_TYPES };

/* How the value is kept. What OBJECT ENCODING says is object_encoding_name. */
enum obj_enc {
    ENC_INT,          /* string: a number, in v.i */
    ENC_INLINE,       /* string: bytes behind the key, v.len of them */
    ENC_BLOB,         /* string: v.blob, can grow */
    ENC_LISTPACK,     /* hash: v.lp */
    ENC_DICT          /* hash: v.dict, values are struct blob * */
};

enum obj_flag {
    OBJF_DEADLINE = 1 << 0,    /* the deadline slot exists and counts */
    OBJF_SLOT     = 1 << 1,    /* the deadline slot exists */
    OBJF_EDITED   = 1 << 2     /* string changed in place: Redis calls it "raw" however short it is */
};

/* Bytes of their own. */
struct blob {
    size_t len, cap;
    char p[];                  /* len bytes, then '\0' */
};
struct blob *blob_new(struct slice s);

struct dict;

struct object {
    struct object *next;       /* chain of its bucket */
    uint32_t hash_low;
    uint32_t klen;
    uint32_t used_s;           /* last used, seconds of the keyspace's clock */
    uint8_t  type;             /* enum obj_type */
    uint8_t  enc;              /* enum obj_enc */
    uint8_t  flags;            /* enum obj_flag */
    uint8_t  spare;
    union {
        int64_t i;
        size_t len;
        struct blob *blob;
        unsigned char *lp;
        struct dict *dict;
        void *p;
    } v;
    char tail[];
};

struct slice object_key(const struct object *o);
int64_t object_deadline(const struct object *o);            /* wall ms, or NEVER_MS */
const char *object_type_name(enum obj_type t);              /* "string", "hash", ... */
const char *object_encoding_name(const struct object *o);   /* "int", "embstr", "raw", "listpack", "hashtable" */
size_t object_memory(const struct object *o, size_t samples);   /* bytes, key included; samples 0 = all elements */
/* For the keyspace only. */
struct object *object_new(struct slice key, uint32_t hash_low, enum obj_type t, bool slot, size_t inline_bytes);
void object_free_value(struct object *o);
void object_free(struct object *o);
char *object_inline(const struct object *o);                /* where the short value's bytes are */
size_t object_inline_room(const struct object *o);

#endif
