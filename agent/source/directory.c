/* Links, ladder, quiet time, snapshots.
 *
 * A trap of per-key tracking: after a key was reported it is not reported again until it is
 * read again, and a report may come before, between or after the replies of a read. So a
 * report that comes while a read is under way makes another read follow. */
#include "agent/source/directory.h"

#include "agent/source/snapshot.h"
#include "common/base/mem.h"
#include "common/base/rng.h"
#include "common/base/timeval.h"
#include "common/base/words.h"
#include "common/io/finder.h"
#include "common/io/log.h"
#include "common/text/reply_walk.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <string.h>

#define TOO_MUCH_MOST_MS 60000  /* what was too much is tried again no later than this */
#define LATE_MS 3000            /* seeking for so long is worth a word */
#define READ_ROUNDS_MAX 6       /* agent document, documents, sources, and some more for changes in between */

struct directory {
    struct directory_opts o;
    struct finder *finder;
    struct addr addr;
    struct resp_link *data, *push;
    char *client_name, *side_name;
    enum dir_state state;
    enum dir_rung rung;
    int64_t since_ms;
    int64_t push_id;            /* CLIENT ID of the listening connection, -1: not known yet */
    bool role_ok;
    bool greeting;
    /* reading */
    bool reading, dirty, again, by_resync;
    int rounds;
    int64_t dirty_since_ms;
    int64_t too_much_until_ms;  /* the last answer was more than a link takes: it is not asked for before then */
    struct sources want;
    struct sources told;        /* RUNG_KEYSPACE: whose events are subscribed to */
    struct timer quiet, resync, ping, overdue, retry, late;
    char complaint[300];        /* why it could not be reached last, said once for each reason */
    bool pong_data, pong_push;
    struct list_link hsets;     /* struct hset under way */
    struct list_link asked;     /* struct asked under way */
    struct list_link followers;
    struct channel {
        char *name;
        void (*fn)(void *arg, struct slice message);
        void *arg;
    } channels[DIRECTORY_CHANNELS];
    size_t nchannels;
    struct rng rng;
    struct directory_stats stats;
};

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

static void set_state(struct directory *d, enum dir_state s, const char *why)
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

static void forget_greeting(struct directory *d)
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
    forget_greeting(d);
    set_state(d, DIR_CONNECTING, why);
    if (d->finder)
        finder_ask_now(d->finder);
    resp_link_drop(d->data, why);
    resp_link_drop(d->push, why);
}

/* The server says it is not what we look for: come back a moment later. */
static void leave(struct directory *d, const char *why)
{
    log_verbose("directory: leaving %s:%u: %s", d->addr.host, d->addr.port, why);
    drop_pair(d, why);
}

static bool server_is_wrong(struct directory *d, const struct redisReply *r)
{
    struct slice said = reply_text(r);
    char why[200];

    if (!reply_error_is(r, "READONLY") && !reply_error_is(r, "LOADING") && !reply_error_is(r, "MASTERDOWN"))
        return false;
    slice_copy_z((struct slice){said.p, said.len > 190 ? 190 : said.len}, why, sizeof why);
    leave(d, why);
    return true;
}

static void start_read(struct directory *d);
static void greet(struct directory *d);
static int64_t jittered(struct directory *d, int64_t ms);

/* What is read first: the agent documents. What they name is known then. */
static void want_from_the_start(struct directory *d)
{
    struct inputs nothing;

    inputs_init(&nothing);
    sources_fini(&d->want);
    sources_init(&d->want);
    desired_sources(&nothing, &d->o.who, NULL, &d->want);
    inputs_fini(&nothing);
}

/* The same answer would come again at once, for ever. */
static void too_much(struct directory *d, const char *why)
{
    char text[sizeof d->complaint];

    snprintf(text, sizeof text, "the keys that this agent reads are not taken: %.80s, 64 MiB for all of them together. What is in force "
             "stays; it is tried again within 75 s, and by AGENT RESYNC", why);
    if (strcmp(d->complaint, text) != 0)
        log_warning("directory: %s:%u: %s", d->addr.host, d->addr.port, text);
    slice_copy_z(slice_z(text), d->complaint, sizeof d->complaint);
    d->too_much_until_ms = loop_now_ms(d->o.loop) + jittered(d, ms_min(d->o.resync_ms, TOO_MUCH_MOST_MS));
    want_from_the_start(d);
}

