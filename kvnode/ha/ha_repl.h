/* Replication of a formed group: what a member's orders mean for the log and its links, and
 * what the links of replication tell the member. Around feed (our replicas) and follow (our
 * primary), which know nothing of groups but ask here.
 *
 * On the wire:
 *     replica:  REPLCONF ha-member <id> <life> <gid> <epoch> <ballot>
 *                   to every primary; a stock one answers with an error, and that is fine. gid: its group, 0 = none;
 *                   epoch: of the last entry of its log in that group (its offset is in PSYNC), 0 = it has none; ballot:
 *                   0, or that of the FETCH for which it wants the tail of a sealed node
 *     primary:  +HA <id> <ha-port> [<line>]
 *                   line: its HA_STREAM (common/text/ha_text.h), when it is the primary of an epoch
 *                   A sealed node answers a member of its group a little later (HA_REPL_HOLD_MS at most), for it may be the
 *                   one that is opened next: the others are told of it as soon as it is
 * then PSYNC as always. A primary that begins an epoch closes the links of its replicas: they come back, greet and hear
 * its HA_STREAM; PSYNC from one that greeted before that is refused. The epoch's marker is a command in the stream,
 * `HA MARKER <gid> <epoch> <incarnation>`: with it an epoch begins in the table (epoch, first offset; repl/epochs.h) that
 * the data carries (disk/record.h; in an RDB the aux field `kvorum-epochs`). What a replica of an epoch acknowledges is
 *     REPLCONF ACK <offset> ha-epoch <epoch> ha-life <life>
 * at the end of every turn in which it applied something; an ACK without these words counts for WAIT alone, and comes
 * four times in down-after, for a primary drops a member's link that was silent for two. Renewals
 * (HA_RENEW, HA_LEASE) do not travel here: a replica holds a control connection to its primary (control.h).
 *
 * Who may continue: a replica of our group whose last position is in our table (R5's "in a history") continues as long
 * as the backlog holds the rest, whatever its replication id; one with a position outside of it does not, though its id
 * may be known. Positions of epoch 0, nodes of no group and stock replicas: by replication ids, as always.
 *
 * A data set in memory cannot be rolled back: a log that went on beyond the common point becomes the primary's by a full
 * copy only, hence under a new life (R8), and a FETCH into such a log is answered "no". */
#ifndef KV_HA_HA_REPL_H
#define KV_HA_HA_REPL_H

#include "common/base/err.h"
#include "common/base/ha.h"
#include "common/base/str.h"

struct server;
struct client;
struct call;
struct buf;

#define HA_REPL_HOLD_MS 300

void ha_repl_init(struct server *srv);
void ha_repl_fini(struct server *srv);
void ha_repl_tick(struct server *srv);                                     /* about ten times a second */

/* --- orders of the member ---------------------------------------------------------------- */
void ha_repl_lead(struct server *srv, uint64_t epoch);                     /* MO_LEAD: marker; replicas come back */
void ha_repl_follow(struct server *srv, const struct addr *to, uint64_t epoch);   /* MO_FOLLOW; the same address again: nothing */
void ha_repl_fence(struct server *srv);                                    /* MO_FENCE: follow nobody, feed nobody, the log is frozen */
void ha_repl_fetch(struct server *srv, const struct addr *from, struct ha_position upto);  /* MO_FETCH; ME_FETCHED says how it went */
void ha_repl_save_tail(struct server *srv);                                /* MO_SAVE_TAIL: what the next full copy drops goes to a file */
void ha_repl_released(struct server *srv);                                 /* MO_RELEASED: the log has no epochs any more */
/* MO_SEND. true: the link is one of replication and the message left on it, or needs no sending there (HA_STREAM: the
 * greeting says it). false: not mine; a HA_RENEW to a replica's link goes on that replica's control connection. */
bool ha_repl_send(struct server *srv, uint64_t link, const struct ha_msg *m);

/* --- the log ------------------------------------------------------------------------------- */
struct ha_position ha_repl_end(const struct server *srv);                  /* epoch of the last entry (0: before any), offset */

/* --- asked by feed, follow, greet and the snapshot -------------------------------------------- */
void ha_repl_greeted(struct call *c);                                      /* REPLCONF ha-member: answers */
/* May this replica be fed? NULL, or the error line. false in *full: only what the backlog holds, never a full copy. */
const char *ha_repl_refuses(struct client *replica, bool *full);
/* May it continue at byte `want`, by its position? by_id: replication ids decide. Else HISTORY_*, without a look at the backlog. */
enum ha_repl_continue { HA_REPL_BY_ID, HA_REPL_IN_HISTORY, HA_REPL_OUT_OF_HISTORY };
enum ha_repl_continue ha_repl_continues(struct client *replica, int64_t want);
void ha_repl_acked(struct client *replica, int64_t offset, uint64_t epoch, uint64_t life);
void ha_repl_gone(struct client *replica);                                 /* its link ended */

void ha_repl_greet(struct server *srv, struct buf *out);                   /* our REPLCONF ha-member */
/* Primary's answer to it; ERR_REFUSED: this stream may not be taken. */
int  ha_repl_answered(struct server *srv, struct slice line, struct err *e);
bool ha_repl_may_take(const struct server *srv);                           /* may bytes of our link to the primary change the log now? */
void ha_repl_link_down(struct server *srv);                                /* ours to the primary */
/* A full copy is about to replace the data: the new life is on disk, the tail that is lost with it in a file (of a plain
 * node too, when the copy says where the histories parted). */
struct ha_repl_copy {
    struct slice epochs;               /* its table */
    const char *id, *id2;              /* its histories: id2 for offsets below `until`; "" = none */
    int64_t until, end;
};
bool ha_repl_may_full_copy(struct server *srv, const struct ha_repl_copy *c, struct err *e);
void ha_repl_synced(struct server *srv);                                   /* the stream goes on from here: ME_LOG, ME_FOLLOWS */
void ha_repl_fetched(struct server *srv, bool yes, const char *why);       /* the link of a FETCH ended */
void ha_repl_marker(struct call *c);                                       /* HA MARKER came down the stream */
void ha_repl_own_history(struct server *srv);      /* a primary under a new id: a plain one's log is of no epoch any more */
void ha_repl_save_aux(const struct server *srv, struct str *out);          /* the table as text for an RDB; empty: none */
/* ... of the data that takes the place of ours; its log ends at `end`. */
void ha_repl_load_aux(struct server *srv, struct slice text, int64_t end);
struct tail_lost;
const struct tail_lost *ha_repl_last_tail(const struct server *srv);       /* what the last copy dropped; NULL: nothing yet */
int64_t ha_repl_silence_ms(const struct server *srv);                      /* a group's down-after; 0: we are of none */
bool ha_repl_acks_each_turn(const struct server *srv);                     /* our primary is one of an epoch */

#endif
