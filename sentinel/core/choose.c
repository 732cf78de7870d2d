/* Which replica shall be the next primary, and why each of the others not.
 *
 * A plain group chooses as users of redis-sentinel expect: whoever is unfit is out, then
 * the lowest priority number, the longest history, the smallest run id. What differs is
 * how old the facts are (before a promotion every reachable replica was asked just now,
 * so the longest history is the longest *now*) and whose history it is (lineage.c). */
#include "sentinel/core/inside.h"

#define SILENT_LIMIT_PINGS 5       /* no good answer for so many PING periods: unfit */
#define INFO_LIMIT_PERIODS 3

static bool too_long_out_of_sync(const struct core *c, const struct group *g, const struct node *n)
{
    const struct node *primary = group_primary(c, g);
    int64_t excused_ms = 10 * g->opt[GOPT_DOWN_AFTER_MS];
    int64_t gone_at_ms = primary->sdown ? primary->sdown_at_ms : c->now_ms;

    if (primary->said_role == ROLE_REPLICA && addr_equal(&primary->follows, &n->addr))
        return false;              /* they were told to follow each other: neither ever will be in sync */
    if (primary->said_role == ROLE_REPLICA)        /* nobody can be in sync with a primary that is none */
        gone_at_ms = ms_min(gone_at_ms, primary->said_role_at_ms);
    excused_ms += c->now_ms - gone_at_ms;
    return n->follows_down_ms > excused_ms;
}

static bool info_too_old(const struct core *c, const struct group *g, const struct node *n)
{
    int64_t limit_ms = INFO_LIMIT_PERIODS * c->timing.info_ms;

    if (group_primary(c, g)->sdown)
        limit_ms = ms_max(SILENT_LIMIT_PINGS * c->timing.ping_ms, 3 * c->timing.info_fast_ms);
    return n->info_at_ms == 0 || c->now_ms - n->info_at_ms > limit_ms;
}

static bool follow_each_other(const struct node *a, const struct node *b)
{
    return a->said_role == ROLE_REPLICA && b->said_role == ROLE_REPLICA && addr_equal(&a->follows, &b->addr) &&
           addr_equal(&b->follows, &a->addr);
}

/* It was to have the office, or had it for a moment, and came back with less than the primary that handed it over: each
 * waits for the other. The one that has it all is made the primary again (choose_forgetful). */
static bool came_back_with_less(const struct core *c, const struct group *g, const struct node *n)
{
    const struct node *p = group_primary(c, g);

    return follow_each_other(p, n) && (lineage_place(g, n) < lineage_place(g, p) ||
                                       (core_lineage(c, n) == LINEAGE_UNSEEN && strcmp(n->replid, p->replid) != 0));
}

static enum refusal judge(const struct core *c, const struct group *g, const struct node *n, bool fresh)
{
    if (n->id == g->primary)
        return REFUSED_PRIMARY;
    if (n->refused == REFUSED_ORDER && fresh)
        return REFUSED_ORDER;              /* sticks until the next attempt begins */
    if (!n->w.up)
        return REFUSED_DISCONNECTED;
    if (n->sdown)
        return REFUSED_DOWN;
    if (n->priority == 0)
        return REFUSED_PRIORITY_ZERO;
    if (health_silent_ms(c, &n->w) > SILENT_LIMIT_PINGS * c->timing.ping_ms)
        return REFUSED_SILENT;
    if (fresh ? !n->fresh : info_too_old(c, g, n))
        return REFUSED_STALE_INFO;
    if (n->said_role == ROLE_UNKNOWN || n->loading)
        return REFUSED_NOT_REPLICA;
    if (too_long_out_of_sync(c, g, n))
        return REFUSED_OUT_OF_SYNC;
    if (came_back_with_less(c, g, n))
        return REFUSED_LINEAGE;
    if (group_primary(c, g)->said_role == ROLE_PRIMARY && core_lineage(c, n) == LINEAGE_OTHER)
        return REFUSED_LINEAGE;            /* unless the primary gave its office up: then the other may have it already */
    return REFUSED_NOT;
}

/* Empty run ids come last. */
static int compare_ids(const char *a, const char *b)
{
    if (a[0] == '\0' || b[0] == '\0')
        return (a[0] == '\0') - (b[0] == '\0');
    return strcmp(a, b);
}

/* A node that calls itself primary though nobody made it one may carry another history:
 * it is taken only when there is no true replica. Whose history it is comes before all
 * preference: offsets of two histories cannot be compared. */
static bool better(const struct core *c, const struct node *a, const struct node *b)
{
    const struct group *g = node_group(c, a);
    enum lineage la = core_lineage(c, a), lb = core_lineage(c, b);

    if ((a->said_role == ROLE_PRIMARY) != (b->said_role == ROLE_PRIMARY))
        return b->said_role == ROLE_PRIMARY;
    if (la != lb)
        return la < lb;
    if (a->priority != b->priority)
        return a->priority < b->priority;
    if (lineage_place(g, a) != lineage_place(g, b))
        return lineage_place(g, a) > lineage_place(g, b);
    if (a->offset != b->offset)            /* both went on from there */
        return a->offset > b->offset;
    return compare_ids(a->run_id, b->run_id) < 0;
}

bool choose_has_office(const struct core *c, const struct group *g, const struct node *n)
{
    const struct node *p = group_primary(c, g);

    return n != p && n->said_role == ROLE_PRIMARY && p->said_role == ROLE_REPLICA && p->w.up && p->follows_up &&
           p->hands != HANDS_OVER && addr_equal(&p->follows, &n->addr);
}

/* Whoever has the office already comes first: it takes the writes. */
struct node *choose_best(struct core *c, struct group *g, bool fresh)
{
    struct node *best = NULL;

    for (size_t i = 0; i < g->nodes.n; i++) {
        struct node *n = g->nodes.at[i];

        n->refused = judge(c, g, n, fresh);
        if (n->refused == REFUSED_NOT &&
            (best == NULL || choose_has_office(c, g, n) || (!choose_has_office(c, g, best) && better(c, n, best))))
            best = n;
    }
    return best;
}

struct node *choose_forgetful(const struct core *c, const struct group *g)
{
    struct node *p = group_primary(c, g);

    if (!p->w.up || p->said_role != ROLE_REPLICA || p->loading || p->hands == HANDS_OVER ||
        c->now_ms - p->said_role_at_ms < c->timing.repair_grace_ms ||
        health_silent_ms(c, &p->w) > SILENT_LIMIT_PINGS * c->timing.ping_ms)
        return NULL;
    for (size_t i = 0; i < g->nodes.n; i++)
        if (g->nodes.at[i]->w.up && g->nodes.at[i]->said_role == ROLE_PRIMARY)
            return NULL;
    return p;
}

bool choose_possible(struct core *c, struct group *g)
{
    if (choose_forgetful(c, g) != NULL)
        return true;
    for (size_t i = 0; i < g->nodes.n; i++)
        if (judge(c, g, g->nodes.at[i], false) == REFUSED_NOT)
            return true;
    return false;
}

/* --- the view: what would be chosen, were it now; nobody is asked anew ------------------------ */

enum refusal core_refusal(const struct core *c, const struct node *n)
{
    return judge(c, node_group(c, n), n, false);
}

const struct node *core_would_promote(const struct core *c, const struct group *g)
{
    const struct node *best = NULL;

    for (size_t i = 0; i < g->nodes.n; i++) {
        const struct node *n = g->nodes.at[i];

        if (judge(c, g, n, false) == REFUSED_NOT && (best == NULL || better(c, n, best)))
            best = n;
    }
    return best;
}
