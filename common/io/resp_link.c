/* One outgoing connection. What matters most here is telling ends apart: an
 * established link that closed, followed by a connect that is refused, is evidence that
 * the process is gone while its machine answers; silence is not. So the first connect
 * after a close happens in the same turn, and each end carries its kind.
 *
 *     waiting -> resolving -> connecting -> greeting -> up
 *        ^____________|___________|___________|_________|      every end, back-off in between
 */
#include "common/io/resp_link.h"

#include "common/base/check.h"
#include "common/base/list.h"
#include "common/base/mem.h"
#include "common/base/rng.h"
#include "common/base/timeval.h"
#include "common/io/clock.h"
#include "common/text/reply_walk.h"
#include "common/text/resp_request.h"

#include <hiredis/hiredis.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum link_state { LS_WAITING, LS_RESOLVING, LS_CONNECTING, LS_GREETING, LS_UP, LS_FREED };

struct waiter {
    struct list_link link;
    link_reply_fn *fn;
    void *arg;
    int subs_left;               /* > 0: a (un)subscribe, answered by that many messages */
};

struct resp_link {
    struct loop *loop;
    struct resp_link_opts o;     /* its strings are ours */
    enum link_state state;
    struct stream *stream;
    struct resolve_job *job;
    redisReader *reader;
    uint64_t fed;                /* bytes given to the reader since its last whole reply */
    size_t elements;             /* of all arrays of the reply being read */
    struct list_link waiters;
    size_t nwaiters;
    int greetings_left;
    bool auth_asked;             /* the next greeting reply is AUTH's */
    bool sub_mode;
    int64_t backoff_ms;
    int64_t ended_at_ms;           /* when it was up last; 0 = never up */
    int prompt;                    /* tries left that come within milliseconds of a close */
    int64_t up_since_ms;
    char peer_ip[ADDR_HOST_MAX], local_ip[ADDR_HOST_MAX];
    struct timer timer;          /* back-off, or the whole of connecting and greeting */
    struct rng rng;
};

static void try_connect(struct resp_link *k);
static void link_ended(struct resp_link *k, enum link_end how, const char *why);

const char *link_end_name(enum link_end how)
{
    static const char *const names[] = {"closed", "refused", "unreachable", "timed out", "protocol error",
                                        "authentication failed", "dropped"};

    return names[how];
}

/* --- the reader, with limits of ours --- */

/* hiredis makes room for as many elements as an array says it has; a peer that lies must not get more than it could
 * have sent in one reply. */
#define ELEMENT_BYTES 4        /* ":0\r\n" */

static redisReplyObjectFunctions reader_fns;
static const redisReplyObjectFunctions *hiredis_fns;

static void *bounded_array(const redisReadTask *t, int n)
{
    struct resp_link *k = t->privdata;

    if (n < 0 || (size_t)n > k->o.reply_max / ELEMENT_BYTES - k->elements)
        return NULL;
    k->elements += (size_t)n;
    return hiredis_fns->createArray(t, n);
}

static redisReader *reader_new(struct resp_link *k)
{
    redisReader *r = redisReaderCreate();

    CHECK(r != NULL);
    if (!hiredis_fns) {
        hiredis_fns = r->fn;
        reader_fns = *r->fn;
        reader_fns.createArray = bounded_array;
    }
    r->fn = &reader_fns;
    r->privdata = k;
    k->elements = 0;
    return r;
}

static void reader_free(void *r)
{
    redisReaderFree(r);
}

/* --- ending and trying again --- */

/* A dying process may close our connection before its listener: then a connect made at
 * once is still accepted and reset a moment later, which proves nothing. So after a close
 * we ask again every other moment until the answer is clear. */
#define PROMPT_TRIES 8

/* A refusal is cheap, and who ended a moment ago may be back in a moment: the pause after
 * one is at most a part of the time since the link was up. */
#define REFUSED_PART 10

static int64_t longest_backoff(const struct resp_link *k, enum link_end how)
{
    if (how != LINK_REFUSED || k->ended_at_ms == 0)
        return k->o.backoff_max_ms;
    return ms_min(k->o.backoff_max_ms,
                  ms_max(k->o.backoff_min_ms, (loop_now_ms(k->loop) - k->ended_at_ms) / k->o.refused_part));
}

