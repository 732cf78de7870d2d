/* Barriers. What a client is answered gets a barrier at the byte with which the turn's first answer to a
 * command that wrote (or read) begins; the client's stream sends nothing from there on. When the turn is
 * over each barrier gets the log's end as its offset, so `waiting` is in order of offsets, and all that one
 * turn did waits for one acknowledgement:
 *
 *     client A   ....PONG | +OK +OK           | :5 ....          (| = a barrier; its `from`)
 *     client B         | +OK                       | $3 ...
 *                      turn 7, offset 4100      turn 8, offset 4460
 *
 * Everything is let go in one place, in front of the streams' writing: after a turn's slow commands, its
 * acknowledgements and its loss of the lease are all known. */
#include "kvnode/client/held.h"

#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/base/timeval.h"
#include "common/io/clock.h"
#include "common/io/log.h"
#include "kvnode/client/client.h"
#include "kvnode/ha/ha.h"
#include "kvnode/repl/feed.h"
#include "kvnode/server.h"

#include <stdio.h>
#include <string.h>

#define SPARE_MAX 1024                   /* barriers kept for the next turns */
#define CLIENT_BYTES_MAX (1u << 20)      /* a client with more that waits: its requests are not run for now */
#define CLIENT_BARRIERS_MAX 1024         /* ... or with more turns that wait */
#define TIMEOUT_MS 1000                  /* nobody says how long a lease is */

struct barrier {
    struct list_link order;              /* in held.turn, then in held.waiting */
    struct list_link own;                /* in client.held */
    struct client *client;
    uint64_t from;                       /* number of the first byte that waits */
    int64_t offset;
    int64_t since_ms;
    bool open;                           /* of the turn that goes on */
    bool wrote, read;
};

struct held {
    struct server *srv;
    struct list_link turn;               /* opened in this turn */
    struct list_link waiting;            /* oldest first: offset and since_ms never fall */
    struct list_link spare;
    size_t nspare;
    struct loop_hook flush;
    struct timer deadline;
    bool late;                           /* it fired in this turn */
    int64_t confirmed;                   /* -1: nothing, in this epoch */
    uint64_t epoch;                      /* of `confirmed` */
    size_t clients, stopped;             /* that have a barrier; whose requests wait */
    uint64_t given_up;                   /* clients, ever */
    size_t untold;                       /* of them, by the clock, not yet in the log */
    int64_t told_at_ms;
};

/* --- barriers --- */

static struct barrier *barrier_new(struct held *h, struct client *c)
{
    struct barrier *b;

    if (list_empty(&h->spare)) {
        b = mem_zalloc(sizeof *b);
    } else {
        b = list_of(h->spare.next, struct barrier, order);
        list_remove(&b->order);
        h->nspare--;
        memset(b, 0, sizeof *b);
    }
    b->client = c;
    b->open = true;
    list_init(&b->order);
    list_init(&b->own);
    h->clients += list_empty(&c->held);
    list_append(&c->held, &b->own);
    list_append(&h->turn, &b->order);
    c->nheld++;
    return b;
}

static void barrier_drop(struct held *h, struct barrier *b)
{
    struct client *c = b->client;

    list_remove(&b->own);
    list_remove(&b->order);
    c->nheld--;
    h->clients -= list_empty(&c->held);
    if (h->nspare >= SPARE_MAX) {
        mem_free(b);
        return;
    }
    list_append(&h->spare, &b->order);
    h->nspare++;
}

static void stop_requests(struct held *h, struct client *c, bool stop)
{
    if (c->held_stop == stop)
        return;
    c->held_stop = stop;
    if (stop) {
        h->stopped++;
        session_hold(c->session);
    } else {
        h->stopped--;
        session_release(c->session);
    }
}

/* What waits first, or nothing, says how far the client's output may go. */
static void open_gate(struct held *h, struct client *c)
{
    bool none = list_empty(&c->held);
    uint64_t from = none ? STREAM_ALL : list_of(c->held.next, struct barrier, own)->from;

    if (c->held_stop && (none || (c->nheld < CLIENT_BARRIERS_MAX / 2 && stream_waits(c->session->stream) < CLIENT_BYTES_MAX / 2)))
        stop_requests(h, c, false);
    session_allow(c->session, from < c->owed_from ? from : c->owed_from);
}

void held_owes(struct client *c, uint64_t from)
{
    c->owed_from = from;
    open_gate(c->srv->held, c);
}

