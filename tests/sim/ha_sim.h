/* Simulation of one formed group: the real `struct formed` in each sentinel, the real
 * `struct member` in each data node, under virtual time; one seed is one run.
 *
 *   ha_world.c  the queue of what is due, the beginning and the end
 *   ha_net.c    datagrams and replication links
 *   ha_proc.c   processes: inboxes, starts, kills, pauses, cuts
 *   ha_turn.c   the world's own round: links, health, clients, plain sentinels, operators who form
 *   ha_voter.c  a sentinel: its list carried out in order, its disk
 *   ha_node.c   a data node: orders carried out, its disks, clients' commands
 *   ha_log.c    the pretend log and its replication
 *   ha_judge.c  what must never be, and what must come after healing
 *   ha_rules.c  messages that a story drops, or holds until it lets them go
 *   ha_chaos.c  what goes wrong
 *   ha_story.c  one course of events for each rule that random walks rarely lead to
 *   ha_loaded.c failovers on a busy machine: how long they take
 *   ha_main.c   scenes, seeds, bugs on purpose
 *
 * True time is in microseconds and known to the world alone; each process has a clock of
 * its own. A message between a sentinel and anybody is a datagram; a replication link
 * keeps order. A process that saves, or is paused, does nothing else: what reaches it
 * waits in its inbox. */
#ifndef KV_SIM_HA_SIM_H
#define KV_SIM_HA_SIM_H

#include "common/base/plant.h"
#include "common/base/rng.h"
#include "common/base/vec.h"
#include "kvnode/role/member.h"
#include "sentinel/core/formed.h"
#include "tests/sim/drift.h"

#define HS_VOTERS_MAX 6                /* five and a spare */
#define HS_NODES_MAX 5
#define HS_PROCS_MAX (HS_VOTERS_MAX + HS_NODES_MAX)
#define HS_MS 1000                     /* microseconds */

enum hs_kind {
    /* of the world */
    HD_PACKET,             /* body: packet; a datagram arrives */
    HD_LINK,               /* x: replication link, y: direction; its head arrives */
    HD_TIMER, HD_SAVED, HD_SYNCED, HD_START, HD_THAW,
    HD_TURN,               /* the world's own round: links, health, clients */
    HD_FAULT, HD_FAULT_OVER,
    HD_WAKE,               /* a busy machine: it comes to its inbox now */
    HD_REDIAL,             /* x: voter, gen: of the node's process that is gone; its link closed, it dials again */
    /* what reaches a process */
    IN_TICK, IN_MSG, IN_REPL, IN_PEER, IN_NODE, IN_VOTER_UP, IN_LINK_GONE, IN_REPLICA_UP, IN_LOG, IN_FOLLOWS,
    IN_ROLE, IN_ODOWN, IN_EVIDENCE, IN_ASK, IN_WRITE, IN_READ, IN_FETCHED, IN_HEALTH, IN_LEAVE
};

struct hs_entry { uint64_t epoch, value; };     /* value 0: the epoch's marker */
typedef VEC(struct hs_entry) hs_log;

enum hs_pkt { PK_MSG, PK_REQ, PK_PART, PK_FULL, PK_DATA };

struct hs_packet {
    enum hs_pkt what;
    int from, to;
    struct ha_msg msg;                 /* PK_MSG */
    struct ha_record *rec;             /* its record, or NULL; owned */
    int64_t at;                        /* PK_REQ: fetch up to, -1 = stream; PK_PART: common point; PK_DATA: first offset */
    hs_log log;                        /* PK_REQ: the asker's log; PK_FULL, PK_DATA */
};

/* Something due, or something in an inbox. */
struct hs_item {
    int64_t at_us;
    uint64_t seq;
    enum hs_kind kind;
    int proc;
    uint32_t gen;
    uint64_t x, y;
    int64_t z;
    bool yes, refused;
    struct hs_packet *pkt;             /* owned */
    struct formed_event *ask;          /* owned; IN_ASK */
};

struct hs_wait { bool read; uint64_t value, dissolves; int64_t offset, need; };

/* A replication link: dst replicates from src, or fetches from it. */
struct hs_link {
    uint64_t id;
    int src, dst;
    bool open, fetch;
    bool asked;                        /* src knows where dst stands */
    bool may_stream;                   /* src's member said HA_STREAM (or src is plain) */
    bool answered;                     /* PK_PART or PK_FULL is out */
    bool taking;                       /* dst's member let the stream in */
    int64_t fetch_to, sent;
    hs_log asker;                      /* dst's log when it asked */
    struct {
        VEC(struct hs_packet *) q;
        size_t at;
        bool due;
        int64_t last_us, stuck_us;
    } dir[2];                          /* 0: from src to dst */
};

