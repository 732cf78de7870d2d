/* From "a quorum sees the primary down" to "every replica follows the new one". The table
 * says what may happen; only the driver below it moves a group from state to state and
 * sets the deadline of the state it enters.
 *
 * The driver is fed in two ways. Things that happen once (an operator's order, a vote for
 * another, a newer configuration) are fed when they happen. Things that are so (odown, a
 * majority, a deadline that has passed) are looked up whenever the group is touched, and
 * fed as long as they lead anywhere. */
#include "sentinel/core/failover.h"
#include "sentinel/core/inside.h"

#define REASK_VETO_MS 20           /* a replica that objects is asked again: it may not have noticed yet */
#define NONE_GOOD_WAIT_MS 1000     /* nobody to promote: look again after this, doubled each time */
#define VETO_WAIT_MS 500
#define RETRY_MAX_MS 10000
#define UNDONE_MS 1000             /* an order that was not carried out by then did not arrive */

typedef bool guard(struct core *c, struct group *g);
typedef void act(struct core *c, struct group *g);

static guard is_forced, may_bid, hands_over, keeps_it;
static act wait_turn, wait_more, bid, bid_by_order, withdraw_bid, withdraw, give_up_bid, stand_back, hurry, lead, promote,
    no_good, vetoed, ask_again, without_it, switch_over, settle, settle_late, begin_again, promotion_late, drop_unsaved,
    hand_over, call_back, not_handed_over, take_it, handed_over, call_off, call_off_unsaved;

