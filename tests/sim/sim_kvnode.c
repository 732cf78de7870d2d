/* FAILOVER is kvnode/repl/handover.c in outline: writes pause, the target acknowledges all, we follow it
 * and ask it to lead.
 *
 * A data node: role orders are carried out on pretend links, the dataset is (history,
 * offset). A copy takes a while to load, and the old data stays until it is there. */
#include "tests/sim/sim_kvnode.h"

#include "common/base/mem.h"
#include "common/base/timeval.h"
#include "kvnode/role/role.h"
#include "tests/sim/judge.h"
#include "tests/sim/sim_sentinel_view.h"
#include "tests/sim/story.h"
#include "tests/sim/talk.h"

#include <string.h>

#define CRON_MS 1000
#define REPL_TIMEOUT_MS 10000
#define REPL_PING_MS 3000

enum client_kind { CLIENT_NEW, CLIENT_CMD, CLIENT_SUB, CLIENT_REPLICA };

struct client {
    uint32_t conn;
    enum client_kind kind;
    int proc;
    int64_t acked, heard_ms;
};

struct dataset {
    int history, older;            /* older: the history before, good up to older_end */
    int64_t offset, older_end;
};

struct kvnode {
    struct role role;
    bool runs;
    uint64_t run;                  /* of this start */
    struct dataset data, copy, disk;
    int64_t backlog_from;          /* we can continue a replica from here on */
    VEC(struct client) clients;
    uint32_t up;                   /* connection to the primary, 0 = none */
    bool up_open;
    int64_t heard_ms, pinged_ms, cron_ms, up_since_ms;
    int follows;                   /* now; -1 = nobody */
    enum { HAND_NONE, HAND_WAITING, HAND_GOING } hand;
    int hand_to;
    bool hand_asked;
    bool refused;                  /* a connect to where nobody is, in this step */
    int64_t hand_until_ms;
    /* the configuration file */
    int conf_follows, priority;
};

struct kvnode *kvnode_new(struct world *w, struct proc *p)
{
    struct kvnode *n = mem_zalloc(sizeof *n);

    (void)w;
    (void)p;
    n->follows = n->conf_follows = -1;
    n->priority = 100;
    n->disk.history = n->disk.older = -1;
    return n;
}

void kvnode_free(struct kvnode *n)
{
    if (!n)
        return;
    vec_fini(&n->clients);
    mem_free(n);
}

void kvnode_configure(struct kvnode *n, int follows, int priority)
{
    n->follows = n->conf_follows = follows;
    n->priority = priority;
}

bool kvnode_is_primary(const struct kvnode *n) { return n->runs && !role_is_replica(&n->role); }
int kvnode_follows(const struct kvnode *n) { return n->follows; }
int kvnode_priority(const struct kvnode *n) { return n->priority; }
bool kvnode_link_up(const struct kvnode *n) { return n->runs && role_link_up(&n->role); }
int kvnode_history(const struct kvnode *n) { return n->data.history; }
int64_t kvnode_offset(const struct kvnode *n) { return n->data.offset; }

int64_t kvnode_up_for_ms(const struct world *w, const struct proc *p)
{
    return kvnode_link_up(p->node) ? world_local_ms(w, p) - p->node->up_since_ms : 0;
}

/* --- data -------------------------------------------------------------------------- */

static void branch(struct world *w, struct dataset *d)
{
    struct history h = {.parent = d->history, .from = d->offset};

    vec_push(&w->histories, h);
    d->older = d->history;
    d->older_end = d->offset;
    d->history = (int)w->histories.n - 1;
}

static bool can_continue(const struct kvnode *n, int history, int64_t offset)
{
    if (offset < n->backlog_from)
        return false;
    return (history == n->data.history && offset <= n->data.offset) ||
           (history >= 0 && history == n->data.older && offset <= n->data.older_end);
}

/* --- role orders --------------------------------------------------------------------- */

static void drop_up(struct world *w, struct proc *p, struct kvnode *n)
{
    if (n->up)
        net_close(w, p, n->up);
    n->up = 0;
    n->up_open = false;
}

