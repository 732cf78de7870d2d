/* Who is well: links and answers -> subjectively down; enough sentinels that say so ->
 * objectively down. Also the chores that keep the evidence coming (PING, INFO, hello,
 * asking peers), each sent when it is due and nowhere else.
 *
 * Two ways to be down. Silence: no good answer for down-after. Evidence: an established
 * link closed and the reconnect was refused, so the host lives and the process is gone.
 *
 *   link closed ──► was_closed ──► refused ──► crashed: down now, no waiting
 *        │                           ▲
 *        └── comes up again: nothing happened (a CLIENT KILL, a restart: see the run id)
 *
 * Silence is judged on a tick only: whoever hands in events tells what has arrived before it
 * tells the time. And nobody is silent because we, or the machine we share, are slow: what our
 * own turns came late while an answer was owed is added to down-after (up to half of it), and
 * so is what its answers took of late (up to a quarter).
 *
 * When our own turn came late (a suspended machine, a starved process) then it was we
 * who were silent. We distrust only what that spoils: the windows of silence begin anew
 * and old evidence is dropped. Votes and peers' words are as good as ever. */
#include "sentinel/core/inside.h"

#define REASK_MS 3                 /* a peer that disagreed is asked again no sooner than this */
#define SUB_SILENT_HELLOS 3        /* a subscribed link without a hello for so many periods is stuck */
#define SAYS_LASTS_ASKS 5          /* what a peer said holds for so many asking periods */
#define RECONF_LOOK_MS 250         /* INFO of a replica that is just being repointed */
#define LOADING_LOOK_MS 10         /* INFO of who loads: this often at first, */
#define LOADING_PART 10            /* then no later than this part of the time it has taken */
#define PINGS_IN_DOWN_AFTER 10     /* a hang is noticed at most this part of down-after late */
#define PINGS_IF_FORMED 20         /* ... where the control link answers, whatever the node is busy with */
#define PING_MIN_MS 10
#define LOOKS_IN_DOWN_AFTER 20     /* while the primary owes an answer, our own lateness is noticed to this part of down-after */
#define LATE_MIN_MS 5              /* timers are no more exact than that */
#define SLOW_MIN_MS 20             /* quicker than that is not slow */
#define SLOW_FADES 8               /* a slow answer is forgotten by an eighth with each quicker one */

/* --- time ------------------------------------------------------------------------------- */

static void silence_begins_anew(const struct core *c, struct watch *w)
{
    if (w->waiting_since_ms != 0)
        w->waiting_since_ms = c->now_ms;
    w->late_before_ms = c->late_total_ms;
    w->good_at_ms = c->now_ms;
}

static void watch_again(const struct core *c, struct watch *w)
{
    silence_begins_anew(c, w);
    w->answer_at_ms = c->now_ms;
}

static void node_again(const struct core *c, struct node *n)
{
    int64_t now = c->now_ms;

    watch_again(c, &n->w);
    n->was_closed = n->was_refused = n->crashed = false;
    n->heard_at_ms = now;
    n->said_role_at_ms = now;
    n->follows_at_ms = now;
    if (n->rebooted)
        n->rebooted_at_ms = now;
}

static void distrust(struct core *c, int64_t late_ms)
{
    if (c->tilt_since_ms == 0)
        say_news_bare(c, NEWS_TILT, NULL, "#tilt mode entered");
    say_trace(c, NULL, "this turn came %lld ms late: the windows of silence begin anew", (long long)late_ms);
    c->counts.tilts++;
    c->tilt_since_ms = c->now_ms;
    c->tilt_until_ms = c->now_ms + c->timing.tilt_period_ms;
    for (size_t i = 0; i < c->groups.n; i++) {
        struct group *g = c->groups.at[i];

        for (size_t k = 0; k < g->nodes.n; k++)
            node_again(c, g->nodes.at[k]);
        touch(c, g);
    }
    for (size_t i = 0; i < c->peers.n; i++)
        watch_again(c, &c->peers.at[i]->w);
}

void health_clock(struct core *c, int64_t now_ms)
{
    int64_t late_ms = now_ms - ms_max(c->now_ms, c->expected_ms == NEVER_MS ? now_ms : c->expected_ms);
    bool first = c->now_ms == 0;

    c->now_ms = ms_max(c->now_ms, now_ms);
    if (!first && late_ms > c->timing.tilt_trigger_ms)
        distrust(c, late_ms);
    else if (!first && late_ms > LATE_MIN_MS)
        c->late_total_ms += late_ms;
    if (c->tilt_since_ms != 0 && c->now_ms >= c->tilt_until_ms) {
        c->tilt_since_ms = 0;
        say_news_bare(c, NEWS_TILT_OVER, NULL, "#tilt mode exited");
    }
}