void held_touched(struct client *c, bool wrote)
{
    struct held *h = c->srv->held;
    struct session *s = c->session;
    struct barrier *b;

    if (!s || c->is_primary || s->class == SESSION_REPLICA || (!wrote && c->srv->opt.ha_read == HA_READ_DIRTY))
        return;
    b = list_empty(&c->held) ? NULL : list_of(c->held.prev, struct barrier, own);
    if (!b || !b->open) {
        b = barrier_new(h, c);
        b->from = s->request_at;
        if (c->nheld == 1)
            stream_allow(s->stream, b->from);
    }
    b->wrote |= wrote;
    b->read |= !wrote;
}

/* --- giving up --- */

static void give_up_client(struct held *h, struct client *c, const char *why)
{
    char text[192];
    bool wrote = false;
    struct session *s = c->session;

    list_each_safe(struct barrier, b, &c->held, own) {
        wrote |= b->wrote;
        barrier_drop(h, b);
    }
    snprintf(text, sizeof text, wrote ? "UNCONFIRMED executed here, but not confirmed by the group (%s): it may be lost, or may not"
                                      : "UNCONFIRMED what was read here is not confirmed by the group (%s)", why);
    h->given_up++;
    stop_requests(h, c, false);
    session_give_up(s, text);
}

void held_give_up(struct server *srv, const char *why)
{
    struct held *h = srv->held;
    size_t n = h->clients;

    while (!list_empty(&h->waiting))
        give_up_client(h, list_first(&h->waiting, struct barrier, order)->client, why);
    while (!list_empty(&h->turn))
        give_up_client(h, list_first(&h->turn, struct barrier, order)->client, why);
    h->confirmed = -1;
    if (n > 0)
        log_warning("%zu clients were told UNCONFIRMED: %s", n, why);
}

static int64_t timeout_ms(const struct held *h)
{
    const struct member *m = ha_member_of(h->srv);
    int64_t lease = m && m->rec.timing.lease_ms > 0 ? m->rec.timing.lease_ms : TIMEOUT_MS;
    int64_t asked = h->srv->opt.sync_timeout_ms;

    return asked > 0 && asked < lease ? asked : lease;
}

/* Only in a turn that began late: whatever had arrived by then has been read. (A slow command moves the clock
 * forward in the middle of a turn, when nothing of what came meanwhile is known.) */
static void give_up_late(struct held *h)
{
    int64_t now = server_now_ms(h->srv), most = timeout_ms(h);

    while (!list_empty(&h->waiting)) {
        struct barrier *b = list_of(h->waiting.next, struct barrier, order);

        if (!h->late || now - b->since_ms < most) {
            if (!timer_is_set(&h->deadline))
                timer_set_at(&h->deadline, ms_add(b->since_ms, most));
            break;
        }
        give_up_client(h, b->client, "sync-timeout");
        h->untold++;
    }
}

/* In the log once a second at most. */
static void tell(struct held *h)
{
    int64_t now = server_now_ms(h->srv);

    if (h->untold == 0 || now - h->told_at_ms < 1000)
        return;
    log_warning("%zu clients were told UNCONFIRMED: what they wait for was not confirmed within %lld ms", h->untold,
                (long long)timeout_ms(h));
    h->untold = 0;
    h->told_at_ms = now;
}

static void on_deadline(struct timer *t, void *arg)
{
    (void)t;
    ((struct held *)arg)->late = true;
}

/* --- letting go --- */

/* Asked at most once a turn, and only if somebody read. */
enum lease_known { LEASE_NOT_ASKED, LEASE_NO, LEASE_YES };

static bool has_lease(struct held *h, enum lease_known *lease)
{
    if (*lease == LEASE_NOT_ASKED)
        *lease = ha_lease_valid(h->srv) ? LEASE_YES : LEASE_NO;
    return *lease == LEASE_YES;
}

static void let_go(struct held *h, enum lease_known *lease)
{
    const struct member *m = ha_member_of(h->srv);
    int64_t confirmed = m && m->epoch == h->epoch ? h->confirmed : -1;

    list_each_safe(struct barrier, b, &h->waiting, order) {
        struct client *c = b->client;

        if (b->offset > confirmed)
            break;
        /* what waits for the lease keeps back what came after it of the same client, of no other */
        if (b->own.prev != &c->held || (b->read && !has_lease(h, lease)))
            continue;
        barrier_drop(h, b);
        open_gate(h, c);
    }
}

/* Leased reads wait for nothing but the lease: they go now, or join what the client waits for already.
 * false: no lease now. */
static bool settle_leased(struct held *h, struct barrier *b, enum lease_known *lease)
{
    if (b->own.prev != &b->client->held) {
        list_of(b->own.prev, struct barrier, own)->read = true;
        return true;
    }
    return has_lease(h, lease);
}

