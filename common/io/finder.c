/* Who is the primary? All sentinels are asked; the answer with the newest configuration
 * epoch counts, and of equally new ones the address that most of them give. Each
 * sentinel has two links: one to ask, one that listens for +switch-master, whose
 * messages only make us ask at once. */
#include "common/io/finder.h"

#include "common/base/mem.h"
#include "common/base/timeval.h"
#include "common/base/vec.h"
#include "common/text/reply_walk.h"

#include <hiredis/hiredis.h>
#include <string.h>

#define SENTINELS_MAX 64

struct source {
    struct finder *f;
    struct addr addr;
    struct resp_link *ask, *listen;
    bool known;                      /* it answered with an address, and its link is up since */
    struct addr primary;
    int64_t epoch;
};

struct finder {
    struct loop *loop;
    struct finder_opts o;            /* strings are ours */
    VEC(struct source *) sources;
    VEC(struct addr) addrs;          /* of the sources, for finder_sentinels */
    struct addr primary;             /* host empty: not known */
    struct timer timer;
    bool freed;
};

static void ask_source(struct source *s);

/* --- judging --- */

static size_t votes_for(const struct finder *f, const struct source *s)
{
    size_t n = 0;

    for (size_t i = 0; i < f->sources.n; i++) {
        const struct source *t = f->sources.at[i];
        n += t->known && t->epoch == s->epoch && addr_equal(&t->primary, &s->primary);
    }
    return n;
}

static bool better(const struct finder *f, const struct source *a, const struct source *b)
{
    size_t va, vb;

    if (a->epoch != b->epoch)
        return a->epoch > b->epoch;
    va = votes_for(f, a);
    vb = votes_for(f, b);
    if (va != vb)
        return va > vb;
    return addr_equal(&a->primary, &f->primary) && !addr_equal(&b->primary, &f->primary);
}

static void judge(struct finder *f)
{
    const struct source *best = NULL;

    for (size_t i = 0; i < f->sources.n; i++) {
        const struct source *s = f->sources.at[i];
        if (s->known && (!best || better(f, s, best)))
            best = s;
    }
    if (!best || addr_equal(&best->primary, &f->primary))
        return;
    f->primary = best->primary;
    if (f->o.on_primary)
        f->o.on_primary(f->o.owner, &f->primary);
}

/* --- asking --- */

static void on_master(void *arg, const struct redisReply *r)
{
    struct source *s = arg;
    struct slice host;
    int64_t port, epoch = 0;
    struct addr a;

    if (!r || reply_is_error(r) || !reply_field(r, "ip") || !reply_i64(reply_field(r, "port"), &port)) {
        s->known = false;
        return;
    }
    host = reply_text(reply_field(r, "ip"));
    if (!addr_set(&a, host.p, host.len, port) || port == 0)
        return;
    reply_i64(reply_field(r, "config-epoch"), &epoch);
    s->known = true;
    s->primary = a;
    s->epoch = epoch;
    judge(s->f);
}

static struct source *source_of(struct finder *f, const struct addr *a)
{
    for (size_t i = 0; i < f->sources.n; i++)
        if (addr_equal(&f->sources.at[i]->addr, a))
            return f->sources.at[i];
    return NULL;
}

static void add_source(struct finder *f, const struct addr *a);

static void on_sentinels(void *arg, const struct redisReply *r)
{
    struct source *s = arg;

    for (size_t i = 0; i < reply_len(r); i++) {
        const struct redisReply *one = reply_at(r, i);
        struct slice host = reply_text(reply_field(one, "ip"));
        struct addr a;
        int64_t port;
        if (reply_i64(reply_field(one, "port"), &port) && port > 0 && addr_set(&a, host.p, host.len, port))
            add_source(s->f, &a);
    }
}

static void ask_source(struct source *s)
{
    if (!resp_link_is_up(s->ask))
        return;
    if (resp_link_pending(s->ask) > 8)       /* it does not answer: nothing is gained by asking more */
        return;
    resp_link_sendz(s->ask, on_master, s, "SENTINEL", "MASTER", s->f->o.group, NULL);
}

static void ask_all(struct finder *f)
{
    for (size_t i = 0; i < f->sources.n; i++)
        ask_source(f->sources.at[i]);
    timer_set(&f->timer, f->o.ask_every_ms > 0         ? f->o.ask_every_ms
                         : addr_is_set(&f->primary) ? 10000
                                                    : 1000);
}