static int64_t next_backoff(struct resp_link *k, enum link_end how)
{
    if (k->prompt > 0) {
        k->prompt--;
        return PROMPT_TRIES - k->prompt;       /* 1, 2, 3 ... ms */
    }
    int64_t top = k->backoff_ms > 0 ? k->backoff_ms * 3 : k->o.backoff_min_ms;

    k->backoff_ms = ms_min(longest_backoff(k, how), rng_between(&k->rng, k->o.backoff_min_ms,
                                                                  ms_max(k->o.backoff_min_ms, top)));
    return k->backoff_ms;
}

static void on_timer(struct timer *t, void *arg)
{
    struct resp_link *k = arg;

    (void)t;
    if (k->state == LS_WAITING)
        try_connect(k);
    else if (k->state != LS_UP)
        link_ended(k, LINK_TIMEOUT, k->state == LS_GREETING ? "connected, but the greeting was not answered in time"
                                                            : "connect took too long");
}

static void take_apart(struct resp_link *k)
{
    resolve_cancel(k->job);
    k->job = NULL;
    stream_close(k->stream);
    k->stream = NULL;
    if (k->reader)
        loop_park(k->loop, k->reader, reader_free);     /* a reply of it may still be in use */
    k->reader = NULL;
    timer_clear(&k->timer);
}

/* Those who wait are told that no answer comes. They may send nothing now (not up), but
 * may free the link. */
static void tell_waiters(struct resp_link *k)
{
    while (k->state != LS_FREED && !list_empty(&k->waiters)) {
        struct waiter *w = list_first(&k->waiters, struct waiter, link);
        link_reply_fn *fn = w->fn;
        void *arg = w->arg;
        list_remove(&w->link);
        k->nwaiters--;
        mem_free(w);
        if (fn)
            fn(arg, NULL);
    }
}

static void link_ended(struct resp_link *k, enum link_end how, const char *why)
{
    bool was_up = k->state == LS_UP;
    int64_t up_ms = was_up ? loop_now_ms(k->loop) - k->up_since_ms : 0;
    bool at_once = was_up && how == LINK_CLOSED && k->o.reconnect_at_once && up_ms >= k->o.backoff_min_ms;
    char text[256];

    snprintf(text, sizeof text, "%s", why);      /* it may live in what is taken apart */
    take_apart(k);
    k->state = LS_WAITING;
    k->sub_mode = false;
    k->up_since_ms = NEVER_MS;
    if (was_up) {
        k->backoff_ms = 0;
        k->ended_at_ms = loop_now_ms(k->loop);
    }
    if (at_once)
        k->prompt = PROMPT_TRIES;
    else if (how != LINK_CLOSED)
        k->prompt = 0;             /* clear: refused, or out of reach */
    if (!at_once)
        timer_set(&k->timer, next_backoff(k, how));
    tell_waiters(k);
    if (k->state != LS_FREED && k->o.on_end)
        k->o.on_end(k, how, text, k->o.owner);
    if (at_once && k->state == LS_WAITING && !timer_is_set(&k->timer))
        try_connect(k);
}

/* --- replies --- */

static bool is_push_word(struct slice w)
{
    static const char *const words[] = {"message",     "pmessage",     "subscribe",  "unsubscribe", "psubscribe",
                                        "punsubscribe", "smessage",    "ssubscribe", "sunsubscribe"};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (slice_is(w, words[i]))
            return true;
    return false;
}

static bool is_push(const redisReply *r)
{
    struct slice w;

    return r->type == REDIS_REPLY_ARRAY && r->elements >= 3 && reply_text_at(r, 0, &w) && is_push_word(w);
}

static void pop_waiter(struct resp_link *k)
{
    struct waiter *w = list_first(&k->waiters, struct waiter, link);

    list_remove(&w->link);
    k->nwaiters--;
    mem_free(w);
}

static void greeted(struct resp_link *k)
{
    k->state = LS_UP;
    k->backoff_ms = 0;
    k->up_since_ms = loop_now_ms(k->loop);
    timer_clear(&k->timer);
    if (k->o.on_up)
        k->o.on_up(k, k->o.owner);
}

/* A server without a password refuses AUTH; it lets everybody in, so that is no failure. */
static bool needs_no_password(const redisReply *r)
{
    return strstr(r->str, "without any password") || strstr(r->str, "no password is set");
}

