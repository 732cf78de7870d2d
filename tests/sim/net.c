/* Connections, delays, cuts. */
#include "tests/sim/net.h"

#include "common/base/mem.h"
#include "tests/sim/world.h"

#include <string.h>

#define RESEND_MIN_US 200000
#define RESEND_MAX_US 3200000
#define MOST_ON_THEIR_WAY 1000000      /* of one connection one way: more is never said in a run that ends */

static uint32_t handle(int index, const struct conn *c)
{
    return (uint32_t)c->gen << 16 | (uint32_t)index;
}

void net_init(struct world *w)
{
    struct net *n = &w->net;

    for (int a = 0; a < w->nhosts; a++)
        for (int b = 0; b < w->nhosts; b++)
            n->delay_us[a][b] = w->quiet_network ? 500 : a == b ? 30 : (int32_t)rng_between(&w->rng, 100, 900);
    n->jitter_us = w->quiet_network ? 0 : 400;
    if (!w->quiet_network && rng_chance(&w->rng, 200)) {      /* one host far away */
        int far = (int)rng_below(&w->rng, (uint64_t)w->nhosts);
        for (int a = 0; a < w->nhosts; a++)
            if (a != far)
                n->delay_us[a][far] = n->delay_us[far][a] = (int32_t)rng_between(&w->rng, 5000, 60000);
    }
}

void net_fini(struct world *w)
{
    for (size_t i = 0; i < w->net.conns.n; i++) {
        struct conn *c = w->net.conns.at[i];
        for (int s = 0; s < 2; s++) {
            for (size_t m = c->dir[s].at; m < c->dir[s].q.n; m++)
                mem_free(c->dir[s].q.at[m].body);
            vec_fini(&c->dir[s].q);
        }
        mem_free(c);
    }
    vec_fini(&w->net.conns);
    vec_fini(&w->net.unused);
}

/* --- queues ------------------------------------------------------------------------ */

static int64_t flight_us(struct world *w, int from, int to)
{
    int64_t us = w->net.delay_us[from][to];

    if (w->net.jitter_us > 0)
        us += (int64_t)rng_below(&w->rng, (uint64_t)w->net.jitter_us);
    if (w->net.loss_pm > 0 && from != to)
        for (int64_t again = RESEND_MIN_US; rng_chance(&w->rng, w->net.loss_pm) && again <= RESEND_MAX_US; again *= 2) {
            us += again;
            w->net.lossy_us = w->now_us + us;
            w->tally.losses++;
        }
    return us;
}

static void schedule(struct world *w, int index, int side)
{
    struct conn *c = w->net.conns.at[index];
    struct conn_dir *d = &c->dir[side];

    if (d->due || d->at >= d->q.n)
        return;
    d->due = true;
    world_later(w, d->q.at[d->at].at_us, DUE_NET, index, side, c->gen);
}

static void put(struct world *w, int index, int side, struct msg *m)
{
    struct conn *c = w->net.conns.at[index];
    struct conn_dir *d = &c->dir[side];
    int from = w->procs[c->proc[side]].host, to = w->procs[c->proc[!side]].host;

    m->at_us = w->now_us + flight_us(w, from, to);
    if (m->at_us < d->last_us)
        m->at_us = d->last_us;
    d->last_us = m->at_us;
    m->tries = 0;
    vec_push(&d->q, *m);
    if (d->q.n - d->at > MOST_ON_THEIR_WAY)
        world_violation(w, "%d messages are on their way in one connection: something is said without end", MOST_ON_THEIR_WAY);
    schedule(w, index, side);
}

static void put_kind(struct world *w, int index, int side, int kind)
{
    struct msg m = {.kind = (uint8_t)kind};
    put(w, index, side, &m);
}

static void forget_queue(struct conn_dir *d)
{
    for (size_t i = d->at; i < d->q.n; i++)
        mem_free(d->q.at[i].body);
    vec_clear(&d->q);
    d->at = 0;
    d->due = false;
    d->last_us = 0;
}

static void release(struct world *w, int index)
{
    struct conn *c = w->net.conns.at[index];

    forget_queue(&c->dir[0]);
    forget_queue(&c->dir[1]);
    c->gen++;
    c->state = CONN_FREE;
    vec_push(&w->net.unused, (uint16_t)index);
}

/* --- what a process asks for ---------------------------------------------------------- */