const struct fo_row fo_table[] = {
/*    in             on                    when       act             then           because */
    { FO_IDLE,       FE_ODOWN,             NULL,      wait_turn,      FO_WAITING,    "a quorum sees the primary down" },
    { FO_IDLE,       FE_MANUAL,            NULL,      bid_by_order,   FO_BIDDING,    "an operator asked for it" },
    { FO_IDLE,       FE_SUPPORTS,          NULL,      stand_back,     FO_IDLE,       "we voted for another: it shall have its time" },
    { FO_IDLE,       FE_LEADER_GONE,       NULL,      hurry,          FO_IDLE,       "the one we voted for is gone" },

    { FO_WAITING,    FE_RECOVERED,         NULL,      withdraw,       FO_IDLE,       "the primary is back before anybody moved" },
    { FO_WAITING,    FE_MANUAL,            NULL,      bid_by_order,   FO_BIDDING,    "an operator does not wait" },
    { FO_WAITING,    FE_EXPIRED,           may_bid,   bid,            FO_BIDDING,    "it is our turn to ask for votes" },
    { FO_WAITING,    FE_EXPIRED,           NULL,      wait_more,      FO_WAITING,    "no majority at hand, or nobody to promote" },
    { FO_WAITING,    FE_SUPPORTS,          NULL,      stand_back,     FO_WAITING,    "we voted for another: it shall have its time" },
    { FO_WAITING,    FE_LEADER_GONE,       NULL,      hurry,          FO_WAITING,    "the one we voted for is gone" },
    { FO_WAITING,    FE_SETTLED_ELSEWHERE, NULL,      withdraw,       FO_IDLE,       "a newer configuration settles it" },

    { FO_BIDDING,    FE_ELECTED,           NULL,      lead,           FO_ASKING,     "a majority gave us this epoch" },
    { FO_BIDDING,    FE_LOST,              is_forced, lead,           FO_ASKING,     "no majority, but an operator's order needs none" },
    { FO_BIDDING,    FE_LOST,              NULL,      withdraw_bid,   FO_WAITING,    "every answer is in and it is no majority" },
    { FO_BIDDING,    FE_EXPIRED,           is_forced, lead,           FO_ASKING,     "no majority in time, but an operator's order needs none" },
    { FO_BIDDING,    FE_EXPIRED,           NULL,      withdraw_bid,   FO_WAITING,    "no majority in time, let another try" },
    { FO_BIDDING,    FE_RECOVERED,         NULL,      give_up_bid,    FO_IDLE,       "the primary is back" },
    { FO_BIDDING,    FE_SUPPORTS,          NULL,      stand_back,     FO_WAITING,    "a newer epoch has our vote" },
    { FO_BIDDING,    FE_SETTLED_ELSEWHERE, NULL,      withdraw,       FO_IDLE,       "a newer configuration settles it" },
    { FO_BIDDING,    FE_SAVE_FAILED,       NULL,      drop_unsaved,   FO_IDLE,       "our vote is not on disk, so it was not given" },

    { FO_ASKING,     FE_ANSWERED,          NULL,      NULL,           FO_CHOOSING,   "every reachable replica told its offset" },
    { FO_ASKING,     FE_EXPIRED,           NULL,      NULL,           FO_CHOOSING,   "who did not answer is not waited for" },
    { FO_ASKING,     FE_RECOVERED,         NULL,      give_up_bid,    FO_IDLE,       "the primary is back" },
    { FO_ASKING,     FE_SUPPORTS,          NULL,      stand_back,     FO_WAITING,    "a newer epoch has our vote" },
    { FO_ASKING,     FE_SETTLED_ELSEWHERE, NULL,      withdraw,       FO_IDLE,       "a newer configuration settles it" },
    { FO_ASKING,     FE_SAVE_FAILED,       NULL,      drop_unsaved,   FO_IDLE,       "our vote is not on disk, so it was not given" },

    { FO_CHOOSING,   FE_CHOSEN,            hands_over, hand_over,     FO_HANDING,    "the primary hands over to the best replica of this moment" },
    { FO_CHOOSING,   FE_CHOSEN,            keeps_it, not_handed_over, FO_IDLE,   "the primary cannot hand over any more" },
    { FO_CHOOSING,   FE_CHOSEN,            NULL,      promote,        FO_PROMOTING,  "the best replica of this moment" },
    { FO_CHOOSING,   FE_NONE_GOOD,         NULL,      no_good,        FO_IDLE,       "no replica is fit" },
    { FO_CHOOSING,   FE_VETOED,            NULL,      vetoed,         FO_IDLE,       "a replica is still linked to the primary" },

    { FO_PROMOTING,  FE_PROMOTED,          NULL,      switch_over,    FO_REPOINTING, "the replica now says it is primary" },
    { FO_PROMOTING,  FE_RECOVERED,         NULL,      give_up_bid,    FO_IDLE,       "the primary is back, and the order was not carried out" },
    { FO_PROMOTING,  FE_REFUSED,           NULL,      without_it,     FO_ASKING,     "the chosen replica cannot: ask the others anew" },
    { FO_PROMOTING,  FE_UNDONE,            NULL,      ask_again,      FO_ASKING,     "the order did not arrive: what we knew is old, ask anew" },
    { FO_PROMOTING,  FE_EXPIRED,           NULL,      promotion_late, FO_IDLE,       "the replica never confirmed" },
    { FO_PROMOTING,  FE_SETTLED_ELSEWHERE, NULL,      withdraw,       FO_IDLE,       "a newer configuration settles it" },
    { FO_PROMOTING,  FE_SAVE_FAILED,       NULL,      drop_unsaved,   FO_IDLE,       "our vote is not on disk, so it was not given" },

    { FO_HANDING,    FE_PROMOTED,          NULL,      handed_over,    FO_REPOINTING, "the replica now says it is primary" },
    { FO_HANDING,    FE_REFUSED,           NULL,      call_back,      FO_CALLING_BACK, "the primary does not hand over" },
    { FO_HANDING,    FE_EXPIRED,           NULL,      call_back,      FO_CALLING_BACK, "its writers have waited long enough" },
    { FO_HANDING,    FE_SETTLED_ELSEWHERE, NULL,      call_off,       FO_IDLE,       "a newer configuration settles it" },
    { FO_HANDING,    FE_SAVE_FAILED,       NULL,      call_off_unsaved, FO_IDLE,     "our vote is not on disk, so it was not given" },

    { FO_CALLING_BACK, FE_PROMOTED,        NULL,      handed_over,    FO_REPOINTING, "the order was faster than its recall" },
    { FO_CALLING_BACK, FE_UNDONE,          keeps_it, not_handed_over, FO_IDLE,   "all is as it was" },
    { FO_CALLING_BACK, FE_UNDONE,          NULL,      take_it,        FO_PROMOTING,  "then without its help, as an operator asked for it" },
    { FO_CALLING_BACK, FE_EXPIRED,         keeps_it, not_handed_over, FO_IDLE,   "nobody says how it stands: repair sees to that" },
    { FO_CALLING_BACK, FE_EXPIRED,         NULL,      take_it,        FO_PROMOTING,  "nobody says how it stands, and an operator asked for it" },
    { FO_CALLING_BACK, FE_SETTLED_ELSEWHERE, NULL,    withdraw,       FO_IDLE,       "a newer configuration settles it" },
    { FO_CALLING_BACK, FE_SAVE_FAILED,     NULL,      drop_unsaved,   FO_IDLE,       "our vote is not on disk, so it was not given" },

    { FO_REPOINTING, FE_ALL_REPOINTED,     NULL,      settle,         FO_IDLE,       "every reachable replica follows it" },
    { FO_REPOINTING, FE_EXPIRED,           NULL,      settle_late,    FO_IDLE,       "stragglers are fixed up later" },
    { FO_REPOINTING, FE_ODOWN,             NULL,      begin_again,    FO_IDLE,       "the new primary is down too" },
    { FO_REPOINTING, FE_SUPPORTS,          NULL,      stand_back,     FO_IDLE,       "the next failover has begun elsewhere" },
    { FO_REPOINTING, FE_SETTLED_ELSEWHERE, NULL,      withdraw,       FO_IDLE,       "a newer configuration settles it" },
};
const size_t fo_rows = sizeof fo_table / sizeof fo_table[0];

