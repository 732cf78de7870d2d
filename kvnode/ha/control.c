/* The control thread. It has a loop of its own; what crosses between the two threads goes
 * through two queues under one lock, each with an eventfd that wakes the other side. The
 * thread knows links by number and reads what comes; the main thread says what leaves. */
#include "kvnode/ha/control_inside.h"

#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/text/ha_text.h"
#include "kvnode/ha/ha_inside.h"
#include "kvnode/server.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#define NICE (-10)                     /* of this thread alone, as Linux has it */

/* --- the queues ------------------------------------------------------------------------------------- */

static void wake(int fd)
{
    uint64_t one = 1;
    ssize_t n = write(fd, &one, sizeof one);

    CHECK(n == (ssize_t)sizeof one || errno == EAGAIN);
}

static void calm(int fd)
{
    uint64_t count;

    while (read(fd, &count, sizeof count) < 0 && errno == EINTR)
        ;
}

static void say(struct control *c, struct say *s)
{
    pthread_mutex_lock(&c->lock);
    vec_push(&c->to_thread, s);
    if (c->to_thread.n == 1)
        wake(c->wake_thread);
    pthread_mutex_unlock(&c->lock);
}

static struct say *say_new(enum say_kind kind, uint64_t link)
{
    struct say *s = mem_zalloc(sizeof *s);

    s->kind = kind;
    s->link = link;
    s->fd = -1;
    return s;
}

static void say_free(struct say *s)
{
    if (s->fd >= 0)
        close(s->fd);
    str_fini(&s->bytes);
    mem_free(s->user);
    mem_free(s->password);
    mem_free(s->source);
    mem_free(s);
}

void control_tell_main(struct control *c, struct heard *x)
{
    pthread_mutex_lock(&c->lock);
    vec_push(&c->to_main, x);
    if (c->to_main.n == 1)
        wake(c->wake_main);
    pthread_mutex_unlock(&c->lock);
}

void control_tell_gone(struct control *c, uint64_t link)
{
    struct heard *x = mem_zalloc(sizeof *x);

    x->link = link;
    x->gone = true;
    control_tell_main(c, x);
}

/* --- what the main thread says ------------------------------------------------------------------------------------------ */

static void on_said(struct fd_watch *w, int fired, void *arg)
{
    struct control *c = arg;
    VEC(struct say *) all = {0};
    struct link *l;

    (void)w, (void)fired;
    calm(c->wake_thread);
    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < c->to_thread.n; i++)
        vec_push(&all, c->to_thread.at[i]);
    vec_clear(&c->to_thread);
    pthread_mutex_unlock(&c->lock);
    for (size_t i = 0; i < all.n; i++) {
        struct say *s = all.at[i];

        switch (s->kind) {
        case SAY_ADOPT: control_link_adopt(c, s); break;
        case SAY_SEND: control_link_say(c, s->link, (struct slice){str_c(&s->bytes), s->bytes.len}); break;
        case SAY_CLOSE:
            if ((l = control_link_of(c, s->link)) != NULL)
                control_link_close(l, true);
            break;
        case SAY_DIAL: control_link_dial(c, s); break;
        case SAY_STOP: loop_stop(c->loop, 0); break;
        }
        say_free(s);
    }
    vec_fini(&all);
    control_set_due(c, 0);
}

static void *run(void *arg)
{
    struct control *c = arg;

    /* on a busy machine it must come to its word before those who keep it busy; where that is not allowed, as everybody */
    setpriority(PRIO_PROCESS, 0, NICE);
    loop_run(c->loop);
    resp_link_free(c->primary);
    if (c->resolver)
        resolver_free(c->resolver);
    list_each_safe(struct link, l, &c->links, link) {
        stream_flush_now(l->stream);
        control_link_close(l, false);
    }
    timer_clear(&c->due);
    timer_clear(&c->late);
    timer_clear(&c->look);
    fd_watch_stop(&c->watch);
    loop_free(c->loop);
    return NULL;
}

/* --- the main thread's side ------------------------------------------------------------------------------------------------ */