static void drop_replicas(struct world *w, struct proc *p, struct kvnode *n)
{
    for (size_t i = n->clients.n; i-- > 0;)
        if (n->clients.at[i].kind == CLIENT_REPLICA) {
            net_close(w, p, n->clients.at[i].conn);
            vec_remove(&n->clients, i);
        }
}

static void carry_out(struct world *w, struct proc *p, struct kvnode *n, const struct role_order *o)
{
    switch (o->kind) {
    case ROLE_DROP_LINK: drop_up(w, p, n); break;
    case ROLE_CONNECT: {
        struct proc *to = world_by_addr(w, &o->to);
        drop_up(w, p, n);
        n->heard_ms = world_local_ms(w, p);
        if (n->follows == FOLLOWS_HOLE) {
            n->refused = true;     /* told when this step is over */
            break;
        }
        CHECK(to != NULL);
        n->up = net_connect(w, p, to, (int32_t)o->link);
        break;
    }
    case ROLE_SHIFT_HISTORY: branch(w, &n->data); break;
    case ROLE_DISCONNECT_REPLICAS: drop_replicas(w, p, n); break;
    case ROLE_RELEASE_WAITERS:
    case ROLE_SERVE_WRITES:
    case ROLE_REFUSE_WRITES:
    case ROLE_ORDER_KINDS: break;
    }
}

static void arm(struct world *w, struct proc *p, struct kvnode *n)
{
    int64_t at = ms_min(n->cron_ms, role_deadline_ms(&n->role));

    world_wake_at(w, p, n->hand != HAND_NONE && !n->hand_asked ? ms_min(at, n->hand_until_ms) : at);
}

static void step(struct world *w, struct proc *p, struct kvnode *n, struct role_event ev)
{
    struct role_orders out;

    role_step(&n->role, &ev, world_local_ms(w, p), &out);
    for (int i = 0; i < out.n; i++)
        carry_out(w, p, n, &out.at[i]);
    if (out.from != out.to && (out.to == ROLE_PRIMARY || ev.kind == ROLE_EV_FOLLOW || out.to == ROLE_FOLLOWING)) {
        struct proc *to = addr_is_set(&n->role.primary) ? world_by_addr(w, &n->role.primary) : NULL;
        story_tell(w, p, "%s -> %s%s%s: %s", role_state_name(out.from), role_state_name(out.to), to ? " " : "",
                   to ? to->name : "", out.because);
    }
    if (out.from != out.to)
        n->up_since_ms = world_local_ms(w, p);
    if (n->refused) {
        n->refused = false;
        step(w, p, n, (struct role_event){.kind = ROLE_EV_LINK_LOST, .link = n->role.link});
    }
    arm(w, p, n);
}

static void follow(struct world *w, struct proc *p, struct kvnode *n, int proc)
{
    step(w, p, n, (struct role_event){.kind = ROLE_EV_FOLLOW, .to = proc == FOLLOWS_HOLE ? world_hole : *world_addr(w, proc)});
}

static void link_event(struct world *w, struct proc *p, struct kvnode *n, enum role_event_kind kind, int32_t link)
{
    step(w, p, n, (struct role_event){.kind = kind, .link = (uint64_t)link, .new_history = true});
}

/* --- start and stop -------------------------------------------------------------------- */

void kvnode_start(struct world *w, struct proc *p)
{
    struct kvnode *n = p->node;

    role_init(&n->role, &(struct role_settings){.replica_read_only = true, .serve_stale_data = true,
                                                .min_replicas_to_write = w->scene.min_replicas});
    n->runs = true;
    n->follows = n->conf_follows;
    n->hand = HAND_NONE;
    n->run = rng_u64(&w->rng);
    n->up = 0;
    n->data = n->disk;
    n->cron_ms = world_local_ms(w, p) + CRON_MS;
    n->heard_ms = n->pinged_ms = world_local_ms(w, p);
    if (n->data.history < 0) {
        n->data = (struct dataset){.history = -1, .older = -1};
        branch(w, &n->data);
    } else if (n->follows == -1) {
        branch(w, &n->data);
    }
    n->backlog_from = n->data.offset;
    if (n->follows != -1)
        follow(w, p, n, n->follows);
    arm(w, p, n);
}

