/* Drawing the replicas off a primary that is down, before one of them is promoted.
 *
 * A stock node knows no seal: it is told to follow an address where nobody is. It keeps what it
 * has and the memory of where that came from, so that following the new primary later is a partial
 * resync; it takes nothing from anybody meanwhile. What that gains: a primary that was only silent,
 * and goes on during the election, feeds nobody any more, so that its own min-replicas-to-write
 * stops its writers, and where the replicas said they are is where they still are when the choice is
 * made. What it cannot: any later order unseals it, also one of an older leader that comes late.
 * Only an agent beside the node, or kvnode in a formed group, can refuse that.
 *
 * A seal is not written into a node's configuration file: a restart undoes it, which closes our link and is seen;
 * written down, it would cost each failover the wait for another fsync or two, and a node that is restarted when no
 * sentinel is left would follow nobody for ever. Nor are its clients closed: a replica takes no writes before or after, and
 * whoever reads there is closed when it is pointed to the new primary.
 *
 * Sealed are those who follow the primary in question, and only when a replica that is fit has been
 * found: an attempt that leads nowhere does not disturb who reads from replicas. Nobody undoes seals
 * here: a new primary gets everybody, and whatever else happens, repair.c finds who follows nobody. */
#include "sentinel/core/inside.h"

/* On its own machine, at a port where nobody listens: refused at once, and no packet leaves the host. */
static const struct addr hole = {.host = "127.0.0.1", .port = 1};

const struct addr *seal_hole(void) { return &hole; }
bool seal_is_hole(const struct addr *a) { return addr_equal(a, &hole); }
bool core_is_sealed(const struct node *n) { return seal_stands(n); }
bool seal_stands(const struct node *n) { return n->said_role == ROLE_REPLICA && seal_is_hole(&n->follows); }

static bool is_fed(const struct core *c, const struct group *g, const struct node *n)
{
    return n->id != g->primary && n->w.up && !n->sdown && n->fresh && !n->loading && n->seal == SEAL_NONE &&
           n->refused != REFUSED_ORDER && n->said_role == ROLE_REPLICA &&
           (addr_equal(&n->follows, &group_primary(c, g)->addr) || seal_stands(n));
}

bool seal_wanted(const struct core *c, const struct group *g)
{
    const struct node *chosen = model_node(c, g->fo.promoted);
    bool began = false, fed = false;

    if (c->timing.sealing_ms <= 0 || !g->opt[GOPT_SEAL] || !group_primary(c, g)->sdown)
        return false;
    if (chosen != NULL && is_fed(c, g, chosen))
        return true;
    for (size_t i = 0; i < g->nodes.n; i++) {
        began |= g->nodes.at[i]->seal != SEAL_NONE;
        fed |= is_fed(c, g, g->nodes.at[i]);
    }
    return fed && !began;          /* who answers late is not waited for twice, unless it is the one */
}

void seal_all(struct core *c, struct group *g)
{
    for (size_t i = 0; i < g->nodes.n; i++) {
        struct node *n = g->nodes.at[i];

        if (!is_fed(c, g, n))
            continue;
        n->seal = SEAL_SENT;
        n->fresh = false;          /* what counts is where it is afterwards */
        say_seal(c, n);
        health_info_now(c, n);
    }
}

/* The answer to the order comes before that to the INFO, which was sent behind it. */
bool seal_answered(const struct group *g)
{
    for (size_t i = 0; i < g->nodes.n; i++) {
        const struct node *n = g->nodes.at[i];

        if (n->seal != SEAL_NONE && n->w.up && !n->sdown && !n->fresh)
            return false;
    }
    return true;
}

bool seal_any(const struct group *g)
{
    for (size_t i = 0; i < g->nodes.n; i++)
        if (g->nodes.at[i]->seal == SEAL_DONE && g->nodes.at[i]->fresh)
            return true;
    return false;
}

/* Who refuses this would refuse to be promoted. */
void seal_order_done(struct core *c, struct node *n, bool ok)
{
    if (n->seal != SEAL_SENT)
        return;
    n->seal = ok ? SEAL_DONE : SEAL_NONE;
    if (!ok && node_group(c, n)->fo.state == FO_SEALING)
        n->refused = REFUSED_ORDER;
}
