/* Channels and patterns. A subscription is one small record that hangs in two lists,
 * the topic's and the session's, so that either end can go without a search. A message
 * is put into bytes once per protocol version, however many read it. */
#include "common/io/pubsub.h"

#include "common/base/check.h"
#include "common/base/glob.h"
#include "common/base/mem.h"

#include <string.h>

struct topic {
    struct list_link subs;               /* struct sub, by in_topic */
    size_t nsubs;
    struct dict_entry *entry;            /* its name, and where it stands */
    bool is_pattern;
};

struct sub {
    struct list_link in_topic, in_session;
    struct topic *topic;
    struct session *session;
};

/* session.pubsub_data */
struct wishes {
    struct dict by_name[2];              /* channels, patterns: name -> struct sub */
};

static struct slice topic_name(const struct topic *t)
{
    return (struct slice){t->entry->key, t->entry->klen};
}

void pubsub_init(struct pubsub *p)
{
    memset(p, 0, sizeof *p);
    dict_init(&p->channels);
    dict_init(&p->patterns);
}

void pubsub_fini(struct pubsub *p)
{
    CHECK(dict_count(&p->channels) == 0 && dict_count(&p->patterns) == 0);
    dict_fini(&p->channels, NULL);
    dict_fini(&p->patterns, NULL);
}

static struct dict *topics(struct pubsub *p, bool pattern)
{
    return pattern ? &p->patterns : &p->channels;
}

size_t pubsub_pattern_count(const struct pubsub *p)
{
    return dict_count(&p->patterns);
}

/* --- telling --- */

static void head(struct reply *r, size_t n)
{
    if (r->resp == 3)
        reply_push(r, n);
    else
        reply_array(r, n);
}

/* In its own request this is the reply, in its place (EXEC counts it); else it is a push,
 * and pushes are sent whatever CLIENT REPLY says. */
static void tell_change(struct session *s, const char *what, const struct slice *channel)
{
    struct reply *r = s->running && s->reply_mode == REPLY_ON ? &s->reply : session_reply(s);

    head(r, 3);
    reply_bulk_z(r, what);
    if (channel)
        reply_bulk_slice(r, *channel);
    else
        reply_null(r);
    reply_int(r, (int64_t)(s->nchannels + s->npatterns));
}

static void put_message(struct reply *r, const struct slice *pattern, struct slice channel, struct slice message)
{
    head(r, pattern ? 4 : 3);
    reply_bulk_z(r, pattern ? "pmessage" : "message");
    if (pattern)
        reply_bulk_slice(r, *pattern);
    reply_bulk_slice(r, channel);
    reply_bulk_slice(r, message);
}

void pubsub_send_as(struct session *s, const struct slice *pattern, struct slice channel, struct slice message)
{
    put_message(session_reply(s), pattern, channel, message);
}

static size_t tell_topic(const struct topic *t, struct slice channel, struct slice message)
{
    struct buf bytes[2] = {{0}, {0}};    /* RESP2, RESP3 */
    struct slice pattern = topic_name(t);
    size_t n = 0;

    list_each(struct sub, b, &t->subs, in_topic) {
        struct buf *as = &bytes[b->session->resp == 3];
        if (buf_len(as) == 0) {
            struct reply r;
            reply_init(&r, as, b->session->resp);
            put_message(&r, t->is_pattern ? &pattern : NULL, channel, message);
        }
        reply_raw(session_reply(b->session), buf_data(as), buf_len(as));
        n++;
    }
    buf_fini(&bytes[0]);
    buf_fini(&bytes[1]);
    return n;
}

size_t pubsub_publish(struct pubsub *p, struct slice channel, struct slice message)
{
    struct topic *t = dict_get(&p->channels, channel.p, channel.len);
    size_t n = t ? tell_topic(t, channel, message) : 0;
    struct dict_iter it;
    struct dict_entry *d;

    if (dict_count(&p->patterns) == 0)
        return n;
    dict_iter_init(&it, &p->patterns);
    while ((d = dict_iter_next(&it)))
        if (glob_match(d->key, d->klen, channel.p, channel.len, false))
            n += tell_topic(d->v.p, channel, message);
    dict_iter_fini(&it);
    return n;
}

/* --- subscribing --- */

static struct wishes *wishes_of(struct session *s)
{
    struct wishes *w = s->pubsub_data;

