/* What this node must not forget about itself: who it is, which memory it is, to which group
 * it is bound, below what it is sealed. Durable before anything that rests on it is said.
 *
 * Two homes. With `state-dir`: that folder, made at the start. Without it: the folder
 * <dbfilename>.record beside the data file, made by the first save of a node that is bound; a
 * plain node writes nothing, and its id and life are new in each process, which is harmless then.
 *
 * A life ends when a process cannot prove that it still has everything it acknowledged. What
 * proves it is a *farewell*: at a clean stop, after the data file was written, the place in
 * the stream that it holds. The next process takes the farewell away before it does anything
 * else; record_prove compares it with what was loaded. No farewell, another place, a copied
 * folder: a new life. */
#ifndef KV_DISK_RECORD_H
#define KV_DISK_RECORD_H

#include "common/base/err.h"
#include "common/io/loop.h"
#include "kvnode/role/member.h"

#include <stdbool.h>

struct record;

/* One line of the table that the data carries: epoch `epoch` begins at offset `first`. */
struct record_epoch {
    uint64_t epoch;
    int64_t first;
};
#define RECORD_EPOCHS_MAX 1024             /* the oldest go first */

/* dir: the folder itself. always: make it now (state-dir); else only a save of a bound node does.
 * ERR_BUSY, ERR_VERIFY, ERR_FORMAT, ERR_SYS: it cannot be used; the node must not start then. */
int  record_load(const char *dir, bool always, struct record **out, struct err *e);
void record_free(struct record *r);

const struct member_facts *record_facts(const struct record *r);
/* Durable when it returns 0. After a failure the next call writes everything anew. */
int  record_save(struct record *r, const struct member_facts *f, struct err *e);

/* The data set was read: `id` and `offset` are the place in the stream that it holds, has = false: there was no file,
 * or it says none. true: this memory is whole and the life goes on. false: a new life has been made, and is durable
 * (or *e says why not: then this node must answer nobody). Once, before anything else is said. */
bool record_prove(struct record *r, bool has, const char *id, int64_t offset, struct err *e);
/* A clean stop: the data file on disk holds exactly this place. */
int  record_farewell(struct record *r, const char *id, int64_t offset, struct err *e);

/* The table, oldest first, rising in both columns; a copy of what stands beside the data (repl/epochs.h), which is what
 * counts. Written while the loop goes on; what becomes of it is in the log, and in record_trouble. */
const struct record_epoch *record_epochs(const struct record *r, size_t *n);
void record_set_epochs(struct record *r, const struct record_epoch *at, size_t n, struct loop *loop);

/* CONFIG REWRITE with state-dir: lines that are read after the configuration file. NULL: there are none. */
const char *record_overlay(const struct record *r);
/* Written while the loop goes on. 0: done is called in a later turn, with 0 when it is durable (never after record_free);
 * else it cannot be written, and done is not called. */
typedef void record_done_fn(void *arg, int rc, const struct err *e);
int  record_set_overlay(struct record *r, const char *text, struct loop *loop, record_done_fn *done, void *arg, struct err *e);

const char *record_trouble(const struct record *r);        /* why the last save failed; NULL = it worked */
uint64_t record_random(void);                              /* for lives and incarnations: never 0 */

#endif