static void on_up(struct resp_link *k, void *owner)
{
    struct directory *d = owner;

    (void)k;
    if (!resp_link_is_up(d->data) || !resp_link_is_up(d->push))
        return;
    d->stats.connects++;
    greet(d);
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
    forget_greeting(d);
    set_state(d, DIR_CONNECTING, text);
    if (how == LINK_BY_US)
        return;
    if (was_reading && how == LINK_PROTOCOL)
        too_much(d, text);
    else if (!was_greeted)
        complain(d, text);
    if (d->finder)
        finder_ask_now(d->finder);
    if (were_a_pair && resp_link_is_up(other))
        resp_link_drop(other, "its twin ended");
}

/* --- reading --- */

static int64_t jittered(struct directory *d, int64_t ms)
{
    return ms - ms / 4 + rng_between(&d->rng, 0, ms / 2);
}

static void arm_resync(struct directory *d)
{
    timer_set(&d->resync, d->rung == RUNG_POLLING ? d->o.poll_ms : jittered(d, d->o.resync_ms));
}

static void mark_dirty(struct directory *d)
{
    int64_t now = loop_now_ms(d->o.loop);

    d->by_resync = false;
    if (d->reading) {
        d->again = true;
        return;
    }
    if (!d->dirty) {
        d->dirty = true;
        d->dirty_since_ms = now;
    }
    timer_set_at(&d->quiet, ms_min(now + d->o.quiesce_ms, d->dirty_since_ms + d->o.quiesce_max_ms));
}

static void on_read(void *arg, const struct redisReply *r)
{
    struct directory *d = arg;
    struct inputs in;
    struct sources next;
    struct err e = {0};

    if (!r || !d->reading || server_is_wrong(d, r))
        return;
    d->reading = false;
    inputs_init(&in);
    sources_init(&next);
    if (snapshot_take(r, &d->want, &in, &e) != 0) {
        log_warning("directory: read failed: %s", e.text);
        timer_set(&d->retry, 1000);
        goto out;
    }
    desired_sources(&in, &d->o.who, d->o.in_force(d->o.owner), &next);
    if (!sources_all_in(&next, &in) && ++d->rounds < READ_ROUNDS_MAX) {
        sources_fini(&d->want);
        d->want = next;
        sources_init(&next);
        start_read(d);
        goto out;
    }
    sources_fini(&d->want);
    d->want = next;
    sources_init(&next);
    d->stats.snapshots++;
    d->rounds = 0;
    d->too_much_until_ms = 0;
    set_state(d, DIR_LIVE, "read");
    d->o.on_snapshot(d->o.owner, &in, d->by_resync);
    d->by_resync = false;
    arm_resync(d);
    if (d->again) {
        d->again = false;
        mark_dirty(d);
    }
out:
    sources_fini(&next);
    inputs_fini(&in);
}

static void read_now(struct directory *d)
{
    d->reading = snapshot_ask(d->data, &d->want, on_read, d);
}

static void on_listening(void *arg, const struct redisReply *r)
{
    struct directory *d = arg;

    if (r && d->reading)
        read_now(d);
}

/* Events of keys that are not subscribed to yet are, before they are read. */
static bool listen_to_keys(struct directory *d)
{
    VEC(struct slice) words = {0};
    VEC(char *) channels = {0};
    struct slice word = slice_z("SUBSCRIBE");
    bool more;

    vec_push(&words, word);
    for (size_t i = 0; i < d->want.at.n; i++) {
        struct slice key = source_key(slice_z(d->want.at.at[i]));
        struct str channel = {0};

        if (!sources_add(&d->told, d->want.at.at[i]))
            continue;
        str_printf(&channel, "__keyspace@0__:%.*s", (int)key.len, key.p);
        vec_push(&channels, str_take(&channel));
    }
    for (size_t i = 0; i < channels.n; i++) {
        struct slice c = slice_z(channels.at[i]);

        vec_push(&words, c);
    }
    more = channels.n > 0;
    if (more) {
        resp_link_send(d->push, NULL, NULL, (int)words.n, words.at);
        resp_link_sendz(d->push, on_listening, d, "PING", NULL);
    }
    for (size_t i = 0; i < channels.n; i++)
        mem_free(channels.at[i]);
    vec_fini(&channels);
    vec_fini(&words);
    return more;
}

