/* A session plus what data needs: database, transaction, watched keys, tracking. Also the
 * one client without a session: the stream of our primary. */
#ifndef KV_CLIENT_CLIENT_H
#define KV_CLIENT_CLIENT_H

#include "common/base/list.h"
#include "common/base/vec.h"
#include "common/io/session.h"

struct server;
struct feed_replica;        /* repl/feed: this client is a replica of ours */
struct tracked;

/* One queued command of a transaction; argv and its bytes are one allocation. */
struct queued {
    const struct command *cmd;
    int argc;
    struct slice *argv;
};

struct watched_key {
    struct list_link link;          /* among the watchers of that key */
    struct client *client;
    struct dict_entry *entry;
    bool was_gone;                  /* expired already when WATCH was given */
};

enum txn_state { TXN_NONE, TXN_QUEUEING, TXN_BROKEN };

struct client {
    struct server *srv;
    struct session *session;        /* NULL: is_primary */
    int db;
    uint64_t came_under;            /* epoch of the primary that we followed when it came; 0: we followed none */
    bool is_primary;                /* applies the primary's stream: nothing is refused, nothing is answered */
    bool in_exec;
    int ahead;                      /* requests whose keys have been brought near (client/ahead.c) */
    bool readonly_ok;               /* READONLY / READWRITE were said; no meaning outside of a cluster */
    /* MULTI */
    enum txn_state txn;
    VEC(struct queued) queue;
    size_t queue_bytes;
    uint32_t queue_flags;           /* enum command_flag of all queued ones together */
    VEC(struct watched_key *) watching;
    bool watch_broken;              /* a watched key changed: EXEC answers null */
    /* CLIENT TRACKING (client/tracking.c) */
    bool tracking, track_bcast, track_noloop, track_optin, track_optout, track_caching, track_broken;
    uint64_t track_redirect;        /* session id, 0 = itself */
    VEC(struct slice) track_prefixes;    /* each its own memory; any bytes */
    /* WAIT and replication */
    int64_t last_write_offset;      /* replication offset after its last write */
    struct feed_replica *replica;   /* NULL: an ordinary client */
    void *waiting;                  /* what holds it: WAIT's record; freed by its owner through waiting_gone */
    void (*waiting_gone)(struct client *c);
    /* replies that wait to be confirmed (client/held.c) */
    struct list_link held;          /* struct barrier, oldest first */
    unsigned nheld;
    bool held_stop;                 /* too much waits: its requests are held back */
    uint64_t owed_from;             /* number of the byte of its output where an answer is owed (held_owes); STREAM_ALL: none */
    /* MONITOR */
    struct list_link monitor_link;
    /* SHUTDOWN that waits for replicas */
    bool shutdown_waiting;
};

struct client *client_new(struct server *srv, struct session *s);
void client_free(struct client *c);                  /* leaves every list it is in */
static inline struct client *client_of(const struct session *s) { return s->user; }
/* It came before this node of a formed group began to follow its present primary: a write of it is refused once,
 * then it is closed, so that it looks for the primary anew. */
bool client_is_left_over(const struct client *c);
void client_reset(struct client *c);                 /* RESET: db 0, no transaction, no watch, no tracking, no monitor */

/* What CLIENT LIST shows of it (session_facts_hook). */
void client_facts(const struct session *s, struct session_facts *f);

#endif
