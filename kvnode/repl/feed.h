/* The primary's side (and that of a replica which has replicas): attach by full or partial
 * sync, stream, collect acknowledgements, WAIT. On a replica the stream is the primary's,
 * byte for byte, with its offsets. */
#ifndef KV_REPL_FEED_H
#define KV_REPL_FEED_H

#include "common/base/str.h"
#include "kvnode/repl/backlog.h"
#include "kvnode/repl/history.h"

#include <stdbool.h>
#include <stdint.h>

struct server;
struct client;
struct call;
struct feed;

struct feed *feed_new(struct server *s);
void feed_free(struct feed *f);

struct history *feed_history(struct feed *f);
struct backlog *feed_backlog(struct feed *f);
int64_t feed_offset(const struct feed *f);
/* Our offset says how far our data is: there is a backlog, or a file told us. */
bool feed_has_history(const struct feed *f);

/* --- the stream --- */

/* A write that was done here, in database db (-1: it does not matter in which). SELECT is put in front when
 * the database changed. Does nothing when nobody listens and no backlog is kept, or when we are a replica. */
void feed_command(struct feed *f, int db, int argc, const struct slice *argv);
/* MULTI and EXEC around what a transaction did: between the two, feed_command is as always. */
void feed_begin(struct feed *f, int db);
void feed_commit(struct feed *f, int db);
/* Replica: bytes of our primary's stream, applied; passed on as they are. */
void feed_verbatim(struct feed *f, const void *p, size_t n);
/* In which database the stream is; -1: nowhere yet, the next command is preceded by SELECT. */
int  feed_stream_db(const struct feed *f);
void feed_set_stream_db(struct feed *f, int db);

/* --- history, as the role or a file says --- */

void feed_shift_id(struct feed *f);                      /* promoted: a new id, the old one kept as id2 */
void feed_replace_history(struct feed *f, const char id[ID_MAX], int64_t offset);   /* a full copy took the place of our data */
/* After a restart: what our file belongs to. A replica goes on as that; a primary under a new id, so that replicas of then can continue. */
void feed_restore_history(struct feed *f, const char id[ID_MAX], int64_t offset, bool as_replica);
void feed_keep_backlog(struct feed *f);                  /* make one if there is none */
void feed_begin_history(struct feed *f, int64_t offset); /* what was written so far is nobody else's; bytes count from here */
void feed_settings(struct feed *f);                      /* repl-backlog-size and others changed */

/* --- replicas --- */

void feed_psync(struct feed *f, struct call *c);         /* PSYNC id offset */
void feed_sync(struct feed *f, struct call *c);          /* SYNC */
void feed_replconf(struct feed *f, struct call *c);      /* REPLCONF of one who is, or wants to be, a replica */
void feed_gone(struct feed *f, struct client *c);        /* the client is leaving; fine when it is no replica */
void feed_drop_replicas(struct feed *f, const char *why);
size_t feed_replicas(const struct feed *f);              /* attached, in any state */
bool   feed_wants_file(const struct feed *f);            /* a replica waits for the snapshot that is running */
size_t feed_good_replicas(const struct feed *f);         /* online, lag within min-replicas-max-lag */
bool   feed_refuses_writes(const struct feed *f);        /* min-replicas-to-write is not met */
size_t feed_acked(const struct feed *f, int64_t offset); /* online replicas that have acknowledged it */
size_t feed_memory(const struct feed *f);                /* output and waiting bytes of replicas, without the backlog */
void feed_log_lag(struct feed *f);                       /* at shutdown: who has not everything, and how many have */
void feed_ask_acks(struct feed *f);                      /* REPLCONF GETACK at the end of this turn */

struct feed_stats { uint64_t full, partial_ok, partial_err; };
void feed_reset_stats(struct feed *f);                      /* CONFIG RESETSTAT */
const struct feed_stats *feed_stats(const struct feed *f);   /* sync_full, sync_partial_ok, sync_partial_err */

void feed_tick(struct feed *f, int64_t now_ms);          /* about ten times a second: pings, timeouts, backlog ttl */

#endif
