/* The shell of a simulated sentinel: links, disk, the order of actions. */
#include "tests/sim/sim_sentinel.h"

#include "common/base/mem.h"
#include "tests/sim/disk.h"
#include "tests/sim/faults.h"
#include "tests/sim/judge.h"
#include "tests/sim/sim_sentinel_view.h"
#include "tests/sim/story.h"
#include "tests/sim/talk.h"

#include <stdio.h>
#include <string.h>

#define RETRY_MIN_MS 50
#define PROMPT_TRIES 8             /* after a close: again in 1, 2, 3 ... ms until the answer is clear */
#define RETRY_MAX_MS 1000
#define CONNECT_TIMEOUT_MS 2000

enum link_state { LINK_UNUSED, LINK_PAUSES, LINK_OPENING, LINK_GREETING, LINK_UP, LINK_DROPPED };

struct link {
    enum link_state state;
    struct link_ref ref;
    int to;                        /* process, -1: nobody has that address */
    uint32_t conn;
    uint32_t gen;                  /* of its timer */
    int64_t pause_ms;
    int prompt;
};

struct sentinel {
    int index;
    char id[ID_MAX];
    struct core *core;
    struct actions acts;
    size_t at;                     /* next action to carry out */
    bool stepping;                 /* a list is being carried out */
    enum save_fate fate;           /* of the save under way */
    bool save_failed;              /* a save that was no must: told after the list */
    bool crash_when_said;
    bool boots;                    /* configuration: its saves are waited for without a pause */
    struct disk disk;
    struct core_timing timing;
    VEC(struct link) links;
    struct { uint32_t conn; uint32_t tag; uint64_t epoch; int group; } asked;
    uint64_t ticket;
};

static const char *const group_names[SIM_MAX_GROUPS] = {"orders", "users"};

const char *sim_group_name(int group) { return group_names[group]; }
const struct core *sentinel_core(const struct sentinel *s) { return s->core; }
const char *sentinel_id(const struct sentinel *s) { return s->id; }
const struct saved *sentinel_on_disk(const struct sentinel *s) { return s->disk.has_kept ? &s->disk.kept : NULL; }

core_id sentinel_group_id(const struct sentinel *s, int group)
{
    const struct group *g = core_group_named(s->core, group_names[group]);
    return g ? g->id : 0;
}

/* Ids begin with their number and seven zeroes, so that the simulator need not search. */
int sentinel_by_id(const char *id)
{
    if (id[0] < '1' || id[0] > '0' + SIM_MAX_SENTINELS || strncmp(id + 1, "0000000", 7) != 0)
        return -1;
    return id[0] - '1';
}

struct sentinel *sentinel_new(struct world *w, struct proc *p)
{
    struct sentinel *s = mem_zalloc(sizeof *s);

    s->index = p->id;
    snprintf(s->id, sizeof s->id, "%d0000000", p->id + 1);
    rng_hex(&w->rng, s->id + 8, ID_HEX - 8);
    disk_init(&s->disk);
    actions_init(&s->acts);
    core_timing_default(&s->timing);
    return s;
}

void sentinel_free(struct sentinel *s)
{
    if (!s)
        return;
    core_free(s->core);
    actions_fini(&s->acts);
    disk_fini(&s->disk);
    vec_fini(&s->links);
    mem_free(s);
}

void sentinel_timing(struct world *w, const struct core_timing *t)
{
    for (int i = 0; i < w->scene.sentinels; i++)
        world_sentinel(w, i)->sentinel->timing = *t;
}

int sentinel_view_primary(struct world *w, int sentinel, int group)
{
    struct proc *p = world_sentinel(w, sentinel);
    const struct group *g;
    struct proc *to;

    if (!p->alive || p->frozen || p->busy)
        return -1;
    g = core_group_named(p->sentinel->core, group_names[group]);
    to = g ? world_by_addr(w, core_client_addr(p->sentinel->core, g)) : NULL;
    return to ? to->id : -1;
}

/* --- links -------------------------------------------------------------------------------- */

static struct link *link_find(struct sentinel *s, struct link_ref ref)
{
    for (size_t i = 0; i < s->links.n; i++) {
        struct link *l = &s->links.at[i];
        if (l->state != LINK_UNUSED && l->ref.id == ref.id && l->ref.kind == ref.kind)
            return l;
    }
    return NULL;
}

