/* See scene.h. */
#include "tests/unit/core/scene.h"

#include <check.h>
#include <stdio.h>

static bool muted[16], is_kvnode[16];
static enum node_hands hands[16];

struct addr scene_addr(int i)
{
    struct addr a = {.port = 6379};

    snprintf(a.host, sizeof a.host, "10.0.0.%d", i);
    return a;
}

struct addr scene_peer_addr(int i)
{
    struct addr a = {.port = 26379};

    snprintf(a.host, sizeof a.host, "10.0.1.%d", i);
    return a;
}

const char *scene_id(int i)
{
    static char ids[10][ID_MAX];

    memset(ids[i], '0' + i, ID_HEX);
    return ids[i];
}

const struct group *scene_group(const struct scene *s)
{
    return core_group(s->c, s->group);
}

const struct node *scene_node(const struct scene *s, int node)
{
    const struct group *g = scene_group(s);
    struct addr a = scene_addr(node);

    for (size_t i = 0; i < g->nodes.n; i++)
        if (addr_equal(&g->nodes.at[i]->addr, &a))
            return g->nodes.at[i];
    return NULL;
}

const struct seat *scene_seat(const struct scene *s, int peer)
{
    const struct group *g = scene_group(s);

    for (size_t i = 0; i < g->seats.n; i++)
        if (strcmp(core_peer(s->c, g->seats.at[i].peer)->run_id, scene_id(peer)) == 0)
            return &g->seats.at[i];
    return NULL;
}

struct link_ref scene_cmd(const struct scene *s, int node)
{
    return (struct link_ref){LINK_NODE_CMD, scene_node(s, node)->id};
}

struct link_ref scene_sub(const struct scene *s, int node)
{
    return (struct link_ref){LINK_NODE_SUB, scene_node(s, node)->id};
}

struct link_ref scene_peer(const struct scene *s, int peer)
{
    return (struct link_ref){LINK_PEER, scene_seat(s, peer)->peer};
}

/* --- what was told -------------------------------------------------------------------- */

static void put_addr(struct str *out, const struct addr *a)
{
    int i = 0;

    if (sscanf(a->host, "10.0.0.%d", &i) == 1)
        str_printf(out, " n%d", i);
    else if (sscanf(a->host, "10.0.1.%d", &i) == 1)
        str_printf(out, " s%d", i);
    else
        str_printf(out, " %s:%u", a->host, (unsigned)a->port);
}

static void put_id(struct str *out, const char *id)
{
    if (id[0] == '\0')
        str_append_z(out, "*");
    else
        str_printf(out, "s%c", id[0]);
}

static void put_link(struct scene *s, struct str *out, struct link_ref l)
{
    const struct node *n = l.kind == LINK_PEER ? NULL : core_node(s->c, l.id);
    const struct peer *p = l.kind == LINK_PEER ? core_peer(s->c, l.id) : NULL;

    if (n != NULL)
        put_addr(out, &n->addr);
    else if (p != NULL)
        put_addr(out, &p->addr);
    else
        str_append_z(out, " gone");
    if (l.kind == LINK_NODE_SUB)
        str_append_z(out, "/sub");
}

static void put_action(struct scene *s, struct str *out, const struct action *a)
{
    if (a->kind != ACT_EVENT)
        str_append_z(out, action_kind_name(a->kind));
    switch (a->kind) {
    case ACT_SAVE:
        str_append_z(out, a->must ? "!" : "");
        break;
    case ACT_LINK_OPEN:
    case ACT_LINK_CLOSE:
    case ACT_LINK_DROP:
    case ACT_SCRIPT_KILL:
    case ACT_PROMOTE:
    case ACT_SEAL:
    case ACT_CALL_BACK:
    case ACT_KEEP:
        put_link(s, out, a->link);
        break;
    case ACT_ASK:
        put_link(s, out, a->link);
        str_printf(out, " %llu ", (unsigned long long)a->epoch);
        put_id(out, a->id);
        break;
    case ACT_REPOINT:
    case ACT_HAND_OVER:
        put_link(s, out, a->link);
        str_append_z(out, " ->");
        put_addr(out, &a->to);
        break;
    case ACT_ANSWER:
        str_printf(out, " %d ", a->down);
        put_id(out, a->id);
        str_printf(out, " %llu", (unsigned long long)a->epoch);
        break;
    case ACT_REPLY:
        str_printf(out, " %s", a->ok ? "OK" : a->text);
        break;
    case ACT_EVENT:
        str_append_z(out, news_name(a->news));
        if (a->node != 0 && core_node(s->c, a->node) != NULL)
            put_addr(out, &core_node(s->c, a->node)->addr);
        break;
    case ACT_CLIENT_RECONFIG:
        str_append_z(out, a->leader ? " leader" : " observer");
        break;
    case ACT_DIRECTORY:
        put_addr(out, &a->to);
        break;
    default:
        break;
    }
}

