/* Epochs and votes. One vote per group and epoch, on disk before it is told, never taken
 * back. A candidate leads its epoch when a majority of all known sentinels, and at least
 * the group's quorum, voted for it in exactly that epoch.
 *
 * The vote is spoken in the words of IS-MASTER-DOWN-BY-ADDR, so that stock sentinels may
 * vote with us. What differs is when one asks: the sentinel that stands first among those
 * at hand asks at once, the others a few milliseconds later, so that votes seldom split;
 * and after a split we try again in tenths of a second, who had most votes first. */
#include "sentinel/core/inside.h"

#ifndef KVORUM_PLANT
#define KVORUM_PLANT 0             /* 1..3: a bug on purpose, for the simulator to find */
#endif

#define SLOW_FADES 4               /* what is remembered of a slow save falls by this part with each quicker one */

bool election_see_epoch(struct core *c, uint64_t epoch)
{
    if (epoch <= c->current_epoch)
        return false;
    c->current_epoch = epoch;
    return true;
}

/* --- giving a vote --------------------------------------------------------------------------- */

/* True if this made a vote that was not there before. */
static bool vote(struct core *c, struct group *g, uint64_t epoch, const char *candidate)
{
    if (epoch <= g->leader_epoch || epoch < c->current_epoch)
        return false;
    if (!slice_copy_z(slice_z(candidate), g->leader, sizeof g->leader))
        return false;
    g->leader_epoch = epoch;
    c->counts.votes_given++;
    return true;
}

void election_asked(struct core *c, const struct event *ev)
{
    struct group *g = model_group_at(c, &ev->u.asked.primary);
    const char *candidate = ev->u.asked.candidate ? ev->u.asked.candidate : "";
    bool down = g != NULL && group_primary(c, g)->sdown;
    bool new_epoch, voted;

    if (g == NULL || g->formed || candidate[0] == '\0') {
        say_answer(c, ev->ticket, down, "", 0);
        if (g != NULL)
            health_suspected(c, g);
        return;
    }
    new_epoch = election_see_epoch(c, ev->u.asked.epoch);
    voted = vote(c, g, ev->u.asked.epoch, candidate);
#if KVORUM_PLANT == 1
    say_answer(c, ev->ticket, down, g->leader, g->leader_epoch);
#endif
    if (new_epoch || voted || c->save_broken) {
        say_save_must(c);
        c->saving_ticket = ev->ticket;
        c->saving_down = down;
    }
#if KVORUM_PLANT != 1
    say_answer(c, ev->ticket, down, g->leader, g->leader[0] ? g->leader_epoch : 0);
#endif
    if (new_epoch)
        say_news_bare(c, NEWS_NEW_EPOCH, g, "%llu", (unsigned long long)c->current_epoch);
    if (voted) {
        say_news_bare(c, NEWS_VOTE, g, "%s %llu", g->leader, (unsigned long long)g->leader_epoch);
        if (strcmp(g->leader, c->my_id) != 0)
            failover_supports(c, g);
    }
    touch(c, g);
}

/* --- asking for votes ------------------------------------------------------------------------- */

void election_bid(struct core *c, struct group *g)
{
    c->counts.bids++;
    g->fo.epoch = ++c->current_epoch;
    CHECK(vote(c, g, g->fo.epoch, c->my_id));
    say_save_must(c);
    c->saving_bid = g->id;
    for (size_t i = 0; i < g->seats.n; i++) {
        struct seat *s = &g->seats.at[i];
        struct peer *p = model_peer(c, s->peer);

        if (!p->w.up)
            continue;
        say_ask(c, g, p, g->fo.epoch, c->my_id);
        s->asked_at_ms = c->now_ms;
        s->asks_open++;
    }
    say_news_bare(c, NEWS_NEW_EPOCH, g, "%llu", (unsigned long long)g->fo.epoch);
    say_news(c, NEWS_TRY_FAILOVER, g, NULL);
    say_news_bare(c, NEWS_VOTE, g, "%s %llu", c->my_id, (unsigned long long)g->fo.epoch);
}

int election_votes(const struct core *c, const struct group *g)
{
    int n = g->leader_epoch == g->fo.epoch && strcmp(g->leader, c->my_id) == 0;

    for (size_t i = 0; i < g->seats.n; i++) {
        const struct seat *s = &g->seats.at[i];

#if KVORUM_PLANT == 2
        if (s->voted_epoch <= g->fo.epoch && strcmp(s->voted_for, c->my_id) == 0)
#else
        if (s->voted_epoch == g->fo.epoch && strcmp(s->voted_for, c->my_id) == 0)
#endif
            n++;
    }
    return n;
}

int election_needed(const struct group *g)
{
    int voters = (int)g->seats.n + 1;
    int majority = voters / 2 + 1;
    int quorum = (int)g->opt[GOPT_QUORUM];

#if KVORUM_PLANT == 3
    return 1;
#endif
    return quorum > majority ? quorum : majority;
}

