/* Strays: a node that is back from the dead as a primary, a replica that follows somebody
 * else. They are put right, but not in haste: what looks like a stray to us may be the
 * choice of a newer failover whose hello has not reached us yet.
 *
 * Who corrects, and when (g = repair_grace_ms, one hello period):
 *
 *   says primary    everybody after 2 g; the sentinel that led the last failover after
 *                   g, or at once if a majority of links stood since before that
 *                   failover and answered since the stray was seen, for then no
 *                   newer one can have been voted
 *   follows wrong   the one that led after g; when that one is gone, the first of those at
 *                   hand after 5 g; the others after failover-timeout
 *   follows nobody  it was sealed for a failover that did not end (seal.c). Who sealed it at once; the
 *                   first of those at hand after g; everybody after 2 g
 *
 * In a formed group the voters tell every node that is bound to it whom to follow. What is left
 * for us are the others: stock replicas, and a node whose disk was lost, which knows of no
 * group. Where the primary is stands in the record, so g is grace enough. One that is nobody's
 * replica and has data of its own is left to an operator: a full copy would wipe it. */
#include "sentinel/core/inside.h"

#define CERTAIN_GRACE_MS 10           /* a hello that is on its way arrives meanwhile */
#define STRAY_GRACES 2
#define HEIR_GRACES 5

/* We led the last failover and it is still the configuration. */
static bool we_led(const struct group *g)
{
    return g->fo.leads && g->fo.epoch == g->config_epoch && g->config_epoch != 0;
}

static int64_t seen_since(const struct node *n)
{
    return ms_max(n->said_role_at_ms, n->up_again_at_ms);
}

/* A link that merely stands may be cut off: it must have carried an answer meanwhile. In the
 * millisecond in which the stray was seen nobody can tell which came first: so we ask, and
 * count, in a later one. */
static bool majority_stood_by(struct core *c, struct group *g, const struct node *stray)
{
    int64_t seen = seen_since(stray);
    int n = 1;

    if (c->now_ms <= seen)
        wake(g, seen + 1);

    for (size_t i = 0; i < g->seats.n; i++) {
        struct peer *p = model_peer(c, g->seats.at[i].peer);

        if (g->seats.at[i].sdown || p->w.up_since_ms > g->fo.started_at_ms)
            continue;
        if (p->w.good_at_ms > seen)
            n++;
        else if (p->w.ping_sent_at_ms <= seen && c->now_ms > seen)
            health_ping_peer(c, p);        /* its answer lets us look again */
    }
    return n > ((int)g->seats.n + 1) / 2;
}

static bool leader_at_hand(const struct core *c, const struct group *g)
{
    const struct peer *p = model_peer_named(c, g->leader);

    return g->leader_epoch == g->config_epoch && p != NULL && p->w.up;
}

static int64_t stray_grace(struct core *c, struct group *g, const struct node *n)
{
    if (g->formed)
        return c->timing.repair_grace_ms;
    if (!we_led(g))
        return STRAY_GRACES * c->timing.repair_grace_ms;
    if (n->id == g->fo.replaced && majority_stood_by(c, g, n))
        return CERTAIN_GRACE_MS;
    return c->timing.repair_grace_ms;
}

static int64_t wrong_primary_grace(const struct core *c, const struct group *g)
{
    if (g->formed)
        return c->timing.repair_grace_ms;
    if (we_led(g))
        return c->timing.repair_grace_ms;
    if (!leader_at_hand(c, g) && election_rank(c, g) == 0)
        return ms_min(HEIR_GRACES * c->timing.repair_grace_ms, g->opt[GOPT_FAILOVER_TIMEOUT_MS]);
    return g->opt[GOPT_FAILOVER_TIMEOUT_MS];
}

static int64_t seal_grace(const struct core *c, const struct group *g, const struct node *n)
{
    if (n->seal == SEAL_DONE)
        return 0;
    return election_rank(c, g) == 0 ? c->timing.repair_grace_ms : STRAY_GRACES * c->timing.repair_grace_ms;
}

/* Only towards a primary that is well and says that it is one. */
static bool primary_is_sane(const struct core *c, const struct group *g)
{
    const struct node *p = group_primary(c, g);

    return p->w.up && !p->sdown && !g->odown && p->said_role == ROLE_PRIMARY && p->info_at_ms != 0 &&
           c->now_ms - p->info_at_ms < 2 * c->timing.info_ms;
}

static void repair(struct core *c, struct group *g, struct node *n, enum news why, int64_t since_ms, int64_t grace_ms)
{
    int64_t at = ms_max(since_ms, n->up_again_at_ms) + grace_ms;

    if (n->repaired_at_ms != 0)
        at = ms_max(at, n->repaired_at_ms + c->timing.repair_grace_ms);
    if (c->now_ms < at) {
        wake(g, at);
        return;
    }
    n->repaired_at_ms = c->now_ms;
    if (n->hands == HANDS_OVER)
        say_call_back(c, n);           /* a hand-over that nobody finished: it takes no other order meanwhile */
    say_repoint(c, n, &group_primary(c, g)->addr);
    health_info_now(c, n);
    say_news_node(c, why, n, NULL);
    wake(g, c->now_ms + c->timing.repair_grace_ms);
}

void repair_group(struct core *c, struct group *g)
{
    if (failover_running(g) || !primary_is_sane(c, g))
        return;
    for (size_t i = 0; i < g->nodes.n; i++) {
        struct node *n = g->nodes.at[i];

        if (g->formed && (n->bound || (n->said_role == ROLE_PRIMARY && n->has_data)))
            continue;
        if (n->id == g->primary || !n->w.up || n->sdown || n->info_at_ms < n->w.up_since_ms || n->info_open > 1)
            continue;
        if (n->said_role == ROLE_PRIMARY && n->loading)
            continue;              /* it takes no order meanwhile */
        if (n->said_role == ROLE_PRIMARY)
            repair(c, g, n, NEWS_CONVERT, n->said_role_at_ms, stray_grace(c, g, n));
        else if (seal_stands(n))
            repair(c, g, n, NEWS_FIX_CONFIG, n->follows_at_ms, seal_grace(c, g, n));
        else if (n->said_role == ROLE_REPLICA && !addr_equal(&n->follows, &group_primary(c, g)->addr))
            repair(c, g, n, NEWS_FIX_CONFIG, n->follows_at_ms, wrong_primary_grace(c, g));
    }
}
