/* What nodes (INFO) and other sentinels (hello) say -> the model: new replicas, new peers,
 * moved addresses, changed roles, newer configurations. Facts only; what is to be done
 * about them is decided by health, failover and repair. */
#include "sentinel/core/inside.h"

static void begin_links(struct core *c, const struct node *n)
{
    say_open(c, link_cmd(n), &n->addr);
    say_open(c, link_sub(n), &n->addr);
}

struct node *observe_node(struct core *c, struct group *g, const struct addr *a, bool tell)
{
    struct node *n = group_node_at(g, a);

    if (n != NULL || !addr_is_set(a) || a->port == 0)
        return n;
    n = node_new(c, g, a);
    if (n == NULL)
        return NULL;
    begin_links(c, n);
    if (tell)
        say_news_node(c, NEWS_SLAVE, n, NULL);
    return n;
}

/* --- INFO ------------------------------------------------------------------------------------ */

static void see_run_id(struct core *c, struct group *g, struct node *n, const char *run_id)
{
    if (run_id[0] == '\0' || strcmp(n->run_id, run_id) == 0)
        return;
    if (n->run_id[0] != '\0') {
        say_news_node(c, NEWS_REBOOT, n, NULL);
        if (n->id == g->primary && g->opt[GOPT_REBOOT_DOWN_AFTER_MS] > 0) {
            n->rebooted = true;
            n->rebooted_at_ms = c->now_ms;
        }
    }
    memcpy(n->run_id, run_id, sizeof n->run_id);
    n->seal = SEAL_NONE;
}

static void see_role(struct core *c, struct group *g, struct node *n, enum node_role role)
{
    enum node_role known = n->id == g->primary ? ROLE_PRIMARY : ROLE_REPLICA;

    if (role == ROLE_UNKNOWN || role == n->said_role)
        return;
    if (n->said_role != ROLE_UNKNOWN || role != known)
        say_news_node(c, role == known ? NEWS_ROLE_AS_KNOWN : NEWS_ROLE_WRONG, n, "new reported role is %s",
                      role == ROLE_PRIMARY ? WORD_MASTER : WORD_SLAVE);
    n->said_role = role;
    n->said_role_at_ms = c->now_ms;
    n->follows_at_ms = c->now_ms;
}

/* For how long a sealed one has had no primary says nothing about it: what counts is how it was before. */
static void see_replica(struct core *c, struct node *n, const struct node_info *i)
{
    bool known = addr_is_set(&n->follows), sealed = seal_is_hole(&i->primary);

    if (!addr_equal(&n->follows, &i->primary)) {
        n->follows = i->primary;
        n->follows_at_ms = c->now_ms;
    }
    if (!sealed && n->seal == SEAL_DONE)
        n->seal = SEAL_NONE;       /* somebody pointed it to a primary */
    n->follows_up = i->link_up;
    if (!sealed || !known)
        n->follows_down_ms = i->link_up ? 0 : i->link_down_ms;
    n->priority = i->priority;
    n->announced = i->announced;
}

static void see_replicas_of(struct core *c, struct group *g, const struct node_info *i)
{
    bool found = false;

    for (size_t k = 0; k < i->n_replicas; k++)
        if (group_node_at(g, &i->replicas[k].addr) == NULL)
            found |= observe_node(c, g, &i->replicas[k].addr, true) != NULL;
    if (found)
        say_save(c);
}

void observe_info(struct core *c, struct node *n, const struct node_info *i)
{
    struct group *g = node_group(c, n);

    if (n->info_open > 0)
        n->info_open--;
    if (n->info_until_fresh > 0)
        n->info_until_fresh--;
    if (i == NULL)
        return;
    n->info_at_ms = c->now_ms;
    n->fresh |= n->info_until_fresh == 0;
    see_run_id(c, g, n, i->run_id);
    see_role(c, g, n, i->role);
    n->offset = i->offset;
    n->loading = i->loading;
    n->bound = i->bound;
    n->has_data = i->has_data;
    memcpy(n->replid, i->replid, sizeof n->replid);
    memcpy(n->replid2, i->replid2, sizeof n->replid2);
    n->second_offset = i->second_offset;
    n->hands = i->hands;
    n->kvnode = i->kvnode;
    if (i->role == ROLE_REPLICA)
        see_replica(c, n, i);
    else
        n->follows_up = false;
    if (i->role == ROLE_PRIMARY && !i->loading && i->hands != HANDS_OVER)
        n->took_at_ms = c->now_ms;
    if (n->id == g->primary && i->role == ROLE_PRIMARY) {
        lineage_note(g, n);
        see_replicas_of(c, g, i);
    }
    touch(c, g);
}

