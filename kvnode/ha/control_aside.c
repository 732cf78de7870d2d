/* While the main thread is stuck in one command, for no longer than stall-max, the control thread
 * does what keeps a lease alive: it asks for renewals when they are due, and hears the answers.
 * Beyond that the node counts as dead, and nothing is done here. */
#include "kvnode/ha/control_inside.h"

#include "common/base/mem.h"
#include "common/base/timeval.h"
#include "common/io/clock.h"
#include "kvnode/ha/ha_inside.h"
#include "kvnode/server.h"

#include <stdatomic.h>

bool control_main_is_well(const struct control *c)
{
    int64_t stall_ms = c->srv->opt.stall_max_ms, down_after_ms = atomic_load(&c->srv->ha->down_after_ms);
    int64_t since_us = clock_mono_us() - atomic_load_explicit(&c->srv->turned_us, memory_order_relaxed);

    if (stall_ms < 0)
        stall_ms = down_after_ms > 0 ? 2 * down_after_ms : STALL_MAX_MS;
    return atomic_load(&c->well) && (stall_ms == 0 || since_us <= stall_ms * 1000);
}

void control_set_due(struct control *c, int64_t not_before_ms)
{
    int64_t at_ms = atomic_load(&c->srv->ha->deadline_ms);

    if (at_ms != NEVER_MS)
        at_ms = ms_max(ms_add(at_ms, GRACE_MS), not_before_ms);
    timer_set_at(&c->due, at_ms);
}

/* Something was due GRACE_MS ago and the main thread has not come to it. */
void control_on_due(struct timer *t, void *arg)
{
    struct control *c = arg;
    bool stepped = false;

    (void)t;
    if (ms_add(atomic_load(&c->srv->ha->deadline_ms), GRACE_MS) <= clock_mono_ms() && control_main_is_well(c))
        stepped = ha_step_aside(c->srv, 0, NULL);
    control_set_due(c, stepped ? 0 : loop_now_ms(c->loop) + LOOK_MS);
}

/* Takes back, from what the main thread has not come to, the next answer to a renewal that has waited for long. *more:
 * younger ones are there. */
static struct heard *take_back(struct control *c, int64_t old_ms, bool *more)
{
    struct heard *x = NULL;

    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < c->to_main.n && !x; i++) {
        struct heard *y = c->to_main.at[i];

        if (y->gone || y->msg.kind != HA_LEASE)
            continue;
        if (y->at_ms > old_ms) {
            *more = true;
            continue;
        }
        x = y;
        vec_remove(&c->to_main, i);
    }
    pthread_mutex_unlock(&c->lock);
    return x;
}

/* Answers to a renewal that the main thread has not taken: they keep the lease alive. */
void control_on_late(struct timer *t, void *arg)
{
    struct control *c = arg;
    int64_t old_ms = clock_mono_ms() - GRACE_MS;
    bool more = false, may = control_main_is_well(c);
    struct heard *x;

    while (may && (x = take_back(c, old_ms, &more)) != NULL) {
        uint64_t as = ha_told_as(c->srv, x->link);

        may = as == 0 || ha_step_aside(c->srv, as, &x->msg);
        if (may)
            mem_free(x);
        else
            control_tell_main(c, x);           /* not now: it is the main thread's */
    }
    if (more || !may)
        timer_set(t, may ? GRACE_MS : LOOK_MS);
}

