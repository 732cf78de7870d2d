/* Which role the pod of this node shows to the Kubernetes API, as a table: told how the local
 * node and the sentinels stand and what the API answered, it says what to ask the API next.
 *
 * "primary" is never on two pods of the set at once, whatever the agents believe and however
 * late a request arrives. Who wants it goes three steps, in this order:
 *
 *   read    its own pod: the version it has now
 *   free    every other pod of the set: a write that takes "primary" off and always makes a new
 *           version of that pod, also where it was not on
 *   claim   its own pod, on condition that it still has the version that was read
 *
 * Of two that claim, the one that frees the other later has made the version that the other
 * read an old one, or takes its label off. A request that was given up and arrives late carries
 * an old version, because whatever follows it on that pod is such a write, too.
 *
 * Nobody waits for this: the API only hears what was decided elsewhere. */
#ifndef KV_AGENT_LABEL_H
#define KV_AGENT_LABEL_H

#include "common/base/rng.h"
#include "common/base/timeval.h"

#include <stdbool.h>
#include <stdint.h>

enum label_state {
    LB_OFF,              /* our pod does not say primary */
    LB_SHOWING,          /* it is being written what it says instead */
    LB_OWING,            /* that was not taken: a pause */
    LB_READING,
    LB_FREEING,
    LB_CLAIMING,
    LB_ON,               /* our pod says primary */
    LB_HELD,             /* reading, freeing or claiming was not taken: a pause */
    LB_GONE,             /* there is no pod of ours any more */
    LB_STATES
};

enum label_event_kind {
    LE_WANTED,           /* of our own judgement, see label_facts: the node is primary, confirmed */
    LE_UNWANTED,         /* it is that no more */
    LE_CHANGED,          /* what it shall say instead is another thing than it says */
    LE_DONE,             /* the request was taken. Of a read: our pod does not say primary */
    LE_CARRIES,          /* of a read: it says primary already */
    LE_CONFLICT,         /* of a claim: our pod has another version by now */
    LE_FAILED,           /* not taken; not known whether, if no answer came */
    LE_GONE,             /* our pod is not there */
    LE_EXPIRED,          /* the deadline passed */
    LE_KINDS
};

/* What a pod says. */
enum label_shown { LABEL_UNSAID = -1, LABEL_NONE, LABEL_REPLICA, LABEL_PRIMARY };

enum label_role {
    LABEL_ROLE_UNKNOWN,  /* nobody can say at the moment: leave it as it is */
    LABEL_ROLE_OTHER,    /* down, loading, fenced */
    LABEL_ROLE_REPLICA,
    LABEL_ROLE_PRIMARY   /* takes writes */
};

/* Whom a majority of the sentinels names. */
enum label_word { LABEL_WORD_UNKNOWN, LABEL_WORD_US, LABEL_WORD_OTHER };

struct label_facts {
    enum label_role role;
    enum label_word word;
    bool leaving;                /* the agent ends */
};

enum label_step_kind {
    LS_CANCEL,           /* give up the request under way, if there is one; no answer to it any more */
    LS_READ,             /* our pod; answer: LE_DONE, LE_CARRIES, LE_FAILED or LE_GONE */
    LS_FREE,             /* pod number `other` of the set; one that is not there is done */
    LS_CLAIM,            /* our pod says primary, if its version is the one that was read */
    LS_SHOW,             /* our pod says `shown`, in any case, and gets a new version (unless `again`) */
    LS_TRACE
};

struct label_step {
    enum label_step_kind kind;
    unsigned other;                          /* LS_FREE: 0 .. others-1 */
    enum label_shown shown;                  /* LS_SHOW */
    bool again;                              /* LS_SHOW: said before, a new version is not needed */
    enum label_state from, to;               /* LS_TRACE */
    const char *because;                     /* LS_TRACE */
};

#define LABEL_STEPS_MAX 8
struct label_steps {
    struct label_step at[LABEL_STEPS_MAX];
    unsigned n;
};

struct label_terms {
    unsigned others;                         /* further pods of the set */
    bool need_word;                          /* primary is shown only when the sentinels name the node */
    int64_t request_ms;                      /* a step takes no longer: LS_FREE is several requests */
    int64_t pause_min_ms, pause_max_ms;      /* between tries that fail: doubled, with jitter */
    int64_t check_ms;                        /* what it says is looked at or said again so often */
};

struct label {
    enum label_state state;
    struct label_terms terms;
    struct label_facts facts;
    struct rng rng;
    enum label_shown shown;                  /* what the API took last, or is being told */
    bool maybe;                              /* our pod may say primary */
    unsigned next_other;
    enum label_state held_in;                /* LB_HELD: which step is tried again */
    unsigned conflicts;                      /* one after the other */
    int64_t pause_ms, pause_least_ms;
    int64_t deadline_at_ms;
};

void label_init(struct label *l, const struct label_terms *t, uint64_t seed);
/* The world as it is now; may be told as often as one likes. */
void label_look(struct label *l, const struct label_facts *f, int64_t now_ms, struct label_steps *out);
/* LE_DONE .. LE_EXPIRED. least_ms: LE_FAILED, a pause the API asked for (0: none). */
void label_hear(struct label *l, enum label_event_kind k, int64_t least_ms, int64_t now_ms, struct label_steps *out);
int64_t label_deadline_ms(const struct label *l);
/* Nothing of ours is under way or owed, and our pod does not say primary. */
bool label_is_off(const struct label *l);
bool label_waits(enum label_state s);        /* a request is under way */

const char *label_state_name(enum label_state s);
const char *label_event_name(enum label_event_kind k);
const char *label_shown_name(enum label_shown s);
bool label_has_row(enum label_state in, enum label_event_kind on);       /* tests */

#endif
