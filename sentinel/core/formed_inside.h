/* What the files behind the door formed.h share: the group's state in this sentinel, the
 * verbs that append to this step's list, and who calls whom.
 *
 *   formed.c          the door: events in, what we know of peers and nodes, heartbeats, invariants
 *   formed_say.c      the list of what goes out; a message to ourselves
 *   formed_voter.c    our voter's answers to peers and to the primary; records taken, epochs ended
 *   formed_tell.c     what follows from the record we hold: who must hear of it, who must follow
 *   formed_evidence.c R2(c): the end of a process, seen by a majority of V
 *   formed_detect.c   R4: why to start which try, and when
 *   formed_order.c    what an operator asks for, and what she is told
 *   voter.c    rules of one voter; knows nothing of this file
 *   lead.c     the table of a try and its driver; promotion, hand-over, restore, force
 *   form.c     acts and questions of LEAD_FORM, LEAD_RELEASE; nodes let go
 *   dissolve.c the last record of an id (LEAD_DISSOLVE), whole or by force
 *   change.c   acts and questions of LEAD_CHANGE, LEAD_CHANGE_VOTERS; which change is due */
#ifndef KV_SENTINEL_FORMED_INSIDE_H
#define KV_SENTINEL_FORMED_INSIDE_H

#include "common/base/plant.h"
#include "common/base/rng.h"
#include "sentinel/core/formed.h"

/* Why a try is begun, most urgent first (R4). */
enum formed_reason {
    FR_NONE,
    FR_ENDED,              /* END of the record's epoch */
    FR_INCARNATION,        /* the primary's process is another one */
    FR_ODOWN,
    FR_WANTS_OUT,          /* the primary was told to stop and asks for a hand-over */
    FR_NOT_RENEWED,        /* R4 (1): whom the newest record names has renewed with nobody since */
    FR_SEALED_ABOVE,       /* R4 (2) */
    FR_CHANGE,             /* R4 (4), R9 */
    FR_JOINT,              /* R4 (3) */
    FR_BEHIND,             /* a voter promised a ballot that nobody leads, and cannot take the record */
    FR_ATTEMPT,            /* R0: a formation that stands still */
    FR_FORM,               /* R0: a mode is set, there is no record, and everybody is at hand */
    FR_REASONS
};

struct formed {
    struct formed_self self;
    struct voter voter;
    struct lead lead;
    bool has_want;                     /* FV_FORM: form it when everybody is at hand */
    struct formed_want want;           /* what the operator asked for; mode etc. of the record once there is one */
    bool want_set;                     /* FV_FORM or FV_SET said it to this sentinel: change_due brings the record there */
    uint64_t voter_ticket, set_ticket; /* who waits until a voter is replaced (voter_facts), or want_set is fulfilled; 0 = nobody */
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
    bool opened_said;                  /* the record held is known to be at a majority, or its primary renewed */
    bool end_seen;                     /* what our last heartbeat said of it (R2c) */
    /* detection */
    enum formed_reason reason;         /* the one we wait with; FR_NONE */
    int64_t try_at_ms;                 /* ... until then; NEVER_MS = not by time */
    int64_t reason_at_ms;              /* since when */
    int64_t turn_ms;                   /* rank and jitter, drawn when the reason appeared: so much later than the first */
    const char *forming_lacks;         /* a mode is wished and there is no record: what that waits for (static text), NULL = nothing */
    unsigned tries;                    /* since the record last moved */
    int64_t rec_at_ms;                 /* since when we hold the record; its leader: since when its primary is open */
    bool rec_from_disk;                /* ... or had it at the start */
    uint64_t renewed_epoch;            /* the record's, once its primary renewed with us */
    int64_t leading_seen_at_ms;        /* a peer said that it leads a ballot */
    /* who was told last that it is the primary */
    uint64_t said_epoch;
    struct addr said_addr;
    /* saving */
    bool saving;                       /* the last list held an FA_SAVE; without FV_SAVE_FAILED it came true */
    bool save_said;                    /* this step's list holds one */
    int64_t saving_since_ms;           /* when that step was */
    int64_t due_ms;                    /* when we asked for the next tick */
    int64_t late_ms;                   /* how late ticks come here, the latest of late: others have as busy a machine */
    int64_t slow_ms;                   /* how long saves take here, the slowest of late: others' may take as long */
    bool ticking;                      /* this step is FV_TICK: nobody is given up and nothing begun by time alone before what came in is heard */
    bool save_broken;
    VEC(struct ha_msg) own;            /* answers of our own voter, not heard by our lead yet */
    struct formed_out *out;            /* this step's list */
};

/* --- formed.c --------------------------------------------------------------------------------- */
void formed_say_alive(struct formed *f);                                 /* a heartbeat to each peer, now */

/* --- verbs of formed_say.c ----------------------------------------------------------------- */
struct formed_node *formed_node(struct formed *f, const char *id);       /* NULL: not known */
struct formed_peer *formed_peer(struct formed *f, const char *id);
/* FA_SAVE, once a step is enough: the list is carried out after the step, and what it saves is what stands then. */
void formed_save(struct formed *f);
/* To a voter. To ourselves it is handed to our own voter at once; the answer is heard by lead_answer when the
 * running call of lead has returned, behind the save it rests on. A VOTE of our own is in our own voter, and saved,
 * before it goes to anybody. from, life and (where 0) gid are filled in; HA_BIND keeps gid 0: a released attempt's
 * record (old_gid, ballot = the number that killed it) is forgotten, answered HA_BOUND. */