struct hs_voter {
    struct formed *f;
    struct formed_out out;
    size_t next;
    bool has_kept;
    struct voter_facts kept, coming;
    uint64_t life;                     /* of this memory */
    uint64_t links[HS_PROCS_MAX];      /* control link to each node; 0 = none */
    bool peers[HS_PROCS_MAX];
    bool odown, saved;                 /* saved: the present list held a save; FV_SAVED follows it */
    int64_t heard_us[HS_PROCS_MAX];
    enum lead_state last_state;
};

struct hs_node {
    struct member m;
    struct member_orders out;
    int next;
    struct member_facts kept, coming;
    bool memory_only;
    hs_log log;
    int64_t synced, syncing;           /* how much is on disk; being written, -1 = nothing */
    int64_t confirmed;                 /* -1 */
    int64_t told;                      /* log length last said to the member */
    int follows;                       /* process, -1 */
    uint64_t up;                       /* replication link to it, 0 */
    bool streaming;                    /* ME_FOLLOWS yes was said */
    bool fetching;
    int fetch_from;
    struct ha_position fetch_pos;
    uint64_t fetch_ballot;
    int64_t fetch_until_us;
    uint64_t voter_link[HS_PROCS_MAX];
    VEC(struct hs_wait) waits;
    uint64_t take_link;                /* once this list is through: let the stream in */
    struct hs_packet *full;            /* once this list is through: replace the log */
    bool opened_any, plain_order;      /* plain_order: it follows by REPLICAOF, not by its member */
    uint64_t last_gid;                 /* of the group it is or was last bound to */
};

struct hs_proc {
    int id;
    bool node, alive, paused, saving, save_fails, disk_lost;
    bool asleep, running;              /* asleep: woken, but not on a processor yet (hs_scene.wake_us) */
    uint32_t gen;                      /* start number */
    char name[ID_MAX];
    struct addr addr;
    struct drift clock;
    uint64_t timer_seq;
    int crash_after;                   /* steps of the list until it dies; -1 = not planned */
    int64_t back_in_us;                /* ... and how long it then stays away */
    VEC(struct hs_item) inbox;
    size_t in_at;
    struct hs_voter v;
    struct hs_node n;
};

struct hs_scene {
    int voters, spares, nodes, members;
    enum ha_mode mode;
    bool ha_group;                     /* nodes wait for their group: fenced until bound */
    int priority[HS_NODES_MAX];        /* 0 = the usual */
    bool no_rollback;                  /* a log that went another way is not rolled back: a full copy, hence a new life (as kvnode does) */
    bool all_data;                     /* cold: each node has data of its own, an operator chooses */
    int64_t drop_after_ms;             /* strict: a member gone for so long leaves */
    bool fsync, formed, cold, bad_clocks, amnesia, changes, handovers, memory_only, forces, dissolves;
    int k, backlog;
    int64_t chaos_us, fault_every_us;
    int64_t wake_us;                   /* a busy machine: a process comes to its inbox up to so much late; 0 = at once */
    int64_t save_min_us, save_max_us;  /* how long saves take; 0 = as usual */
    unsigned loss_pm, dup_pm, late_pm, stop_leader_pm, strand_pm, bounce_pm, focus;
    struct ha_timing timing;
};

struct hs_tally {
    uint64_t events, steps, writes, acked, refused, unconfirmed, reads, kills, powers, cuts, pauses, amnesias, elections, opened,
        handovers, changes, dropped, doubled, late, saves, save_fails, fetches, full_copies, rolled_back, formed, excused, calm, calm_ms,
        forced, forced_lost, dissolved, left, async_told, async_lost, named, by_force;
};

struct hs_owner { uint64_t epoch, incarnation; int node; uint32_t gen; };
/* The highest numbers that a memory had on its disk. */
struct hs_past { uint64_t life, sealed, bound, promised; };

/* What a story does with messages. */
struct hs_rule {
    int from, to;                      /* -1 = any */
    enum ha_kind kind;                 /* HA_NOTHING = all */
    bool on, hold;
    VEC(struct hs_packet *) held;
};
#define HS_RULES_MAX 48
struct hs_vote { uint64_t life, ballot; char who[ID_MAX]; };