static void link_timer(struct world *w, struct proc *p, struct link *l, int64_t in_us)
{
    struct sentinel *s = p->sentinel;

    world_later(w, w->now_us + in_us, DUE_TIMER, p->id, (int)(l - s->links.at), ++l->gen);
}

static void link_connect(struct world *w, struct proc *p, struct link *l)
{
    struct sentinel *s = p->sentinel;

    l->state = LINK_OPENING;
    l->conn = l->to >= 0 ? net_connect(w, p, &w->procs[l->to], (int32_t)(l - s->links.at)) : 0;
    link_timer(w, p, l, CONNECT_TIMEOUT_MS * 1000);
}

static void link_cut_off(struct world *w, struct proc *p, struct link *l)
{
    if (l->conn)
        net_close(w, p, l->conn);
    l->conn = 0;
    l->gen++;
}

static void link_open(struct world *w, struct proc *p, const struct action *a)
{
    struct sentinel *s = p->sentinel;
    struct proc *to = world_by_addr(w, &a->to);
    struct link *l = link_find(s, a->link);

    if (l && l->to == (to ? to->id : -1))
        return;
    if (l) {
        link_cut_off(w, p, l);
    } else {
        for (size_t i = 0; i < s->links.n && !l; i++)
            if (s->links.at[i].state == LINK_UNUSED)
                l = &s->links.at[i];
        if (!l)
            l = vec_add(&s->links);
    }
    l->ref = a->link;
    l->to = to ? to->id : -1;
    l->pause_ms = RETRY_MIN_MS;
    link_connect(w, p, l);
}

static void link_close(struct world *w, struct proc *p, struct link *l)
{
    link_cut_off(w, p, l);
    l->state = LINK_UNUSED;
}

static void say(struct world *w, struct proc *p, const struct action *a, struct msg m)
{
    struct link *l = link_find(p->sentinel, a->link);

    if (l && l->state == LINK_UP)
        net_send(w, p, l->conn, &m);
}

/* --- a step and its actions -------------------------------------------------------------------- */

static void run(struct world *w, struct proc *p);

static void arm(struct world *w, struct proc *p)
{
    world_wake_at(w, p, core_deadline_ms(p->sentinel->core));
}

static void step(struct world *w, struct proc *p, struct event ev)
{
    struct sentinel *s = p->sentinel;

    CHECK(!s->stepping);
    ev.now_ms = world_local_ms(w, p);
    actions_clear(&s->acts);
    s->at = 0;
    w->tally.steps++;
    core_step(s->core, &ev, &s->acts);
    judge_step(w, p);
    if (s->acts.list.n == 0) {
        arm(w, p);
        return;
    }
    s->stepping = true;
    run(w, p);
}

static int16_t proc_at(struct world *w, const struct addr *a)
{
    struct proc *p = world_by_addr(w, a);
    return p ? (int16_t)p->id : -1;
}

static int16_t group_index(const char *name)
{
    for (int g = 0; g < SIM_MAX_GROUPS; g++)
        if (strcmp(group_names[g], name) == 0)
            return (int16_t)g;
    CHECK(!"a group of this world");
    return -1;
}

static void order(struct world *w, struct proc *p, const struct action *a, int to, enum talk_order what)
{
    struct link *l = link_find(p->sentinel, a->link);

    if (l && l->to >= 0)
        story_tell(w, p, "orders %s to %s%s", w->procs[l->to].name,
                   what == TALK_PROMOTE ? "be primary" : what == TALK_SEALED ? "follow nobody" : "follow ",
                   to < 0 ? "" : w->procs[to].name);
    if (l && l->to == to)
        world_violation(w, "%s orders %s to follow itself", p->name, w->procs[to].name);
    say(w, p, a, (struct msg){.kind = TALK_ORDER, .a = (int16_t)to, .b = (int16_t)what});
}

/* true: the list goes on in sentinel_disk_done. */
static bool begin_save(struct world *w, struct proc *p)
{
    struct sentinel *s = p->sentinel;
    int64_t takes_us;

    core_saved(s->core, disk_write(&s->disk));
    w->tally.saves++;
    if (s->boots) {
        disk_synced(&s->disk);
        return false;
    }
    s->fate = faults_save(w, p, &takes_us);
    p->busy = true;
    world_later(w, w->now_us + takes_us, DUE_DISK, p->id, 0, ++p->disk_gen);
    return true;
}