/* --- a new primary -------------------------------------------------------------------------- */

/* Everything that was said about the old arrangement begins anew; links and ids stay. */
void observe_switch(struct core *c, struct group *g, struct node *to)
{
    group_set_primary(c, g, to->id);
    if (to->said_role == ROLE_PRIMARY)
        lineage_note(g, to);
    g->switched_at_ms = c->now_ms;
    health_forget_verdicts(c, g);
    for (size_t i = 0; i < g->nodes.n; i++) {
        struct node *n = g->nodes.at[i];

        n->said_role_at_ms = c->now_ms;
        n->follows_at_ms = c->now_ms;
        n->rebooted = false;
        n->reconf = RECONF_NONE;
        n->repaired_at_ms = 0;
    }
    touch(c, g);
}

static void tell_replicas(struct core *c, const struct group *g)
{
    for (size_t i = 0; i < g->nodes.n; i++)
        if (g->nodes.at[i]->id != g->primary)
            say_news_node(c, NEWS_SLAVE, g->nodes.at[i], NULL);
}

/* `from`, who told us, is NULL in a formed group: nobody had to. */
static void move_to(struct core *c, struct group *g, const struct peer *from, const struct addr *primary, bool led)
{
    struct addr old = group_primary(c, g)->addr;
    struct node *n;

    if (addr_equal(&old, primary)) {
        say_save(c);
        return;
    }
    if (from != NULL)
        say_news_peer(c, NEWS_CONFIG_UPDATE, g, from, NULL);
    say_news_bare(c, NEWS_SWITCH_MASTER, g, "%s %s %u %s %u", g->name, old.host, (unsigned)old.port, primary->host,
                  (unsigned)primary->port);
    n = observe_node(c, g, primary, false);
    if (n == NULL) {               /* full of nodes: the old one gives its place, as its address does */
        group_move_primary(c, g, primary);
        begin_links(c, group_primary(c, g));
    } else {
        observe_switch(c, g, n);
        if (n->w.up)
            health_info_now(c, n);
    }
    say_save(c);
    say_client_reconfig(c, g, led, &old, primary);
    tell_replicas(c, g);
}

static void follow(struct core *c, struct group *g, const struct peer *from, const struct addr *primary, uint64_t epoch)
{
    g->config_epoch = epoch;
    failover_settled_elsewhere(c, g);
    move_to(c, g, from, primary, false);
}

/* Epochs of a formed group are ballots of its own, which may be below what the group had when it was plain; to the
 * outside the number of the configuration only rises. */
void observe_switch_to(struct core *c, struct group *g, const struct addr *to, uint64_t epoch, bool led)
{
    bool moved = !addr_equal(&group_primary(c, g)->addr, to);

    if (epoch <= g->config_epoch && !moved)
        return;
    g->config_epoch = epoch > g->config_epoch ? epoch : g->config_epoch + 1;
    election_see_epoch(c, g->config_epoch);
    move_to(c, g, NULL, to, led);
    if (moved && led)
        say_directory(c, g);
    health_hello_all(c, g);
    touch(c, g);
}

/* --- hello ------------------------------------------------------------------------------------- */

/* Another sentinel has this address now: the one we knew there is gone for good. */
static void evict(struct core *c, struct peer *old)
{
    while (old->groups.n > 0) {
        struct group *g = model_group(c, old->groups.at[0]);
        bool last = old->groups.n == 1;

        say_news_peer(c, NEWS_INVALID_ADDR, g, old, NULL);
        seat_free(c, g, old->id);
        touch(c, g);
        if (last)
            return;                /* seat_free forgot the peer itself */
    }
}

static struct peer *peer_at(const struct core *c, const struct addr *a)
{
    for (size_t i = 0; i < c->peers.n; i++)
        if (addr_equal(&c->peers.at[i]->addr, a))
            return c->peers.at[i];
    return NULL;
}

static void move_peer(struct core *c, struct group *g, struct peer *p, const struct addr *to)
{
    struct peer *old = peer_at(c, to);

    if (old != NULL && old != p)
        evict(c, old);
    say_news_peer(c, NEWS_ADDRESS_SWITCH, g, p, "ip %s port %u for %s", to->host, (unsigned)to->port, p->run_id);
    p->addr = *to;
    say_open(c, link_peer(p), to);
    say_save(c);
}

