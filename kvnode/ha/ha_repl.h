/* Replication of a formed group: what a member's orders mean for the log and its links, and
 * what the links of replication tell the member. Around feed (our replicas) and follow (our
 * primary), which know nothing of groups but ask here.
 *
 * On the wire:
 *     replica:  REPLCONF ha-member <id> <life>          to every primary; a stock one answers with an error, and that is fine
 *     primary:  +HA <id> <ha-port> [<line>]             line: its HA_STREAM (common/text/ha_text.h), when it is the primary of an epoch
 * then PSYNC as always. A primary that begins an epoch closes the links of its replicas: they come back, greet and hear
 * its HA_STREAM. The epoch's marker is a command in the stream, `HA MARKER <gid> <epoch> <incarnation>`: with it an epoch
 * begins in the table (epoch, first offset) that the data carries (disk/record.h; in an RDB the aux field
 * `kvorum-epochs`). A replica of an epoch acknowledges at the end of every turn in which it applied something. Renewals
 * (HA_RENEW, HA_LEASE) do not travel here: a replica holds a control connection to its primary (control.h). */
#ifndef KV_HA_HA_REPL_H
#define KV_HA_HA_REPL_H

#include "common/base/err.h"
#include "common/base/ha.h"
#include "common/base/str.h"

struct server;
struct client;
struct call;
struct str;

void ha_repl_init(struct server *srv);
void ha_repl_fini(struct server *srv);

/* --- orders of the member ---------------------------------------------------------------- */
void ha_repl_lead(struct server *srv, uint64_t epoch);                     /* MO_LEAD: marker; replicas come back */
void ha_repl_follow(struct server *srv, const struct addr *to, uint64_t epoch);   /* MO_FOLLOW; the same address again: nothing */
void ha_repl_fence(struct server *srv);                                    /* MO_FENCE: follow nobody, feed nobody, the log is frozen */
void ha_repl_fetch(struct server *srv, const struct addr *from, struct ha_position upto);  /* MO_FETCH; ME_FETCHED says how it went */
void ha_repl_save_tail(struct server *srv);                                /* MO_SAVE_TAIL: what the next full copy drops goes to a file (repl/tail) */
void ha_repl_released(struct server *srv);                                 /* MO_RELEASED */

/* --- the log ------------------------------------------------------------------------------- */
struct ha_position ha_repl_end(const struct server *srv);                  /* epoch of the last entry (0: before any), offset */

/* --- asked by feed, follow and the snapshot ------------------------------------------------- */
/* REPLCONF ha-member: answers. */
void ha_repl_greeted(struct call *c, const char *id, uint64_t life);
/* Primary's answer to it; ERR_REFUSED: this stream may not be taken. */
int  ha_repl_answered(struct server *srv, struct slice line, struct err *e);
void ha_repl_acked(struct client *replica, int64_t offset);
void ha_repl_gone(struct client *replica);                                 /* its link ended */
void ha_repl_link_down(struct server *srv);                                /* ours to the primary */
bool ha_repl_may_full_copy(struct server *srv, struct err *e);             /* a full copy is about to replace the data: new life, on disk */
void ha_repl_synced(struct server *srv, bool full);                        /* the stream goes on from here: ME_LOG, ME_FOLLOWS */
void ha_repl_marker(struct call *c);                                       /* HA MARKER came down the stream */
void ha_repl_save_aux(const struct server *srv, struct str *out);          /* the table as text for an RDB; empty: none */
void ha_repl_load_aux(struct server *srv, struct slice text);              /* ... of the data that took the place of ours */
bool ha_repl_acks_each_turn(const struct server *srv);

#endif
