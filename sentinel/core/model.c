/* The model's memory: who exists, who is found by what, and whose deadline is first.
 * Nothing here judges; it keeps ids, look-ups and the heap true while things come and go. */
#include "sentinel/core/inside.h"

/* --- ids --------------------------------------------------------------------------- */

#define SLOT_BITS 20
#define SLOT_MASK ((1 << SLOT_BITS) - 1)
#define GENERATIONS 2047

static core_id slot_take(struct slots *s, void *thing)
{
    int32_t i;

    if (s->vacant.n > 0) {
        i = s->vacant.at[0];       /* oldest first: an id rests as long as it can */
        vec_remove(&s->vacant, 0);
        s->at.at[i] = thing;
    } else {
        CHECK(s->at.n < SLOT_MASK);
        i = (int32_t)s->at.n;
        vec_push(&s->at, thing);
        vec_push(&s->generation, 0);
    }
    return ((core_id)s->generation.at[i] << SLOT_BITS) | (i + 1);
}

static void *slot_get(const struct slots *s, core_id id)
{
    int32_t i = (id & SLOT_MASK) - 1;

    if (id <= 0 || i < 0 || (size_t)i >= s->at.n || s->generation.at[i] != id >> SLOT_BITS)
        return NULL;
    return s->at.at[i];
}

static void slot_leave(struct slots *s, core_id id)
{
    int32_t i = (id & SLOT_MASK) - 1;

    CHECK(slot_get(s, id) != NULL);
    s->at.at[i] = NULL;
    s->generation.at[i] = (uint16_t)((s->generation.at[i] + 1) % (GENERATIONS + 1));
    vec_push(&s->vacant, i);
}

static void slots_fini(struct slots *s)
{
    vec_fini(&s->at);
    vec_fini(&s->generation);
    vec_fini(&s->vacant);
}

struct group *model_group(const struct core *c, core_id id) { return slot_get(&c->group_ids, id); }
struct node *model_node(const struct core *c, core_id id) { return slot_get(&c->node_ids, id); }
struct peer *model_peer(const struct core *c, core_id id) { return slot_get(&c->peer_ids, id); }

struct group *model_group_named(const struct core *c, const char *name)
{
    return dict_get(&c->by_name, name, strlen(name));
}

struct group *model_group_at(const struct core *c, const struct addr *primary)
{
    char text[ADDR_TEXT_MAX];

    addr_text(primary, text);
    return dict_get(&c->by_addr, text, strlen(text));
}

struct peer *model_peer_named(const struct core *c, const char *run_id)
{
    return dict_get(&c->by_run_id, run_id, strlen(run_id));
}

struct link_ref link_cmd(const struct node *n) { return (struct link_ref){LINK_NODE_CMD, n->id}; }
struct link_ref link_sub(const struct node *n) { return (struct link_ref){LINK_NODE_SUB, n->id}; }
struct link_ref link_peer(const struct peer *p) { return (struct link_ref){LINK_PEER, p->id}; }

/* --- the heap of deadlines ------------------------------------------------------------ */

static void heap_put(struct core *c, int i, struct due *d)
{
    c->heap.at[i] = d;
    d->heap_at = i;
}

