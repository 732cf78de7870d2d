/* Members, k, mode and voters change (R9): the primary is told the new configuration and from
 * then on satisfies old and new; when its log satisfies the new one the record is stored; then
 * it is told so. Voters come and go one at a time, after the base was stored anew in the same
 * ballot. And which change is due by itself: a member returns with a new life, a node joins,
 * a member is gone for long. */
#include "common/base/check.h"
#include "sentinel/core/lead_inside.h"

#include <string.h>

static void no_longer(struct formed *f, enum ha_why why)
{
    f->lead.refused = true;
    f->lead.why = why;
}

static void stored_nowhere(struct formed *f)
{
    for (size_t i = 0; i < f->lead.votes.n; i++)
        f->lead.votes.at[i].stored = false;
}

/* The wish was made on a record; the votes may have brought a newer one. */
static bool still_wanted(const struct formed *f)
{
    return ha_record_same_place(&f->lead.base, &f->lead.want.target);
}

static void take_wish(struct formed *f, uint32_t change)
{
    struct lead *l = &f->lead;
    const struct ha_record *w = &l->want.target;

    l->next = l->base;
    l->next.ballot = l->ballot;
    l->next.change = change;
    l->next.mode = w->mode;
    l->next.fsync = w->fsync;
    l->next.k = w->k;
    l->next.timing = w->timing;
    l->next.drop_after_ms = w->drop_after_ms;
    l->next.n_members = w->n_members;
    memcpy(l->next.member, w->member, sizeof l->next.member);
    if (l->want.purpose == LEAD_CHANGE_VOTERS) {
        l->next.n_voters = w->n_voters;
        memcpy(l->next.voter, w->voter, sizeof l->next.voter);
    }
}

/* --- acts ----------------------------------------------------------------------------------------- */

/* The base as a change of this ballot: it ends every JOINT of an older one. */
void change_restore(struct formed *f)
{
    struct lead *l = &f->lead;

    if (l->want.purpose == LEAD_CHANGE_VOTERS && !still_wanted(f)) {
        lead_say_failed(f, "the record changed meanwhile: ask again");
        l->want.purpose = LEAD_RESTORE;    /* harmless, and the ballot is not left standing */
    }
    l->next = l->base;
    l->next.ballot = l->ballot;
    l->next.change = 1;
    stored_nowhere(f);
    lead_store(f);
}

static void bind_new(struct formed *f)
{
    struct ha_msg m = lead_msg(f, HA_BIND);

    m.gid = f->lead.base.gid;
    memcpy(m.node, f->lead.base.primary, sizeof m.node);
    m.node_life = ha_member(&f->lead.base, f->lead.base.primary)->life;
    for (size_t i = 0; i < f->lead.seals.n; i++)
        if (!f->lead.seals.at[i].bound)
            formed_to_node(f, f->lead.seals.at[i].id, &m);
}

void change_bind(struct formed *f)
{
    struct lead *l = &f->lead;

    vec_clear(&l->seals);
    if (!still_wanted(f)) {
        no_longer(f, HA_WHY_OLD);
        return;
    }
    take_wish(f, 1);
    for (int i = 0; i < l->next.n_members; i++) {
        const struct ha_member *m = &l->next.member[i], *old = ha_member(&l->base, m->id);
        const struct formed_node *n = formed_node(f, m->id);
        if ((!old || old->life != m->life) && !(n && n->status.gid == l->base.gid)) {
            struct lead_seal *s = vec_add(&l->seals);
            memcpy(s->id, m->id, sizeof s->id);
        }
    }
    bind_new(f);
}

static void say_joint(struct formed *f)
{
    struct ha_msg m = lead_msg(f, HA_JOINT);

    m.rec = &f->lead.next;
    m.epoch = f->lead.base.epoch;
    formed_to_node(f, f->lead.base.primary, &m);
}

void change_joint(struct formed *f)
{
    struct lead *l = &f->lead;

    if (l->want.purpose == LEAD_CHANGE_VOTERS) {
        l->anew_stored = true;
        l->base = l->next;                 /* it is at a majority now */
        take_wish(f, 2);
        if (PLANT(VOTERS_WITHOUT_JOINT)) {
            l->ready = true;
            return;
        }
    }
    formed_journal(f, "ballot %llu: joint configuration, %d members, k %d, %d voters", (unsigned long long)l->ballot,
                   l->next.n_members, l->next.k, l->next.n_voters);
    say_joint(f);
}

