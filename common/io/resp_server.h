/* RESP clients of a daemon: accept, parse, look up, check arity, call, reply.
 * One struct resp_server per daemon (any number of listeners), one struct session
 * (session.h) per client. Requests of a client run in order; replies of one turn
 * leave in one write.
 *
 * A command may be answered later: session_hold() stops this client's further requests
 * until session_release(). Bytes may be appended to a client's output at any time
 * (session_reply). */
#ifndef KV_IO_RESP_SERVER_H
#define KV_IO_RESP_SERVER_H

#include "common/base/list.h"
#include "common/io/listen.h"
#include "common/io/stream.h"
#include "common/text/command.h"
#include "common/text/resp_request.h"

#include <stdbool.h>
#include <stdint.h>

struct session;
struct resp_server;
struct pubsub;
struct acl;
struct acl_log;

struct resp_server_hooks {
    /* A client came: make user data; NULL error = accept. Refusal text ("ERR max number of clients reached")
     * is sent and the connection closed. May be NULL. */
    const char *(*admit)(struct resp_server *srv, struct session *s);
    /* Runs one request for which the row was found and the arity is right. The default (NULL):
     * authentication check, pub/sub-mode check, then cmd->run. kvnode's `call` goes here. */
    void (*run)(struct call *c);
    /* Unknown command (s->last_row is NULL then) or wrong arity: was answered with this error (kvnode: flags MULTI as
     * broken). May be NULL. */
    void (*rejected)(struct session *s, const char *error);
    /* The client is going: release what belongs to it. May be NULL. */
    void (*gone)(struct session *s);
    /* Every error reply's code ("ERR", "WRONGTYPE"), for statistics. May be NULL. */
    void (*error_seen)(struct resp_server *srv, const char *code, size_t n);
    /* Would this request write? Asked during CLIENT PAUSE WRITE. May be NULL: then the row's flags say it
     * (CMD_WRITE, CMD_MAY_REPLICATE). kvnode answers for EXEC. */
    bool (*is_write)(struct session *s, const struct command *cmd);
    /* CLIENT KILL by address, or TYPE master (addr.p NULL then, if no address was given): close a link that the
     * daemon itself has opened, if it is meant. How many were. May be NULL. */
    int (*kill_link)(struct resp_server *srv, struct slice addr);
};

struct resp_server_stats {
    uint64_t connections;        /* accepted ever */
    uint64_t rejected;
    uint64_t commands;
    uint64_t error_replies;
    uint64_t bytes_in, bytes_out;
};

struct resp_server {
    struct loop *loop;
    const struct command_table *commands;
    struct resp_server_hooks hooks;
    void *owner;                         /* the daemon */
    struct pubsub *pubsub;               /* may be NULL: no SUBSCRIBE here */
    /* settings, changeable at any time */
    int64_t max_clients;                 /* default 10000 */
    int64_t idle_timeout_ms;             /* 0 = never; not for subscribers and marked sessions */
    int     keepalive_s;                 /* default 300; 0 = off */
    size_t  query_max_bytes;             /* client-query-buffer-limit, default 1 GiB */
    struct { size_t hard, soft; int64_t soft_ms; } out_limit[3];   /* by enum session_class; 0 = none */
    int64_t proto_max_bulk;              /* default 512 MiB */
    bool    protected_mode;              /* refuse non-loopback clients while no password is set (as Redis 7: whatever bind says) */
    char   *password;                    /* requirepass of the default user, or NULL; server owns (mem_*) */
    struct acl *acl;                     /* users; begins with "default", who may do everything */
    struct acl_log *acl_log;
    const char *acl_file;                /* aclfile: ACL LOAD and SAVE; borrowed, NULL = none */
    /* how it introduces itself */
    const char *server_name;             /* HELLO "server": "redis" */
    const char *mode;                    /* HELLO "mode": "standalone", "sentinel" */
    const char *(*role)(struct resp_server *srv);    /* HELLO "role"; NULL = not sent */
    /* who is there */
    struct list_link sessions;           /* struct session, by link */
    size_t nsessions;
    uint64_t next_id;
    struct resp_server_stats stats;
    /* private */
    struct list_link listeners;
    struct loop_hook turn;
    struct timer sweep, kick, pause_end;
    struct list_link ready;              /* sessions with requests to run in the next turn */
    struct list_link waiting;            /* sessions whose next request waits for the end of a pause */
    size_t nwaiting;                     /* (counted in INFO's blocked_clients) */
    struct list_link doomed;             /* over their output limit: closed at the end of the turn */
    struct buf sink;                     /* where replies for the doomed go */
    struct dict by_id;
    int64_t paused_until_ms;             /* CLIENT PAUSE */
    bool    pause_writes_only;
};

void resp_server_init(struct resp_server *srv, struct loop *l, const struct command_table *commands,
                      const struct resp_server_hooks *hooks, void *owner);
void resp_server_fini(struct resp_server *srv);
int  resp_server_listen(struct resp_server *srv, const char *host, uint16_t port, int backlog, struct err *e);
int  resp_server_listen_unix(struct resp_server *srv, const char *path, unsigned mode, struct err *e);
void resp_server_stop_listening(struct resp_server *srv);
/* A client that came in another way (fd is taken). */
struct session *resp_server_adopt(struct resp_server *srv, int fd, const struct addr *peer, bool is_unix);
/* The default of hooks.run, for daemons that want to do something around it. Returns false
 * (and has answered) when the client may not: NOAUTH, or not allowed with subscriptions. */
bool resp_server_may_run(struct call *c);

/* CLIENT PAUSE: requests wait (all, or those that session_is_write says) until then. */
void resp_server_pause(struct resp_server *srv, int64_t until_ms, bool writes_only);
void resp_server_unpause(struct resp_server *srv);
bool resp_server_is_paused(const struct resp_server *srv);

/* The port of the first TCP listener (the real one when 0 was asked for), 0 if there is none. */
uint16_t resp_server_port(const struct resp_server *srv);
/* requirepass: NULL or "" = none. Copies. The default user gets it instead of those it has. */
void resp_server_set_password(struct resp_server *srv, const char *password);

#endif
