/* The pair of connections, whether they live, and what others ask of them. What is read stands in directory_read.c, how
 * changes are heard of in directory_ladder.c. */
#include "agent/source/directory_inside.h"

#include "common/base/mem.h"
#include "common/base/timeval.h"
#include "common/io/log.h"
#include "common/text/reply_walk.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <string.h>

#define LATE_MS 3000            /* seeking for so long is worth a word */

struct hset {
    struct list_link link;
    struct directory *d;
    void (*fn)(void *arg, const char *why);
    void *arg;
};

struct asked {
    struct list_link link;
    struct directory *d;
    link_reply_fn *fn;
    void *arg;
};

static const char *const state_names[] = {"seeking", "connecting", "greeting", "live"};
static const char *const rung_names[] = {"none", "tracking", "keyspace", "polling"};
const char *dir_state_name(enum dir_state s) { return state_names[s]; }
const char *dir_rung_name(enum dir_rung r) { return rung_names[r]; }
enum dir_state directory_state(const struct directory *d) { return d->state; }
enum dir_rung directory_rung(const struct directory *d) { return d->rung; }
int64_t directory_state_since_ms(const struct directory *d) { return d->since_ms; }
const struct directory_stats *directory_stats(const struct directory *d) { return &d->stats; }

bool directory_address(const struct directory *d, struct addr *out)
{
    *out = d->addr;
    return addr_is_set(&d->addr);
}

/* Out of reach for a while, in words that change only when the reason does. */
static void complain(struct directory *d, const char *why)
{
    if (strcmp(d->complaint, why) == 0)
        return;
    slice_copy_z(slice_z(why), d->complaint, sizeof d->complaint);
    if (addr_is_set(&d->addr))
        log_warning("directory: %s:%u is out of reach: %s", d->addr.host, d->addr.port, why);
    else
        log_warning("directory: %s", why);
}

static void on_late(struct timer *t, void *arg)
{
    struct directory *d = arg;
    char why[200];

    (void)t;
    if (d->state != DIR_SEEKING || !d->finder)
        return;
    snprintf(why, sizeof why, "no sentinel says where the primary of %.60s is (%zu of %zu connected)", d->o.group,
             finder_links_up(d->finder), d->o.nsentinels);
    complain(d, why);
}

static void tell_followers(struct directory *d)
{
    list_each_safe(struct directory_follower, f, &d->followers, link)
        f->fn(f->arg);
}

void directory_set_state(struct directory *d, enum dir_state s, const char *why)
{
    if (s == DIR_LIVE)
        d->complaint[0] = 0;
    if (d->state == s)
        return;
    d->state = s;
    d->since_ms = loop_now_ms(d->o.loop);
    tell_followers(d);
    d->o.on_state(d->o.owner, s, why);
}

/* --- the pair of connections --- */

void directory_forget_greeting(struct directory *d)
{
    d->push_id = -1;
    d->rounds = 0;
    d->role_ok = d->greeting = d->reading = d->dirty = d->again = false;
    d->rung = RUNG_NONE;
    sources_fini(&d->told);
    sources_init(&d->told);
    timer_clear(&d->quiet);
    timer_clear(&d->ping);
    timer_clear(&d->overdue);
    timer_clear(&d->resync);
}

static void drop_pair(struct directory *d, const char *why)
{
    directory_forget_greeting(d);
    directory_set_state(d, DIR_CONNECTING, why);
    if (d->finder)
        finder_ask_now(d->finder);
    resp_link_drop(d->data, why);
    resp_link_drop(d->push, why);
}

/* The server says it is not what we look for: come back a moment later. */
void directory_leave(struct directory *d, const char *why)
{
    log_verbose("directory: leaving %s:%u: %s", d->addr.host, d->addr.port, why);
    drop_pair(d, why);
}

bool directory_is_wrong(struct directory *d, const struct redisReply *r)
{
    struct slice said = reply_text(r);
    char why[200];

    if (!reply_error_is(r, "READONLY") && !reply_error_is(r, "LOADING") && !reply_error_is(r, "MASTERDOWN"))
        return false;
    slice_copy_z((struct slice){said.p, said.len > 190 ? 190 : said.len}, why, sizeof why);
    directory_leave(d, why);
    return true;
}

static void on_up(struct resp_link *k, void *owner)
{
    struct directory *d = owner;

    (void)k;
    if (!resp_link_is_up(d->data) || !resp_link_is_up(d->push))
        return;
    d->stats.connects++;
    directory_greet(d);
}

