/* The primary of an epoch: opened, its marker, what is confirmed, the configurations in force and
 * the hand-over (R2a, R6, R9, R10). */
#include "kvnode/role/member_inside.h"

#include <string.h>

/* --- OPEN ---------------------------------------------------------------------------------------- */

static enum ha_why may_form(const struct member *m, const struct ha_msg *msg)
{
    if (m->f.bound_ballot != msg->rec->epoch || strcmp(m->f.bound_primary, m->f.id) != 0)
        return HA_WHY_BOUND;
    if (msg->unproved)
        return HA_WHY_UNPROVED;
    return m->phase == MP_BOUND && addr_is_set(&m->follows_addr) ? HA_WHY_NOT_FOLLOWING : HA_WHY_NONE;
}

static enum ha_why may_open(const struct member *m, const struct ha_msg *msg)
{
    const struct ha_record *r = msg->rec;
    const struct ha_member *us = ha_member(r, m->f.id);

    if (m->f.gid == 0 || r->gid != m->f.gid || r->dissolved || ha_record_check(r))
        return HA_WHY_GROUP;
    if (strcmp(r->primary, m->f.id) != 0 || us->life != m->f.life)
        return HA_WHY_STRANGER;
    if (r->incarnation != m->incarnation && !PLANT(EPOCH_AFTER_RESTART))
        return HA_WHY_INCARNATION;
    if (member_is_primary(m) && m->epoch == r->epoch)
        return HA_WHY_NONE;            /* said again */
    if (m->epoch >= r->epoch)
        return HA_WHY_OPENED;
    if (!m->f.used)
        return may_form(m, msg);
    if (m->f.sealed != r->epoch && !PLANT(OPEN_NOT_SEALED))
        return m->f.sealed > r->epoch ? HA_WHY_PROMISED : HA_WHY_EPOCH;
    return m->phase == MP_FENCED ? HA_WHY_NONE : m->phase == MP_FETCHING ? HA_WHY_BUSY : HA_WHY_OLD;
}

static void open_epoch(struct member_turn *t)
{
    struct member *m = t->m;
    const struct ha_record *r = t->msg->rec;
    bool unproved = t->msg->unproved && !PLANT(MARKER_UNPROVED);

    if (member_is_primary(m) && m->epoch == r->epoch) {
        if (m->phase == MP_UNPROVED && !unproved)
            member_move(t, MC_OPENED);
        member_heard(t, "opened already");
        return;
    }
    if (PLANT(EPOCH_AFTER_RESTART))
        m->incarnation = r->incarnation;
    m->opened_first = !m->f.used;
    m->sealed_before = m->f.sealed;
    if (!m->f.used)
        member_sealed_to(t, r->epoch);
    member_saved_first(t);
    m->epoch = r->epoch;
    m->rec = *r;
    m->n_joints = 0;
    m->ended = false;
    m->leased = false;
    m->seal_ballot = 0;
    m->commit.epoch = 0;
    if (m->ballot_seen < r->ballot)
        m->ballot_seen = r->ballot;
    m->next_renew_ms = t->now_ms;
    member_note_absent(m, t->now_ms, true);
    member_move(t, unproved ? MC_OPENED_UNPROVED : MC_OPENED);
    m->leased = member_lease_proved(m, t->now_ms);         /* promises asked for while it was being formed */
}

/* A plain primary goes on without a gap: it is not opened before its first lease is there. That is asked for now; the
 * leader says OPEN again. */
static bool would_leave_a_gap(struct member_turn *t)
{
    struct member *m = t->m;
    struct ha_record was = m->rec;
    uint64_t epoch = m->epoch;
    bool proved;

    if (m->phase != MP_BOUND)
        return false;
    m->rec = *t->msg->rec;
    m->epoch = m->rec.epoch;
    proved = member_lease_proved(m, t->now_ms);
    m->rec = was;
    m->epoch = epoch;
    if (!proved) {
        m->next_renew_ms = t->now_ms;
        member_heard(t, "to be opened: asks for its lease first");
    }
    return !proved;
}

void member_on_open(struct member_turn *t)
{
    struct ha_msg *answer;
    enum ha_why why;

    if (!t->msg->rec)
        return;
    why = may_open(t->m, t->msg);
    if (why == HA_WHY_NONE && would_leave_a_gap(t))
        return;
    if (why == HA_WHY_NONE)
        open_epoch(t);
    member_heard(t, "refuses to be opened");
    answer = member_say(t, t->ev->link, HA_OPENED);
    answer->ballot = t->msg->ballot ? t->msg->ballot : t->msg->rec->ballot;
    answer->epoch = t->msg->rec->epoch;
    answer->sealed = t->m->f.sealed;
    answer->ok = why == HA_WHY_NONE;
    answer->why = why;
}

