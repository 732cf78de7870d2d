/* The door of the node's half: events in, a list of orders out; the table of phases and its
 * driver. Only the driver assigns `phase`, from the row; whether a message may become a cause
 * is decided by the handler of its kind, in the file of its noun. */
#include "kvnode/role/member_inside.h"

#include "common/base/check.h"

#include <stdio.h>
#include <string.h>

static void nothing(struct member_turn *t) { (void)t; }
static void fence(struct member_turn *t) { member_order(t, MO_FENCE); }

static void let_go(struct member_turn *t)
{
    if (member_is_primary(t->m))
        member_order(t, MO_GIVE_UP_WAITERS);       /* nobody will confirm them now */
    member_order(t, MO_RELEASED);
    t->m->release_out = t->m->save_out;
}

static void fence_and_follow(struct member_turn *t)
{
    fence(t);
    member_act_follow(t);
}

static const struct row {
    enum member_phase in;
    enum member_cause on;
    void (*act)(struct member_turn *t);
    enum member_phase then;
    const char *because;
} table[] = {
/*    in           on                  do                     then         because */
    { MP_PLAIN,    MC_BOUND,           nothing,               MP_BOUND,    "bound to an attempt: goes on, takes no plain order" },

    { MP_BOUND,    MC_BOUND,           nothing,               MP_BOUND,    "bound to a newer attempt" },
    { MP_BOUND,    MC_RELEASED,        let_go,                MP_PLAIN,    "the attempt is dead: plain again" },
    { MP_BOUND,    MC_LET_GO,          fence,                 MP_FENCED,   "the attempt is dead: waits for the next one" },
    { MP_BOUND,    MC_OPENED,          member_act_lead,       MP_OPEN,     "formed: the epoch begins where the log stands" },
    { MP_BOUND,    MC_SEALED,          fence,                 MP_FENCED,   "sealed" },
    { MP_BOUND,    MC_FOLLOW,          member_act_follow,     MP_FOLLOWER, "told whom to follow" },
    { MP_BOUND,    MC_STREAM,          nothing,               MP_FOLLOWER, "the primary's stream is of an epoch now" },

    { MP_FENCED,   MC_BOUND,           nothing,               MP_FENCED,   "bound to an attempt" },
    { MP_FENCED,   MC_RELEASED,        let_go,                MP_PLAIN,    "plain again" },
    { MP_FENCED,   MC_LET_GO,          nothing,               MP_FENCED,   "the attempt is dead: waits for the next one" },
    { MP_FENCED,   MC_OPENED,          member_act_lead,       MP_OPEN,     "a majority holds the record that names us" },
    { MP_FENCED,   MC_OPENED_UNPROVED, member_act_ask_first,  MP_UNPROVED, "a record names us: the lease comes first" },
    { MP_FENCED,   MC_SEALED,          nothing,               MP_FENCED,   "sealed" },
    { MP_FENCED,   MC_FETCH,           member_act_fetch,      MP_FETCHING, "takes the tail from the longest" },
    { MP_FENCED,   MC_FOLLOW,          member_act_follow,     MP_FOLLOWER, "told whom to follow" },

    { MP_FETCHING, MC_RELEASED,        let_go,                MP_PLAIN,    "plain again" },
    { MP_FETCHING, MC_SEALED,          fence,                 MP_FENCED,   "sealed anew: the tail is of another ballot" },
    { MP_FETCHING, MC_FETCH,           member_act_fetch,      MP_FETCHING, "takes the tail from another" },
    { MP_FETCHING, MC_FETCHED,         nothing,               MP_FENCED,   "the fetch is over" },
    { MP_FETCHING, MC_FOLLOW,          fence_and_follow,      MP_FOLLOWER, "told whom to follow" },

    { MP_FOLLOWER, MC_BOUND,           nothing,               MP_FOLLOWER, "bound to a newer attempt" },
    { MP_FOLLOWER, MC_LET_GO,          fence,                 MP_FENCED,   "the attempt is dead: waits for the next one" },
    { MP_FOLLOWER, MC_RELEASED,        let_go,                MP_PLAIN,    "the group is dissolved: plain again" },
    { MP_FOLLOWER, MC_SEALED,          fence,                 MP_FENCED,   "sealed" },
    { MP_FOLLOWER, MC_FOLLOW,          member_act_follow,     MP_FOLLOWER, "told whom to follow" },

    { MP_UNPROVED, MC_RELEASED,        let_go,                MP_PLAIN,    "the group is dissolved: plain again" },
    { MP_UNPROVED, MC_PROVED,          member_act_lead,       MP_OPEN,     "a majority holds this same record" },
    { MP_UNPROVED, MC_OPENED,          member_act_lead,       MP_OPEN,     "a majority holds the record that names us" },
    { MP_UNPROVED, MC_SEALED,          member_act_stand_down, MP_FENCED,   "sealed: this epoch is over" },
    { MP_UNPROVED, MC_ENDED,           member_act_stand_down, MP_FENCED,   "told that our incarnation is over: made true" },
    { MP_UNPROVED, MC_FOLLOW,          member_act_depose,     MP_FOLLOWER, "there is a primary of a later epoch" },

    { MP_OPEN,     MC_RELEASED,        let_go,                MP_PLAIN,    "the group is dissolved: plain again" },
    { MP_OPEN,     MC_SEALED,          member_act_stand_down, MP_FENCED,   "sealed: this epoch is over" },
    { MP_OPEN,     MC_ENDED,           member_act_stand_down, MP_FENCED,   "told that our incarnation is over: made true" },
    { MP_OPEN,     MC_FOLLOW,          member_act_depose,     MP_FOLLOWER, "there is a primary of a later epoch" },
    { MP_OPEN,     MC_UNSAVED,         nothing,               MP_FENCED,   "the disk did not take it: nothing was opened" },
    { MP_OPEN,     MC_UNSAVED_FIRST,   nothing,               MP_BOUND,    "the disk did not take it: nothing was opened" },
    { MP_OPEN,     MC_STOP,            member_act_stopping,   MP_STOPPING, "hand-over: no new writes until the target has all" },

    { MP_STOPPING, MC_RELEASED,        let_go,                MP_PLAIN,    "the group is dissolved: plain again" },
    { MP_STOPPING, MC_SEALED,          member_act_stand_down, MP_FENCED,   "sealed: this epoch is over" },
    { MP_STOPPING, MC_ENDED,           member_act_stand_down, MP_FENCED,   "told that our incarnation is over: made true" },
    { MP_STOPPING, MC_FOLLOW,          member_act_depose,     MP_FOLLOWER, "there is a primary of a later epoch" },
    { MP_STOPPING, MC_STOP,            member_act_stopping,   MP_STOPPING, "hand-over: another leader, another target" },
    { MP_STOPPING, MC_RESUME,          member_act_resume,     MP_OPEN,     "the hand-over was called off" },
    { MP_STOPPING, MC_EXPIRED,         member_act_resume,     MP_OPEN,     "the leader of the hand-over fell silent" },
    { MP_STOPPING, MC_FINISH,          member_act_finish,     MP_FENCED,   "hand-over: the epoch is given up for ever" },
};
#define ROWS (sizeof table / sizeof table[0])

