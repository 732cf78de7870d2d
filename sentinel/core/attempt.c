/* Acts of the failover table: waiting for one's turn, asking for votes, and every way to give an
 * attempt up. What is given up leaves nothing behind: what was done to nodes is undone by repair. */
#include "sentinel/core/failover_acts.h"

#define RETRY_MAX_MS 10000

void attempt_end(struct group *g)
{
    g->fo.forced = false;
    g->fo.way = WAY_TAKE;
    g->fo.leads = false;
    g->fo.promoted = g->fo.replaced = 0;
    for (size_t i = 0; i < g->nodes.n; i++)
        g->nodes.at[i]->reconf = RECONF_NONE;
}

void attempt_wait_turn(struct core *c, struct group *g)
{
    (void)c;
    attempt_end(g);
}

void attempt_wait_more(struct core *c, struct group *g)
{
    g->fo.not_before_ms = c->now_ms + ATTEMPT_AGAIN_MS;
}

static void start(struct core *c, struct group *g)
{
    struct node *primary = group_primary(c, g);

    g->fo.started_at_ms = c->now_ms;
    g->fo.leads = false;
    g->fo.promoted = 0;
    g->fo.replaced = primary->id;
    g->fo.by_evidence = !g->fo.forced && primary->crashed &&
                        health_silent_ms(c, &primary->w) <= g->opt[GOPT_DOWN_AFTER_MS];
    election_bid(c, g);
}

void attempt_bid(struct core *c, struct group *g)
{
    g->fo.forced = false;
    g->fo.way = WAY_TAKE;
    start(c, g);
}

void attempt_bid_by_order(struct core *c, struct group *g)
{
    g->fo.forced = true;
    start(c, g);
}

static void back_off(struct core *c, struct group *g, int64_t base_ms)
{
    int doublings = g->fo.tries < 10 ? g->fo.tries : 10;

    g->fo.not_before_ms = c->now_ms + ms_min(base_ms << doublings, RETRY_MAX_MS);
    g->fo.tries++;
}

/* Another one has or will have its time: as long as an election may take at most. */
void attempt_stand_back(struct core *c, struct group *g)
{
    int64_t hold_ms = ms_min(g->opt[GOPT_FAILOVER_TIMEOUT_MS], c->timing.election_ms);

    if (g->fo.state == FO_BIDDING || g->fo.state == FO_ASKING)
        say_news(c, NEWS_NOT_ELECTED, g, NULL);
    g->fo.not_before_ms = c->now_ms + hold_ms + rng_between(&c->rng, 0, c->timing.rebid_max_ms);
    attempt_end(g);
}

void attempt_hurry(struct core *c, struct group *g)
{
    int64_t soon = c->now_ms + rng_between(&c->rng, c->timing.rebid_min_ms, c->timing.rebid_max_ms);

    g->fo.not_before_ms = ms_min(g->fo.not_before_ms, soon);
}

void attempt_withdraw_bid(struct core *c, struct group *g)
{
    if (election_another_won(c, g)) {
        attempt_stand_back(c, g);
        return;
    }
    say_news(c, NEWS_NOT_ELECTED, g, NULL);
    g->fo.tries++;
    g->fo.not_before_ms = c->now_ms + election_rebid_ms(c, g);
    attempt_end(g);
}

void attempt_withdraw(struct core *c, struct group *g)
{
    (void)c;
    g->fo.tries = 0;
    g->fo.not_before_ms = 0;
    attempt_end(g);
}

void attempt_give_up_bid(struct core *c, struct group *g)
{
    say_news(c, NEWS_WITHDRAWN, g, "the primary is back");
    attempt_withdraw(c, g);
}

void attempt_drop_unsaved(struct core *c, struct group *g)
{
    attempt_end(g);
    back_off(c, g, ATTEMPT_AGAIN_MS);
}

void attempt_fail(struct core *c, struct group *g, int64_t base_ms)
{
    c->counts.failovers_failed++;
    attempt_end(g);
    back_off(c, g, base_ms);
}