/* The turn's barriers get their place. */
static void close_turn(struct held *h, enum lease_known *lease)
{
    int64_t end = feed_offset(h->srv->feed), now = clock_mono_ms();     /* not before a slow command of this turn */
    bool committed = h->srv->opt.ha_read == HA_READ_COMMITTED;

    while (!list_empty(&h->turn)) {
        struct barrier *b = list_first(&h->turn, struct barrier, order);
        struct client *c = b->client;

        b->open = false;
        if (stream_out_end(c->session->stream) <= b->from ||         /* nothing was answered: CLIENT REPLY OFF */
            (!b->wrote && !committed && settle_leased(h, b, lease))) {
            barrier_drop(h, b);
            open_gate(h, c);
            continue;
        }
        b->offset = end;
        b->since_ms = now;
        list_remove(&b->order);
        list_append(&h->waiting, &b->order);
        if (c->nheld > CLIENT_BARRIERS_MAX || stream_waits(c->session->stream) > CLIENT_BYTES_MAX)
            stop_requests(h, c, true);
    }
}

static void on_flush(void *arg)
{
    struct held *h = arg;
    enum lease_known lease = LEASE_NOT_ASKED;

    if (!list_empty(&h->turn))
        close_turn(h, &lease);
    if (!list_empty(&h->waiting)) {
        let_go(h, &lease);
        give_up_late(h);
    }
    h->late = false;
    tell(h);
}

void held_confirmed(struct server *srv, int64_t offset)
{
    struct held *h = srv->held;
    const struct member *m = ha_member_of(srv);
    enum lease_known lease = LEASE_NOT_ASKED;

    h->confirmed = offset;
    h->epoch = m ? m->epoch : 0;
    if (list_empty(&h->waiting) || list_of(h->waiting.next, struct barrier, order)->offset > offset)
        return;
    let_go(h, &lease);                   /* those of earlier turns do not wait for what else this turn has to do */
    stream_flush_all(srv->loop);
}

void held_gone(struct client *c)
{
    struct held *h = c->srv->held;

    if (!h)
        return;
    list_each_safe(struct barrier, b, &c->held, own)
        barrier_drop(h, b);
    h->stopped -= c->held_stop;          /* (its session is going: nothing to release) */
    c->held_stop = false;
}

/* --- beginning, end, telling --- */

void held_init(struct server *srv)
{
    struct held *h = mem_zalloc(sizeof *h);

    h->srv = srv;
    h->confirmed = -1;
    h->told_at_ms = INT64_MIN / 2;
    list_init(&h->turn);
    list_init(&h->waiting);
    list_init(&h->spare);
    timer_init(&h->deadline, srv->loop, on_deadline, h);
    loop_flush_hook_add(srv->loop, &h->flush, on_flush, h);
    srv->held = h;
}

void held_fini(struct server *srv)
{
    struct held *h = srv->held;

    if (!h)
        return;
    loop_hook_remove(&h->flush);
    timer_clear(&h->deadline);
    list_each_safe(struct barrier, w, &h->waiting, order)
        barrier_drop(h, w);
    list_each_safe(struct barrier, o, &h->turn, order)
        barrier_drop(h, o);
    list_each_safe(struct barrier, b, &h->spare, order)
        mem_free(b);
    mem_free(h);
    srv->held = NULL;
}

void held_figures(const struct server *srv, struct held_figures *out)
{
    const struct held *h = srv->held;

    *out = (struct held_figures){.clients = h->clients, .stopped = h->stopped, .confirmed = h->confirmed, .given_up = h->given_up};
    list_each(struct barrier, b, &h->waiting, order) {
        if (out->oldest_ms == 0)
            out->oldest_ms = ms_max(server_now_ms(h->srv) - b->since_ms, 1);
        if (b->own.prev == &b->client->held)
            out->bytes += stream_waits(b->client->session->stream);
    }
}

void held_info(struct server *srv, struct str *out)
{
    struct held_figures f;

    held_figures(srv, &f);
    str_printf(out, "ha_waiting_clients:%zu\r\nha_waiting_bytes:%zu\r\nha_waiting_stopped:%zu\r\nha_waiting_ms:%lld\r\n", f.clients, f.bytes,
               f.stopped, (long long)f.oldest_ms);
    str_printf(out, "ha_confirmed_offset:%lld\r\nha_unconfirmed_clients:%llu\r\n", (long long)f.confirmed, (unsigned long long)f.given_up);
}
