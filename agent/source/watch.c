/* The pair, kept alive. */
#include "agent/source/watch.h"

#include "common/base/mem.h"
#include "common/base/num.h"
#include "common/io/log.h"
#include "common/text/reply_walk.h"

#include <hiredis/hiredis.h>
#include <string.h>

#define PING_MS 3000
#define CHANNEL "__redis__:invalidate"

struct watch {
    struct watch_opts o;
    struct directory_follower follower;
    struct resp_link *data, *push;
    struct timer look, ping, poll;
    bool ready, polls, complained;
    bool pong_data, pong_push;
};

bool watch_is_ready(const struct watch *w) { return w->ready; }
bool watch_polls(const struct watch *w) { return w->ready && w->polls; }

static void not_ready(struct watch *w)
{
    bool was = w->ready;

    w->ready = w->polls = false;
    timer_clear(&w->ping);
    timer_clear(&w->poll);
    if (was && w->o.on_end)
        w->o.on_end(w->o.owner);
}

static void drop_both(struct watch *w, const char *why)
{
    not_ready(w);
    resp_link_drop(w->data, why);
    resp_link_drop(w->push, why);
}

static void become_ready(struct watch *w, bool polls)
{
    w->ready = true;
    w->polls = polls;
    if (polls)
        timer_set(&w->poll, w->o.poll_ms);
    w->o.on_ready(w->o.owner);
}

static void on_tracking(void *arg, const struct redisReply *r)
{
    struct watch *w = arg;
    struct slice said = reply_text(r);

    if (!r || w->ready)
        return;
    if (reply_is_error(r) && !w->complained) {
        log_warning("controller: the directory offers no broadcast tracking (%.*s); everything is read every %lldms",
                    (int)(said.len > 150 ? 150 : said.len), said.p, (long long)w->o.poll_ms);
        w->complained = true;
    }
    become_ready(w, reply_is_error(r));
}

static void on_id(void *arg, const struct redisReply *r)
{
    struct watch *w = arg;
    struct slice argv[6 + 2 * WATCH_PREFIXES] = {slice_z("CLIENT"), slice_z("TRACKING"), slice_z("ON"), slice_z("REDIRECT")};
    char text[NUM_I64_MAX];
    int64_t id = 0;
    int n = 4;

    if (!r)
        return;
    reply_i64(r, &id);
    resp_link_subscribe_mode(w->push, true);
    resp_link_sendz(w->push, NULL, NULL, "SUBSCRIBE", CHANNEL, NULL);
    argv[n++] = (struct slice){text, num_put_i64(text, id)};
    argv[n++] = slice_z("BCAST");
    for (int i = 0; i < WATCH_PREFIXES && w->o.prefixes[i]; i++) {
        argv[n++] = slice_z("PREFIX");
        argv[n++] = slice_z(w->o.prefixes[i]);
    }
    resp_link_send(w->data, on_tracking, w, n, argv);
}

static void on_up(struct resp_link *k, void *owner)
{
    struct watch *w = owner;

    (void)k;
    if (!w->data || !w->push || !resp_link_is_up(w->data) || !resp_link_is_up(w->push))
        return;
    w->pong_data = w->pong_push = true;
    timer_set(&w->ping, PING_MS);
    resp_link_sendz(w->push, on_id, w, "CLIENT", "ID", NULL);
}

static void on_end(struct resp_link *k, enum link_end how, const char *why, void *owner)
{
    struct watch *w = owner;
    struct resp_link *other = k == w->data ? w->push : w->data;

    (void)why;
    not_ready(w);
    if (how != LINK_BY_US && other && resp_link_is_up(other))
        resp_link_drop(other, "its twin ended");
}

static void on_push(void *arg, const struct redisReply *r)
{
    struct watch *w = arg;
    const struct redisReply *keys = reply_at(r, 2);
    struct slice word, key;

    if (!w->ready || !reply_text_at(r, 0, &word) || !slice_is(word, "message"))
        return;
    if (reply_is_nil(keys)) {
        w->o.on_all(w->o.owner);
        return;
    }
    for (size_t i = 0; i < reply_len(keys) && w->ready; i++)
        if (reply_text_at(keys, i, &key))
            w->o.on_key(w->o.owner, key);
}

static void on_pong_data(void *arg, const struct redisReply *r)
{
    struct watch *w = arg;

    w->pong_data = r != NULL;
}

static void on_pong_push(void *arg, const struct redisReply *r)
{
    struct watch *w = arg;

    w->pong_push = r != NULL;
}

static void on_ping(struct timer *t, void *arg)
{
    struct watch *w = arg;

    (void)t;
    if (!w->pong_data || !w->pong_push) {
        drop_both(w, "no answer to PING");
        return;
    }
    w->pong_data = w->pong_push = false;
    resp_link_sendz(w->data, on_pong_data, w, "PING", NULL);
    resp_link_sendz(w->push, on_pong_push, w, "PING", NULL);
    timer_set(&w->ping, PING_MS);
}

static void on_poll(struct timer *t, void *arg)
{
    struct watch *w = arg;

    (void)t;
    timer_set(&w->poll, w->o.poll_ms);
    w->o.on_ready(w->o.owner);
}

static void close_both(struct watch *w)
{
    not_ready(w);
    if (w->data)
        resp_link_free(w->data);
    if (w->push)
        resp_link_free(w->push);
    w->data = w->push = NULL;
}

/* Open while the directory is live, to where it is. */
static void on_look(struct timer *t, void *arg)
{
    struct watch *w = arg;
    struct resp_link_opts o;
    bool live = directory_link_opts(w->o.directory, &o);

    (void)t;
    if (w->data && !addr_equal(resp_link_addr(w->data), &o.to))
        close_both(w);
    if (w->data || !live)
        return;
    o.on_up = on_up;
    o.on_end = on_end;
    o.on_push = on_push;
    o.owner = w;
    w->data = resp_link_new(w->o.loop, &o);
    w->push = resp_link_new(w->o.loop, &o);
}

static void on_moved(void *arg)
{
    struct watch *w = arg;

    timer_set(&w->look, 0);
}

bool watch_send(struct watch *w, link_reply_fn *fn, void *arg, int argc, const struct slice *argv)
{
    return w->ready && resp_link_send(w->data, fn, arg, argc, argv);
}

bool watch_sendz(struct watch *w, link_reply_fn *fn, void *arg, const char *a, const char *b, const char *c)
{
    return w->ready && resp_link_sendz(w->data, fn, arg, a, b, c, NULL);
}

struct watch *watch_new(const struct watch_opts *o)
{
    struct watch *w = mem_zalloc(sizeof *w);

    w->o = *o;
    if (!w->o.poll_ms)
        w->o.poll_ms = 5000;
    timer_init(&w->look, o->loop, on_look, w);
    timer_init(&w->ping, o->loop, on_ping, w);
    timer_init(&w->poll, o->loop, on_poll, w);
    timer_set(&w->look, 0);
    directory_follow(o->directory, &w->follower, on_moved, w);
    return w;
}

void watch_free(struct watch *w)
{
    if (!w)
        return;
    w->o.on_end = NULL;
    directory_unfollow(&w->follower);
    close_both(w);
    timer_clear(&w->look);
    loop_park(w->o.loop, w, mem_free);
}
