/* The course of one random run. */
#include "tests/sim/run.h"

#include "common/base/timeval.h"
#include "tests/sim/faults.h"
#include "tests/sim/judge.h"
#include "tests/sim/sim_kvnode.h"
#include "tests/sim/story.h"

#include <stdio.h>
#include <string.h>

#define WARM_WITHIN_MS 60000

/* How long it may take from healing to calm. The longest waits one after the other: a clock that
 * jumped puts a sentinel into tilt (30 s), or a failover that began badly runs into its timeout; then
 * down-after, an election, repairs and repointing. */
static int64_t calm_within_ms(const struct world *w)
{
    return 45000 + w->scene.failover_timeout_ms + w->scene.down_after_ms;
}

void run_place_nodes(struct world *w)
{
    for (int g = 0; g < w->scene.groups; g++) {
        int never = w->quiet_network || !rng_chance(&w->rng, 150) ? -1 : (int)rng_below(&w->rng, (uint64_t)w->scene.nodes);
        for (int i = 0; i < w->scene.nodes; i++)
            kvnode_configure(world_node(w, g, i)->node, i == 0 ? -1 : world_node(w, g, 0)->id, i == never && !w->scene.loose ? 0 : 100);
    }
}

/* --- the drill: one clean failure, and a stopwatch ----------------------------------------- */

enum drill { DRILL_KILL, DRILL_HANG, DRILL_POWER, DRILL_ISOLATE, DRILL_SHORT_HANG, DRILLS };

static const char *const drill_names[DRILLS] = {"kill", "hang", "power cut", "isolation", "short hang"};

static void isolate(struct world *w, int host, bool cut)
{
    for (int i = 0; i < w->nhosts; i++) {
        net_cut(w, host, i, cut);
        net_cut(w, i, host, cut);
    }
}

static void strike(struct world *w, enum drill d, struct proc *p)
{
    story_note(w, "drill: %s of %s", drill_names[d], p->name);
    switch (d) {
    case DRILL_KILL: world_kill(w, p); break;
    case DRILL_HANG: world_freeze(w, p, NEVER_MS); break;
    case DRILL_POWER: world_power_cut(w, p->host); break;
    case DRILL_ISOLATE: isolate(w, p->host, true); break;
    case DRILL_SHORT_HANG: world_freeze(w, p, w->scene.down_after_ms * 6 / 10); break;
    case DRILLS: break;
    }
}

static void undo(struct world *w, enum drill d, struct proc *p)
{
    story_note(w, "the drill is over");
    switch (d) {
    case DRILL_KILL: world_start(w, p); break;
    case DRILL_HANG: world_thaw(w, p); break;
    case DRILL_POWER: world_power_on(w, p->host); break;
    case DRILL_ISOLATE: isolate(w, p->host, false); break;
    case DRILL_SHORT_HANG:
    case DRILLS: break;
    }
}

/* Can it be done at all: are there enough sentinels left, and somebody to promote? */
static bool solvable(struct world *w, enum drill d, const struct proc *p)
{
    int voters = w->scene.sentinels, majority = voters / 2 + 1, fit = 0;

    if ((d == DRILL_POWER || d == DRILL_ISOLATE) && p->host < voters && w->scene.colocated)
        voters--;
    for (int i = 0; i < w->scene.nodes; i++) {
        struct proc *n = world_node(w, 0, i);
        fit += n != p && kvnode_priority(n->node) > 0;
    }
    return fit > 0 && voters >= majority && voters >= w->scene.quorum;
}

static void stopwatch(struct world *w, enum drill d, struct proc *p)
{
    bool fast = d == DRILL_KILL && w->scene.evidence;
    int64_t from = world_ms(w), limit = fast ? 2500 : w->scene.down_after_ms + 5000, took;

    while (!judge_agreed(w, 0, p->id) && world_ms(w) < from + limit && !w->violation[0])
        world_run(w, world_ms(w) + 1);
    took = world_ms(w) - from;
    if (!judge_agreed(w, 0, p->id)) {
        world_violation(w, "%s of %s alone, and after %lld ms there is no agreed primary", drill_names[d], p->name,
                        (long long)took);
        return;
    }
    story_note(w, "a new primary after %lld ms", (long long)took);
    if (fast) {
        w->tally.fast_outages++;
        w->tally.fast_outage_sum_ms += (uint64_t)took;
    } else {
        w->tally.outages++;
        w->tally.outage_sum_ms += (uint64_t)(took - w->scene.down_after_ms);
    }
}

static void drill(struct world *w)
{
    enum drill d = (enum drill)rng_below(&w->rng, DRILLS);
    struct proc *p = &w->procs[judge_primary(w, 0)];

    w->tally.drills++;
    judge_expect_nothing(w);
    strike(w, d, p);
    if (d == DRILL_SHORT_HANG) {
        world_run(w, world_ms(w) + w->scene.down_after_ms + 2000);
        if (!w->violation[0] && !kvnode_is_primary(p->node))
            world_violation(w, "%s hung for less than down-after and was replaced", p->name);
    } else if (solvable(w, d, p)) {
        stopwatch(w, d, p);
    }
    undo(w, d, p);
    if (!w->violation[0]) {
        judge_expect_calm(w, 1000, calm_within_ms(w), false);
        world_run(w, INT64_MAX / 2000);
    }
}

/* --- the whole run ------------------------------------------------------------------------------ */

void run_seed(uint64_t seed, bool trace, struct run_result *out)
{
    static struct world w;
    struct scene s;

    memset(out, 0, sizeof *out);
    faults_scene(seed, &s);
    snprintf(out->scene, sizeof out->scene, "%d sentinels, quorum %d, %d group%s of %d, down-after %lld, %s%s%s%s%s",
             s.sentinels, s.quorum, s.groups, s.groups > 1 ? "s" : "", s.nodes, (long long)s.down_after_ms,
             s.evidence ? "evidence" : "no evidence", s.colocated ? ", colocated" : "", s.persistent ? "" : ", memory only",
             s.reboot_down_after_ms ? ", restarts count" : "", s.min_replicas ? ", min-replicas" : "");
    world_init(&w, seed, &s, false);
    w.tracing = trace;
    story_note(&w, "%s", out->scene);
    run_place_nodes(&w);
    world_start_all(&w);
    judge_expect_calm(&w, 500, WARM_WITHIN_MS, false);
    world_run(&w, INT64_MAX / 2000);
    if (!w.violation[0] && rng_chance(&w.rng, 500))
        drill(&w);
    if (!w.violation[0]) {
        judge_expect_nothing(&w);
        faults_begin(&w);
        world_run(&w, world_ms(&w) + s.chaos_ms);
    }
    if (!w.violation[0]) {
        faults_heal(&w);
        int64_t from = world_ms(&w);
        judge_expect_calm(&w, 5000, calm_within_ms(&w), false);
        world_run(&w, INT64_MAX / 2000);
        w.tally.calms++;
        w.tally.calm_sum_ms += w.tally.calm_max_ms = (uint64_t)(world_ms(&w) - from - 5000);
    }
    judge_sum_up(&w);
    out->tally = w.tally;
    memcpy(out->violation, w.violation, sizeof out->violation);
    world_fini(&w);
}