static void on_greeting(struct resp_link *k, const redisReply *r)
{
    bool was_auth = k->auth_asked;

    k->auth_asked = false;
    if (was_auth && r->type == REDIS_REPLY_ERROR && !needs_no_password(r)) {
        link_ended(k, LINK_AUTH, r->str);
        return;
    }
    if (r->type == REDIS_REPLY_ERROR && (!strncmp(r->str, "DENIED", 6) || !strncmp(r->str, "ERR max number", 14))) {
        link_ended(k, LINK_AUTH, r->str);
        return;
    }
    if (--k->greetings_left == 0)
        greeted(k);
}

static void on_push(struct resp_link *k, const redisReply *r)
{
    struct waiter *w = list_first(&k->waiters, struct waiter, link);
    struct slice word;

    reply_text_at(r, 0, &word);
    /* a confirmation counts for the oldest (un)subscribe, a message does not */
    if (w && w->subs_left > 0 && memmem(word.p, word.len, "subscribe", 9) && --w->subs_left == 0)
        pop_waiter(k);
    if (k->o.on_push)
        k->o.on_push(k->o.owner, r);
}

static void on_reply(struct resp_link *k, const redisReply *r)
{
    struct waiter *w;
    link_reply_fn *fn;
    void *arg;

    if (k->state == LS_GREETING) {
        on_greeting(k, r);
        return;
    }
    if (k->sub_mode && is_push(r)) {
        on_push(k, r);
        return;
    }
    w = list_first(&k->waiters, struct waiter, link);
    if (!w) {
        link_ended(k, r->type == REDIS_REPLY_ERROR ? LINK_CLOSED : LINK_PROTOCOL,
                   r->type == REDIS_REPLY_ERROR ? r->str : "a reply that nobody asked for");
        return;
    }
    fn = w->fn;
    arg = w->arg;
    pop_waiter(k);
    if (fn)
        fn(arg, r);
}

static void on_data(struct stream *s, void *owner)
{
    struct resp_link *k = owner;
    struct buf *in = stream_in(s);
    redisReader *reader = k->reader;

    k->fed += buf_len(in);
    redisReaderFeed(reader, buf_data(in), buf_len(in));
    buf_consume(in, buf_len(in));
    while (k->reader == reader) {        /* a callback may end or free the link */
        redisReply *r = NULL;
        if (redisReaderGetReply(reader, (void **)&r) != REDIS_OK) {
            char why[160];
            snprintf(why, sizeof why, "broken reply: %.120s", reader->errstr);
            link_ended(k, LINK_PROTOCOL, why);
            return;
        }
        if (!r)
            break;
        k->fed = reader->len - reader->pos;
        k->elements = 0;
        on_reply(k, r);
        freeReplyObject(r);
    }
    if (k->reader == reader && k->fed > k->o.reply_max)
        link_ended(k, LINK_PROTOCOL, "one reply is larger than this link accepts");
}

/* --- connecting --- */

static void put(struct resp_link *k, int argc, const struct slice *argv)
{
    const char *args[16], **a = args;
    size_t lens[16], *n = lens;
    char *bytes = NULL;
    long long len;

    if (argc > 16) {
        a = mem_alloc((size_t)argc * sizeof *a);
        n = mem_alloc((size_t)argc * sizeof *n);
    }
    for (int i = 0; i < argc; i++) {
        a[i] = argv[i].p;
        n[i] = argv[i].len;
    }
    len = redisFormatCommandArgv(&bytes, argc, a, n);
    CHECK(len > 0);
    stream_write(k->stream, bytes, (size_t)len);
    redisFreeCommand(bytes);
    if (a != args) {
        mem_free(a);
        mem_free(n);
    }
}

