/* The turn around libev: read the clocks once, let events happen, run the hooks, write,
 * free what was parked, sleep. Timers count on libev's cached time, which is read at
 * the same moment as ours, so a deadline computed from loop_now_ms is met exactly. */
#include "common/io/loop.h"

#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/base/timeval.h"
#include "common/base/vec.h"
#include "common/io/clock.h"

struct parked {
    void *p;
    void (*fn)(void *);
};

/* libev runs the callbacks of one priority last in, first out, and would so turn the
 * order around in which descriptors became ready. So its callbacks only note what
 * happened (priority 0), `deliver` tells it in the right order (-1), and timers come
 * after that (-2). */
struct loop {
    struct ev_loop *ev;
    ev_check woke;                  /* first callback of a turn: reads the clocks */
    ev_check deliver;
    VEC(struct fd_watch *) fired;   /* the one to tell first is last; NULL: was stopped meanwhile */
    int64_t now_us, wall_us;
    struct list_link hooks, flushers;
    VEC(struct parked) parked;
    int depth;                      /* turns inside of turns */
    bool again, stopped;
    int code;
    void *attached;
    void (*attached_fini)(void *);
};

static void read_clocks(struct loop *l)
{
    l->now_us = clock_mono_us();
    l->wall_us = clock_wall_us();
}

static void on_woke(struct ev_loop *ev, ev_check *w, int revents)
{
    (void)ev, (void)revents;
    read_clocks(w->data);
}

static void on_deliver(struct ev_loop *ev, ev_check *c, int revents)
{
    struct loop *l = c->data;

    (void)ev, (void)revents;
    while (l->fired.n > 0) {        /* a turn inside of a callback goes on with the rest */
        struct fd_watch *w = vec_pop(&l->fired);
        int events;
        if (!w)
            continue;
        events = w->fired;
        w->fired = 0;
        w->slot = 0;
        if (events)
            w->fn(w, events, w->arg);
    }
}

static void start_check(struct loop *l, ev_check *c, void (*fn)(struct ev_loop *, ev_check *, int), int priority)
{
    ev_check_init(c, fn);
    ev_set_priority(c, priority);
    c->data = l;
    ev_check_start(l->ev, c);
    ev_unref(l->ev);
}

static void stop_check(struct loop *l, ev_check *c)
{
    ev_ref(l->ev);
    ev_check_stop(l->ev, c);
}

struct loop *loop_new(void)
{
    struct loop *l = mem_zalloc(sizeof *l);

    l->ev = ev_loop_new(EVFLAG_AUTO);
    CHECK(l->ev != NULL);
    list_init(&l->hooks);
    list_init(&l->flushers);
    start_check(l, &l->woke, on_woke, EV_MAXPRI);
    start_check(l, &l->deliver, on_deliver, -1);
    read_clocks(l);
    return l;
}

static void free_parked(struct loop *l)
{
    /* freeing one may park another */
    for (size_t i = 0; i < l->parked.n; i++) {
        struct parked k = l->parked.at[i];
        k.fn(k.p);
    }
    vec_clear(&l->parked);
}

void loop_free(struct loop *l)
{
    if (!l)
        return;
    free_parked(l);
    if (l->attached_fini)
        l->attached_fini(l->attached);
    free_parked(l);
    vec_fini(&l->parked);
    vec_fini(&l->fired);
    stop_check(l, &l->woke);
    stop_check(l, &l->deliver);
    ev_loop_destroy(l->ev);
    mem_free(l);
}

static void run_hooks(struct list_link *hooks)
{
    list_each_safe(struct loop_hook, h, hooks, link)
        h->fn(h->arg);
}

static void turn(struct loop *l, bool wait)
{
    bool more = l->again;

    l->again = false;
    l->depth++;
    ev_run(l->ev, wait && !more ? EVRUN_ONCE : EVRUN_NOWAIT);
    run_hooks(&l->hooks);
    run_hooks(&l->flushers);
    l->depth--;
    if (l->depth == 0)      /* an outer turn may still hold what an inner one parked */
        free_parked(l);
}

int loop_run(struct loop *l)
{
    l->stopped = false;
    loop_update_now(l);
    ev_ref(l->ev);          /* a loop with nothing to watch sleeps, it does not end */
    run_hooks(&l->hooks);   /* what was prepared before the first sleep */
    run_hooks(&l->flushers);
    while (!l->stopped)
        turn(l, true);
    ev_unref(l->ev);
    return l->code;
}

void loop_run_once(struct loop *l, bool wait)
{
    ev_ref(l->ev);
    turn(l, wait);
    ev_unref(l->ev);
}

void loop_stop(struct loop *l, int code)
{
    l->stopped = true;
    l->code = code;
    l->again = true;
}

int64_t loop_now_ms(const struct loop *l)
{
    return l->now_us / 1000;
}

int64_t loop_wall_ms(const struct loop *l)
{
    return l->wall_us / 1000;
}