bool election_settled(const struct core *c, const struct group *g)
{
    for (size_t i = 0; i < g->seats.n; i++)
        if (g->seats.at[i].asks_open > 0 && model_peer(c, g->seats.at[i].peer)->w.up && !g->seats.at[i].sdown)
            return false;
    return true;
}

/* The strongest of the others in our epoch, as far as we were told, and its votes; NULL: nobody had one. Of two with as
 * many, the one with the smaller id. */
static const char *rival(const struct core *c, const struct group *g, int *votes)
{
    const char *best = NULL;

    *votes = 0;
    for (size_t i = 0; i < g->seats.n; i++) {
        const struct seat *s = &g->seats.at[i];
        int n = 0;

        if (s->voted_epoch != g->fo.epoch || s->voted_for[0] == '\0' || strcmp(s->voted_for, c->my_id) == 0)
            continue;
        for (size_t k = 0; k < g->seats.n; k++)
            n += g->seats.at[k].voted_epoch == g->fo.epoch && strcmp(g->seats.at[k].voted_for, s->voted_for) == 0;
        if (n > *votes || (n == *votes && strcmp(s->voted_for, best) < 0)) {
            best = s->voted_for;
            *votes = n;
        }
    }
    return best;
}

bool election_another_won(const struct core *c, const struct group *g)
{
    int votes;

    return rival(c, g, &votes) != NULL && votes >= election_needed(g);
}

/* --- whose turn -------------------------------------------------------------------------------- */

static bool at_hand(const struct core *c, const struct seat *s)
{
    return model_peer(c, s->peer)->w.up && !s->sdown;
}

int election_usable(const struct core *c, const struct group *g)
{
    int n = 1;

    for (size_t i = 0; i < g->seats.n; i++)
        n += at_hand(c, &g->seats.at[i]);
    return n;
}

int election_rank(const struct core *c, const struct group *g)
{
    int n = 0;

    for (size_t i = 0; i < g->seats.n; i++)
        n += at_hand(c, &g->seats.at[i]) && strcmp(model_peer(c, g->seats.at[i].peer)->run_id, c->my_id) < 0;
    return n;
}

int64_t election_turn_ms(struct core *c, const struct group *g)
{
    return election_rank(c, g) * ms_max(c->timing.bid_stagger_ms, c->slow_save_ms) + rng_between(&c->rng, 0, c->timing.bid_jitter_ms);
}

/* A bid is on our disk before anybody hears of it, and each vote on its voter's disk before it is told: while that takes
 * long neither the next one bids nor this bid is given up. */
int64_t election_patience_ms(struct core *c, const struct group *g)
{
    return c->timing.rebid_max_ms + election_rebid_ms(c, g) + 3 * c->slow_save_ms;
}

void core_save_took(struct core *c, int64_t ms)
{
    struct group *bid = model_group(c, c->saving_bid);

    if (bid != NULL)
        failover_held_up(bid, ms);
    c->slow_save_ms = ms_max(ms_min(ms, c->timing.rebid_max_ms), c->slow_save_ms - (c->slow_save_ms + SLOW_FADES - 1) / SLOW_FADES);
}

/* Two who bid within the time of one message split the votes again, and where every vote is needed two are enough: so the
 * stronger of them tries alone first. As all of them know the same answers they agree who that is, nearly always. */
int64_t election_rebid_ms(struct core *c, const struct group *g)
{
    int64_t from_ms = c->timing.rebid_min_ms, to_ms = c->timing.rebid_max_ms, last_ms = to_ms;
    int doublings = g->fo.tries > 1 ? g->fo.tries - 1 : 0;
    int votes, ours = election_votes(c, g);
    const char *who = rival(c, g, &votes);

    if (who != NULL && (votes > ours || (votes == ours && strcmp(who, c->my_id) < 0))) {
        from_ms += last_ms;
        to_ms += last_ms;
    } else if (who != NULL) {
        to_ms = (from_ms + to_ms) / 2;
    }
    for (; doublings > 0 && last_ms < c->timing.election_ms; doublings--, last_ms *= 2) {
        from_ms *= 2;
        to_ms *= 2;
    }
    return ms_min(rng_between(&c->rng, from_ms, to_ms), c->timing.election_ms);
}

/* --- when the disk says no ----------------------------------------------------------------------- */

/* The vote of the last step is not on disk. It stays in memory (we shall not give that
 * epoch to anybody else) but it was told to nobody, and it will be told only after a
 * save that succeeds. */
void election_save_failed(struct core *c)
{
    struct group *g = model_group(c, c->saving_bid);

    if (!c->save_broken)
        say_news_bare(c, NEWS_NOT_SAVED, g, "state could not be saved: this sentinel does not vote until it can");
    c->save_broken = true;
    if (c->saving_ticket != 0)
        say_answer(c, c->saving_ticket, c->saving_down, "", 0);
    if (g == NULL)
        return;
    for (size_t i = 0; i < g->seats.n; i++)        /* the questions were dropped with the vote */
        g->seats.at[i].asks_open = g->seats.at[i].asks_stale = 0;
    failover_save_failed(c, g);
}
