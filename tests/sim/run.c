/* The course of one random run. */
#include "tests/sim/run.h"

#include "tests/sim/faults.h"
#include "tests/sim/judge.h"
#include "tests/sim/sim_kvnode.h"
#include "tests/sim/story.h"

#include <stdio.h>
#include <string.h>

#define WARM_WITHIN_MS 60000

/* How long it may take from healing to calm. The longest known waits one after the other: a clock
 * that jumped puts a sentinel into tilt; a failover that began badly runs into its timeout, and a
 * new one may not start before twice that; then down-after, repairs and repointing. */
static int64_t calm_within_ms(const struct world *w)
{
    return 35000 + 3 * w->scene.failover_timeout_ms + 2 * w->scene.down_after_ms + 30000;
}

void run_place_nodes(struct world *w)
{
    for (int g = 0; g < w->scene.groups; g++) {
        int never = w->quiet_network || !rng_chance(&w->rng, 150) ? -1 : (int)rng_below(&w->rng, (uint64_t)w->scene.nodes);
        for (int i = 0; i < w->scene.nodes; i++)
            kvnode_configure(world_node(w, g, i)->node, i == 0 ? -1 : world_node(w, g, 0)->id, i == never ? 0 : 100);
    }
}

void run_seed(uint64_t seed, bool trace, struct run_result *out)
{
    static struct world w;
    struct scene s;

    memset(out, 0, sizeof *out);
    faults_scene(seed, &s);
    snprintf(out->scene, sizeof out->scene, "%d sentinels, quorum %d, %d group%s of %d, down-after %lld, %s%s%s",
             s.sentinels, s.quorum, s.groups, s.groups > 1 ? "s" : "", s.nodes, (long long)s.down_after_ms,
             s.evidence ? "evidence" : "no evidence", s.colocated ? ", colocated" : "", s.persistent ? "" : ", memory only");
    world_init(&w, seed, &s, false);
    w.tracing = trace;
    story_note(&w, "%s", out->scene);
    run_place_nodes(&w);
    world_start_all(&w);
    judge_expect_calm(&w, 500, WARM_WITHIN_MS);
    world_run(&w, INT64_MAX / 2000);
    if (!w.violation[0]) {
        judge_expect_nothing(&w);
        faults_begin(&w);
        world_run(&w, world_ms(&w) + s.chaos_ms);
    }
    if (!w.violation[0]) {
        faults_heal(&w);
        judge_expect_calm(&w, 5000, calm_within_ms(&w));
        world_run(&w, INT64_MAX / 2000);
    }
    judge_sum_up(&w);
    out->tally = w.tally;
    memcpy(out->violation, w.violation, sizeof out->violation);
    world_fini(&w);
}