const struct fo_nothing fo_ignored[] = {
    { FO_IDLE,       FE_SETTLED_ELSEWHERE, "there is nothing to withdraw" },
    { FO_IDLE,       FE_SAVE_FAILED,       "no attempt stands on that save" },
    { FO_WAITING,    FE_SAVE_FAILED,       "no attempt stands on that save" },
    { FO_BIDDING,    FE_LEADER_GONE,       "we bid already" },
    { FO_ASKING,     FE_LEADER_GONE,       "we lead" },
    { FO_PROMOTING,  FE_LEADER_GONE,       "we lead" },
    { FO_REPOINTING, FE_LEADER_GONE,       "we lead" },
    { FO_PROMOTING,  FE_SUPPORTS,          "the order is out: finishing is the shorter way" },
    { FO_HANDING,    FE_SUPPORTS,          "the order is out: finishing is the shorter way" },
    { FO_HANDING,    FE_LEADER_GONE,       "we lead" },
    { FO_CALLING_BACK, FE_SUPPORTS,        "first it must be known who leads" },
    { FO_CALLING_BACK, FE_LEADER_GONE,     "we lead" },
    { FO_REPOINTING, FE_SAVE_FAILED,       "the promotion is a fact; the epoch it stands on was saved before" },
};
const size_t fo_ignored_rows = sizeof fo_ignored / sizeof fo_ignored[0];

/* --- the driver -------------------------------------------------------------------------------- */

static int64_t deadline_of(struct core *c, struct group *g, enum fo_state s)
{
    switch (s) {
    case FO_WAITING:
        return ms_max(c->now_ms + election_turn_ms(c, g), g->fo.not_before_ms);
    case FO_BIDDING:
        return c->now_ms + c->timing.rebid_max_ms + election_rebid_ms(c, g);
    case FO_ASKING:
        return c->now_ms + c->timing.asking_ms;
    case FO_PROMOTING:             /* however often it had to be asked anew */
        return g->fo.started_at_ms + g->opt[GOPT_FAILOVER_TIMEOUT_MS];
    case FO_REPOINTING:
        return c->now_ms + g->opt[GOPT_FAILOVER_TIMEOUT_MS];
    case FO_CHOOSING:
        return c->now_ms;
    case FO_HANDING:
        return c->now_ms + hand_over_limit_ms(c, g);
    case FO_CALLING_BACK:
        return c->now_ms + hand_over_back_limit_ms();
    default:
        return NEVER_MS;
    }
}

static const struct fo_row *find_row(struct core *c, struct group *g, enum fo_event on)
{
    for (size_t i = 0; i < fo_rows; i++) {
        const struct fo_row *r = &fo_table[i];

        if (r->in == g->fo.state && r->on == on && (r->when == NULL || r->when(c, g)))
            return r;
    }
    return NULL;
}