static const char *const cause_names[MC_CAUSES] = {
    [MC_BOUND] = "bound", [MC_RELEASED] = "released", [MC_LET_GO] = "let-go", [MC_OPENED] = "opened",
    [MC_OPENED_UNPROVED] = "opened-unproved", [MC_PROVED] = "proved", [MC_STOP] = "stop", [MC_RESUME] = "resume",
    [MC_EXPIRED] = "expired", [MC_FINISH] = "finish", [MC_ENDED] = "ended", [MC_SEALED] = "sealed",
    [MC_FETCH] = "fetch", [MC_FETCHED] = "fetched", [MC_FOLLOW] = "follow", [MC_STREAM] = "stream",
    [MC_UNSAVED] = "unsaved", [MC_UNSAVED_FIRST] = "unsaved-first",
};

static enum ha_node_state seen_as(enum member_phase p)
{
    static const enum ha_node_state states[MP_PHASES] = {
        [MP_PLAIN] = HA_PLAIN, [MP_BOUND] = HA_PLAIN, [MP_FENCED] = HA_FENCED, [MP_FETCHING] = HA_FENCED,
        [MP_FOLLOWER] = HA_FOLLOWER, [MP_UNPROVED] = HA_PRIMARY, [MP_OPEN] = HA_PRIMARY, [MP_STOPPING] = HA_PRIMARY,
    };
    return states[p];
}

