/* The follower: whom to replicate from, which stream may be taken, what a full copy costs, and
 * what is acknowledged (R6, R8, R10). And the links that messages go on. */
#include "kvnode/role/member_inside.h"

#include "common/base/check.h"

#include <stdio.h>
#include <string.h>

/* --- FOLLOW ------------------------------------------------------------------------------------------ */

static const struct addr *primary_addr(const struct ha_record *r) { return &ha_member(r, r->primary)->addr; }

void member_act_follow(struct member_turn *t)
{
    struct member *m = t->m;
    const struct ha_record *r = t->msg->rec;
    bool same = addr_equal(&m->follows_addr, primary_addr(r));
    struct member_order *o;

    if (m->end.offset > 0 && m->end.epoch != r->epoch)
        member_order(t, MO_SAVE_TAIL)->pos = m->end;
    if (!same) {
        m->up_link = m->stream_epoch = 0;
        m->link_up = false;
    }
    memcpy(m->follows, r->primary, ID_MAX);
    m->follows_addr = *primary_addr(r);
    m->follow_epoch = r->epoch;
    m->rec = *r;
    o = member_order(t, MO_FOLLOW);
    o->addr = *primary_addr(r);
    o->epoch = r->epoch;
}

void member_act_depose(struct member_turn *t)
{
    member_act_stand_down(t);
    member_act_follow(t);
}

/* The primary of a record that is no news to us? */
static bool is_old(const struct member *m, const struct ha_record *r)
{
    if (r->epoch < m->f.sealed)
        return true;
    if (member_is_primary(m))
        return r->epoch <= m->epoch;
    return m->phase == MP_FOLLOWER && (r->epoch < m->follow_epoch || ha_record_cmp(r, &m->rec) < 0);
}

void member_on_follow(struct member_turn *t)
{
    struct member *m = t->m;
    const struct ha_record *r = t->msg->rec;

    if (!r || m->f.gid == 0 || r->gid != m->f.gid || r->dissolved || ha_record_check(r))
        return;
    if (strcmp(r->primary, m->f.id) == 0) {
        if (PLANT(EPOCH_AFTER_RESTART) && m->phase == MP_FENCED && r->incarnation != m->incarnation)
            member_on_open(t);
        return;                        /* OPEN is what opens us, not this */
    }
    if (is_old(m, r))
        return;
    if (m->phase == MP_FOLLOWER && m->follow_epoch == r->epoch && addr_equal(&m->follows_addr, primary_addr(r))) {
        m->rec = *r;
        member_heard(t, "follows it already, or dials it");
        return;
    }
    member_move(t, MC_FOLLOW);
}

/* --- the stream ---------------------------------------------------------------------------------------- */

static bool takes_stream(const struct member *m, const struct ha_msg *msg)
{
    if (m->phase == MP_PLAIN)
        return true;
    if (msg->gid != m->f.gid || msg->epoch == 0 || msg->epoch < m->f.sealed)
        return false;
    return m->phase == MP_FOLLOWER || m->phase == MP_BOUND;
}

/* A save failed and none has come true since: nothing that would rest on one is let in; it is tried again. */
static bool disk_in_doubt(struct member_turn *t)
{
    if (!t->m->disk_failed || t->m->phase == MP_PLAIN)
        return false;
    t->out->refused = true;
    member_save(t);
    member_saved_first(t);
    member_heard(t, "refuses it until the disk takes saves again");
    return true;
}

void member_on_stream(struct member_turn *t)
{
    struct member *m = t->m;

    if (!takes_stream(m, t->msg)) {
        t->out->refused = true;
        member_heard(t, "refuses a stream that is not of its group and of its seal");
        return;
    }
    if (disk_in_doubt(t))
        return;
    if (m->up_link != 0 && m->up_link != t->ev->link)
        m->link_up = false;            /* 0: a link that was up before it had an epoch */
    m->up_link = t->ev->link;
    m->primary_heard_at_ms = t->now_ms;
    m->stream_gid = t->msg->gid;
    m->stream_epoch = t->msg->epoch;
    if (m->phase == MP_PLAIN)
        return;
    member_sealed_to(t, t->msg->epoch);
    member_saved_first(t);
    if (m->phase == MP_BOUND)
        member_move(t, MC_STREAM);
    member_heard(t, "takes the stream of this epoch");
}

/* A copy drops history: whatever we acknowledged of it is not with this memory any more. Onto an empty
 * log nothing is dropped, and the life stays. */
