/* An RDB, out of a file or as bytes from a link, becomes a *new* keyspace on a thread of its
 * own, while the loop goes on serving. The result is handed over in one piece by an event;
 * when anything is wrong there is no result, and what was there before is untouched. */
#ifndef KV_DISK_LOAD_H
#define KV_DISK_LOAD_H

#include "common/io/loop.h"
#include "kvnode/format/rdb_read.h"
#include "kvnode/store/keyspace.h"

struct load;

struct load_opts {
    bool verify;
    int64_t drop_expired_ms;       /* see rdb_read_opts; what is left out can be asked for with load_next_expired */
    int64_t bulk_max;
    int databases;
    struct store_limits limits;
    int key_delay_us;              /* key-load-delay, for tests: a pause before each key; 0 = none */
};

/* The end, once, from the loop. ks is the callee's, NULL when it failed (e says why). */
typedef void load_done_fn(void *arg, struct keyspace *ks, const struct rdb_read_result *r, const struct err *e);

/* ERR_SYS with sys_errno ENOENT: no such file, done is not called. */
int load_file(struct loop *l, const char *path, const struct load_opts *o, load_done_fn *done, void *arg,
              struct load **out, struct err *e);

/* The same, waiting for it (DEBUG RELOAD). */
int  load_file_now(const char *path, const struct load_opts *o, struct keyspace **ks, struct rdb_read_result *r,
                   struct err *e);

/* Bytes pushed by the caller. load_push takes what it has room for (some MiB) and returns how much that was;
 * room() is called when there is room again after it took less. load_eof: there will be no more; load_cut: the
 * transfer broke, the load fails with this sentence. */
struct load *load_bytes(struct loop *l, const struct load_opts *o, void (*room)(void *arg), load_done_fn *done,
                        void *arg);
size_t load_push(struct load *ld, const void *p, size_t n);
void load_eof(struct load *ld);
void load_cut(struct load *ld, const char *why);

/* Throw it away: done is not called, the thread ends by itself soon and frees what it made. */
void load_cancel(struct load *ld);

/* Inside done: the keys that were left out because of their deadline, one by one. *at starts as 0. */
bool load_next_expired(const struct load *ld, size_t *at, int *db, struct slice *key);

/* Inside done: the table of epochs that came with the data; empty: none. */
struct slice load_epochs(const struct load *ld);

uint64_t load_bytes_done(const struct load *ld);
uint64_t load_keys_done(const struct load *ld);
uint64_t load_bytes_total(const struct load *ld);    /* 0 = unknown */

/* Free a keyspace off the command thread. */
void load_discard(struct keyspace *ks);

#endif
