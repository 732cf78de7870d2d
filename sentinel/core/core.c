/* The door. Each kind of event has one function that tells the right room about it; then
 * every group it touched is worked through once, in a fixed order: health, failover,
 * repair. Nothing is scanned that was not touched or is not due. */
#include "sentinel/core/inside.h"
#include "sentinel/core/names.h"

void core_timing_default(struct core_timing *t)
{
    *t = (struct core_timing){
        .ping_ms = 1000,
        .info_ms = 10000,
        .info_fast_ms = 1000,
        .hello_ms = 2000,
        .ask_ms = 1000,
        .default_down_after_ms = 30000,
        .default_failover_timeout_ms = 180000,
        .tilt_trigger_ms = 2000,
        .tilt_period_ms = 30000,
        .reconf_timeout_ms = 10000,
        .link_stuck_ms = 15000,
        .election_ms = 10000,
        .bid_stagger_ms = 15,
        .bid_jitter_ms = 5,
        .rebid_min_ms = 50,
        .rebid_max_ms = 300,
        .asking_ms = 300,
        .sealing_ms = 300,
        .hand_over_ms = 1000,
        .hand_over_only_ms = 5000,
        .repair_grace_ms = 2000,
    };
}

struct core *core_new(const char *my_id, uint64_t seed)
{
    struct core *c = mem_zalloc(sizeof *c);

    CHECK(strlen(my_id) == ID_HEX);
    memcpy(c->my_id, my_id, ID_MAX);
    core_timing_default(&c->timing);
    c->ping_peers_ms = c->timing.ping_ms;
    c->expected_ms = NEVER_MS;
    rng_seed(&c->rng, seed);
    model_init(c);
    return c;
}

void core_free(struct core *c)
{
    if (c == NULL)
        return;
    model_fini(c);
    mem_free(c);
}

/* --- settings ---------------------------------------------------------------------------------- */

static void on_tick(struct core *c, const struct event *ev)
{
    (void)c;
    (void)ev;                      /* what is due is found by whoever steps */
}

static void on_self(struct core *c, const struct event *ev)
{
    c->self = ev->u.self;
}

static void on_group_add(struct core *c, const struct event *ev)
{
    const char *name = ev->u.group_add.name;
    struct group *g;

    if (name[0] == '\0' || strlen(name) >= GROUP_NAME_MAX) {
        say_reply(c, ev->ticket, "ERR Invalid master name");
        return;
    }
    if (model_group_named(c, name) != NULL) {
        say_reply(c, ev->ticket, "ERR Duplicate master name");
        return;
    }
    g = group_new(c, name, &ev->u.group_add.addr);
    g->opt[GOPT_QUORUM] = ev->u.group_add.quorum;
    say_open(c, link_cmd(group_primary(c, g)), &ev->u.group_add.addr);
    say_open(c, link_sub(group_primary(c, g)), &ev->u.group_add.addr);
    say_news(c, NEWS_MONITOR, g, "quorum %lld", (long long)ev->u.group_add.quorum);
    if (!ev->u.group_add.restored)
        say_save(c);
    say_reply(c, ev->ticket, NULL);
    touch(c, g);
}

static void close_node(struct core *c, const struct node *n)
{
    say_link(c, ACT_LINK_CLOSE, link_cmd(n));
    say_link(c, ACT_LINK_CLOSE, link_sub(n));
}

static void on_group_remove(struct core *c, const struct event *ev)
{
    struct group *g = model_group(c, ev->group);

    if (g == NULL) {
        say_reply(c, ev->ticket, "ERR No such master with that name");
        return;
    }
    say_news(c, NEWS_UNMONITOR, g, NULL);
    for (size_t i = 0; i < g->nodes.n; i++)
        close_node(c, g->nodes.at[i]);
    group_free(c, g);
    say_save(c);
    say_reply(c, ev->ticket, NULL);
}

