/* What the files behind the door formed.h share: the group's state in this sentinel, the
 * verbs that append to this step's list, and who calls whom.
 *
 *   formed.c   the door: events in, facts about peers and nodes, heartbeats, the voter's answers,
 *              detection (R4: when to start which try), explain
 *   voter.c    rules of one voter; knows nothing of this file
 *   lead.c     the table of a try and its driver; promotion, hand-over, restore, force
 *   form.c     acts and questions of LEAD_FORM, LEAD_RELEASE, LEAD_DISSOLVE
 *   change.c   acts and questions of LEAD_CHANGE, LEAD_CHANGE_VOTERS; which change is due */
#ifndef KV_SENTINEL_FORMED_INSIDE_H
#define KV_SENTINEL_FORMED_INSIDE_H

#include "common/base/plant.h"
#include "common/base/rng.h"
#include "sentinel/core/formed.h"

struct formed {
    struct formed_self self;
    struct voter voter;
    struct lead lead;
    struct formed_want want;           /* what the operator asked for; mode etc. of the record once there is one */
    VEC(struct formed_node) nodes;
    VEC(struct formed_peer) peers;
    struct rng rng;
    int64_t now_ms;
    int64_t next_alive_ms;             /* heartbeat */
    int64_t next_look_ms;              /* HA_LOOK to nodes */
    int64_t next_try_ms;               /* no new ballot of our own earlier (E..2E, back-off) */
    int64_t ballot_moved_at_ms;        /* when a ballot above the record's was last seen to move (R4: "no ballot moved for E") */
    uint64_t ballot_seen;              /* highest in any message */
    bool odown;
    bool opened_said;                  /* FA_PRIMARY was said for the record held */
    bool save_broken;
    struct formed_out *out;            /* this step's list */
};

/* --- verbs of formed.c -------------------------------------------------------------------- */
struct formed_node *formed_node(struct formed *f, const char *id);       /* NULL: not known */
struct formed_peer *formed_peer(struct formed *f, const char *id);
void formed_save(struct formed *f);                                      /* FA_SAVE, once per run of changes */
/* To a voter; to ourselves it is handed to our own voter at once, and the answer to lead_answer. from, life, gid are filled in. */
void formed_to_voter(struct formed *f, const char *id, const struct ha_msg *m);
void formed_to_node(struct formed *f, const char *id, const struct ha_msg *m);
void formed_reply(struct formed *f, uint64_t ticket, const char *error);  /* NULL = OK; ticket 0 = nobody */
void formed_news(struct formed *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void formed_journal(struct formed *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void formed_trace(struct formed *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void formed_primary(struct formed *f, const struct ha_record *r);        /* FA_PRIMARY, once per record */
const struct ha_record *formed_newest(const struct formed *f);           /* our voter's record; NULL = none */
const struct ha_timing *formed_timing(const struct formed *f);           /* of the record, else of `want` */

/* --- lead.c ---------------------------------------------------------------------------------- */
void lead_init(struct lead *l);
void lead_fini(struct lead *l);
void lead_start(struct formed *f, const struct lead_want *want);         /* picks the ballot, votes for itself, asks; replies to want->ticket if it cannot */
void lead_answer(struct formed *f, const struct ha_msg *m);              /* VOTED, STORED, BOUND, SEALED, OPENED, READY, STOPPED, END, STATUS */
void lead_tick(struct formed *f);                                        /* asks again, expires */
void lead_overtaken(struct formed *f, uint64_t ballot);                  /* a higher ballot or a newer record was seen */
void lead_cancel(struct formed *f, uint64_t ticket);
int64_t lead_deadline_ms(const struct formed *f);
bool lead_running(const struct formed *f);
void lead_explain(const struct formed *f, int64_t now_ms, bool *can, char chosen[ID_MAX],
                  void (*say)(void *ctx, const char *what, const char *who, const char *why), void *ctx);

/* --- form.c, change.c: asked by the driver in lead.c and by detection -------------------------- */
bool form_ready(const struct formed *f, struct ha_record *target, const char **lacks);    /* all nodes and voters at hand: the record to form */
bool form_attempt_dead(const struct formed *f);                          /* our record is of an attempt that can never open (R0) */
bool form_may_seal(const struct formed *f, const struct ha_record *base);/* R0: a formation record is sealed on only after its marker was shown */
bool change_due(struct formed *f, struct lead_want *out);                /* R9: membership that takes care of itself, an operator's wish */

#endif