/* The peer of this name and address with a seat in the group; NULL if it cannot have one. */
static struct peer *meet(struct core *c, struct group *g, const char *run_id, const struct addr *addr, bool tell)
{
    struct peer *p = model_peer_named(c, run_id);
    struct peer *old;
    bool met = p != NULL && group_seat(g, p->id) != NULL;

    if (addr->port == 0 || !addr_is_set(addr))
        return met ? p : NULL;     /* says it cannot be reached: not worth a place */
    if (!met && g->seats.n >= GROUP_PEERS_MAX)
        return NULL;
    if (p == NULL) {
        old = peer_at(c, addr);
        if (old != NULL)
            evict(c, old);
        p = peer_new(c, run_id, addr);
        say_open(c, link_peer(p), addr);
    } else if (!addr_equal(&p->addr, addr)) {
        move_peer(c, g, p, addr);
    }
    if (!met) {
        seat_new(c, g, p);
        if (tell) {
            say_news_peer(c, NEWS_SENTINEL, g, p, NULL);
            say_save(c);
        }
    }
    return p;
}

/* Two configurations of one epoch: an operator ordered a failover where no majority could be
 * had, and a majority that never heard of it elected somebody else. No epoch can tell them
 * apart, so all take the same one of the two, by address: of nodes that we know, or any when our
 * own primary says that it is none (who was started anew may know few). */
static bool wins_tie(const struct core *c, const struct group *g, const struct hello *h)
{
    const struct node *primary = group_primary(c, g);
    const struct addr *ours = &primary->addr;
    bool known = group_node_at(g, &h->primary) != NULL || primary->said_role == ROLE_REPLICA;
    int order = strcmp(h->primary.host, ours->host);

    return h->config_epoch == g->config_epoch && h->config_epoch != 0 && known &&
           (order > 0 || (order == 0 && h->primary.port > ours->port));
}

void observe_hello(struct core *c, struct link_ref via, const struct hello *h)
{
    struct group *g = model_group_named(c, h->group);
    struct node *n = via.id != 0 && via.kind == LINK_NODE_SUB ? model_node(c, via.id) : NULL;
    struct peer *p;
    struct seat *s;

    if (n != NULL)
        n->heard_at_ms = c->now_ms;
    if (g == NULL || h->id[0] == '\0' || strcmp(h->id, c->my_id) == 0)
        return;
    p = meet(c, g, h->id, &h->from, true);
    if (p == NULL)
        return;
    s = group_seat(g, p->id);
    s->hello_at_ms = c->now_ms;
    if (election_see_epoch(c, h->current_epoch)) {
        say_save(c);
        say_news_bare(c, NEWS_NEW_EPOCH, g, "%llu", (unsigned long long)c->current_epoch);
    }
    if (g->formed) {
        touch(c, g);               /* where its primary is stands in its record */
        return;
    }
    if ((h->config_epoch > g->config_epoch && addr_is_set(&h->primary) && h->primary.port != 0) || wins_tie(c, g, h)) {
        follow(c, g, p, &h->primary, h->config_epoch);
        health_hello_all(c, g);
    } else if (h->config_epoch < g->config_epoch && p->w.up && c->now_ms - s->hello_sent_at_ms > c->timing.hello_ms / 10) {
        say_hello(c, g, link_peer(p));     /* it missed something: tell it now */
        s->hello_sent_at_ms = c->now_ms;
    }
    touch(c, g);
}

/* --- from disk ---------------------------------------------------------------------------------- */

void observe_restore(struct core *c, const struct saved *s)
{
    election_see_epoch(c, s->current_epoch);
    for (size_t i = 0; i < s->groups.n; i++) {
        const struct saved_group *sg = &s->groups.at[i];
        struct group *g = model_group_named(c, sg->name);

        if (g == NULL)
            continue;
        g->config_epoch = sg->config_epoch;
        g->leader_epoch = sg->leader_epoch;
        memcpy(g->leader, sg->leader, sizeof g->leader);
        election_see_epoch(c, ms_max((int64_t)sg->config_epoch, (int64_t)sg->leader_epoch));
        if (addr_is_set(&sg->primary) && !addr_equal(&sg->primary, &group_primary(c, g)->addr)) {
            group_move_primary(c, g, &sg->primary);
            begin_links(c, group_primary(c, g));
        }
        for (size_t k = 0; k < sg->replicas.n; k++)
            observe_node(c, g, &sg->replicas.at[k], true);
        for (size_t k = 0; k < sg->peers.n; k++)
            if (strcmp(sg->peers.at[k].run_id, c->my_id) != 0)
                meet(c, g, sg->peers.at[k].run_id, &sg->peers.at[k].addr, false);
        touch(c, g);
    }
}