static void enter(struct member *m, enum member_phase p)
{
    m->phase = p;
    m->state = seen_as(p);
    if (p != MP_STOPPING)
        m->stop_until_ms = NEVER_MS;
    if (p == MP_FOLLOWER || p == MP_BOUND || p == MP_PLAIN)
        return;
    m->follow_epoch = m->up_link = m->stream_epoch = 0;
    m->primary_heard_at_ms = 0;
    m->link_up = false;
    memset(&m->follows_addr, 0, sizeof m->follows_addr);
}

static const struct row *find_row(enum member_phase in, enum member_cause on)
{
    for (size_t i = 0; i < ROWS; i++)
        if (table[i].in == in && table[i].on == on)
            return &table[i];
    return NULL;
}

bool member_has_row(const struct member *m, enum member_cause on) { return find_row(m->phase, on) != NULL; }

void member_move(struct member_turn *t, enum member_cause on)
{
    const struct row *row = find_row(t->m->phase, on);

    CHECK(row != NULL);
    row->act(t);
    enter(t->m, row->then);
    t->out->because = row->because;
}

bool member_row_at(size_t i, struct member_row *out)
{
    if (i >= ROWS)
        return false;
    *out = (struct member_row){table[i].in, cause_names[table[i].on], table[i].then, table[i].because};
    return true;
}

/* --- verbs ------------------------------------------------------------------------------------ */

struct member_order *member_order(struct member_turn *t, enum member_order_kind kind)
{
    struct member_order *o;

    CHECK(t->out->n < MEMBER_ORDERS_MAX);
    o = &t->out->at[t->out->n++];
    memset(o, 0, sizeof *o);
    o->kind = kind;
    return o;
}

struct ha_msg *member_say(struct member_turn *t, uint64_t link, enum ha_kind kind)
{
    struct member_order *o = member_order(t, MO_SEND);

    o->link = link;
    o->msg.kind = kind;
    memcpy(o->msg.from, t->m->f.id, ID_MAX);
    o->msg.life = t->m->f.life;
    o->msg.gid = t->m->f.gid;
    o->msg.incarnation = t->m->incarnation;
    return &o->msg;
}

void member_save(struct member_turn *t) { t->m->save_due = true; }

void member_saved_first(struct member_turn *t)
{
    if (!t->m->save_due)
        return;
    member_order(t, MO_SAVE);
    t->m->save_due = false;            /* ME_SAVE_FAILED says otherwise */
    t->m->save_out = true;
}

void member_heard(struct member_turn *t, const char *because)
{
    if (!t->out->because)
        t->out->because = because;
}

/* --- events ----------------------------------------------------------------------------------- */

static void on_look(struct member_turn *t)
{
    struct member_order *o = member_order(t, MO_SEND);

    o->link = t->ev->link;
    member_status(t->m, t->now_ms, &o->msg);
    member_heard(t, "asked how it is");
}

static void on_msg(struct member_turn *t)
{
    static void (*const handlers[HA_KINDS])(struct member_turn *) = {
        [HA_LOOK] = on_look, [HA_BIND] = member_on_bind, [HA_SEAL] = member_on_seal, [HA_FETCH] = member_on_fetch,
        [HA_OPEN] = member_on_open, [HA_LEASE] = member_on_lease, [HA_JOINT] = member_on_joint,
        [HA_COMMITTED] = member_on_committed, [HA_STOP] = member_on_stop, [HA_RESUME] = member_on_resume,
        [HA_FINISH] = member_on_finish, [HA_FOLLOW] = member_on_follow, [HA_END] = member_on_end,
        [HA_RENEW] = member_on_renew, [HA_ACK] = member_on_ack,
    };

    if ((unsigned)t->msg->kind < HA_KINDS && handlers[t->msg->kind])
        handlers[t->msg->kind](t);
}

