/* What keyspace.c (where keys are) and key_value.c (what they are set to) share. */
#ifndef KV_STORE_KEYSPACE_INSIDE_H
#define KV_STORE_KEYSPACE_INSIDE_H

#include "kvnode/store/keyspace.h"

uint32_t keyspace_hash(struct slice key);
/* The key's object for a new value: the old one emptied, or a new one; with room for inline_bytes behind
 * the key. What is expired goes first, as any other look-up would have it. */
struct object *keyspace_for_value(struct db *d, struct slice key, enum obj_type type, size_t inline_bytes, bool keep_deadline);
/* In the place of whatever stands under its key; the database owns it then. */
void keyspace_put(struct db *d, struct object *o);

#endif