void kvnode_stop(struct world *w, struct proc *p)
{
    struct kvnode *n = p->node;

    n->runs = false;
    vec_clear(&n->clients);
    n->up = 0;
    if (!w->scene.persistent)
        n->disk = (struct dataset){.history = -1, .older = -1};
}

/* --- streams ------------------------------------------------------------------------------ */

static void stream(struct world *w, struct proc *p, struct kvnode *n)
{
    for (size_t i = 0; i < n->clients.n; i++)
        if (n->clients.at[i].kind == CLIENT_REPLICA)
            net_send(w, p, n->clients.at[i].conn, &(struct msg){.kind = TALK_STREAM, .x = (uint64_t)n->data.offset});
    n->pinged_ms = world_local_ms(w, p);
}

/* To who listens here, now and then twice; and down the stream, which doubles nothing, unless it was
 * said to a replica: that stays there, else it would go round in a ring of replicas for ever. */
static void publish(struct world *w, struct proc *p, struct kvnode *n, const struct msg *m, bool down)
{
    for (size_t i = 0; i < n->clients.n; i++) {
        const struct client *c = &n->clients.at[i];
        struct msg copy = *m;
        if (c->kind != CLIENT_SUB && !(c->kind == CLIENT_REPLICA && down))
            continue;
        if (c->kind == CLIENT_SUB && w->net.dup_pm && rng_chance(&w->rng, w->net.dup_pm)) {
            struct msg again = *m;
            w->tally.duplicates++;
            net_send(w, p, c->conn, &again);
        }
        net_send(w, p, c->conn, &copy);
    }
}

static void cron(struct world *w, struct proc *p, struct kvnode *n)
{
    int64_t now = world_local_ms(w, p);
    int good = 0;

    n->cron_ms = now + CRON_MS;
    if (rng_chance(&w->rng, 300))
        n->disk = n->data;         /* a save point */
    for (size_t i = n->clients.n; i-- > 0;) {
        struct client *c = &n->clients.at[i];
        if (c->kind != CLIENT_REPLICA)
            continue;
        if (now - c->heard_ms > REPL_TIMEOUT_MS) {
            net_close(w, p, c->conn);
            vec_remove(&n->clients, i);
        } else {
            good++;
        }
    }
    step(w, p, n, (struct role_event){.kind = ROLE_EV_GOOD_REPLICAS, .n = good});
    if (now - n->pinged_ms >= REPL_PING_MS)
        stream(w, p, n);
    if (n->up_open)
        net_send(w, p, n->up, &(struct msg){.kind = TALK_ACK, .x = (uint64_t)n->data.offset});
    if (n->up && now - n->heard_ms > REPL_TIMEOUT_MS)
        link_event(w, p, n, ROLE_EV_LINK_LOST, (int32_t)n->role.link);
}

/* --- being asked ---------------------------------------------------------------------------- */

static struct client *client_of(struct kvnode *n, uint32_t conn)
{
    for (size_t i = 0; i < n->clients.n; i++)
        if (n->clients.at[i].conn == conn)
            return &n->clients.at[i];
    return NULL;
}

static void answer_info(struct world *w, struct proc *p, struct kvnode *n, uint32_t conn)
{
    struct talk_info *t = mem_zalloc(sizeof *t);

    t->primary = !role_is_replica(&n->role);
    t->follows = n->follows;
    t->link_up = role_link_up(&n->role);
    t->link_down_ms = t->primary || t->link_up ? 0 : world_local_ms(w, p) - n->role.link_down_at_ms;
    t->priority = n->priority;
    t->offset = n->data.offset;
    t->history = n->data.history;
    t->older = n->data.older;
    t->older_end = n->data.older_end;
    t->run = n->run;
    t->handing = n->hand != HAND_NONE;
    for (size_t i = 0; i < n->clients.n && t->n < SIM_MAX_NODES; i++)
        if (n->clients.at[i].kind == CLIENT_REPLICA) {
            t->replica[t->n].proc = n->clients.at[i].proc;
            t->replica[t->n++].offset = n->clients.at[i].acked;
        }
    net_send(w, p, conn, &(struct msg){.kind = TALK_INFO_IS, .body = t});
}