void formed_to_voter(struct formed *f, const char *id, const struct ha_msg *m);
void formed_answer_voter(struct formed *f, const char *id, const struct ha_msg *m);    /* of our voter, to whom asked; ourselves: see above */
void formed_to_node(struct formed *f, const char *id, const struct ha_msg *m);
void formed_reply(struct formed *f, uint64_t ticket, const char *error);  /* NULL = OK; ticket 0 = nobody */
void formed_news(struct formed *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void formed_journal(struct formed *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void formed_trace(struct formed *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void formed_primary(struct formed *f, const struct ha_record *r);        /* FA_PRIMARY, once per epoch and address */
const struct ha_record *formed_newest(const struct formed *f);           /* our voter's record; NULL = none */
const struct ha_timing *formed_timing(const struct formed *f);           /* of the record, else of `want` */

/* --- formed_voter.c ---------------------------------------------------------------------------- */
bool formed_voter_hears(struct formed *f, const struct ha_msg *m);       /* VOTE, RECORD, BIND of a voter, ourselves too; false: none of these */
void formed_voter_renews(struct formed *f, struct formed_node *n, const struct ha_msg *m);
void formed_ended(struct formed *f, uint64_t epoch, uint64_t incarnation, bool spread);
void formed_record_moved(struct formed *f);                              /* the record held is another one, or none */
void formed_ballot_seen(struct formed *f, uint64_t ballot);
void formed_settle_replacement(struct formed *f, const struct ha_record *own);     /* a voter was to be replaced: is it done? */

/* --- formed_tell.c ------------------------------------------------------------------------------- */
void formed_tell(struct formed *f);                                      /* at the end of each step: is it to be announced? */
void formed_tell_node(struct formed *f, const struct formed_node *n);    /* a status came: FOLLOW or OPEN it again */
void formed_tell_peer(struct formed *f, const struct formed_peer *p);    /* a heartbeat came: does it lack our record? */
void formed_note_behind(struct formed *f, struct formed_peer *p);         /* ... and can it take it at all? */
bool formed_at_majority(const struct formed *f);                         /* as far as heartbeats tell; a formation: at all of V */

/* --- formed_evidence.c ------------------------------------------------------------------------------ */
void formed_evidence(struct formed *f);                                  /* in each step: told, counted, END */
bool formed_sees_end(const struct formed *f);                            /* we saw the process of the record's epoch end */

/* --- formed_detect.c -------------------------------------------------------------------------------- */
void formed_detect(struct formed *f);
const char *formed_reason_text(enum formed_reason r);
int formed_doublings(const struct formed *f);                            /* how often our tries came to nothing since the record moved; bounded */
int64_t formed_quiet_ms(const struct formed *f);                         /* how long no ballot must have moved */

/* --- formed_order.c ----------------------------------------------------------------------------------- */
void formed_order(struct formed *f, const struct formed_event *ev);

/* --- lead.c ---------------------------------------------------------------------------------- */
void lead_init(struct lead *l);
void lead_fini(struct lead *l);
void lead_start(struct formed *f, const struct lead_want *want);         /* picks the ballot, votes for itself, asks; replies to want->ticket if it cannot */
void lead_answer(struct formed *f, const struct ha_msg *m);              /* VOTED, STORED, BOUND, SEALED, OPENED, READY, STOPPED, END, STATUS */
void lead_tick(struct formed *f);                                        /* asks again, expires */
void lead_held_up(struct formed *f, int64_t ms);                         /* we could not act for so long: what we wait for was asked so much later */
void lead_overtaken(struct formed *f, uint64_t ballot);                  /* a higher ballot or a newer record was seen */
void lead_cancel(struct formed *f, uint64_t ticket);
int64_t lead_deadline_ms(const struct formed *f);
bool lead_running(const struct formed *f);
void lead_explain(const struct formed *f, int64_t now_ms, bool *can, char chosen[ID_MAX],
                  void (*say)(void *ctx, const char *what, const char *who, const char *why), void *ctx);

/* --- form.c, change.c: asked by the driver in lead.c and by detection -------------------------- */
/* All nodes and voters at hand: the record to form. named: whom an operator says is the primary, "" = nobody. */
bool form_ready(const struct formed *f, const char *named, struct ha_record *target, const char **lacks);
extern const char form_choice_lacks[];                                   /* it waits for an operator to name the primary */
bool form_orphan(const struct formed *f, struct ha_record *out);         /* nodes bound to an attempt of which nobody holds a record: what is
                                                                            known of it (no voters, members as far as they are at hand) */
bool form_attempt_dead(const struct formed *f);                          /* our record is of an attempt that can never open (R0) */
bool form_may_seal(const struct formed *f, const struct ha_record *base);/* R0: a formation record is sealed on only after its marker was shown */
/* --- dissolve.c --- */
const char *dissolve_lacks(const struct formed *f, const struct ha_record *own, bool force);      /* why it is not begun; NULL = it can be */
bool dissolve_left_out(const struct ha_record *own, const char *id);     /* own is its id's last record: was this node not there when it was forced? */
bool dissolve_nobody_holds(const struct formed *f, struct ha_record *out, const char **lacks);    /* all voters lost their memories: the last record, from the
                                                                            nodes' words; false: *lacks says why it may not be */
bool change_settings_due(struct formed *f, struct lead_want *out);       /* only the operator's wish; whether it can be now is another question */
bool change_due(struct formed *f, struct lead_want *out);                /* R9: membership that takes care of itself, an operator's wish */

#endif