/* --- links ------------------------------------------------------------------------------- */

static void send_ping(struct core *c, struct watch *w, struct link_ref l)
{
    say_link(c, ACT_PING, l);
    w->ping_sent_at_ms = c->now_ms;
    if (w->waiting_since_ms == 0) {
        w->waiting_since_ms = c->now_ms;
        w->late_before_ms = c->late_total_ms;
    }
}

static void send_info(struct core *c, struct node *n)
{
    say_link(c, ACT_INFO, link_cmd(n));
    n->info_sent_at_ms = c->now_ms;
    n->info_open++;
}

void health_info_now(struct core *c, struct node *n)
{
    send_info(c, n);
    n->info_until_fresh = n->info_open;
}

void health_ping_peer(struct core *c, struct peer *p)
{
    send_ping(c, &p->w, link_peer(p));
}

static void ask(struct core *c, struct group *g, struct seat *s, struct peer *p)
{
    bool bidding = g->fo.state == FO_BIDDING;

    say_ask(c, g, p, bidding ? g->fo.epoch : c->current_epoch, bidding ? c->my_id : "");
    s->asked_at_ms = c->now_ms;
    s->asks_open++;
}

static void node_up(struct core *c, struct node *n, enum link_kind kind)
{
    if (kind == LINK_NODE_SUB) {
        n->sub_up = true;
        n->sub_since_ms = n->heard_at_ms = c->now_ms;
    } else {
        n->w.up = true;
        n->w.up_since_ms = c->now_ms;
        n->info_open = n->info_until_fresh = 0;
        n->hello_sent_at_ms = 0;
        send_ping(c, &n->w, link_cmd(n));
        send_info(c, n);
        if (n->owed)                       /* the order, or its answer, was lost with the link */
            say_keep(c, n);
    }
    n->was_closed = n->was_refused = false;
    touch(c, node_group(c, n));
}

static void node_down(struct core *c, struct node *n, enum link_kind kind, enum link_how how)
{
    if (kind == LINK_NODE_SUB) {
        n->sub_up = false;
        n->sub_since_ms = NEVER_MS;
    } else {
        n->w.up = false;
        n->w.up_since_ms = NEVER_MS;
        n->info_open = n->info_until_fresh = 0;
        if (n->seal == SEAL_SENT)
            n->seal = SEAL_NONE;           /* its answer will not come */
    }
    if (how == HOW_CLOSED)
        n->was_closed = true;
    if (how == HOW_REFUSED)
        n->was_refused = true;
    if (n->was_closed && n->was_refused && !n->crashed && !n->w.up && !n->sub_up) {
        n->crashed = true;
        n->crashed_at_ms = c->now_ms;
        say_news_node(c, NEWS_CRASH_EVIDENCE, n, NULL);
    }
    touch(c, node_group(c, n));
}

static void peer_up(struct core *c, struct peer *p)
{
    p->w.up = true;
    p->w.up_since_ms = c->now_ms;
    send_ping(c, &p->w, link_peer(p));
    for (size_t i = 0; i < p->groups.n; i++) {
        struct group *g = model_group(c, p->groups.at[i]);
        struct seat *s = group_seat(g, p->id);

        s->hello_sent_at_ms = s->asked_at_ms = 0;
        touch(c, g);
    }
}

static void peer_down(struct core *c, struct peer *p)
{
    bool was_up = p->w.up;

    p->w.up = false;
    p->w.up_since_ms = NEVER_MS;
    if (!was_up)
        return;
    for (size_t i = 0; i < p->groups.n; i++) {
        struct group *g = model_group(c, p->groups.at[i]);

        group_seat(g, p->id)->asks_open = group_seat(g, p->id)->asks_stale = 0;
        if (strcmp(g->leader, p->run_id) == 0 && g->leader_epoch > g->config_epoch)
            failover_leader_gone(c, g);
        touch(c, g);
    }
}

void health_link_up(struct core *c, struct link_ref l)
{
    struct node *n = l.kind == LINK_PEER ? NULL : model_node(c, l.id);
    struct peer *p = l.kind == LINK_PEER ? model_peer(c, l.id) : NULL;

    if (n != NULL)
        node_up(c, n, l.kind);
    if (p != NULL) {
        peer_up(c, p);
        due_set(c, &p->due, c->now_ms + c->ping_peers_ms);
    }
}