static void on_role(struct member_turn *t)
{
    struct member *m = t->m;

    snprintf(m->follows, sizeof m->follows, "%s", t->ev->id ? t->ev->id : "");
    m->follows_addr = t->ev->addr;
}

/* What a release was to bring about was dropped behind a save that failed. */
static void release_again(struct member_turn *t)
{
    struct member *m = t->m;

    if (!m->release_due)
        return;
    m->release_due = false;
    if (m->phase != MP_PLAIN)
        return;
    member_saved_first(t);
    member_order(t, MO_RELEASED);
    m->release_out = m->save_out;
}

static void on_save_failed(struct member_turn *t)
{
    struct member *m = t->m;

    m->save_due = m->disk_failed = true;
    m->release_due = m->release_due || m->release_out;
    if (m->lead_out && m->phase == MP_OPEN) {
        m->epoch = m->commit.epoch = 0;
        m->n_joints = 0;
        m->leased = false;
        if (m->opened_first) {
            m->f.used = false;
            m->f.sealed = m->sealed_before;
            m->rec.gid = 0;
        }
        member_move(t, m->opened_first ? MC_UNSAVED_FIRST : MC_UNSAVED);
    }
    member_heard(t, "the disk did not take it: nothing is answered that rests on it");
}

/* Whoever was told to go says so at once; the leader's hand-over comes from there. */
static void on_leave(struct member_turn *t)
{
    struct member *m = t->m;

    m->leaving = !t->ev->yes;
    if (!member_is_open(m))
        return;
    for (int i = 0; i < m->n_links; i++)
        if (m->link[i].voter) {
            struct member_order *o = member_order(t, MO_SEND);
            o->link = m->link[i].link;
            member_status(m, t->now_ms, &o->msg);
        }
    member_heard(t, m->leaving ? "told to stop: asks for a hand-over" : "stays after all");
}

void member_step(struct member *m, const struct member_event *ev, int64_t now_ms, struct member_orders *out)
{
    struct member_turn t = {m, ev, ev->msg, now_ms, out};

    out->because = NULL;
    out->refused = false;
    out->n = 0;
    if (m->save_out && ev->kind != ME_SAVE_FAILED)
        m->disk_failed = false;
    if (ev->kind != ME_SAVE_FAILED)
        m->lead_out = m->release_out = false;
    m->save_out = false;
    if (ev->kind != ME_SAVE_FAILED)
        release_again(&t);
    member_set_configs(m);
    switch (ev->kind) {
    case ME_MSG: CHECK(ev->msg != NULL); on_msg(&t); break;
    case ME_VOTER_UP: member_on_link_up(&t, true); break;
    case ME_REPLICA_UP: member_on_link_up(&t, false); break;
    case ME_LINK_GONE: member_on_link_gone(&t); break;
    case ME_ROLE: on_role(&t); break;
    case ME_LOG: member_on_log(&t); break;
    case ME_STREAM: CHECK(ev->msg != NULL); member_on_stream(&t); break;
    case ME_FULL_COPY: member_on_full_copy(&t); break;
    case ME_FOLLOWS: member_on_follows(&t); break;
    case ME_SAVE_FAILED: on_save_failed(&t); break;
    case ME_HEALTH: m->unhealthy = !ev->yes; break;
    case ME_LEAVE: on_leave(&t); break;
    case ME_FETCHED: member_on_fetched(&t); break;
    case ME_TICK:
    case ME_KINDS: break;
    }
    member_stop_due(&t);
    member_seal_due(&t);
    member_renew_due(&t);
    CHECK(member_check(m) == NULL);
}

/* A process starts. It was bound or sealed: fenced, whatever its config says (R10). The promises of
 * the process before it may still run: silence (T5). */
void member_init(struct member *m, const struct member_facts *f, uint64_t incarnation, int64_t now_ms)
{
    CHECK(f->id[0] != '\0' && f->life != 0 && incarnation != 0);
    memset(m, 0, sizeof *m);
    m->f = *f;
    m->incarnation = incarnation;
    m->stop_until_ms = NEVER_MS;
    m->silent_until_ms = f->gid != 0 && !PLANT(NO_SILENCE) ? ms_add(now_ms, f->promise_max_ms) : 0;
    enter(m, f->gid != 0 || f->waits_for_group ? MP_FENCED : MP_PLAIN);
}