static void on_timer(struct timer *t, void *arg)
{
    (void)t;
    ask_all(arg);
}

/* --- links --- */

static void on_ask_up(struct resp_link *l, void *owner)
{
    struct source *s = owner;

    resp_link_sendz(l, on_sentinels, s, "SENTINEL", "SENTINELS", s->f->o.group, NULL);
    ask_source(s);
}

static void on_ask_end(struct resp_link *l, enum link_end how, const char *why, void *owner)
{
    struct source *s = owner;

    (void)l, (void)how, (void)why;
    s->known = false;        /* what it knew may be old by the time it is back */
}

static void on_listen_up(struct resp_link *l, void *owner)
{
    (void)owner;
    resp_link_sendz(l, NULL, NULL, "SUBSCRIBE", "+switch-master", NULL);
}

static void on_message(void *owner, const struct redisReply *r)
{
    struct source *s = owner;
    struct slice what, text;
    size_t n = strlen(s->f->o.group);

    if (!reply_text_at(r, 0, &what) || !slice_is(what, "message") || !reply_text_at(r, 2, &text))
        return;
    if (text.len > n && !memcmp(text.p, s->f->o.group, n) && text.p[n] == ' ')
        ask_all(s->f);
}

static void add_source(struct finder *f, const struct addr *a)
{
    struct resp_link_opts o = {
        .to = *a,
        .user = f->o.user,
        .password = f->o.password,
        .client_name = f->o.client_name,
        .backoff_max_ms = 1000,
        .resolver = f->o.resolver,
        .reply_max = 4u << 20,
    };
    struct source *s;

    if (f->sources.n >= SENTINELS_MAX || source_of(f, a))
        return;
    s = mem_zalloc(sizeof *s);
    s->f = f;
    s->addr = *a;
    vec_push(&f->sources, s);
    vec_push(&f->addrs, *a);
    o.owner = s;
    o.on_up = on_ask_up;
    o.on_end = on_ask_end;
    s->ask = resp_link_new(f->loop, &o);
    o.on_up = on_listen_up;
    o.on_end = NULL;
    o.on_push = on_message;
    s->listen = resp_link_new(f->loop, &o);
}

/* --- the owner's side --- */

struct finder *finder_new(struct loop *l, const struct finder_opts *o)
{
    struct finder *f = mem_zalloc(sizeof *f);

    f->loop = l;
    f->o = *o;
    f->o.group = mem_strdup(o->group);
    f->o.user = mem_strdup(o->user);
    f->o.password = mem_strdup(o->password);
    f->o.client_name = mem_strdup(o->client_name);
    timer_init(&f->timer, l, on_timer, f);
    for (size_t i = 0; i < o->nsentinels; i++)
        add_source(f, &o->sentinels[i]);
    ask_all(f);
    return f;
}

static void finder_gone(void *arg)
{
    struct finder *f = arg;

    for (size_t i = 0; i < f->sources.n; i++)
        mem_free(f->sources.at[i]);
    vec_fini(&f->sources);
    vec_fini(&f->addrs);
    mem_free((char *)(uintptr_t)f->o.group);
    mem_free((char *)(uintptr_t)f->o.user);
    mem_free((char *)(uintptr_t)f->o.password);
    mem_free((char *)(uintptr_t)f->o.client_name);
    mem_free(f);
}

void finder_free(struct finder *f)
{
    if (!f || f->freed)
        return;
    f->freed = true;
    timer_clear(&f->timer);
    for (size_t i = 0; i < f->sources.n; i++) {
        resp_link_free(f->sources.at[i]->ask);
        resp_link_free(f->sources.at[i]->listen);
    }
    loop_park(f->loop, f, finder_gone);
}

const struct addr *finder_primary(const struct finder *f)
{
    return addr_is_set(&f->primary) ? &f->primary : NULL;
}

void finder_ask_now(struct finder *f)
{
    for (size_t i = 0; i < f->sources.n; i++)
        resp_link_retry_now(f->sources.at[i]->ask);
    ask_all(f);
}

size_t finder_sentinels(const struct finder *f, const struct addr **out)
{
    *out = f->addrs.at;
    return f->addrs.n;
}

size_t finder_links_up(const struct finder *f)
{
    size_t n = 0;

    for (size_t i = 0; i < f->sources.n; i++)
        n += resp_link_is_up(f->sources.at[i]->ask);
    return n;
}