void member_act_ask_first(struct member_turn *t) { t->m->marker_in = false; }

void member_act_lead(struct member_turn *t)
{
    struct member *m = t->m;

    m->marker_in = PLANT(NO_MARKER);
    commit_begin(&m->commit, m->f.id, m->epoch, m->marker_in ? 0 : COMMIT_NO_MARKER);
    member_set_configs(m);
    member_order(t, MO_LEAD)->epoch = m->epoch;
    m->lead_out = m->save_out;
    for (int i = 0; i < m->n_links; i++)
        if (!m->link[i].voter)
            member_say(t, m->link[i].link, HA_STREAM)->epoch = m->epoch;
}

void member_act_stand_down(struct member_turn *t)
{
    member_order(t, MO_FENCE);
    member_order(t, MO_GIVE_UP_WAITERS);
    t->m->n_joints = 0;
    t->m->commit.epoch = 0;
}

/* --- the log, and what sets replies free ------------------------------------------------------------ */

static void say_ready(struct member_turn *t, const struct member_joint *j, enum ha_why why)
{
    struct ha_msg *answer = member_say(t, j->link, HA_READY);

    answer->ballot = j->rec.ballot;
    answer->change = j->rec.change;
    answer->epoch = t->m->epoch;
    answer->promised = t->m->ballot_seen;
    answer->ok = why == HA_WHY_NONE;
    answer->why = why;
}

static void look_at_joints(struct member_turn *t)
{
    struct member *m = t->m;

    for (int i = 0; i < m->n_joints; i++) {
        struct member_joint *j = &m->joint[i];
        if (j->ready || !m->marker_in || !commit_satisfied(&m->commit, &j->rec, ms_max(j->upto, m->commit.marker)))
            continue;
        j->ready = true;
        say_ready(t, j, HA_WHY_NONE);
        if (PLANT(JOINT_DROPPED_AT_READY)) {
            m->rec = j->rec;
            m->n_joints = 0;
        }
    }
}

static void say_stopped(struct member_turn *t, uint64_t link, uint64_t ballot, enum ha_why why)
{
    struct ha_msg *answer = member_say(t, link, HA_STOPPED);

    answer->ballot = ballot;
    answer->epoch = t->m->epoch;
    answer->pos = t->m->end;
    answer->promised = t->m->ballot_seen;
    answer->ok = why == HA_WHY_NONE;
    answer->why = why;
}

/* The target has the whole log, and nobody waits for a reply any more. */
static bool target_has_all(const struct member *m)
{
    const struct ha_member *who = ha_member(&m->rec, m->target);

    return who && m->commit.epoch == m->epoch && commit_acked(&m->commit, who->id, who->life) >= m->end.offset &&
           (!member_holds_replies(m) || m->commit.confirmed >= m->end.offset);
}

void member_progress(struct member_turn *t, bool moved)
{
    struct member *m = t->m;

    if (moved)
        member_order(t, MO_CONFIRMED)->pos = (struct ha_position){m->epoch, m->commit.confirmed};
    look_at_joints(t);
    if (m->phase == MP_STOPPING && !m->stopped_said && target_has_all(m)) {
        m->stopped_said = true;
        say_stopped(t, m->hand_over_link, m->hand_over_ballot, HA_WHY_NONE);
    }
}

/* The first entry of our epoch is the marker: it is the first thing MO_LEAD appends. What is told of may stand
 * behind it already; to wait for that too is no harm. */
static void on_own_log(struct member_turn *t)
{
    struct member *m = t->m;

    if (!m->marker_in && m->end.epoch == m->epoch) {
        m->marker_in = true;
        commit_marker(&m->commit, m->end.offset);
    }
    if (m->marker_in)
        member_progress(t, commit_own(&m->commit, m->end.offset, m->durable));
}

void member_on_log(struct member_turn *t)
{
    if (t->m->link_up && t->m->end.offset != t->ev->pos.offset)
        t->m->primary_heard_at_ms = t->now_ms;
    t->m->end = t->ev->pos;
    t->m->durable = t->ev->durable;
    t->m->log_known = true;
    t->m->has_keys = t->ev->yes;
    if (member_is_open(t->m))
        on_own_log(t);
    else
        member_acknowledge(t);
}