static void on_group_set(struct core *c, const struct event *ev)
{
    struct group *g = model_group(c, ev->group);

    if (g == NULL)
        return;
    CHECK((unsigned)ev->u.set.opt < GOPT_COUNT && ev->u.set.value >= 0);
    g->opt[ev->u.set.opt] = ev->u.set.value;
    model_settings_changed(c);
}

static void on_restore(struct core *c, const struct event *ev)
{
    observe_restore(c, ev->u.saved);
}

static void on_timing(struct core *c, const struct event *ev)
{
    c->timing = *ev->u.timing;
    model_settings_changed(c);
}

/* A formed group forgets nobody whom it needs: were its primary to die now, there would be no one from whom to hear of
 * the others again. */
static void on_group_reset(struct core *c, const struct event *ev)
{
    struct group *g = model_group(c, ev->group);
    size_t kept = 0;

    if (g == NULL)
        return;
    failover_settled_elsewhere(c, g);
    for (size_t i = g->seats.n; i-- > 0;)
        if (!g->formed || !model_peer(c, g->seats.at[i].peer)->w.up)
            seat_free(c, g, g->seats.at[i].peer);
    while (g->nodes.n > kept) {
        struct node *n = g->nodes.at[kept];

        if (n->id == g->primary || (g->formed && (n->w.up || n->bound))) {
            kept++;
            continue;
        }
        close_node(c, n);
        node_free(c, g, n);
    }
    observe_switch(c, g, group_primary(c, g));
    if (group_primary(c, g)->w.up)
        health_info_now(c, group_primary(c, g));
    say_news(c, NEWS_RESET, g, NULL);
    say_save(c);
}

/* --- links and answers ---------------------------------------------------------------------------- */

static void on_link_up(struct core *c, const struct event *ev) { health_link_up(c, ev->link); }
static void on_link_down(struct core *c, const struct event *ev) { health_link_down(c, ev->link, ev->u.how); }
static void on_pong(struct core *c, const struct event *ev) { health_pong(c, ev->link, ev->u.pong); }
static void on_answer(struct core *c, const struct event *ev) { health_answer(c, ev); }
static void on_hello(struct core *c, const struct event *ev) { observe_hello(c, ev->link, ev->u.hello); }
static void on_asked(struct core *c, const struct event *ev) { election_asked(c, ev); }

static void on_info(struct core *c, const struct event *ev)
{
    struct node *n = ev->link.kind == LINK_NODE_CMD ? model_node(c, ev->link.id) : NULL;

    if (n != NULL)
        observe_info(c, n, ev->u.info);
}

static void on_order_done(struct core *c, const struct event *ev)
{
    struct node *n = ev->link.kind == LINK_NODE_CMD ? model_node(c, ev->link.id) : NULL;

    if (n != NULL)
        failover_order_done(c, n, ev);
}

static void on_save_failed(struct core *c, const struct event *ev)
{
    (void)ev;
    election_save_failed(c);
}

static void on_saved(struct core *c, const struct event *ev)
{
    (void)ev;
    c->save_broken = false;
}

static void on_failover(struct core *c, const struct event *ev)
{
    struct group *g = model_group(c, ev->group);

    if (g == NULL)
        say_reply(c, ev->ticket, "ERR No such master with that name");
    else
        failover_order(c, g, ev->ticket, ev->u.coordinated);
}

static void on_group_formed(struct core *c, const struct event *ev)
{
    struct group *g = model_group(c, ev->group);

    if (g == NULL || g->formed == ev->u.formed)
        return;
    g->formed = ev->u.formed;
    failover_settled_elsewhere(c, g);
    touch(c, g);
}

static void on_switch(struct core *c, const struct event *ev)
{
    struct group *g = model_group(c, ev->group);

    if (g != NULL && g->formed && addr_is_set(&ev->u.switched.addr) && ev->u.switched.addr.port != 0)
        observe_switch_to(c, g, &ev->u.switched.addr, ev->u.switched.epoch, ev->u.switched.led);
}