static void start_read(struct directory *d)
{
    if (d->too_much_until_ms > loop_now_ms(d->o.loop)) {
        timer_set_at(&d->retry, d->too_much_until_ms);
        return;
    }
    d->dirty = false;
    d->again = false;
    d->reading = true;
    timer_clear(&d->quiet);
    timer_clear(&d->retry);
    if (d->rung == RUNG_KEYSPACE && listen_to_keys(d))
        return;
    read_now(d);
}

void directory_resync(struct directory *d)
{
    d->too_much_until_ms = 0;
    if (d->rung == RUNG_NONE)
        return;
    if (d->reading)
        d->again = true;
    else
        start_read(d);
}

static void on_quiet(struct timer *t, void *arg)
{
    struct directory *d = arg;

    (void)t;
    if (d->dirty && d->rung != RUNG_NONE)
        start_read(d);
}

static void on_resync(struct timer *t, void *arg)
{
    struct directory *d = arg;

    (void)t;
    d->stats.resyncs++;
    d->by_resync = d->rung != RUNG_POLLING;
    if (!d->reading && d->rung != RUNG_NONE)
        start_read(d);
}

static void on_retry(struct timer *t, void *arg)
{
    struct directory *d = arg;

    (void)t;
    if (!d->reading && d->rung != RUNG_NONE)
        start_read(d);
}

/* --- the ladder --- */

static void on_push(void *arg, const struct redisReply *r)
{
    struct directory *d = arg;
    struct slice word, channel = {0}, message = {0};

    if (!reply_text_at(r, 0, &word) || !slice_is(word, "message"))
        return;
    reply_text_at(r, 1, &channel);
    for (size_t i = 0; i < d->nchannels; i++)
        if (slice_is(channel, d->channels[i].name)) {
            reply_text_at(r, 2, &message);
            d->channels[i].fn(d->channels[i].arg, message);
            return;
        }
    d->stats.pushes++;
    mark_dirty(d);
}

static void on_subscribed(void *arg, const struct redisReply *r)
{
    struct slice said = reply_text(r);

    (void)arg;
    if (reply_is_error(r))
        log_warning("directory: a channel was refused: %.*s", (int)(said.len > 190 ? 190 : said.len), said.p);
}

static void subscribe(struct directory *d, const char *channel)
{
    resp_link_sendz(d->push, on_subscribed, d, "SUBSCRIBE", channel, NULL);
}

static void on_rung(struct directory *d, enum dir_rung rung)
{
    d->rung = rung;
    d->greeting = false;
    timer_clear(&d->overdue);
    timer_set(&d->ping, d->o.ping_ms);
    for (size_t i = 0; i < d->nchannels; i++)
        subscribe(d, d->channels[i].name);
    if (rung == RUNG_POLLING)
        log_warning("directory: %s:%u offers neither CLIENT TRACKING nor keyspace events; reading it every %lldms",
                    d->addr.host, d->addr.port, (long long)d->o.poll_ms);
    start_read(d);
}

static bool keyspace_events_do(struct slice flags)
{
    bool all = memchr(flags.p, 'A', flags.len) != NULL;

    return flags.len && memchr(flags.p, 'K', flags.len) &&
           (all || (memchr(flags.p, 'g', flags.len) && memchr(flags.p, '$', flags.len) &&
                    memchr(flags.p, 'h', flags.len) && memchr(flags.p, 'x', flags.len)));
}

static void on_events_config(void *arg, const struct redisReply *r)
{
    struct directory *d = arg;
    struct slice flags;

    if (!r || !d->greeting)
        return;
    on_rung(d, reply_text_at(r, 1, &flags) && keyspace_events_do(flags) ? RUNG_KEYSPACE : RUNG_POLLING);
}