static void on_end(struct resp_link *k, enum link_end how, const char *why, void *owner)
{
    struct directory *d = owner;
    struct resp_link *other = k == d->data ? d->push : d->data;
    bool was_greeted = d->greeting || d->state == DIR_LIVE, was_reading = d->reading && k == d->data;
    bool were_a_pair = was_greeted || d->rung != RUNG_NONE;     /* one listens for the other: a new one needs a new twin */
    char text[300];

    if (!d->data || !d->push)
        return;
    slice_copy_z(slice_z(why && why[0] ? why : link_end_name(how)), text, sizeof text);
    directory_forget_greeting(d);
    directory_set_state(d, DIR_CONNECTING, text);
    if (how == LINK_BY_US)
        return;
    if (was_reading && how == LINK_PROTOCOL)
        directory_too_much(d, text);
    else if (!was_greeted)
        complain(d, text);
    if (d->finder)
        finder_ask_now(d->finder);
    if (were_a_pair && resp_link_is_up(other))
        resp_link_drop(other, "its twin ended");
}

/* --- alive? --- */

static void on_pong(struct directory *d, bool *which)
{
    *which = true;
    if (d->pong_data && d->pong_push && !d->greeting)
        timer_clear(&d->overdue);
}

static void on_pong_data(void *arg, const struct redisReply *r)
{
    struct directory *d = arg;

    if (r && !directory_is_wrong(d, r))
        on_pong(d, &d->pong_data);
}

static void on_pong_push(void *arg, const struct redisReply *r)
{
    struct directory *d = arg;

    if (r)
        on_pong(d, &d->pong_push);
}

static void on_ping(struct timer *t, void *arg)
{
    struct directory *d = arg;

    (void)t;
    d->pong_data = d->pong_push = false;
    resp_link_sendz(d->data, on_pong_data, d, "PING", NULL);
    resp_link_sendz(d->push, on_pong_push, d, "PING", NULL);
    timer_set(&d->overdue, d->o.ping_timeout_ms);
    timer_set(&d->ping, ms_max(d->o.ping_ms, d->o.ping_timeout_ms + 10));
}

static void on_overdue(struct timer *t, void *arg)
{
    struct directory *d = arg;

    (void)t;
    if (d->greeting)
        drop_pair(d, "no answer to the greeting");
    else if (!d->pong_data || !d->pong_push)
        drop_pair(d, "no answer to PING");
}

/* --- finding --- */

static void connect_to(struct directory *d, const struct addr *to)
{
    struct resp_link_opts o = {.to = *to, .user = d->o.user, .password = d->o.password, .client_name = d->client_name,
                               .resolver = d->o.resolver, .backoff_min_ms = 20, .backoff_max_ms = 1000,
                               .on_up = on_up, .on_end = on_end, .on_push = directory_heard, .owner = d};

    d->addr = *to;
    d->too_much_until_ms = 0;
    tell_followers(d);
    if (!d->data) {
        struct resp_link *data = resp_link_new(d->o.loop, &o);

        d->push = resp_link_new(d->o.loop, &o);
        d->data = data;
        directory_set_state(d, DIR_CONNECTING, "found");
        return;
    }
    resp_link_set_addr(d->data, to);
    resp_link_set_addr(d->push, to);
    directory_forget_greeting(d);
    directory_set_state(d, DIR_CONNECTING, "it moved");
    resp_link_drop(d->data, "the directory moved");
    resp_link_drop(d->push, "the directory moved");
    resp_link_retry_now(d->data);
    resp_link_retry_now(d->push);
}

static void on_primary(void *owner, const struct addr *primary)
{
    struct directory *d = owner;

    d->stats.finds++;
    if (d->data && addr_equal(primary, &d->addr))
        return;
    log_notice("directory: the primary of %s is %s:%u", d->o.group, primary->host, primary->port);
    connect_to(d, primary);
}

struct directory *directory_new(const struct directory_opts *o)
{
    struct directory *d = mem_zalloc(sizeof *d);
    struct str name = {0};

    d->o = *o;
    d->push_id = -1;
    list_init(&d->hsets);
    list_init(&d->asked);
    list_init(&d->followers);
    d->since_ms = loop_now_ms(o->loop);
    str_printf(&name, "agent-%s", o->who.node);
    d->client_name = str_take(&name);
    str_printf(&name, "agent-%s-controller", o->who.node);
    d->side_name = str_take(&name);
    rng_seed(&d->rng, o->seed);
    sources_init(&d->want);
    sources_init(&d->told);
    timer_init(&d->quiet, o->loop, directory_on_quiet, d);
    timer_init(&d->resync, o->loop, directory_on_resync, d);
    timer_init(&d->ping, o->loop, on_ping, d);
    timer_init(&d->overdue, o->loop, on_overdue, d);
    timer_init(&d->retry, o->loop, directory_on_retry, d);
    timer_init(&d->late, o->loop, on_late, d);
    timer_set(&d->late, LATE_MS);
    directory_want_afresh(d);
    if (o->nsentinels) {
        struct finder_opts f = {.sentinels = o->sentinels, .nsentinels = o->nsentinels, .group = o->group,
                                .user = o->sentinel_user, .password = o->sentinel_password,
                                .client_name = d->client_name, .resolver = o->resolver, .on_primary = on_primary,
                                .owner = d};

        d->finder = finder_new(o->loop, &f);
    } else if (addr_is_set(&o->fixed)) {
        connect_to(d, &o->fixed);
    }
    return d;
}