static void on_up(struct stream *s, void *owner)
{
    struct resp_link *k = owner;

    snprintf(k->peer_ip, sizeof k->peer_ip, "%s", stream_peer(s).host);
    snprintf(k->local_ip, sizeof k->local_ip, "%s", stream_local(s).host);
    stream_set_keepalive(s, 60);
    k->state = LS_GREETING;
    k->greetings_left = 0;
    k->auth_asked = false;
    if (k->o.password) {
        struct slice argv[3] = {slice_z("AUTH"), slice_z(k->o.user ? k->o.user : ""), slice_z(k->o.password)};
        if (!k->o.user)
            argv[1] = argv[2];
        put(k, k->o.user ? 3 : 2, argv);
        k->auth_asked = true;
        k->greetings_left++;
    }
    if (k->o.client_name) {
        struct slice argv[3] = {slice_z("CLIENT"), slice_z("SETNAME"), slice_z(k->o.client_name)};
        put(k, 3, argv);
        k->greetings_left++;
    }
    if (k->greetings_left == 0)
        greeted(k);
    else
        stream_flush_now(s);
}

static void on_stream_end(struct stream *s, enum stream_end how, int sys_errno, void *owner)
{
    static const enum link_end ends[] = {
        [STREAM_EOF] = LINK_CLOSED,   [STREAM_RESET] = LINK_CLOSED,
        [STREAM_REFUSED] = LINK_REFUSED, [STREAM_UNREACHABLE] = LINK_UNREACHABLE,
        [STREAM_TIMEOUT] = LINK_TIMEOUT, [STREAM_LIMIT] = LINK_PROTOCOL,
    };
    struct resp_link *k = owner;

    (void)s;
    link_ended(k, ends[how], how == STREAM_LIMIT ? "the peer does not read what it is sent"
                             : sys_errno         ? strerror(sys_errno)
                                                 : "the peer closed the connection");
}

static const struct stream_events link_events = {on_up, on_data, on_stream_end, NULL};

static void connect_to(struct resp_link *k, const char *ip)
{
    struct addr to = {{0}, k->o.to.port};

    snprintf(to.host, sizeof to.host, "%s", ip);
    k->state = LS_CONNECTING;
    k->reader = reader_new(k);
    k->fed = 0;
    k->stream = stream_connect(k->loop, &to, k->o.source_ip, 0, &link_events, k);
}

static void on_resolved(void *arg, const char *ip, const char *why)
{
    struct resp_link *k = arg;
    char text[256];

    k->job = NULL;
    if (ip[0]) {
        connect_to(k, ip);
        return;
    }
    snprintf(text, sizeof text, "cannot resolve %.120s: %.100s", k->o.to.host, why);
    link_ended(k, LINK_UNREACHABLE, text);
}

/* The timer covers all of it: look-up, connect, greeting. Nothing is told from inside. */
static void try_connect(struct resp_link *k)
{
    timer_set(&k->timer, k->o.connect_timeout_ms);
    if (k->o.unix_path) {
        k->state = LS_CONNECTING;
        k->reader = reader_new(k);
        k->fed = 0;
        k->stream = stream_connect_unix(k->loop, k->o.unix_path, 0, &link_events, k);
    } else if (k->o.resolver && !addr_is_ip(k->o.to.host)) {
        k->state = LS_RESOLVING;
        k->job = resolve_start(k->o.resolver, k->o.to.host, on_resolved, k);
    } else {
        connect_to(k, k->o.to.host);
    }
}

/* --- the owner's side --- */

static char *dup_set(const char *z)
{
    return z && z[0] ? mem_strdup(z) : NULL;
}

struct resp_link *resp_link_new(struct loop *l, const struct resp_link_opts *o)
{
    struct resp_link *k = mem_zalloc(sizeof *k);

    k->loop = l;
    k->o = *o;
    k->o.unix_path = dup_set(o->unix_path);
    k->o.source_ip = dup_set(o->source_ip);
    k->o.user = dup_set(o->user);
    k->o.password = dup_set(o->password);
    k->o.client_name = dup_set(o->client_name);
    if (k->o.connect_timeout_ms <= 0)
        k->o.connect_timeout_ms = 1000;
    if (k->o.backoff_min_ms <= 0)
        k->o.backoff_min_ms = 50;
    if (k->o.backoff_max_ms < k->o.backoff_min_ms)
        k->o.backoff_max_ms = ms_max(1000, k->o.backoff_min_ms);
    if (k->o.refused_part <= 0)
        k->o.refused_part = REFUSED_PART;
    if (k->o.reply_max == 0)
        k->o.reply_max = 64u << 20;
    k->up_since_ms = NEVER_MS;
    list_init(&k->waiters);
    timer_init(&k->timer, l, on_timer, k);
    rng_seed(&k->rng, (uint64_t)clock_mono_us() ^ (uint64_t)(uintptr_t)k);
    try_connect(k);
    return k;
}