/* The only place where fo.state and fo.deadline_ms are assigned. */
static bool feed(struct core *c, struct group *g, enum fo_event on)
{
    const struct fo_row *r = find_row(c, g, on);

    if (r == NULL)
        return false;
    if (r->then != g->fo.state)
        say_trace(c, g, "%s->%s epoch=%llu: %s", fo_state_name(g->fo.state), fo_state_name(r->then),
                  (unsigned long long)g->fo.epoch, r->because);
    if (r->act != NULL)
        r->act(c, g);
    if (r->then != g->fo.state) {
        g->fo.state = r->then;
        g->fo.state_at_ms = c->now_ms;
    }
    g->fo.deadline_ms = deadline_of(c, g, r->then);
    return true;
}

/* --- guards -------------------------------------------------------------------------------------- */

static bool is_forced(struct core *c, struct group *g)
{
    (void)c;
    return g->fo.forced;
}

static bool hands_over(struct core *c, struct group *g)
{
    return g->fo.way != WAY_TAKE && hand_over_possible(c, g);
}

static bool keeps_it(struct core *c, struct group *g)
{
    return g->fo.way == WAY_HAND_OVER_ONLY || model_node(c, g->fo.promoted) == NULL;
}

/* An epoch that cannot be won, or that would end without a replica, is not worth the
 * votes of the others. The first attempt is made in any case when a majority is at hand:
 * the operator sees in its events why it fails. */
static bool may_bid(struct core *c, struct group *g)
{
    return election_usable(c, g) >= election_needed(g) && (g->fo.tries == 0 || choose_possible(c, g));
}

/* --- acts: waiting and bidding --------------------------------------------------------------------- */

static void end_attempt(struct group *g)
{
    g->fo.forced = false;
    g->fo.way = WAY_TAKE;
    g->fo.leads = false;
    g->fo.promoted = g->fo.replaced = 0;
    for (size_t i = 0; i < g->nodes.n; i++)
        g->nodes.at[i]->reconf = RECONF_NONE;
}

static void wait_turn(struct core *c, struct group *g)
{
    (void)c;
    end_attempt(g);
}