void loop_update_now(struct loop *l)
{
    ev_now_update(l->ev);
    read_clocks(l);
}

struct ev_loop *loop_ev(struct loop *l)
{
    return l->ev;
}

void loop_park(struct loop *l, void *p, void (*fn)(void *))
{
    vec_push(&l->parked, ((struct parked){p, fn}));
}

static void hook_set(struct list_link *hooks, struct loop_hook *h, void (*fn)(void *), void *arg)
{
    h->fn = fn;
    h->arg = arg;
    list_append(hooks, &h->link);
}

void loop_hook_add(struct loop *l, struct loop_hook *h, void (*fn)(void *), void *arg)
{
    hook_set(&l->hooks, h, fn, arg);
}

void loop_flush_hook_add(struct loop *l, struct loop_hook *h, void (*fn)(void *), void *arg)
{
    hook_set(&l->flushers, h, fn, arg);
}

void loop_hook_remove(struct loop_hook *h)
{
    if (h->fn)
        list_remove(&h->link);
    h->fn = NULL;
}

void *loop_attached(struct loop *l)
{
    return l->attached;
}

void loop_attach(struct loop *l, void *p, void (*fini)(void *))
{
    CHECK(l->attached == NULL);
    l->attached = p;
    l->attached_fini = fini;
}

void loop_again(struct loop *l)
{
    l->again = true;
}

static void set_us(struct timer *t, int64_t in_us)
{
    t->due_us = t->loop->now_us + in_us;
    ev_timer_stop(t->loop->ev, &t->ev);
    ev_timer_set(&t->ev, in_us > 0 ? (double)in_us / 1e6 : 0., 0.);
    ev_timer_start(t->loop->ev, &t->ev);
}

/* Our clock is read a moment after libev's; if we were put aside in between, libev's
 * time has come before ours. */
static void on_timer(struct ev_loop *ev, ev_timer *w, int revents)
{
    struct timer *t = w->data;

    (void)ev, (void)revents;
    if (t->loop->now_us < t->due_us)
        set_us(t, t->due_us - t->loop->now_us);
    else
        t->fn(t, t->arg);
}

void timer_init(struct timer *t, struct loop *l, void (*fn)(struct timer *, void *), void *arg)
{
    ev_timer_init(&t->ev, on_timer, 0, 0);
    ev_set_priority(&t->ev, -2);
    t->ev.data = t;
    t->loop = l;
    t->fn = fn;
    t->arg = arg;
}

void timer_set(struct timer *t, int64_t in_ms)
{
    if (in_ms == NEVER_MS)
        timer_clear(t);
    else
        set_us(t, in_ms < INT64_MAX / 1000 ? in_ms * 1000 : INT64_MAX / 1000);
}

void timer_set_at(struct timer *t, int64_t at_ms)
{
    if (at_ms >= INT64_MAX / 1000)
        timer_clear(t);
    else
        set_us(t, at_ms * 1000 - t->loop->now_us);
}

void timer_clear(struct timer *t)
{
    if (t->loop)
        ev_timer_stop(t->loop->ev, &t->ev);
}

bool timer_is_set(const struct timer *t)
{
    return t->loop && (ev_is_active(&t->ev) || ev_is_pending(&t->ev));
}

static void on_fd(struct ev_loop *ev, ev_io *io, int revents)
{
    struct fd_watch *w = io->data;

    (void)ev;
    w->fired |= revents & (EV_READ | EV_WRITE);
    if (w->slot == 0) {
        vec_push(&w->loop->fired, w);
        w->slot = w->loop->fired.n;
    }
}

void fd_watch_init(struct fd_watch *w, struct loop *l, void (*fn)(struct fd_watch *, int, void *), void *arg)
{
    ev_io_init(&w->ev, on_fd, -1, 0);
    w->ev.data = w;
    w->fired = 0;
    w->slot = 0;
    w->loop = l;
    w->fn = fn;
    w->arg = arg;
}

static void forget_fired(struct fd_watch *w)
{
    if (w->slot > 0)
        w->loop->fired.at[w->slot - 1] = NULL;
    w->slot = 0;
    w->fired = 0;
}

void fd_watch_set(struct fd_watch *w, int fd, int events)
{
    if (ev_is_active(&w->ev) && w->ev.fd == fd && (w->ev.events & (EV_READ | EV_WRITE)) == events)
        return;
    if (w->ev.fd != fd || events == 0)
        forget_fired(w);
    w->fired &= events;
    ev_io_stop(w->loop->ev, &w->ev);
    if (events) {
        ev_io_set(&w->ev, fd, events);
        ev_io_start(w->loop->ev, &w->ev);
    }
}

void fd_watch_stop(struct fd_watch *w)
{
    if (!w->loop)
        return;
    forget_fired(w);
    ev_io_stop(w->loop->ev, &w->ev);
}
