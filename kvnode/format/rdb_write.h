/* A keyspace as bytes: RDB version 10, as redis-server 7.0 and redis-check-rdb read it.
 * Where the bytes go is a function's business; no file and no clock here. */
#ifndef KV_FORMAT_RDB_WRITE_H
#define KV_FORMAT_RDB_WRITE_H

#include "common/base/err.h"
#include "common/base/words.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct keyspace;

/* Takes all n bytes or fails. Called with pieces of some 64 KiB. */
struct rdb_sink {
    int (*put)(void *arg, const void *p, size_t n, struct err *e);
    void *arg;
};

/* What stands beside the data: written as AUX fields, found again by rdb_read. */
struct rdb_facts {
    int64_t made_at_s;             /* wall clock, seconds; 0 = unknown */
    int64_t used_bytes;            /* memory of the writer; 0 = unknown */
    char version[32];              /* "redis-ver" */
    bool has_history;              /* the next three are meant */
    char repl_id[ID_MAX];
    int64_t repl_offset;
    int stream_db;                 /* database the replication stream was in; -1 = none yet */
    char repl_id2[ID_MAX];         /* the history before, "" = none: */
    int64_t repl_until;            /* ... good for offsets below this one */
};

struct rdb_write_opts {
    struct rdb_facts facts;
    const char *epochs;            /* AUX "kvorum-epochs": where each epoch of a formed group begins; NULL: none */
    bool compress;                 /* LZF for strings above 20 bytes that get shorter */
    bool checksum;                 /* CRC64 at the end; zero otherwise, which readers take as "do not check" */
    /* Called after each key with the count so far; may be NULL. */
    void (*progress)(void *arg, uint64_t keys);
    void *progress_arg;
};

/* Every key of every database, expired ones included (the reader decides). */
int rdb_write(struct keyspace *ks, const struct rdb_write_opts *o, const struct rdb_sink *sink, struct err *e);

#endif
