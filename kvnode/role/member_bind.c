/* BIND and release: which attempt at forming a group this node belongs to (R0). A node takes
 * an attempt with a number above all it took, from the primary it is or follows; once it was
 * opened, sealed or fed under an id, only that id's last record lets it go. */
#include "kvnode/role/member_inside.h"

#include <string.h>

static bool names_our_primary(const struct member_facts *f, const struct ha_msg *msg)
{
    return strcmp(f->bound_primary, msg->node) == 0 && f->bound_primary_life == msg->node_life;
}

/* Is the primary named ourselves, or whom we follow? A fenced node follows nobody: any may bind it. */
static enum ha_why stands_under(const struct member *m, const struct ha_msg *msg)
{
    if (strcmp(msg->node, m->f.id) == 0) {
        if (msg->node_life != m->f.life)
            return HA_WHY_STRANGER;
        return addr_is_set(&m->follows_addr) && m->phase != MP_FENCED ? HA_WHY_NOT_FOLLOWING : HA_WHY_NONE;
    }
    if (m->phase == MP_FENCED)
        return HA_WHY_NONE;
    return addr_is_set(&m->follows_addr) && strcmp(m->follows, msg->node) == 0 ? HA_WHY_NONE : HA_WHY_NOT_FOLLOWING;
}

static enum ha_why may_bind(const struct member *m, const struct ha_msg *msg)
{
    const struct member_facts *f = &m->f;

    if (f->gid == msg->gid && f->bound_ballot == msg->ballot && names_our_primary(f, msg))
        return HA_WHY_NONE;            /* said again */
    if (msg->ballot <= f->bound_ballot && !PLANT(BIND_ANY_NUMBER))
        return HA_WHY_OLD;
    if (f->used)
        return f->gid == msg->gid ? HA_WHY_NONE : HA_WHY_OPENED;
    if (f->gid != 0)
        return names_our_primary(f, msg) ? HA_WHY_NONE : HA_WHY_BOUND;
    return stands_under(m, msg);
}

static void bind(struct member_turn *t)
{
    struct member *m = t->m;
    struct member_facts *f = &m->f;

    if (f->gid == t->msg->gid && f->bound_ballot == t->msg->ballot && names_our_primary(f, t->msg)) {
        member_heard(t, "bound to this attempt already");
        return;
    }
    f->gid = t->msg->gid;
    f->bound_ballot = t->msg->ballot;
    memcpy(f->bound_primary, t->msg->node, ID_MAX);
    f->bound_primary_life = t->msg->node_life;
    member_save(t);
    if (f->used) {
        member_heard(t, "a member of this group already");
        return;
    }
    member_move(t, MC_BOUND);
    if (m->stream_gid == f->gid && m->stream_epoch != 0 && m->phase == MP_BOUND) {
        member_sealed_to(t, m->stream_epoch);      /* it is fed by that group's primary already */
        member_move(t, MC_STREAM);
    }
}

static bool is_last_record(const struct ha_msg *msg)
{
    return msg->rec && msg->rec->dissolved && msg->rec->gid == msg->old_gid;
}

static enum ha_why may_release(const struct member *m, const struct ha_msg *msg)
{
    const struct member_facts *f = &m->f;

    if (f->gid == 0 && f->bound_ballot == msg->ballot)
        return HA_WHY_NONE;
    if (msg->ballot <= f->bound_ballot && !PLANT(BIND_ANY_NUMBER))
        return HA_WHY_OLD;
    if (f->gid != 0 && f->gid != msg->old_gid)
        return HA_WHY_BOUND;
    if (f->used && !is_last_record(msg))
        return HA_WHY_OPENED;
    return HA_WHY_NONE;
}

static void release(struct member_turn *t)
{
    struct member *m = t->m;
    bool bound = m->f.gid != 0, last = is_last_record(t->msg);

    if (!bound && m->f.bound_ballot == t->msg->ballot) {
        member_heard(t, "released already");
        return;
    }
    m->f.gid = 0;
    m->f.bound_ballot = t->msg->ballot;
    m->f.bound_primary[0] = '\0';
    m->f.bound_primary_life = 0;
    m->f.used = false;
    member_save(t);
    if (!bound) {
        member_heard(t, "takes the number: no attempt below it binds this node");
        return;
    }
    member_saved_first(t);
    m->epoch = 0;
    m->ended = false;
    m->n_joints = 0;
    m->rec.gid = 0;
    m->rec.ballot = m->rec.epoch = 0;
    m->commit.epoch = 0;
    m->promise_until_ms = m->silent_until_ms = 0;
    m->seal_ballot = 0;
    member_move(t, m->f.waits_for_group && !last && member_has_row(m, MC_LET_GO) ? MC_LET_GO : MC_RELEASED);
}

void member_on_bind(struct member_turn *t)
{
    bool away = t->msg->gid == 0;
    enum ha_why why = away ? may_release(t->m, t->msg) : may_bind(t->m, t->msg);
    struct ha_msg *answer;

    if (why == HA_WHY_NONE) {
        if (away)
            release(t);
        else
            bind(t);
        member_saved_first(t);
    } else {
        member_heard(t, "refuses to be bound");
    }
    answer = member_say(t, t->ev->link, HA_BOUND);
    answer->gid = t->msg->gid;
    answer->old_gid = t->msg->old_gid;
    answer->ballot = t->msg->ballot;
    answer->promised = t->m->f.bound_ballot;
    answer->sealed = t->m->f.sealed;
    answer->ok = why == HA_WHY_NONE;
    answer->why = why;
}
