/* A fingerprint of values and of the whole data set, the same as Redis computes: two nodes with
 * the same data have the same one, whatever the order in which it came. */
#ifndef KV_DIGEST_H
#define KV_DIGEST_H

#include "kvnode/store/keyspace.h"

#define DIGEST_BYTES 20

void digest_value(const struct object *o, unsigned char out[DIGEST_BYTES]);      /* the value, and whether it has a deadline */
void digest_keyspace(struct keyspace *ks, unsigned char out[DIGEST_BYTES]);      /* everything; blocks */

#endif
