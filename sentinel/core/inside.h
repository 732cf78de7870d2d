/* What the files of this room share and nobody else sees: the core itself, its index
 * of ids, and the small verbs on both. */
#ifndef KV_SENTINEL_INSIDE_H
#define KV_SENTINEL_INSIDE_H

#include "common/base/dict.h"
#include "common/base/rng.h"
#include "common/base/str.h"
#include "sentinel/core/core.h"
#include "sentinel/core/failover.h"
#include "sentinel/core/names.h"

/* Ids -> things. id = generation << 20 | slot + 1. */
struct slots {
    VEC(void *) at;
    VEC(uint16_t) generation;
    VEC(int32_t) vacant;
};

struct core {
    char my_id[ID_MAX];
    struct addr self;
    uint64_t current_epoch;
    struct core_timing timing;
    struct core_counts counts;
    struct rng rng;

    int64_t now_ms;                /* of this step; never goes back */
    int64_t expected_ms;           /* by when we had asked to be woken */
    int64_t late_total_ms;         /* by how much our turns came late, all together */
    bool hears_all;                /* this step is a tick: whatever had arrived before it has been told */
    int64_t tilt_since_ms;         /* 0 = not in tilt */
    int64_t tilt_until_ms;

    struct slots group_ids, node_ids, peer_ids;
    VEC(struct group *) groups;
    VEC(struct peer *) peers;
    struct dict by_name;           /* group name -> group */
    struct dict by_addr;           /* primary's host:port -> group */
    struct dict by_run_id;         /* peer's id -> peer */
    VEC(struct due *) heap;
    VEC(core_id) touched;          /* groups to work through before this step ends */
    VEC(core_id) was_touched;      /* in the last step, for the view */
    int64_t ping_peers_ms;         /* how often peers are pinged: the shortest need of all groups */

    /* The save of the last step: what to take back if it fails. */
    bool saving;                   /* the last step asked for one */
    bool must_saved;               /* ... and a vote relies on it */
    bool save_broken;
    core_id saving_bid;            /* group whose bid relied on it */
    int64_t slow_save_ms;          /* how long saves took of late: the longest, fading with each quicker one */
    uint64_t saving_ticket;        /* who asked for our vote */
    bool saving_down;              /* ... and the half of the answer that needs no disk */
    uint64_t was_epoch;            /* invariant.c: current_epoch as the last step left it */

    struct actions *out;           /* this step's list */
};

/* --- model.c ------------------------------------------------------------------- */
void model_init(struct core *c);
void model_fini(struct core *c);
struct group *model_group(const struct core *c, core_id id);
struct group *model_group_named(const struct core *c, const char *name);
struct group *model_group_at(const struct core *c, const struct addr *primary);
struct node  *model_node(const struct core *c, core_id id);
struct peer  *model_peer(const struct core *c, core_id id);
struct peer  *model_peer_named(const struct core *c, const char *run_id);

struct group *group_new(struct core *c, const char *name, const struct addr *primary);
void          group_free(struct core *c, struct group *g);
void          group_set_primary(struct core *c, struct group *g, core_id node);
void          group_move_primary(struct core *c, struct group *g, const struct addr *to);   /* same node, other address */
struct node  *group_primary(const struct core *c, const struct group *g);
struct node  *group_node_at(const struct group *g, const struct addr *a);
struct seat  *group_seat(const struct group *g, core_id peer);
struct node  *node_new(struct core *c, struct group *g, const struct addr *a);   /* NULL: the group is full */
void          node_free(struct core *c, struct group *g, struct node *n);
struct group *node_group(const struct core *c, const struct node *n);
bool          node_is_primary(const struct core *c, const struct node *n);
struct peer  *peer_new(struct core *c, const char *run_id, const struct addr *a);
void          peer_free(struct core *c, struct peer *p);
struct seat  *seat_new(struct core *c, struct group *g, struct peer *p);         /* NULL: the group is full */
void          seat_free(struct core *c, struct group *g, core_id peer);          /* forgets a peer without seats */

void model_settings_changed(struct core *c);                  /* periods: look at every deadline again */
void touch(struct core *c, struct group *g);                 /* work through g before the step ends */
void due_set(struct core *c, struct due *d, int64_t at_ms);
static inline void wake(struct group *g, int64_t at_ms)      /* while the group is worked through */
{
    if (at_ms < g->next_ms)
        g->next_ms = at_ms;
}
struct link_ref link_cmd(const struct node *n);
struct link_ref link_sub(const struct node *n);
struct link_ref link_peer(const struct peer *p);

