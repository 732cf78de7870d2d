/* Playing stories: a quiet network, pinned jitter, time counted from the first act. */
#include "tests/sim/stories.h"

#include "common/base/timeval.h"
#include "tests/sim/faults.h"
#include "tests/sim/judge.h"
#include "tests/sim/run.h"
#include "tests/sim/sim_kvnode.h"
#include "tests/sim/sim_sentinel.h"

#include <stdio.h>
#include <string.h>

static struct story_play *plays;
static bool went_wrong;
static bool show;

void stories_add(struct story_play *s)
{
    struct story_play **at = &plays;

    while (*at && strcmp((*at)->name, s->name) < 0)
        at = &(*at)->next;
    s->next = *at;
    *at = s;
}

/* No chance in it: everybody's jitter is pinned; who bids first is by rank. */
static void pinned(struct core_timing *t)
{
    core_timing_default(t);
    t->bid_jitter_ms = 0;
    t->rebid_min_ms = 100;
    t->rebid_max_ms = 200;
}

/* --- acts -------------------------------------------------------------------------------- */

static struct proc *named(struct world *w, const char *name)
{
    struct proc *p = world_proc(w, name);
    CHECK(p != NULL);
    return p;
}

void story_wait(struct world *w, int64_t ms) { world_run(w, world_ms(w) + ms); }
void story_kill(struct world *w, const char *name) { world_kill(w, named(w, name)); }
void story_start(struct world *w, const char *name) { world_start(w, named(w, name)); }
void story_hang(struct world *w, const char *name, int64_t for_ms) { world_freeze(w, named(w, name), for_ms); }
void story_thaw(struct world *w, const char *name) { world_thaw(w, named(w, name)); }

void story_wait_us(struct world *w, int64_t us)
{
    world_run_us(w, w->now_us + us);
}

void story_failover(struct world *w, const char *name) { sentinel_order_failover(w, named(w, name), 0); }
void story_break_disk(struct world *w, const char *name, bool broken) { faults_break_disk(w, named(w, name), broken); }

void story_next_save(struct world *w, const char *name, enum save_fate fate)
{
    faults_next_save(w, named(w, name), fate);
}

void story_same_rank(struct world *w)
{
    struct core_timing t;

    pinned(&t);
    t.bid_stagger_ms = 0;
    for (int i = 0; i < w->scene.sentinels; i++)
        sentinel_retime(w, world_sentinel(w, i), &t);
}

void story_power(struct world *w, const char *name, bool on)
{
    if (on)
        world_power_on(w, named(w, name)->host);
    else
        world_power_cut(w, named(w, name)->host);
}

/* Hosts of the processes in a list of names. */
static unsigned hosts_of(struct world *w, const char *list)
{
    unsigned set = 0;

    while (*list) {
        char name[8] = "";
        size_t n = strcspn(list, " ");
        memcpy(name, list, n < sizeof name ? n : sizeof name - 1);
        set |= 1u << named(w, name)->host;
        list += n + (list[n] == ' ');
    }
    return set;
}

static void cut(struct world *w, const char *from, const char *to)
{
    unsigned a = hosts_of(w, from), b = hosts_of(w, to);

    for (int i = 0; i < w->nhosts; i++)
        for (int k = 0; k < w->nhosts; k++)
            if (a >> i & 1 && b >> k & 1)
                net_cut(w, i, k, true);
}

void story_cut(struct world *w, const char *left, const char *right)
{
    story_note(w, "%s <-/-> %s", left, right);
    cut(w, left, right);
    cut(w, right, left);
}

void story_cut_one_way(struct world *w, const char *from, const char *to)
{
    story_note(w, "%s -/-> %s", from, to);
    cut(w, from, to);
}

void story_reject(struct world *w, const char *from, const char *to)
{
    unsigned a = hosts_of(w, from), b = hosts_of(w, to);

    story_note(w, "a firewall resets %s -> %s", from, to);
    for (int i = 0; i < w->nhosts; i++)
        for (int k = 0; k < w->nhosts; k++)
            if (a >> i & 1 && b >> k & 1)
                net_reject(w, i, k, true);
}

void story_heal(struct world *w)
{
    story_note(w, "the network is whole again");
    net_heal(w);
}

/* --- what is told --------------------------------------------------------------------------- */

static void wrong(struct world *w)
{
    (void)w;
    went_wrong = true;
}

