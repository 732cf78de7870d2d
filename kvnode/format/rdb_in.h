/* What every part of an RDB is made of: bytes, little numbers, lengths and strings. */
#ifndef KV_FORMAT_RDB_IN_H
#define KV_FORMAT_RDB_IN_H

#include "common/base/str.h"
#include "kvnode/format/rdb_read.h"

struct rdb_in {
    const struct rdb_source *from;
    struct err *e;
    bool verify;               /* keep the sum */
    int64_t bulk_max;
    uint64_t bytes;            /* read so far */
    uint64_t crc;
    struct str squeezed;       /* scratch for LZF; the owner's to free */
};

/* All return 0 or the error that stands in e. */
int rdb_get(struct rdb_in *r, void *p, size_t n);
int rdb_get_le(struct rdb_in *r, unsigned bytes, uint64_t *v);      /* little-endian, at most 8 */
int rdb_get_len(struct rdb_in *r, uint64_t *v);
int rdb_get_string(struct rdb_in *r, struct str *out);              /* in any form, unpacked */

#endif