static void count(struct world *w, const struct action *a)
{
    switch (a->news) {
    case NEWS_TRY_FAILOVER: w->tally.elections++; break;
    case NEWS_NOT_ELECTED: w->tally.split_votes++; break;
    case NEWS_VOTE: w->tally.votes++; break;
    case NEWS_PROMOTED: w->tally.failovers++; break;
    default: break;
    }
}

/* One action that is no save. */
static void act(struct world *w, struct proc *p, const struct action *a)
{
    struct link *l;

    switch (a->kind) {
    case ACT_LINK_OPEN: link_open(w, p, a); break;
    case ACT_LINK_CLOSE:
        if ((l = link_find(p->sentinel, a->link)))
            link_close(w, p, l);
        break;
    case ACT_LINK_DROP:
        if ((l = link_find(p->sentinel, a->link))) {
            link_cut_off(w, p, l);
            l->state = LINK_DROPPED;
            link_timer(w, p, l, 0);
        }
        break;
    case ACT_PING: say(w, p, a, (struct msg){.kind = TALK_PING}); break;
    case ACT_INFO: say(w, p, a, (struct msg){.kind = TALK_INFO}); break;
    case ACT_HELLO:
        say(w, p, a, (struct msg){.kind = TALK_HELLO, .a = p->id, .b = proc_at(w, &a->hello->primary),
                                  .group = (uint8_t)group_index(a->hello->group), .x = a->hello->current_epoch,
                                  .y = a->hello->config_epoch});
        break;
    case ACT_ASK:
        judge_said(w, p, group_index(core_group(p->sentinel->core, a->group)->name), a);
        say(w, p, a, (struct msg){.kind = TALK_ASK, .a = proc_at(w, &a->to), .b = (int16_t)sentinel_by_id(a->id),
                                  .x = a->epoch, .tag = (uint32_t)a->group});
        break;
    case ACT_PROMOTE:
        judge_promotes(w, p, core_node(p->sentinel->core, a->link.id));
        order(w, p, a, -1, TALK_PROMOTE);
        break;
    case ACT_REPOINT: order(w, p, a, proc_at(w, &a->to), TALK_REPOINT); break;
    case ACT_SEAL:
        w->tally.seals++;
        order(w, p, a, FOLLOWS_HOLE, TALK_SEALED);
        break;
    case ACT_ANSWER:
        CHECK(a->ticket == p->sentinel->ticket);
        judge_said(w, p, p->sentinel->asked.group, a);
        net_send(w, p, p->sentinel->asked.conn,
                 &(struct msg){.kind = TALK_ANSWER, .a = a->down, .b = (int16_t)sentinel_by_id(a->id),
                               .x = p->sentinel->asked.epoch, .y = a->epoch, .tag = p->sentinel->asked.tag});
        break;
    case ACT_EVENT: count(w, a); story_news(w, p, a); break;
    case ACT_TRACE: story_news(w, p, a); break;
    case ACT_REPLY:
        if (!a->ok)
            story_tell(w, p, "answers the operator: %s", a->text);
        break;
    case ACT_HAND_OVER:
        w->tally.handovers++;
        story_tell(w, p, "orders to hand over to %s", w->procs[proc_at(w, &a->to)].name);
        say(w, p, a, (struct msg){.kind = TALK_FAILOVER, .a = proc_at(w, &a->to), .x = (uint64_t)a->ms});
        break;
    case ACT_CALL_BACK: say(w, p, a, (struct msg){.kind = TALK_FAILOVER, .a = -1}); break;
    case ACT_KEEP: say(w, p, a, (struct msg){.kind = TALK_KEEP}); break;
    case ACT_SCRIPT_KILL:
    case ACT_CLIENT_RECONFIG:
    case ACT_DIRECTORY: break;
    case ACT_SAVE:
    case ACT_KINDS: CHECK(!"not here");
    }
}

static void run(struct world *w, struct proc *p)
{
    struct sentinel *s = p->sentinel;

    while (s->at < s->acts.list.n) {
        const struct action *a = &s->acts.list.at[s->at++];
        if (a->kind == ACT_SAVE) {
            if (begin_save(w, p))
                return;
            continue;
        }
        act(w, p, a);
    }
    s->stepping = false;
    if (s->crash_when_said) {
        s->crash_when_said = false;
        world_kill(w, p);
        faults_will_return(w, p);
        return;
    }
    if (s->save_failed) {
        s->save_failed = false;
        step(w, p, (struct event){.kind = EV_SAVE_FAILED});
        return;
    }
    arm(w, p);
}