void member_on_ack(struct member_turn *t)
{
    struct member *m = t->m;

    if (!member_is_open(m) || t->msg->gid != m->f.gid || t->msg->epoch != m->epoch || m->commit.epoch != m->epoch)
        return;
    for (int i = 0; i < m->n_links; i++)
        if (m->link[i].link == t->ev->link)
            m->link[i].life = t->msg->life;                /* who it is now: a new life of a member is reported */
    member_heard(t, "acknowledged");
    member_progress(t, commit_ack(&m->commit, t->msg->from, t->msg->life, t->msg->pos.offset));
}

/* --- JOINT and COMMITTED ---------------------------------------------------------------------------- */

static struct member_joint *joint_of(struct member *m, const struct ha_record *r)
{
    for (int i = 0; i < m->n_joints; i++)
        if (ha_record_same_place(&m->joint[i].rec, r))
            return &m->joint[i];
    return NULL;
}

static enum ha_why is_of_our_epoch(const struct member *m, const struct ha_record *r)
{
    if (m->f.gid == 0 || r->gid != m->f.gid || ha_record_check(r))
        return HA_WHY_GROUP;
    if (!member_is_open(m) || r->epoch != m->epoch || r->incarnation != m->incarnation || strcmp(r->primary, m->f.id) != 0)
        return HA_WHY_EPOCH;
    return HA_WHY_NONE;
}

static enum ha_why may_join(struct member *m, const struct ha_record *r)
{
    enum ha_why why = is_of_our_epoch(m, r);

    if (why != HA_WHY_NONE)
        return why;
    if (joint_of(m, r) || ha_record_same_place(&m->rec, r))
        return HA_WHY_NONE;            /* said again */
    if (r->ballot < m->ballot_seen || ha_record_cmp(r, &m->rec) < 0)
        return HA_WHY_OLD;
    return m->phase == MP_STOPPING || m->n_joints == MEMBER_JOINTS_MAX ? HA_WHY_BUSY : HA_WHY_NONE;
}

/* From now on every configuration not dropped must be satisfied, this one too. */
static void join(struct member_turn *t, const struct ha_record *r)
{
    struct member *m = t->m;

    m->joint[m->n_joints++] = (struct member_joint){.rec = *r, .link = t->ev->link, .upto = m->end.offset};
    m->ballot_seen = r->ballot;
    if (PLANT(JOINT_DROPPED_AT_JOINT))
        m->rec = *r;
    member_set_configs(m);
    m->next_renew_ms = t->now_ms;      /* its members and voters promise, too */
    member_heard(t, "one more configuration must be satisfied");
}

void member_on_joint(struct member_turn *t)
{
    struct member_joint again = {.link = t->ev->link};
    struct member_joint *j;
    enum ha_why why;

    if (!t->msg->rec)
        return;
    again.rec = *t->msg->rec;
    why = may_join(t->m, t->msg->rec);
    j = why == HA_WHY_NONE ? joint_of(t->m, t->msg->rec) : NULL;
    if (why != HA_WHY_NONE || (!j && ha_record_same_place(&t->m->rec, t->msg->rec))) {
        member_heard(t, why == HA_WHY_NONE ? "in force already" : "refuses the configuration");
        say_ready(t, &again, why);
        return;
    }
    if (!j)
        join(t, t->msg->rec);
    else {
        j->link = t->ev->link;
        j->ready = false;              /* what was satisfied still is: says so again */
        member_heard(t, "told again of a configuration");
    }
    member_progress(t, false);
}

/* The record is at a majority: its configuration and those of newer JOINTs, no others. */
void member_on_committed(struct member_turn *t)
{
    struct member *m = t->m;
    const struct ha_record *r = t->msg->rec;
    struct member_order *o;
    int kept = 0;

    if (!r || is_of_our_epoch(m, r) != HA_WHY_NONE)
        return;
    if (ha_record_cmp(r, &m->rec) >= 0) {
        m->rec = *r;
        for (int i = 0; i < m->n_joints; i++)
            if (ha_record_cmp(&m->joint[i].rec, r) > 0)
                m->joint[kept++] = m->joint[i];
        m->n_joints = kept;
        if (m->ballot_seen < r->ballot)
            m->ballot_seen = r->ballot;
        member_set_configs(m);
        member_note_absent(m, t->now_ms, true);
        m->next_renew_ms = t->now_ms;
        if (m->marker_in)
            member_progress(t, commit_own(&m->commit, m->end.offset, m->durable));
        member_heard(t, "a majority holds the new record");
    }
    o = member_order(t, MO_SEND);
    o->link = t->ev->link;
    member_status(m, t->now_ms, &o->msg);
    member_heard(t, "holds a newer record");
}