int64_t member_deadline_ms(const struct member *m)
{
    return ms_min(ms_min(m->stop_until_ms, member_seal_due_ms(m)), member_renew_due_ms(m));
}

/* --- questions --------------------------------------------------------------------------------- */

bool member_is_open(const struct member *m) { return m->phase == MP_OPEN || m->phase == MP_STOPPING; }
bool member_is_primary(const struct member *m) { return m->phase == MP_UNPROVED || member_is_open(m); }
bool member_marker_out(const struct member *m) { return member_is_open(m); }

static bool is_plain(const struct member *m) { return m->phase == MP_PLAIN || m->phase == MP_BOUND; }

bool member_lease_valid(const struct member *m, int64_t now_ms)
{
    if (is_plain(m))
        return true;
    return member_is_open(m) && now_ms < member_lease_until_ms(m);
}

bool member_may_write(const struct member *m, int64_t now_ms)
{
    if (is_plain(m))
        return true;
    return m->phase == MP_OPEN && member_lease_valid(m, now_ms);
}

bool member_holds_replies(const struct member *m)
{
    if (!member_is_primary(m))
        return false;
    for (int i = 0; i < member_configs(m); i++)
        if (member_config(m, i)->mode != HA_ASYNC)
            return true;
    return false;
}

bool member_takes_plain_orders(const struct member *m)
{
    return m->phase == MP_PLAIN || PLANT(BOUND_TAKES_PLAIN);
}

bool member_may_take(const struct member *m, uint64_t link)
{
    if (m->phase == MP_PLAIN || (m->phase == MP_BOUND && !m->f.used))
        return true;
    return m->phase == MP_FOLLOWER && link != 0 && m->up_link == link && m->stream_gid == m->f.gid && m->stream_epoch != 0 &&
           m->stream_epoch >= m->f.sealed;
}

bool member_feeds(const struct member *m, uint64_t fetch_ballot)
{
    if (fetch_ballot != 0)
        return (m->phase == MP_FENCED || PLANT(FETCH_LATE)) && m->f.sealed == fetch_ballot;
    return is_plain(m) || member_is_open(m);
}

/* --- what we say of ourselves -------------------------------------------------------------------- */

/* A member of M that is caught up under another life, or (that failing) one that has no link to us for
 * longer than down-after: whoever leads may want a change for it (R4, reason 4). */
static unsigned troubles(const struct member *m, int64_t now_ms, struct ha_msg *out)
{
    unsigned flags = 0;

    for (int i = 0; i < m->n_links; i++) {
        const struct member_link *l = &m->link[i];
        const struct ha_member *who = ha_member(&m->rec, l->id);
        if (l->voter || !who || l->life == 0 || l->life == who->life || !m->marker_in ||
            commit_acked(&m->commit, l->id, l->life) < ms_max(m->commit.confirmed, m->commit.marker))
            continue;
        flags |= HA_F_NEW_LIFE;
        memcpy(out->node, l->id, ID_MAX);
        out->node_life = l->life;
    }
    for (int i = 0; i < m->rec.n_members; i++) {
        int64_t since_ms = m->absent_since_ms[i];
        if (since_ms == 0 || now_ms - since_ms < m->rec.timing.down_after_ms)
            continue;
        if (!(flags & (HA_F_NEW_LIFE | HA_F_LOST_MEMBER))) {
            memcpy(out->node, m->rec.member[i].id, ID_MAX);
            out->node_life = m->rec.member[i].life;
        }
        flags |= HA_F_LOST_MEMBER;
    }
    return flags;
}