/* CONFIG REWRITE */
static void write_down(const struct world *w, struct kvnode *n)
{
    if (!w->scene.loose)
        n->conf_follows = n->follows;
}

static void take_order(struct world *w, struct proc *p, struct kvnode *n, uint32_t conn, const struct msg *m)
{
    int to = m->a;

    if (to == p->id) {
        world_violation(w, "%s is told to follow itself", p->name);
        return;
    }
    if (n->hand == HAND_NONE) {
        n->follows = to;
        if (to != -1)
            follow(w, p, n, to);
        else
            step(w, p, n, (struct role_event){.kind = ROLE_EV_LEAD});
    }
    if (m->b == TALK_REPOINT)
        write_down(w, n);
    for (size_t i = n->clients.n; m->b != TALK_SEALED && i-- > 0;) {   /* CLIENT KILL, all but the one who asks */
        struct client *c = &n->clients.at[i];
        if ((c->kind == CLIENT_CMD || c->kind == CLIENT_SUB) && c->conn != conn) {
            net_close(w, p, c->conn);
            vec_remove(&n->clients, i);
        }
    }
    net_send(w, p, conn, &(struct msg){.kind = TALK_ORDER_DONE, .a = n->hand == HAND_NONE, .b = m->b, .x = !w->scene.loose});
}

/* --- FAILOVER ------------------------------------------------------------------------------------ */

static struct client *replica_of(struct kvnode *n, int proc)
{
    for (size_t i = 0; i < n->clients.n; i++)
        if (n->clients.at[i].kind == CLIENT_REPLICA && n->clients.at[i].proc == proc)
            return &n->clients.at[i];
    return NULL;
}

static void hand_undo(struct world *w, struct proc *p, struct kvnode *n)
{
    bool went = n->hand == HAND_GOING;

    n->hand = HAND_NONE;
    n->hand_asked = false;
    if (went) {
        n->follows = -1;
        step(w, p, n, (struct role_event){.kind = ROLE_EV_LEAD});
    }
}

static void hand_look(struct world *w, struct proc *p, struct kvnode *n)
{
    struct client *c = n->hand == HAND_WAITING ? replica_of(n, n->hand_to) : NULL;

    if (!c || c->acked < n->data.offset)
        return;
    n->hand = HAND_GOING;
    n->follows = n->hand_to;
    follow(w, p, n, n->hand_to);
}

static void take_failover(struct world *w, struct proc *p, struct kvnode *n, uint32_t conn, const struct msg *m)
{
    bool ok = m->a < 0 ? n->hand != HAND_NONE
                       : n->hand == HAND_NONE && !role_is_replica(&n->role) && replica_of(n, m->a) != NULL;

    net_send(w, p, conn, &(struct msg){.kind = TALK_ORDER_DONE, .a = ok, .b = m->a < 0 ? TALK_CALL_BACK : TALK_HAND_OVER});
    if (!ok)
        return;
    if (m->a < 0) {
        hand_undo(w, p, n);
        return;
    }
    n->hand = HAND_WAITING;
    n->hand_to = m->a;
    n->hand_asked = false;
    n->hand_until_ms = world_local_ms(w, p) + (int64_t)m->x;
    net_send(w, p, replica_of(n, m->a)->conn, &(struct msg){.kind = TALK_GETACK});
    hand_look(w, p, n);
    arm(w, p, n);
}