uint32_t net_connect(struct world *w, struct proc *from, struct proc *to, int32_t user)
{
    struct conn *c;
    int index;

    if (w->net.unused.n > 0) {
        index = vec_pop(&w->net.unused);
        c = w->net.conns.at[index];
    } else {
        CHECK(w->net.conns.n < NET_MAX_CONNS);
        index = (int)w->net.conns.n;
        c = mem_zalloc(sizeof *c);
        c->gen = 1;
        vec_push(&w->net.conns, c);
    }
    c->state = CONN_OPENING;
    c->proc[0] = from->id;
    c->proc[1] = to->id;
    c->start[0] = from->starts;
    c->open[0] = true;
    c->open[1] = false;
    c->user[0] = user;
    c->user[1] = -1;
    put_kind(w, index, 0, MSG_SYN);
    return handle(index, c);
}

static struct conn *find(struct world *w, const struct proc *p, uint32_t h, int *side)
{
    uint32_t index = h & 0xffff;
    struct conn *c;

    if (index >= w->net.conns.n)
        return NULL;
    c = w->net.conns.at[index];
    if (c->gen != h >> 16 || c->state == CONN_FREE)
        return NULL;
    for (int s = 0; s < 2; s++)
        if (c->proc[s] == p->id && c->open[s] && c->start[s] == p->starts) {
            *side = s;
            return c;
        }
    return NULL;
}

struct conn *net_conn(struct world *w, const struct proc *p, uint32_t conn)
{
    int side;
    return find(w, p, conn, &side);
}

struct proc *net_peer(struct world *w, const struct proc *p, uint32_t conn)
{
    int side;
    struct conn *c = find(w, p, conn, &side);
    return c ? &w->procs[c->proc[!side]] : NULL;
}

int32_t net_user(struct world *w, const struct proc *p, uint32_t conn)
{
    int side;
    struct conn *c = find(w, p, conn, &side);
    return c ? c->user[side] : 0;
}

void net_set_user(struct world *w, const struct proc *p, uint32_t conn, int32_t user)
{
    int side;
    struct conn *c = find(w, p, conn, &side);
    if (c)
        c->user[side] = user;
}

void net_send(struct world *w, struct proc *from, uint32_t conn, struct msg *m)
{
    int side;
    struct conn *c = find(w, from, conn, &side);

    if (!c || c->state != CONN_UP) {
        mem_free(m->body);
        m->body = NULL;
        return;
    }
    put(w, (int)(conn & 0xffff), side, m);
    m->body = NULL;
}

static void let_go(struct world *w, int index, int side, int last_word)
{
    struct conn *c = w->net.conns.at[index];

    c->open[side] = false;
    if (c->state == CONN_OPENING || !c->open[!side]) {
        release(w, index);
        return;
    }
    put_kind(w, index, side, last_word);
}

void net_close(struct world *w, struct proc *by, uint32_t conn)
{
    int side;
    struct conn *c = find(w, by, conn, &side);

    if (c)
        let_go(w, (int)(conn & 0xffff), side, MSG_FIN);
}

void net_proc_died(struct world *w, struct proc *p, bool silently)
{
    for (size_t i = 0; i < w->net.conns.n; i++) {
        struct conn *c = w->net.conns.at[i];
        for (int s = 0; s < 2 && c->state != CONN_FREE; s++) {
            if (c->proc[s] != p->id || !c->open[s])
                continue;
            if (!silently) {
                let_go(w, (int)i, s, MSG_RST);
            } else {
                bool due = c->dir[s].due;
                c->open[s] = false;
                forget_queue(&c->dir[s]);     /* what the host had not sent is gone */
                c->dir[s].due = due;
                if (c->state == CONN_OPENING || !c->open[!s])
                    release(w, (int)i);
            }
        }
    }
}

/* --- arrival --------------------------------------------------------------------------- */

static void take_syn(struct world *w, int index)
{
    struct conn *c = w->net.conns.at[index];
    struct proc *to = &w->procs[c->proc[1]];

    if (!to->alive && w->now_us < to->dying_us) {
        c->state = CONN_UP;        /* nobody will ever take it from the queue */
        put_kind(w, index, 1, MSG_SYN_ACK);
        put_kind(w, index, 1, MSG_RST);
        return;
    }
    if (!to->alive || w->net.reject[w->procs[c->proc[0]].host][to->host] > 0) {
        put_kind(w, index, 1, MSG_RST);
        return;
    }
    c->open[1] = true;
    c->start[1] = to->starts;
    c->state = CONN_UP;
    put_kind(w, index, 1, MSG_SYN_ACK);
    world_deliver(w, to, &(struct inbox){.kind = IN_ACCEPTED, .conn = handle(index, c)});
}