static void say_committed(struct formed *f)
{
    struct ha_msg m = lead_msg(f, HA_COMMITTED);

    m.rec = &f->lead.next;
    m.epoch = f->lead.next.epoch;
    formed_to_node(f, f->lead.next.primary, &m);
}

void change_store(struct formed *f)
{
    stored_nowhere(f);
    if (PLANT(JOINT_UNSTORED))
        say_committed(f);
    lead_store(f);
}

void change_commit(struct formed *f)
{
    formed_journal(f, "ballot %llu: record (%llu, %u) is at a majority", (unsigned long long)f->lead.ballot,
                   (unsigned long long)f->lead.next.ballot, f->lead.next.change);
    say_committed(f);
}

void change_done(struct formed *f)
{
    formed_news(f, "members %d k %d voters %d mode %s", f->lead.next.n_members, f->lead.next.k, f->lead.next.n_voters,
                ha_mode_name(f->lead.next.mode));
    lead_say_done(f);
}

/* --- what the driver asks ------------------------------------------------------------------------------ */

void change_again(struct formed *f)
{
    if (f->lead.state == LD_BINDING_REST)
        bind_new(f);
    else if (f->lead.state == LD_JOINING)
        say_joint(f);
    else if (f->lead.state == LD_COMMITTING)
        say_committed(f);
}

enum lead_event change_look(struct formed *f)
{
    struct lead *l = &f->lead;

    if (l->state == LD_COMMITTING)
        return l->done ? LE_DONE : LEAD_EVENTS;
    if (l->refused)
        return LE_REFUSED;
    if (l->state == LD_JOINING)
        return l->ready ? LE_READY : LEAD_EVENTS;
    for (size_t i = 0; i < l->seals.n; i++)
        if (!l->seals.at[i].bound)
            return LEAD_EVENTS;
    return LE_BOUND;
}

bool change_answer(struct formed *f, const struct ha_msg *m)
{
    struct lead *l = &f->lead;

    if (m->kind == HA_READY && m->change == l->next.change) {
        if (l->state == LD_JOINING && m->ok)
            l->ready = true;
        else if (l->state == LD_JOINING && m->why != HA_WHY_BEHIND && m->why != HA_WHY_NONE)
            no_longer(f, m->why);
        else if (l->state == LD_COMMITTING && m->ok)
            l->done = true;
        return true;
    }
    if (m->kind == HA_STATUS && l->state == LD_COMMITTING && strcmp(m->from, l->next.primary) == 0 &&
        m->promised == l->next.ballot && m->change == l->next.change && (m->flags & HA_F_JOINT) == 0) {
        l->done = true;
        return true;
    }
    return false;
}

/* --- which change is due ---------------------------------------------------------------------------------- */

static int wanted_k(const struct formed *f, const struct ha_record *r)
{
    int others = r->n_members - 1;
    int k = f->want.k > 0 ? f->want.k : (others + 1) / 2;

    if (r->mode == HA_STRICT && f->want.k == 0)
        k = r->k > k ? r->k : k;           /* strict: k never falls by itself */
    if (k > others)
        k = others;
    return others > 0 && k < 1 ? 1 : k;
}

static bool gone_for(const struct formed *f, const struct formed_node *n, int64_t ms)
{
    return !n || (!(n->up && n->status.kind == HA_STATUS) && f->now_ms - n->heard_at_ms >= ms);
}

/* A node that follows the primary of the record and has its epoch's marker. */
static bool in_sync(const struct formed_node *n, const struct ha_record *r)
{
    return n->up && n->status.kind == HA_STATUS && n->status.life != 0 && n->status.state != HA_PRIMARY &&
           n->status.flags & HA_F_LINK_UP && n->status.pos.epoch == r->epoch;
}

/* A JOINT that the members at hand cannot satisfy would only keep the primary from confirming until it expires. */
static bool satisfiable(struct formed *f, const struct ha_record *t)
{
    int n = 0;

    for (int i = 0; i < t->n_members; i++) {
        const struct formed_node *m = formed_node(f, t->member[i].id);
        n += m && strcmp(m->id, t->primary) != 0 && m->status.life == t->member[i].life && in_sync(m, t);
    }
    return n >= t->k;
}

static bool member_returned(struct formed *f, struct ha_record *t)
{
    bool any = false;

    for (size_t i = 0; i < f->nodes.n; i++) {
        const struct formed_node *n = &f->nodes.at[i];
        const struct ha_member *m = ha_member(t, n->id);
        if (m && m->life != n->status.life && strcmp(n->id, t->primary) != 0 && in_sync(n, t)) {
            t->member[m - t->member].life = n->status.life;
            t->member[m - t->member].addr = n->addr;
            any = true;
        }
    }
    return any;
}