struct hs_world {
    uint64_t seed;
    struct rng rng;
    struct hs_scene sc;
    int64_t now_us;
    uint64_t seq, ids, values, links_made;
    VEC(struct hs_item) heap;
    int n_procs;
    struct hs_proc proc[HS_PROCS_MAX];
    VEC(struct hs_link *) links;
    int cut[HS_PROCS_MAX][HS_PROCS_MAX];
    int64_t cut_since_us[HS_PROCS_MAX][HS_PROCS_MAX];
    bool chaos;                        /* things go wrong */
    int64_t next_form_us;
    bool trace;
    char violation[400];
    bool stuck;                        /* ... and it is only that calm did not come */
    struct hs_tally t;
    bool clients_off;
    int n_rules;
    struct hs_rule rule[HS_RULES_MAX];
    /* judge */
    VEC(uint64_t) forced;              /* ballots of an operator's FORCE that got as far as a record */
    uint64_t forced_epoch;             /* the last of them that was opened: what older epochs say is its price */
    int forced_so_often;               /* after healing: every third time nodes are started again instead, and it is said soon after */
    uint64_t gone_gid;                 /* let go by force from the nodes' words alone: no sentinel held its record */
    uint64_t dissolves;                /* how often the group became plain again: no promise outlives that */
    hs_log told;                       /* async: what clients were told, by offset */
    VEC(struct hs_past) pasts;
    hs_log sure;                       /* what is confirmed, in one order */
    VEC(uint64_t) sure_in;             /* ... and in which epoch it was confirmed: later ones must contain it */
    int64_t sure_writes;               /* offset after the last write in it that somebody was told of */
    VEC(struct hs_owner) owners;
    VEC(struct hs_vote) votes;
    int64_t healed_us, calm_us;
    uint64_t acked_at_heal;
    bool opened_in_calm;
};

