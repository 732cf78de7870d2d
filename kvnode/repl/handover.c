/* The primary's side is a row of three states; how far a replica is, is feed's to know. Writes
 * are paused with the server's one pause, and one that somebody else had asked for is put back. */
#include "kvnode/ha/ha.h"
#include "kvnode/repl/handover.h"

#include "common/base/mem.h"
#include "common/base/num.h"
#include "common/io/log.h"
#include "kvnode/call.h"
#include "kvnode/repl/feed_inside.h"
#include "kvnode/repl/roles.h"
#include "kvnode/role/role.h"
#include "kvnode/server.h"

#include <string.h>

#define ASK_AGAIN_MS 20            /* an acknowledgement that does not come is asked for again */

enum handover_state { HANDOVER_NONE, HANDOVER_WAITING, HANDOVER_GOING };

struct handover {
    struct server *srv;
    enum handover_state state;
    struct addr to;                /* unset: the first replica that has all of it */
    bool force;                    /* when the time is up, go to `to` however far it is */
    bool asked;                    /* PSYNC FAILOVER has left */
    int64_t until_ms;              /* NEVER_MS: no limit */
    int64_t ask_at_ms;
    struct timer timer;
    struct loop_hook turn;
    int64_t paused_until_ms;       /* a pause of somebody else that our own covers, 0 = none */
    bool paused_writes_only;
};

bool handover_on(const struct handover *h) { return h->state != HANDOVER_NONE; }

const char *handover_state_word(const struct handover *h)
{
    static const char *const words[] = {"no-failover", "waiting-for-sync", "failover-in-progress"};

    return words[h->state];
}

/* --- the pause --- */

static void pause_writes(struct handover *h)
{
    struct resp_server *rs = &h->srv->resp;

    h->paused_until_ms = resp_server_is_paused(rs) ? rs->paused_until_ms : 0;
    h->paused_writes_only = rs->pause_writes_only;
    resp_server_pause(rs, h->until_ms, true);
}

static void pause_over(struct handover *h)
{
    struct resp_server *rs = &h->srv->resp;

    if (h->srv->stopping.on)
        return;                    /* who leaves has paused it too, and for longer */
    resp_server_unpause(rs);
    if (h->paused_until_ms > server_now_ms(h->srv))
        resp_server_pause(rs, h->paused_until_ms, h->paused_writes_only);
}

/* --- ways --- */

static void end(struct handover *h)
{
    h->state = HANDOVER_NONE;
    h->asked = h->force = false;
    memset(&h->to, 0, sizeof h->to);
    timer_clear(&h->timer);
    pause_over(h);
}

static void undo(struct handover *h, const char *why)
{
    bool went = h->state == HANDOVER_GOING;

    log_notice("Failover aborted: %s", why);
    h->state = HANDOVER_NONE;
    if (went)
        roles_lead(h->srv);
    end(h);                        /* last: the first write that waited finds a primary */
}

static void go(struct handover *h, const struct addr *to)
{
    char text[ADDR_TEXT_MAX];

    h->to = *to;
    h->state = HANDOVER_GOING;
    log_notice("Failover target %s is synced, failing over.", addr_text(to, text));
    roles_follow(h->srv, to);
}

static struct feed_replica *replica_at(const struct handover *h, const struct addr *a)
{
    list_each(struct feed_replica, r, &h->srv->feed->replicas, link) {
        struct addr at = {0};
        int64_t port;

        feed_replica_addr(r, at.host, &port);
        at.port = (uint16_t)port;
        if (addr_equal(&at, a))
            return r;
    }
    return NULL;
}

static bool is_level(const struct handover *h, const struct feed_replica *r)
{
    return r->state == FEED_ONLINE && !r->silent && r->listening_port > 0 && feed_has_all(h->srv->feed, r);
}

static struct feed_replica *level_one(const struct handover *h)
{
    struct feed_replica *named = addr_is_set(&h->to) ? replica_at(h, &h->to) : NULL;

