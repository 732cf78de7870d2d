/* Orders carried out one by one. An event that comes up meanwhile (a replica sent away, and
 * one fewer is good) waits until the step it belongs to is through. */
#include "kvnode/repl/roles.h"

#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/io/log.h"
#include "kvnode/repl/feed.h"
#include "kvnode/repl/follow.h"
#include "kvnode/repl/handover.h"
#include "kvnode/repl/wait.h"
#include "kvnode/server.h"

#include <string.h>

#define MEMBER_RETRY_MAX_MS 100        /* a formed group waits for whoever is not back yet */

/* Beside srv->role, in one allocation: the queue and the deadline. */
struct roles {
    struct role role;              /* first: srv->role points here */
    struct timer deadline;
    bool busy;
    VEC(struct role_event) later;
};

static struct roles *roles_of(struct server *srv) { return (struct roles *)srv->role; }

static void on_deadline(struct timer *t, void *arg)
{
    (void)t;
    roles_tell(arg, &(struct role_event){.kind = ROLE_EV_TICK});
}

static void carry_out(struct server *srv, const struct role_order *o)
{
    switch (o->kind) {
    case ROLE_DROP_LINK: follow_drop(srv->follow); return;
    case ROLE_CONNECT: follow_connect(srv->follow, &o->to, o->link); return;
    case ROLE_SHIFT_HISTORY: feed_shift_id(srv->feed); return;
    case ROLE_DISCONNECT_REPLICAS:
        feed_drop_replicas(srv->feed, "Our history changed, sending away to ask again:");
        return;
    case ROLE_RELEASE_WAITERS: wait_release_all(srv); return;
    case ROLE_SERVE_WRITES: srv->ks->expired_keys = DROP_EXPIRED; return;
    case ROLE_REFUSE_WRITES: srv->ks->expired_keys = HIDE_EXPIRED; return;
    case ROLE_ORDER_KINDS: break;
    }
    CHECK(!"an order that can be carried out");
}

static bool is_just_another_try(const struct role_orders *o)
{
    return (o->from == ROLE_WAITING && o->to == ROLE_CONNECTING) || (o->from == ROLE_CONNECTING && o->to == ROLE_WAITING);
}

static void step(struct server *srv, const struct role_event *ev)
{
    struct role_orders out;

    role_step(srv->role, ev, server_now_ms(srv), &out);
    if (out.from != out.to)
        log_line(is_just_another_try(&out) ? LOG_LEVEL_VERBOSE : LOG_LEVEL_NOTICE, "role %s -> %s on %s: %s",
                 role_state_name(out.from), role_state_name(out.to), role_event_name(ev->kind), out.because);
    log_set_role(role_is_replica(srv->role) ? 'S' : 'M');
    for (int i = 0; i < out.n; i++)
        carry_out(srv, &out.at[i]);
    timer_set_at(&roles_of(srv)->deadline, role_deadline_ms(srv->role));
}

void roles_tell(struct server *srv, const struct role_event *ev)
{
    struct roles *r = roles_of(srv);

    vec_push(&r->later, *ev);
    if (r->busy)
        return;
    r->busy = true;
    for (size_t i = 0; i < r->later.n; i++) {
        struct role_event next = r->later.at[i];
        step(srv, &next);
    }
    vec_clear(&r->later);
    r->busy = false;
}

void roles_settings(struct server *srv)
{
    struct role_settings s = {srv->opt.replica_read_only, srv->opt.replica_serve_stale_data,
                              (int)srv->opt.min_replicas_to_write, srv->ha_bound ? MEMBER_RETRY_MAX_MS : 0};

    roles_tell(srv, &(struct role_event){.kind = ROLE_EV_SETTINGS, .settings = s});
    feed_settings(srv->feed);
}

void roles_init(struct server *srv)
{
    struct roles *r = mem_zalloc(sizeof *r);

    role_init(&r->role, NULL);
    timer_init(&r->deadline, srv->loop, on_deadline, srv);
    srv->role = &r->role;
    srv->feed = feed_new(srv);
    srv->follow = follow_new(srv);
    srv->handover = handover_new(srv);
    roles_settings(srv);
}

void roles_fini(struct server *srv)
{
    struct roles *r = roles_of(srv);

    if (r == NULL)
        return;
    handover_free(srv->handover);
    follow_free(srv->follow);
    feed_free(srv->feed);
    timer_clear(&r->deadline);
    vec_fini(&r->later);
    mem_free(r);
    srv->handover = NULL;
    srv->follow = NULL;
    srv->feed = NULL;
    srv->role = NULL;
}

void roles_start(struct server *srv)
{
    if (srv->ha_bound)
        roles_tell(srv, &(struct role_event){.kind = ROLE_EV_SEAL});
    else if (addr_is_set(&srv->opt.replicaof))
        roles_tell(srv, &(struct role_event){.kind = ROLE_EV_FOLLOW, .to = srv->opt.replicaof});
}

void roles_follow(struct server *srv, const struct addr *to)
{
    CHECK(!roles_of(srv)->busy);
    srv->opt.replicaof = *to;
    roles_tell(srv, &(struct role_event){.kind = ROLE_EV_FOLLOW, .to = *to});
}

void roles_lead(struct server *srv)
{
    CHECK(!roles_of(srv)->busy);
    memset(&srv->opt.replicaof, 0, sizeof srv->opt.replicaof);
    roles_tell(srv, &(struct role_event){.kind = ROLE_EV_LEAD});
}
