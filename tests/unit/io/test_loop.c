/* Timers, hooks, frees at the end of the turn. */
#include "common/io/loop.h"

#include "common/base/mem.h"
#include "common/io/clock.h"
#include "tests/support/suite.h"

#include <unistd.h>

struct seen {
    struct loop *l;
    char order[32];
    int n;
    int64_t fired_at_ms;
};

static void note(struct seen *s, char c)
{
    s->order[s->n++] = c;
}

static void on_timer(struct timer *t, void *arg)
{
    struct seen *s = arg;

    (void)t;
    s->fired_at_ms = loop_now_ms(s->l);
    note(s, 't');
}

static void on_hook(void *arg)
{
    note(arg, 'h');
}

static void on_flush(void *arg)
{
    note(arg, 'f');
}

static struct seen *parked_seen;

static void on_free(void *p)
{
    mem_free(p);
    note(parked_seen, 'p');
}

START_TEST(order_of_a_turn)
{
    struct seen s = {.l = loop_new()};
    struct loop_hook h = {0}, f = {0};
    struct timer t;

    parked_seen = &s;
    loop_flush_hook_add(s.l, &f, on_flush, &s);
    loop_hook_add(s.l, &h, on_hook, &s);
    timer_init(&t, s.l, on_timer, &s);
    timer_set(&t, 0);
    loop_park(s.l, mem_alloc(1), on_free);
    loop_run_once(s.l, true);
    ck_assert_str_eq(s.order, "thfp");
    loop_hook_remove(&h);
    loop_hook_remove(&f);
    loop_free(s.l);
}
END_TEST

START_TEST(timers_are_never_early)
{
    struct seen s = {.l = loop_new()};
    struct timer t;

    timer_init(&t, s.l, on_timer, &s);
    for (int i = 0; i < 20; i++) {
        int64_t due = loop_now_ms(s.l) + 3;
        s.n = 0;
        timer_set_at(&t, due);
        ck_assert(timer_is_set(&t));
        while (s.n == 0)
            loop_run_once(s.l, true);
        ck_assert_int_ge(s.fired_at_ms, due);
        ck_assert_int_le(s.fired_at_ms, due + 200);
        ck_assert(!timer_is_set(&t));
    }
    timer_set(&t, 5);
    timer_clear(&t);
    ck_assert(!timer_is_set(&t));
    loop_free(s.l);
}
END_TEST

START_TEST(again_means_no_sleep)
{
    struct loop *l = loop_new();
    int64_t before = clock_mono_ms();

    loop_again(l);
    loop_run_once(l, true);      /* nothing is watched: without loop_again this would sleep for a minute */
    ck_assert_int_lt(clock_mono_ms() - before, 5000);
    loop_free(l);
}
END_TEST

struct ready {
    struct fd_watch w;
    int fds[2];
    char name;
    struct seen *seen;
    struct ready *stops;
};

static void on_ready(struct fd_watch *w, int events, void *arg)
{
    struct ready *r = arg;

    (void)events;
    note(r->seen, r->name);
    fd_watch_stop(w);
    if (r->stops)
        fd_watch_stop(&r->stops->w);
}

START_TEST(descriptors_first_in_first_out_then_timers)
{
    struct seen s = {.l = loop_new()};
    struct ready r[4];
    struct timer t;

    timer_init(&t, s.l, on_timer, &s);
    for (int i = 0; i < 4; i++) {
        r[i] = (struct ready){.name = (char)('a' + i), .seen = &s};
        ck_assert_int_eq(pipe(r[i].fds), 0);
        fd_watch_init(&r[i].w, s.l, on_ready, &r[i]);
        fd_watch_set(&r[i].w, r[i].fds[0], EV_READ);
    }
    r[0].stops = &r[2];
    loop_again(s.l);
    loop_run_once(s.l, true);            /* now the kernel knows of them */
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(write(r[i].fds[1], "x", 1), 1);
    timer_set(&t, 0);
    loop_run_once(s.l, true);
    ck_assert_str_eq(s.order, "abdt");
    for (int i = 0; i < 4; i++) {
        close(r[i].fds[0]);
        close(r[i].fds[1]);
    }
    loop_free(s.l);
}
END_TEST

static void stop_it(struct timer *t, void *arg)
{
    (void)t;
    loop_stop(arg, 7);
}

START_TEST(run_returns_the_code)
{
    struct loop *l = loop_new();
    struct timer t;

    timer_init(&t, l, stop_it, l);
    timer_set(&t, 1);
    ck_assert_int_eq(loop_run(l), 7);
    loop_free(l);
}
END_TEST

SUITE(loop, order_of_a_turn, descriptors_first_in_first_out_then_timers, timers_are_never_early, again_means_no_sleep, run_returns_the_code)
