/* The dataset on disk: SAVE in this thread, BGSAVE in a forked child, save points. A file
 * appears whole or not at all (temp-<pid>.rdb, fsync, rename, fsync of the folder). */
#ifndef KV_DISK_SNAPSHOT_H
#define KV_DISK_SNAPSHOT_H

#include "common/base/err.h"
#include "common/base/str.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct server;
struct snapshot;

struct snapshot *snapshot_new(struct server *s);
void snapshot_free(struct snapshot *sn);         /* kills a running child and removes its file */

int  snapshot_save(struct snapshot *sn, struct err *e);                 /* blocks; ERR_BUSY while a child runs */
int  snapshot_start(struct snapshot *sn, struct err *e);                /* ERR_BUSY while a child runs, or while loading */
void snapshot_schedule(struct snapshot *sn);                            /* BGSAVE SCHEDULE: as soon as may be */
bool snapshot_running(const struct snapshot *sn);
/* The replication offset at which the running child was forked. */
int64_t snapshot_fork_offset(const struct snapshot *sn);
void snapshot_kill(struct snapshot *sn);                                /* its result is not wanted */
/* The same, and nobody waits for its end: from here on no child runs, and the killed one can put no file in place. */
void snapshot_abandon(struct snapshot *sn);
/* FLUSHALL: what a running child saves is no longer meant (but replicas that wait for it get it); with save points an
 * empty file is made soon. */
void snapshot_flushed(struct snapshot *sn);

/* Call about ten times a second: save points, scheduled saves, retries after a failure (5 s apart). */
void snapshot_tick(struct snapshot *sn, int64_t now_ms);

/* Changes (keyspace.dirty) since the last good save. */
uint64_t snapshot_dirty(const struct snapshot *sn);
int64_t snapshot_last_good_s(const struct snapshot *sn);                /* LASTSAVE, wall seconds */
/* The dataset was replaced by what a file or link said: count from there. */
void snapshot_reset_dirty(struct snapshot *sn);
/* stop-writes-on-bgsave-error: save points are set and the last background save failed. */
bool snapshot_refuses_writes(const struct snapshot *sn);

/* Whoever waits for the present or next child's end (replicas to be fed). Called once per child:
 * path = the finished file, still open-able; e = NULL when it is good. */
typedef void snapshot_done_fn(void *arg, const char *path, const struct err *e);
void snapshot_on_done(struct snapshot *sn, snapshot_done_fn *fn, void *arg);

/* What a load found, for INFO. */
void snapshot_loaded(struct snapshot *sn, uint64_t keys, uint64_t expired);
uint64_t snapshot_forks(const struct snapshot *sn);                     /* total_forks */
int64_t snapshot_last_fork_us(const struct snapshot *sn);               /* latest_fork_usec */

/* "# Persistence" lines of INFO, loading included, without the headline. */
void snapshot_info(const struct snapshot *sn, struct str *out);

#endif