void story_expect(struct world *w, const char *told)
{
    const char *a = told, *b = str_c(&w->told);

    if (show)
        printf("%s--\n", b);
    if (strcmp(a, b) != 0) {
        int line = 1;
        wrong(w);
        while (*a && *a == *b) {
            line += *a == '\n';
            a++, b++;
        }
        while (a > told && a[-1] != '\n')
            a--, b--;
        printf("  line %d\n    expected %.*s\n    told     %.*s\n", line, (int)strcspn(a, "\n"), a, (int)strcspn(b, "\n"), b);
    }
    str_clear(&w->told);
}

void story_check(struct world *w, bool fact, const char *what)
{
    if (fact)
        return;
    wrong(w);
    printf("  at %lld ms it is not true that %s\n", (long long)(world_ms(w) - w->told_from_ms), what);
}

bool story_is_primary(struct world *w, const char *name) { return kvnode_is_primary(named(w, name)->node); }

bool story_follows(struct world *w, const char *name, const char *primary)
{
    struct kvnode *n = named(w, name)->node;
    return kvnode_link_up(n) && kvnode_follows(n) == named(w, primary)->id;
}

static const char *promising(struct world *w)
{
    for (int i = 0; i < w->scene.sentinels; i++) {
        const struct core *c = sentinel_core(world_sentinel(w, i)->sentinel);
        const struct group *g = c ? core_group_named(c, sim_group_name(0)) : NULL;
        const struct node *n = g && g->fo.promoted ? core_node(c, g->fo.promoted) : NULL;
        if (n)
            return world_by_addr(w, &n->addr)->name;
    }
    return NULL;
}

const char *story_until_promotion(struct world *w)
{
    while (!promising(w) && world_ms(w) < w->told_from_ms + 60000)
        story_wait_us(w, 100);
    CHECK(promising(w) != NULL);
    return promising(w);
}

const char *story_named_by(struct world *w, const char *sentinel)
{
    const struct core *c = sentinel_core(named(w, sentinel)->sentinel);
    const struct group *g = c ? core_group_named(c, sim_group_name(0)) : NULL;
    struct proc *p = g ? world_by_addr(w, core_client_addr(c, g)) : NULL;
    return p ? p->name : "?";
}

/* --- the stage ------------------------------------------------------------------------------- */

static bool play(const struct story_play *s, bool trace)
{
    static struct world w;
    struct scene scene = {.sentinels = s->sentinels, .groups = 1, .nodes = s->nodes, .quorum = s->sentinels / 2 + 1,
                          .evidence = strstr(s->name, "no_evidence") == NULL, .down_after_ms = 5000,
                          .failover_timeout_ms = 10000, .parallel_syncs = 1, .persistent = true};
    struct core_timing t;
    bool ok;

    went_wrong = false;
    world_init(&w, 1, &scene, true);
    w.tracing = trace;
    pinned(&t);
    sentinel_timing(&w, &t);
    run_place_nodes(&w);
    world_start_all(&w);
    judge_expect_calm(&w, 500, 60000, false);
    world_run(&w, 60000);
    judge_expect_nothing(&w);
    world_run(&w, 30000);
    w.told_from_ms = world_ms(&w);
    w.telling = true;
    s->play(&w);
    if (w.violation[0])
        printf("  VIOLATION %s\n", w.violation);
    ok = !went_wrong && !w.violation[0];
    world_fini(&w);
    return ok;
}

/* What all else rests on: a seed is a run. */
static bool seeds_repeat(void)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct run_result a, b;
        run_seed(seed, false, &a);
        run_seed(seed, false, &b);
        if (memcmp(&a.tally, &b.tally, sizeof a.tally) != 0) {
            printf("  seed %llu is not the same run twice\n", (unsigned long long)seed);
            return false;
        }
    }
    return true;
}

int stories_main(bool list, const char *only, bool trace)
{
    int passed = 0, failed = 0;

    show = only != NULL;
    for (struct story_play *s = plays; s; s = s->next) {
        if (list) {
            puts(s->name);
            continue;
        }
        if (only && strcmp(only, s->name) != 0)
            continue;
        if (play(s, trace)) {
            passed++;
        } else {
            failed++;
            printf("FAILED story %s\n", s->name);
        }
    }
    if (list)
        return 0;
    if (!only) {
        bool ok = seeds_repeat();
        passed += ok;
        failed += !ok;
    }
    if (only && passed + failed == 0) {
        fprintf(stderr, "sim: no story %s; sim --list names them\n", only);
        return 2;
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed ? 1 : 0;
}
