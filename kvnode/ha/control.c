/* The control thread. It has a loop of its own; what crosses between the two threads goes
 * through two queues under one lock, each with an eventfd that wakes the other side. The
 * thread knows links by number and reads what comes; the main thread says what leaves. */
#include "kvnode/ha/control.h"

#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/base/timeval.h"
#include "common/base/vec.h"
#include "common/io/clock.h"
#include "common/io/log.h"
#include "common/io/resolve.h"
#include "common/io/resp_link.h"
#include "common/text/ha_text.h"
#include "common/text/resp_request.h"
#include "kvnode/ha/ha_inside.h"
#include "kvnode/server.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define OUT_MAX (4u << 20)             /* a link that reads no faster is closed */
#define HELD_MAX (256u << 10)          /* answers that wait while the main thread is stuck */
#define ARGS_MAX 256
#define KEEPALIVE_S 15
#define GRACE_MS 15                    /* the main thread may be so late with what is due before we step aside of it */
#define LOOK_MS 50                     /* how often a stuck main thread is looked at again */

/* --- what crosses --------------------------------------------------------------------------------------- */

enum say_kind { SAY_ADOPT, SAY_SEND, SAY_CLOSE, SAY_DIAL, SAY_STOP };

struct say {
    enum say_kind kind;
    uint64_t link, gid, life;
    int fd;
    bool voter;
    char id[ID_MAX];
    struct str bytes;                  /* ADOPT: what had arrived; SEND: a line */
    struct addr to;
    char *user, *password, *source;
};

struct heard {
    uint64_t link;
    bool gone;
    int64_t at_ms;
    struct ha_msg msg;
    struct ha_record rec;
};

struct control {
    struct server *srv;
    pthread_t thread;
    pthread_mutex_t lock;
    VEC(struct say *) to_thread;
    VEC(struct heard *) to_main;
    int wake_thread, wake_main;
    struct fd_watch main_watch;
    _Atomic bool well;
    _Atomic size_t n_links;
    /* the thread's own */
    struct loop *loop;
    struct fd_watch watch;
    struct timer due, late;            /* the member's deadline; answers to a renewal that nobody took */
    struct timer look;                 /* held answers: may they leave? */
    struct list_link links;
    struct resolver *resolver;
    struct resp_link *primary;
    uint64_t primary_link;
    uint64_t gid, life;                /* how we attach there */
    char id[ID_MAX];
    struct ha_msg msg;                 /* being read */
    struct ha_record rec;
};

struct link {
    struct list_link link;
    struct control *c;
    struct stream *stream;
    uint64_t number;
    bool voter, ended;
    char id[ID_MAX];
    struct resp_parser parser;
    struct buf held;                   /* answers behind a PONG that may not be said yet */
};

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

static void tell_main(struct control *c, struct heard *x)
{
    pthread_mutex_lock(&c->lock);
    vec_push(&c->to_main, x);
    if (c->to_main.n == 1)
        wake(c->wake_main);
    pthread_mutex_unlock(&c->lock);
}

static void tell_gone(struct control *c, uint64_t link)
{
    struct heard *x = mem_zalloc(sizeof *x);

    x->link = link;
    x->gone = true;
    tell_main(c, x);
}

/* --- is the main thread well? ------------------------------------------------------------------------------ */

static bool main_is_well(const struct control *c)
{
    int64_t stall_ms = c->srv->opt.stall_max_ms;
    int64_t since_us = clock_mono_us() - atomic_load_explicit(&c->srv->turned_us, memory_order_relaxed);

    return atomic_load(&c->well) && (stall_ms == 0 || since_us <= stall_ms * 1000);
}

static void set_due(struct control *c, int64_t not_before_ms)
{
    int64_t at_ms = atomic_load(&c->srv->ha->deadline_ms);

    if (at_ms != NEVER_MS)
        at_ms = ms_max(ms_add(at_ms, GRACE_MS), not_before_ms);
    timer_set_at(&c->due, at_ms);
}

