/* A blocking face on io/resp_link, for a program that does one thing and ends. */
#include "sentinel/ctl/call.h"

#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/io/resp_link.h"

struct conn {
    struct loop *loop;
    struct resp_link *link;
    struct timer timer;
    int64_t timeout_ms;
    bool up, ended, late, answered;
    enum link_end how;
    char why[256];
    struct val *answer;
};

static void up(struct resp_link *l, void *owner)
{
    (void)l;
    ((struct conn *)owner)->up = true;
}

static void ended(struct resp_link *l, enum link_end how, const char *why, void *owner)
{
    struct conn *c = owner;

    (void)l;
    if (c->ended)
        return;
    c->ended = true;
    c->how = how;
    (void)slice_copy_z(slice_z(why && *why ? why : link_end_name(how)), c->why, sizeof c->why);
}

static void late(struct timer *t, void *arg)
{
    (void)t;
    ((struct conn *)arg)->late = true;
}

int conn_open(const struct conn_opts *o, struct conn **out, struct err *e)
{
    struct conn *c = mem_zalloc(sizeof *c);
    struct resp_link_opts lo = {
        .to = o->to, .user = o->user, .password = o->password, .client_name = "kvorumctl",
        .connect_timeout_ms = o->timeout_ms, .resolver = o->resolver, .on_up = up, .on_end = ended, .owner = c,
    };
    char at[ADDR_TEXT_MAX];

    c->loop = o->loop;
    c->timeout_ms = o->timeout_ms;
    timer_init(&c->timer, c->loop, late, c);
    c->link = resp_link_new(c->loop, &lo);
    loop_update_now(c->loop);
    timer_set(&c->timer, c->timeout_ms + 100);
    while (!c->up && !c->ended && !c->late)
        loop_run_once(c->loop, true);
    timer_clear(&c->timer);
    if (c->up) {
        *out = c;
        return 0;
    }
    addr_text(&o->to, at);
    int rc = c->ended && c->how == LINK_AUTH ? err_set(e, ERR_REFUSED, "%s refused us: %s", at, c->why)
           : c->ended ? err_set(e, ERR_CLOSED, "cannot connect to %s: %s", at, c->why)
                      : err_set(e, ERR_TIMEOUT, "no answer from %s within %lld ms", at, (long long)c->timeout_ms);
    conn_close(c);
    return rc;
}

void conn_close(struct conn *c)
{
    if (!c)
        return;
    timer_clear(&c->timer);
    resp_link_free(c->link);
    val_free(c->answer);
    mem_free(c);
}

static void answered(void *arg, const struct redisReply *r)
{
    struct conn *c = arg;

    if (r)
        c->answer = val_from(r);
    c->answered = true;
}

int conn_call(struct conn *c, int argc, const struct slice *argv, struct val **out, struct err *e)
{
    char at[ADDR_TEXT_MAX];

    addr_text(resp_link_addr(c->link), at);
    c->answered = c->late = false;
    if (c->ended || !resp_link_send(c->link, answered, c, argc, argv))
        return err_set(e, ERR_CLOSED, "the link to %s is closed", at);
    loop_update_now(c->loop);
    loop_again(c->loop);             /* we are between two turns: what was sent leaves at the end of one */
    timer_set(&c->timer, c->timeout_ms);
    while (!c->answered && !c->ended && !c->late)
        loop_run_once(c->loop, true);
    timer_clear(&c->timer);
    if (!c->answer) {
        if (c->late)
            c->ended = true;     /* a late answer must not be taken for the next one's */
        return c->late ? err_set(e, ERR_TIMEOUT, "no answer from %s within %lld ms", at, (long long)c->timeout_ms)
                       : err_set(e, ERR_CLOSED, "%s closed the link: %s", at, c->why);
    }
    *out = c->answer;
    c->answer = NULL;
    return 0;
}

int call_words(struct slice argv[CALL_WORDS_MAX], const char *first, va_list ap)
{
    int argc = 0;

    for (const char *z = first; z; z = va_arg(ap, const char *)) {
        CHECK(argc < CALL_WORDS_MAX);
        argv[argc++] = slice_z(z);
    }
    return argc;
}

int conn_callz(struct conn *c, struct val **out, struct err *e, const char *first, ...)
{
    struct slice argv[CALL_WORDS_MAX];
    va_list ap;
    int argc;

    va_start(ap, first);
    argc = call_words(argv, first, ap);
    va_end(ap);
    return conn_call(c, argc, argv, out, e);
}

void conn_be_patient(struct conn *c, int64_t timeout_ms)
{
    if (timeout_ms > c->timeout_ms)
        c->timeout_ms = timeout_ms;
}

void conn_set_timeout(struct conn *c, int64_t timeout_ms) { c->timeout_ms = timeout_ms; }

static void slept(struct timer *t, void *arg)
{
    (void)t;
    *(bool *)arg = true;
}

void conn_sleep(struct loop *l, int64_t ms)
{
    struct timer t;
    bool done = false;

    timer_init(&t, l, slept, &done);
    loop_update_now(l);
    timer_set(&t, ms);
    while (!done)
        loop_run_once(l, true);
}