/* The member that stood at this address: it cannot be there any more. */
static struct ha_member *predecessor(struct formed *f, struct ha_record *t, const struct formed_node *n)
{
    for (int i = 0; i < t->n_members; i++) {
        const struct formed_node *old = formed_node(f, t->member[i].id);
        if (addr_is_set(&n->addr) && addr_equal(&t->member[i].addr, &n->addr) && !(old && old->up) &&
            strcmp(t->member[i].id, t->primary) != 0)
            return &t->member[i];
    }
    return NULL;
}

/* A node new to the group: into M, or (its disk was lost, and its id with it) in the place of who was there before. */
static bool node_joined(struct formed *f, struct ha_record *t)
{
    for (size_t i = 0; i < f->nodes.n; i++) {
        const struct formed_node *n = &f->nodes.at[i];
        struct ha_member *m;
        bool another = n->status.flags & HA_F_USED && n->status.gid != t->gid;
        if (ha_member(t, n->id) || !n->up || n->status.kind != HA_STATUS || n->status.life == 0 ||
            !(n->status.flags & HA_F_LINK_UP) || another)
            continue;
        m = predecessor(f, t, n);
        if (!m && t->n_members == HA_MEMBERS_MAX)
            continue;
        if (!m) {
            m = &t->member[t->n_members++];
            memset(m, 0, sizeof *m);
            m->priority = 100;
        }
        memcpy(m->id, n->id, sizeof m->id);
        memset(&m->last, 0, sizeof m->last);
        m->life = n->status.life;
        m->addr = n->addr;
        t->k = wanted_k(f, t);
        return true;
    }
    return false;
}

static bool member_gone(struct formed *f, struct ha_record *t)
{
    int64_t ms = t->mode == HA_STRICT ? t->drop_after_ms : t->timing.promise_ms;
    bool any = false;

    if (t->mode == HA_STRICT && ms == 0)
        return false;
    for (int i = t->n_members; i-- > 0;) {
        if (strcmp(t->member[i].id, t->primary) == 0 || !gone_for(f, formed_node(f, t->member[i].id), ms) ||
            (t->mode == HA_STRICT && t->n_members - 1 < t->k + 1))
            continue;
        memmove(&t->member[i], &t->member[i + 1], (size_t)(t->n_members - i - 1) * sizeof t->member[0]);
        t->n_members--;
        if (t->k > t->n_members - 1)
            t->k = t->n_members - 1;
        any = true;
    }
    return any;
}

/* The operator's wish, as far as the members there are allow it. */
static bool settings_differ(struct formed *f, struct ha_record *t)
{
    int k;

    if (!f->want_set)
        return false;
    k = wanted_k(f, t);
    if (t->mode == f->want.mode && t->fsync == f->want.fsync && t->k == k &&
        memcmp(&t->timing, &f->want.timing, sizeof t->timing) == 0 && t->drop_after_ms == f->want.member_drop_after_ms)
        return false;
    t->mode = f->want.mode;
    t->fsync = f->want.fsync;
    t->k = k;
    t->timing = f->want.timing;
    t->drop_after_ms = f->want.member_drop_after_ms;
    return true;
}

static void voter_out(struct ha_record *t, int i)
{
    memmove(&t->voter[i], &t->voter[i + 1], (size_t)(t->n_voters - i - 1) * sizeof t->voter[0]);
    t->n_voters--;
}

static uint64_t life_of(const struct formed *f, const char *id)
{
    const struct formed_peer *p;

    if (strcmp(id, f->self.id) == 0)
        return f->voter.f.life;
    p = formed_peer((struct formed *)f, id);
    return p && p->up && p->alive.kind == HA_ALIVE ? p->alive.life : 0;
}

static void voter_in(struct formed *f, struct ha_record *t, const char *id, uint64_t life)
{
    struct ha_voter *v = &t->voter[t->n_voters++];
    const struct formed_peer *p = formed_peer(f, id);

    memset(v, 0, sizeof *v);
    memcpy(v->id, id, sizeof v->id);
    v->life = life;
    v->addr = p ? p->addr : f->self.addr;
}