void member_on_full_copy(struct member_turn *t)
{
    struct member *m = t->m;
    bool fed = m->phase == MP_FOLLOWER && m->stream_gid == m->f.gid && m->stream_epoch != 0 && m->stream_epoch >= m->f.sealed;

    if (m->phase == MP_PLAIN)
        return;
    m->link_up = false;
    if (m->end.epoch == 0 && m->end.offset == 0 && (fed || m->phase == MP_BOUND)) {
        member_heard(t, "a full copy onto nothing");
        return;
    }
    if (disk_in_doubt(t))
        return;
    if ((!fed && m->phase != MP_BOUND) || t->ev->fresh_life == 0) {
        t->out->refused = true;
        member_heard(t, "refuses a full copy");
        return;
    }
    m->f.life = t->ev->fresh_life;
    member_save(t);
    member_saved_first(t);
    member_heard(t, "a full copy: this is another life");
}

/* What we have, with the life it is in, to the one who feeds us in this epoch. */
void member_acknowledge(struct member_turn *t)
{
    struct member *m = t->m;
    struct ha_msg *ack;

    if (m->phase != MP_FOLLOWER || !m->link_up || m->up_link == 0 || m->stream_gid != m->f.gid ||
        m->stream_epoch == 0 || m->stream_epoch < m->f.sealed)
        return;
    member_saved_first(t);
    ack = member_say(t, m->up_link, HA_ACK);
    ack->epoch = m->stream_epoch;
    ack->pos = (struct ha_position){m->end.epoch, ms_min(m->end.offset, m->durable)};
    member_heard(t, "acknowledges");
}

void member_on_follows(struct member_turn *t)
{
    struct member *m = t->m;

    m->link_up = t->ev->yes && (m->phase == MP_FOLLOWER || m->phase == MP_BOUND || m->phase == MP_PLAIN);
    if (!m->link_up) {
        m->up_link = m->stream_epoch = 0;
        return;
    }
    member_acknowledge(t);
}

/* --- links ------------------------------------------------------------------------------------------------ */

static struct member_link *link_slot(struct member *m, const char *id, bool voter)
{
    if (m->n_links < MEMBER_LINKS_MAX)
        return &m->link[m->n_links++];
    for (int i = 0; i < m->n_links; i++)
        if (member_in_force(m, id, voter) && !member_in_force(m, m->link[i].id, m->link[i].voter))
            return &m->link[i];
    return NULL;
}

void member_on_link_up(struct member_turn *t, bool voter)
{
    struct member *m = t->m;
    struct member_link *l;

    CHECK(t->ev->link != 0);
    l = link_slot(m, t->ev->id ? t->ev->id : "", voter);
    if (!l)
        return;
    memset(l, 0, sizeof *l);
    l->link = t->ev->link;
    l->voter = voter;
    l->life = t->ev->life;
    snprintf(l->id, sizeof l->id, "%s", t->ev->id ? t->ev->id : "");
    member_note_absent(m, t->now_ms, false);
    if (!voter && member_is_open(m))
        member_say(t, l->link, HA_STREAM)->epoch = m->epoch;
    member_renew_on(t, l);
    member_heard(t, voter ? "a voter holds a link to us" : "a node replicates from us");
}

void member_on_link_gone(struct member_turn *t)
{
    struct member *m = t->m;

    for (int i = 0; i < m->n_links; i++)
        if (m->link[i].link == t->ev->link) {
            m->link[i--] = m->link[--m->n_links];
            member_note_absent(m, t->now_ms, false);
            member_heard(t, "a link is gone");
        }
    if (m->up_link == t->ev->link) {
        m->up_link = m->stream_epoch = 0;
        m->link_up = false;
    }
}

static bool is_attached(const struct member *m, const char *id)
{
    for (int i = 0; i < m->n_links; i++)
        if (!m->link[i].voter && strcmp(m->link[i].id, id) == 0)
            return true;
    return false;
}

void member_note_absent(struct member *m, int64_t now_ms, bool anew)
{
    for (int i = 0; i < m->rec.n_members; i++) {
        const char *id = m->rec.member[i].id;
        bool here = !member_is_primary(m) && !anew ? true : strcmp(id, m->f.id) == 0 || is_attached(m, id);
        if (here)
            m->absent_since_ms[i] = 0;
        else if (anew || m->absent_since_ms[i] == 0)
            m->absent_since_ms[i] = ms_max(now_ms, 1);
    }
}
