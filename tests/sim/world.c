/* Time, the queue, processes and hosts. What a process *does* is in sim_sentinel and
 * sim_kvnode; what goes wrong is in faults; whether that is allowed is in judge. */
#include "tests/sim/world.h"

#include "common/base/mem.h"
#include "common/base/timeval.h"
#include "tests/sim/faults.h"
#include "tests/sim/judge.h"
#include "tests/sim/sim_kvnode.h"
#include "tests/sim/sim_sentinel.h"
#include "tests/sim/story.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define WRITES_EVERY_US 200000
#define LOOK_EVERY_US 250000

/* --- the queue: a binary heap ------------------------------------------------------ */

static bool earlier(const struct coming *a, const struct coming *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->seq < b->seq;
}

void world_later(struct world *w, int64_t at_us, enum due_kind kind, int who, int arg, uint32_t gen)
{
    struct coming d = {.at_us = at_us, .seq = w->seq++, .gen = gen, .who = (uint16_t)who, .kind = (uint8_t)kind,
                    .arg = (uint8_t)arg};
    size_t i;

    CHECK(at_us >= w->now_us);
    vec_push(&w->queue, d);
    i = w->queue.n - 1;
    while (i > 0 && earlier(&d, &w->queue.at[(i - 1) / 2])) {
        w->queue.at[i] = w->queue.at[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    w->queue.at[i] = d;
}

static struct coming pop(struct world *w)
{
    struct coming first = w->queue.at[0];
    struct coming last = vec_pop(&w->queue);
    size_t i = 0, n = w->queue.n;

    for (;;) {
        size_t c = 2 * i + 1;
        if (c >= n)
            break;
        if (c + 1 < n && earlier(&w->queue.at[c + 1], &w->queue.at[c]))
            c++;
        if (!earlier(&w->queue.at[c], &last))
            break;
        w->queue.at[i] = w->queue.at[c];
        i = c;
    }
    if (n > 0)
        w->queue.at[i] = last;
    return first;
}

/* --- setting the scene ----------------------------------------------------------- */

static void place_hosts(struct world *w)
{
    w->nhosts = 0;
    for (int i = 0; i < w->nprocs; i++) {
        struct proc *p = &w->procs[i];
        int node = i - w->scene.sentinels;
        char text[32];
        p->id = (uint8_t)i;
        if (w->scene.colocated && node >= 0 && node < w->scene.sentinels && node < w->scene.nodes)
            p->host = (uint8_t)node;
        else
            p->host = (uint8_t)w->nhosts++;
        if (node < 0)
            snprintf(p->name, sizeof p->name, "s%u", (unsigned)i % 100 + 1);
        else
            snprintf(p->name, sizeof p->name, "%c%u", "nm"[node / w->scene.nodes], (unsigned)(node % w->scene.nodes) % 100 + 1);
        snprintf(text, sizeof text, "10.0.0.%d", p->host + 1);
        addr_set(&w->addrs[i], text, strlen(text), node < 0 ? 26379 : 6379 + node / w->scene.nodes);
        p->wake_us = NEVER_MS;
    }
    for (int i = 0; i < w->nhosts; i++) {
        w->hosts[i].up = true;
        drift_init(&w->hosts[i].clock, w->quiet_network ? 1000 : rng_between(&w->rng, 1000, 100000000),
                   w->quiet_network ? 0 : (int32_t)rng_between(&w->rng, -300, 300));
    }
}

void world_init(struct world *w, uint64_t seed, const struct scene *s, bool quiet_network)
{
    memset(w, 0, sizeof *w);
    w->seed = seed;
    rng_seed(&w->rng, seed);
    w->scene = *s;
    w->quiet_network = quiet_network;
    w->nprocs = s->sentinels + s->groups * s->nodes;
    CHECK(w->nprocs <= SIM_MAX_PROCS);
    place_hosts(w);
    net_init(w);
    for (int i = 0; i < w->nprocs; i++) {
        struct proc *p = &w->procs[i];
        if (world_is_sentinel(w, p))
            p->sentinel = sentinel_new(w, p);
        else
            p->node = kvnode_new(w, p);
    }
    w->judge = judge_new(w);
    w->faults = faults_new(w);
}

void world_start_all(struct world *w)
{
    for (int i = w->nprocs - 1; i >= 0; i--)
        world_start(w, &w->procs[i]);
    world_later(w, WRITES_EVERY_US, DUE_WRITES, 0, 0, 0);
    world_later(w, LOOK_EVERY_US, DUE_LOOK, 0, 0, 0);
}

static void forget_inbox(struct proc *p)
{
    for (size_t i = p->inbox_at; i < p->inbox.n; i++)
        mem_free(p->inbox.at[i].msg.body);
    vec_clear(&p->inbox);
    p->inbox_at = 0;
}

void world_fini(struct world *w)
{
    net_fini(w);
    for (int i = 0; i < w->nprocs; i++) {
        struct proc *p = &w->procs[i];
        forget_inbox(p);
        vec_fini(&p->inbox);
        sentinel_free(p->sentinel);
        kvnode_free(p->node);
    }
    judge_free(w->judge);
    faults_free(w->faults);
    vec_fini(&w->queue);
    vec_fini(&w->histories);
    str_fini(&w->told);
}

/* --- handing things over ---------------------------------------------------------- */

int64_t world_local_ms(const struct world *w, const struct proc *p)
{
    return drift_local_ms(&w->hosts[p->host].clock, w->now_us);
}

void world_wake_at(struct world *w, struct proc *p, int64_t local_ms)
{
    int64_t at = drift_true_us(&w->hosts[p->host].clock, local_ms);

    if (at == NEVER_MS)
        return;
    if (at < w->now_us)
        at = w->now_us;
    if (p->wake_us <= at && p->wake_us >= w->now_us)
        return;            /* wakes earlier than that, and will look again */
    p->wake_us = at;
    world_later(w, at, DUE_WAKE, p->id, 0, ++p->wake_gen);
}

static void hand_over(struct world *w, struct proc *p, const struct inbox *in)
{
    w->tally.events++;
    if (p->sentinel)
        sentinel_take(w, p, in);
    else
        kvnode_take(w, p, in);
    mem_free(in->msg.body);
}

void world_deliver(struct world *w, struct proc *p, const struct inbox *in)
{
    if (!p->alive) {
        mem_free(in->msg.body);
        return;
    }
    if (p->frozen || p->busy || p->inbox_at < p->inbox.n)
        vec_push(&p->inbox, *in);
    else
        hand_over(w, p, in);
}

void world_drain(struct world *w, struct proc *p)
{
    while (p->alive && !p->frozen && !p->busy && p->inbox_at < p->inbox.n) {
        struct inbox in = p->inbox.at[p->inbox_at++];
        hand_over(w, p, &in);
    }
    if (p->inbox_at >= p->inbox.n) {
        vec_clear(&p->inbox);
        p->inbox_at = 0;
    }
}

/* --- what happens to processes and hosts ------------------------------------------- */

void world_start(struct world *w, struct proc *p)
{
    if (p->alive || !w->hosts[p->host].up)
        return;
    p->alive = true;
    p->born_us = w->now_us;
    p->frozen = p->busy = false;
    p->wake_us = NEVER_MS;
    p->wake_gen++;
    if (p->starts++ > 0) {
        w->tally.restarts++;
        story_tell(w, p, "starts again");
    }
    if (p->sentinel)
        sentinel_start(w, p);
    else
        kvnode_start(w, p);
}

static void die(struct world *w, struct proc *p, bool silently)
{
    if (!p->alive)
        return;
    p->alive = p->frozen = p->busy = false;
    p->wake_gen++;
    p->disk_gen++;
    p->thaw_gen++;
    forget_inbox(p);
    net_proc_died(w, p, silently);
    if (p->sentinel)
        sentinel_stop(w, p);
    else
        kvnode_stop(w, p);
}

void world_kill(struct world *w, struct proc *p)
{
    if (!p->alive)
        return;
    w->tally.crashes++;
    story_tell(w, p, "is killed");
    p->dying_us = w->now_us + (w->quiet_network ? 0 : rng_between(&w->rng, -2000, 6000));
    die(w, p, false);
}

void world_power_cut(struct world *w, int host)
{
    if (!w->hosts[host].up)
        return;
    w->tally.power_cuts++;
    for (int i = 0; i < w->nprocs; i++)
        if (w->procs[i].host == host) {
            story_tell(w, &w->procs[i], "loses power");
            die(w, &w->procs[i], true);
        }
    w->hosts[host].up = false;
}

void world_power_on(struct world *w, int host)
{
    w->hosts[host].up = true;
    for (int i = 0; i < w->nprocs; i++)
        if (w->procs[i].host == host)
            world_start(w, &w->procs[i]);
}

void world_freeze(struct world *w, struct proc *p, int64_t for_ms)
{
    if (!p->alive || p->frozen)
        return;
    p->frozen = true;
    w->tally.freezes++;
    story_tell(w, p, "hangs");
    if (for_ms != NEVER_MS)
        world_later(w, w->now_us + for_ms * 1000, DUE_THAW, p->id, 0, ++p->thaw_gen);
}

void world_thaw(struct world *w, struct proc *p)
{
    if (!p->alive || !p->frozen)
        return;
    p->frozen = false;
    p->thawed_us = w->now_us;
    p->thaw_gen++;
    story_tell(w, p, "goes on");
    world_drain(w, p);
}

/* --- names and addresses ------------------------------------------------------------ */

struct proc *world_proc(struct world *w, const char *name)
{
    for (int i = 0; i < w->nprocs; i++)
        if (strcmp(w->procs[i].name, name) == 0)
            return &w->procs[i];
    return NULL;
}

const struct addr world_hole = {.host = "127.0.0.1", .port = 1};       /* as the core's */

struct proc *world_by_addr(struct world *w, const struct addr *a)
{
    for (int i = 0; i < w->nprocs; i++)
        if (a->port == w->addrs[i].port && strcmp(a->host, w->addrs[i].host) == 0)
            return &w->procs[i];
    return NULL;
}

void world_violation(struct world *w, const char *fmt, ...)
{
    va_list ap;
    int n;

    if (w->violation[0])
        return;
    n = snprintf(w->violation, sizeof w->violation, "at %lld ms: ", (long long)world_ms(w));
    va_start(ap, fmt);
    vsnprintf(w->violation + n, sizeof w->violation - (size_t)n, fmt, ap);
    va_end(ap);
    story_note(w, "VIOLATION %s", w->violation);
}

/* --- the run -------------------------------------------------------------------------- */

static void wake(struct world *w, struct proc *p, uint32_t gen)
{
    struct inbox in = {.kind = IN_WAKE};

    if (gen != p->wake_gen || !p->alive)
        return;
    p->wake_us = NEVER_MS;
    world_deliver(w, p, &in);
}

static void one(struct world *w, const struct coming *d)
{
    struct proc *p = &w->procs[d->who < SIM_MAX_PROCS ? d->who : 0];

    switch ((enum due_kind)d->kind) {
    case DUE_NET: net_arrive(w, d->who, d->arg, d->gen); break;
    case DUE_WAKE: wake(w, p, d->gen); break;
    case DUE_TIMER: world_deliver(w, p, &(struct inbox){.kind = IN_TIMER, .conn = d->arg, .gen = d->gen}); break;
    case DUE_DISK:
        if (d->gen == p->disk_gen && p->alive)
            sentinel_disk_done(w, p);
        break;
    case DUE_THAW:
        if (d->gen == p->thaw_gen)
            world_thaw(w, p);
        break;
    case DUE_WRITES:
        kvnode_clients_write(w);
        world_later(w, w->now_us + WRITES_EVERY_US, DUE_WRITES, 0, 0, 0);
        break;
    case DUE_FAULT: faults_next(w); break;
    case DUE_FAULT_STEP: faults_step(w, d->arg, d->gen); break;
    case DUE_FAULT_OVER: faults_over(w, d->arg, d->gen); break;
    case DUE_LOOK:
        judge_look(w);
        world_later(w, w->now_us + LOOK_EVERY_US, DUE_LOOK, 0, 0, 0);
        break;
    }
}

void world_run(struct world *w, int64_t until_ms) { world_run_us(w, until_ms * 1000); }

void world_run_us(struct world *w, int64_t until_us)
{
    while (w->queue.n > 0 && w->queue.at[0].at_us <= until_us && !w->violation[0] && !judge_calm(w)) {
        struct coming d = pop(w);
        w->now_us = d.at_us;
        one(w, &d);
    }
    if (!w->violation[0] && !judge_calm(w))
        w->now_us = until_us;
    w->tally.virtual_us = w->now_us;
}
