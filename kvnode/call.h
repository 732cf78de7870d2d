/* The one way a command runs: may it? -> run -> propagate -> count.
 *
 * Inside a command's run(): c->user is the struct client; arguments are views that are good
 * until it returns. What a write must do:
 *
 *     changed(c, key, EVENT_STRING, "set");     tell WATCH, tracking, keyspace events; dirty + 1
 *
 * If dirty grew while the command ran, the command itself goes to the replicas as it was sent,
 * unless it has said what goes there instead (call_replace, any number of times) or that
 * nothing does (call_replace_none). */
#ifndef KV_CALL_H
#define KV_CALL_H

#include "common/base/err.h"
#include "common/text/command.h"
#include "kvnode/client/client.h"

/* Keyspace event classes, as letters of notify-keyspace-events. */
enum event_class {
    EVENT_KEYSPACE = 1 << 0,    /* K */
    EVENT_KEYEVENT = 1 << 1,    /* E */
    EVENT_GENERIC  = 1 << 2,    /* g */
    EVENT_STRING   = 1 << 3,    /* $ */
    EVENT_LIST     = 1 << 4,    /* l */
    EVENT_SET      = 1 << 5,    /* s */
    EVENT_HASH     = 1 << 6,    /* h */
    EVENT_ZSET     = 1 << 7,    /* z */
    EVENT_EXPIRED  = 1 << 8,    /* x */
    EVENT_EVICTED  = 1 << 9,    /* e */
    EVENT_STREAM   = 1 << 10,   /* t */
    EVENT_KEYMISS  = 1 << 11,   /* m, not in A */
    EVENT_MODULE   = 1 << 12,   /* d */
    EVENT_NEW      = 1 << 13,   /* n, not in A */
    EVENT_ALL = EVENT_GENERIC | EVENT_STRING | EVENT_LIST | EVENT_SET | EVENT_HASH | EVENT_ZSET | EVENT_EXPIRED |
                EVENT_EVICTED | EVENT_STREAM | EVENT_MODULE
};

static inline struct client *call_client(const struct call *c) { return c->user; }
static inline struct server *call_server(const struct call *c) { return call_client(c)->srv; }
struct db *call_db(const struct call *c);

/* hooks.run of the RESP server: a request of a client. */
void call_request(struct call *c);

/* Run one command for a client outside of a request (the primary's stream, EXEC's queue). The answer goes to `r`.
 * ERR_UNKNOWN: no such command, ERR_FORMAT: wrong number of arguments; nothing has run then. */
int call_apply(struct client *cl, int argc, const struct slice *argv, struct reply *r, struct err *e);

/* Run this row, no questions asked (EXEC, and the two above). */
void call_execute(struct client *cl, const struct command *cmd, int argc, const struct slice *argv, struct reply *r);
struct command_stat *call_stat(struct server *srv, const struct command *cmd);

/* For commands. */
void changed(struct call *c, struct slice key, enum event_class class, const char *event);
void changed_in(struct call *c, int db, struct slice key, enum event_class class, const char *event);   /* another database */
void notify_event(struct server *srv, enum event_class class, const char *event, int db, struct slice key);  /* event only, no change */
void call_replace(struct call *c, int argc, const struct slice *argv);     /* goes to the replicas now, instead of the command */
void call_replace_none(struct call *c);
void call_also(struct call *c);                                             /* propagate as sent although nothing changed (PUBLISH) */

/* To replicas, whoever asks (expiry, flush by a timer): opens MULTI when inside EXEC. Does nothing on a replica. */
void call_feed(struct server *srv, int db, int argc, const struct slice *argv);
void call_end_exec(struct server *srv, int db);        /* EXEC's last command has run */

/* Error texts. */
#define TEXT_WRONGTYPE "WRONGTYPE Operation against a key holding the wrong kind of value"
#define TEXT_SYNTAX    "ERR syntax error"
#define TEXT_NOT_INT   "ERR value is not an integer or out of range"
#define TEXT_NOT_FLOAT "ERR value is not a valid float"
#define TEXT_NO_KEY    "ERR no such key"
#define TEXT_LOADING   "LOADING Redis is loading the dataset in memory"

#endif