    if (!w) {
        w = s->pubsub_data = mem_zalloc(sizeof *w);
        dict_init(&w->by_name[0]);
        dict_init(&w->by_name[1]);
    }
    return w;
}

static void count(struct session *s, bool pattern, int by)
{
    size_t *n = pattern ? &s->npatterns : &s->nchannels;

    *n += (size_t)by;
    if (s->class != SESSION_REPLICA)
        s->class = s->nchannels + s->npatterns > 0 ? SESSION_PUBSUB : SESSION_NORMAL;
}

static void subscribe(struct pubsub *p, struct session *s, struct slice channel, bool pattern)
{
    struct dict_entry *mine = dict_put(&wishes_of(s)->by_name[pattern], channel.p, channel.len, NULL);
    bool is_new = !mine->v.p;

    if (is_new) {
        struct dict_entry *d = dict_put(topics(p, pattern), channel.p, channel.len, NULL);
        struct topic *t = d->v.p;
        struct sub *b = mem_zalloc(sizeof *b);
        if (!t) {
            t = d->v.p = mem_zalloc(sizeof *t);
            list_init(&t->subs);
            t->entry = d;
            t->is_pattern = pattern;
        }
        b->topic = t;
        b->session = s;
        list_init(&b->in_session);
        list_append(&t->subs, &b->in_topic);
        t->nsubs++;
        mine->v.p = b;
        count(s, pattern, 1);
    }
    tell_change(s, pattern ? "psubscribe" : "subscribe", &channel);
    if (is_new && p->subscribed)
        p->subscribed(p->arg, s, channel, pattern);
}

static void drop(struct pubsub *p, struct sub *b)
{
    struct topic *t = b->topic;

    list_remove(&b->in_topic);
    if (--t->nsubs == 0) {
        dict_del(topics(p, t->is_pattern), t->entry->key, t->entry->klen, NULL);
        mem_free(t);
    }
    mem_free(b);
}

static void unsubscribe(struct pubsub *p, struct session *s, struct slice channel, bool pattern)
{
    struct wishes *w = s->pubsub_data;
    void *b = NULL;

    if (w && dict_del(&w->by_name[pattern], channel.p, channel.len, &b)) {
        count(s, pattern, -1);
        drop(p, b);
    }
    tell_change(s, pattern ? "punsubscribe" : "unsubscribe", &channel);
}

static size_t unsubscribe_kind(struct pubsub *p, struct session *s, bool pattern, bool tell)
{
    struct wishes *w = s->pubsub_data;
    struct dict_iter it;
    struct dict_entry *d;
    size_t n = 0;

    if (!w)
        return 0;
    dict_iter_init(&it, &w->by_name[pattern]);
    while ((d = dict_iter_next(&it))) {
        struct slice name = {d->key, d->klen};
        count(s, pattern, -1);
        if (tell)
            tell_change(s, pattern ? "punsubscribe" : "unsubscribe", &name);
        drop(p, d->v.p);
        n++;
    }
    dict_iter_fini(&it);
    dict_clear(&w->by_name[pattern], NULL);
    return n;
}

void pubsub_unsubscribe_all(struct pubsub *p, struct session *s, bool tell)
{
    struct wishes *w = s->pubsub_data;

    if (!w)
        return;
    unsubscribe_kind(p, s, false, tell);
    unsubscribe_kind(p, s, true, tell);
    dict_fini(&w->by_name[0], NULL);
    dict_fini(&w->by_name[1], NULL);
    mem_free(w);
    s->pubsub_data = NULL;
}

void pubsub_each(const struct session *s, void (*each)(void *arg, struct slice name, bool pattern), void *arg)
{
    struct wishes *w = s->pubsub_data;

    for (int pattern = 0; w && pattern < 2; pattern++) {
        struct dict_iter it;

        dict_iter_init(&it, &w->by_name[pattern]);
        for (struct dict_entry *d; (d = dict_iter_next(&it));)
            each(arg, (struct slice){d->key, d->klen}, pattern);
        dict_iter_fini(&it);
    }
}

/* --- commands --- */

static void cmd_subscribe(struct call *c)
{
    bool pattern = c->cmd->name[0] == 'p';

    for (int i = 1; i < c->argc; i++)
        subscribe(c->session->srv->pubsub, c->session, c->argv[i], pattern);
}

