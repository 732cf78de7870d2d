/* What feed.c and feed_attach.c share; nobody else includes it, but report, handover and ha_repl read it. */
#ifndef KV_REPL_FEED_INSIDE_H
#define KV_REPL_FEED_INSIDE_H

#include "common/base/addr.h"
#include "common/io/loop.h"
#include "kvnode/repl/feed.h"

/* What REPLCONF ha-member said, and what it was answered (ha/ha_repl.h). */
struct feed_greeted {
    bool yes;
    char id[ID_MAX];
    uint64_t life, gid, epoch;     /* epoch: of the last entry of its log */
    uint64_t fetch_ballot;         /* it wants a sealed node's tail; 0 = our stream */
    uint64_t told;                 /* our epoch as it was told; 0 = none */
    uint64_t link;                 /* its number for the member; 0 = it has none */
};

enum feed_state {
    FEED_NEW,              /* has said REPLCONF, has not asked for data */
    FEED_WAIT_FORK,        /* a full copy is wanted, the snapshot for it has not begun */
    FEED_WAIT_FILE,        /* the snapshot is being written; `pending` gathers the stream since */
    FEED_SENDING,          /* the file is being sent */
    FEED_ONLINE
};

struct feed_replica {
    struct list_link link;         /* in feed.replicas, from FEED_WAIT_FORK on */
    struct client *client;
    enum feed_state state;
    char peer_ip[ADDR_HOST_MAX];
    char announced_ip[ADDR_HOST_MAX];
    int64_t listening_port;
    bool psync2;                   /* understands "+CONTINUE id" */
    bool silent;                   /* came with SYNC: gives no acknowledgements */
    bool rdb_only;
    struct feed_greeted ha;
    int64_t acked;                 /* offset it has told */
    int64_t acked_at_ms;
    struct buf pending;            /* stream to be sent behind the file */
    int64_t pending_over_since_ms; /* soft limit */
    int fd;                        /* the file, or -1 */
    uint64_t file_left;
    int64_t moved_at_ms;           /* when its socket last took bytes */
    uint64_t moved_bytes;
};

struct feed {
    struct server *srv;
    struct history history;
    struct backlog backlog;
    bool restored;                 /* history came from a file */
    int stream_db;
    struct list_link replicas;
    size_t nreplicas;
    struct buf scratch;
    struct loop_hook turn;
    bool want_acks;
    int64_t asked_from, asked_to;  /* the last GETACK in the stream: the offsets before and behind it */
    bool fork_ours;                /* the running snapshot was made for replicas */
    bool fork_foreign;             /* the running snapshot is of data we have since replaced */
    int64_t last_ping_at_ms;
    int64_t last_newline_at_ms;
    int64_t alone_since_ms;        /* no replicas since: for repl-backlog-ttl */
    size_t good_told;              /* what the role was told last */
    struct feed_stats stats;
};

const char *feed_replica_name(const struct feed_replica *r, char out[ADDR_TEXT_MAX]);
void feed_replica_addr(const struct feed_replica *r, char ip[ADDR_HOST_MAX], int64_t *port);
void feed_tell_good(struct feed *f);
void feed_online(struct feed *f, struct feed_replica *r);
void feed_pump(struct feed *f);                    /* files that are being sent */
void feed_start_snapshot(struct feed *f);          /* for those in FEED_WAIT_FORK, if none runs */
void feed_snapshot_done(void *arg, const char *path, const struct err *e);
void feed_drop(struct feed *f, struct feed_replica *r, const char *why);
/* It has acknowledged everything. A replica of Redis answers GETACK with where it stood before it: when nothing
 * came behind the last one, having had everything before it is all. */
bool feed_has_all(const struct feed *f, const struct feed_replica *r);
struct buf *feed_replica_out(const struct feed_replica *r);

#endif