void health_link_down(struct core *c, struct link_ref l, enum link_how how)
{
    struct node *n = l.kind == LINK_PEER ? NULL : model_node(c, l.id);
    struct peer *p = l.kind == LINK_PEER ? model_peer(c, l.id) : NULL;

    if (n != NULL)
        node_down(c, n, l.kind, how);
    if (p != NULL)
        peer_down(c, p);
}

/* --- answers ------------------------------------------------------------------------------ */

static void watch_pong(struct core *c, struct watch *w, enum pong what)
{
    w->answer_at_ms = c->now_ms;
    if (what <= PONG_MASTERDOWN) {
        int64_t took_ms = w->waiting_since_ms != 0 ? c->now_ms - w->waiting_since_ms : 0;

        w->slow_ms = ms_max(took_ms < SLOW_MIN_MS ? 0 : took_ms, w->slow_ms - (w->slow_ms + SLOW_FADES - 1) / SLOW_FADES);
        w->good_at_ms = c->now_ms;
        w->waiting_since_ms = 0;
    }
}

void health_pong(struct core *c, struct link_ref l, enum pong what)
{
    struct node *n = l.kind == LINK_NODE_CMD ? model_node(c, l.id) : NULL;
    struct peer *p = l.kind == LINK_PEER ? model_peer(c, l.id) : NULL;

    if (n != NULL) {
        watch_pong(c, &n->w, what);
        if (n->sdown)
            n->w.slow_ms = 0;              /* that was an outage; how quick it is from now on is another matter */
        if (n->crashed) {
            n->crashed = false;
            say_news_node(c, NEWS_CRASH_EVIDENCE_OVER, n, NULL);
        }
        if (what == PONG_OK)
            n->rebooted = false;
        if (what == PONG_OK && n->said_role == ROLE_PRIMARY && n->hands != HANDS_OVER)
            n->took_at_ms = c->now_ms;
        if (what == PONG_BUSY && n->sdown)
            say_link(c, ACT_SCRIPT_KILL, l);
        touch(c, node_group(c, n));
    }
    if (p != NULL) {
        watch_pong(c, &p->w, what);
        for (size_t i = 0; i < p->groups.n; i++) {
            struct group *g = model_group(c, p->groups.at[i]);

            if (group_seat(g, p->id)->sdown || g->fo.leads)
                touch(c, g);
        }
    }
}

void health_answer(struct core *c, const struct event *ev)
{
    struct group *g = model_group(c, ev->group);
    struct seat *s = g ? group_seat(g, ev->link.id) : NULL;

    if (s == NULL)
        return;
    if (s->asks_open > 0)
        s->asks_open--;
    if (s->asks_stale > 0) {               /* a vote is a vote, but this word is about another node */
        s->asks_stale--;
    } else {
        s->says_down = ev->u.answer.down;
        s->says_at_ms = c->now_ms;
    }
    if (ev->u.answer.leader != NULL && ev->u.answer.leader[0] != '\0') {
        if (slice_copy_z(slice_z(ev->u.answer.leader), s->voted_for, sizeof s->voted_for))
            s->voted_epoch = ev->u.answer.leader_epoch;
    }
    touch(c, g);
}

/* Whoever asks about a primary that we hold down holds it down too (that is when one
 * asks). So those who denied it last time may have changed their mind: ask them again
 * now, not when the period comes round. */
void health_suspected(struct core *c, struct group *g)
{
    if (!group_primary(c, g)->sdown || g->odown)
        return;
    for (size_t i = 0; i < g->seats.n; i++) {
        struct seat *s = &g->seats.at[i];

        if (!s->says_down && s->asked_at_ms > c->now_ms - c->timing.ask_ms + REASK_MS)
            s->asked_at_ms = ms_min(s->asked_at_ms, c->now_ms - c->timing.ask_ms + REASK_MS);
    }
    touch(c, g);
}

/* --- chores -------------------------------------------------------------------------------- */

/* Due now? If not, be woken when it is. */
static bool is_due(struct core *c, struct group *g, int64_t at_ms)
{
    if (c->now_ms >= at_ms)
        return true;
    wake(g, at_ms);
    return false;
}

