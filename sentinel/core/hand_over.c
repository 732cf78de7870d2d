/* A planned switch: the primary is told to hand over to the chosen one, and both are looked at
 * until it is done. The primary pauses its writers, so we look often; and whatever goes wrong,
 * it is called back before anything else is tried: between the order and its answer nobody but
 * these two knows who leads. */
#include "sentinel/core/inside.h"

#define SLACK_MS 500               /* the primary keeps the time of its waiting; this is for the rest of the way */
#define BACK_MS 2000
#define ASK_FOR_LONG_MS 20         /* the primary, and everybody after the first tenth of a second, is asked so often */

/* The moment when the new one leads is the moment when clients may be told. */
#define ASK_AT_FIRST_MS 1
#define AT_FIRST_MS 100

bool hand_over_possible(const struct core *c, const struct group *g)
{
    const struct node *p = group_primary(c, g);

    return p->w.up && !p->sdown && !p->crashed && p->said_role == ROLE_PRIMARY && p->hands != HANDS_UNKNOWN;
}

static int64_t budget_ms(const struct core *c, const struct group *g)
{
    if (g->fo.way == WAY_HAND_OVER_ONLY)
        return ms_min(c->timing.hand_over_only_ms, g->opt[GOPT_FAILOVER_TIMEOUT_MS]);
    return ms_min(c->timing.hand_over_ms, g->opt[GOPT_FAILOVER_TIMEOUT_MS]);
}

int64_t hand_over_limit_ms(const struct core *c, const struct group *g) { return budget_ms(c, g) + SLACK_MS; }
int64_t hand_over_back_limit_ms(void) { return BACK_MS; }

void hand_over_send(struct core *c, struct group *g)
{
    struct node *p = group_primary(c, g), *n = model_node(c, g->fo.promoted);

    g->fo.hand_refused = false;
    n->reconf_at_ms = c->now_ms;
    say_hand_over(c, p, &n->addr, budget_ms(c, g));
    health_info_now(c, p);
    health_info_now(c, n);
}

void hand_over_call_back(struct core *c, struct group *g)
{
    struct node *p = group_primary(c, g), *n = model_node(c, g->fo.promoted);

    if (p->w.up) {
        if (!g->fo.hand_refused)       /* what it refused does not run; what another sentinel ordered may */
            say_call_back(c, p);
        health_info_now(c, p);
    }
    if (n != NULL && n->w.up)
        health_info_now(c, n);
}

/* It answered what was asked since this state began. */
static bool told(const struct group *g, const struct node *n)
{
    return n->w.up && n->info_until_fresh == 0 && n->info_at_ms >= g->fo.state_at_ms;
}

static bool leads(const struct group *g, const struct node *n)
{
    return n->said_role == ROLE_PRIMARY && n->info_until_fresh == 0 && n->info_at_ms >= g->fo.state_at_ms;
}

static void ask_on(struct core *c, struct group *g, struct node *n, int64_t every_ms)
{
    if (!n->w.up || n->info_until_fresh > 0)
        return;
    if (c->now_ms >= n->info_sent_at_ms + every_ms)
        health_info_now(c, n);
    else
        wake(g, n->info_sent_at_ms + every_ms);
}

enum fo_event hand_over_goes(struct core *c, struct group *g)
{
    struct node *p = group_primary(c, g), *n = model_node(c, g->fo.promoted);
    bool first = c->now_ms - g->fo.state_at_ms < AT_FIRST_MS;

    if (n == NULL)
        return FE_REFUSED;
    if (leads(g, n))
        return FE_PROMOTED;
    if (g->fo.hand_refused || !p->w.up || p->sdown || n->crashed)
        return FE_REFUSED;
    if (told(g, p) && p->said_role == ROLE_PRIMARY && p->hands != HANDS_OVER)
        return FE_REFUSED;         /* it gave up by itself */
    ask_on(c, g, n, first ? ASK_AT_FIRST_MS : ASK_FOR_LONG_MS);
    ask_on(c, g, p, ASK_FOR_LONG_MS);
    return FO_EVENTS;
}

enum fo_event hand_over_goes_back(struct core *c, struct group *g)
{
    struct node *p = group_primary(c, g), *n = model_node(c, g->fo.promoted);
    bool gone = p->crashed || p->sdown;
    bool back = told(g, p) && p->said_role == ROLE_PRIMARY && p->hands != HANDS_OVER;

    if (n != NULL && leads(g, n))
        return FE_PROMOTED;
    if ((gone || back) && (n == NULL || !n->w.up || told(g, n)))
        return FE_UNDONE;
    if (n != NULL)
        ask_on(c, g, n, ASK_FOR_LONG_MS);
    ask_on(c, g, p, ASK_FOR_LONG_MS);
    return FO_EVENTS;
}
