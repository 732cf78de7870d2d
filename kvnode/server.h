/* struct server: one node, all its rooms wired together, and the fixed order of work in one
 * turn: requests -> writes' feed -> tracking invalidations -> replies leave -> housekeeping.
 *
 * Rooms keep their state behind their own pointer here; a room's x_init(srv) makes it and
 * x_fini(srv) releases it, called in server.c in the order of the fields. */
#ifndef KV_SERVER_H
#define KV_SERVER_H

#include "common/base/rng.h"
#include "common/base/words.h"
#include "common/io/boot.h"
#include "common/io/http_server.h"
#include "common/io/loop.h"
#include "common/io/pubsub.h"
#include "common/io/resp_server.h"
#include "common/io/signals.h"
#include "kvnode/client/client.h"
#include "kvnode/options.h"
#include "kvnode/slowlog.h"
#include "kvnode/store/keyspace.h"
#include "kvnode/store/watch.h"

struct role;         /* kvnode/role: primary, replica or fenced; may a write run now? */
struct history;      /* repl/history: replication ids and offsets */
struct backlog;      /* repl/backlog */
struct feed;         /* repl/feed: our replicas */
struct follow;       /* repl/follow: our primary */
struct handover;     /* repl/handover: FAILOVER */
struct ha;           /* ha/ha: the node's half of a formed group */
struct ha_repl;      /* ha/ha_repl: its epochs in the log and on the links of replication */
struct held;         /* client/held: replies that wait to be confirmed */
struct record;       /* disk/record: what this node must not forget about itself */
struct overlay;      /* overlay: settings that are not those of the file */
struct rewrite;      /* rewrite: CONFIG REWRITE beside the loop */
struct snapshot;     /* disk/snapshot: SAVE, BGSAVE, save points */
struct tracking;     /* client/tracking */
struct txn_watch;    /* client/txn: who watches which key */

/* Set by disk/load (or repl/follow) while a data set is being read. */
struct loading {
    bool on;
    bool serve;                    /* the old data set is still served meanwhile (loading off to the side) */
    int64_t started_at_ms;         /* wall clock */
    uint64_t total_bytes, done_bytes;      /* total 0: not known */
    uint64_t keys;
};

struct command_stat {
    uint64_t calls, us, rejected, failed;
};

#define COMMAND_STATS 1024       /* places; more than there are commands */

struct server {
    struct kv_options opt;
    struct boot boot;
    struct loop *loop;
    struct command_table commands;
    struct resp_server resp;
    struct pubsub pubsub;
    struct http_server *http;
    struct rng rng;
    char run_id[ID_MAX];
    int64_t started_at_ms;         /* boot clock */

    struct keyspace *ks;
    struct watch watch;
    struct watcher watcher;        /* server.c's own: expiry -> DEL to replicas, event */
    struct txn_watch *txn_watch;
    struct tracking *tracking;

    struct record *record;
    struct overlay *overlay;
    struct rewrite *rewrite;
    struct role *role;
    struct history *history;
    struct backlog *backlog;
    struct feed *feed;
    struct follow *follow;
    struct handover *handover;
    struct ha *ha;
    struct ha_repl *ha_repl;
    struct held *held;
    bool ha_bound;                 /* bound to a formed group, or waiting for one: the one flag that commands look at */
    _Atomic int64_t turned_us;     /* boot clock: when the main thread last began something (control thread: is it stuck?) */
    struct snapshot *snapshot;
    struct loading loading;

    struct client *primary_client; /* the stream's pseudo client, made by repl/follow, or NULL */

    /* The command that is running (call.c). */
    struct {
        struct client *client;
        const struct command *cmd;
        bool replaced;             /* it has said itself what goes to the replicas */
        bool also;
        bool in_exec;              /* between the first and the last command of an EXEC */
        bool exec_opened;          /* MULTI has gone to the replicas */
        int  exec_db;
        unsigned depth;
    } now;

    struct first_write {           /* what an EXEC wrote first, until it is known whether there is more */
        bool kept;
        int db, argc;
        struct slice *argv;        /* into bytes */
        struct buf bytes;
    } first;

    /* statistics */
    int64_t stat_since_ms;
    struct { const struct command *cmd; struct command_stat st; } stats[COMMAND_STATS];    /* by address (call_stat) */
    struct dict error_stats;       /* code -> count in v.u */
    uint64_t stat_commands_us;
    struct { int64_t at_ms; uint64_t commands, in, out; int64_t ops; double kbps_in, kbps_out; } rate;
    struct resp_server_stats base; /* counters at the last CONFIG RESETSTAT */
    size_t   mem_at_start;
    struct slowlog slowlog;
    struct list_link monitors;     /* struct client, by monitor_link */

    struct timer tick;             /* 10 a second: expiry, housekeeping, rates, save points */
    struct timer expire_timer;
    struct loop_hook turn;
    struct signal_watch on_term, on_int, on_hup;
    struct { int64_t port; char *bind; } listening;
    bool active_expire;            /* DEBUG SET-ACTIVE-EXPIRE */
    bool paused_cron;              /* DEBUG PAUSE-CRON */
    /* A shutdown that waits for replicas. */
    struct { bool on, handing_over; int flags; int64_t until_ms; struct timer timer; } stopping;
    bool ready;                    /* loaded, listening: said so once */
    bool over;                     /* the last save is made, the process ends with this turn: nothing changes the data or the log any more */
};

/* main's three calls. server_init: options are already set (boot). */
int  server_init(struct server *srv, struct err *e);      /* listens, makes the rooms, loads the data set */
int  server_run(struct server *srv);                      /* until shutdown; the exit code */
void server_fini(struct server *srv);

/* Options changed (CONFIG SET, all applied): carry them into the rooms. */
int  server_apply_options(struct server *srv, struct err *e);

enum shutdown_flag { SHUTDOWN_SAVE = 1, SHUTDOWN_NOSAVE = 2, SHUTDOWN_NOW = 4, SHUTDOWN_FORCE = 8 };
/* Save as asked (or as the save points say), then stop the loop. ERR_*: it cannot, and why; the server goes on. */
/* Waits (in later turns) for replicas to catch up first, unless NOW; `who` (may be NULL) is then held. */
int  server_shutdown(struct server *srv, int flags, struct session *who, struct err *e);
bool server_shutdown_abort(struct server *srv);            /* false: none was under way */

/* Wall clock and boot clock of this turn. */
static inline int64_t server_wall_ms(const struct server *srv) { return loop_wall_ms(srv->loop); }
static inline int64_t server_now_ms(const struct server *srv) { return loop_now_ms(srv->loop); }
/* Tell systemd and the log once: listening, role known, data loaded. */
void server_ready(struct server *srv);
void server_set_keepalive(struct server *srv);            /* of clients to come: as configured, or as the group wants it */
bool server_is_replica(const struct server *srv);         /* role says so: follows a primary */
void server_reset_stats(struct server *srv);
bool server_has_save_points(const struct server *srv);

#endif