static int64_t info_period(const struct core *c, const struct group *g, const struct node *n)
{
    bool replica = n->id != g->primary;
    int64_t period = c->timing.info_ms;

    if (replica && (g->odown || failover_running(g) || !n->follows_up || n->said_role != ROLE_REPLICA))
        period = ms_min(period, c->timing.info_fast_ms);
    if (replica && n->loading && n->said_role == ROLE_PRIMARY)     /* an old primary that is back takes orders when it is through */
        period = ms_min(period, ms_max(LOADING_LOOK_MS, (c->now_ms - n->w.up_since_ms) / LOADING_PART));
    if (!replica && (n->said_role != ROLE_PRIMARY || g->formed))       /* formed: who joins shall soon be a member */
        period = ms_min(period, c->timing.info_fast_ms);
    if ((n->reconf == RECONF_SENT || n->reconf == RECONF_IN_PROGRESS) && c->now_ms - n->reconf_at_ms < 3000)
        period = ms_min(period, RECONF_LOOK_MS);
    return period;
}

/* Silence counts from the first PING that stays without answer, so a primary that hangs is
 * found up to one period late: its period is a small part of down-after. Who owes an answer
 * already is not asked faster, and nobody waits for a replica that hangs. */
static int64_t ping_period(const struct core *c, const struct group *g, const struct node *n)
{
    int64_t period = ms_min(c->timing.ping_ms, g->opt[GOPT_DOWN_AFTER_MS]);

    if (n->id == g->primary && n->w.waiting_since_ms == 0)
        period = ms_min(period, ms_max(g->opt[GOPT_DOWN_AFTER_MS] / (g->formed ? PINGS_IF_FORMED : PINGS_IN_DOWN_AFTER), PING_MIN_MS));
    return period;
}

static void node_chores(struct core *c, struct group *g, struct node *n)
{
    int64_t ping_ms = ping_period(c, g, n);

    if (!n->w.up)
        return;
    if (is_due(c, g, n->w.ping_sent_at_ms + ping_ms)) {
        send_ping(c, &n->w, link_cmd(n));
        wake(g, c->now_ms + ping_ms);
    }
    if (is_due(c, g, n->info_sent_at_ms + info_period(c, g, n))) {
        send_info(c, n);
        wake(g, c->now_ms + info_period(c, g, n));
    }
    if (is_due(c, g, n->hello_sent_at_ms + c->timing.hello_ms)) {
        say_hello(c, g, link_cmd(n));
        n->hello_sent_at_ms = c->now_ms;
        wake(g, c->now_ms + c->timing.hello_ms);
    }
}

/* A link on which nothing comes back any more, though it was never closed. */
static bool link_is_stuck(struct core *c, struct group *g, const struct watch *w)
{
    int64_t half = g->opt[GOPT_DOWN_AFTER_MS] / 2 + 1;

    return w->up && w->waiting_since_ms != 0 &&
           is_due(c, g, w->up_since_ms + c->timing.link_stuck_ms) &&
           is_due(c, g, w->waiting_since_ms + half) && is_due(c, g, w->answer_at_ms + half);
}

static void drop_stuck_links(struct core *c, struct group *g, struct node *n)
{
    if (link_is_stuck(c, g, &n->w)) {
        say_news_node(c, NEWS_CMD_LINK_DROP, n, NULL);
        say_link(c, ACT_LINK_DROP, link_cmd(n));
        n->w.up = false;
        n->w.up_since_ms = NEVER_MS;
    }
    if (n->sub_up && is_due(c, g, n->sub_since_ms + c->timing.link_stuck_ms) &&
        is_due(c, g, n->heard_at_ms + SUB_SILENT_HELLOS * c->timing.hello_ms + 1)) {
        say_news_node(c, NEWS_SUB_LINK_DROP, n, NULL);
        say_link(c, ACT_LINK_DROP, link_sub(n));
        n->sub_up = false;
        n->sub_since_ms = NEVER_MS;
    }
}

static void seat_chores(struct core *c, struct group *g, struct seat *s, bool doubt)
{
    struct peer *p = model_peer(c, s->peer);

    if (!p->w.up)
        return;
    if (is_due(c, g, s->hello_sent_at_ms + c->timing.hello_ms)) {
        say_hello(c, g, link_peer(p));
        s->hello_sent_at_ms = c->now_ms;
        wake(g, c->now_ms + c->timing.hello_ms);
    }
    if (doubt && is_due(c, g, s->asked_at_ms + c->timing.ask_ms)) {
        ask(c, g, s, p);
        wake(g, c->now_ms + c->timing.ask_ms);
    }
}