/* Something was due GRACE_MS ago and the main thread has not come to it. */
static void on_due(struct timer *t, void *arg)
{
    struct control *c = arg;
    bool stepped = false;

    (void)t;
    if (ms_add(atomic_load(&c->srv->ha->deadline_ms), GRACE_MS) <= clock_mono_ms() && main_is_well(c))
        stepped = ha_step_aside(c->srv, 0, NULL);
    set_due(c, stepped ? 0 : loop_now_ms(c->loop) + LOOK_MS);
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
static void on_late(struct timer *t, void *arg)
{
    struct control *c = arg;
    int64_t old_ms = clock_mono_ms() - GRACE_MS;
    bool more = false, may = main_is_well(c);
    struct heard *x;

    while (may && (x = take_back(c, old_ms, &more)) != NULL) {
        uint64_t as = ha_told_as(c->srv, x->link);

        may = as == 0 || ha_step_aside(c->srv, as, &x->msg);
        if (may)
            mem_free(x);
        else
            tell_main(c, x);           /* not now: it is the main thread's */
    }
    if (more || !may)
        timer_set(t, may ? GRACE_MS : LOOK_MS);
}

/* --- one link: answers ---------------------------------------------------------------------------------------- */

static void link_end(struct link *l)
{
    if (l->ended)
        return;
    l->ended = true;
    list_remove(&l->link);
    atomic_fetch_sub(&l->c->n_links, 1);
    tell_gone(l->c, l->number);
}

static void link_free(void *arg)
{
    struct link *l = arg;

    resp_parser_fini(&l->parser);
    buf_fini(&l->held);
    mem_free(l);
}

static void link_close(struct link *l, bool linger)
{
    if (l->ended)
        return;
    link_end(l);
    if (linger)
        stream_close_when_sent(l->stream);
    else
        stream_close(l->stream);
    loop_park(l->c->loop, l, link_free);
}

static void answer(struct link *l, const char *text)
{
    if (buf_len(&l->held) > 0) {
        buf_append(&l->held, text, strlen(text));
        if (buf_len(&l->held) > HELD_MAX)
            link_close(l, false);
        return;
    }
    stream_write(l->stream, text, strlen(text));
}

static void answer_error(struct link *l, const char *why)
{
    struct str text = {0};

    str_printf(&text, "-ERR %s\r\n", why);
    answer(l, str_c(&text));
    str_fini(&text);
}

static void on_look(struct timer *t, void *arg)
{
    struct control *c = arg;
    bool any = false;

    list_each_safe(struct link, l, &c->links, link) {
        if (buf_len(&l->held) == 0)
            continue;
        any = true;
        if (!main_is_well(c))
            continue;
        stream_write(l->stream, buf_data(&l->held), buf_len(&l->held));
        buf_clear(&l->held);
    }
    if (any)
        timer_set(t, LOOK_MS);
}

static void pong(struct link *l)
{
    if (main_is_well(l->c) || buf_len(&l->held) > 0) {
        answer(l, "+PONG\r\n");
        return;
    }
    buf_append(&l->held, "+PONG\r\n", 7);
    if (!timer_is_set(&l->c->look))
        timer_set(&l->c->look, LOOK_MS);
}

/* --- one link: requests ------------------------------------------------------------------------------------------ */

/* Who may say what. */
enum speaker { BY_VOTER = 1, BY_REPLICA = 2, BY_PRIMARY = 4 };

static const unsigned speakers[HA_KINDS] = {
    [HA_LOOK] = BY_VOTER, [HA_BIND] = BY_VOTER, [HA_SEAL] = BY_VOTER, [HA_FETCH] = BY_VOTER, [HA_OPEN] = BY_VOTER,
    [HA_LEASE] = BY_VOTER | BY_REPLICA, [HA_JOINT] = BY_VOTER, [HA_COMMITTED] = BY_VOTER, [HA_STOP] = BY_VOTER,
    [HA_RESUME] = BY_VOTER, [HA_FINISH] = BY_VOTER, [HA_FOLLOW] = BY_VOTER, [HA_END] = BY_VOTER | BY_PRIMARY,
    [HA_RENEW] = BY_PRIMARY,
};

/* Words that mean nothing without the number of an election. */
static bool needs_ballot(enum ha_kind k)
{
    return k == HA_BIND || k == HA_SEAL || k == HA_FETCH || k == HA_STOP || k == HA_RESUME || k == HA_FINISH;
}

/* NULL, or what is wrong with it. */
static const char *take_line(struct control *c, uint64_t link, enum speaker who, const char *id, struct slice line)
{
    const char *why = NULL;
    struct heard *x;

    if (!ha_text_msg_line(line.p, line.len, &c->msg, &c->rec, &why))
        return why;
    if ((unsigned)c->msg.kind >= HA_KINDS || !(speakers[c->msg.kind] & who))
        return "that is not yours to say to a node";
    if (id && strcmp(id, c->msg.from) != 0)
        return "it is not from whom attached this link";
    if (needs_ballot(c->msg.kind) && c->msg.ballot == 0)
        return "it names no ballot";
    x = mem_zalloc(sizeof *x);
    x->link = link;
    x->at_ms = clock_mono_ms();
    x->msg = c->msg;
    if (c->msg.rec) {
        x->rec = c->rec;
        x->msg.rec = &x->rec;
    }
    tell_main(c, x);
    if (c->msg.kind == HA_LEASE && !timer_is_set(&c->late))
        timer_set(&c->late, GRACE_MS + 1);
    return NULL;
}

static void request(struct link *l, int argc, const struct slice *argv)
{
    const char *why = NULL;

    if (argc == 1 && slice_is_nocase(argv[0], "ping")) {
        pong(l);
    } else if (argc == 1 && slice_is_nocase(argv[0], "quit")) {
        answer(l, "+OK\r\n");
        link_close(l, true);
    } else if (argc >= 3 && slice_is_nocase(argv[0], "ha") && slice_is_nocase(argv[1], "msg")) {
        for (int i = 2; i < argc && !why; i++)
            why = take_line(l->c, l->number, l->voter ? BY_VOTER : BY_REPLICA, l->id, argv[i]);
        if (why)
            answer_error(l, why);
        else
            answer(l, "+OK\r\n");
    } else {
        answer_error(l, "a control link knows PING, HA MSG and QUIT");
        link_close(l, true);
    }
}

static void read_requests(struct link *l)
{
    static const struct resp_limits limits = {.inline_bytes = CONTROL_LINE_MAX, .args = ARGS_MAX, .bulk_bytes = CONTROL_LINE_MAX};
    struct buf *in = stream_in(l->stream);
    const struct slice *argv;
    struct err e = {0};
    size_t used;
    int argc;

    while (!l->ended && buf_len(in) > 0) {
        switch (resp_parse(&l->parser, &limits, buf_data(in), buf_len(in), &argv, &argc, &used, &e)) {
        case RESP_MORE:
            if (buf_len(in) > CONTROL_LINE_MAX) {
                answer_error(l, "the request is too long for a control link");
                link_close(l, true);
            }
            return;
        case RESP_BAD:
            answer_error(l, e.text);
            link_close(l, true);
            return;
        case RESP_READY:
            break;
        }
        if (used > CONTROL_LINE_MAX) {
            answer_error(l, "the request is too long for a control link");
            link_close(l, true);
            return;
        }
        if (argc > 0)
            request(l, argc, argv);
        buf_consume(in, used);
    }
}

static void on_data(struct stream *s, void *owner)
{
    (void)s;
    read_requests(owner);
}

static void on_end(struct stream *s, enum stream_end how, int sys_errno, void *owner)
{
    (void)s, (void)how, (void)sys_errno;
    link_close(owner, false);
}

static const struct stream_events events = {.on_data = on_data, .on_end = on_end};

static void adopt(struct control *c, struct say *s)
{
    struct link *l = mem_zalloc(sizeof *l);

    l->c = c;
    l->number = s->link;
    l->voter = s->voter;
    memcpy(l->id, s->id, ID_MAX);
    resp_parser_init(&l->parser);
    list_append(&c->links, &l->link);
    l->stream = stream_from_fd(c->loop, s->fd, &events, l);
    s->fd = -1;
    stream_limit_out(l->stream, OUT_MAX);
    stream_set_keepalive(l->stream, KEEPALIVE_S);
    buf_append(stream_in(l->stream), str_c(&s->bytes), s->bytes.len);
    read_requests(l);
}

static struct link *link_of(struct control *c, uint64_t number)
{
    list_each(struct link, l, &c->links, link)
        if (l->number == number)
            return l;
    return NULL;
}

/* --- our own link to the primary's control port ---------------------------------------------------------------------- */

static void on_attached(void *arg, const struct redisReply *r)
{
    struct control *c = arg;

    if (r && r->type == REDIS_REPLY_ERROR)
        resp_link_drop(c->primary, "refused as a control link");
}

static void on_up(struct resp_link *k, void *owner)
{
    struct control *c = owner;
    char gid[24], life[24];

    snprintf(gid, sizeof gid, "%llu", (unsigned long long)c->gid);
    snprintf(life, sizeof life, "%llu", (unsigned long long)c->life);
    resp_link_subscribe_mode(k, true);
    resp_link_sendz(k, on_attached, c, "HA", "ATTACH", gid, "NODE", c->id, life, NULL);
}

static void on_push(void *arg, const struct redisReply *r)
{
    struct control *c = arg;

    if (r && r->type == REDIS_REPLY_ARRAY && r->elements == 3 && r->element[2]->type == REDIS_REPLY_STRING)
        take_line(c, c->primary_link, BY_PRIMARY, NULL, (struct slice){r->element[2]->str, r->element[2]->len});
}

static void dial(struct control *c, struct say *s)
{
    struct resp_link_opts o = {.to = s->to, .user = s->user, .password = s->password, .source_ip = s->source, .on_up = on_up,
                               .on_push = on_push, .owner = c, .reply_max = CONTROL_LINE_MAX};

    resp_link_free(c->primary);
    c->primary = NULL;
    c->primary_link = 0;
    if (!addr_is_set(&s->to))
        return;
    c->primary_link = s->link;
    c->gid = s->gid;
    c->life = s->life;
    memcpy(c->id, s->id, ID_MAX);
    if (!c->resolver)
        c->resolver = resolver_new(c->loop);
    o.resolver = c->resolver;
    c->primary = resp_link_new(c->loop, &o);
}

/* --- what the main thread says ------------------------------------------------------------------------------------------ */

static void send_line(struct control *c, struct say *s)
{
    struct link *l = link_of(c, s->link);
    struct slice words[3] = {{"message", 7}, {"ha", 2}, {str_c(&s->bytes), s->bytes.len}};

    if (l) {
        resp_put_request(stream_out(l->stream), 3, words);
        stream_flush_later(l->stream);
    } else if (c->primary && s->link == c->primary_link) {
        words[0] = (struct slice){"HA", 2};
        words[1] = (struct slice){"MSG", 3};
        resp_link_send(c->primary, NULL, NULL, 3, words);
    }
}

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
        case SAY_ADOPT: adopt(c, s); break;
        case SAY_SEND: send_line(c, s); break;
        case SAY_CLOSE:
            if ((l = link_of(c, s->link)) != NULL)
                link_close(l, true);
            break;
        case SAY_DIAL: dial(c, s); break;
        case SAY_STOP: loop_stop(c->loop, 0); break;
        }
        say_free(s);
    }
    vec_fini(&all);
    set_due(c, 0);
}

static void *run(void *arg)
{
    struct control *c = arg;

    loop_run(c->loop);
    resp_link_free(c->primary);
    if (c->resolver)
        resolver_free(c->resolver);
    list_each_safe(struct link, l, &c->links, link) {
        stream_flush_now(l->stream);
        link_close(l, false);
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
    timer_init(&c->due, c->loop, on_due, c);
    timer_init(&c->late, c->loop, on_late, c);
    timer_init(&c->look, c->loop, on_look, c);
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
    *out = c;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &was);
    rc = pthread_create(&c->thread, NULL, run, c);
    pthread_sigmask(SIG_SETMASK, &was, NULL);
    if (rc != 0) {
        errno = rc;
        return err_sys(e, "start the control thread");
    }
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