/* The head of a direction has crossed the wire. Its receiver may be gone by now. */
static void take(struct world *w, int index, int side, struct msg *m)
{
    struct conn *c = w->net.conns.at[index];
    int at = !side;
    struct proc *to = &w->procs[c->proc[at]];
    struct inbox in = {.conn = handle(index, c), .user = c->user[at], .msg = *m};

    if (m->kind == MSG_SYN) {
        take_syn(w, index);
        return;
    }
    if (m->kind == MSG_FIN || m->kind == MSG_RST) {
        bool opening = c->state == CONN_OPENING;
        bool listens = c->open[at];
        c->open[at] = false;
        in.kind = opening ? IN_REFUSED : IN_CLOSED;
        release(w, index);
        if (listens)
            world_deliver(w, to, &in);
        return;
    }
    if (!c->open[at]) {            /* said to somebody who is gone: a reset comes back */
        mem_free(m->body);
        if (c->open[side])
            put_kind(w, index, at, MSG_RST);
        else
            release(w, index);
        return;
    }
    in.kind = m->kind == MSG_SYN_ACK ? IN_UP : IN_MSG;
    world_deliver(w, to, &in);
}

void net_arrive(struct world *w, int index, int side, uint32_t gen)
{
    struct conn *c = w->net.conns.at[index];
    struct conn_dir *d = &c->dir[side];
    struct msg m;
    int from, to;

    if (c->gen != (uint16_t)gen || c->state == CONN_FREE)
        return;
    d->due = false;
    if (d->at >= d->q.n)
        return;            /* its host lost power, and this with it */
    if (d->q.at[d->at].at_us > w->now_us) {
        schedule(w, index, side);
        return;
    }
    from = w->procs[c->proc[side]].host;
    to = w->procs[c->proc[!side]].host;
    if (w->net.cut[from][to] > 0 || !w->hosts[to].up || !w->hosts[from].up) {
        struct msg *head = &d->q.at[d->at];
        int64_t pause = (int64_t)RESEND_MIN_US << (head->tries < 4 ? head->tries : 4);
        head->tries++;
        head->at_us = d->last_us = w->now_us + pause;
        schedule(w, index, side);
        return;
    }
    m = d->q.at[d->at++];
    if (d->at == d->q.n) {
        vec_clear(&d->q);
        d->at = 0;
    } else if (d->q.at[d->at].at_us < w->now_us) {
        d->q.at[d->at].at_us = w->now_us;
    }
    schedule(w, index, side);
    take(w, index, side, &m);
}

void net_cut(struct world *w, int from_host, int to_host, bool cut)
{
    uint8_t *n = &w->net.cut[from_host][to_host];

    if (from_host == to_host)
        return;
    w->net.cut_at_us[from_host][to_host] = w->now_us;
    if (cut)
        ++*n;
    else if (*n > 0)
        --*n;
}

void net_reject(struct world *w, int from_host, int to_host, bool reject)
{
    uint8_t *n = &w->net.reject[from_host][to_host];

    if (!reject) {
        if (*n > 0)
            --*n;
        return;
    }
    ++*n;
    for (size_t i = 0; i < w->net.conns.n; i++) {
        struct conn *c = w->net.conns.at[i];
        struct proc *to = &w->procs[c->proc[1]];
        if (c->state != CONN_UP || w->procs[c->proc[0]].host != from_host || to->host != to_host || !c->open[1])
            continue;
        world_deliver(w, to, &(struct inbox){.kind = IN_CLOSED, .conn = handle((int)i, c), .user = c->user[1]});
        let_go(w, (int)i, 1, MSG_RST);
    }
}

void net_heal(struct world *w)
{
    memset(w->net.reject, 0, sizeof w->net.reject);
    for (int a = 0; a < w->nhosts; a++)
        for (int b = 0; b < w->nhosts; b++)
            if (w->net.cut[a][b])
                w->net.cut_at_us[a][b] = w->now_us;
    memset(w->net.cut, 0, sizeof w->net.cut);
    w->net.loss_pm = 0;
    w->net.dup_pm = 0;
}