/* PSYNC FAILOVER. false: not we. */
static bool take_office(struct world *w, struct proc *p, struct kvnode *n, const struct msg *m)
{
    if (!role_is_replica(&n->role) || n->role.state == ROLE_SYNCING || m->a != n->data.history)
        return false;
    n->follows = -1;
    step(w, p, n, (struct role_event){.kind = ROLE_EV_LEAD});
    return true;
}

static void give_sync(struct world *w, struct proc *p, struct kvnode *n, uint32_t conn, const struct msg *m)
{
    struct client *c;

    if (m->b && !take_office(w, p, n, m)) {
        net_send(w, p, conn, &(struct msg){.kind = TALK_NOT_NOW, .a = 1});
        return;
    }
    c = client_of(n, conn);        /* taking office sends others away */
    struct msg a = {.kind = TALK_CONTINUE, .a = (int16_t)n->data.history, .b = (int16_t)n->data.older,
                    .x = (uint64_t)n->data.offset, .y = (uint64_t)n->data.older_end};

    if (role_may_feed(&n->role, world_addr(w, c->proc))) {
        net_send(w, p, c->conn, &(struct msg){.kind = TALK_NOT_NOW});
        return;
    }
    if (!can_continue(n, m->a, (int64_t)m->x))
        a.kind = TALK_COPY;
    c->kind = CLIENT_REPLICA;
    c->heard_ms = world_local_ms(w, p);
    c->acked = (int64_t)m->x;
    net_send(w, p, c->conn, &a);
}

static void serve(struct world *w, struct proc *p, struct kvnode *n, struct client *c, const struct msg *m)
{
    uint32_t conn = c->conn;

    switch ((enum talk)m->kind) {
    case TALK_GREET:
        c->kind = CLIENT_CMD;
        net_send(w, p, conn, &(struct msg){.kind = TALK_GREETED});
        break;
    case TALK_SUBSCRIBE:
        c->kind = CLIENT_SUB;
        net_send(w, p, conn, &(struct msg){.kind = TALK_SUBSCRIBED});
        break;
    case TALK_PING: net_send(w, p, conn, &(struct msg){.kind = TALK_PONG}); break;
    case TALK_INFO: answer_info(w, p, n, conn); break;
    case TALK_HELLO: publish(w, p, n, m, n->role.state == ROLE_PRIMARY); break;
    case TALK_ORDER: take_order(w, p, n, conn, m); break;
    case TALK_FAILOVER: take_failover(w, p, n, conn, m); break;
    case TALK_KEEP:
        write_down(w, n);
        net_send(w, p, conn, &(struct msg){.kind = TALK_ORDER_DONE, .a = !w->scene.loose, .b = TALK_KEPT, .x = !w->scene.loose});
        break;
    case TALK_SYNC: give_sync(w, p, n, conn, m); break;
    case TALK_ACK:
        c->acked = (int64_t)m->x;
        c->heard_ms = world_local_ms(w, p);
        hand_look(w, p, n);
        break;
    default: CHECK(!"a node is never told this");
    }
}

/* --- following -------------------------------------------------------------------------------- */

static void adopt(struct kvnode *n, const struct msg *m, struct dataset *d)
{
    (void)n;
    d->history = m->a;
    d->older = m->b;
    d->offset = (int64_t)m->x;
    d->older_end = (int64_t)m->y;
}

