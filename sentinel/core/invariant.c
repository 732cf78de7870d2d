/* What must hold after every step, whatever came in. Cheap: only the groups that the step
 * touched are looked at, and each sentence is a comparison or two. */
#include "sentinel/core/inside.h"

static const char *vote_kept(const struct core *c, const struct group *g)
{
    if (g->leader_epoch < g->was.leader_epoch)
        return "an epoch we voted in was forgotten";
    if (g->leader_epoch == g->was.leader_epoch && g->was.leader[0] != '\0' && strcmp(g->leader, g->was.leader) != 0)
        return "a vote was taken back";
    if (g->config_epoch < g->was.config_epoch)
        return "a configuration epoch went down";
    if (g->leader_epoch > c->current_epoch || g->config_epoch > c->current_epoch || g->fo.epoch > c->current_epoch)
        return "an epoch is above the current one";
    return NULL;
}

static const char *failover_coherent(const struct core *c, const struct group *g)
{
    const struct failover *f = &g->fo;
    bool hands = f->state == FO_HANDING || f->state == FO_CALLING_BACK;
    bool leading = f->state == FO_ASKING || f->state == FO_SEALING || f->state == FO_PROMOTING || f->state == FO_REPOINTING || hands;

    if (f->state == FO_CHOOSING)
        return "a choice was left for later";
    if ((f->state == FO_IDLE) != (f->deadline_ms == NEVER_MS))
        return "a state that waits must have a deadline, and idleness none";
    if (leading && !f->leads)
        return "it acts as leader without leading";
    if (f->leads && f->epoch == 0)
        return "it leads no epoch";
    if ((f->state == FO_ASKING || f->state == FO_SEALING || f->state == FO_PROMOTING) && !f->forced && election_votes(c, g) < election_needed(g) &&
        g->leader_epoch == f->epoch)
        return "it leads without a majority";
    if (f->state == FO_PROMOTING && model_node(c, f->promoted) == NULL)
        return "it promotes nobody";
    if (hands && (!f->forced || f->way == WAY_TAKE))
        return "the primary hands over, and nobody has asked for it";
    if (f->state == FO_REPOINTING && g->config_epoch != f->epoch)
        return "the configuration is not of the failover that is being finished";
    return NULL;
}

static const char *model_coherent(const struct core *c, const struct group *g)
{
    const struct node *p = model_node(c, g->primary);

    if (p == NULL || p->group != g->id)
        return "the primary is not a node of its group";
    if (g->odown && !p->sdown)
        return "objectively down, but not subjectively";
    for (size_t i = 0; i < g->nodes.n; i++) {
        const struct node *n = g->nodes.at[i];

        if (n->sdown != (n->sdown_at_ms != 0))
            return "down since never, or never since";
        if (n->w.up != (n->w.up_since_ms != NEVER_MS))
            return "a link is up since never";
        if (n->crashed && (n->w.up && n->w.answer_at_ms > n->crashed_at_ms))
            return "evidence of a crash, yet it answered since";
    }
    for (size_t i = 0; i < g->seats.n; i++)
        if (model_peer(c, g->seats.at[i].peer) == NULL)
            return "a seat without a peer";
    return NULL;
}

const char *invariant_group(const struct core *c, const struct group *g)
{
    const char *wrong = vote_kept(c, g);

    if (wrong == NULL)
        wrong = failover_coherent(c, g);
    if (wrong == NULL)
        wrong = model_coherent(c, g);
    return wrong;
}

void invariant_step(struct core *c)
{
    CHECK(c->current_epoch >= c->was_epoch);
    c->was_epoch = c->current_epoch;
    for (size_t i = 0; i < c->touched.n; i++) {
        struct group *g = model_group(c, c->touched.at[i]);

        if (g == NULL)
            continue;
        CHECK(invariant_group(c, g) == NULL);
        g->was.config_epoch = g->config_epoch;
        g->was.leader_epoch = g->leader_epoch;
        memcpy(g->was.leader, g->leader, sizeof g->was.leader);
    }
}

const char *core_check(const struct core *c)
{
    for (size_t i = 0; i < c->groups.n; i++) {
        const char *wrong = invariant_group(c, c->groups.at[i]);

        if (wrong != NULL)
            return wrong;
    }
    return NULL;
}