static void wait_more(struct core *c, struct group *g)
{
    g->fo.not_before_ms = c->now_ms + NONE_GOOD_WAIT_MS;
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

static void bid(struct core *c, struct group *g)
{
    g->fo.forced = false;
    g->fo.way = WAY_TAKE;
    start(c, g);
}

static void bid_by_order(struct core *c, struct group *g)
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
static void stand_back(struct core *c, struct group *g)
{
    int64_t hold_ms = ms_min(g->opt[GOPT_FAILOVER_TIMEOUT_MS], c->timing.election_ms);

    if (g->fo.state == FO_BIDDING || g->fo.state == FO_ASKING)
        say_news(c, NEWS_NOT_ELECTED, g, NULL);
    g->fo.not_before_ms = c->now_ms + hold_ms + rng_between(&c->rng, 0, c->timing.rebid_max_ms);
    end_attempt(g);
}

static void hurry(struct core *c, struct group *g)
{
    int64_t soon = c->now_ms + rng_between(&c->rng, c->timing.rebid_min_ms, c->timing.rebid_max_ms);

    g->fo.not_before_ms = ms_min(g->fo.not_before_ms, soon);
}

static void withdraw_bid(struct core *c, struct group *g)
{
    if (election_another_won(c, g)) {
        stand_back(c, g);
        return;
    }
    say_news(c, NEWS_NOT_ELECTED, g, NULL);
    g->fo.tries++;
    g->fo.not_before_ms = c->now_ms + election_rebid_ms(c, g);
    end_attempt(g);
}

static void withdraw(struct core *c, struct group *g)
{
    (void)c;
    g->fo.tries = 0;
    g->fo.not_before_ms = 0;
    end_attempt(g);
}

static void give_up_bid(struct core *c, struct group *g)
{
    say_news(c, NEWS_WITHDRAWN, g, "the primary is back");
    withdraw(c, g);
}

static void drop_unsaved(struct core *c, struct group *g)
{
    end_attempt(g);
    back_off(c, g, NONE_GOOD_WAIT_MS);
}

/* --- acts: leading ------------------------------------------------------------------------------------ */

static void ask_again(struct core *c, struct group *g)
{
    g->fo.promoted = 0;
    g->fo.asked_at_ms = c->now_ms;
    for (size_t i = 0; i < g->nodes.n; i++) {
        struct node *n = g->nodes.at[i];

        n->info_until_fresh = 0;
        n->fresh = false;
        if (n->id != g->primary && n->w.up)
            health_info_now(c, n);
    }
}

static void lead(struct core *c, struct group *g)
{
    g->fo.leads = true;
    c->counts.elections_won++;
    for (size_t i = 0; i < g->nodes.n; i++)
        g->nodes.at[i]->refused = REFUSED_NOT_ASKED;
    ask_again(c, g);
    say_news(c, NEWS_ELECTED, g, NULL);
    say_news(c, NEWS_SELECTING, g, NULL);
}

static void promote(struct core *c, struct group *g)
{
    struct node *n = model_node(c, g->fo.promoted);

    n->reconf_at_ms = c->now_ms;
    say_promote(c, n);
    health_info_now(c, n);
    say_news_node(c, NEWS_SELECTED, n, NULL);
    say_news_node(c, NEWS_SENDING_NO_ONE, n, NULL);
    say_news_node(c, NEWS_WAIT_PROMOTION, n, NULL);
}

static void fail(struct core *c, struct group *g, int64_t base_ms)
{
    c->counts.failovers_failed++;
    end_attempt(g);
    back_off(c, g, base_ms);
}

static void no_good(struct core *c, struct group *g)
{
    say_news(c, NEWS_NO_GOOD_SLAVE, g, NULL);
    for (size_t i = 0; i < g->nodes.n; i++)
        if (g->nodes.at[i]->id != g->primary)
            say_trace(c, g, "%s:%u is not promoted: %s", g->nodes.at[i]->addr.host, (unsigned)g->nodes.at[i]->addr.port,
                      refusal_name(g->nodes.at[i]->refused));
    fail(c, g, NONE_GOOD_WAIT_MS);
}

/* Its last word since we asked; a further question on its way does not silence it. */
static bool objects(const struct core *c, const struct group *g, const struct node *n)
{
    return n->id != g->primary && n->w.up && n->said_role == ROLE_REPLICA && n->follows_up &&
           addr_equal(&n->follows, &group_primary(c, g)->addr) && n->fresh;
}

static const struct node *who_objects(const struct core *c, const struct group *g)
{
    if (!g->fo.by_evidence)
        return NULL;
    for (size_t i = 0; i < g->nodes.n; i++)
        if (objects(c, g, g->nodes.at[i]))
            return g->nodes.at[i];
    return NULL;
}

static void vetoed(struct core *c, struct group *g)
{
    const struct node *n = who_objects(c, g);

    c->counts.vetoes++;
    if (n != NULL)
        say_news(c, NEWS_WITHDRAWN, g, "%s:%u is still linked to the primary", n->addr.host, (unsigned)n->addr.port);
    fail(c, g, VETO_WAIT_MS);
}

static void without_it(struct core *c, struct group *g)
{
    struct node *n = model_node(c, g->fo.promoted);

    if (n != NULL) {
        say_trace(c, g, "%s:%u cannot be promoted, choosing another", n->addr.host, (unsigned)n->addr.port);
        n->refused = REFUSED_ORDER;
    }
    ask_again(c, g);
}

/* --- acts: the primary hands over ------------------------------------------------------------------------ */

static void hand_over(struct core *c, struct group *g)
{
    struct node *n = model_node(c, g->fo.promoted);

    hand_over_send(c, g);
    say_news_node(c, NEWS_SELECTED, n, NULL);
    say_news_node(c, NEWS_SENDING_FAILOVER, group_primary(c, g), NULL);
    say_news_node(c, NEWS_WAIT_PROMOTION, n, NULL);
}

static void call_back(struct core *c, struct group *g)
{
    hand_over_call_back(c, g);
}

static void not_handed_over(struct core *c, struct group *g)
{
    say_news(c, NEWS_NOT_HANDED_OVER, g, "the primary keeps its office");
    c->counts.failovers_failed++;
    withdraw(c, g);
}

static void take_it(struct core *c, struct group *g)
{
    say_news(c, NEWS_NOT_HANDED_OVER, g, "the replica is told to take it");
    g->fo.way = WAY_TAKE;
    promote(c, g);
}

/* No order made it what it is, so nothing has been written down there. */
static void handed_over(struct core *c, struct group *g)
{
    say_keep(c, model_node(c, g->fo.promoted));
    switch_over(c, g);
}

static void call_off(struct core *c, struct group *g)
{
    hand_over_call_back(c, g);
    withdraw(c, g);
}

static void call_off_unsaved(struct core *c, struct group *g)
{
    hand_over_call_back(c, g);
    drop_unsaved(c, g);
}

static void promotion_late(struct core *c, struct group *g)
{
    say_news(c, NEWS_SLAVE_TIMEOUT, g, NULL);
    fail(c, g, NONE_GOOD_WAIT_MS);
}

/* --- acts: after the promotion ----------------------------------------------------------------------- */

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
static void switch_over(struct core *c, struct group *g)
{
    struct node *old = group_primary(c, g);
    struct node *n = model_node(c, g->fo.promoted);
    struct addr from = old->addr;

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

static void settle(struct core *c, struct group *g)
{
    say_news(c, NEWS_END, g, NULL);
    finish(c, g);
}

static void settle_late(struct core *c, struct group *g)
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

static void begin_again(struct core *c, struct group *g)
{
    say_news(c, NEWS_END, g, NULL);
    finish(c, g);
    end_attempt(g);
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
static bool repoint_some(struct core *c, struct group *g)
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

/* --- what is so now ------------------------------------------------------------------------------------ */

/* Every reachable replica has answered; who objects is asked once more while there is time.
 * One that is down hangs, and would not be chosen whatever it said. */
static bool all_answered(struct core *c, struct group *g)
{
    bool all = true;

    for (size_t i = 0; i < g->nodes.n; i++) {
        struct node *n = g->nodes.at[i];

        if (n->id == g->primary || !n->w.up || n->sdown)
            continue;
        if (!n->fresh) {
            all = false;
        } else if (g->fo.by_evidence && objects(c, g, n)) {
            all = false;
            if (c->now_ms - n->info_sent_at_ms >= REASK_VETO_MS)
                health_info_now(c, n);
            else
                wake(g, n->info_sent_at_ms + REASK_VETO_MS);
        }
    }
    return all;
}

static enum fo_event choice(struct core *c, struct group *g)
{
    struct node *n;

    if (who_objects(c, g) != NULL)
        return FE_VETOED;
    n = choose_best(c, g, true);
    g->fo.promoted = n ? n->id : 0;
    return n ? FE_CHOSEN : FE_NONE_GOOD;
}

/* An order that is on its way is waited for, even if the primary returns: calling it back
 * is not in our power. One that did not arrive is not simply given again: meanwhile the
 * primary may be back, or the chosen one may have restarted with less than it had. */
static enum fo_event promotion(struct core *c, struct group *g, bool recovered)
{
    struct node *n = model_node(c, g->fo.promoted);

    if (n == NULL || n->crashed || n->sdown || n->refused == REFUSED_ORDER)
        return recovered ? FE_RECOVERED : FE_REFUSED;
    if (n->said_role == ROLE_PRIMARY && n->info_until_fresh == 0 && n->info_at_ms >= n->reconf_at_ms)
        return FE_PROMOTED;
    if (recovered && (!n->w.up || n->info_until_fresh == 0))
        return FE_RECOVERED;
    if (n->w.up && n->info_until_fresh == 0) {
        if (c->now_ms - n->reconf_at_ms >= UNDONE_MS)
            return FE_UNDONE;
        wake(g, n->reconf_at_ms + UNDONE_MS);
    }
    return FO_EVENTS;
}

static enum fo_event what_is_so(struct core *c, struct group *g)
{
    bool over = c->now_ms >= g->fo.deadline_ms;
    bool recovered = !g->odown && !g->fo.forced;
    enum fo_event e = FO_EVENTS;

    switch (g->fo.state) {
    case FO_IDLE:
        return g->odown ? FE_ODOWN : FO_EVENTS;
    case FO_WAITING:
        e = !g->odown ? FE_RECOVERED : FO_EVENTS;
        break;
    case FO_BIDDING:
        e = election_votes(c, g) >= election_needed(g) ? FE_ELECTED
            : recovered                                ? FE_RECOVERED
            : election_settled(c, g)                   ? FE_LOST
                                                       : FO_EVENTS;
        break;
    case FO_ASKING:
        e = recovered ? FE_RECOVERED : all_answered(c, g) ? FE_ANSWERED : FO_EVENTS;
        break;
    case FO_CHOOSING:
        return choice(c, g);
    case FO_PROMOTING:
        e = promotion(c, g, recovered);
        break;
    case FO_REPOINTING:
        e = g->odown ? FE_ODOWN : repoint_some(c, g) ? FE_ALL_REPOINTED : FO_EVENTS;
        break;
    case FO_HANDING:
        e = hand_over_goes(c, g);
        break;
    case FO_CALLING_BACK:
        e = hand_over_goes_back(c, g);
        break;
    case FO_STATES:
        break;
    }
    return e != FO_EVENTS ? e : over ? FE_EXPIRED : FO_EVENTS;
}

void failover_group(struct core *c, struct group *g)
{
    if (g->formed)
        return;                    /* its primary is chosen by its voters */
    for (int moves = 0; moves < 16; moves++) {
        enum fo_event e = what_is_so(c, g);

        if (e == FO_EVENTS || !feed(c, g, e))
            break;
    }
    CHECK(g->fo.state != FO_CHOOSING);
    wake(g, ms_max(g->fo.deadline_ms, c->now_ms));
}

/* --- things that happen once ------------------------------------------------------------------------------ */

bool failover_running(const struct group *g)
{
    return g->fo.state != FO_IDLE && g->fo.state != FO_WAITING;
}

void failover_order(struct core *c, struct group *g, uint64_t ticket, bool coordinated)
{
    if (g->formed) {
        say_reply(c, ticket, "ERR This group is formed: its voters choose its primary");
        return;
    }
    if (failover_running(g)) {
        say_reply(c, ticket, "INPROG Failover already in progress");
        return;
    }
    if (choose_best(c, g, false) == NULL) {
        say_reply(c, ticket, "NOGOODSLAVE No suitable replica to promote");
        return;
    }
    if (coordinated && !hand_over_possible(c, g)) {
        say_reply(c, ticket, group_primary(c, g)->hands == HANDS_UNKNOWN
                                 ? "NOGOODPRIMARY Primary does not support FAILOVER command"
                                 : "NOGOODPRIMARY Primary is not well enough to hand over");
        return;
    }
    g->fo.way = coordinated ? WAY_HAND_OVER_ONLY : group_primary(c, g)->kvnode ? WAY_HAND_OVER : WAY_TAKE;
    say_reply(c, ticket, NULL);
    feed(c, g, FE_MANUAL);
    touch(c, g);
}

void failover_order_done(struct core *c, struct node *n, enum order what, bool ok, const char *why)
{
    struct group *g = node_group(c, n);

    if (!ok)
        say_trace(c, g, "%s:%u did not carry out the order to %s: %s", n->addr.host, (unsigned)n->addr.port,
                  order_name(what), why ? why : "no reason given");
    if (!ok && what == ORDER_HAND_OVER && g->fo.state == FO_HANDING && n->id == g->primary)
        g->fo.hand_refused = true;
    if (!ok && what == ORDER_PROMOTE && g->fo.state == FO_PROMOTING && g->fo.promoted == n->id)
        n->refused = REFUSED_ORDER;
    touch(c, g);
}

void failover_supports(struct core *c, struct group *g)
{
    feed(c, g, FE_SUPPORTS);
}

void failover_leader_gone(struct core *c, struct group *g)
{
    feed(c, g, FE_LEADER_GONE);
}

void failover_settled_elsewhere(struct core *c, struct group *g)
{
    if (!feed(c, g, FE_SETTLED_ELSEWHERE))
        withdraw(c, g);
}

void failover_save_failed(struct core *c, struct group *g)
{
    feed(c, g, FE_SAVE_FAILED);
    touch(c, g);
}