/* --- ha_world.c --- */
void hs_begin(struct hs_world *w, uint64_t seed, const struct hs_scene *sc);
void hs_end(struct hs_world *w);
void hs_due(struct hs_world *w, int64_t in_us, struct hs_item it);
bool hs_next(struct hs_world *w);                          /* one thing that is due; false: nothing is */
void hs_give(struct hs_world *w, struct hs_proc *p, struct hs_item it);       /* into its inbox; proc runs it when it can */
int64_t hs_save_us(struct hs_world *w);                    /* how long the save that begins now takes */
void hs_run_proc(struct hs_world *w, struct hs_proc *p);
void hs_datagram(struct hs_world *w, int from, int to, const struct ha_msg *m);
void hs_repl(struct hs_world *w, struct hs_link *l, int dir, struct hs_packet *pkt);
struct hs_link *hs_link(struct hs_world *w, uint64_t id);  /* NULL: it is over */
struct hs_link *hs_connect(struct hs_world *w, int src, int dst, bool fetch);
void hs_close(struct hs_world *w, struct hs_link *l);
void hs_kill(struct hs_world *w, struct hs_proc *p, bool power, int64_t back_in_us);
void hs_start(struct hs_world *w, struct hs_proc *p);
void hs_pause(struct hs_world *w, struct hs_proc *p, int64_t for_us);
void hs_cut(struct hs_world *w, int a, int b, bool on);    /* one way */
int64_t hs_now(const struct hs_world *w, const struct hs_proc *p);            /* its clock, ms */
int  hs_by_name(const struct hs_world *w, const char *id); /* -1 */
int  hs_by_addr(const struct hs_world *w, const struct addr *a);
uint64_t hs_id(struct hs_world *w);                        /* a fresh life or incarnation */
struct hs_packet *hs_packet(enum hs_pkt what, int from, int to, const struct ha_msg *m);
void hs_packet_free(struct hs_packet *p);
void hs_log_copy(hs_log *to, const hs_log *from, int64_t at, int64_t end);
void hs_trace(struct hs_world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void hs_violation(struct hs_world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* --- ha_rules.c --- */
int  hs_drop(struct hs_world *w, int from, int to, enum ha_kind kind);        /* number of the rule */
int  hs_hold(struct hs_world *w, int from, int to, enum ha_kind kind);
void hs_let(struct hs_world *w, int rule);                 /* it is over; what it held arrives now */
bool hs_ruled(struct hs_world *w, int from, int to, const struct ha_msg *m);  /* true: it does not leave now */
void hs_rules_end(struct hs_world *w);

/* --- ha_voter.c --- */
void hs_voter_start(struct hs_world *w, struct hs_proc *p);
void hs_voter_stop(struct hs_world *w, struct hs_proc *p);
bool hs_voter_carry(struct hs_world *w, struct hs_proc *p);    /* one action; false: none is left */
void hs_voter_take(struct hs_world *w, struct hs_proc *p, const struct hs_item *it);
void hs_voter_saved(struct hs_world *w, struct hs_proc *p);

/* --- ha_node.c --- */
void hs_node_start(struct hs_world *w, struct hs_proc *p);
void hs_node_stop(struct hs_world *w, struct hs_proc *p, bool power);
void hs_node_role(struct hs_world *w, struct hs_proc *p, int follows);        /* a plain order, obeyed */
bool hs_node_carry(struct hs_world *w, struct hs_proc *p);
void hs_node_take(struct hs_world *w, struct hs_proc *p, const struct hs_item *it);
void hs_node_saved(struct hs_world *w, struct hs_proc *p);
void hs_node_step(struct hs_world *w, struct hs_proc *p, struct member_event *ev);

/* --- ha_log.c --- */
struct ha_position hs_end_of(const hs_log *l);
void hs_log_turn(struct hs_world *w, struct hs_proc *p);       /* connects, gives up fetches */
void hs_log_flush(struct hs_world *w, struct hs_proc *p);      /* new entries to those who follow; tells the member */
void hs_log_take(struct hs_world *w, struct hs_proc *p, struct hs_link *l, struct hs_packet *pkt);
void hs_log_replace(struct hs_world *w, struct hs_proc *p, struct hs_packet *full);
void hs_log_synced(struct hs_world *w, struct hs_proc *p);
void hs_log_leave(struct hs_world *w, struct hs_proc *p, bool followers_too);   /* closes its links */

/* --- ha_judge.c --- */
void hs_judge_step(struct hs_world *w, struct hs_proc *p);    /* NULL: the moment; else what p has on disk now */
void hs_judge_forces(struct hs_world *w, uint64_t ballot);
void hs_judge_released(struct hs_world *w, uint64_t gid);  /* a node was let go from this id: was it dissolved? */
const struct ha_record *hs_newest(struct hs_world *w);     /* record of a sentinel that is alive; NULL */
const struct ha_record *hs_newest_kept(struct hs_world *w);            /* ... or on a disk */
void hs_judge_told(struct hs_world *w, struct hs_proc *p, uint64_t value);    /* async: a write was answered */
void hs_judge_opens(struct hs_world *w, struct hs_proc *p, uint64_t epoch);
void hs_judge_confirmed(struct hs_world *w, struct hs_proc *p, int64_t offset);
void hs_judge_sealed(struct hs_world *w, struct hs_proc *p, const struct ha_msg *seal);   /* it took this SEAL */
void hs_judge_record(struct hs_world *w, struct hs_proc *p, const struct ha_record *r);   /* a leader sends it out */
void hs_judge_voted(struct hs_world *w, uint64_t life, uint64_t ballot, const char *who);
bool hs_judge_calm(struct hs_world *w, const char **lacks);
extern const char hs_members_lost[], hs_voters_lost[];             /* excuses */
const char *hs_judge_excuse(struct hs_world *w);           /* why calm cannot be demanded; NULL: it can */
struct hs_proc *hs_primary(struct hs_world *w);            /* of the highest epoch, NULL */

/* --- ha_story.c --- */
struct hs_story {
    enum plant plant;                  /* the rule it shows to be needed: with this bug it ends in a broken promise */
    void (*scene)(struct hs_scene *sc);
    void (*play)(struct hs_world *w);
};
const struct hs_story *hs_story(enum plant plant);         /* NULL: random walks find that one */

/* --- ha_chaos.c --- */
void hs_ask(struct hs_world *w, struct hs_proc *v, const struct formed_event *ev);    /* an operator's word, with a ticket */
void hs_scene(uint64_t seed, struct hs_scene *out);
void hs_chaos_begin(struct hs_world *w);
void hs_chaos_fault(struct hs_world *w);
void hs_chaos_over(struct hs_world *w, const struct hs_item *it);
void hs_chaos_heal(struct hs_world *w);
/* An operator's way out: the longest log shall lead, of whichever life, or the group is dissolved by force. */
void hs_chaos_force(struct hs_world *w, const char *excuse);
/* Asked where it hurts: after a step of a leader, as a message leaves, as a save begins. */
void hs_chaos_stepped(struct hs_world *w, struct hs_proc *p);
void hs_chaos_sent(struct hs_world *w, struct hs_proc *p, const struct ha_msg *m);

#endif
