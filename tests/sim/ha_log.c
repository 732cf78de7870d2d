/* The pretend log and its replication: entries (epoch, value), one offset each; an
 * epoch's marker is an entry of its own. A follower asks from where it stands; the source
 * answers with the common point by the table (epoch, first offset), or with everything. */
#include "tests/sim/ha_sim.h"

struct ha_position hs_end_of(const hs_log *l)
{
    struct ha_position p = {.offset = (int64_t)l->n};

    if (l->n > 0)
        p.epoch = l->at[l->n - 1].epoch;
    return p;
}

/* Where an epoch ends in a log, given that it is in it at all: -1 if not. */
static int64_t epoch_end(const hs_log *l, uint64_t epoch)
{
    for (size_t i = l->n; i-- > 0;)
        if (l->at[i].epoch == epoch)
            return (int64_t)i + 1;
    return -1;
}

/* What stood there before any epoch has no table: a replication id says whose it is. Here: as far as it is the same. */
static int64_t common_before_epochs(const hs_log *src, const hs_log *asker)
{
    int64_t i = 0;

    while (i < (int64_t)src->n && i < (int64_t)asker->n && src->at[i].epoch == 0 && asker->at[i].epoch == 0 &&
           src->at[i].value == asker->at[i].value)
        i++;
    return i;
}

/* The last position of `asker` that is in the history of `src`. */
static int64_t common_point(const hs_log *src, const hs_log *asker)
{
    for (int64_t i = (int64_t)asker->n; i > 0;) {
        uint64_t e = asker->at[i - 1].epoch;
        int64_t end = epoch_end(src, e);
        if (e == 0)
            return common_before_epochs(src, asker);
        if (end >= 0)
            return i < end ? i : end;
        while (i > 0 && asker->at[i - 1].epoch == e)
            i--;
    }
    return 0;
}

void hs_log_leave(struct hs_world *w, struct hs_proc *p, bool followers_too)
{
    for (size_t i = 0; i < w->links.n; i++) {
        struct hs_link *l = w->links.at[i];
        if (l->open && ((l->dst == p->id) || (followers_too && l->src == p->id && !l->fetch)))
            hs_close(w, l);
    }
}

static void ask(struct hs_world *w, struct hs_proc *p, struct hs_link *l, int64_t fetch_to)
{
    struct hs_packet *pkt = hs_packet(PK_REQ, p->id, l->src, NULL);

    pkt->at = fetch_to;
    pkt->msg.ballot = fetch_to >= 0 ? p->n.fetch_ballot : 0;
    hs_log_copy(&pkt->log, &p->n.log, 0, (int64_t)p->n.log.n);
    hs_repl(w, l, 1, pkt);
}

static bool reaches(struct hs_world *w, int a, int b)
{
    return w->proc[b].alive && w->cut[a][b] == 0 && w->cut[b][a] == 0;
}

void hs_log_turn(struct hs_world *w, struct hs_proc *p)
{
    struct hs_node *n = &p->n;
    struct hs_link *l;

    if (p->paused || p->saving || n->next < n->out.n)
        return;
    if (n->fetching) {
        bool asked = false;
        for (size_t i = 0; i < w->links.n; i++)
            asked |= w->links.at[i]->open && w->links.at[i]->fetch && w->links.at[i]->dst == p->id;
        if (w->now_us > n->fetch_until_us || n->fetch_from < 0) {
            n->fetching = false;
            hs_log_leave(w, p, false);
            hs_give(w, p, (struct hs_item){.kind = IN_FETCHED, .yes = false});
        } else if (!asked && reaches(w, p->id, n->fetch_from)) {
            l = hs_connect(w, n->fetch_from, p->id, true);
            ask(w, p, l, n->fetch_pos.offset);
        }
        return;
    }
    if (n->follows >= 0 && n->follows != p->id && n->up == 0 && reaches(w, p->id, n->follows)) {
        l = hs_connect(w, n->follows, p->id, false);
        n->up = l->id;
        n->streaming = false;
        hs_give(w, &w->proc[n->follows], (struct hs_item){.kind = IN_REPLICA_UP, .proc = p->id, .x = l->id});
        l->may_stream = !w->proc[n->follows].n.m.f.used;       /* plain nodes need no leave */
        l->taking = n->plain_order && (!n->m.f.used || PLANT(BOUND_TAKES_PLAIN));
        ask(w, p, l, -1);
    }
}

static void send_to(struct hs_world *w, struct hs_proc *p, struct hs_link *l)
{
    struct hs_packet *pkt;
    int64_t end = l->fetch && l->fetch_to < (int64_t)p->n.log.n ? l->fetch_to : (int64_t)p->n.log.n;

    if (!l->open || !l->asked || (!l->may_stream && !l->fetch) || (!l->fetch && !member_feeds(&p->n.m, 0)))
        return;
    if (!l->answered) {
        int64_t common = common_point(&p->n.log, &l->asker);
        if (l->fetch && common > end)
            common = end;                  /* what it has beyond that is not of the log that it is to have */
        bool other_way = w->sc.no_rollback && common < (int64_t)l->asker.n;
        bool full = !l->fetch && ((common == 0 && p->n.log.n > 0) || (int64_t)p->n.log.n - common > w->sc.backlog || other_way);
        l->answered = true;
        pkt = hs_packet(full ? PK_FULL : PK_PART, p->id, l->dst, NULL);
        pkt->at = common;
        l->sent = common;
        if (full) {
            hs_log_copy(&pkt->log, &p->n.log, 0, end);
            l->sent = end;
        }
        hs_repl(w, l, 0, pkt);
        if (full)
            return;
    }
    if (l->sent < end || l->fetch) {
        pkt = hs_packet(PK_DATA, p->id, l->dst, NULL);
        pkt->at = l->sent;
        hs_log_copy(&pkt->log, &p->n.log, l->sent, end);
        l->sent = end;
        hs_repl(w, l, 0, pkt);
        if (l->fetch)
            l->asked = false;
    }
}