void directory_free(struct directory *d)
{
    if (!d)
        return;
    timer_clear(&d->quiet);
    timer_clear(&d->resync);
    timer_clear(&d->ping);
    timer_clear(&d->overdue);
    timer_clear(&d->retry);
    timer_clear(&d->late);
    finder_free(d->finder);
    if (d->data)
        resp_link_free(d->data);
    if (d->push)
        resp_link_free(d->push);
    sources_fini(&d->want);
    sources_fini(&d->told);
    list_each_safe(struct hset, h, &d->hsets, link)
        mem_free(h);
    list_each_safe(struct asked, q, &d->asked, link)
        mem_free(q);
    for (size_t i = 0; i < d->nchannels; i++)
        mem_free(d->channels[i].name);
    mem_free(d->client_name);
    mem_free(d->side_name);
    loop_park(d->o.loop, d, mem_free);
}

/* --- for others --- */

static void on_answer(void *arg, const struct redisReply *r)
{
    struct asked *q = arg;

    list_remove(&q->link);
    if (r)
        directory_is_wrong(q->d, r);
    q->fn(q->arg, r);
    mem_free(q);
}

bool directory_command(struct directory *d, int argc, const struct slice *argv, link_reply_fn *fn, void *arg)
{
    struct asked *q;

    if (d->state != DIR_LIVE)
        return false;
    q = mem_zalloc(sizeof *q);
    *q = (struct asked){.d = d, .fn = fn, .arg = arg};
    list_append(&d->asked, &q->link);
    if (resp_link_send(d->data, on_answer, q, argc, argv))
        return true;
    list_remove(&q->link);
    mem_free(q);
    return false;
}

bool directory_peek(struct directory *d, int argc, const struct slice *argv, link_reply_fn *fn, void *arg)
{
    if (d->state != DIR_LIVE)
        return false;
    if (d->rung == RUNG_TRACKING)
        resp_link_sendz(d->data, NULL, NULL, "CLIENT", "CACHING", "NO", NULL);
    return directory_command(d, argc, argv, fn, arg);
}

bool directory_listen(struct directory *d, const char *channel, void (*fn)(void *arg, struct slice message), void *arg)
{
    if (d->nchannels == DIRECTORY_CHANNELS)
        return false;
    d->channels[d->nchannels++] = (struct channel){.name = mem_strdup(channel), .fn = fn, .arg = arg};
    if (d->rung != RUNG_NONE)
        directory_subscribe(d, channel);
    return true;
}

bool directory_local_ip(const struct directory *d, char ip[ADDR_HOST_MAX])
{
    return d->data && resp_link_local_ip(d->data, ip);
}

void directory_follow(struct directory *d, struct directory_follower *f, void (*fn)(void *arg), void *arg)
{
    f->fn = fn;
    f->arg = arg;
    list_append(&d->followers, &f->link);
}

void directory_unfollow(struct directory_follower *f)
{
    list_remove(&f->link);
}

bool directory_link_opts(const struct directory *d, struct resp_link_opts *o)
{
    *o = (struct resp_link_opts){.to = d->addr, .user = d->o.user, .password = d->o.password,
                                 .client_name = d->side_name, .resolver = d->o.resolver, .backoff_min_ms = 20,
                                 .backoff_max_ms = 1000};
    return d->state == DIR_LIVE;
}

/* --- acknowledgements --- */

static void on_hset(void *arg, const struct redisReply *r)
{
    struct hset *h = arg;
    struct slice said = reply_text(r);
    char why[200] = "";

    if (r && reply_is_error(r)) {
        slice_copy_z((struct slice){said.p, said.len > 190 ? 190 : said.len}, why, sizeof why);
    }
    list_remove(&h->link);
    if (r && reply_is_error(r) && directory_is_wrong(h->d, r))
        why[0] = 0;
    h->fn(h->arg, r && !reply_is_error(r) ? NULL : why);
    mem_free(h);
}

bool directory_hset(struct directory *d, const char *key, const char *field, const char *value,
                    void (*fn)(void *arg, const char *why), void *arg)
{
    struct hset *h;

    if (d->state != DIR_LIVE)
        return false;
    h = mem_zalloc(sizeof *h);
    *h = (struct hset){.d = d, .fn = fn, .arg = arg};
    list_append(&d->hsets, &h->link);
    if (resp_link_sendz(d->data, on_hset, h, "HSET", key, field, value, NULL))
        return true;
    list_remove(&h->link);
    mem_free(h);
    return false;
}