/* Of the sentinels at hand that do not vote the first by id; NULL: none. */
static const char *next_voter(const struct formed *f, const struct ha_record *t)
{
    const char *best = ha_voter(t, f->self.id) ? NULL : f->self.id;

    for (size_t i = 0; i < f->peers.n; i++) {
        const char *id = f->peers.at[i].id;
        if (!ha_voter(t, id) && life_of(f, id) != 0 && (!best || strcmp(id, best) < 0))
            best = id;
    }
    return best;
}

/* Who shall not vote any more: one that is not at hand with the life it votes with, else the last one but us. */
static int spare_voter(const struct formed *f, const struct ha_record *t)
{
    int last = -1;

    for (int i = 0; i < t->n_voters; i++) {
        if (life_of(f, t->voter[i].id) != t->voter[i].life)
            return i;
        if (strcmp(t->voter[i].id, f->self.id) != 0)
            last = i;
    }
    return last;
}

/* An operator's number of voters, one in or out at a time. */
static bool voters_number_differs(struct formed *f, struct ha_record *t)
{
    const char *id;
    int i;

    if (!f->want_set || f->want.voters < 1 || f->want.voters > HA_VOTERS_MAX || f->want.voters == t->n_voters)
        return false;
    if (f->want.voters > t->n_voters) {
        id = next_voter(f, t);
        if (id)
            voter_in(f, t, id, life_of(f, id));
        return id != NULL;
    }
    i = spare_voter(f, t);
    if (i >= 0)
        voter_out(t, i);
    return i >= 0;
}

/* An operator's replacement: the old entry out, then the new one in, each a change of its own. */
static bool voters_differ(struct formed *f, struct ha_record *t)
{
    const struct voter_facts *w = &f->voter.f;
    bool wished = w->replace_in[0] != '\0';
    uint64_t life = wished ? life_of(f, w->replace_in) : 0;    /* 0: the new one is not at hand; nobody goes before it is */
    const struct ha_voter *in = wished ? ha_voter(t, w->replace_in) : NULL;
    const struct ha_voter *old = wished ? ha_voter(t, w->replace_out) : NULL;

    if (PLANT(VOTER_LIFE_IN_PLACE) && in && life != 0 && in->life != life) {
        t->voter[in - t->voter].life = life;
        return true;
    }
    if (old && old->life == w->replace_life && life != 0 && !(in == old && life == old->life) && t->n_voters > 1) {
        voter_out(t, (int)(old - t->voter));
        return true;
    }
    if (!in && life != 0 && t->n_voters < HA_VOTERS_MAX) {
        voter_in(f, t, w->replace_in, life);
        return true;
    }
    return !wished && voters_number_differs(f, t);
}

bool change_settings_due(struct formed *f, struct lead_want *out)
{
    const struct ha_record *r = formed_newest(f);

    memset(out, 0, sizeof *out);
    if (!r || r->dissolved)
        return false;
    out->purpose = LEAD_CHANGE;
    out->target = *r;
    return settings_differ(f, &out->target);
}

static bool members_differ(struct formed *f, struct ha_record *t)
{
    struct ha_record was = *t;

    if (member_returned(f, t) && satisfiable(f, t))
        return true;
    *t = was;
    if (node_joined(f, t) && satisfiable(f, t))
        return true;
    *t = was;
    if (member_gone(f, t) && satisfiable(f, t))
        return true;
    *t = was;
    return false;
}

bool change_due(struct formed *f, struct lead_want *out)
{
    const struct ha_record *r = formed_newest(f);
    const struct formed_node *p = r ? formed_node(f, r->primary) : NULL;
    struct ha_record t, wished;

    if (!r || r->dissolved || !p || !p->up || p->status.kind != HA_STATUS || p->status.state != HA_PRIMARY ||
        p->status.epoch != r->epoch)
        return false;
    memset(out, 0, sizeof *out);
    t = *r;
    if (p->status.flags & HA_F_JOINT)
        out->purpose = LEAD_RESTORE;
    else if (members_differ(f, &t)) {
        out->purpose = LEAD_CHANGE;
        wished = t;
        if (settings_differ(f, &wished) && satisfiable(f, &wished))
            t = wished;                /* in one step, if it can be */
    } else if (settings_differ(f, &t) && satisfiable(f, &t))
        out->purpose = LEAD_CHANGE;
    else {
        t = *r;
        formed_settle_replacement(f, r);       /* what was wished before a restart may be done since */
        if (!voters_differ(f, &t))
            return false;
        out->purpose = LEAD_CHANGE_VOTERS;
    }
    out->target = t;
    return true;
}