/* --- say.c: one verb per action --------------------------------------------------- */
void say_save(struct core *c);
void say_save_must(struct core *c);
void say_open(struct core *c, struct link_ref l, const struct addr *to);
void say_link(struct core *c, enum action_kind k, struct link_ref l);            /* close, drop, ping, info, script kill */
void say_hello(struct core *c, const struct group *g, struct link_ref l);
void say_ask(struct core *c, const struct group *g, const struct peer *p, uint64_t epoch, const char *candidate);
void say_promote(struct core *c, const struct node *n);
void say_repoint(struct core *c, const struct node *n, const struct addr *to);
void say_seal(struct core *c, const struct node *n);
void say_hand_over(struct core *c, const struct node *primary, const struct addr *to, int64_t ms);
void say_call_back(struct core *c, const struct node *primary);
void say_keep(struct core *c, const struct node *n);
void say_answer(struct core *c, uint64_t ticket, bool down, const char *leader, uint64_t epoch);
void say_reply(struct core *c, uint64_t ticket, const char *error);              /* error NULL = OK */
void say_client_reconfig(struct core *c, const struct group *g, bool leader, const struct addr *from, const struct addr *to);
void say_directory(struct core *c, const struct group *g);
/* Events. The payload begins with whom it is about; `more` follows after a blank, may be NULL. */
void say_news(struct core *c, enum news n, const struct group *g, const char *more, ...) __attribute__((format(printf, 4, 5)));
void say_news_node(struct core *c, enum news w, const struct node *n, const char *more, ...) __attribute__((format(printf, 4, 5)));
void say_news_peer(struct core *c, enum news w, const struct group *g, const struct peer *p, const char *more, ...)
    __attribute__((format(printf, 5, 6)));