static void cmd_unsubscribe(struct call *c)
{
    bool pattern = c->cmd->name[0] == 'p';
    struct pubsub *p = c->session->srv->pubsub;

    for (int i = 1; i < c->argc; i++)
        unsubscribe(p, c->session, c->argv[i], pattern);
    if (c->argc == 1 && unsubscribe_kind(p, c->session, pattern, true) == 0)
        tell_change(c->session, pattern ? "punsubscribe" : "unsubscribe", NULL);
}

static void cmd_publish(struct call *c)
{
    reply_int(c->reply, (int64_t)pubsub_publish(c->session->srv->pubsub, c->argv[1], c->argv[2]));
}

static void pubsub_channels(struct call *c)
{
    struct reply_hole h = reply_hole(c->reply);
    struct dict_iter it;
    struct dict_entry *d;
    size_t n = 0;

    dict_iter_init(&it, &c->session->srv->pubsub->channels);
    while ((d = dict_iter_next(&it))) {
        if (c->argc > 2 && !glob_match(c->argv[2].p, c->argv[2].len, d->key, d->klen, false))
            continue;
        reply_bulk(c->reply, d->key, d->klen);
        n++;
    }
    dict_iter_fini(&it);
    reply_fill_array(c->reply, h, n);
}

static void pubsub_numsub(struct call *c)
{
    reply_array(c->reply, 2 * (size_t)(c->argc - 2));
    for (int i = 2; i < c->argc; i++) {
        struct topic *t = dict_get(&c->session->srv->pubsub->channels, c->argv[i].p, c->argv[i].len);
        reply_bulk_slice(c->reply, c->argv[i]);
        reply_int(c->reply, t ? (int64_t)t->nsubs : 0);
    }
}

static void pubsub_numpat(struct call *c)
{
    reply_int(c->reply, (int64_t)pubsub_pattern_count(c->session->srv->pubsub));
}

static void pubsub_help(struct call *c)
{
    const struct command *row = command_find_name(c->session->srv->commands, c->argv[0]);

    if (row)
        command_reply_help(c->reply, row);
}

#define ASK (CMD_PUBSUB | CMD_LOADING | CMD_STALE)

static const struct command pubsub_subs[] = {
    { "channels", -2, ASK, pubsub_channels, 0, 0, 0, "pubsub", "[pattern]", "Channels that somebody listens to.", "2.8.0" },
    { "numsub",   -2, ASK, pubsub_numsub,   0, 0, 0, "pubsub", "[channel [channel ...]]", "How many listen to each channel.", "2.8.0" },
    { "numpat",    2, ASK, pubsub_numpat,   0, 0, 0, "pubsub", "", "How many patterns are listened to.", "2.8.0" },
    { "help",      2, CMD_LOADING | CMD_STALE, pubsub_help, 0, 0, 0, "pubsub", "", "What can be asked.", "6.2.0" },
};

#define SUB (CMD_PUBSUB | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_SUB_OK | CMD_SENTINEL)

const struct command pubsub_commands[] = {
/*    name            arity flags run         keys     group     syntax  summary  since */
    { "subscribe",    -2, SUB, cmd_subscribe,   0, 0, 0, "pubsub", "channel [channel ...]", "Listen to channels.", "2.0.0",
      .channels = CHANNELS_SUBSCRIBE },
    { "unsubscribe",  -1, SUB, cmd_unsubscribe, 0, 0, 0, "pubsub", "[channel [channel ...]]", "Stop listening to channels.", "2.0.0" },
    { "psubscribe",   -2, SUB, cmd_subscribe,   0, 0, 0, "pubsub", "pattern [pattern ...]", "Listen to all channels that match.", "2.0.0",
      .channels = CHANNELS_PATTERNS },
    { "punsubscribe", -1, SUB, cmd_unsubscribe, 0, 0, 0, "pubsub", "[pattern [pattern ...]]", "Stop listening to patterns.", "2.0.0" },
    { "publish", 3, CMD_PUBSUB | CMD_LOADING | CMD_STALE | CMD_FAST | CMD_MAY_REPLICATE | CMD_SENTINEL, cmd_publish, 0, 0, 0,
      "pubsub", "channel message", "Send a message to those who listen.", "2.0.0", .channels = CHANNELS_PUBLISH },
    { "pubsub", -2, CMD_CONTAINER, NULL, 0, 0, 0, "pubsub", "", "Who listens to what.", "2.8.0",
      .subs = pubsub_subs, .nsubs = sizeof pubsub_subs / sizeof pubsub_subs[0] },
};
const size_t pubsub_commands_n = sizeof pubsub_commands / sizeof pubsub_commands[0];