static void (*const handlers[EV_KINDS])(struct core *c, const struct event *ev) = {
    [EV_TICK] = on_tick,
    [EV_SELF] = on_self,
    [EV_GROUP_ADD] = on_group_add,
    [EV_GROUP_REMOVE] = on_group_remove,
    [EV_GROUP_SET] = on_group_set,
    [EV_RESTORE] = on_restore,
    [EV_TIMING] = on_timing,
    [EV_LINK_UP] = on_link_up,
    [EV_LINK_DOWN] = on_link_down,
    [EV_PONG] = on_pong,
    [EV_INFO] = on_info,
    [EV_ANSWER] = on_answer,
    [EV_ORDER_DONE] = on_order_done,
    [EV_HELLO] = on_hello,
    [EV_ASKED] = on_asked,
    [EV_SAVE_FAILED] = on_save_failed,
    [EV_SAVED] = on_saved,
    [EV_FAILOVER] = on_failover,
    [EV_GROUP_RESET] = on_group_reset,
    [EV_GROUP_FORMED] = on_group_formed,
    [EV_SWITCH] = on_switch,
};

/* --- the step ---------------------------------------------------------------------------------------- */

static void work(struct core *c, struct group *g)
{
    g->next_ms = NEVER_MS;
    health_group(c, g);
    failover_group(c, g);
    repair_group(c, g);
    due_set(c, &g->due, g->next_ms);
}

static void gather_due(struct core *c)
{
    while (c->heap.n > 0 && c->heap.at[0]->at_ms <= c->now_ms) {
        struct due *d = c->heap.at[0];

        if (d->is_peer) {
            health_peer(c, model_peer(c, d->id));
        } else {
            touch(c, model_group(c, d->id));
            due_set(c, d, NEVER_MS);       /* work() finds the next */
        }
    }
}

/* At most one group may stake its next move on the disk in one step: if that save fails
 * the rest of the list is dropped, and nobody else's words should be in it. The others
 * are due at once. */
static void work_touched(struct core *c)
{
    for (size_t i = 0; i < c->touched.n; i++) {
        struct group *g = model_group(c, c->touched.at[i]);

        if (g == NULL)
            continue;
        if (c->must_saved)
            due_set(c, &g->due, c->now_ms);
        else
            work(c, g);
    }
}

static void let_go(struct core *c)
{
    for (size_t i = 0; i < c->touched.n; i++) {
        struct group *g = model_group(c, c->touched.at[i]);

        if (g != NULL)
            g->touched = false;
    }
    vec_clear(&c->was_touched);
    for (size_t i = 0; i < c->touched.n; i++)
        vec_push(&c->was_touched, c->touched.at[i]);
    vec_clear(&c->touched);
}

void core_step(struct core *c, const struct event *ev, struct actions *out)
{
    CHECK((unsigned)ev->kind < EV_KINDS);
    c->out = out;
    c->counts.steps++;
    c->hears_all = ev->kind == EV_TICK;
    health_clock(c, ev->now_ms);
    if (ev->kind != EV_SAVE_FAILED && c->saving)
        c->save_broken = false;            /* nothing was heard of it: it is on disk */
    if (ev->kind == EV_SAVE_FAILED)
        handlers[EV_SAVE_FAILED](c, ev);
    c->saving = c->must_saved = false;
    c->saving_bid = 0;
    c->saving_ticket = 0;
    if (ev->kind != EV_SAVE_FAILED)
        handlers[ev->kind](c, ev);
    gather_due(c);
    work_touched(c);
    invariant_step(c);
    let_go(c);
    c->expected_ms = core_deadline_ms(c);
    c->out = NULL;
}

int64_t core_deadline_ms(const struct core *c)
{
    int64_t at = c->heap.n > 0 ? c->heap.at[0]->at_ms : NEVER_MS;

    return c->tilt_since_ms != 0 ? ms_min(at, c->tilt_until_ms) : at;
}
