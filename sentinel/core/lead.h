/* The leader's try in one ballot, as a table: ask for votes, fix the base, seal, choose,
 * fetch, store the record, open. One machine for every purpose; the purposes differ in the
 * rows they use. Rules R1 (base), R5, R9, R0 (formation) and the hand-over.
 *
 * A try is volatile: a leader that dies leaves nothing to undo, another ballot follows. It
 * is told of answers and of time, and says whom to send what. It speaks to its own voter and
 * through it like to any other: its own vote and its own acceptance come back as messages
 * that the door (formed.c) makes, after the save they rest on. */
#ifndef KV_SENTINEL_LEAD_H
#define KV_SENTINEL_LEAD_H

#include "common/base/ha.h"
#include "common/base/rng.h"
#include "common/base/vec.h"

enum lead_purpose {
    LEAD_PROMOTE,          /* a primary for the base's members (R5); the same node again is possible */
    LEAD_HAND_OVER,        /* the same, after the living primary stopped and gave its epoch up */
    LEAD_CHANGE,           /* M, k, mode (R9) */
    LEAD_CHANGE_VOTERS,    /* one entry of V in or out (R9) */
    LEAD_RESTORE,          /* store the base anew as a change of this ballot: ends all older JOINTs */
    LEAD_FORM,             /* the first record (R0) */
    LEAD_RELEASE,          /* an attempt at forming is made dead and everybody let go (R0) */
    LEAD_DISSOLVE,         /* the id's last record, then everybody is let go */
    LEAD_FORCE,            /* an operator's: PROMOTE with fewer seals than q; journaled */
    LEAD_PURPOSES
};

enum lead_state {
    LD_IDLE,
    LD_SURVEYING,          /* forming: all nodes and voters must be at hand */
    LD_BINDING_PRIMARY,    /* forming */
    LD_BINDING_REST,       /* forming, and members new to the group in a change */
    LD_VOTING,
    LD_STOPPING,           /* hand-over: the primary stops and lets the target catch up; can be called off */
    LD_ENDING,             /* hand-over: irrevocable, END is on its way */
    LD_SEALING,
    LD_FETCHING,
    LD_JOINING,            /* change: JOINT is out, READY is awaited */
    LD_STORING,            /* the record is out to the voters */
    LD_OPENING,            /* OPEN is out */
    LD_COMMITTING,         /* change: COMMITTED is out */
    LD_STATES
};

enum lead_event {
    LE_START,              /* begin with the purpose in lead.want */
    LE_SURVEYED,           /* everybody is at hand */
    LE_BOUND,              /* the primary (then: everybody) took BIND */
    LE_REFUSED,            /* somebody whose yes is needed said no for good */
    LE_MAJORITY,           /* votes: the base is fixed */
    LE_NO_MAJORITY,        /* all at hand answered and it is none, or a higher ballot was seen */
    LE_STOPPED,            /* the target has the whole log */
    LE_ENDED,              /* END of the base's epoch */
    LE_BEHIND,             /* enough counted seals; the preferred node is shorter than the longest: it must fetch */
    LE_FETCHED,
    LE_CHOSEN,             /* enough counted seals; the longest is the one to promote */
    LE_READY,              /* the primary satisfies the new configuration */
    LE_ANEW,               /* a change of V: the base is stored anew in this ballot */
    LE_STORED,             /* at a majority (forming: at all; a change of V: of both) */
    LE_OPENED,
    LE_DONE,               /* COMMITTED was taken */
    LE_EXPIRED,            /* the state's deadline */
    LE_OVERTAKEN,          /* a higher ballot, or a newer record, was seen */
    LE_CANCEL,             /* an operator */
    LEAD_EVENTS
};

/* What a voter answered in this ballot. */
struct lead_vote {
    char id[ID_MAX];
    uint64_t life;
    bool granted, stored;
    bool has_record;
    struct ha_record rec;
    bool refused;
    uint64_t promised;
};

/* What a member answered to SEAL in this ballot. */
struct lead_seal {
    char id[ID_MAX];
    uint64_t life, incarnation;
    struct ha_position pos;
    bool answered, counted;
    bool bound;                        /* took the BIND of this try */
    enum ha_why why;
    int64_t at_ms;
};

struct lead_want {
    enum lead_purpose purpose;
    struct ha_record target;           /* form: all of it; change: the new M, k, mode, V; else unused */
    char node[ID_MAX];                 /* hand-over, force: to whom; "" = the best. Form: whom an operator named the primary */
    uint64_t ticket;                   /* operator who waits; 0 = nobody */
    int seals_at_least;                /* force */
    bool force;                        /* dissolve: without those that cannot be heard, as far as dissolve.c allows it */
};

struct lead {
    enum lead_state state;
    int64_t state_at_ms, deadline_ms;
    struct lead_want want;
    uint64_t ballot;
    uint64_t for_epoch;                /* of the record that we held when the try began: what its reason was about */
    struct ha_record base;             /* fixed at LE_MAJORITY; gid 0 = none yet */
    struct ha_record next;             /* what is being stored */
    VEC(struct lead_vote) votes;
    VEC(struct lead_seal) seals;
    char chosen[ID_MAX];
    uint64_t chosen_incarnation;
    struct ha_position fetch_to;       /* how far the preferred one must come */
    bool acting;                       /* inside an act: answers of our own voter are kept, nobody moves */
    bool ended;                        /* END(base.epoch) is known */
    bool anew_stored;                  /* change of V: the base is stored anew in this ballot (change 1) */
    bool few_voters;                   /* dissolve by force: the others of V lost their memories, this is what is left */
    bool ready, stopped, opened, done; /* what the primary answered */
    const char *lacks;                 /* surveying: what it waits for (static text) */
    bool refused;                      /* somebody whose yes is needed said no for good; `why` */
    enum ha_why why;
    int64_t enough_at_ms;              /* since when the counted seals suffice; 0 = they do not */
    int64_t asked_again_at_ms;
};

struct lead_row {
    enum lead_state in;
    enum lead_event on;
    unsigned purposes;                 /* bit 1 << purpose; 0 = all */
    const char *act;                   /* name of the act, for docs and tests */
    enum lead_state then;
    const char *because;
};
/* The table, for tests and docs; false past the end. */
bool lead_row_at(size_t i, struct lead_row *out);
const char *lead_state_name(enum lead_state s);
const char *lead_event_name(enum lead_event e);
const char *lead_purpose_name(enum lead_purpose p);

#endif