    if (addr_is_set(&h->to))
        return named && is_level(h, named) ? named : NULL;
    list_each(struct feed_replica, r, &h->srv->feed->replicas, link)
        if (is_level(h, r))
            return r;
    return NULL;
}

static void look(struct handover *h)
{
    struct feed_replica *r = level_one(h);
    struct addr at = {0};
    int64_t port;

    if (r == NULL)
        return;
    feed_replica_addr(r, at.host, &port);
    at.port = (uint16_t)port;
    go(h, &at);
}

/* Bound to an attempt at forming a group while its target was waited for: who leads is the group's to say from now on,
 * and nobody else could call it back. (Once it goes, we follow the target, and a BIND that names us is refused.) */
static bool bound_meanwhile(struct handover *h)
{
    if (h->state != HANDOVER_WAITING || ha_takes_plain_orders(h->srv))
        return false;
    undo(h, "this node was bound to a group that is being formed");
    return true;
}

static void on_turn(void *arg)
{
    struct handover *h = arg;

    if (h->state == HANDOVER_WAITING && !bound_meanwhile(h))
        look(h);
}

static void wake_later(struct handover *h)
{
    timer_set_at(&h->timer, h->state == HANDOVER_WAITING ? ms_min(h->ask_at_ms, h->until_ms) : h->until_ms);
}

static void on_timer(struct timer *t, void *arg)
{
    struct handover *h = arg;
    int64_t now = server_now_ms(h->srv);

    (void)t;
    if (bound_meanwhile(h))
        return;
    if (now >= h->until_ms) {
        if (h->state == HANDOVER_GOING && !h->asked)
            undo(h, "the target could not be reached in time");
        else if (h->state == HANDOVER_WAITING && h->force && replica_at(h, &h->to))
            go(h, &h->to);
        else if (h->state == HANDOVER_WAITING)
            undo(h, "Replica never caught up before timeout");
        return;                    /* asked, and not answered: see handover.h */
    }
    if (h->state == HANDOVER_WAITING) {
        feed_ask_acks(h->srv->feed);
        h->ask_at_ms = now + ASK_AGAIN_MS;
    }
    wake_later(h);
}

/* --- FAILOVER --- */

struct wanted {
    struct addr to;
    int64_t timeout_ms;            /* 0: none given */
    bool force, abort;
};

/* false: answered. */
static bool read_words(struct call *c, struct wanted *w)
{
    int64_t port;

    memset(w, 0, sizeof *w);
    for (int i = 1; i < c->argc; i++) {
        if (slice_is_nocase(c->argv[i], "timeout") && i + 1 < c->argc && w->timeout_ms == 0) {
            if (!num_i64(c->argv[i + 1].p, c->argv[i + 1].len, &w->timeout_ms)) {
                reply_error(c->reply, TEXT_NOT_INT);
                return false;
            }
            if (w->timeout_ms <= 0) {
                reply_error(c->reply, "ERR FAILOVER timeout must be greater than 0");
                return false;
            }
            i++;
        } else if (slice_is_nocase(c->argv[i], "to") && i + 2 < c->argc && !addr_is_set(&w->to)) {
            if (!num_i64(c->argv[i + 2].p, c->argv[i + 2].len, &port)) {
                reply_error(c->reply, TEXT_NOT_INT);
                return false;
            }
            if (port < 1 || port > 65535 || !addr_set(&w->to, c->argv[i + 1].p, c->argv[i + 1].len, port)) {
                reply_error(c->reply, "ERR FAILOVER target HOST and PORT is not a replica.");
                return false;
            }
            i += 2;
        } else if (slice_is_nocase(c->argv[i], "abort") && c->argc == 2) {
            w->abort = true;
        } else if (slice_is_nocase(c->argv[i], "force") && !w->force) {
            w->force = true;
        } else {
            reply_error(c->reply, TEXT_SYNTAX);
            return false;
        }
    }
    return true;
}