static void on_heard(struct fd_watch *w, int fired, void *arg)
{
    struct control *c = arg;
    VEC(struct heard *) all = {0};

    (void)w, (void)fired;
    calm(c->wake_main);
    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < c->to_main.n; i++)
        vec_push(&all, c->to_main.at[i]);
    vec_clear(&c->to_main);
    pthread_mutex_unlock(&c->lock);
    for (size_t i = 0; i < all.n; i++) {
        struct heard *x = all.at[i];

        if (x->gone)
            ha_heard_gone(c->srv, x->link);
        else
            ha_heard(c->srv, x->link, &x->msg);
        mem_free(x);
    }
    vec_fini(&all);
}

static void watch_begin(struct fd_watch *w, struct loop *l, int fd, void (*fn)(struct fd_watch *, int, void *), void *arg)
{
    fd_watch_init(w, l, fn, arg);
    fd_watch_set(w, fd, EV_READ);
}

static void thread_rooms(struct control *c)
{
    c->loop = loop_new();
    list_init(&c->links);
    timer_init(&c->due, c->loop, control_on_due, c);
    timer_init(&c->late, c->loop, control_on_late, c);
    timer_init(&c->look, c->loop, control_link_on_look, c);
    watch_begin(&c->watch, c->loop, c->wake_thread, on_said, c);
}

int control_start(struct server *srv, struct control **out, struct err *e)
{
    struct control *c = mem_zalloc(sizeof *c);
    sigset_t all, was;
    int rc;

    c->srv = srv;
    c->well = true;
    pthread_mutex_init(&c->lock, NULL);
    c->wake_thread = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    c->wake_main = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (c->wake_thread < 0 || c->wake_main < 0)
        return err_sys(e, "make an eventfd for the control thread");
    thread_rooms(c);
    watch_begin(&c->main_watch, srv->loop, c->wake_main, on_heard, c);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &was);
    rc = pthread_create(&c->thread, NULL, run, c);
    pthread_sigmask(SIG_SETMASK, &was, NULL);
    if (rc != 0) {
        fd_watch_stop(&c->main_watch);     /* (the rest of it goes with the process, which does not go on without) */
        errno = rc;
        return err_sys(e, "start the control thread");
    }
    *out = c;
    pthread_setname_np(c->thread, "control");
    return 0;
}

void control_stop(struct control *c)
{
    if (!c)
        return;
    say(c, say_new(SAY_STOP, 0));
    pthread_join(c->thread, NULL);
    fd_watch_stop(&c->main_watch);
    for (size_t i = 0; i < c->to_thread.n; i++)
        say_free(c->to_thread.at[i]);
    for (size_t i = 0; i < c->to_main.n; i++)
        mem_free(c->to_main.at[i]);
    vec_fini(&c->to_thread);
    vec_fini(&c->to_main);
    close(c->wake_thread);
    close(c->wake_main);
    pthread_mutex_destroy(&c->lock);
    mem_free(c);
}

void control_adopt(struct control *c, int fd, uint64_t link, bool voter, const char *id, const void *bytes, size_t n)
{
    struct say *s = say_new(SAY_ADOPT, link);

    s->fd = fd;
    s->voter = voter;
    snprintf(s->id, sizeof s->id, "%s", id);
    str_append(&s->bytes, bytes, n);
    atomic_fetch_add(&c->n_links, 1);
    say(c, s);
}

void control_send(struct control *c, uint64_t link, const struct ha_msg *m)
{
    struct say *s = say_new(SAY_SEND, link);

    ha_text_put_msg(&s->bytes, m);
    say(c, s);
}

void control_close(struct control *c, uint64_t link) { say(c, say_new(SAY_CLOSE, link)); }

static char *copy(const char *z) { return z ? mem_strdup(z) : NULL; }

void control_dial(struct control *c, uint64_t link, const struct addr *to, uint64_t gid, const char *id, uint64_t life)
{
    const struct kv_options *o = &c->srv->opt;
    struct say *s = say_new(SAY_DIAL, link);

    s->to = *to;
    s->gid = gid;
    s->life = life;
    snprintf(s->id, sizeof s->id, "%s", id);
    s->user = copy(o->masteruser);
    s->password = copy(o->masterauth);
    s->source = copy(o->bind_source_addr);
    say(c, s);
}

void control_alive(struct control *c, bool well) { atomic_store(&c->well, well); }
size_t control_links(const struct control *c) { return c ? atomic_load(&c->n_links) : 0; }