void sentinel_disk_done(struct world *w, struct proc *p)
{
    struct sentinel *s = p->sentinel;
    bool must = s->acts.list.at[s->at - 1].must;

    if (s->fate == SAVE_CRASH_BEFORE) {
        world_kill(w, p);
        faults_will_return(w, p);
        return;
    }
    p->busy = false;
    if (s->fate == SAVE_FAILS) {
        w->tally.saves_failed++;
        story_tell(w, p, "cannot save");
        disk_failed(&s->disk);
        if (must) {
            for (size_t i = s->at; i < s->acts.list.n; i++)
                if (action_stands_alone(&s->acts.list.at[i]))
                    act(w, p, &s->acts.list.at[i]);
            s->stepping = false;
            step(w, p, (struct event){.kind = EV_SAVE_FAILED});
        } else {
            s->save_failed = true;
            run(w, p);
        }
    } else {
        disk_synced(&s->disk);
        if (s->fate == SAVE_CRASH_AFTER) {
            world_kill(w, p);
            faults_will_return(w, p);
            return;
        }
        s->crash_when_said = s->fate == SAVE_CRASH_SAID;
        run(w, p);
    }
    if (!p->frozen)
        world_drain(w, p);
}

/* --- start and stop ------------------------------------------------------------------------------ */

static void set_option(struct world *w, struct proc *p, core_id group, enum group_opt opt, int64_t value)
{
    step(w, p, (struct event){.kind = EV_GROUP_SET, .group = group, .u.set = {opt, value}});
}

static void configure(struct world *w, struct proc *p)
{
    struct sentinel *s = p->sentinel;

    step(w, p, (struct event){.kind = EV_TIMING, .u.timing = &s->timing});
    step(w, p, (struct event){.kind = EV_SELF, .u.self = *world_addr(w, p->id)});
    for (int g = 0; g < w->scene.groups; g++) {
        core_id id;
        step(w, p, (struct event){.kind = EV_GROUP_ADD,
                                  .u.group_add = {group_names[g], *world_addr(w, world_node(w, g, 0)->id), w->scene.quorum, true}});
        id = sentinel_group_id(s, g);
        CHECK(id != 0);
        set_option(w, p, id, GOPT_DOWN_AFTER_MS, w->scene.down_after_ms);
        set_option(w, p, id, GOPT_FAILOVER_TIMEOUT_MS, w->scene.failover_timeout_ms);
        set_option(w, p, id, GOPT_CRASH_EVIDENCE, w->scene.evidence);
        set_option(w, p, id, GOPT_PARALLEL_SYNCS, w->scene.parallel_syncs);
        set_option(w, p, id, GOPT_REBOOT_DOWN_AFTER_MS, w->scene.reboot_down_after_ms);
    }
    if (s->disk.has_kept)
        step(w, p, (struct event){.kind = EV_RESTORE, .u.saved = &s->disk.kept});
}

void sentinel_start(struct world *w, struct proc *p)
{
    struct sentinel *s = p->sentinel;

    s->core = core_new(s->id, w->seed * 31 + (uint64_t)p->id * 1000 + p->starts);
    s->stepping = s->save_failed = s->crash_when_said = false;
    judge_started(w, p);
    s->boots = true;
    configure(w, p);
    s->boots = false;
}

void sentinel_stop(struct world *w, struct proc *p)
{
    struct sentinel *s = p->sentinel;
    const struct core_counts *c = core_counts(s->core);

    w->tally.vetoes += c->vetoes;
    if (disk_crash(&s->disk, &w->rng))
        w->tally.saves_lost++;
    core_free(s->core);
    s->core = NULL;
    vec_clear(&s->links);
}

/* --- what comes in ---------------------------------------------------------------------------------- */

/* As the real links do it: at once after a close, then promptly while a dying process still accepts
 * and resets, then with growing pauses. */
static int64_t pause_before_retry(struct link *l, enum link_how how)
{
    if (how != HOW_CLOSED)
        l->prompt = 0;
    if (l->prompt > 0) {
        l->prompt--;
        return PROMPT_TRIES - l->prompt;
    }
    l->pause_ms = ms_min(l->pause_ms * 2, RETRY_MAX_MS);
    return l->pause_ms;
}