static void tell(struct scene *s)
{
    str_clear(&s->told);
    for (size_t i = 0; i < s->out.list.n; i++) {
        const struct action *a = &s->out.list.at[i];

        if (a->kind == ACT_PING || a->kind == ACT_INFO)
            vec_push(&s->asked, *a);
        if (a->kind == ACT_PING || a->kind == ACT_INFO || a->kind == ACT_HELLO || a->kind == ACT_TRACE)
            continue;
        if (s->told.len > 0)
            str_append_z(&s->told, "; ");
        put_action(s, &s->told, a);
    }
    if (s->told.len > 0)
        str_printf(&s->all, "%s\n", str_c(&s->told));
}

/* --- events ------------------------------------------------------------------------------ */

const char *scene_step(struct scene *s, struct event ev)
{
    const char *wrong;

    ev.now_ms = s->now;
    actions_clear(&s->out);
    core_step(s->c, &ev, &s->out);
    tell(s);
    wrong = core_check(s->c);
    ck_assert_msg(wrong == NULL, "%s", wrong);
    return str_c(&s->told);
}

const char *scene_up(struct scene *s, struct link_ref l)
{
    return scene_step(s, (struct event){.kind = EV_LINK_UP, .link = l});
}

const char *scene_down(struct scene *s, struct link_ref l, enum link_how how)
{
    return scene_step(s, (struct event){.kind = EV_LINK_DOWN, .link = l, .u.how = how});
}

const char *scene_pong(struct scene *s, struct link_ref l, enum pong what)
{
    return scene_step(s, (struct event){.kind = EV_PONG, .link = l, .u.pong = what});
}

const char *scene_info(struct scene *s, int node, enum node_role role, int follows, bool link_up, int64_t offset)
{
    struct node_info i = {.role = role, .link_up = link_up, .offset = offset, .priority = 100, .announced = true};
    struct info_replica replicas[8];

    memset(i.run_id, 'a' + node, ID_HEX);
    i.hands = hands[node];
    i.kvnode = is_kvnode[node];
    if (role == ROLE_REPLICA)
        i.primary = scene_addr(follows);
    for (int k = 2; role == ROLE_PRIMARY && follows >= k; k++) {
        replicas[i.n_replicas].addr = scene_addr(k);
        replicas[i.n_replicas++].offset = offset;
    }
    i.replicas = replicas;
    return scene_step(s, (struct event){.kind = EV_INFO, .link = scene_cmd(s, node), .u.info = &i});
}

const char *scene_info_is(struct scene *s, int node, const struct node_info *i)
{
    return scene_step(s, (struct event){.kind = EV_INFO, .link = scene_cmd(s, node), .u.info = i});
}

const char *scene_order_done(struct scene *s, int node, enum order what, bool ok, bool kept, const char *why)
{
    return scene_step(s, (struct event){.kind = EV_ORDER_DONE, .link = scene_cmd(s, node), .u.order = {what, ok, kept, why}});
}

void scene_seals(struct scene *s, int64_t sealing_ms)
{
    struct core_timing t = *core_timing_now(s->c);

    t.sealing_ms = sealing_ms;
    scene_step(s, (struct event){.kind = EV_TIMING, .u.timing = &t});
}

const char *scene_answer(struct scene *s, int peer, bool down, const char *leader, uint64_t epoch)
{
    struct event ev = {.kind = EV_ANSWER, .link = scene_peer(s, peer), .group = s->group};

    ev.u.answer.down = down;
    ev.u.answer.leader = leader;
    ev.u.answer.leader_epoch = epoch;
    return scene_step(s, ev);
}

const char *scene_asked(struct scene *s, uint64_t epoch, const char *candidate)
{
    struct event ev = {.kind = EV_ASKED, .ticket = 7};

    ev.u.asked.primary = core_primary(s->c, scene_group(s))->addr;
    ev.u.asked.epoch = epoch;
    ev.u.asked.candidate = candidate;
    return scene_step(s, ev);
}

const char *scene_hello(struct scene *s, int peer, uint64_t epoch, int primary, uint64_t config_epoch)
{
    struct hello h = {.from = scene_peer_addr(peer), .current_epoch = epoch, .config_epoch = config_epoch, .group = "g"};

    memcpy(h.id, scene_id(peer), ID_MAX);
    h.primary = scene_addr(primary);
    return scene_step(s, (struct event){.kind = EV_HELLO, .u.hello = &h});
}

const char *scene_tick(struct scene *s)
{
    return scene_step(s, (struct event){.kind = EV_TICK});
}

/* --- time ------------------------------------------------------------------------------------ */

void scene_hands(struct scene *s, int node, bool kvnode, enum node_hands h)
{
    (void)s;
    is_kvnode[node] = kvnode;
    hands[node] = h;
}

void scene_mute(struct scene *s, int node)
{
    (void)s;
    muted[node] = true;
}

static int node_number(const struct scene *s, core_id id)
{
    const struct node *n = core_node(s->c, id);
    int i = 0;

    if (n != NULL)
        sscanf(n->addr.host, "10.0.0.%d", &i);
    return i;
}

