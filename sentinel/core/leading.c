/* Acts of the failover table while this sentinel leads: asking the replicas where they are, taking
 * the best, promoting it, or letting the primary hand over to it. */
#include "sentinel/core/failover_acts.h"

#define VETO_WAIT_MS 500

void leading_ask_again(struct core *c, struct group *g)
{
    g->fo.promoted = 0;
    g->fo.asked_at_ms = c->now_ms;
    for (size_t i = 0; i < g->nodes.n; i++) {
        struct node *n = g->nodes.at[i];

        n->info_until_fresh = 0;
        n->fresh = false;
        if (n->w.up && (n->id != g->primary || (g->fo.forced && g->fo.way == WAY_TAKE)))   /* one that lives tells where it is */
            health_info_now(c, n);
    }
}

void leading_lead(struct core *c, struct group *g)
{
    g->fo.leads = true;
    c->counts.elections_won++;
    for (size_t i = 0; i < g->nodes.n; i++) {
        g->nodes.at[i]->refused = REFUSED_NOT_ASKED;
        g->nodes.at[i]->seal = SEAL_NONE;
    }
    leading_ask_again(c, g);
    say_news(c, NEWS_ELECTED, g, NULL);
    say_news(c, NEWS_SELECTING, g, NULL);
}

void leading_promote(struct core *c, struct group *g)
{
    struct node *n = model_node(c, g->fo.promoted);

    n->reconf_at_ms = c->now_ms;
    say_promote(c, n);
    health_info_now(c, n);
    say_news_node(c, NEWS_SELECTED, n, NULL);
    say_news_node(c, NEWS_SENDING_NO_ONE, n, NULL);
    say_news_node(c, NEWS_WAIT_PROMOTION, n, NULL);
}

void leading_no_good(struct core *c, struct group *g)
{
    struct node *p = choose_forgetful(c, g);

    if (p != NULL) {               /* no switch: clients were told its address long ago */
        say_promote(c, p);
        p->owed = true;
        say_keep(c, p);
        health_info_now(c, p);
        say_news_node(c, NEWS_SENDING_NO_ONE, p, NULL);
        attempt_fail(c, g, ATTEMPT_AGAIN_MS);
        return;
    }
    say_news(c, NEWS_NO_GOOD_SLAVE, g, NULL);
    for (size_t i = 0; i < g->nodes.n; i++)
        if (g->nodes.at[i]->id != g->primary)
            say_trace(c, g, "%s:%u is not promoted: %s", g->nodes.at[i]->addr.host, (unsigned)g->nodes.at[i]->addr.port,
                      refusal_name(g->nodes.at[i]->refused));
    attempt_fail(c, g, ATTEMPT_AGAIN_MS);
}

/* Its last word since we asked; a further question on its way does not silence it. */
bool leading_objects(const struct core *c, const struct group *g, const struct node *n)
{
    return n->id != g->primary && n->w.up && n->said_role == ROLE_REPLICA && n->follows_up &&
           addr_equal(&n->follows, &group_primary(c, g)->addr) && n->fresh;
}

const struct node *leading_who_objects(const struct core *c, const struct group *g)
{
    if (!g->fo.by_evidence)
        return NULL;
    for (size_t i = 0; i < g->nodes.n; i++)
        if (leading_objects(c, g, g->nodes.at[i]))
            return g->nodes.at[i];
    return NULL;
}

void leading_vetoed(struct core *c, struct group *g)
{
    const struct node *n = leading_who_objects(c, g);

    c->counts.vetoes++;
    if (n != NULL)
        say_news(c, NEWS_WITHDRAWN, g, "%s:%u is still linked to the primary", n->addr.host, (unsigned)n->addr.port);
    attempt_fail(c, g, VETO_WAIT_MS);
}

void leading_without_it(struct core *c, struct group *g)
{
    struct node *n = model_node(c, g->fo.promoted);

    if (n != NULL) {
        say_trace(c, g, "%s:%u cannot be promoted, choosing another", n->addr.host, (unsigned)n->addr.port);
        n->refused = REFUSED_ORDER;
    }
    leading_ask_again(c, g);
}

void leading_seal(struct core *c, struct group *g)
{
    g->fo.promoted = 0;            /* chosen again when they are sealed */
    seal_all(c, g);
    say_news(c, NEWS_SEALING, g, NULL);
}

/* --- acts: the primary hands over ------------------------------------------------------------------------ */

void leading_hand_over(struct core *c, struct group *g)
{
    struct node *n = model_node(c, g->fo.promoted);

    hand_over_send(c, g);
    say_news_node(c, NEWS_SELECTED, n, NULL);
    say_news_node(c, NEWS_SENDING_FAILOVER, group_primary(c, g), NULL);
    say_news_node(c, NEWS_WAIT_PROMOTION, n, NULL);
}

void leading_call_back(struct core *c, struct group *g)
{
    hand_over_call_back(c, g);
}

void leading_not_handed_over(struct core *c, struct group *g)
{
    say_news(c, NEWS_NOT_HANDED_OVER, g, "the primary keeps its office");
    c->counts.failovers_failed++;
    attempt_withdraw(c, g);
}

void leading_take_it(struct core *c, struct group *g)
{
    say_news(c, NEWS_NOT_HANDED_OVER, g, "the replica is told to take it");
    g->fo.way = WAY_TAKE;
    leading_ask_again(c, g);       /* what was chosen for the hand-over is seconds old: it may have been started again since */
}

void leading_call_off(struct core *c, struct group *g)
{
    hand_over_call_back(c, g);
    attempt_withdraw(c, g);
}

void leading_call_off_unsaved(struct core *c, struct group *g)
{
    hand_over_call_back(c, g);
    attempt_drop_unsaved(c, g);
}

void leading_promotion_late(struct core *c, struct group *g)
{
    say_news(c, NEWS_SLAVE_TIMEOUT, g, NULL);
    attempt_fail(c, g, ATTEMPT_AGAIN_MS);
}
