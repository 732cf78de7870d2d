/* The world of a formed group: what is due and when, how it begins and ends. */
#include "tests/sim/ha_world_inside.h"

#include "common/base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void hs_trace(struct hs_world *w, const char *fmt, ...)
{
    va_list ap;

    if (!w->trace)
        return;
    fprintf(stderr, "%9.3f ", (double)w->now_us / 1000);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
}

void hs_violation(struct hs_world *w, const char *fmt, ...)
{
    va_list ap;

    if (w->violation[0])
        return;
    va_start(ap, fmt);
    vsnprintf(w->violation, sizeof w->violation, fmt, ap);
    va_end(ap);
    hs_trace(w, "VIOLATION %s", w->violation);
}

uint64_t hs_id(struct hs_world *w) { return ++w->ids * 1000 + rng_below(&w->rng, 1000); }
int64_t hs_now(const struct hs_world *w, const struct hs_proc *p) { return drift_local_ms(&p->clock, w->now_us); }

int hs_by_name(const struct hs_world *w, const char *id)
{
    for (int i = 0; i < w->n_procs; i++)
        if (strcmp(w->proc[i].name, id) == 0)
            return i;
    return -1;
}

int hs_by_addr(const struct hs_world *w, const struct addr *a)
{
    for (int i = 0; i < w->n_procs; i++)
        if (addr_equal(&w->proc[i].addr, a))
            return i;
    return -1;
}

/* --- what is due ------------------------------------------------------------------------- */

static bool before(const struct hs_item *a, const struct hs_item *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->seq < b->seq;
}

void hs_due(struct hs_world *w, int64_t in_us, struct hs_item it)
{
    size_t i;

    it.at_us = w->now_us + (in_us > 0 ? in_us : 0);
    it.seq = ++w->seq;
    vec_push(&w->heap, it);
    for (i = w->heap.n - 1; i > 0 && before(&it, &w->heap.at[(i - 1) / 2]); i = (i - 1) / 2)
        w->heap.at[i] = w->heap.at[(i - 1) / 2];
    w->heap.at[i] = it;
}

static struct hs_item pop(struct hs_world *w)
{
    struct hs_item top = w->heap.at[0], last = vec_pop(&w->heap);
    size_t i = 0, n = w->heap.n;

    for (;;) {
        size_t c = 2 * i + 1;
        if (c >= n)
            break;
        if (c + 1 < n && before(&w->heap.at[c + 1], &w->heap.at[c]))
            c++;
        if (!before(&w->heap.at[c], &last))
            break;
        w->heap.at[i] = w->heap.at[c];
        i = c;
    }
    if (n > 0)
        w->heap.at[i] = last;
    return top;
}

void hs_item_free(struct hs_item *it)
{
    hs_packet_free(it->pkt);
    mem_free(it->ask);
}

bool hs_next(struct hs_world *w)
{
    struct hs_item it;
    struct hs_proc *p;

    if (w->heap.n == 0)
        return false;
    it = pop(w);
    w->now_us = it.at_us;
    w->t.events++;
    p = &w->proc[it.proc];
    switch (it.kind) {
    case HD_PACKET:
        if (p->alive)
            hs_give(w, p, (struct hs_item){.kind = IN_MSG, .pkt = it.pkt}), it.pkt = NULL;
        break;
    case HD_LINK:
        hs_link_arrives(w, it.x, (int)it.y);
        break;
    case HD_TIMER:
        if (p->alive && p->gen == it.gen && it.x == p->timer_seq)
            hs_give(w, p, (struct hs_item){.kind = IN_TICK});
        break;
    case HD_SAVED:
        if (p->alive && p->gen == it.gen) {
            if (p->node)
                hs_node_saved(w, p);
            else
                hs_voter_saved(w, p);
        }
        break;
    case HD_SYNCED:
        if (p->alive && p->gen == it.gen)
            hs_log_synced(w, p);
        break;
    case HD_START:
        if (!p->alive && p->gen == it.gen)
            hs_start(w, p);
        break;
    case HD_THAW:
        if (p->alive && p->gen == it.gen)
            p->paused = false;
        break;
    case HD_WAKE:
        if (p->alive && p->gen == it.gen)
            p->asleep = false;
        break;
    case HD_TURN:
        hs_turn(w);
        break;
    case HD_REDIAL:
        if (!p->alive && !hs_apart(w, (int)it.x, p->id) && w->proc[it.x].alive && w->proc[it.x].v.links[p->id] == 0)
            hs_give(w, &w->proc[it.x], (struct hs_item){.kind = IN_NODE, .proc = p->id, .refused = true});
        break;
    case HD_FAULT:
        hs_chaos_fault(w);
        break;
    case HD_FAULT_OVER:
        hs_chaos_over(w, &it);
        break;
    default:
        break;
    }
    hs_item_free(&it);
    for (int again = 1; again && !w->violation[0];) {     /* whoever has something to do, until nobody has */
        again = 0;
        for (int i = 0; i < w->n_procs; i++) {
            struct hs_proc *q = &w->proc[i];
            if (q->alive && !q->paused && !q->saving && !q->asleep &&
                (q->in_at < q->inbox.n || q->crash_after == 0 ||
                 (q->node ? q->n.next < q->n.out.n : q->v.saved || q->v.next < q->v.out.list.n))) {
                hs_run_proc(w, q);
                again = 1;
            }
        }
    }
    hs_judge_step(w, NULL);
    return !w->violation[0];
}

/* --- begin and end --------------------------------------------------------------------------------- */

