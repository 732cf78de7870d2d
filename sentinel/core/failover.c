/* From "a quorum sees the primary down" to "every replica follows the new one". The table
 * says what may happen; only the driver below it moves a group from state to state and
 * sets the deadline of the state it enters.
 *
 * The driver is fed in two ways. Things that happen once (an operator's order, a vote for
 * another, a newer configuration) are fed when they happen. Things that are so (odown, a
 * majority, a deadline that has passed) are looked up whenever the group is touched, and
 * fed as long as they lead anywhere. */
#include "sentinel/core/failover.h"
#include "sentinel/core/failover_acts.h"

#define REASK_VETO_MS 20           /* a replica that objects is asked again: it may not have noticed yet */
#define UNDONE_MS 1000             /* an order that was not carried out by then did not arrive */

typedef bool guard(struct core *c, struct group *g);

static guard is_forced, may_bid, hands_over, keeps_it, must_seal, nobody_sealed;

const struct fo_row fo_table[] = {
/*    in             on                     when        act                       then             because */
    { FO_IDLE,         FE_ODOWN,              NULL,       attempt_wait_turn,        FO_WAITING,      "a quorum sees the primary down" },
    { FO_IDLE,         FE_MANUAL,             NULL,       attempt_bid_by_order,     FO_BIDDING,      "an operator asked for it" },
    { FO_IDLE,         FE_SUPPORTS,           NULL,       attempt_stand_back,       FO_IDLE,         "we voted for another: it shall have its time" },
    { FO_IDLE,         FE_LEADER_GONE,        NULL,       attempt_hurry,            FO_IDLE,         "the one we voted for is gone" },

    { FO_WAITING,      FE_RECOVERED,          NULL,       attempt_withdraw,         FO_IDLE,         "the primary is back before anybody moved" },
    { FO_WAITING,      FE_MANUAL,             NULL,       attempt_bid_by_order,     FO_BIDDING,      "an operator does not wait" },
    { FO_WAITING,      FE_EXPIRED,            may_bid,    attempt_bid,              FO_BIDDING,      "it is our turn to ask for votes" },
    { FO_WAITING,      FE_EXPIRED,            NULL,       attempt_wait_more,        FO_WAITING,      "no majority at hand, or nobody to promote" },
    { FO_WAITING,      FE_SUPPORTS,           NULL,       attempt_stand_back,       FO_WAITING,      "we voted for another: it shall have its time" },
    { FO_WAITING,      FE_LEADER_GONE,        NULL,       attempt_hurry,            FO_WAITING,      "the one we voted for is gone" },
    { FO_WAITING,      FE_SETTLED_ELSEWHERE,  NULL,       attempt_withdraw,         FO_IDLE,         "a newer configuration settles it" },

    { FO_BIDDING,      FE_ELECTED,            NULL,       leading_lead,             FO_ASKING,       "a majority gave us this epoch" },
    { FO_BIDDING,      FE_LOST,               is_forced,  leading_lead,             FO_ASKING,       "no majority, but an operator's order needs none" },
    { FO_BIDDING,      FE_LOST,               NULL,       attempt_withdraw_bid,     FO_WAITING,      "every answer is in and it is no majority" },
    { FO_BIDDING,      FE_EXPIRED,            is_forced,  leading_lead,             FO_ASKING,       "no majority in time, but an operator's order needs none" },
    { FO_BIDDING,      FE_EXPIRED,            NULL,       attempt_withdraw_bid,     FO_WAITING,      "no majority in time, let another try" },
    { FO_BIDDING,      FE_RECOVERED,          NULL,       attempt_give_up_bid,      FO_IDLE,         "the primary is back" },
    { FO_BIDDING,      FE_SUPPORTS,           NULL,       attempt_stand_back,       FO_WAITING,      "a newer epoch has our vote" },
    { FO_BIDDING,      FE_SETTLED_ELSEWHERE,  NULL,       attempt_withdraw,         FO_IDLE,         "a newer configuration settles it" },
    { FO_BIDDING,      FE_SAVE_FAILED,        NULL,       attempt_drop_unsaved,     FO_IDLE,         "our vote is not on disk, so it was not given" },

    { FO_ASKING,       FE_ANSWERED,           NULL,       NULL,                     FO_CHOOSING,     "every reachable replica told its offset" },
    { FO_ASKING,       FE_EXPIRED,            NULL,       NULL,                     FO_CHOOSING,     "who did not answer is not waited for" },
    { FO_ASKING,       FE_RECOVERED,          NULL,       attempt_give_up_bid,      FO_IDLE,         "the primary is back" },
    { FO_ASKING,       FE_SUPPORTS,           NULL,       attempt_stand_back,       FO_WAITING,      "a newer epoch has our vote" },
    { FO_ASKING,       FE_SETTLED_ELSEWHERE,  NULL,       attempt_withdraw,         FO_IDLE,         "a newer configuration settles it" },
    { FO_ASKING,       FE_SAVE_FAILED,        NULL,       attempt_drop_unsaved,     FO_IDLE,         "our vote is not on disk, so it was not given" },

    { FO_CHOOSING,     FE_CHOSEN,             hands_over, leading_hand_over,        FO_HANDING,      "the primary hands over to the best replica of this moment" },
    { FO_CHOOSING,     FE_CHOSEN,             keeps_it,   leading_not_handed_over,  FO_IDLE,         "the primary cannot hand over any more" },
    { FO_CHOOSING,     FE_CHOSEN,             must_seal,  leading_seal,             FO_SEALING,      "first they are drawn off the old primary, so that where they are is where they stay" },
    { FO_CHOOSING,     FE_CHOSEN,             NULL,       leading_promote,          FO_PROMOTING,    "the best replica of this moment" },
    { FO_CHOOSING,     FE_NONE_GOOD,          NULL,       leading_no_good,          FO_IDLE,         "no replica is fit" },
    { FO_CHOOSING,     FE_VETOED,             NULL,       leading_vetoed,           FO_IDLE,         "a replica is still linked to the primary" },

    { FO_SEALING,      FE_ANSWERED,           NULL,       NULL,                     FO_CHOOSING,     "every reachable replica is sealed and told its offset" },
    { FO_SEALING,      FE_EXPIRED,            nobody_sealed, NULL,                  FO_SEALING,      "without any answer there is nobody to promote" },
    { FO_SEALING,      FE_EXPIRED,            NULL,       NULL,                     FO_CHOOSING,     "who did not answer is not waited for" },
    { FO_SEALING,      FE_RECOVERED,          NULL,       attempt_give_up_bid,      FO_IDLE,         "the primary is back" },
    { FO_SEALING,      FE_SUPPORTS,           NULL,       attempt_stand_back,       FO_WAITING,      "a newer epoch has our vote" },
    { FO_SEALING,      FE_SETTLED_ELSEWHERE,  NULL,       attempt_withdraw,         FO_IDLE,         "a newer configuration settles it" },
    { FO_SEALING,      FE_SAVE_FAILED,        NULL,       attempt_drop_unsaved,     FO_IDLE,         "our vote is not on disk, so it was not given" },

    { FO_PROMOTING,    FE_PROMOTED,           NULL,       repoint_switch_over,      FO_REPOINTING,   "the replica now says it is primary" },
    { FO_PROMOTING,    FE_RECOVERED,          NULL,       attempt_give_up_bid,      FO_IDLE,         "the primary is back, and the order was not carried out" },
    { FO_PROMOTING,    FE_REFUSED,            NULL,       leading_without_it,       FO_ASKING,       "the chosen replica cannot: ask the others anew" },
    { FO_PROMOTING,    FE_UNDONE,             NULL,       leading_ask_again,        FO_ASKING,       "the order did not arrive: what we knew is old, ask anew" },
    { FO_PROMOTING,    FE_EXPIRED,            NULL,       leading_promotion_late,   FO_IDLE,         "the replica never confirmed" },
    { FO_PROMOTING,    FE_SETTLED_ELSEWHERE,  NULL,       attempt_withdraw,         FO_IDLE,         "a newer configuration settles it" },
    { FO_PROMOTING,    FE_SAVE_FAILED,        NULL,       attempt_drop_unsaved,     FO_IDLE,         "our vote is not on disk, so it was not given" },

    { FO_HANDING,      FE_PROMOTED,           NULL,       repoint_switch_over,      FO_REPOINTING,   "the replica now says it is primary" },
    { FO_HANDING,      FE_REFUSED,            NULL,       leading_call_back,        FO_CALLING_BACK, "the primary does not hand over" },
    { FO_HANDING,      FE_EXPIRED,            NULL,       leading_call_back,        FO_CALLING_BACK, "its writers have waited long enough" },
    { FO_HANDING,      FE_SETTLED_ELSEWHERE,  NULL,       leading_call_off,         FO_IDLE,         "a newer configuration settles it" },
    { FO_HANDING,      FE_SAVE_FAILED,        NULL,       leading_call_off_unsaved, FO_IDLE,         "our vote is not on disk, so it was not given" },

    { FO_CALLING_BACK, FE_PROMOTED,           NULL,       repoint_switch_over,      FO_REPOINTING,   "the order was faster than its recall" },
    { FO_CALLING_BACK, FE_UNDONE,             keeps_it,   leading_not_handed_over,  FO_IDLE,         "all is as it was" },
    { FO_CALLING_BACK, FE_UNDONE,             NULL,       leading_take_it,          FO_ASKING,       "then without its help, as an operator asked for it" },
    { FO_CALLING_BACK, FE_EXPIRED,            keeps_it,   leading_not_handed_over,  FO_IDLE,         "nobody says how it stands: repair sees to that" },
    { FO_CALLING_BACK, FE_EXPIRED,            NULL,       leading_take_it,          FO_ASKING,       "nobody says how it stands, and an operator asked for it" },
    { FO_CALLING_BACK, FE_SETTLED_ELSEWHERE,  NULL,       attempt_withdraw,         FO_IDLE,         "a newer configuration settles it" },
    { FO_CALLING_BACK, FE_SAVE_FAILED,        NULL,       attempt_drop_unsaved,     FO_IDLE,         "our vote is not on disk, so it was not given" },

    { FO_REPOINTING,   FE_ALL_REPOINTED,      NULL,       repoint_settle,           FO_IDLE,         "every reachable replica follows it" },
    { FO_REPOINTING,   FE_EXPIRED,            NULL,       repoint_settle_late,      FO_IDLE,         "stragglers are fixed up later" },
    { FO_REPOINTING,   FE_ODOWN,              NULL,       repoint_begin_again,      FO_IDLE,         "the new primary is down too" },
    { FO_REPOINTING,   FE_SUPPORTS,           NULL,       attempt_stand_back,       FO_IDLE,         "the next failover has begun elsewhere" },
    { FO_REPOINTING,   FE_SETTLED_ELSEWHERE,  NULL,       attempt_withdraw,         FO_IDLE,         "a newer configuration settles it" },
};
const size_t fo_rows = sizeof fo_table / sizeof fo_table[0];

