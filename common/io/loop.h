/* One turn: now -> descriptors, in the order they became ready -> timers -> turn hooks -> writes
 * -> end-of-turn frees -> sleep. Descriptors come before timers, so that after a long stall what
 * has arrived is seen before anybody is found silent. A thin place
 * in the turn around libev (struct ev_loop is reachable for wrappers in this room).
 *
 * Time is read once a turn: loop_now_ms. Everything runs on one thread. */
#ifndef KV_IO_LOOP_H
#define KV_IO_LOOP_H

#include "common/base/err.h"
#include "common/base/list.h"

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

struct loop;

struct loop *loop_new(void);
void loop_free(struct loop *l);
int  loop_run(struct loop *l);          /* until loop_stop; returns its code */
void loop_run_once(struct loop *l, bool wait);   /* one turn (nested use: while loading) */
void loop_stop(struct loop *l, int code);
int64_t loop_now_ms(const struct loop *l);       /* boot clock, read at the start of the turn */
int64_t loop_wall_ms(const struct loop *l);      /* wall clock, read at the same moment */
void loop_update_now(struct loop *l);            /* after something long */
struct ev_loop *loop_ev(struct loop *l);

/* Free p with fn at the end of this turn, when no callback can still be using it. */
void loop_park(struct loop *l, void *p, void (*fn)(void *));

/* Runs at the end of every turn, in the order of registration, before frees and sleep. */
struct loop_hook {
    struct list_link link;
    void (*fn)(void *arg);
    void *arg;
};
void loop_hook_add(struct loop *l, struct loop_hook *h, void (*fn)(void *), void *arg);
void loop_hook_remove(struct loop_hook *h);
/* For writers: runs after all hooks of the turn, still before frees and sleep, so that what
 * the hooks produced (and what they made durable first) leaves in the same turn. */
void loop_flush_hook_add(struct loop *l, struct loop_hook *h, void (*fn)(void *), void *arg);
/* One pointer that rooms of this floor may hang on a loop (stream's shared buffers);
 * fini runs in loop_free. */
void *loop_attached(struct loop *l);
void loop_attach(struct loop *l, void *p, void (*fini)(void *));
/* Somebody has more to do at once: do not sleep after this turn. */
void loop_again(struct loop *l);

/* A deadline. The struct is the owner's; zeroed = not set. fn is called once when
 * the deadline passes, never before it; timer_set again inside fn is fine. Accuracy about 1 ms. */
struct timer {
    ev_timer ev;
    int64_t due_us;              /* private */
    struct loop *loop;
    void (*fn)(struct timer *t, void *arg);
    void *arg;
};
void timer_init(struct timer *t, struct loop *l, void (*fn)(struct timer *, void *), void *arg);
void timer_set(struct timer *t, int64_t in_ms);       /* from now; replaces an earlier one */
void timer_set_at(struct timer *t, int64_t at_ms);    /* boot clock; NEVER_MS = timer_clear */
void timer_clear(struct timer *t);
bool timer_is_set(const struct timer *t);

/* A descriptor. events: EV_READ | EV_WRITE. */
struct fd_watch {
    ev_io ev;
    int fired;                   /* private: what happened in this turn and was not told yet */
    size_t slot;                 /* private: 1 + its place among those */
    struct loop *loop;
    void (*fn)(struct fd_watch *w, int events, void *arg);
    void *arg;
};
void fd_watch_init(struct fd_watch *w, struct loop *l, void (*fn)(struct fd_watch *, int, void *), void *arg);
void fd_watch_set(struct fd_watch *w, int fd, int events);    /* events 0 = stop */
void fd_watch_stop(struct fd_watch *w);

#endif
