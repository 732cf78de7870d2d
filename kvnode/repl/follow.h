/* The replica's side: connect, greet, partial or full sync, load, apply, acknowledge. A
 * sync that fails half-way leaves the data as it was. A command in the stream that we do not
 * know, or that fails here, stops us aloud: the link goes down, the reason stands in INFO and
 * in the log, and only a new REPLICAOF gets it going again (the role is then STUCK). */
#ifndef KV_REPL_FOLLOW_H
#define KV_REPL_FOLLOW_H

#include "common/base/addr.h"
#include "common/base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct server;
struct follow;

enum follow_state {
    FOLLOW_NONE,               /* no link wanted now */
    FOLLOW_CONNECTING,         /* name look-up, TCP connect */
    FOLLOW_HANDSHAKE,          /* PING, AUTH, REPLCONF, PSYNC */
    FOLLOW_TRANSFER,           /* full sync: bytes come in and are loaded */
    FOLLOW_CONNECTED           /* applying the stream */
};

struct follow *follow_new(struct server *s);
void follow_free(struct follow *f);

/* Orders of the role. Whether and when to try again is the role's business; each link has its number, and
 * what happens to it is told with roles_tell. */
void follow_connect(struct follow *f, const struct addr *primary, uint64_t link);
void follow_drop(struct follow *f);
/* The tail of a sealed node's log, up to offset `upto`, by a partial sync; never a full copy. Not the role's business:
 * what comes of it is told with ha_repl_fetched. */
void follow_fetch(struct follow *f, const struct addr *from, int64_t upto);
void follow_ack_now(struct follow *f);                           /* REPLCONF ACK before its time; nothing while not connected */
/* REPLCONF ACK with the words of an epoch (ha/ha_repl.h), leaves in this turn. */
void follow_ack(struct follow *f, int64_t offset, uint64_t epoch, uint64_t life);
void follow_resume(struct follow *f);                            /* loading is over: connect if that waited for it */

/* CLIENT KILL: end the link if this is its address (addr.p NULL: whatever it is). It comes back soon. */
bool follow_kill(struct follow *f, struct slice addr);

enum follow_state follow_state(const struct follow *f);
const char *follow_state_word(const struct follow *f);           /* as ROLE says it: connect, connecting, sync, connected */
int64_t follow_last_io_at_ms(const struct follow *f);
const char *follow_why_down(const struct follow *f);             /* the last reason, "" while up */
bool follow_loading(const struct follow *f);                     /* a full copy comes in and is being loaded */
uint64_t follow_copy_bytes(const struct follow *f, uint64_t *total);   /* total 0: not known */

void follow_tick(struct follow *f, int64_t now_ms);              /* about ten times a second */
/* Options that speak of the link (masterauth, announcements) are read when it greets. */

#endif
