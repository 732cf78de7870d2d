/* What the files behind the door member.h share: one turn, the verbs that append to its list,
 * and who calls whom.
 *
 *   member.c         the door: events in, the table of phases and its driver, questions
 *   member_bind.c    BIND and release (R0)
 *   member_seal.c    SEAL, FETCH, END, what we promise others (R3, R5, T5)
 *   member_lease.c   renewals, grants, how long the lease lasts (R2, R3, T2, T6)
 *   member_lead.c    OPEN, acknowledgements, JOINT, hand-over (R6, R9, R10)
 *   member_follow.c  FOLLOW, the stream, the full copy (R8, R10) */
#ifndef KV_ROLE_MEMBER_INSIDE_H
#define KV_ROLE_MEMBER_INSIDE_H

#include "common/base/plant.h"
#include "kvnode/role/member.h"

/* The causes of the table in member.c. */
enum member_cause {
    MC_BOUND,
    MC_RELEASED,           /* plain again */
    MC_LET_GO,             /* released, but the config waits for a group */
    MC_OPENED,             /* at a majority */
    MC_OPENED_UNPROVED,
    MC_PROVED,
    MC_STOP,
    MC_RESUME,
    MC_EXPIRED,            /* the leader of the hand-over is silent */
    MC_FINISH,
    MC_ENDED,              /* somebody says that our incarnation is over */
    MC_SEALED,
    MC_FETCH,
    MC_FETCHED,
    MC_FOLLOW,
    MC_STREAM,
    MC_UNSAVED,            /* MO_LEAD was dropped behind a save that failed */
    MC_UNSAVED_FIRST,      /* the same, of a formation */
    MC_CAUSES
};

struct member_turn {
    struct member *m;
    const struct member_event *ev;
    const struct ha_msg *msg;          /* ev->msg */
    int64_t now_ms;
    struct member_orders *out;
};

/* --- member.c ------------------------------------------------------------------------------- */
struct member_order *member_order(struct member_turn *t, enum member_order_kind kind);
struct ha_msg *member_say(struct member_turn *t, uint64_t link, enum ha_kind kind);     /* MO_SEND; from, life, gid are filled in */
void member_save(struct member_turn *t);                   /* facts changed: MO_SAVE before the next answer */
void member_saved_first(struct member_turn *t);            /* MO_SAVE now, if anything is due */
void member_heard(struct member_turn *t, const char *because);
bool member_has_row(const struct member *m, enum member_cause on);
void member_move(struct member_turn *t, enum member_cause on);     /* CHECKs that the row is there */
bool member_is_primary(const struct member *m);            /* unproved, open or stopping */
bool member_is_open(const struct member *m);               /* open or stopping */

/* --- acts of the table, in the file of their noun --------------------------------------------- */
void member_act_stand_down(struct member_turn *t);         /* member_lead.c */
void member_act_ask_first(struct member_turn *t);
void member_act_lead(struct member_turn *t);
void member_act_stopping(struct member_turn *t);
void member_act_resume(struct member_turn *t);
void member_act_finish(struct member_turn *t);
void member_act_fetch(struct member_turn *t);              /* member_seal.c */
void member_act_follow(struct member_turn *t);             /* member_follow.c */
void member_act_depose(struct member_turn *t);

/* --- handlers --------------------------------------------------------------------------------- */
void member_on_bind(struct member_turn *t);
void member_on_seal(struct member_turn *t);
void member_on_fetch(struct member_turn *t);
void member_on_fetched(struct member_turn *t);
void member_on_end(struct member_turn *t);
void member_on_renew(struct member_turn *t);
void member_on_lease(struct member_turn *t);
void member_on_open(struct member_turn *t);
void member_on_ack(struct member_turn *t);
void member_on_joint(struct member_turn *t);
void member_on_committed(struct member_turn *t);
void member_on_stop(struct member_turn *t);
void member_on_resume(struct member_turn *t);
void member_on_finish(struct member_turn *t);
void member_on_follow(struct member_turn *t);
void member_on_stream(struct member_turn *t);
void member_on_full_copy(struct member_turn *t);
void member_on_follows(struct member_turn *t);
void member_on_log(struct member_turn *t);
void member_on_link_up(struct member_turn *t, bool voter);
void member_on_link_gone(struct member_turn *t);

/* --- what is due by the clock ------------------------------------------------------------------ */
void    member_seal_due(struct member_turn *t);            /* answers the seal that waited */
int64_t member_seal_due_ms(const struct member *m);        /* NEVER_MS: none waits, or waits for the tail */
void    member_renew_due(struct member_turn *t);           /* asks for the lease */
int64_t member_renew_due_ms(const struct member *m);
void    member_renew_on(struct member_turn *t, const struct member_link *l);   /* a link that just came up */
void    member_stop_due(struct member_turn *t);
void    member_progress(struct member_turn *t, bool moved);/* what acknowledgements set free: replies, READY, STOPPED */
void    member_acknowledge(struct member_turn *t);         /* member_follow.c */
void    member_sealed_to(struct member_turn *t, uint64_t b);       /* raises sealed: whoever feeds us less is dropped by the caller */
bool    member_lease_proved(const struct member *m, int64_t now_ms);   /* a majority of V answered from one and the same record */

/* Configurations in force: 0 is the record's own, then the JOINTs. */
int     member_configs(const struct member *m);
const struct ha_record *member_config(const struct member *m, int i);
bool    member_in_force(const struct member *m, const char *id, bool voter);   /* does this id stand in any of them? */
void    member_set_configs(struct member *m);              /* hands them to commit */
void    member_note_absent(struct member *m, int64_t now_ms, bool anew);

#endif