static unsigned flags_of(const struct member *m, int64_t now_ms, struct ha_msg *out)
{
    unsigned flags = (m->f.used ? HA_F_USED : 0) | (m->end.offset > 0 || m->has_keys ? HA_F_HAS_DATA : 0) |
                     (m->leaving && member_is_primary(m) ? HA_F_WANTS_OUT : 0) | (m->link_up ? HA_F_LINK_UP : 0);

    if (member_is_open(m)) {
        flags |= m->n_joints > 0 ? HA_F_JOINT : 0;
        flags |= m->marker_in && m->commit.confirmed >= m->commit.marker ? HA_F_MARKER : 0;
        flags |= troubles(m, now_ms, out);
    } else if (out->epoch != 0 && m->end.epoch == out->epoch) {
        flags |= HA_F_MARKER;
    }
    return flags;
}

void member_status(const struct member *m, int64_t now_ms, struct ha_msg *out)
{
    memset(out, 0, sizeof *out);
    out->kind = HA_STATUS;
    memcpy(out->from, m->f.id, ID_MAX);
    out->life = m->f.life;
    out->gid = m->f.gid;
    out->incarnation = m->incarnation;
    out->state = m->state;
    out->ballot = m->f.bound_ballot;
    out->sealed = m->f.sealed;
    out->promised = m->rec.ballot;
    out->change = m->rec.change;
    out->pos = m->end;
    out->acked = member_is_primary(m) ? m->commit.confirmed : ms_min(m->durable, m->end.offset);
    out->ended = m->ended;
    out->epoch = member_is_primary(m) ? m->epoch : m->phase == MP_FOLLOWER ? m->stream_epoch : m->end.epoch;
    if (m->phase == MP_FOLLOWER || is_plain(m))
        out->addr = m->follows_addr;
    if (m->f.gid != 0 && !m->f.used) {
        memcpy(out->node, m->f.bound_primary, ID_MAX);
        out->node_life = m->f.bound_primary_life;
    }
    if (m->phase == MP_FOLLOWER && m->primary_heard_at_ms != 0)
        out->ms = ms_max(now_ms - m->primary_heard_at_ms, 1);
    out->flags = flags_of(m, now_ms, out);
}

const char *member_check(const struct member *m)
{
    if (m->state != seen_as(m->phase))
        return "the state others see is not that of the phase";
    if (m->phase == MP_PLAIN && m->f.gid != 0)
        return "plain, and bound to a group";
    if (m->phase != MP_PLAIN && m->phase != MP_FENCED && m->f.gid == 0)
        return "in a group's phase without a group";
    if (m->f.used && m->f.gid == 0)
        return "used by no group";
    if (member_is_primary(m) && (m->epoch == 0 || m->rec.epoch != m->epoch))
        return "primary of an epoch that its record does not name";
    if (member_is_primary(m) && (m->ended && !PLANT(RESUME_AFTER_END)))
        return "primary after END";
    if (member_is_primary(m) && m->f.sealed > m->epoch && !PLANT(SEAL_WITHOUT_SELF) && !PLANT(OPEN_NOT_SEALED))
        return "primary of an epoch below its seal";
    if (m->phase == MP_FOLLOWER && m->stream_epoch != 0 && m->stream_epoch < m->f.sealed && m->stream_gid == m->f.gid &&
        !PLANT(FETCH_LATE))
        return "fed by an epoch below its seal";
    if (m->n_joints > 0 && !member_is_open(m))
        return "a JOINT, and not an open primary";
    return NULL;
}

const char *member_phase_name(enum member_phase p)
{
    static const char *const names[MP_PHASES] = {"plain", "bound", "fenced", "fetching", "follower", "unproved", "open",
                                                 "stopping"};
    return (unsigned)p < MP_PHASES ? names[p] : "?";
}

const char *member_order_name(enum member_order_kind k)
{
    static const char *const names[MO_KINDS] = {
        [MO_SAVE] = "save", [MO_SEND] = "send", [MO_FENCE] = "fence", [MO_FOLLOW] = "follow", [MO_LEAD] = "lead",
        [MO_FETCH] = "fetch", [MO_SAVE_TAIL] = "save-tail", [MO_CONFIRMED] = "confirmed",
        [MO_GIVE_UP_WAITERS] = "give-up-waiters", [MO_RELEASED] = "released",
    };
    return (unsigned)k < MO_KINDS ? names[k] : "?";
}
