/* RDB bytes in memory, for the suites of this folder: a sink that gathers, a source that gives,
 * and a builder of files by hand. */
#ifndef KV_TESTS_RDB_BYTES_H
#define KV_TESTS_RDB_BYTES_H

#include "kvnode/format/rdb_read.h"

#include "common/base/str.h"
#include "kvnode/store/keyspace.h"

struct bytes_source {
    const char *p;
    size_t n, at;
};

int gather(void *arg, const void *p, size_t n, struct err *e);      /* arg: struct str */
int give(void *arg, void *p, size_t n, struct err *e);              /* arg: struct bytes_source */

/* Reads p into a fresh keyspace of 16 databases; NULL on failure. */
struct keyspace *read_bytes(const char *p, size_t n, const struct rdb_read_opts *o, struct rdb_read_result *r, struct err *e);

/* "REDIS0010" + body + EOF without a checksum; body is n bytes. */
struct keyspace *read_body(const char *body, size_t n, struct rdb_read_result *r, struct err *e);

#endif