void say_news_bare(struct core *c, enum news n, const struct group *g, const char *text, ...) __attribute__((format(printf, 4, 5)));
void say_trace(struct core *c, const struct group *g, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* --- health.c ---------------------------------------------------------------------- */
void health_clock(struct core *c, int64_t now_ms);             /* a new step begins: time, and distrust of it */
void health_link_up(struct core *c, struct link_ref l);
void health_link_down(struct core *c, struct link_ref l, enum link_how how);
void health_pong(struct core *c, struct link_ref l, enum pong what);
void health_answer(struct core *c, const struct event *ev);    /* EV_ANSWER */
void health_suspected(struct core *c, struct group *g);        /* somebody asks about a primary: ask back */
void health_group(struct core *c, struct group *g);            /* chores, then sdown and odown */
void health_peer(struct core *c, struct peer *p);
void health_info_now(struct core *c, struct node *n);          /* ask for INFO, out of turn */
void health_ping_peer(struct core *c, struct peer *p);         /* ask for a sign of life, out of turn */
void health_hello_all(struct core *c, struct group *g);        /* tell everybody, out of turn */
void health_forget_verdicts(struct core *c, struct group *g);  /* after a switch: judge anew */
int64_t health_silent_ms(const struct core *c, const struct watch *w);

/* --- observe.c ---------------------------------------------------------------------- */
void observe_info(struct core *c, struct node *n, const struct node_info *info);
void observe_hello(struct core *c, struct link_ref via, const struct hello *h);
void observe_restore(struct core *c, const struct saved *s);
void observe_switch(struct core *c, struct group *g, struct node *to);     /* the group's primary is `to` now */
void observe_switch_to(struct core *c, struct group *g, const struct addr *to, uint64_t epoch, bool led);   /* EV_SWITCH */
struct node *observe_node(struct core *c, struct group *g, const struct addr *a, bool tell);   /* find or begin to watch */

/* --- election.c --------------------------------------------------------------------- */
void election_asked(struct core *c, const struct event *ev);
void election_bid(struct core *c, struct group *g);            /* a new epoch, our own vote, the save, the questions */
void election_save_failed(struct core *c);
bool election_see_epoch(struct core *c, uint64_t epoch);       /* true = it was news */
int  election_votes(const struct core *c, const struct group *g);
int  election_needed(const struct group *g);
bool election_settled(const struct core *c, const struct group *g);    /* nobody reachable still owes an answer */
bool election_another_won(const struct core *c, const struct group *g);        /* as far as we were told */
int  election_rank(const struct core *c, const struct group *g);       /* 0 = first among those at hand */
int  election_usable(const struct core *c, const struct group *g);     /* ourselves and the peers at hand */
int64_t election_turn_ms(struct core *c, const struct group *g);       /* how long to let others go first */
int64_t election_rebid_ms(struct core *c, const struct group *g);      /* how long to wait after a bid that failed */
int64_t election_patience_ms(struct core *c, const struct group *g);   /* how long a bid waits for votes */

/* --- choose.c ------------------------------------------------------------------------ */
/* The best replica, or NULL; fills node.refused of all. fresh: only those that answered since we asked. */
struct node *choose_best(struct core *c, struct group *g, bool fresh);
bool         choose_possible(struct core *c, struct group *g);         /* the same question, nothing filled in */
/* When nobody is fit: the primary that all name, if it lives and says replica since it was started again from a configuration
 * older than its promotion, and nobody who can be heard says primary. Not in haste, a newer failover's hello may be on its way. NULL: no. */
struct node *choose_forgetful(const struct core *c, const struct group *g);
/* The primary has handed over to it: it says that it leads, and the primary that it follows it. */
bool         choose_has_office(const struct core *c, const struct group *g, const struct node *n);

/* --- lineage.c ------------------------------------------------------------------------ */
void lineage_note(struct group *g, const struct node *primary);        /* what the primary has now */
int64_t lineage_place(const struct group *g, const struct node *n);    /* the offset up to which it has that */

/* --- seal.c --------------------------------------------------------------------------- */
const struct addr *seal_hole(void);                            /* nobody is there */
bool seal_is_hole(const struct addr *a);
bool seal_stands(const struct node *n);                        /* it says that it follows nobody */
bool seal_wanted(const struct core *c, const struct group *g); /* somebody is still fed by the primary that is down */
void seal_all(struct core *c, struct group *g);
bool seal_answered(const struct group *g);                     /* every one that can be waited for */
bool seal_any(const struct group *g);                          /* one at least is sealed and told where it is */
void seal_order_done(struct core *c, struct node *n, bool ok);

/* --- failover.c ---------------------------------------------------------------------- */
void failover_group(struct core *c, struct group *g);          /* chores; moves as far as the facts go */
void failover_order(struct core *c, struct group *g, uint64_t ticket, bool coordinated); /* SENTINEL FAILOVER */
void failover_order_done(struct core *c, struct node *n, const struct event *ev);
void failover_supports(struct core *c, struct group *g);       /* we voted for another */
void failover_leader_gone(struct core *c, struct group *g);    /* ... whose link ended */
void failover_settled_elsewhere(struct core *c, struct group *g);      /* a newer configuration came, or a reset */
void failover_save_failed(struct core *c, struct group *g);
void failover_held_up(struct group *g, int64_t ms);            /* the save of its bid took so long */
bool failover_running(const struct group *g);                  /* as SENTINEL MASTER shows it */

/* --- hand_over.c ---------------------------------------------------------------------- */
bool hand_over_possible(const struct core *c, const struct group *g);  /* the primary is well and knows FAILOVER */
void hand_over_send(struct core *c, struct group *g);          /* to fo.promoted */
void hand_over_call_back(struct core *c, struct group *g);
int64_t hand_over_limit_ms(const struct core *c, const struct group *g);       /* how long FO_HANDING may last */
int64_t hand_over_back_limit_ms(void);                         /* ... FO_CALLING_BACK */
/* What is so in these two states: FE_PROMOTED, FE_REFUSED, FE_UNDONE or nothing (FO_EVENTS); asks on. */
enum fo_event hand_over_goes(struct core *c, struct group *g);
enum fo_event hand_over_goes_back(struct core *c, struct group *g);

/* --- repair.c ------------------------------------------------------------------------- */
void repair_group(struct core *c, struct group *g);

/* --- invariant.c ----------------------------------------------------------------------- */
const char *invariant_group(const struct core *c, const struct group *g);
void        invariant_step(struct core *c);                    /* CHECKs the groups this step touched */

#endif