static void link_down(struct world *w, struct proc *p, struct link *l, enum link_how how)
{
    struct link_ref ref = l->ref;
    bool was_up = l->state == LINK_UP;

    link_cut_off(w, p, l);
    if ((how == HOW_CLOSED && was_up) || how == HOW_BY_US) {
        l->pause_ms = RETRY_MIN_MS;
        l->prompt = PROMPT_TRIES;
        link_connect(w, p, l);
    } else {
        l->state = LINK_PAUSES;
        link_timer(w, p, l, pause_before_retry(l, how) * 1000);
    }
    step(w, p, (struct event){.kind = EV_LINK_DOWN, .link = ref, .u.how = how});
}

static void link_is_up(struct world *w, struct proc *p, struct link *l)
{
    l->state = LINK_UP;
    l->gen++;
    l->pause_ms = RETRY_MIN_MS;
    step(w, p, (struct event){.kind = EV_LINK_UP, .link = l->ref});
}

static void info_is(struct world *w, struct proc *p, struct link_ref ref, const struct talk_info *t)
{
    struct info_replica r[SIM_MAX_NODES];
    struct node_info i = {.role = t->primary ? ROLE_PRIMARY : ROLE_REPLICA, .replicas = r, .n_replicas = (size_t)t->n,
                          .link_up = t->link_up, .link_down_ms = t->link_down_ms, .priority = t->priority,
                          .offset = t->offset, .announced = true, .kvnode = w->scene.kvnodes,
                          .hands = !w->scene.knows_failover ? HANDS_UNKNOWN : t->handing ? HANDS_OVER : HANDS_IDLE};

    for (int k = 0; k < t->n; k++) {
        r[k].addr = *world_addr(w, t->replica[k].proc);
        r[k].offset = t->replica[k].offset;
    }
    if (t->follows >= 0)
        i.primary = *world_addr(w, t->follows);
    if (t->follows == FOLLOWS_HOLE)
        i.primary = world_hole;
    i.second_offset = t->older < 0 ? -1 : t->older_end + 1;
    snprintf(i.run_id, sizeof i.run_id, "%016llx%024llx", (unsigned long long)t->run, (unsigned long long)ref.id);
    snprintf(i.replid, sizeof i.replid, "%040x", (unsigned)t->history + 1);
    snprintf(i.replid2, sizeof i.replid2, "%040x", (unsigned)t->older + 1);
    step(w, p, (struct event){.kind = EV_INFO, .link = ref, .u.info = &i});
}

static void hello(struct world *w, struct proc *p, struct link_ref ref, const struct msg *m)
{
    struct proc *from = world_sentinel(w, m->a);
    struct hello h = {.from = *world_addr(w, m->a), .current_epoch = m->x, .config_epoch = m->y};

    if (m->b < 0)
        return;
    memcpy(h.id, from->sentinel->id, ID_MAX);
    snprintf(h.group, sizeof h.group, "%s", group_names[m->group]);
    h.primary = *world_addr(w, m->b);
    step(w, p, (struct event){.kind = EV_HELLO, .link = ref, .u.hello = &h});
}

_Static_assert((int)TALK_CALL_BACK == (int)ORDER_CALL_BACK && (int)TALK_HAND_OVER == (int)ORDER_HAND_OVER && (int)TALK_REPOINT == (int)ORDER_REPOINT &&
               (int)TALK_SEALED == (int)ORDER_SEAL && (int)TALK_KEPT == (int)ORDER_KEEP,
               "the same words");

static void from_link(struct world *w, struct proc *p, struct link *l, const struct msg *m)
{
    switch ((enum talk)m->kind) {
    case TALK_GREETED:
    case TALK_SUBSCRIBED: link_is_up(w, p, l); break;
    case TALK_PONG: step(w, p, (struct event){.kind = EV_PONG, .link = l->ref, .u.pong = PONG_OK}); break;
    case TALK_INFO_IS: info_is(w, p, l->ref, m->body); break;
    case TALK_HELLO: hello(w, p, l->ref, m); break;
    case TALK_ORDER_DONE:
        step(w, p, (struct event){.kind = EV_ORDER_DONE, .link = l->ref,
                                  .u.order = {(enum order)m->b, m->a != 0, m->x != 0, NULL}});
        break;
    case TALK_ANSWER:
        step(w, p, (struct event){.kind = EV_ANSWER, .link = l->ref, .group = (core_id)m->tag,
                                  .u.answer = {m->x, m->a != 0, m->b >= 0 ? world_sentinel(w, m->b)->sentinel->id : "", m->y}});
        break;
    default: CHECK(!"nobody says this on a link of ours");
    }
}

