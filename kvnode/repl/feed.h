/* The primary's side (and that of a replica which has replicas): attach by full or partial
 * sync, stream, collect acknowledgements, gate writes by how many good replicas there are,
 * WAIT. On a replica the stream is the primary's, byte for byte, with its offsets. */
#ifndef KV_REPL_FEED_H
#define KV_REPL_FEED_H

#include "common/base/str.h"
#include "kvnode/repl/backlog.h"
#include "kvnode/repl/history.h"

#include <stdbool.h>
#include <stdint.h>

struct server;
struct session;
struct call;
struct feed;

struct feed *feed_new(struct server *s);
void feed_free(struct feed *f);

struct history *feed_history(struct feed *f);
struct backlog *feed_backlog(struct feed *f);
int64_t feed_offset(const struct feed *f);

/* --- the stream --- */

/* A write that was done here, in database db (-1: in whichever the stream is in). SELECT is put in front when the database changed.
 * Does nothing when nobody listens and no backlog is kept, or when we are a replica. */
void feed_command(struct feed *f, int db, int argc, const struct slice *argv);
/* MULTI ... EXEC around what a transaction did: between the two, feed_command is as always. */
void feed_begin(struct feed *f, int db);
void feed_commit(struct feed *f, int db);
/* Replica: bytes of our primary's stream, applied; passed on as they are. */
void feed_verbatim(struct feed *f, const void *p, size_t n);

/* --- roles --- */

void feed_shift_id(struct feed *f);                      /* promoted: new id, old one kept as id2 */
void feed_new_history(struct feed *f, const char id[ID_MAX], int64_t offset);   /* full sync: replicas are dropped */
void feed_continue_as(struct feed *f, const char id[ID_MAX]);                   /* partial sync under a new id: replicas are dropped to learn it */
void feed_drop_replicas(struct feed *f, const char *why);
void feed_ensure_backlog(struct feed *f);
void feed_set_stream_db(struct feed *f, int db);
int  feed_stream_db(const struct feed *f);

/* --- replicas --- */

void feed_psync(struct feed *f, struct call *c);         /* PSYNC id offset */
void feed_sync(struct feed *f, struct call *c);          /* SYNC */
void feed_replconf(struct feed *f, struct call *c);      /* REPLCONF of one who is, or wants to be, a replica */
void feed_gone(struct feed *f, struct session *se);      /* hooks.gone; fine for sessions that are no replica */
size_t feed_replicas(const struct feed *f);
size_t feed_good_replicas(const struct feed *f);         /* online, lag within min-replicas-max-lag */
size_t feed_acked(const struct feed *f, int64_t offset);
bool   feed_refuses_writes(const struct feed *f);        /* min-replicas-to-write is not met */
size_t feed_replica_memory(const struct feed *f);

/* WAIT numreplicas timeout: answers now or later. */
void feed_wait(struct feed *f, struct call *c);

void feed_tick(struct feed *f, int64_t now_ms);          /* about ten times a second: pings, timeouts, backlog ttl */

/* "# Replication" lines of INFO, ROLE's answer, for both roles. */
void replication_info(struct server *s, struct str *out);
void replication_role(struct server *s, struct call *c);

#endif