void health_hello_all(struct core *c, struct group *g)
{
    for (size_t i = 0; i < g->nodes.n; i++)
        g->nodes.at[i]->hello_sent_at_ms = 0;
    for (size_t i = 0; i < g->seats.n; i++) {
        struct peer *p = model_peer(c, g->seats.at[i].peer);

        if (p->w.up)
            say_hello(c, g, link_peer(p));
        g->seats.at[i].hello_sent_at_ms = c->now_ms;
    }
    for (size_t i = 0; i < g->nodes.n; i++) {
        struct node *n = g->nodes.at[i];

        if (n->w.up)
            say_hello(c, g, link_cmd(n));
        n->hello_sent_at_ms = c->now_ms;
    }
}

void health_peer(struct core *c, struct peer *p)
{
    int64_t half = 0;

    if (!p->w.up) {
        due_set(c, &p->due, NEVER_MS);
        return;
    }
    for (size_t i = 0; i < p->groups.n; i++)
        half = ms_max(half, model_group(c, p->groups.at[i])->opt[GOPT_DOWN_AFTER_MS] / 2 + 1);
    if (p->w.waiting_since_ms != 0 && c->now_ms - p->w.up_since_ms >= c->timing.link_stuck_ms &&
        c->now_ms - p->w.waiting_since_ms >= half && c->now_ms - p->w.answer_at_ms >= half) {
        say_link(c, ACT_LINK_DROP, link_peer(p));
        peer_down(c, p);
        due_set(c, &p->due, NEVER_MS);
        return;
    }
    if (c->now_ms >= p->w.ping_sent_at_ms + c->ping_peers_ms)
        send_ping(c, &p->w, link_peer(p));
    due_set(c, &p->due, p->w.ping_sent_at_ms + c->ping_peers_ms);
}

/* --- verdicts -------------------------------------------------------------------------------- */

int64_t health_silent_ms(const struct core *c, const struct watch *w)
{
    if (w->waiting_since_ms != 0)
        return c->now_ms - w->waiting_since_ms;
    return w->up ? 0 : c->now_ms - w->good_at_ms;
}

static int64_t silence_allowed_ms(const struct core *c, const struct group *g, const struct watch *w)
{
    int64_t limit_ms = g->opt[GOPT_DOWN_AFTER_MS];

    if (w->waiting_since_ms == 0)
        return limit_ms;
    return limit_ms + ms_min(c->late_total_ms - w->late_before_ms, limit_ms / 2) + ms_min(w->slow_ms, limit_ms / 4);
}

/* was: it was too silent before. Be woken when this silence, should it last, becomes too long. */
static bool too_silent(struct core *c, struct group *g, const struct watch *w, bool was)
{
    int64_t silent_ms = health_silent_ms(c, w);
    int64_t limit_ms = silence_allowed_ms(c, g, w);

    if (silent_ms > limit_ms && (was || c->hears_all))
        return true;
    if (silent_ms > limit_ms) {
        wake(g, c->now_ms);                /* the tick comes when everything that is here has been told */
        return false;
    }
    if (w->waiting_since_ms != 0 || !w->up)
        wake(g, c->now_ms - silent_ms + limit_ms + 1);
    return false;
}

/* A primary that says it is a replica. When another node calls itself primary, the news
 * of a failover is probably on its way to us; when nobody does, nobody takes writes; and when
 * it follows just that other one, it has handed over, and who asked for it is gone. */
static bool in_wrong_role(struct core *c, struct group *g, const struct node *n)
{
    int64_t info_ms = c->timing.info_fast_ms;

    if (n->id != g->primary || g->formed || n->said_role != ROLE_REPLICA || !n->w.up)
        return false;
    for (size_t i = 0; i < g->nodes.n; i++)
        if (g->nodes.at[i]->said_role != ROLE_REPLICA && g->nodes.at[i]->w.up && !choose_has_office(c, g, g->nodes.at[i]))
            info_ms = c->timing.info_ms;
    return is_due(c, g, n->said_role_at_ms + g->opt[GOPT_DOWN_AFTER_MS] + 2 * info_ms);
}

static bool is_down(struct core *c, struct group *g, struct node *n)
{
    if (too_silent(c, g, &n->w, n->sdown))
        return true;
    if (n->crashed && g->opt[GOPT_CRASH_EVIDENCE])
        return true;
    if (in_wrong_role(c, g, n))
        return true;
    return n->rebooted && g->opt[GOPT_REBOOT_DOWN_AFTER_MS] > 0 &&
           is_due(c, g, n->rebooted_at_ms + g->opt[GOPT_REBOOT_DOWN_AFTER_MS]);
}

