/* What every RESP client is, in all three daemons: id, name, user, protocol; and the
 * commands that go with it: HELLO, AUTH, CLIENT, COMMAND, RESET, QUIT, PING, ECHO.
 * Daemons add session_commands to their table first, and may replace rows. */
#ifndef KV_IO_SESSION_H
#define KV_IO_SESSION_H

#include "common/io/resp_server.h"
#include "common/text/acl_lines.h"

enum session_class { SESSION_NORMAL, SESSION_REPLICA, SESSION_PUBSUB };

enum session_reply_mode { REPLY_ON, REPLY_OFF, REPLY_SKIP_NEXT, REPLY_SKIPPING };

struct session {
    struct list_link link;               /* in resp_server.sessions */
    struct resp_server *srv;
    struct stream *stream;
    struct resp_parser parser;
    struct reply reply;                  /* writes into stream_out */
    uint64_t id;
    char *name;                          /* CLIENT SETNAME, or NULL */
    char *lib_name, *lib_ver;            /* CLIENT SETINFO, or NULL */
    struct acl_user *acl_user;           /* whose rights it has */
    bool authenticated;                  /* it logged in, or needed not to when it came */
    bool no_evict, no_touch;
    int resp;                            /* 2 or 3 */
    int64_t created_at_ms, last_used_at_ms;    /* boot clock */
    const char *last_command;            /* name of the row (of the subcommand), static memory of the table */
    const struct command *last_row;
    enum session_class class;
    enum session_reply_mode reply_mode;
    unsigned held;                       /* > 0: no further requests run */
    bool closing;                        /* close when output has left, what waits to be allowed too */
    bool exempt_idle;                    /* never closed for idling (replicas, links of sentinels) */
    bool is_monitor;
    size_t nchannels, npatterns;         /* kept by pubsub */
    void *pubsub_data;                   /* pubsub's own */
    void *user;                          /* the daemon's own; set in hooks.admit */
    uint64_t ncommands;
    uint64_t request_at;                 /* number of the byte of its output (stream_out_end) with which the answer to its request begins */
    int64_t soft_over_since_ms;
    /* private */
    struct list_link turn_link;          /* in srv.ready, srv.waiting or srv.doomed */
    enum session_queue { SESSION_QUEUE_NONE, SESSION_QUEUE_READY, SESSION_QUEUE_WAITING, SESSION_QUEUE_DOOMED } queue;
    bool running;                        /* inside its own request */
    bool gone;                           /* closed, memory goes at the end of the turn */
    bool close_after_run;
    struct buf side;                     /* pushes that came while its own reply was being written */
    struct reply side_reply;
    uint64_t counted_in, counted_out;    /* bytes already in srv.stats */
};

extern const struct command session_commands[];
extern const size_t session_commands_n;
/* The subcommands of CLIENT, for a daemon that makes its own `client` row with more of them. */
extern const struct command session_client_subs[];
extern const size_t session_client_subs_n;

struct session *session_by_id(struct resp_server *srv, uint64_t id);
/* For writing outside of its own request (pushes, held replies): flushes at the end of the turn. While the
 * session runs a request of its own, what is written here follows that request's reply. */
struct reply *session_reply(struct session *s);
void session_hold(struct session *s);
void session_release(struct session *s);       /* runs what has piled up, in a later turn */
/* Both take effect after the request it is just running, if it is. */
void session_close(struct session *s);         /* now; deferred free */
void session_close_when_sent(struct session *s);
/* stream_allow for its output. A session that is closing goes when nothing waits any more: who keeps output back must
 * allow it, or give it up, within bounded time. */
void session_allow(struct session *s, uint64_t below);
/* What waits is not sent; this error line instead, then it closes. */
void session_give_up(struct session *s, const char *error);
bool session_has_password(const struct resp_server *srv);
/* It has not logged in, and must. */
bool session_is_guest(const struct session *s);
/* May the user of this session run this? false: it was answered (NOPERM) and noted in ACL LOG. */
bool session_acl_ok(struct call *c);
/* The same question for what was queued earlier: noted, not answered. */
enum acl_verdict session_acl_check(struct session *s, const struct command *cmd, int argc, const struct slice *argv);
/* ACL's subcommands, for a daemon that makes its own `acl` row. */
extern const struct command session_acl_subs[];
extern const size_t session_acl_subs_n;
/* Users from a configuration: from srv->acl_file, or else from `user` lines (both is an error). */
int  session_load_users(struct resp_server *srv, const struct acl_lines *l, struct err *e);
/* Just the default user, with all rights, and with what requirepass says for a password. */
bool session_users_are_plain(const struct resp_server *srv);
/* A `user ...` line for each, as CONFIG REWRITE writes them. */
void session_users_lines(const struct resp_server *srv, void (*line)(void *arg, const char *text), void *arg);

/* CLIENT LIST / INFO line. What only the daemon knows is asked for through this hook (set once). */
struct session_facts {
    int db, multi, ssub;                 /* 0, -1 (not in MULTI), 0 */
    int64_t redir;                       /* client tracking: -1 off, 0 to itself, else the id */
    size_t multi_bytes;
    bool in_exec;                        /* inside EXEC */
    char flags[16];                      /* further letters: x (multi), b (blocked), t (tracking), ... */
};
extern void (*session_facts_hook)(const struct session *s, struct session_facts *f);
void session_line(const struct session *s, struct str *out);
/* Or, simpler, text in the middle of the line: " db=0 multi=-1 ..."; then those two fields are its own. */
extern void (*session_line_extra)(const struct session *s, struct str *out);

/* RESET / new user: back to a fresh connection. hooks for daemons: called by RESET. */
extern void (*session_reset_hook)(struct session *s);

#endif