static void heap_up(struct core *c, int i)
{
    struct due *d = c->heap.at[i];

    while (i > 0 && c->heap.at[(i - 1) / 2]->at_ms > d->at_ms) {
        heap_put(c, i, c->heap.at[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    heap_put(c, i, d);
}

static void heap_down(struct core *c, int i)
{
    struct due *d = c->heap.at[i];
    int n = (int)c->heap.n;

    for (;;) {
        int kid = 2 * i + 1;

        if (kid + 1 < n && c->heap.at[kid + 1]->at_ms < c->heap.at[kid]->at_ms)
            kid++;
        if (kid >= n || c->heap.at[kid]->at_ms >= d->at_ms)
            break;
        heap_put(c, i, c->heap.at[kid]);
        i = kid;
    }
    heap_put(c, i, d);
}

void due_set(struct core *c, struct due *d, int64_t at_ms)
{
    d->at_ms = at_ms;
    heap_up(c, d->heap_at);
    heap_down(c, d->heap_at);
}

static void due_join(struct core *c, struct due *d, core_id id, bool is_peer)
{
    *d = (struct due){.at_ms = NEVER_MS, .id = id, .is_peer = is_peer};
    d->heap_at = (int)c->heap.n;
    vec_push(&c->heap, d);
    heap_up(c, d->heap_at);
}

static void due_leave(struct core *c, struct due *d)
{
    int i = d->heap_at;
    struct due *last = vec_pop(&c->heap);

    if (last != d) {
        heap_put(c, i, last);
        heap_up(c, i);
        heap_down(c, last->heap_at);
    }
    d->heap_at = -1;
}

void touch(struct core *c, struct group *g)
{
    if (!g->touched) {
        g->touched = true;
        vec_push(&c->touched, g->id);
    }
}

/* --- groups ---------------------------------------------------------------------------- */

/* Peers are shared, so they must be pinged as often as the most demanding group needs. */
static void find_ping_period(struct core *c)
{
    c->ping_peers_ms = c->timing.ping_ms;
    for (size_t i = 0; i < c->groups.n; i++)
        c->ping_peers_ms = ms_min(c->ping_peers_ms, c->groups.at[i]->opt[GOPT_DOWN_AFTER_MS]);
}

void model_settings_changed(struct core *c)
{
    find_ping_period(c);
    for (size_t i = 0; i < c->groups.n; i++)
        touch(c, c->groups.at[i]);
    for (size_t i = 0; i < c->peers.n; i++)
        due_set(c, &c->peers.at[i]->due, c->now_ms);
}

static void index_addr(struct core *c, struct group *g)
{
    char text[ADDR_TEXT_MAX];

    addr_text(&group_primary(c, g)->addr, text);
    dict_put(&c->by_addr, text, strlen(text), NULL)->v.p = g;
}

/* Two groups may have the same primary; then the other one takes the place over. */
static void unindex_addr(struct core *c, struct group *g)
{
    struct addr a = group_primary(c, g)->addr;
    char text[ADDR_TEXT_MAX];

    addr_text(&a, text);
    if (dict_get(&c->by_addr, text, strlen(text)) != g)
        return;
    dict_del(&c->by_addr, text, strlen(text), NULL);
    for (size_t i = 0; i < c->groups.n; i++)
        if (c->groups.at[i] != g && addr_equal(&group_primary(c, c->groups.at[i])->addr, &a))
            dict_put(&c->by_addr, text, strlen(text), NULL)->v.p = c->groups.at[i];
}

struct group *group_new(struct core *c, const char *name, const struct addr *primary)
{
    struct group *g = mem_zalloc(sizeof *g);

    CHECK(slice_copy_z(slice_z(name), g->name, sizeof g->name));
    g->id = slot_take(&c->group_ids, g);
    g->opt[GOPT_QUORUM] = 1;
    g->opt[GOPT_DOWN_AFTER_MS] = c->timing.default_down_after_ms;
    g->opt[GOPT_FAILOVER_TIMEOUT_MS] = c->timing.default_failover_timeout_ms;
    g->opt[GOPT_PARALLEL_SYNCS] = 1;
    g->opt[GOPT_CRASH_EVIDENCE] = 1;
    g->opt[GOPT_SEAL] = 1;
    g->fo.deadline_ms = NEVER_MS;
    due_join(c, &g->due, g->id, false);
    vec_push(&c->groups, g);
    dict_put(&c->by_name, name, strlen(name), NULL)->v.p = g;
    g->primary = node_new(c, g, primary)->id;
    index_addr(c, g);
    find_ping_period(c);
    touch(c, g);
    return g;
}

void group_free(struct core *c, struct group *g)
{
    unindex_addr(c, g);
    while (g->seats.n > 0)
        seat_free(c, g, g->seats.at[0].peer);
    while (g->nodes.n > 0)
        node_free(c, g, g->nodes.at[0]);
    dict_del(&c->by_name, g->name, strlen(g->name), NULL);
    due_leave(c, &g->due);
    for (size_t i = 0; i < c->groups.n; i++)
        if (c->groups.at[i] == g) {
            vec_remove(&c->groups, i);
            break;
        }
    slot_leave(&c->group_ids, g->id);
    vec_fini(&g->seats);
    vec_fini(&g->nodes);
    mem_free(g);
    find_ping_period(c);
}

struct node *group_primary(const struct core *c, const struct group *g)
{
    struct node *n = model_node(c, g->primary);

    CHECK(n != NULL);
    return n;
}

void group_set_primary(struct core *c, struct group *g, core_id node)
{
    unindex_addr(c, g);
    g->primary = node;
    index_addr(c, g);
}

void group_move_primary(struct core *c, struct group *g, const struct addr *to)
{
    unindex_addr(c, g);
    group_primary(c, g)->addr = *to;
    index_addr(c, g);
}

struct node *group_node_at(const struct group *g, const struct addr *a)
{
    for (size_t i = 0; i < g->nodes.n; i++)
        if (addr_equal(&g->nodes.at[i]->addr, a))
            return g->nodes.at[i];
    return NULL;
}

struct seat *group_seat(const struct group *g, core_id peer)
{
    for (size_t i = 0; i < g->seats.n; i++)
        if (g->seats.at[i].peer == peer)
            return &g->seats.at[i];
    return NULL;
}

/* --- nodes ------------------------------------------------------------------------------- */

static void watch_begin(struct watch *w, int64_t now_ms)
{
    *w = (struct watch){.up_since_ms = NEVER_MS, .good_at_ms = now_ms, .answer_at_ms = now_ms};
}

struct node *node_new(struct core *c, struct group *g, const struct addr *a)
{
    struct node *n;

    if (g->nodes.n >= GROUP_NODES_MAX)
        return NULL;
    n = mem_zalloc(sizeof *n);
    n->id = slot_take(&c->node_ids, n);
    n->group = g->id;
    n->addr = *a;
    watch_begin(&n->w, c->now_ms);
    n->sub_since_ms = NEVER_MS;
    n->up_again_at_ms = c->now_ms;
    n->said_role = ROLE_UNKNOWN;
    n->said_role_at_ms = c->now_ms;
    n->follows_at_ms = c->now_ms;
    n->priority = 100;
    n->announced = true;
    n->refused = REFUSED_NOT_ASKED;
    vec_push(&g->nodes, n);
    touch(c, g);
    return n;
}

void node_free(struct core *c, struct group *g, struct node *n)
{
    for (size_t i = 0; i < g->nodes.n; i++)
        if (g->nodes.at[i] == n) {
            vec_remove(&g->nodes, i);
            break;
        }
    slot_leave(&c->node_ids, n->id);
    mem_free(n);
}

struct group *node_group(const struct core *c, const struct node *n)
{
    struct group *g = model_group(c, n->group);

    CHECK(g != NULL);
    return g;
}

bool node_is_primary(const struct core *c, const struct node *n)
{
    return node_group(c, n)->primary == n->id;
}

/* --- peers and seats ------------------------------------------------------------------------ */

struct peer *peer_new(struct core *c, const char *run_id, const struct addr *a)
{
    struct peer *p = mem_zalloc(sizeof *p);

    CHECK(slice_copy_z(slice_z(run_id), p->run_id, sizeof p->run_id));
    p->id = slot_take(&c->peer_ids, p);
    p->addr = *a;
    watch_begin(&p->w, c->now_ms);
    due_join(c, &p->due, p->id, true);
    vec_push(&c->peers, p);
    dict_put(&c->by_run_id, run_id, strlen(run_id), NULL)->v.p = p;
    return p;
}

void peer_free(struct core *c, struct peer *p)
{
    dict_del(&c->by_run_id, p->run_id, strlen(p->run_id), NULL);
    due_leave(c, &p->due);
    for (size_t i = 0; i < c->peers.n; i++)
        if (c->peers.at[i] == p) {
            vec_remove(&c->peers, i);
            break;
        }
    slot_leave(&c->peer_ids, p->id);
    vec_fini(&p->groups);
    mem_free(p);
}

struct seat *seat_new(struct core *c, struct group *g, struct peer *p)
{
    struct seat *s;

    if (g->seats.n >= GROUP_PEERS_MAX)
        return NULL;
    s = vec_add(&g->seats);
    s->peer = p->id;
    s->hello_at_ms = c->now_ms;
    vec_push(&p->groups, g->id);
    touch(c, g);
    return s;
}

void seat_free(struct core *c, struct group *g, core_id peer)
{
    struct peer *p = model_peer(c, peer);

    for (size_t i = 0; i < g->seats.n; i++)
        if (g->seats.at[i].peer == peer) {
            vec_remove(&g->seats, i);
            break;
        }
    for (size_t i = 0; i < p->groups.n; i++)
        if (p->groups.at[i] == g->id) {
            vec_remove(&p->groups, i);
            break;
        }
    if (p->groups.n == 0) {
        if (c->out != NULL)
            say_link(c, ACT_LINK_CLOSE, link_peer(p));
        peer_free(c, p);
    }
}

void model_init(struct core *c)
{
    dict_init(&c->by_name);
    dict_init(&c->by_addr);
    dict_init(&c->by_run_id);
}

void model_fini(struct core *c)
{
    while (c->groups.n > 0)
        group_free(c, vec_last(&c->groups));
    while (c->peers.n > 0)
        peer_free(c, vec_last(&c->peers));
    vec_fini(&c->groups);
    vec_fini(&c->peers);
    vec_fini(&c->heap);
    vec_fini(&c->touched);
    vec_fini(&c->was_touched);
    dict_fini(&c->by_name, NULL);
    dict_fini(&c->by_addr, NULL);
    dict_fini(&c->by_run_id, NULL);
    slots_fini(&c->group_ids);
    slots_fini(&c->node_ids);
    slots_fini(&c->peer_ids);
}
