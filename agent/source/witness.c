/* One link for each sentinel, one question at a time on it. */
#include "agent/source/witness.h"

#include "common/base/mem.h"
#include "common/base/timeval.h"
#include "common/io/resp_link.h"
#include "common/text/reply_walk.h"

#include <string.h>

#define EVERY_MS 1000

struct voice {
    struct witness *w;
    struct resp_link *link;
    struct witness_said said;
    bool asked;
    int64_t asked_at_ms;
};

struct witness {
    struct loop *loop;
    char *group;
    int64_t every_ms;
    struct voice *voices;
    size_t n;
    struct timer next;
    void *owner;
    void (*on_said)(void *owner);
};

static void told(struct witness *w)
{
    if (w->on_said)
        w->on_said(w->owner);
}

static void on_master(void *arg, const struct redisReply *r)
{
    struct voice *v = arg;
    struct slice host = reply_text(reply_field(r, "ip")), run_id = reply_text(reply_field(r, "runid"));
    int64_t port;

    v->asked = false;
    if (!r || reply_is_error(r) || !reply_i64(reply_field(r, "port"), &port))
        return;
    if (!addr_set(&v->said.primary, host.p, host.len, port))
        return;
    if (!slice_copy_z(run_id, v->said.run_id, sizeof v->said.run_id))
        v->said.run_id[0] = 0;
    v->said.at_ms = loop_now_ms(v->w->loop);
    told(v->w);
}

static void ask(struct voice *v)
{
    if (v->asked || !resp_link_is_up(v->link))
        return;
    v->asked = resp_link_sendz(v->link, on_master, v, "SENTINEL", "MASTER", v->w->group, NULL);
    v->asked_at_ms = loop_now_ms(v->w->loop);
}

static void on_up(struct resp_link *k, void *owner)
{
    struct voice *v = owner;

    (void)k;
    v->asked = false;
    ask(v);
}

static void on_end(struct resp_link *k, enum link_end how, const char *why, void *owner)
{
    struct voice *v = owner;

    (void)k;
    (void)how;
    (void)why;
    v->asked = false;
}

static void on_next(struct timer *t, void *arg)
{
    struct witness *w = arg;
    bool lapsed = false;

    timer_set(t, w->every_ms);
    for (size_t i = 0; i < w->n; i++) {
        struct voice *v = &w->voices[i];
        int64_t since_ms = loop_now_ms(w->loop) - 3 * w->every_ms;

        if (v->said.at_ms && v->said.at_ms < since_ms) {
            v->said.at_ms = 0;
            lapsed = true;
        }
        if (v->asked && v->asked_at_ms < since_ms)       /* the link stands and nobody answers */
            resp_link_drop(v->link, "no answer");
        ask(v);
    }
    if (lapsed)
        told(w);
}

struct witness *witness_new(const struct witness_opts *o)
{
    struct witness *w = mem_zalloc(sizeof *w);

    w->loop = o->loop;
    w->group = mem_strdup(o->group);
    w->every_ms = o->every_ms ? o->every_ms : EVERY_MS;
    w->owner = o->owner;
    w->on_said = o->on_said;
    w->n = o->n;
    w->voices = mem_zalloc((o->n ? o->n : 1) * sizeof *w->voices);
    for (size_t i = 0; i < o->n; i++) {
        struct voice *v = &w->voices[i];
        struct resp_link_opts l = {.to = o->sentinels[i], .resolver = o->resolver, .user = o->user, .password = o->password,
                                   .client_name = "agent-witness", .reply_max = 1u << 20, .on_up = on_up, .on_end = on_end,
                                   .owner = v};

        v->w = w;
        v->said.sentinel = o->sentinels[i];
        v->link = resp_link_new(o->loop, &l);
    }
    timer_init(&w->next, o->loop, on_next, w);
    timer_set(&w->next, w->every_ms);
    return w;
}

static void witness_end(void *arg)
{
    struct witness *w = arg;

    mem_free(w->voices);
    mem_free(w->group);
    mem_free(w);
}

void witness_free(struct witness *w)
{
    if (!w)
        return;
    timer_clear(&w->next);
    for (size_t i = 0; i < w->n; i++)
        resp_link_free(w->voices[i].link);
    loop_park(w->loop, w, witness_end);
}

void witness_ask(struct witness *w)
{
    for (size_t i = 0; i < w->n; i++)
        ask(&w->voices[i]);
}

size_t witness_count(const struct witness *w) { return w->n; }
const struct witness_said *witness_at(const struct witness *w, size_t i) { return &w->voices[i].said; }
