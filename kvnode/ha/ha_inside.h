/* What the files behind ha.h share: the state, one door to the member, and what the control
 * thread may do there.
 *
 *   ha.c           events in, orders out, what is told once a turn
 *   ha_process.c   beginning and end
 *   ha_ask.c       questions: may a command run, what are we; INFO and HA STATUS
 *   ha_attach.c    control links: who holds one, what comes over them
 *   control.c      the thread itself (control.h) */
#ifndef KV_HA_HA_INSIDE_H
#define KV_HA_HA_INSIDE_H

#include "common/base/vec.h"
#include "common/io/loop.h"
#include "kvnode/ha/control.h"
#include "kvnode/ha/ha.h"

#include <pthread.h>

/* A control link, as the main thread knows it. */
struct ha_link {
    uint64_t link;
    char id[ID_MAX];
    bool voter;
    int fd;                            /* ours; the control thread has a duplicate */
};

/* An event that waits for the list being carried out; all it points to is its own. */
struct ha_later {
    struct member_event ev;
    char id[ID_MAX];
    struct ha_msg msg;
    struct ha_record rec;
};

struct ha {
    struct server *srv;
    struct control *control;           /* NULL: not started */
    bool started, over;                /* over: the process ends with this turn */
    bool waits;                        /* bound, and its record cannot be written yet: answers nobody */
    pthread_mutex_t lock;              /* m, busy, owed */
    struct member m;
    bool busy;                         /* a list is being carried out: the control thread keeps out */
    bool telling;                      /* main thread: an event is being dealt with, others wait */
    VEC(struct member_order) owed;     /* ordered by a step of the control thread, for the main thread */
    _Atomic bool owes;
    /* what each command asks; written with m, under the lock */
    _Atomic int phase;                 /* enum member_phase */
    _Atomic int64_t lease_until_ms;
    _Atomic int64_t deadline_ms;       /* when the member wants its next ME_TICK */
    _Atomic int64_t down_after_ms;     /* D of the record it knows; 0 = none */
    bool holds;                        /* replies wait for MO_CONFIRMED */
    enum member_phase seen;            /* by the main thread: what follows from a change is done */
    VEC(struct ha_later *) later;
    struct timer deadline;
    struct loop_hook turn;
    uint64_t next_link;
    VEC(struct ha_link) links;
    struct ha_position told;           /* by the last ME_LOG */
    struct addr follows;               /* by the last ME_ROLE */
    bool told_log, told_keys, told_role, well;
    uint64_t dialed;                   /* number of our own control link to the primary; 0 = none */
    struct addr greeted_by;            /* the primary that greeted last, and who it said it is */
    char greeted_id[ID_MAX];
    struct addr dialed_to, primary_at; /* primary_at: its control port, as it greeted; not set = not known */
    uint64_t dialed_life;
    char *dialed_as;                   /* user and password that were said there, or NULL */
    bool stirred;                      /* something was told since the last look at what sentinels should know */
    struct ha_msg said;                /* the status that voters were told last */
    struct member_orders out;          /* of the main thread's step */
    struct member_orders out_control;  /* of the control thread's */
};

/* --- ha.c ------------------------------------------------------------------------------------ */
void ha_pay_owed(struct server *srv);
void ha_on_turn(void *srv);
void ha_on_deadline(struct timer *t, void *srv);
void ha_turn_over(struct server *srv);     /* ME_LOG, ME_ROLE, ME_HEALTH, if they are due */
/* The caller holds the lock and has stepped m. */
void ha_note_state(struct ha *h);
/* Control thread. ME_TICK, or an HA_LEASE that came over `link`, while the main thread is stuck. false: not now. */
bool ha_step_aside(struct server *srv, uint64_t link, const struct ha_msg *m);

/* --- ha_attach.c ------------------------------------------------------------------------------- */
/* Where an order MO_SEND really goes; main thread, or (under the lock) the control thread. 0: nowhere. */
uint64_t ha_way(const struct ha *h, const struct member_order *o);
bool ha_is_voter_link(const struct ha *h, uint64_t link);
/* The number under which the member knows who speaks on this link; 0 = it does not. Either thread, without the lock. */
uint64_t ha_told_as(struct server *srv, uint64_t link);
void ha_status(struct server *srv, struct ha_msg *out);
/* From the control thread's queue, on the main thread. */
void ha_heard(struct server *srv, uint64_t link, const struct ha_msg *m);
void ha_heard_gone(struct server *srv, uint64_t link);
void ha_redial(struct server *srv);        /* the link to our primary's control port, or none */
void ha_push_status(struct server *srv);   /* to every voter, if it is not what they were told last */

#endif
