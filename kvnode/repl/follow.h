/* The replica's side: connect, greet, partial or full sync, load, apply, acknowledge. A
 * sync that fails half-way leaves the data as it was. A command in the stream that we do not
 * know, or that fails here, stops us aloud: the link goes down, the reason stands in INFO and
 * in the log, and only a new REPLICAOF or a full sync gets it going again. */
#ifndef KV_REPL_FOLLOW_H
#define KV_REPL_FOLLOW_H

#include "common/base/addr.h"
#include "common/base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct server;
struct follow;

enum follow_state {
    FOLLOW_NONE,               /* nobody: we are a primary */
    FOLLOW_CONNECT,            /* waiting for the next try */
    FOLLOW_CONNECTING,         /* name look-up, TCP connect */
    FOLLOW_HANDSHAKE,          /* PING, AUTH, REPLCONF, PSYNC */
    FOLLOW_TRANSFER,           /* full sync: bytes come in and are loaded */
    FOLLOW_CONNECTED,          /* applying the stream */
    FOLLOW_STOPPED             /* a command of the stream could not be applied */
};

struct follow *follow_new(struct server *s);
void follow_free(struct follow *f);

/* REPLICAOF host port. Same address again: no change (unless stopped). Connects in this turn. */
void follow_to(struct follow *f, const struct addr *primary);
/* REPLICAOF NO ONE: drop the link, forget the primary; what was applied stays. */
void follow_nobody(struct follow *f);
void follow_drop_link(struct follow *f, const char *why);        /* reconnects at once */

enum follow_state follow_state(const struct follow *f);
const char *follow_state_name(enum follow_state st);             /* as ROLE says it: connect, connecting, sync, connected */
bool follow_link_up(const struct follow *f);
bool follow_is_following(const struct follow *f);                /* we are a replica */
const struct addr *follow_primary(const struct follow *f);
int64_t follow_link_down_since_ms(const struct follow *f);       /* -1 while up; boot clock */
const char *follow_stopped_why(const struct follow *f);          /* "" unless stopped */
bool follow_loading(const struct follow *f);                     /* a full sync is being loaded */

void follow_tick(struct follow *f, int64_t now_ms);              /* about ten times a second */

#endif
