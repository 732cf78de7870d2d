/* Bytes of an RDB (versions 1 to 10, in every encoding of strings and hashes that any
 * Redis wrote) into a keyspace made for them. Nothing a file says is believed: lengths are
 * checked before memory is taken, packed forms are walked before they are used.
 *
 * All or nothing is the caller's: on failure the keyspace holds a part and is to be thrown away.
 * An error says what was wrong, at which byte, and in which key. */
#ifndef KV_FORMAT_RDB_READ_H
#define KV_FORMAT_RDB_READ_H

#include "common/base/str.h"
#include "kvnode/format/rdb_write.h"

#include <stdatomic.h>

/* Gives exactly n bytes or fails (ERR_CLOSED: there are no more). */
struct rdb_source {
    int (*get)(void *arg, void *p, size_t n, struct err *e);
    void *arg;
};

/* Looked at from another thread while reading. */
struct rdb_progress {
    atomic_uint_fast64_t bytes;
    atomic_uint_fast64_t keys;
    atomic_bool cancel;            /* set by the other side: reading ends with ERR_CLOSED */
};

struct rdb_read_opts {
    bool verify;                   /* compare the CRC64 when the file has one */
    int64_t drop_expired_ms;       /* keys whose deadline is before this wall time are left out; 0 = keep all */
    /* Told of each key left out, so that replicas can be told too; may be NULL. */
    void (*expired)(void *arg, int db, struct slice key);
    void *expired_arg;
    struct str *epochs;            /* the AUX field "kvorum-epochs" is put there; may be NULL */
    int64_t bulk_max;              /* longest string taken, default 512 MiB */
    struct rdb_progress *progress; /* may be NULL */
};

struct rdb_read_result {
    struct rdb_facts facts;
    uint64_t keys_loaded;
    uint64_t keys_expired;
    uint64_t bytes;
};

/* ERR_FORMAT, ERR_VERIFY (checksum), ERR_REFUSED (a type, module or function we do not keep; names type
 * and key), ERR_LIMIT, or what the source said. */
int rdb_read(struct keyspace *into, const struct rdb_read_opts *o, const struct rdb_source *from,
             struct rdb_read_result *out, struct err *e);

#endif