void hs_log_flush(struct hs_world *w, struct hs_proc *p)
{
    struct hs_node *n = &p->n;

    for (size_t i = 0; i < w->links.n; i++)
        if (w->links.at[i]->open && w->links.at[i]->src == p->id)
            send_to(w, p, w->links.at[i]);
    if (n->told != (int64_t)n->log.n) {
        n->told = (int64_t)n->log.n;
        hs_give(w, p, (struct hs_item){.kind = IN_LOG});
    }
    if (n->syncing < 0 && n->synced < (int64_t)n->log.n && !n->memory_only) {
        n->syncing = (int64_t)n->log.n;
        hs_due(w, rng_between(&w->rng, 200, 3000), (struct hs_item){.kind = HD_SYNCED, .proc = p->id, .gen = p->gen});
    }
}

void hs_log_synced(struct hs_world *w, struct hs_proc *p)
{
    struct hs_node *n = &p->n;

    if (n->syncing > (int64_t)n->log.n)
        n->syncing = (int64_t)n->log.n;
    if (n->syncing > n->synced)
        n->synced = n->syncing;
    n->syncing = -1;
    hs_give(w, p, (struct hs_item){.kind = IN_LOG});
}

static void roll_back(struct hs_world *w, struct hs_proc *p, int64_t to)
{
    struct hs_node *n = &p->n;

    if (to >= (int64_t)n->log.n)
        return;
    w->t.rolled_back++;
    hs_trace(w, "%s rolls back from %lld to %lld", p->name, (long long)n->log.n, (long long)to);
    n->log.n = (size_t)to;
    if (n->synced > to)
        n->synced = to;
    if (n->syncing > to)
        n->syncing = to;
}

void hs_log_replace(struct hs_world *w, struct hs_proc *p, struct hs_packet *full)
{
    struct hs_node *n = &p->n;

    w->t.full_copies++;
    hs_trace(w, "%s takes a full copy of %zu", p->name, full->log.n);
    hs_log_copy(&n->log, &full->log, 0, (int64_t)full->log.n);
    n->synced = 0;
    n->syncing = -1;
    n->told = -1;
    n->streaming = true;
    hs_give(w, p, (struct hs_item){.kind = IN_LOG});
    hs_give(w, p, (struct hs_item){.kind = IN_FOLLOWS, .yes = true, .proc = full->from, .x = n->up});
}

/* May these bytes be taken at all? */
static bool let_in(const struct hs_proc *p, const struct hs_link *l)
{
    return l->fetch ? p->n.fetching
                    : p->n.up == l->id && l->taking && (member_may_take(&p->n.m, l->id) || PLANT(BOUND_TAKES_PLAIN));
}

void hs_log_take(struct hs_world *w, struct hs_proc *p, struct hs_link *l, struct hs_packet *pkt)
{
    struct hs_node *n = &p->n;
    struct member_event ev;

    if (pkt->what == PK_REQ) {
        l->asked = true;
        l->fetch_to = pkt->at;
        if (l->fetch && !member_feeds(&p->n.m, pkt->msg.ballot)) {
            hs_close(w, l);
            return;
        }
        hs_log_copy(&l->asker, &pkt->log, 0, (int64_t)pkt->log.n);
        return;
    }
    if (!let_in(p, l)) {
        hs_close(w, l);
        return;
    }
    switch (pkt->what) {
    case PK_PART:
        if (l->fetch && n->log.n > 0 && (pkt->at == 0 || (w->sc.no_rollback && pkt->at < (int64_t)n->log.n))) {
            n->fetching = false;
            hs_close(w, l);
            hs_give(w, p, (struct hs_item){.kind = IN_FETCHED, .yes = false});
            return;
        }
        roll_back(w, p, pkt->at);
        if (!l->fetch && !n->streaming) {
            n->streaming = true;
            hs_give(w, p, (struct hs_item){.kind = IN_LOG});
            hs_give(w, p, (struct hs_item){.kind = IN_FOLLOWS, .yes = true, .proc = pkt->from, .x = l->id});
        }
        break;
    case PK_FULL:
        ev = (struct member_event){.kind = ME_FULL_COPY, .link = l->id, .fresh_life = hs_id(w)};
        hs_node_step(w, p, &ev);
        if (n->out.refused) {
            hs_close(w, l);
            return;
        }
        n->full = hs_packet(PK_FULL, pkt->from, p->id, NULL);
        hs_log_copy(&n->full->log, &pkt->log, 0, (int64_t)pkt->log.n);
        return;
    case PK_DATA:
        if (pkt->at != (int64_t)n->log.n) {
            hs_close(w, l);
            return;
        }
        for (size_t i = 0; i < pkt->log.n; i++)
            vec_push(&n->log, pkt->log.at[i]);
        if (l->fetch) {
            n->fetching = false;
            hs_close(w, l);
            hs_give(w, p, (struct hs_item){.kind = IN_LOG});
            hs_give(w, p, (struct hs_item){.kind = IN_FETCHED, .yes = true});
        }
        break;
    default:
        break;
    }
}