/* What others say to us on connections that they opened. */
static void serve(struct world *w, struct proc *p, uint32_t conn, const struct msg *m)
{
    struct sentinel *s = p->sentinel;

    switch ((enum talk)m->kind) {
    case TALK_GREET: net_send(w, p, conn, &(struct msg){.kind = TALK_GREETED}); break;
    case TALK_PING: net_send(w, p, conn, &(struct msg){.kind = TALK_PONG}); break;
    case TALK_HELLO: hello(w, p, (struct link_ref){LINK_PEER, 0}, m); break;
    case TALK_ASK:
        if (m->a < 0)
            break;
        s->asked.conn = conn;
        s->asked.tag = m->tag;
        s->asked.epoch = m->x;
        s->asked.group = world_group_of(w, &w->procs[m->a]);
        step(w, p, (struct event){.kind = EV_ASKED, .ticket = ++s->ticket,
                                  .u.asked = {*world_addr(w, m->a), m->x,
                                              m->b >= 0 ? world_sentinel(w, m->b)->sentinel->id : ""}});
        break;
    default: CHECK(!"a sentinel is never told this");
    }
}

static struct link *link_of(struct sentinel *s, const struct inbox *in)
{
    struct link *l = in->user >= 0 && (size_t)in->user < s->links.n ? &s->links.at[in->user] : NULL;

    return l && l->conn == in->conn && l->state != LINK_UNUSED ? l : NULL;
}

static void timer(struct world *w, struct proc *p, struct link *l)
{
    switch (l->state) {
    case LINK_PAUSES: link_connect(w, p, l); break;
    case LINK_OPENING:
    case LINK_GREETING: link_down(w, p, l, HOW_TIMEOUT); break;
    case LINK_DROPPED: link_down(w, p, l, HOW_BY_US); break;
    case LINK_UP:
    case LINK_UNUSED: break;
    }
}

void sentinel_take(struct world *w, struct proc *p, const struct inbox *in)
{
    struct sentinel *s = p->sentinel;
    struct link *l = in->kind == IN_WAKE || in->kind == IN_TIMER || in->kind == IN_ACCEPTED ? NULL : link_of(s, in);

    switch (in->kind) {
    case IN_UP:
        if (l) {
            l->state = LINK_GREETING;
            net_send(w, p, l->conn, &(struct msg){.kind = l->ref.kind == LINK_NODE_SUB ? TALK_SUBSCRIBE : TALK_GREET});
        }
        break;
    case IN_REFUSED:
    case IN_CLOSED:
        if (l) {
            enum link_how how = in->kind == IN_REFUSED ? HOW_REFUSED : HOW_CLOSED;
            l->conn = 0;
            link_down(w, p, l, how);
        }
        break;
    case IN_MSG:
        if (l)
            from_link(w, p, l, &in->msg);
        else if (in->user < 0)
            serve(w, p, in->conn, &in->msg);
        break;
    case IN_WAKE:
        if (world_local_ms(w, p) >= core_deadline_ms(s->core))
            step(w, p, (struct event){.kind = EV_TICK});
        else
            arm(w, p);
        break;
    case IN_TIMER:
        if (in->conn < s->links.n && s->links.at[in->conn].gen == in->gen)
            timer(w, p, &s->links.at[in->conn]);
        break;
    case IN_ACCEPTED: break;
    }
}

void sentinel_retime(struct world *w, struct proc *p, const struct core_timing *t)
{
    p->sentinel->timing = *t;
    step(w, p, (struct event){.kind = EV_TIMING, .u.timing = t});
}

void sentinel_order_failover(struct world *w, struct proc *p, int group)
{
    if (!p->alive || p->frozen || p->busy)
        return;
    story_tell(w, p, "is told to fail over %s", group_names[group]);
    step(w, p, (struct event){.kind = EV_FAILOVER, .group = sentinel_group_id(p->sentinel, group), .ticket = 99,
                              .u.coordinated = w->scene.coordinated});
}

void sentinel_order_reset(struct world *w, struct proc *p, int group)
{
    if (!p->alive || p->frozen || p->busy)
        return;
    w->reset = p;
    story_tell(w, p, "is told to reset %s", group_names[group]);
    step(w, p, (struct event){.kind = EV_GROUP_RESET, .group = sentinel_group_id(p->sentinel, group)});
}
