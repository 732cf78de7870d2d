/* R2(c): the end of a primary's process, seen by a majority of V. One sentinel's sight is an
 * established link to that process that closed, and a reconnect that was refused; it is told
 * with the heartbeat, at once. Whoever knows of a majority of such sights, while no member
 * still has its link to that primary, takes END of the epoch. Sound because a node keeps its
 * control listener open for as long as it may write. */
#include "sentinel/core/formed_inside.h"

#include <string.h>

/* The process we had a link to is the one that owns the epoch, not its predecessor. */
bool formed_sees_end(const struct formed *f)
{
    const struct ha_record *own = formed_newest(f);
    const struct formed_node *p = own != NULL && !own->dissolved ? formed_node((struct formed *)f, own->primary) : NULL;

    return p != NULL && !f->want.no_crash_evidence && !p->up && p->crashed && p->status.kind == HA_STATUS &&
           p->status.incarnation == own->incarnation;
}

static int sights(const struct formed *f, const struct ha_record *own)
{
    int n = 0;

    for (int i = 0; i < own->n_voters; i++) {
        const struct ha_voter *v = &own->voter[i];
        const struct formed_peer *p = formed_peer((struct formed *)f, v->id);
        if (strcmp(v->id, f->self.id) == 0)
            n += v->life == f->voter.f.life && formed_sees_end(f);
        else
            n += p != NULL && p->up && p->alive.kind == HA_ALIVE && p->alive.life == v->life && p->alive.gid == own->gid &&
                 p->alive.epoch == own->epoch && p->alive.ended;
    }
    return n;
}

/* A member that replicates from it says that it lives; so does one whose word is not in yet, for a moment. */
static bool member_objects(const struct formed *f, const struct ha_record *own)
{
    const struct formed_node *p = formed_node((struct formed *)f, own->primary);

    for (int i = 0; i < own->n_members; i++) {
        const struct formed_node *n = formed_node((struct formed *)f, own->member[i].id);
        if (n == NULL || n == p || !n->up || n->status.kind != HA_STATUS || (n->status.flags & HA_F_LINK_UP) == 0)
            continue;
        if (n->status.epoch == own->epoch || (p != NULL && addr_equal(&n->status.addr, &p->addr)))
            return true;
    }
    return false;
}

/* What members last said may be older than the crash: they are asked anew, and again while one objects. */
static void ask_members(struct formed *f)
{
    f->next_look_ms = ms_min(f->next_look_ms, f->now_ms + ms_max(formed_timing(f)->heartbeat_ms / 10, 5));
}

void formed_evidence(struct formed *f)
{
    const struct ha_record *own = formed_newest(f);
    bool sees = formed_sees_end(f);

    if (sees != f->end_seen) {
        f->end_seen = sees;
        f->next_alive_ms = f->now_ms;      /* told at once, and taken back at once */
        if (sees) {
            f->next_look_ms = f->now_ms;
            formed_trace(f, "the link to the primary of epoch %llu closed and its address refuses: told to the voters",
                         (unsigned long long)own->epoch);
        }
    }
    if (own == NULL || own->dissolved || f->want.no_crash_evidence || f->voter.ended_epoch >= own->epoch ||
        sights(f, own) < ha_majority(own->n_voters))
        return;
    if (member_objects(f, own)) {
        ask_members(f);
        return;
    }
    formed_journal(f, "a majority of the voters saw the process of epoch %llu end", (unsigned long long)own->epoch);
    formed_ended(f, own->epoch, own->incarnation, true);
}
