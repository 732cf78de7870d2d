/* What every RESP client is, in all three daemons: id, name, user, protocol; and the
 * commands that go with it: HELLO, AUTH, CLIENT, COMMAND, RESET, QUIT, PING, ECHO.
 * Daemons add session_commands to their table first, and may replace rows. */
#ifndef KV_IO_SESSION_H
#define KV_IO_SESSION_H

#include "common/io/resp_server.h"

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
    const char *user_name;               /* "default" until ACL users exist */
    bool authenticated;
    bool no_evict, no_touch;
    int resp;                            /* 2 or 3 */
    int64_t created_at_ms, last_used_at_ms;    /* boot clock */
    const char *last_command;            /* full name, static memory of the table */
    enum session_class class;
    enum session_reply_mode reply_mode;
    unsigned held;                       /* > 0: no further requests run */
    bool closing;                        /* close when output has left */
    bool exempt_idle;                    /* never closed for idling (replicas, links of sentinels) */
    bool is_monitor;
    size_t nchannels, npatterns;         /* kept by pubsub */
    void *pubsub_data;                   /* pubsub's own */
    void *user;                          /* the daemon's own; set in hooks.admit */
    uint64_t ncommands;
    int64_t soft_over_since_ms;
};

extern const struct command session_commands[];
extern const size_t session_commands_n;

struct session *session_by_id(struct resp_server *srv, uint64_t id);
/* For writing outside of its own request (pushes, held replies): flushes at the end of the turn. */
struct reply *session_reply(struct session *s);
void session_hold(struct session *s);
void session_release(struct session *s);       /* runs what has piled up, in a later turn */
void session_close(struct session *s);         /* now; deferred free */
void session_close_when_sent(struct session *s);
bool session_has_password(const struct resp_server *srv);
/* CLIENT LIST / INFO line. `extra` (may be NULL) lets the daemon append fields (db=, multi=, ...). */
void session_line(const struct session *s, struct str *out);
extern void (*session_line_extra)(const struct session *s, struct str *out);   /* set once by the daemon: " db=0 multi=-1 watch=0" */

/* RESET / new user: back to a fresh connection. hooks for daemons: called by RESET. */
extern void (*session_reset_hook)(struct session *s);

#endif