static void link_free(void *arg)
{
    struct resp_link *k = arg;

    while (!list_empty(&k->waiters))
        pop_waiter(k);
    mem_free((char *)(uintptr_t)k->o.unix_path);
    mem_free((char *)(uintptr_t)k->o.source_ip);
    mem_free((char *)(uintptr_t)k->o.user);
    mem_free((char *)(uintptr_t)k->o.password);
    mem_free((char *)(uintptr_t)k->o.client_name);
    mem_free(k);
}

void resp_link_free(struct resp_link *k)
{
    if (!k || k->state == LS_FREED)
        return;
    if (k->state == LS_UP) {             /* the last words still go out */
        stream_close_when_sent(k->stream);
        k->stream = NULL;
    }
    take_apart(k);
    k->state = LS_FREED;
    loop_park(k->loop, k, link_free);
}

bool resp_link_is_up(const struct resp_link *k)
{
    return k->state == LS_UP;
}

void resp_link_drop(struct resp_link *k, const char *why)
{
    if (k->state != LS_WAITING && k->state != LS_FREED)
        link_ended(k, LINK_BY_US, why ? why : "dropped");
}

void resp_link_retry_now(struct resp_link *k)
{
    if (k->state == LS_WAITING) {
        k->backoff_ms = 0;
        timer_set(&k->timer, 0);
    }
}

void resp_link_set_addr(struct resp_link *k, const struct addr *to)
{
    k->o.to = *to;
}

static void replace(const char **at, const char *z)
{
    char *fresh = dup_set(z);

    mem_free((char *)(uintptr_t)*at);
    *at = fresh;
}

void resp_link_set_auth(struct resp_link *k, const char *user, const char *password)
{
    replace(&k->o.user, user);
    replace(&k->o.password, password);
}

const struct addr *resp_link_addr(const struct resp_link *k)
{
    return &k->o.to;
}

static bool copy_ip(const char *from, char ip[ADDR_HOST_MAX])
{
    snprintf(ip, ADDR_HOST_MAX, "%s", from);
    return from[0] != '\0';
}

bool resp_link_peer_ip(const struct resp_link *k, char ip[ADDR_HOST_MAX])
{
    return copy_ip(k->peer_ip, ip);
}

bool resp_link_local_ip(const struct resp_link *k, char ip[ADDR_HOST_MAX])
{
    return copy_ip(k->local_ip, ip);
}

static int subs_of(int argc, const struct slice *argv)
{
    size_t n = argv[0].len;

    if (n < 9 || n > 12 || strncasecmp(argv[0].p + n - 9, "subscribe", 9) != 0)
        return 0;
    return argc > 1 ? argc - 1 : 1;
}

void resp_link_hurry(struct resp_link *k)
{
    if (k->state == LS_UP)
        stream_flush_some(k->stream);
}

bool resp_link_send(struct resp_link *k, link_reply_fn *fn, void *arg, int argc, const struct slice *argv)
{
    struct waiter *w;

    if (k->state != LS_UP || !stream_is_up(k->stream))
        return false;
    w = mem_zalloc(sizeof *w);
    w->fn = fn;
    w->arg = arg;
    w->subs_left = subs_of(argc, argv);
    if (w->subs_left > 0)
        k->sub_mode = true;
    list_append(&k->waiters, &w->link);
    k->nwaiters++;
    put(k, argc, argv);
    return true;
}

bool resp_link_sendz(struct resp_link *k, link_reply_fn *fn, void *arg, const char *first, ...)
{
    struct slice argv[64];
    int argc = 0;
    va_list ap;

    va_start(ap, first);
    for (const char *z = first; z; z = va_arg(ap, const char *)) {
        CHECK(argc < 64);
        argv[argc++] = slice_z(z);
    }
    va_end(ap);
    return resp_link_send(k, fn, arg, argc, argv);
}

void resp_link_subscribe_mode(struct resp_link *k, bool on)
{
    k->sub_mode = on;
}

size_t resp_link_pending(const struct resp_link *k)
{
    return k->nwaiters;
}

int64_t resp_link_up_since_ms(const struct resp_link *k)
{
    return k->up_since_ms;
}