static const char *refusal(const struct handover *h, const struct wanted *w)
{
    const struct feed_replica *r = addr_is_set(&w->to) ? replica_at(h, &w->to) : NULL;

    if (h->state != HANDOVER_NONE)
        return "ERR FAILOVER already in progress.";
    if (server_is_replica(h->srv))
        return "ERR FAILOVER is not valid when server is a replica.";
    if (h->srv->stopping.on)
        return "ERR FAILOVER is not possible: this server is shutting down.";
    if (feed_replicas(h->srv->feed) == 0)
        return "ERR FAILOVER requires connected replicas.";
    if (w->force && (w->timeout_ms == 0 || !addr_is_set(&w->to)))
        return "ERR FAILOVER with force option requires both a timeout and target HOST and IP.";
    if (addr_is_set(&w->to) && r == NULL)
        return "ERR FAILOVER target HOST and PORT is not a replica.";
    if (r && r->state != FEED_ONLINE)
        return "ERR FAILOVER target replica is not online.";
    return NULL;
}

static void begin(struct handover *h, const struct wanted *w)
{
    int64_t now = server_now_ms(h->srv);

    log_notice("FAILOVER requested to %s.", addr_is_set(&w->to) ? w->to.host : "any replica");
    h->to = w->to;
    h->force = w->force;
    h->asked = false;
    h->until_ms = w->timeout_ms ? ms_add(now, w->timeout_ms) : NEVER_MS;
    h->ask_at_ms = now + ASK_AGAIN_MS;
    h->state = HANDOVER_WAITING;
    pause_writes(h);
    feed_ask_acks(h->srv->feed);
    wake_later(h);
    loop_again(h->srv->loop);
}

void handover_command(struct handover *h, struct call *c)
{
    struct wanted w;
    const char *no;

    if (!read_words(c, &w))
        return;
    if (w.abort) {
        if (h->state == HANDOVER_NONE) {
            reply_error(c->reply, "ERR No failover in progress.");
            return;
        }
        undo(h, "Failover manually aborted");
        reply_ok(c->reply);
        return;
    }
    no = refusal(h, &w);
    if (no) {
        reply_error(c->reply, no);
        return;
    }
    begin(h, &w);
    reply_ok(c->reply);
}

/* --- the link to the target --- */

bool handover_asks(struct handover *h)
{
    if (h->state != HANDOVER_GOING)
        return false;
    h->asked = true;
    return true;
}

void handover_taken(struct handover *h)
{
    if (h->state != HANDOVER_GOING)
        return;
    log_notice("Failover finished: the target leads.");
    end(h);
}

void handover_refused(struct handover *h, const char *why)
{
    if (h->state == HANDOVER_GOING)
        undo(h, why);
}

bool handover_take(struct server *srv, struct call *c)
{
    char id[ID_MAX];

    if (!ha_takes_plain_orders(srv)) {
        reply_error(c->reply, "ERR PSYNC FAILOVER: this node belongs to a formed group, which alone says who is primary.");
        return false;
    }
    if (!server_is_replica(srv)) {
        reply_error(c->reply, "ERR PSYNC FAILOVER can't be sent to a master.");
        return false;
    }
    if (srv->role->state == ROLE_SYNCING) {
        reply_error(c->reply, "ERR PSYNC FAILOVER: a full copy is coming in, what is here is not all of it.");
        return false;
    }
    if (!slice_copy_z(c->argv[1], id, sizeof id) || strcmp(id, srv->history->id) != 0) {
        reply_error(c->reply, "ERR PSYNC FAILOVER replid must match my replid.");
        return false;
    }
    log_notice("MASTER MODE enabled (failover request from our primary)");
    roles_lead(srv);
    return true;
}

/* --- making --- */

struct handover *handover_new(struct server *srv)
{
    struct handover *h = mem_zalloc(sizeof *h);

    h->srv = srv;
    timer_init(&h->timer, srv->loop, on_timer, h);
    loop_hook_add(srv->loop, &h->turn, on_turn, h);
    return h;
}

void handover_free(struct handover *h)
{
    if (h == NULL)
        return;
    timer_clear(&h->timer);
    loop_hook_remove(&h->turn);
    mem_free(h);
}