static void formed_already(struct hs_world *w)
{
    static struct ha_record r;
    const struct hs_scene *sc = &w->sc;
    int first = sc->voters + sc->spares;

    memset(&r, 0, sizeof r);
    r.gid = hs_id(w);
    r.born = 1;
    r.ballot = r.epoch = 2;
    r.mode = sc->mode;
    r.fsync = sc->fsync;
    r.k = sc->k;
    r.timing = sc->timing;
    r.drop_after_ms = sc->drop_after_ms;
    r.n_members = sc->members;
    r.n_voters = sc->voters;
    for (int i = 0; i < sc->members; i++) {
        struct hs_proc *p = &w->proc[first + i];
        memcpy(r.member[i].id, p->name, ID_MAX);
        r.member[i].life = p->n.kept.life;
        r.member[i].addr = p->addr;
        r.member[i].priority = sc->priority[i] ? sc->priority[i] : i == 1 ? 50 : 100;
    }
    for (int i = 0; i < sc->voters; i++) {
        memcpy(r.voter[i].id, w->proc[i].name, ID_MAX);
        r.voter[i].life = w->proc[i].v.life;
        r.voter[i].addr = w->proc[i].addr;
    }
    memcpy(r.primary, w->proc[first].name, ID_MAX);
    r.incarnation = hs_id(w);
    for (int i = 0; i < sc->voters; i++) {
        struct voter_facts *f = &w->proc[i].v.kept;
        w->proc[i].v.has_kept = true;
        f->life = w->proc[i].v.life;
        f->promised = 2;
        f->rec = r;
        f->promise_max_ms = sc->timing.promise_ms;
    }
    for (int i = 0; i < sc->nodes; i++) {
        struct hs_proc *p = &w->proc[first + i];
        vec_push(&p->n.log, ((struct hs_entry){1, 0}));
        if (i >= sc->members)
            continue;
        p->n.kept.gid = r.gid;
        p->n.kept.bound_ballot = 1;
        memcpy(p->n.kept.bound_primary, w->proc[first].name, ID_MAX);
        p->n.kept.bound_primary_life = w->proc[first].n.kept.life;
        p->n.kept.used = true;
        p->n.kept.sealed = 2;
        p->n.kept.promise_max_ms = sc->timing.promise_ms;
        vec_push(&p->n.log, ((struct hs_entry){2, 0}));
    }
    for (int i = 0; i < sc->nodes; i++)
        w->proc[first + i].n.synced = (int64_t)w->proc[first + i].n.log.n;
}

void hs_begin(struct hs_world *w, uint64_t seed, const struct hs_scene *sc)
{
    memset(w, 0, sizeof *w);
    w->seed = seed;
    w->sc = *sc;
    w->ids = 10;
    rng_seed(&w->rng, seed * 2654435761u + 17);
    w->n_procs = sc->voters + sc->spares + sc->nodes;
    for (int i = 0; i < w->n_procs; i++) {
        struct hs_proc *p = &w->proc[i];
        char host[32];
        p->id = i;
        p->node = i >= sc->voters + sc->spares;
        p->crash_after = -1;
        snprintf(p->name, sizeof p->name, "%c%d", p->node ? 'n' : 's', p->node ? i - sc->voters - sc->spares : i);
        snprintf(host, sizeof host, "10.0.0.%d", i + 1);
        addr_set(&p->addr, host, strlen(host), p->node ? 6379 : 26379);
        drift_init(&p->clock, rng_between(&w->rng, 100000, 200000), (int32_t)rng_between(&w->rng, -9900, 9900));
        formed_out_init(&p->v.out);
        p->v.life = p->n.kept.life = hs_id(w);
        p->n.synced = 0;
        memcpy(p->n.kept.id, p->name, ID_MAX);
        p->n.memory_only = sc->memory_only;
        p->n.follows = -1;
        if (sc->cold && p->node && (i == sc->voters + sc->spares || sc->all_data))
            for (int e = 0; e < 5 + (i - sc->voters - sc->spares); e++)
                vec_push(&p->n.log, ((struct hs_entry){0, ++w->values}));
        if (p->node && !sc->cold && !sc->ha_group && (!sc->formed || i - sc->voters - sc->spares >= sc->members))
            p->n.follows = i == sc->voters + sc->spares ? -1 : sc->voters + sc->spares;
    }
    if (sc->formed)
        formed_already(w);
    for (int i = 0; i < w->n_procs; i++)
        hs_due(w, rng_between(&w->rng, 0, 50) * HS_MS, (struct hs_item){.kind = HD_START, .proc = i, .gen = 0});
    hs_due(w, 60 * HS_MS, (struct hs_item){.kind = HD_TURN});
    w->next_form_us = 400 * HS_MS;
}

void hs_end(struct hs_world *w)
{
    for (int i = 0; i < w->n_procs; i++) {
        struct hs_proc *p = &w->proc[i];
        if (p->alive && !p->node)
            hs_voter_stop(w, p);
        if (p->alive && p->node)
            hs_node_stop(w, p, false);
        hs_inbox_clear(p);
        vec_fini(&p->inbox);
        formed_out_fini(&p->v.out);
        vec_fini(&p->n.log);
        vec_fini(&p->n.waits);
        hs_packet_free(p->n.full);
    }
    for (size_t i = 0; i < w->links.n; i++)
        hs_link_free(w->links.at[i]);
    for (size_t i = 0; i < w->heap.n; i++)
        hs_item_free(&w->heap.at[i]);
    hs_rules_end(w);
    vec_fini(&w->links);
    vec_fini(&w->heap);
    vec_fini(&w->pasts);
    vec_fini(&w->forced);
    vec_fini(&w->told);
    vec_fini(&w->sure);
    vec_fini(&w->sure_in);
    vec_fini(&w->owners);
    vec_fini(&w->votes);
}