static void from_primary(struct world *w, struct proc *p, struct kvnode *n, const struct inbox *in)
{
    const struct msg *m = &in->msg;

    n->heard_ms = world_local_ms(w, p);
    if (n->hand == HAND_GOING && (m->kind == TALK_CONTINUE || m->kind == TALK_COPY))
        n->hand = HAND_NONE;       /* it leads */
    switch ((enum talk)m->kind) {
    case TALK_CONTINUE: {
        bool renamed = m->a != n->data.history;
        adopt(n, m, &n->data);
        step(w, p, n, (struct role_event){.kind = ROLE_EV_SYNCED, .link = (uint64_t)in->user, .new_history = renamed});
        break;
    }
    case TALK_COPY:
        link_event(w, p, n, ROLE_EV_SYNC_STARTED, in->user);
        adopt(n, m, &n->copy);
        world_later(w, w->now_us + (w->quiet_network ? 50000 : rng_between(&w->rng, 5000, 1500000)), DUE_TIMER, p->id, 0,
                    (uint32_t)in->user);
        break;
    case TALK_NOT_NOW:
        link_event(w, p, n, ROLE_EV_LINK_LOST, in->user);
        if (n->hand == HAND_GOING)
            hand_undo(w, p, n);
        break;
    case TALK_GETACK: net_send(w, p, n->up, &(struct msg){.kind = TALK_ACK, .x = (uint64_t)n->data.offset}); break;
    case TALK_STREAM:
        if (n->role.state == ROLE_SYNCING) {
            n->copy.offset = (int64_t)m->x;
        } else if (n->role.state == ROLE_FOLLOWING && (int64_t)m->x != n->data.offset) {
            n->data.offset = (int64_t)m->x;
            stream(w, p, n);
        }
        break;
    case TALK_HELLO: publish(w, p, n, m, true); break;
    default: CHECK(!"a primary never says this");
    }
}

static void copy_loaded(struct world *w, struct proc *p, struct kvnode *n, uint32_t link)
{
    if (!n->runs || n->role.state != ROLE_SYNCING || link != (uint32_t)n->role.link)
        return;
    n->data = n->copy;
    n->backlog_from = n->data.offset;
    link_event(w, p, n, ROLE_EV_SYNCED, (int32_t)link);
}

void kvnode_take(struct world *w, struct proc *p, const struct inbox *in)
{
    struct kvnode *n = p->node;
    bool up = n->up && in->conn == n->up;

    switch (in->kind) {
    case IN_ACCEPTED: {
        struct proc *from = net_peer(w, p, in->conn);
        if (from) {
            struct client *c = vec_add(&n->clients);
            c->conn = in->conn;
            c->proc = from->id;
        }
        break;
    }
    case IN_UP:
        if (up) {
            n->up_open = true;
            n->hand_asked = n->hand == HAND_GOING;
            net_send(w, p, n->up, &(struct msg){.kind = TALK_SYNC, .a = (int16_t)n->data.history, .b = n->hand_asked,
                                                .x = (uint64_t)n->data.offset});
        }
        break;
    case IN_REFUSED:
    case IN_CLOSED:
        if (up) {
            n->up = 0;
            n->up_open = false;
            link_event(w, p, n, ROLE_EV_LINK_LOST, in->user);
        } else {
            struct client *c = client_of(n, in->conn);
            if (c)
                vec_remove(&n->clients, (size_t)(c - n->clients.at));
        }
        break;
    case IN_MSG:
        if (up) {
            from_primary(w, p, n, in);
        } else {
            struct client *c = client_of(n, in->conn);
            if (c)
                serve(w, p, n, c, &in->msg);
        }
        break;
    case IN_WAKE:
        if (world_local_ms(w, p) >= n->cron_ms)
            cron(w, p, n);
        if (n->hand != HAND_NONE && !n->hand_asked && world_local_ms(w, p) >= n->hand_until_ms)
            hand_undo(w, p, n);
        step(w, p, n, (struct role_event){.kind = ROLE_EV_TICK});
        break;
    case IN_TIMER: copy_loaded(w, p, n, in->gen); break;
    }
}

/* --- clients ------------------------------------------------------------------------------------- */

void kvnode_clients_write(struct world *w)
{
    for (int g = 0; g < w->scene.groups; g++) {
        int at = sentinel_view_primary(w, (int)rng_below(&w->rng, (uint64_t)w->scene.sentinels), g);
        struct proc *p = at >= 0 ? &w->procs[at] : NULL;
        if (!p || !p->alive || p->frozen || role_may_write(&p->node->role) != ROLE_OK || p->node->hand != HAND_NONE)
            continue;
        p->node->data.offset += 1 + (int64_t)rng_below(&w->rng, 3);
        w->histories.at[p->node->data.history].acked = p->node->data.offset;
        w->tally.writes++;
        stream(w, p, p->node);
    }
}