const struct fo_nothing fo_ignored[] = {
    { FO_IDLE,       FE_SETTLED_ELSEWHERE, "there is nothing to withdraw" },
    { FO_IDLE,       FE_SAVE_FAILED,       "no attempt stands on that save" },
    { FO_WAITING,    FE_SAVE_FAILED,       "no attempt stands on that save" },
    { FO_BIDDING,    FE_LEADER_GONE,       "we bid already" },
    { FO_ASKING,     FE_LEADER_GONE,       "we lead" },
    { FO_SEALING,    FE_LEADER_GONE,       "we lead" },
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
        return c->now_ms + election_patience_ms(c, g);
    case FO_ASKING:
        return c->now_ms + c->timing.asking_ms;
    case FO_SEALING:
        return c->now_ms + c->timing.sealing_ms;
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

/* The only place where fo.state is assigned; its deadline is moved by failover_held_up alone. */
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

/* Our vote for ourselves was so long on its way to the disk: nobody was asked before. */
void failover_held_up(struct group *g, int64_t ms)
{
    if (g->fo.state == FO_BIDDING)
        g->fo.deadline_ms = ms_add(g->fo.deadline_ms, ms);
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

static bool must_seal(struct core *c, struct group *g)
{
    return seal_wanted(c, g);
}

/* It may hang for a moment, all of them may. */
static bool nobody_sealed(struct core *c, struct group *g)
{
    return !seal_any(g) && c->now_ms < g->fo.started_at_ms + g->opt[GOPT_FAILOVER_TIMEOUT_MS];
}

/* An epoch that cannot be won, or that would end without a replica, is not worth the
 * votes of the others. The first attempt is made in any case when a majority is at hand:
 * the operator sees in its events why it fails. */
static bool may_bid(struct core *c, struct group *g)
{
    return election_usable(c, g) >= election_needed(g) && (g->fo.tries == 0 || choose_possible(c, g));
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
        } else if (g->fo.by_evidence && leading_objects(c, g, n)) {
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

    if (leading_who_objects(c, g) != NULL)
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
    case FO_SEALING:
        e = recovered ? FE_RECOVERED : seal_answered(g) ? FE_ANSWERED : FO_EVENTS;
        break;
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
    if (coordinated)
        g->fo.way = WAY_HAND_OVER_ONLY;
    else
        g->fo.way = hand_over_possible(c, g) ? WAY_HAND_OVER : WAY_TAKE;
    say_reply(c, ticket, NULL);
    feed(c, g, FE_MANUAL);
    touch(c, g);
}

/* What we made it it may not be after its restart: a node without a configuration file, or with one that cannot be written. */
static void note_kept(struct core *c, struct node *n, bool kept, const char *why)
{
    if (kept == !n->loose)
        return;
    n->loose = !kept;
    say_news_node(c, kept ? NEWS_ROLE_LOOSE_OVER : NEWS_ROLE_LOOSE, n, kept ? NULL : "#%s", why);
}

void failover_order_done(struct core *c, struct node *n, const struct event *ev)
{
    struct group *g = node_group(c, n);
    enum order what = ev->u.order.what;
    const char *why = ev->u.order.why && ev->u.order.why[0] ? ev->u.order.why : "no reason given";
    bool ok = ev->u.order.ok, is_role = what == ORDER_REPOINT;

    if (!ok && what != ORDER_KEEP)
        say_trace(c, g, "%s:%u did not carry out the order to %s: %s", n->addr.host, (unsigned)n->addr.port,
                  order_name(what), why);
    n->owed &= what != ORDER_KEEP;
    if (what == ORDER_KEEP || (ok && is_role))
        note_kept(c, n, ev->u.order.kept, why);
    if (what == ORDER_HAND_OVER && ok && n->id == g->primary)
        n->took_at_ms = c->now_ms;         /* from now on it lets its writers wait */
    if (!ok && what == ORDER_HAND_OVER && g->fo.state == FO_HANDING && n->id == g->primary)
        g->fo.hand_refused = true;
    if (!ok && what == ORDER_PROMOTE && g->fo.state == FO_PROMOTING && g->fo.promoted == n->id)
        n->refused = REFUSED_ORDER;
    if (what == ORDER_SEAL)
        seal_order_done(c, n, ok);
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
        attempt_withdraw(c, g);
}

void failover_save_failed(struct core *c, struct group *g)
{
    feed(c, g, FE_SAVE_FAILED);
    touch(c, g);
}