/* --- hand-over ---------------------------------------------------------------------------------------- */

void member_act_stopping(struct member_turn *t)
{
    struct member *m = t->m;

    memcpy(m->target, t->msg->node, ID_MAX);
    m->hand_over_ballot = m->ballot_seen = t->msg->ballot;
    m->hand_over_link = t->ev->link;
    m->stopped_said = false;
    m->stop_until_ms = ms_add(t->now_ms, t->msg->ms > 0 ? t->msg->ms : m->rec.timing.down_after_ms);
}

void member_act_resume(struct member_turn *t) { t->m->target[0] = '\0'; }

static enum ha_why may_stop(const struct member *m, const struct ha_msg *msg)
{
    if (m->f.gid == 0 || msg->gid != m->f.gid)
        return HA_WHY_GROUP;
    if (!member_is_open(m))
        return HA_WHY_EPOCH;
    if (msg->ballot < m->ballot_seen)
        return HA_WHY_OLD;
    if (m->n_joints > 0)
        return HA_WHY_BUSY;
    return strcmp(msg->node, m->f.id) == 0 || !ha_member(&m->rec, msg->node) ? HA_WHY_STRANGER : HA_WHY_NONE;
}

void member_on_stop(struct member_turn *t)
{
    struct member *m = t->m;
    enum ha_why why = may_stop(m, t->msg);

    if (why != HA_WHY_NONE) {
        member_heard(t, "refuses to stop");
        say_stopped(t, t->ev->link, t->msg->ballot, why);
        return;
    }
    if (m->phase == MP_STOPPING && m->hand_over_ballot == t->msg->ballot && strcmp(m->target, t->msg->node) == 0) {
        m->hand_over_link = t->ev->link;
        m->stopped_said = false;
        member_heard(t, "stopping already");
    } else {
        member_move(t, MC_STOP);
    }
    member_progress(t, false);
}

void member_on_resume(struct member_turn *t)
{
    struct member *m = t->m;

    if (m->phase == MP_STOPPING && t->msg->gid == m->f.gid && t->msg->ballot == m->hand_over_ballot)
        member_move(t, MC_RESUME);
}

/* Until END is said it can be called off, and a leader that is gone must not stop us for ever. */
void member_stop_due(struct member_turn *t)
{
    struct member *m = t->m;

    if (t->now_ms < m->stop_until_ms)
        return;
    say_stopped(t, m->hand_over_link, m->hand_over_ballot, HA_WHY_BEHIND);
    member_move(t, MC_EXPIRED);
}

static void say_end(struct member_turn *t, uint64_t link)
{
    struct ha_msg *msg = member_say(t, link, HA_END);

    msg->epoch = t->m->epoch;
    memcpy(msg->node, t->m->f.id, ID_MAX);
    msg->pos = t->m->end;
    msg->ballot = t->m->hand_over_ballot;
}

void member_act_finish(struct member_turn *t)
{
    struct member *m = t->m;

    if (!PLANT(RESUME_AFTER_END))
        member_act_stand_down(t);
    m->ended = true;
    for (int i = 0; i < m->n_links; i++)
        say_end(t, m->link[i].link);
}

void member_on_finish(struct member_turn *t)
{
    struct member *m = t->m;

    if (m->f.gid == 0 || t->msg->gid != m->f.gid || t->msg->ballot != m->hand_over_ballot || t->msg->ballot == 0)
        return;
    if (m->ended) {
        say_end(t, t->ev->link);
        member_heard(t, "gave the epoch up already");
    } else if (m->phase != MP_STOPPING || !m->stopped_said) {
        say_stopped(t, t->ev->link, t->msg->ballot, HA_WHY_BEHIND);
        member_heard(t, "did not stop, or the target does not have it all");
    } else if (PLANT(RESUME_AFTER_END)) {
        member_act_finish(t);
        member_heard(t, "hand-over: END is said");
    } else {
        member_move(t, MC_FINISH);
    }
}