static void answer_one(struct scene *s, struct action *a)
{
    struct link_ref l = a->link;
    const struct node *n = l.kind == LINK_PEER ? NULL : core_node(s->c, l.id);
    struct node_info i = {0};

    if (n != NULL && (muted[node_number(s, l.id)] || !n->w.up))
        return;
    if (a->kind == ACT_PING)
        scene_pong(s, l, PONG_OK);
    if (a->kind != ACT_INFO || n == NULL || n->said_role == ROLE_UNKNOWN)
        return;
    memcpy(i.run_id, n->run_id, sizeof i.run_id);
    i.role = n->said_role;
    i.primary = n->follows;
    i.link_up = n->follows_up;
    i.link_down_ms = n->follows_down_ms;
    i.priority = n->priority;
    i.offset = n->offset;
    i.announced = n->announced;
    i.hands = n->hands;
    i.kvnode = n->kvnode;
    i.loading = n->loading;
    memcpy(i.replid, n->replid, sizeof i.replid);
    memcpy(i.replid2, n->replid2, sizeof i.replid2);
    i.second_offset = n->second_offset;
    scene_step(s, (struct event){.kind = EV_INFO, .link = l, .u.info = &i});
}

/* Answers make further questions; a few rounds see them all. */
static void answer_all(struct scene *s)
{
    for (int round = 0; round < 4; round++) {
        struct asked asked = s->asked;

        memset(&s->asked, 0, sizeof s->asked);
        for (size_t i = 0; i < asked.n; i++)
            answer_one(s, &asked.at[i]);
        vec_fini(&asked);
    }
}

void scene_pass(struct scene *s, int64_t ms)
{
    int64_t until = s->now + ms;

    vec_clear(&s->asked);
    for (;;) {
        int64_t at = core_deadline_ms(s->c);

        if (at > until)
            break;
        s->now = ms_max(s->now, at);
        scene_tick(s);
        answer_all(s);
    }
    s->now = until;
}

void scene_kill(struct scene *s, int node)
{
    struct link_ref cmd = scene_cmd(s, node), sub = scene_sub(s, node);

    muted[node] = true;
    scene_down(s, cmd, HOW_CLOSED);
    scene_down(s, sub, HOW_CLOSED);
    scene_down(s, cmd, HOW_REFUSED);
    scene_down(s, sub, HOW_REFUSED);
}

const char *scene_elect(struct scene *s)
{
    scene_answer(s, 2, true, "", 0);
    return scene_answer(s, 3, true, scene_id(1), 1);
}

void scene_fail_over(struct scene *s)
{
    scene_kill(s, 1);
    scene_elect(s);
    scene_info(s, 2, ROLE_REPLICA, 1, false, 800);
    scene_info(s, 3, ROLE_REPLICA, 1, false, 700);
    scene_info(s, 2, ROLE_PRIMARY, 0, false, 800);
    scene_info(s, 3, ROLE_REPLICA, 2, true, 800);
    ck_assert_int_eq(scene_group(s)->fo.state, FO_IDLE);
}

/* --- the scene itself ---------------------------------------------------------------------------- */

void scene_forget(struct scene *s)
{
    str_clear(&s->all);
}

void scene_init(struct scene *s, int nodes, int peers)
{
    struct core_timing t;
    struct event add = {.kind = EV_GROUP_ADD};

    memset(s, 0, sizeof *s);
    memset(muted, 0, sizeof muted);
    memset(is_kvnode, 0, sizeof is_kvnode);
    memset(hands, 0, sizeof hands);
    s->now = 100000;
    s->c = core_new(scene_id(1), 1);
    actions_init(&s->out);
    core_timing_default(&t);
    t.bid_jitter_ms = 0;
    t.sealing_ms = 0;
    scene_step(s, (struct event){.kind = EV_TIMING, .u.timing = &t});
    add.u.group_add.name = "g";
    add.u.group_add.addr = scene_addr(1);
    add.u.group_add.quorum = 2;
    scene_step(s, add);
    s->group = core_group_at(s->c, 0)->id;
    scene_step(s, (struct event){.kind = EV_GROUP_SET, .group = s->group, .u.set = {GOPT_DOWN_AFTER_MS, 5000}});
    scene_up(s, scene_cmd(s, 1));
    scene_up(s, scene_sub(s, 1));
    scene_pong(s, scene_cmd(s, 1), PONG_OK);
    scene_info(s, 1, ROLE_PRIMARY, nodes, false, 100);
    for (int i = 2; i <= nodes; i++) {
        scene_up(s, scene_cmd(s, i));
        scene_up(s, scene_sub(s, i));
        scene_pong(s, scene_cmd(s, i), PONG_OK);
        scene_info(s, i, ROLE_REPLICA, 1, true, 100 + i);
    }
    for (int i = 2; i <= peers + 1; i++) {
        scene_hello(s, i, 0, 1, 0);
        scene_up(s, scene_peer(s, i));
        scene_pong(s, scene_peer(s, i), PONG_OK);
    }
    scene_forget(s);
}

void scene_fini(struct scene *s)
{
    actions_fini(&s->out);
    str_fini(&s->told);
    str_fini(&s->all);
    vec_fini(&s->asked);
    core_free(s->c);
}
