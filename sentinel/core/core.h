/* The door of the quiet room. core is told what happened and answers with what to do;
 * it never asks for the time, never sends, never waits, never calls back.
 *
 *     struct core *c = core_new("<40 hex digits>", seed);
 *     core_step(c, &(struct event){.kind = EV_GROUP_ADD, .now_ms = now, ...}, &out);
 *     for each of out: carry it out, in order
 *     sleep until something happens or core_deadline_ms(c), then EV_TICK
 *
 * Same id, same seed, same events: same actions. */
#ifndef KV_SENTINEL_CORE_H
#define KV_SENTINEL_CORE_H

#include "sentinel/core/action.h"
#include "sentinel/core/event.h"
#include "sentinel/core/saved.h"

struct core;

/* Periods and limits, all in ms, all settable (SENTINEL DEBUG, tests). A test that wants
 * no chance in it sets both jitters to 0. */
struct core_timing {
    int64_t ping_ms;               /* 1000; down-after if that is shorter; a primary also every tenth of it */
    int64_t info_ms;               /* 10000; 1000 or less while it matters, see info_fast_ms */
    int64_t info_fast_ms;          /* 1000: replicas of a primary that is down or being replaced */
    int64_t hello_ms;              /* 2000 */
    int64_t ask_ms;                /* 1000: how often peers are asked again about a primary we hold down */
    int64_t default_down_after_ms; /* 30000: for groups added later */
    int64_t default_failover_timeout_ms;   /* 180000: the same */
    int64_t tilt_trigger_ms;       /* 2000: a turn this late means that we, not they, were away */
    int64_t tilt_period_ms;        /* 30000: how long we say so */
    int64_t reconf_timeout_ms;     /* 10000: one replica's repointing */
    int64_t link_stuck_ms;         /* 15000: a link younger than this is not called stuck */
    int64_t election_ms;           /* 10000: the longest wait for votes, or for one we voted for */
    int64_t bid_stagger_ms;        /* 15: rank among the sentinels x this = wait before bidding */
    int64_t bid_jitter_ms;         /* 5: plus 0..this */
    int64_t rebid_min_ms;          /* 50: after a split vote try again in min..max (who has fewer votes after that), */
    int64_t rebid_max_ms;          /* 300: doubled for each further try, up to election_ms */
    int64_t asking_ms;             /* 300: wait for the replicas' offsets before choosing */
    int64_t sealing_ms;            /* 300: then for their seals; 0 = nobody is ever sealed */
    int64_t hand_over_ms;          /* 1000: how long writes may wait for a planned switch that can be forced otherwise */
    int64_t hand_over_only_ms;     /* 5000: the same when it is coordinated or not at all; at most failover-timeout */
    int64_t repair_grace_ms;       /* 2000: how long a stray may say the wrong thing before we correct it */
};
void core_timing_default(struct core_timing *t);

/* my_id: 40 hex digits, ours for life; copied. seed: for jitter only. */
struct core *core_new(const char *my_id, uint64_t seed);
void         core_free(struct core *c);

/* One step. `out` is appended to (clear it first). */
void    core_step(struct core *c, const struct event *ev, struct actions *out);
int64_t core_deadline_ms(const struct core *c);      /* hand in EV_TICK then; NEVER_MS = nothing to wait for */

/* Everything ACT_SAVE must put on disk; `out` is initialised, the caller frees it. */
void core_saved(const struct core *c, struct saved *out);

/* What must hold after every step: NULL, or what is wrong (static text). core_step CHECKs it;
 * tests may ask themselves. */
const char *core_check(const struct core *c);

/* --- the view: read-only, good until the next core_step ------------------------------- */

struct core_counts {               /* since the start; for INFO and metrics */
    uint64_t steps, votes_given, bids, elections_won, failovers, failovers_failed, vetoes, tilts;
};

const char *core_my_id(const struct core *c);
uint64_t    core_current_epoch(const struct core *c);
bool        core_in_tilt(const struct core *c);
int64_t     core_tilt_since_ms(const struct core *c);         /* 0 = not in tilt */
bool        core_save_broken(const struct core *c);           /* the last save failed: we do not vote */
/* How long the save that was just made took. Others' disks are as slow: they are waited for so much longer. */
void        core_save_took(struct core *c, int64_t ms);
const struct core_timing *core_timing_now(const struct core *c);
const struct core_counts *core_counts(const struct core *c);

size_t              core_group_count(const struct core *c);
const struct group *core_group_at(const struct core *c, size_t i);   /* in the order they were added */
const struct group *core_group(const struct core *c, core_id id);    /* NULL = gone */
const struct group *core_group_named(const struct core *c, const char *name);
const struct node  *core_node(const struct core *c, core_id id);
const struct peer  *core_peer(const struct core *c, core_id id);
const struct node  *core_primary(const struct core *c, const struct group *g);    /* never NULL */
const struct seat  *core_seat(const struct group *g, core_id peer);

/* Groups that the last step touched: whoever keeps more about a group looks there. */
size_t      core_touched_count(const struct core *c);
core_id     core_touched_at(const struct core *c, size_t i);

/* GET-MASTER-ADDR-BY-NAME: where clients of this group shall go now. */
const struct addr *core_client_addr(const struct core *c, const struct group *g);

/* CKQUORUM: sentinels of the group that answer, ourselves included; how many there are;
 * and whether those suffice for the quorum and for a majority. */
struct quorum_view {
    int usable, voters;
    bool quorum_ok, majority_ok;
};
struct quorum_view core_quorum(const struct core *c, const struct group *g);

/* EXPLAIN, as far as is known without asking anew: why this node would not be promoted (REFUSED_NOT: it might be), and
 * who would; NULL = nobody. */
/* Whose history a node has, by replication ids. Offsets can be compared within the first two. */
enum lineage {
    LINEAGE_SAME,                  /* the primary's, or nobody can tell */
    LINEAGE_UNSEEN,                /* not seen at the primary, but it followed it: the primary may have begun a new one unseen */
    LINEAGE_OLDER,                 /* one that a primary of this group had before */
    LINEAGE_OTHER                  /* none of this group: a foreign node, or one that lost its data */
};
bool               core_is_sealed(const struct node *n);        /* follows nobody since a failover began */
enum lineage       core_lineage(const struct core *c, const struct node *n);
enum refusal       core_refusal(const struct core *c, const struct node *n);
const struct node *core_would_promote(const struct core *c, const struct group *g);

/* "master,s_down,..." for SENTINEL MASTER/REPLICAS/SENTINELS, in the order stock clients know. */
#define FLAGS_MAX 192
const char *core_node_flags(const struct core *c, const struct node *n, char out[FLAGS_MAX]);
const char *core_seat_flags(const struct core *c, const struct seat *s, char out[FLAGS_MAX]);

#endif
