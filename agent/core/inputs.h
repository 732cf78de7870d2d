/* One snapshot of what the directory says: for each source, the bytes of a string key or
 * the fields of a hash. A source is named as documents name it: "config:redis:web" is a
 * string key and so is "cfgschema:redis"; "hash:app_config" is the hash "app_config", and "svcs:web"
 * the hash "svcs:web", where the instances of a service stand. Keys that beat (lease:*, node:*) are
 * refused: whatever is a source makes every reader read again when it is written.
 *
 * What is not there is in the snapshot too, as missing: "the key does not exist" and
 * "nobody asked" are different answers. */
#ifndef KV_AGENT_INPUTS_H
#define KV_AGENT_INPUTS_H

#include "common/base/dict.h"
#include "common/base/str.h"
#include "common/base/vec.h"

#include <stdbool.h>

enum input_kind {
    INPUT_MISSING,
    INPUT_STRING,
    INPUT_HASH,
    INPUT_WRONG         /* the key holds another type */
};

struct input_field {
    struct str name, value;
};

struct input {
    enum input_kind kind;
    struct str bytes;                     /* INPUT_STRING */
    VEC(struct input_field) fields;       /* INPUT_HASH, in the order they came */
};

struct inputs {
    struct dict by_source;                /* source -> struct input*, owned */
};

#define SOURCE_MAX 512                    /* length of a source's name */

void inputs_init(struct inputs *in);
void inputs_fini(struct inputs *in);
void inputs_clear(struct inputs *in);
void inputs_swap(struct inputs *a, struct inputs *b);
/* The entry for this source, emptied; made if it was not there. Borrowed until the next clear. */
struct input *inputs_put(struct inputs *in, struct slice source);
void inputs_put_string(struct inputs *in, const char *source, const void *p, size_t n);
void inputs_put_missing(struct inputs *in, const char *source);
void input_add_field(struct input *i, const void *name, size_t nlen, const void *value, size_t vlen);
const struct input *inputs_get(const struct inputs *in, const char *source);      /* NULL: nobody asked */
void inputs_copy_one(struct inputs *to, const struct inputs *from, const char *source);

/* A source's name: does it name a hash, and which key of the directory is it? */
bool source_valid(struct slice source);
bool source_is_hash(struct slice source);
struct slice source_key(struct slice source);

/* A list of sources without repeats, in the order they were added. */
struct sources {
    VEC(char *) at;
};
void sources_init(struct sources *s);
void sources_fini(struct sources *s);
bool sources_add(struct sources *s, const char *source);        /* true: it was new */
bool sources_has(const struct sources *s, const char *source);
bool sources_all_in(const struct sources *s, const struct inputs *in);

#endif