/* What our turns came late is known only by deadlines that passed, and who waits for an answer may have none for a second:
 * so it makes some. */
static void look_at_the_clock(const struct core *c, struct group *g, const struct node *n)
{
    int64_t every_ms = ms_max(g->opt[GOPT_DOWN_AFTER_MS] / LOOKS_IN_DOWN_AFTER, PING_MIN_MS);

    if (n->id == g->primary && !n->sdown && n->w.waiting_since_ms != 0 && health_silent_ms(c, &n->w) >= every_ms)
        wake(g, c->now_ms + every_ms);
}

static void judge_node(struct core *c, struct group *g, struct node *n)
{
    bool down = is_down(c, g, n);

    look_at_the_clock(c, g, n);

    if (down == n->sdown)
        return;
    n->sdown = down;
    n->sdown_at_ms = down ? c->now_ms : 0;
    if (!down)
        n->up_again_at_ms = c->now_ms;
    say_news_node(c, down ? NEWS_SDOWN : NEWS_SDOWN_OVER, n, NULL);
    if (down && n->id == g->primary)       /* whatever peers said before was about another moment */
        for (size_t i = 0; i < g->seats.n; i++)
            g->seats.at[i].asked_at_ms = 0;
}

static void judge_seat(struct core *c, struct group *g, struct seat *s)
{
    struct peer *p = model_peer(c, s->peer);
    bool down = too_silent(c, g, &p->w, s->sdown);

    if (down == s->sdown)
        return;
    s->sdown = down;
    s->sdown_at_ms = down ? c->now_ms : 0;
    say_news_peer(c, down ? NEWS_SDOWN : NEWS_SDOWN_OVER, g, p, NULL);
}

static int count_down(struct core *c, struct group *g)
{
    int n = 1;

    for (size_t i = 0; i < g->seats.n; i++) {
        struct seat *s = &g->seats.at[i];

        if (!s->says_down)
            continue;
        if (is_due(c, g, s->says_at_ms + SAYS_LASTS_ASKS * c->timing.ask_ms))
            s->says_down = false;          /* too old to count */
        else
            n++;
    }
    return n;
}

static void judge_group(struct core *c, struct group *g)
{
    int n = count_down(c, g);              /* also while we see no reason: what peers said grows old */
    bool down = group_primary(c, g)->sdown && n >= g->opt[GOPT_QUORUM];

    if (down == g->odown)
        return;
    g->odown = down;
    g->odown_at_ms = down ? c->now_ms : 0;
    if (down) {
        say_news(c, NEWS_ODOWN, g, "#quorum %d/%d", n, (int)g->opt[GOPT_QUORUM]);
        return;
    }
    say_news(c, NEWS_ODOWN_OVER, g, NULL);
    for (size_t i = 0; i < g->nodes.n; i++)    /* somebody may have sealed them meanwhile, and be gone */
        if (g->nodes.at[i]->id != g->primary && g->nodes.at[i]->w.up)
            send_info(c, g->nodes.at[i]);
}

/* The primary is another node now: what was held against the old one in its office is
 * void, and who is down is judged again (and told again) in the new roles. The new one was
 * heard by who promoted it, and our links to it were closed for its promotion: its silence
 * counts from now. Else who reaches it late has it replaced at once, and so on for ever. */
void health_forget_verdicts(struct core *c, struct group *g)
{
    silence_begins_anew(c, &group_primary(c, g)->w);
    for (size_t i = 0; i < g->nodes.n; i++) {
        g->nodes.at[i]->sdown = false;
        g->nodes.at[i]->sdown_at_ms = 0;
    }
    for (size_t i = 0; i < g->seats.n; i++) {
        g->seats.at[i].says_down = false;
        g->seats.at[i].asks_stale = g->seats.at[i].asks_open;
    }
    g->odown = false;
    g->odown_at_ms = 0;
}

void health_group(struct core *c, struct group *g)
{
    bool doubt;

    for (size_t i = 0; i < g->nodes.n; i++) {
        drop_stuck_links(c, g, g->nodes.at[i]);
        judge_node(c, g, g->nodes.at[i]);
        node_chores(c, g, g->nodes.at[i]);
    }
    doubt = group_primary(c, g)->sdown || g->fo.state == FO_BIDDING;
    for (size_t i = 0; i < g->seats.n; i++) {
        judge_seat(c, g, &g->seats.at[i]);
        seat_chores(c, g, &g->seats.at[i], doubt);
    }
    judge_group(c, g);
}
