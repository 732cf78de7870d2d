/* Acts of the failover table when the promotion is a fact: everybody is told,
 * then the others are pointed to the new primary, parallel-syncs at a time. */
#include "sentinel/core/failover_acts.h"

/* To be repointed by us: not the primary, and it can be reached. Who hangs is repair's. */
static bool is_follower(const struct group *g, const struct node *n)
{
    return n->id != g->primary && n->w.up && !n->sdown;
}

static void repoint(struct core *c, struct group *g, struct node *n)
{
    say_repoint(c, n, &group_primary(c, g)->addr);
    health_info_now(c, n);
    n->reconf = RECONF_SENT;
    n->reconf_at_ms = c->now_ms;
}

/* The promotion is a fact. In this order: our own disk, the other sentinels (who tell their
 * clients), our clients, the operator; then the replicas, of which a primary of yesterday
 * that is still alive comes first, since it may be taking writes. */
void repoint_switch_over(struct core *c, struct group *g)
{
    struct node *old = group_primary(c, g);
    struct node *n = model_node(c, g->fo.promoted);
    struct addr from = old->addr;

    n->owed = true;
    say_keep(c, n);                /* no order that made it what it is has written that down; we may die of our own save */
    g->config_epoch = g->fo.epoch;
    say_news_node(c, NEWS_PROMOTED, n, NULL);
    say_news(c, NEWS_RECONF_SLAVES, g, NULL);
    observe_switch(c, g, n);
    say_save(c);
    health_hello_all(c, g);
    say_news_bare(c, NEWS_SWITCH_MASTER, g, "%s %s %u %s %u", g->name, from.host, (unsigned)from.port, n->addr.host,
                  (unsigned)n->addr.port);
    say_client_reconfig(c, g, true, &from, &n->addr);
    say_directory(c, g);
    for (size_t i = 0; i < g->nodes.n; i++)
        if (g->nodes.at[i] != n)
            say_news_node(c, NEWS_SLAVE, g->nodes.at[i], NULL);
    if (old->w.up && !old->crashed)
        repoint(c, g, old);
    g->fo.tries = 0;
    g->fo.not_before_ms = 0;
    c->counts.failovers++;
    wake(g, c->now_ms);            /* in the new roles there may be more to do at once */
}

/* `leads` stays: who led the last failover is the one to look after its stragglers. */
static void finish(struct core *c, struct group *g)
{
    (void)c;
    g->fo.forced = false;
    g->fo.way = WAY_TAKE;
    for (size_t i = 0; i < g->nodes.n; i++)
        g->nodes.at[i]->reconf = RECONF_NONE;
}

void repoint_settle(struct core *c, struct group *g)
{
    say_news(c, NEWS_END, g, NULL);
    finish(c, g);
}

void repoint_settle_late(struct core *c, struct group *g)
{
    say_news(c, NEWS_END_TIMEOUT, g, NULL);
    for (size_t i = 0; i < g->nodes.n; i++) {
        struct node *n = g->nodes.at[i];

        if (!is_follower(g, n) || n->reconf != RECONF_NONE)
            continue;
        say_repoint(c, n, &group_primary(c, g)->addr);
        say_news_node(c, NEWS_RECONF_BEST_EFFORT, n, NULL);
    }
    say_news(c, NEWS_END, g, NULL);
    finish(c, g);
}

void repoint_begin_again(struct core *c, struct group *g)
{
    say_news(c, NEWS_END, g, NULL);
    finish(c, g);
    attempt_end(g);
}

/* One replica's way: none -> sent -> in progress (it follows) -> done (and is in sync). */
static void watch_one(struct core *c, struct group *g, struct node *n)
{
    bool follows = n->said_role == ROLE_REPLICA && addr_equal(&n->follows, &group_primary(c, g)->addr) &&
                   n->info_until_fresh == 0;
    enum reconf was = n->reconf;

    if (n->reconf == RECONF_DONE)
        return;
    if (n->reconf == RECONF_SENT && follows) {
        n->reconf = RECONF_IN_PROGRESS;
        say_news_node(c, NEWS_RECONF_IN_PROGRESS, n, NULL);
    }
    if (n->reconf == RECONF_IN_PROGRESS && follows && n->follows_up) {
        n->reconf = RECONF_DONE;
        say_news_node(c, NEWS_RECONF_DONE, n, NULL);
    }
    if (was == RECONF_NONE && follows && n->follows_up)
        n->reconf = RECONF_DONE;           /* somebody else was faster */
    if (n->reconf == RECONF_SENT && c->now_ms - n->reconf_at_ms >= c->timing.reconf_timeout_ms) {
        say_news_node(c, NEWS_RECONF_TIMEOUT, n, NULL);
        n->reconf = RECONF_DONE;           /* it had its chance; repair.c takes it from here */
    } else if (n->reconf == RECONF_SENT) {
        wake(g, n->reconf_at_ms + c->timing.reconf_timeout_ms);
    }
}

/* True when nobody who can be reached is left. */
bool repoint_some(struct core *c, struct group *g)
{
    int64_t busy = 0;
    bool left = false;

    for (size_t i = 0; i < g->nodes.n; i++) {
        struct node *n = g->nodes.at[i];

        if (!is_follower(g, n))
            continue;
        watch_one(c, g, n);
        busy += n->reconf == RECONF_SENT || n->reconf == RECONF_IN_PROGRESS;
        left |= n->reconf != RECONF_DONE;
    }
    for (size_t i = 0; i < g->nodes.n && busy < g->opt[GOPT_PARALLEL_SYNCS]; i++) {
        struct node *n = g->nodes.at[i];

        if (!is_follower(g, n) || n->reconf != RECONF_NONE)
            continue;
        repoint(c, g, n);
        say_news_node(c, NEWS_RECONF_SENT, n, NULL);
        busy++;
    }
    return !left;
}