static void on_tracking(void *arg, const struct redisReply *r)
{
    struct directory *d = arg;

    if (!r || !d->greeting || server_is_wrong(d, r))
        return;
    if (reply_is_status(r, "OK"))
        on_rung(d, RUNG_TRACKING);
    else
        resp_link_sendz(d->data, on_events_config, d, "CONFIG", "GET", "notify-keyspace-events", NULL);
}

static void ask_for_tracking(struct directory *d)
{
    char id[24];
    struct slice argv[6] = {slice_z("CLIENT"), slice_z("TRACKING"), slice_z("ON"), slice_z("REDIRECT"), {id, 0},
                            slice_z("OPTOUT")};
    struct str text = {0};

    if (d->push_id < 0 || !d->role_ok)
        return;
    resp_link_subscribe_mode(d->push, true);
    resp_link_sendz(d->push, NULL, NULL, "SUBSCRIBE", TRACKING_CHANNEL, NULL);
    str_printf(&text, "%lld", (long long)d->push_id);
    slice_copy_z((struct slice){text.p, text.len}, id, sizeof id);
    argv[4].len = text.len;
    str_fini(&text);
    resp_link_send(d->data, on_tracking, d, 6, argv);
}

static void on_role(void *arg, const struct redisReply *r)
{
    struct directory *d = arg;
    struct slice role;

    if (!r || !d->greeting || server_is_wrong(d, r))
        return;
    if (!reply_text_at(r, 0, &role) && reply_is_error(r))
        role = reply_text(r);
    if (!slice_is(role, WORD_MASTER)) {
        char why[200];
        struct str text = {0};

        str_printf(&text, "its role is '%.*s', not '" WORD_MASTER "'", (int)(role.len > 100 ? 100 : role.len), role.p);
        slice_copy_z((struct slice){text.p, text.len}, why, sizeof why);
        str_fini(&text);
        leave(d, why);
        return;
    }
    d->role_ok = true;
    ask_for_tracking(d);
}

static void on_id(void *arg, const struct redisReply *r)
{
    struct directory *d = arg;

    if (!r || !d->greeting)
        return;
    if (!reply_i64(r, &d->push_id))
        d->push_id = 0;         /* a server without CLIENT ID: tracking will be refused, the ladder goes on */
    ask_for_tracking(d);
}

static void greet(struct directory *d)
{
    forget_greeting(d);
    d->greeting = true;
    set_state(d, DIR_GREETING, "connected");
    timer_set(&d->overdue, d->o.ping_timeout_ms);
    resp_link_sendz(d->push, on_id, d, "CLIENT", "ID", NULL);
    resp_link_sendz(d->data, on_role, d, "ROLE", NULL);
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

    if (r && !server_is_wrong(d, r))
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
                               .on_up = on_up, .on_end = on_end, .on_push = on_push, .owner = d};

    d->addr = *to;
    d->too_much_until_ms = 0;
    tell_followers(d);
    if (!d->data) {
        struct resp_link *data = resp_link_new(d->o.loop, &o);

        d->push = resp_link_new(d->o.loop, &o);
        d->data = data;
        set_state(d, DIR_CONNECTING, "found");
        return;
    }
    resp_link_set_addr(d->data, to);
    resp_link_set_addr(d->push, to);
    forget_greeting(d);
    set_state(d, DIR_CONNECTING, "it moved");
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
    timer_init(&d->quiet, o->loop, on_quiet, d);
    timer_init(&d->resync, o->loop, on_resync, d);
    timer_init(&d->ping, o->loop, on_ping, d);
    timer_init(&d->overdue, o->loop, on_overdue, d);
    timer_init(&d->retry, o->loop, on_retry, d);
    timer_init(&d->late, o->loop, on_late, d);
    timer_set(&d->late, LATE_MS);
    want_from_the_start(d);
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
        server_is_wrong(q->d, r);
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
        subscribe(d, channel);
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
    if (r && reply_is_error(r) && server_is_wrong(h->d, r))
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
