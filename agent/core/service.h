/* One registration of this agent: from a document and the answers of its check to what the
 * directory should say of the instance. It never sends or asks the time: told what happened, it
 * answers with steps to carry out in the order given.
 *
 *                 good           risen             bad              fallen
 *        down ----------> rising ------> up -----------> falling ----------> draining --expired--> down
 *                                         ^----good--------'                    |
 *                                         '-------------risen-------------------'
 *
 * held: drained because somebody asked (its unit is about to be stopped); leaving: the document
 * was dropped or the agent stops, draining until it is gone. To drain takes one interval, or ttl
 * where that is shorter.
 *
 * Beside the state runs the lease: as long as something of ours may stand in the directory it is
 * renewed at a third of ttl_ms, give or take a tenth, and what stands there is compared. So a field
 * that a failover, a reaper or a stranger took away is back within that time. */
#ifndef KV_AGENT_SERVICE_H
#define KV_AGENT_SERVICE_H

#include "common/base/rng.h"
#include "common/base/timeval.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum service_state { SV_DOWN, SV_RISING, SV_UP, SV_FALLING, SV_HELD, SV_DRAINING, SV_LEAVING, SV_GONE, SV_STATES };

enum service_event_kind {
    VE_GOOD,             /* a check was good */
    VE_BAD,
    VE_RISEN,            /* made of the rise-th VE_GOOD in a row */
    VE_FALLEN,           /* made of the fall-th VE_BAD in a row */
    VE_EXPIRED,          /* made of VE_DUE: drained long enough */
    VE_CHANGED,          /* the document says other things of the same address */
    VE_MOVED,            /* another address or another check */
    VE_HOLD, VE_RELEASE, /* drain although it is well; and no longer */
    VE_STOP,             /* the document is gone, or the agent stops; drop a check under way, as with VE_MOVED */
    VE_ROWS,             /* those above have rows in the table; those below are about time and the directory */
    VE_DUE = VE_ROWS,    /* the deadline came */
    VE_LOST, VE_BACK,    /* the directory */
    VE_DONE,             /* what the last STEP_SAY or STEP_WITHDRAW asked for stands there */
    VE_KINDS
};

enum service_step {
    STEP_CHECK_RUN,      /* run the check once; answer VE_GOOD or VE_BAD */
    STEP_SAY,            /* make the field say service_says(); answer VE_DONE when it does */
    STEP_WITHDRAW,       /* take the field and the lease away; answer VE_DONE when they are */
    STEP_RENEW           /* renew the lease, and STEP_SAY if the field says something else */
};
#define SERVICE_STEPS_MAX 8
struct service_steps { enum service_step at[SERVICE_STEPS_MAX]; size_t n; const char *because; };

enum service_word { SAYS_NOTHING, SAYS_UP, SAYS_DRAIN };

struct service_terms {
    bool checked;                /* false: well as long as the agent lives */
    int rise, fall;
    int64_t interval_ms, ttl_ms;
};

struct service {
    enum service_state state;
    struct service_terms terms;
    struct rng rng;
    int goods, bads;             /* in a row */
    bool held, checking, live;
    bool owed;                   /* the directory may still say something of an instance that says nothing */
    bool perhaps;                /* it may say what an agent before this one left there */
    int64_t check_at_ms, renew_at_ms, until_ms, changed_at_ms;
};

/* Begins down; steps come with the first event. The first check is due at once. */
void service_init(struct service *s, const struct service_terms *t, bool live, uint64_t seed, int64_t now_ms);
/* New terms come before VE_CHANGED or VE_MOVED. */
void service_step(struct service *s, enum service_event_kind kind, int64_t now_ms, struct service_steps *out);
int64_t service_deadline_ms(const struct service *s);
enum service_word service_says(const struct service *s);
bool service_is_over(const struct service *s);           /* gone, and nothing of it is owed or can be said now */
int64_t service_drain_left_ms(const struct service *s, int64_t now_ms);   /* of a held one; 0: long enough, or never up */

bool service_has_row(enum service_state in, enum service_event_kind on);
const char *service_state_name(enum service_state s);
const char *service_event_name(enum service_event_kind k);

#endif
