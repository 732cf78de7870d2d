/* Commits that nobody waits for: one thread writes and syncs, the loop hears of it. While
 * it is under way the log's files belong to the thread; statelog_later_wait gives them back. */
#include "common/io/statelog_inside.h"

#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/base/vec.h"

#include <pthread.h>
#include <string.h>

struct waiter {
    void (*done)(void *arg, int rc, const struct err *e);
    void *arg;
    int rc;
    struct err why;
};

struct statelog_later {
    struct statelog *log;
    struct loop *loop;
    ev_async wake;
    VEC(struct waiter) waiting;          /* for what is pending */
    VEC(struct waiter) aboard;           /* for what the thread writes */
    VEC(struct waiter) told;             /* to be told in the next turn */
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    /* under the mutex */
    bool work, ready, stop;
    /* the thread's while work, the loop's otherwise */
    struct str body;
    uint64_t seq, next_seq;
    char path[PATH_MAX];
    size_t at, bytes;
    int rc;
    struct err why;
};

static void *run(void *arg)
{
    struct statelog_later *a = arg;

    pthread_mutex_lock(&a->mutex);
    for (;;) {
        while (!a->work && !a->stop)
            pthread_cond_wait(&a->changed, &a->mutex);
        if (!a->work)
            break;
        pthread_mutex_unlock(&a->mutex);
        memset(&a->why, 0, sizeof a->why);
        a->rc = statelog_write_batch(a->log->fd, a->path, &a->log->header, a->seq, (struct slice){a->body.p, a->body.len}, a->at, &a->bytes,
                                     &a->why);
        pthread_mutex_lock(&a->mutex);
        a->work = false;
        a->ready = true;
        pthread_cond_broadcast(&a->changed);
        ev_async_send(loop_ev(a->loop), &a->wake);
    }
    pthread_mutex_unlock(&a->mutex);
    return NULL;
}

static void tell_later(struct statelog_later *a, struct waiter *w, int rc, const struct err *e)
{
    w->rc = rc;
    if (e)
        w->why = *e;
    vec_push(&a->told, *w);
}

/* The thread is through: its result becomes the log's. */
static void take_in(struct statelog *l)
{
    struct statelog_later *a = l->later;

    a->ready = false;
    if (a->rc == 0) {
        l->durable_seq = a->next_seq;
        l->log_bytes += a->bytes;
        l->commits++;
    } else {
        err_wrap(&a->why, "%s", l->dir);
        statelog_break(l, a->rc, &a->why);
    }
    for (size_t i = 0; i < a->aboard.n; i++)
        tell_later(a, &a->aboard.at[i], a->rc, &a->why);
    vec_clear(&a->aboard);
    if (a->rc != 0)
        statelog_later_settle(l, a->rc, &a->why);
}

static void begin(struct statelog *l)
{
    struct statelog_later *a = l->later;
    struct str swap = a->body;

    if (a->waiting.n == 0)
        return;
    if (l->trouble || l->pending.len == 0 || l->log_bytes > STATELOG_LOG_MAX) {
        struct err why = {0};
        int rc = statelog_commit(l, &why);      /* nothing to write, or it says why it cannot */

        statelog_later_settle(l, rc, &why);
        return;
    }
    str_clear(&swap);
    a->body = l->pending;
    l->pending = swap;
    statelog_log_path(l, l->generation, a->path);
    a->seq = l->durable_seq;
    a->at = l->log_bytes;
    a->next_seq = l->next_seq;
    for (size_t i = 0; i < a->waiting.n; i++)
        vec_push(&a->aboard, a->waiting.at[i]);
    vec_clear(&a->waiting);
    pthread_mutex_lock(&a->mutex);
    a->work = true;
    pthread_cond_broadcast(&a->changed);
    pthread_mutex_unlock(&a->mutex);
}

static bool under_way(struct statelog_later *a, bool wait)
{
    bool on;

    pthread_mutex_lock(&a->mutex);
    while (wait && a->work)
        pthread_cond_wait(&a->changed, &a->mutex);
    on = a->work;
    pthread_mutex_unlock(&a->mutex);
    return on;
}

static void woken(struct ev_loop *loop, ev_async *w, int events)
{
    struct statelog_later *a = w->data;
    struct statelog *l = a->log;

    (void)loop;
    (void)events;
    if (under_way(a, false))
        return;
    if (a->ready)
        take_in(l);
    begin(l);
    while (a->told.n > 0) {
        struct waiter next = a->told.at[0];

        vec_remove(&a->told, 0);
        next.done(next.arg, next.rc, next.rc ? &next.why : NULL);
    }
}

void statelog_commit_later(struct statelog *l, struct loop *loop, void (*done)(void *arg, int rc, const struct err *e), void *arg)
{
    struct statelog_later *a = l->later;

    if (!a) {
        a = l->later = mem_zalloc(sizeof *a);
        a->log = l;
        a->loop = loop;
        pthread_mutex_init(&a->mutex, NULL);
        pthread_cond_init(&a->changed, NULL);
        ev_async_init(&a->wake, woken);
        a->wake.data = a;
        ev_async_start(loop_ev(loop), &a->wake);
        CHECK(pthread_create(&a->thread, NULL, run, a) == 0);
    }
    CHECK(a->loop == loop);
    vec_push(&a->waiting, ((struct waiter){.done = done, .arg = arg}));
    if (!under_way(a, false) && !a->ready)
        begin(l);
    if (a->told.n > 0)
        ev_async_send(loop_ev(a->loop), &a->wake);
}

void statelog_later_wait(struct statelog *l)
{
    if (!l->later)
        return;
    under_way(l->later, true);
    if (l->later->ready)
        take_in(l);
}

void statelog_later_settle(struct statelog *l, int rc, const struct err *e)
{
    struct statelog_later *a = l->later;

    if (!a || a->waiting.n == 0)
        return;
    for (size_t i = 0; i < a->waiting.n; i++)
        tell_later(a, &a->waiting.at[i], rc, e);
    vec_clear(&a->waiting);
    ev_async_send(loop_ev(a->loop), &a->wake);
}

void statelog_later_stop(struct statelog *l)
{
    struct statelog_later *a = l->later;

    if (!a)
        return;
    pthread_mutex_lock(&a->mutex);
    a->stop = true;
    pthread_cond_broadcast(&a->changed);
    pthread_mutex_unlock(&a->mutex);
    pthread_join(a->thread, NULL);
    ev_async_stop(loop_ev(a->loop), &a->wake);
    pthread_mutex_destroy(&a->mutex);
    pthread_cond_destroy(&a->changed);
    vec_fini(&a->waiting);
    vec_fini(&a->aboard);
    vec_fini(&a->told);
    str_fini(&a->body);
    mem_free(a);
    l->later = NULL;
}
