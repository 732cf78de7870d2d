/* One course of events for each rule that random walks rarely lead to: real rooms, every
 * message on its real way, but some are held back, nodes are cut apart and killed at the
 * moment that hurts. With the rule left out (plant.h) it ends in a broken promise; without
 * the bug it ends in nothing, wherever it stops.
 *
 * Sentinels are X, Y, Z; the members P (primary at the beginning, then the preferred one), A, B.
 * Nobody begins a try unless told to (`quiet`, `go`). */
#include "tests/sim/ha_sim.h"

#include "sentinel/core/formed_inside.h"

#include <stdio.h>
#include <string.h>

enum { X, Y, Z };
#define ALL (-1)

/* Until it is so, for so long; if it never is, the story ends here. */
#define NEED(ms, so)                                                                            \
    do {                                                                                        \
        int64_t end_us_ = w->now_us + (int64_t)(ms) * HS_MS;                                    \
        while (w->now_us < end_us_ && !(so) && hs_next(w))                                      \
            continue;                                                                           \
        if (w->violation[0] || !(so)) {                                                         \
            hs_trace(w, "story ends: %s", #so);                                                 \
            return;                                                                             \
        }                                                                                       \
    } while (0)

static void pass(struct hs_world *w, int64_t ms)
{
    int64_t end_us = w->now_us + ms * HS_MS;

    while (w->now_us < end_us && hs_next(w))
        continue;
}

/* --- who is who --------------------------------------------------------------------------------- */

static int node(const struct hs_world *w, int i) { return w->sc.voters + w->sc.spares + i; }
#define P (node(w, 0))
#define A (node(w, 1))
#define B (node(w, 2))
#define C (node(w, 3))

static struct hs_node *n(struct hs_world *w, int i) { return &w->proc[i].n; }
static const struct lead *lead(struct hs_world *w, int v) { return formed_lead(w->proc[v].v.f); }
static const struct ha_record *rec(struct hs_world *w, int v) { return &formed_voter(w->proc[v].v.f)->f.rec; }
static int64_t sure(const struct hs_world *w) { return (int64_t)w->sure.n; }
static int64_t len(struct hs_world *w, int i) { return (int64_t)w->proc[i].n.log.n; }
static uint64_t sure_epoch(const struct hs_world *w) { return w->sure.n ? w->sure.at[w->sure.n - 1].epoch : 0; }

static bool writes(struct hs_world *w, int i)
{
    return w->proc[i].alive && n(w, i)->m.state == HA_PRIMARY && member_may_write(&n(w, i)->m, hs_now(w, &w->proc[i]));
}

static bool follows(struct hs_world *w, int i, int of)
{
    return w->proc[i].alive && n(w, i)->m.state == HA_FOLLOWER && n(w, i)->follows == of && n(w, i)->streaming;
}

/* --- what is done to them ----------------------------------------------------------------------- */

static void quiet(struct hs_world *w, int v) { w->proc[v].v.f->next_try_ms = hs_now(w, &w->proc[v]) + 600000; }

static void go(struct hs_world *w, int v)
{
    w->proc[v].v.f->next_try_ms = 0;
    hs_give(w, &w->proc[v], (struct hs_item){.kind = IN_TICK});
}

static void all_quiet(struct hs_world *w)
{
    for (int v = 0; v < w->sc.voters + w->sc.spares; v++)
        quiet(w, v);
}

static void all_go(struct hs_world *w)
{
    for (int v = 0; v < w->sc.voters + w->sc.spares; v++)
        go(w, v);
}

/* This one takes the primary for dead, and acts upon it. */
static void promotes(struct hs_world *w, int v)
{
    hs_give(w, &w->proc[v], (struct hs_item){.kind = IN_ODOWN, .yes = true});
    go(w, v);
}

static void apart(struct hs_world *w, int a, int b, bool on)
{
    if (on == (w->cut[a][b] > 0))
        return;
    hs_cut(w, a, b, on);
    hs_cut(w, b, a, on);
}

/* Two sentinels do not hear each other; two rules, from the number returned. */
static int deaf(struct hs_world *w, int a, int b)
{
    int rule = hs_drop(w, a, b, HA_NOTHING);

    hs_drop(w, b, a, HA_NOTHING);
    return rule;
}

static void hear(struct hs_world *w, int rule)
{
    hs_let(w, rule);
    hs_let(w, rule + 1);
}

static void dies(struct hs_world *w, int i, int64_t back_ms) { hs_kill(w, &w->proc[i], false, back_ms < 0 ? -1 : back_ms * HS_MS); }

static void loses_its_disk(struct hs_world *w, int i, int64_t back_ms)
{
    hs_kill(w, &w->proc[i], true, back_ms * HS_MS);
    w->proc[i].disk_lost = true;
}

static void write_to(struct hs_world *w, int i) { hs_give(w, &w->proc[i], (struct hs_item){.kind = IN_WRITE, .x = ++w->values}); }

static void set_k(struct hs_world *w, int v, int k)
{
    static struct formed_want want;

    want = (struct formed_want){.mode = w->sc.mode, .fsync = w->sc.fsync, .voters = w->sc.voters, .timing = w->sc.timing, .k = k};
    hs_ask(w, &w->proc[v], &(struct formed_event){.kind = FV_SET, .want = &want});
}

/* --- beginnings --------------------------------------------------------------------------------- */

static void three(struct hs_scene *sc)
{
    sc->voters = 3;
    sc->nodes = sc->members = 3;
    sc->formed = true;
    sc->mode = HA_STRICT;
    sc->k = 1;
    sc->backlog = 100000;
    ha_timing_profile("lan", &sc->timing);
    sc->timing.heartbeat_ms = 150;
    for (int i = 0; i < HS_NODES_MAX; i++)
        sc->priority[i] = 10 * (i + 1);
}

static void three_k2(struct hs_scene *sc)
{
    three(sc);
    sc->k = 2;
}

static void four(struct hs_scene *sc)
{
    three(sc);
    sc->nodes = sc->members = 4;
}

static void three_waiting(struct hs_scene *sc)
{
    three(sc);
    sc->ha_group = true;
}

static void three_memory(struct hs_scene *sc)
{
    three(sc);
    sc->memory_only = true;
}

static void two_spares(struct hs_scene *sc)
{
    three(sc);
    sc->spares = 2;
}

static bool settled(struct hs_world *w)
{
    if (!writes(w, P) || w->sure_writes < 5)
        return false;
    for (int i = 1; i < w->sc.members; i++)
        if (!follows(w, node(w, i), P))
            return false;
    for (int v = 0; v < w->sc.voters; v++)
        if (lead(w, v)->state != LD_IDLE || !ha_record_same_place(rec(w, v), rec(w, 0)))
            return false;
    return true;
}

/* P leads, all follow, all voters hold its record, nobody begins anything. */
#define BEGIN()                  \
    do {                         \
        NEED(6000, settled(w));  \
        all_quiet(w);            \
    } while (0)

/* Everybody has the same log. */
static void level(struct hs_world *w)
{
    w->clients_off = true;
    pass(w, 100);
}

static void at_last(struct hs_world *w)
{
    w->clients_off = false;
    all_go(w);
    pass(w, 5000);
}

/* --- votes and records (R1) --------------------------------------------------------------------- */

/* A change to k = 1 is stored by its leader alone; a rival's ballot builds on k = 2, where one seal is enough. The change
 * then reaches a voter that promised the rival. */
static void record_any_ballot(struct hs_world *w)
{
    int late, rival;

    BEGIN();
    apart(w, P, B, true);
    hs_drop(w, P, Z, HA_RENEW);
    pass(w, 1000);
    late = hs_hold(w, X, Y, HA_RECORD);
    deaf(w, X, Z);
    set_k(w, X, 1);
    NEED(2000, lead(w, X)->state == LD_STORING);
    hs_drop(w, Z, P, HA_SEAL);
    hs_drop(w, Z, A, HA_SEAL);
    rival = hs_hold(w, Z, Y, HA_RECORD);
    promotes(w, Z);
    NEED(1500, lead(w, Z)->state == LD_STORING);
    hs_let(w, late);
    NEED(500, n(w, P)->m.rec.k == 1);
    NEED(500, sure(w) > len(w, B));
    hs_drop(w, P, ALL, HA_RENEW);
    hs_let(w, rival);
    at_last(w);
}

/* A member is dropped by a record that one voter holds. A leader that does not know of it has two of the three seals it needs
 * when that voter's answer comes late. */
static void base_moves(struct hs_world *w)
{
    int late;

    BEGIN();
    apart(w, P, B, true);
    apart(w, P, C, true);
    apart(w, A, B, true);
    NEED(1000, sure(w) > len(w, B) + 3);
    hs_drop(w, Z, X, HA_RECORD);
    hs_drop(w, Z, Y, HA_RECORD);
    hs_ask(w, &w->proc[Z], &(struct formed_event){.kind = FV_DROP_MEMBER, .id = w->proc[C].name});
    NEED(2000, lead(w, Z)->state == LD_STORING);
    hs_drop(w, P, X, HA_RENEW);
    hs_drop(w, P, Y, HA_RENEW);
    pass(w, 1000);
    late = hs_hold(w, Z, X, HA_VOTED);
    hs_drop(w, X, P, HA_SEAL);
    hs_drop(w, X, A, HA_SEAL);
    promotes(w, X);
    NEED(2000, lead(w, X)->state == LD_SEALING);
    pass(w, 250);
    hs_let(w, late);
    at_last(w);
}

/* A change to k = 1 is at a majority; a leader that missed it would go by k = 2, where one seal is enough. */
static void base_own(struct hs_world *w)
{
    BEGIN();
    deaf(w, Z, X);
    hs_drop(w, Y, Z, HA_RECORD);
    apart(w, P, B, true);
    set_k(w, X, 1);
    NEED(3000, n(w, P)->m.rec.k == 1 && n(w, P)->m.n_joints == 0);
    NEED(1000, sure(w) > len(w, B) + 2);
    quiet(w, X);
    hs_drop(w, Z, P, HA_SEAL);
    hs_drop(w, Z, A, HA_SEAL);
    hs_drop(w, P, ALL, HA_RENEW);
    promotes(w, Z);
    pass(w, 4000);
    at_last(w);
}

/* --- leases (R2, R3, T5) ------------------------------------------------------------------------ */

/* The only voter that both the old lease and the new record need is restarted. */
static void no_silence(struct hs_world *w)
{
    BEGIN();
    hs_drop(w, P, Z, HA_RENEW);
    hs_drop(w, P, A, HA_RENEW);
    hs_drop(w, P, B, HA_RENEW);
    hs_drop(w, Z, P, HA_SEAL);
    hs_drop(w, ALL, P, HA_FOLLOW);
    deaf(w, Z, X);
    pass(w, 1000);
    promotes(w, Z);
    NEED(3000, lead(w, Z)->state == LD_STORING);
    pass(w, 60);
    dies(w, Y, 2);
    hs_drop(w, P, Y, HA_RENEW);            /* it has no time to renew with it */
    pass(w, 1500);
}

/* The same, and the voter simply breaks its promise. */
static void promise_ignored(struct hs_world *w)
{
    BEGIN();
    hs_drop(w, P, Z, HA_RENEW);
    hs_drop(w, P, A, HA_RENEW);
    hs_drop(w, P, B, HA_RENEW);
    hs_drop(w, Z, P, HA_SEAL);
    hs_drop(w, ALL, P, HA_FOLLOW);
    pass(w, 1000);
    promotes(w, Z);
    pass(w, 3000);
}

/* The answers are late by most of a lease; what was promised runs from when it was said. */
static void lease_from_answer(struct hs_world *w)
{
    int held[3];

    BEGIN();
    hs_drop(w, P, A, HA_RENEW);
    hs_drop(w, P, B, HA_RENEW);
    hs_drop(w, ALL, P, HA_SEAL);
    hs_drop(w, ALL, P, HA_FOLLOW);
    pass(w, 500);
    for (int v = X; v <= Z; v++)
        held[v] = hs_hold(w, v, P, HA_LEASE);
    pass(w, 200);
    hs_drop(w, P, ALL, HA_RENEW);
    promotes(w, Z);
    pass(w, 500);
    for (int v = X; v <= Z; v++)
        hs_let(w, held[v]);
    pass(w, 3000);
}

/* The primary lives on its members' promises; a seal is answered as if there were none. */
static void seal_early(struct hs_world *w)
{
    BEGIN();
    for (int v = X; v <= Z; v++)
        hs_drop(w, P, v, HA_RENEW);
    hs_drop(w, ALL, P, HA_SEAL);
    hs_drop(w, ALL, P, HA_FOLLOW);
    pass(w, 900);
    promotes(w, Z);
    pass(w, 3000);
}

/* In a JOINT from k = 2 to k = 1 the promise of one member is no lease: one other seal makes a new primary. */
static void member_lease_old_config(struct hs_world *w)
{
    BEGIN();
    apart(w, P, B, true);
    hs_drop(w, X, Y, HA_RECORD);
    hs_drop(w, X, Z, HA_RECORD);
    set_k(w, X, 1);
    NEED(3000, n(w, P)->m.n_joints > 0);
    pass(w, 100);
    deaf(w, Z, X);
    hs_drop(w, Z, P, HA_SEAL);
    hs_drop(w, Z, A, HA_SEAL);
    hs_drop(w, ALL, P, HA_FOLLOW);
    hs_drop(w, ALL, A, HA_FOLLOW);
    for (int v = X; v <= Z; v++)
        hs_drop(w, P, v, HA_RENEW);
    promotes(w, Z);
    pass(w, 4000);
}

/* END is said and the promises are void; the old primary does not hear the seal. */
static void resume_after_end(struct hs_world *w)
{
    BEGIN();
    hs_drop(w, ALL, P, HA_SEAL);
    hs_drop(w, ALL, P, HA_FOLLOW);
    pass(w, 400);
    hs_ask(w, &w->proc[X], &(struct formed_event){.kind = FV_HAND_OVER, .id = ""});
    pass(w, 3000);
}

/* --- seals (R5, R8, R10) ------------------------------------------------------------------------- */

/* OPEN(3) waits on the wire while its node is sealed for the next ballot; then it arrives, and a member that the next ballot
 * did not ask confirms. */
static void open_not_sealed(struct hs_world *w)
{
    int late, stored;

    BEGIN();
    level(w);
    hs_drop(w, P, ALL, HA_RENEW);
    hs_drop(w, X, P, HA_SEAL);
    late = hs_hold(w, X, A, HA_OPEN);
    hs_drop(w, Y, A, HA_OPEN);
    hs_drop(w, Z, A, HA_OPEN);
    promotes(w, X);
    NEED(4000, lead(w, X)->state == LD_OPENING && rec(w, Y)->epoch == rec(w, X)->epoch && rec(w, Z)->epoch == rec(w, X)->epoch);
    quiet(w, X);
    hs_drop(w, Y, P, HA_SEAL);
    stored = hs_hold(w, Y, ALL, HA_RECORD);
    NEED(2000, lead(w, X)->state == LD_IDLE);
    hs_ask(w, &w->proc[Y], &(struct formed_event){.kind = FV_FORCE, .id = w->proc[B].name, .seals = 2});
    NEED(3000, lead(w, Y)->state == LD_STORING);
    all_quiet(w);
    hs_let(w, late);
    NEED(1000, writes(w, A));
    w->clients_off = false;
    NEED(2000, sure_epoch(w) == n(w, A)->m.epoch && sure_epoch(w) != 0);
    pass(w, 50);
    hs_drop(w, A, ALL, HA_RENEW);
    hs_let(w, stored);
    at_last(w);
}

/* A sealed member loses its disk, comes back, and acknowledges what its seal should have kept from it. */
static void ack_old_life(struct hs_world *w)
{
    int late;
    int64_t sealed_at;

    BEGIN();
    level(w);
    apart(w, P, A, true);
    hs_drop(w, Y, P, HA_SEAL);
    late = hs_hold(w, Y, A, HA_SEAL);
    promotes(w, Y);
    NEED(3000, lead(w, Y)->state == LD_SEALING && lead(w, Y)->seals.n == 3 && lead(w, Y)->seals.at[2].counted);
    sealed_at = len(w, B);
    loses_its_disk(w, B, 5);
    NEED(3000, follows(w, B, P));
    w->clients_off = false;
    NEED(1500, sure(w) > sealed_at + 2);
    hs_drop(w, P, ALL, HA_RENEW);
    hs_let(w, late);
    at_last(w);
}

/* Who had it lost its memory, who is left never had it. */
static void seal_new_life(struct hs_world *w)
{
    BEGIN();
    apart(w, P, A, true);
    NEED(1000, sure(w) > len(w, A) + 3);
    apart(w, P, B, true);
    dies(w, B, 5);
    dies(w, P, -1);
    at_last(w);
}

/* Four epochs: an entry of the first is confirmed in the third, while the second left a later one elsewhere. */
static void no_marker(struct hs_world *w)
{
    int64_t with;

    BEGIN();
    level(w);
    apart(w, P, A, true);
    apart(w, P, B, true);
    write_to(w, P);
    pass(w, 5);
    with = len(w, P);
    dies(w, P, -1);
    apart(w, A, B, true);
    all_go(w);
    NEED(6000, writes(w, A));
    write_to(w, A);
    pass(w, 5);
    dies(w, A, -1);
    apart(w, P, A, false);
    apart(w, P, B, false);
    hs_start(w, &w->proc[P]);
    NEED(8000, sure(w) >= with);
    dies(w, P, -1);
    apart(w, A, B, false);
    hs_start(w, &w->proc[A]);
    at_last(w);
}

/* The primary dies with many writes that it sent to nobody; its heir confirms a few in a later epoch and dies. Of the two that
 * are left the old one has more, and what it has counts less. */
static void offset_without_epoch(struct hs_world *w)
{
    BEGIN();
    level(w);
    apart(w, P, A, true);
    apart(w, P, B, true);
    for (int i = 0; i < 20; i++)
        write_to(w, P);
    pass(w, 20);
    dies(w, P, -1);
    all_go(w);
    NEED(6000, writes(w, A) && follows(w, B, A));
    write_to(w, A);
    NEED(1000, sure_epoch(w) == n(w, A)->m.epoch && len(w, B) < len(w, P));
    dies(w, A, -1);
    apart(w, P, B, false);
    hs_start(w, &w->proc[P]);
    at_last(w);
}

/* The preferred one did not get the tail in time and follows; then it is told again to fetch it. */
static void fetch_late(struct hs_world *w)
{
    int late;
    uint64_t epoch;

    BEGIN();
    apart(w, P, A, true);
    NEED(1000, sure(w) > len(w, A) + 5);
    level(w);
    dies(w, P, -1);
    late = hs_hold(w, ALL, A, HA_FETCH);
    promotes(w, X);
    NEED(6000, writes(w, B));
    all_quiet(w);
    epoch = n(w, B)->m.epoch;
    w->clients_off = false;
    NEED(3000, follows(w, A, B) && sure_epoch(w) == epoch && w->sure_writes > 0 && len(w, A) > 15);
    pass(w, 400);
    hs_let(w, late);
    NEED(1500, len(w, A) < sure(w) - 3);
    dies(w, B, -1);
    apart(w, P, A, false);
    hs_start(w, &w->proc[P]);
    at_last(w);
}

/* An empty process at an old address, and somebody's REPLICAOF. */
static void bound_takes_plain(struct hs_world *w)
{
    BEGIN();
    apart(w, P, A, true);
    NEED(1000, sure(w) > len(w, A) + 3);
    loses_its_disk(w, P, 10);
    NEED(1000, w->proc[P].alive && !w->proc[B].saving && n(w, B)->next >= n(w, B)->out.n);
    if (!member_takes_plain_orders(&n(w, B)->m))
        return;
    hs_node_role(w, &w->proc[B], P);
    NEED(2000, len(w, B) < 3);
    at_last(w);
}

/* --- changes (R9) --------------------------------------------------------------------------------- */

/* The primary confirms by a record that its leader alone holds, by one that nobody holds. */
static void joint_unstored(struct hs_world *w)
{
    BEGIN();
    apart(w, P, B, true);
    pass(w, 300);
    hs_drop(w, X, Y, HA_RECORD);
    hs_drop(w, X, Z, HA_RECORD);
    set_k(w, X, 1);
    NEED(3000, lead(w, X)->state == LD_STORING);
    NEED(500, sure(w) > len(w, B) + 2);
    deaf(w, Z, X);
    hs_drop(w, Z, P, HA_SEAL);
    hs_drop(w, Z, A, HA_SEAL);
    hs_drop(w, P, ALL, HA_RENEW);
    promotes(w, Z);
    at_last(w);
}

/* Two voters are replaced, one after the other, and the primary hears of neither: in the end its lease rests on voters
 * that a promotion does not ask. */
static void voters_without_joint(struct hs_world *w)
{
    static const char *const out[] = {"s2", "s1"}, *const in[] = {"s3", "s4"};

    BEGIN();
    hs_drop(w, ALL, P, HA_COMMITTED);
    hs_drop(w, P, A, HA_RENEW);
    hs_drop(w, P, B, HA_RENEW);
    for (int i = 0; i < 2; i++) {
        hs_ask(w, &w->proc[X], &(struct formed_event){.kind = FV_REPLACE_VOTER, .id = out[i], .id2 = in[i]});
        go(w, X);
        NEED(20000, ha_voter(rec(w, X), in[i]) && !ha_voter(rec(w, X), out[i]) && lead(w, X)->state == LD_IDLE);
    }
    all_quiet(w);
    for (int v = X; v <= Z; v++)
        for (int s = 3; s <= 4; s++)
            deaf(w, v, s);
    hs_drop(w, ALL, P, HA_SEAL);
    hs_drop(w, ALL, P, HA_FOLLOW);
    pass(w, 900);
    promotes(w, 3);
    pass(w, 3000);
}

/* A voter that lost its memory is put in its own place. */
static void voter_life_in_place(struct hs_world *w)
{
    BEGIN();
    loses_its_disk(w, Z, 5);
    NEED(1000, w->proc[Z].alive);
    quiet(w, Z);
    pass(w, 600);
    hs_ask(w, &w->proc[X], &(struct formed_event){.kind = FV_REPLACE_VOTER, .id = w->proc[Z].name, .id2 = w->proc[Z].name});
    go(w, X);
    pass(w, 4000);
}

/* A promotion of A stays at X. The others keep P alive: B, which was sealed and then lost its disk, comes back to it. What A
 * writes upon X's word alone must not stand above what P confirms. */
static int stranded_promotion(struct hs_world *w)
{
    int rule;

    hs_drop(w, ALL, P, HA_SEAL);
    hs_drop(w, X, Y, HA_RECORD);
    hs_drop(w, X, Z, HA_RECORD);
    hs_drop(w, P, X, HA_RENEW);
    hs_drop(w, P, A, HA_RENEW);
    hs_drop(w, P, B, HA_RENEW);
    hs_drop(w, A, Y, HA_STATUS);
    hs_drop(w, A, Z, HA_STATUS);
    for (int v = X; v <= Z; v++)
        hs_drop(w, v, P, HA_FOLLOW);
    pass(w, 1000);
    promotes(w, X);
    rule = deaf(w, X, Y);
    hs_let(w, rule);
    hs_let(w, rule + 1);
    return rule;
}

static void marker_unproved(struct hs_world *w)
{
    int xy, xz, open, status;
    uint64_t life;

    BEGIN();
    level(w);
    stranded_promotion(w);
    NEED(3000, lead(w, X)->state == LD_STORING && strcmp(lead(w, X)->chosen, w->proc[A].name) == 0);
    NEED(500, rec(w, X)->epoch == lead(w, X)->ballot);
    quiet(w, X);
    xy = deaf(w, X, Y);
    xz = deaf(w, X, Z);
    hs_drop(w, X, B, HA_FOLLOW);
    hs_drop(w, X, B, HA_BIND);
    open = hs_drop(w, P, ALL, HA_NOTHING);
    hs_let(w, open);
    status = hs_drop(w, B, X, HA_NOTHING);
    NEED(3000, n(w, A)->m.state == HA_PRIMARY);
    loses_its_disk(w, B, 5);
    NEED(4000, follows(w, B, P));
    life = n(w, B)->m.f.life;
    w->clients_off = false;
    go(w, Y);
    NEED(6000, n(w, P)->m.n_joints == 0 && ha_member(&n(w, P)->m.rec, w->proc[B].name)->life == life);
    NEED(2000, sure(w) > len(w, A) + 3);
    dies(w, P, -1);
    for (int i = 0; i < w->n_rules; i++)
        hs_let(w, i);
    (void)xy, (void)xz, (void)status;
    at_last(w);
}

/* As above; then A is proved by two voters with records of its epoch, but not the same one, and a rival in between
 * becomes the base. */
static void lease_pieced(struct hs_world *w)
{
    int xy, xz, yz, open, fol[4], n_fol = 0;
    uint64_t life;

    BEGIN();
    level(w);
    open = hs_drop(w, X, A, HA_OPEN);
    stranded_promotion(w);
    NEED(3000, lead(w, X)->state == LD_STORING && strcmp(lead(w, X)->chosen, w->proc[A].name) == 0);
    NEED(500, rec(w, X)->epoch == lead(w, X)->ballot);
    quiet(w, X);
    xy = deaf(w, X, Y);
    xz = deaf(w, X, Z);
    fol[n_fol++] = hs_drop(w, X, B, HA_FOLLOW);
    fol[n_fol++] = hs_drop(w, X, B, HA_BIND);
    fol[n_fol++] = hs_drop(w, Y, B, HA_FOLLOW);
    loses_its_disk(w, B, 5);
    NEED(1000, w->proc[B].alive);
    hs_let(w, fol[2]);
    NEED(4000, follows(w, B, P));
    life = n(w, B)->m.f.life;
    fol[2] = hs_drop(w, Y, B, HA_FOLLOW);
    /* the rival: a change that lets B in again, stored by Z alone; P is in its JOINT */
    hs_drop(w, Z, Y, HA_RECORD);
    go(w, Z);
    NEED(4000, lead(w, Z)->state == LD_STORING && rec(w, Z)->change == 1);
    quiet(w, Z);
    NEED(3000, lead(w, Z)->state == LD_IDLE);
    quiet(w, Z);
    /* Y stores the stranded promotion anew, alone */
    yz = deaf(w, Y, Z);
    hear(w, xy);
    hs_drop(w, Y, X, HA_RECORD);
    hs_drop(w, P, Y, HA_RENEW);
    go(w, Y);
    NEED(4000, rec(w, Y)->epoch == rec(w, X)->epoch);
    quiet(w, Y);
    /* A hears of it, from X */
    hs_let(w, open);
    NEED(3000, n(w, A)->m.state == HA_PRIMARY && n(w, A)->m.leased);
    pass(w, 20);
    hs_drop(w, A, ALL, HA_RENEW);
    deaf(w, X, Y);
    pass(w, 1000);
    /* X and Z: the rival is the highest that they hold */
    hear(w, xz);
    go(w, Z);
    NEED(6000, n(w, P)->m.n_joints == 0 && ha_member(&n(w, P)->m.rec, w->proc[B].name)->life == life);
    for (int i = 0; i < w->n_rules; i++)
        if (w->rule[i].from == P && w->rule[i].to == X)
            hs_let(w, i);
    w->clients_off = false;
    NEED(3000, sure(w) > len(w, A) + 3);
    (void)yz;
    dies(w, P, -1);
    for (int i = 0; i < w->n_rules; i++)
        hs_let(w, i);
    at_last(w);
}

static const struct hs_story stories[] = {
    { PLANT_RECORD_ANY_BALLOT,    three_k2,      record_any_ballot },
    { PLANT_BASE_OWN,             three_k2,      base_own },
    { PLANT_BASE_MOVES,           four,          base_moves },
    { PLANT_NO_SILENCE,           three,         no_silence },
    { PLANT_RESUME_AFTER_END,     three,         resume_after_end },
    { PLANT_PROMISE_IGNORED,      three,         promise_ignored },
    { PLANT_LEASE_FROM_ANSWER,    three,         lease_from_answer },
    { PLANT_SEAL_EARLY,           three,         seal_early },
    { PLANT_VOTER_LIFE_IN_PLACE,  three,         voter_life_in_place },
    { PLANT_OPEN_NOT_SEALED,      three,         open_not_sealed },
    { PLANT_ACK_OLD_LIFE,         three_waiting, ack_old_life },
    { PLANT_SEAL_NEW_LIFE,        three_memory,  seal_new_life },
    { PLANT_NO_MARKER,            three,         no_marker },
    { PLANT_OFFSET_WITHOUT_EPOCH, three,         offset_without_epoch },
    { PLANT_FETCH_LATE,           three,         fetch_late },
    { PLANT_BOUND_TAKES_PLAIN,    three,         bound_takes_plain },
    { PLANT_JOINT_UNSTORED,       three_k2,      joint_unstored },
    { PLANT_JOINT_DROPPED_AT_JOINT, three_k2,    joint_unstored },
    { PLANT_JOINT_DROPPED_AT_READY, three_k2,    joint_unstored },
    { PLANT_MEMBER_LEASE_OLD_CONFIG, three_k2,   member_lease_old_config },
    { PLANT_VOTERS_WITHOUT_JOINT, two_spares,    voters_without_joint },
    { PLANT_MARKER_UNPROVED,      three_waiting, marker_unproved },
    { PLANT_LEASE_PIECED,         three_waiting, lease_pieced },
};

const struct hs_story *hs_story(enum plant plant)
{
    for (size_t i = 0; i < sizeof stories / sizeof stories[0]; i++)
        if (stories[i].plant == plant)
            return &stories[i];
    return NULL;
}
