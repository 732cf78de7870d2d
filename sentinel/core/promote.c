/* The acts of a promotion: seal all of the base's members, take the longest log among q counted
 * seals, let a preferred node fetch what it lacks, store the record, open (R5); and of a
 * hand-over before that: the living primary stops, the target catches up, the epoch is given up. */
#include "common/base/check.h"
#include "sentinel/core/lead_inside.h"

#include <string.h>

/* --- hand-over ---------------------------------------------------------------------------------- */

static bool in_step(const struct formed *f, const struct formed_node *n)
{
    const struct ha_member *m = ha_member(&f->lead.base, n->id);

    return m && n->up && n->status.kind == HA_STATUS && n->status.life == m->life && m->priority > 0 &&
           strcmp(n->id, f->lead.base.primary) != 0 && n->status.state == HA_FOLLOWER && n->status.flags & HA_F_LINK_UP;
}

/* The target: who was named, else the preferred of those in step, the longest among equals. */
static const struct formed_node *target(const struct formed *f)
{
    const struct formed_node *best = NULL;
    int32_t best_priority = 0;

    for (size_t i = 0; i < f->nodes.n; i++) {
        const struct formed_node *n = &f->nodes.at[i];
        int32_t priority;
        if (!in_step(f, n))
            continue;
        if (f->lead.want.node[0] != '\0') {
            if (strcmp(n->id, f->lead.want.node) == 0)
                return n;
            continue;
        }
        priority = ha_member(&f->lead.base, n->id)->priority;
        if (!best || priority < best_priority ||
            (priority == best_priority && ha_position_cmp(n->status.pos, best->status.pos) > 0)) {
            best = n;
            best_priority = priority;
        }
    }
    return best;
}

static void say_stop(struct formed *f)
{
    struct ha_msg m = lead_msg(f, HA_STOP);

    m.epoch = f->lead.base.epoch;
    memcpy(m.node, f->lead.chosen, sizeof m.node);
    formed_to_node(f, f->lead.base.primary, &m);
}

void promote_stop(struct formed *f)
{
    const struct formed_node *n = target(f);

    if (!n) {
        f->lead.refused = true;
        f->lead.why = HA_WHY_BEHIND;
        return;
    }
    memcpy(f->lead.chosen, n->id, sizeof f->lead.chosen);
    formed_journal(f, "ballot %llu: asking %s to stop for %s", (unsigned long long)f->lead.ballot, f->lead.base.primary, n->id);
    say_stop(f);
}

void promote_call_off(struct formed *f)
{
    struct ha_msg m = lead_msg(f, HA_RESUME);

    m.epoch = f->lead.base.epoch;
    formed_to_node(f, f->lead.base.primary, &m);
}

void promote_finish(struct formed *f)
{
    struct ha_msg m = lead_msg(f, HA_FINISH);

    m.epoch = f->lead.base.epoch;
    formed_to_node(f, f->lead.base.primary, &m);
}

/* --- seals --------------------------------------------------------------------------------------- */

static void ask_seals(struct formed *f)
{
    struct ha_msg m = lead_msg(f, HA_SEAL);

    if (!form_may_seal(f, &f->lead.base))
        return;
    m.epoch = f->lead.base.epoch;
    m.ended = f->lead.ended;
    for (size_t i = 0; i < f->lead.seals.n; i++)
        if (!f->lead.seals.at[i].counted)
            formed_to_node(f, f->lead.seals.at[i].id, &m);
}

static void tell_end(struct formed *f)
{
    struct ha_msg m = lead_msg(f, HA_END);

    m.epoch = f->lead.base.epoch;
    m.incarnation = f->lead.base.incarnation;
    memcpy(m.node, f->lead.base.primary, sizeof m.node);
    for (int i = 0; i < f->lead.base.n_voters; i++)
        formed_to_voter(f, f->lead.base.voter[i].id, &m);
}

void promote_seal(struct formed *f)
{
    if (f->lead.seals.n == 0) {
        for (int i = 0; i < f->lead.base.n_members; i++) {
            struct lead_seal *s = vec_add(&f->lead.seals);
            memcpy(s->id, f->lead.base.member[i].id, sizeof s->id);
        }
        formed_journal(f, "ballot %llu: base is (%llu, %u), sealing %d members, %d seals needed", (unsigned long long)f->lead.ballot,
                       (unsigned long long)f->lead.base.ballot, f->lead.base.change, f->lead.base.n_members,
                       ha_seals_needed(&f->lead.base));
    }
    f->lead.ended = f->lead.ended || (f->lead.base.epoch != 0 && f->voter.ended_epoch == f->lead.base.epoch);
    if (f->lead.ended)
        tell_end(f);
    ask_seals(f);
}

static void hear_seal(struct formed *f, const struct ha_msg *m)
{
    struct lead_seal *s = lead_seal_of(f, m->from);
    const struct ha_member *seat = ha_member(&f->lead.base, m->from);

    if (!s || !seat)
        return;
    s->why = m->ok ? HA_WHY_NONE : m->why;
    if (!m->ok)
        return;
    s->answered = true;
    s->life = m->life;
    s->incarnation = m->incarnation;
    s->pos = m->pos;
    s->at_ms = f->now_ms;
    s->counted = m->life == seat->life || PLANT(SEAL_NEW_LIFE);
    if (!s->counted)
        s->why = HA_WHY_STRANGER;          /* another life: it may have lost what it acknowledged (R8) */
}

/* --- choosing ----------------------------------------------------------------------------------------- */

static int by_position(struct ha_position a, struct ha_position b)
{
    if (PLANT(OFFSET_WITHOUT_EPOCH))
        return a.offset < b.offset ? -1 : a.offset > b.offset;
    return ha_position_cmp(a, b);
}

static int counted(const struct formed *f)
{
    int n = 0;

    for (size_t i = 0; i < f->lead.seals.n; i++)
        if (f->lead.seals.at[i].counted ||
            (PLANT(SEAL_WITHOUT_SELF) && strcmp(f->lead.seals.at[i].id, f->lead.base.primary) == 0))
            n++;
    return n;
}

static int needed(const struct formed *f)
{
    int q = ha_seals_needed(&f->lead.base);

    if (f->lead.want.purpose == LEAD_FORCE && f->lead.want.seals_at_least > 0 && f->lead.want.seals_at_least < q)
        q = f->lead.want.seals_at_least;
    if (PLANT(SEAL_ONE_FEWER) && q > 1)
        q--;
    return q;
}

const struct lead_seal *promote_longest_seal(const struct formed *f)
{
    const struct lead_seal *best = NULL;

    for (size_t i = 0; i < f->lead.seals.n; i++) {
        const struct lead_seal *s = &f->lead.seals.at[i];
        if (s->counted && (!best || by_position(s->pos, best->pos) > 0))
            best = s;
    }
    return best;
}

/* Whom somebody asked for: the target of a hand-over (the primary stopped for it), or the operator's choice. "" = nobody. */
static const char *named_target(const struct formed *f)
{
    return f->lead.want.purpose == LEAD_HAND_OVER ? f->lead.chosen : f->lead.want.node;
}

/* Whom its owner wants: the named one, else the lowest priority; among equals the longer log,
 * then the old primary's zone, then the id, so that every leader says the same. */
static bool preferred_to(const struct formed *f, const struct lead_seal *a, const struct lead_seal *b)
{
    const struct ha_record *r = &f->lead.base;
    const struct ha_member *ma = ha_member(r, a->id), *mb = ha_member(r, b->id), *old = ha_member(r, r->primary);
    const char *named = named_target(f);
    int pos;

    if (named[0] != '\0' && (strcmp(a->id, named) == 0) != (strcmp(b->id, named) == 0))
        return strcmp(a->id, named) == 0;
    if (ma->priority != mb->priority)
        return ma->priority < mb->priority;
    pos = by_position(a->pos, b->pos);
    if (pos != 0)
        return pos > 0;
    if (old && (strcmp(ma->zone, old->zone) == 0) != (strcmp(mb->zone, old->zone) == 0))
        return strcmp(ma->zone, old->zone) == 0;
    return strcmp(a->id, b->id) < 0;
}

static const struct lead_seal *preferred(const struct formed *f)
{
    const struct lead_seal *best = NULL;

    for (size_t i = 0; i < f->lead.seals.n; i++) {
        const struct lead_seal *s = &f->lead.seals.at[i];
        const struct ha_member *seat = ha_member(&f->lead.base, s->id);
        if (s->counted && seat != NULL && seat->priority > 0 && (!best || preferred_to(f, s, best)))
            best = s;
    }
    return best;
}

static bool named_is_missing(struct formed *f)
{
    const char *named = named_target(f);
    const struct lead_seal *s = named[0] != '\0' ? lead_seal_of(f, named) : NULL;
    const struct formed_node *n = s ? formed_node(f, s->id) : NULL;

    return s && !s->answered && n && n->up;
}

/* Enough seals are there. Is it worth waiting for the rest? A quarter of E for members known alive, so that the longest is
 * not missed by a hair; E for one that was asked for by name. async counts on one seal only: it waits for all of them up to E, and while the
 * best is behind what the record last knew, up to D. A primary whose process ended is not waited for by itself. */
static bool worth_waiting(struct formed *f, const struct lead_seal *longest)
{
    const struct ha_record *r = &f->lead.base;
    int64_t e = formed_timing(f)->election_ms, waited;
    bool all_known = true, all = true, all_living = true, behind = false;

    if (f->lead.enough_at_ms == 0)
        f->lead.enough_at_ms = f->now_ms;
    waited = f->now_ms - f->lead.enough_at_ms;
    for (size_t i = 0; i < f->lead.seals.n; i++) {
        const struct lead_seal *s = &f->lead.seals.at[i];
        const struct formed_node *n = formed_node(f, s->id);
        if (s->answered)
            continue;
        all = false;
        if (n && n->up)
            all_known = false;
        if (!(f->lead.ended && strcmp(s->id, r->primary) == 0 && n && !n->up))
            all_living = false;
    }
    for (int i = 0; i < r->n_members; i++)
        behind = behind || by_position(r->member[i].last, longest->pos) > 0;
    if (named_is_missing(f) && waited < e)
        return true;
    if (r->mode == HA_ASYNC)
        return (!all_living && waited < e) || (!all && behind && waited < formed_timing(f)->down_after_ms);
    return !all_known && waited < e / 4;
}

static enum lead_event look_seals(struct formed *f)
{
    const struct lead_seal *longest = promote_longest_seal(f), *best = preferred(f);
    const struct lead_seal *named = f->lead.want.purpose == LEAD_FORCE && f->lead.want.seals_at_least == 0
                                        ? lead_seal_of(f, f->lead.want.node) : NULL;

    if (named && named->answered) {            /* the operator's decision: of whichever life, as long as it is sealed */
        memcpy(f->lead.chosen, named->id, sizeof f->lead.chosen);
        f->lead.chosen_incarnation = named->incarnation;
        f->lead.fetch_to = named->pos;
        return LE_CHOSEN;
    }
    if (!longest || counted(f) < needed(f)) {
        f->lead.enough_at_ms = 0;
        return LEAD_EVENTS;
    }
    if (worth_waiting(f, longest) || !best)
        return LEAD_EVENTS;                /* !best: all that are sealed must never lead; EXPLAIN says so */
    if (named_target(f)[0] != '\0' && strcmp(named_target(f), best->id) != 0)
        formed_journal(f, "ballot %llu: %.8s was asked for and cannot be had, %.8s leads instead", (unsigned long long)f->lead.ballot,
                       named_target(f), best->id);
    memcpy(f->lead.chosen, best->id, sizeof f->lead.chosen);
    f->lead.chosen_incarnation = best->incarnation;
    f->lead.fetch_to = longest->pos;
    return by_position(best->pos, longest->pos) < 0 ? LE_BEHIND : LE_CHOSEN;
}

static void ask_fetch(struct formed *f)
{
    const struct lead_seal *from = promote_longest_seal(f);
    const struct formed_node *n = from ? formed_node(f, from->id) : NULL;
    struct ha_msg m = lead_msg(f, HA_FETCH);

    if (!from)
        return;
    m.epoch = f->lead.base.epoch;
    memcpy(m.node, from->id, sizeof m.node);
    m.addr = n ? n->addr : ha_member(&f->lead.base, from->id)->addr;
    m.pos = f->lead.fetch_to;
    formed_to_node(f, f->lead.chosen, &m);
}

void promote_fetch(struct formed *f)
{
    formed_journal(f, "ballot %llu: %s fetches the tail from %s", (unsigned long long)f->lead.ballot, f->lead.chosen,
                   promote_longest_seal(f)->id);
    ask_fetch(f);
}

/* --- the record, and opening ------------------------------------------------------------------------------ */

void promote_store(struct formed *f)
{
    struct lead *l = &f->lead;
    const struct lead_seal *best = lead_seal_of(f, l->chosen);

    CHECK(best != NULL);
    l->chosen_incarnation = best->incarnation;
    l->next = l->base;
    l->next.ballot = l->next.epoch = l->ballot;
    l->next.change = 0;
    memcpy(l->next.primary, l->chosen, sizeof l->next.primary);
    l->next.incarnation = l->chosen_incarnation;
    for (int i = 0; i < l->next.n_members; i++) {
        struct ha_member *m = &l->next.member[i];
        const struct lead_seal *s = lead_seal_of(f, m->id);
        const struct formed_node *n = formed_node(f, m->id);
        if (s && s->counted)
            m->last = s->pos;
        if (s == best)
            m->life = s->life;                 /* FORCE without a counted seal: it is this memory that leads */
        if (n && addr_is_set(&n->addr))
            m->addr = n->addr;
    }
    for (size_t i = 0; i < l->votes.n; i++)
        l->votes.at[i].stored = false;
    formed_journal(f, "ballot %llu: %s leads from (%llu, %lld)", (unsigned long long)l->ballot, l->chosen,
                   (unsigned long long)best->pos.epoch, (long long)best->pos.offset);
    lead_store(f);
}

void promote_longest(struct formed *f)
{
    const struct lead_seal *s = promote_longest_seal(f);

    CHECK(s != NULL);
    memcpy(f->lead.chosen, s->id, sizeof f->lead.chosen);
    promote_store(f);
}

void promote_open(struct formed *f)
{
    struct ha_msg m = lead_msg(f, HA_OPEN);

    m.rec = &f->lead.next;
    m.epoch = f->lead.next.epoch;
    m.incarnation = f->lead.next.incarnation;
    formed_to_node(f, f->lead.next.primary, &m);
}

void promote_opened(struct formed *f)
{
    struct ha_msg m = lead_msg(f, HA_FOLLOW);
    const struct ha_record *r = &f->lead.next;

    m.rec = r;
    m.epoch = r->epoch;
    for (int i = 0; i < r->n_members; i++)
        if (strcmp(r->member[i].id, r->primary) != 0)
            formed_to_node(f, r->member[i].id, &m);
    f->rec_at_ms = f->now_ms;                  /* it begins to ask for its lease now (R4 1) */
    formed_journal(f, "epoch %llu: %s is open", (unsigned long long)r->epoch, r->primary);
    formed_primary(f, r);
    lead_say_done(f);
}

/* --- what the driver asks --------------------------------------------------------------------------------- */

void promote_again(struct formed *f)
{
    switch (f->lead.state) {
    case LD_STOPPING: say_stop(f); break;
    case LD_ENDING: promote_finish(f); break;
    case LD_SEALING: ask_seals(f); break;
    case LD_FETCHING: ask_fetch(f); break;
    case LD_OPENING: promote_open(f); break;
    default: break;
    }
}

enum lead_event promote_look(struct formed *f)
{
    struct lead *l = &f->lead;
    const struct lead_seal *s;

    switch (l->state) {
    case LD_STOPPING: return l->refused ? LE_REFUSED : l->stopped ? LE_STOPPED : LEAD_EVENTS;
    case LD_ENDING: return l->ended ? LE_ENDED : LEAD_EVENTS;
    case LD_SEALING: return look_seals(f);
    case LD_FETCHING:
        s = lead_seal_of(f, l->chosen);
        return s && s->counted && by_position(s->pos, l->fetch_to) >= 0 ? LE_FETCHED : LEAD_EVENTS;
    case LD_OPENING: return l->opened ? LE_OPENED : l->refused ? LE_REFUSED : LEAD_EVENTS;
    default: return LEAD_EVENTS;
    }
}

bool promote_answer(struct formed *f, const struct ha_msg *m)
{
    struct lead *l = &f->lead;

    switch (m->kind) {
    case HA_SEALED:
        if (l->state == LD_SEALING || l->state == LD_FETCHING)
            hear_seal(f, m);
        return true;
    case HA_STOPPED:
        if (l->state == LD_STOPPING && m->ok)
            l->stopped = true;
        else if (l->state == LD_STOPPING)
            l->refused = true;
        l->why = m->why;
        return true;
    case HA_OPENED:
        if (l->state == LD_OPENING && m->epoch == l->next.epoch) {
            l->opened = m->ok;
            l->refused = !m->ok && m->why != HA_WHY_UNSAVED;
            l->why = m->why;
        }
        return true;
    case HA_END:
        if (l->base.epoch != 0 && m->epoch == l->base.epoch && !l->ended) {
            l->ended = true;
            if (l->state == LD_SEALING)
                promote_seal(f);           /* those who wait for promises need not any more */
        }
        return true;
    default: return false;
    }
}

/* --- EXPLAIN ------------------------------------------------------------------------------------------------- */

void lead_explain(const struct formed *f, int64_t now_ms, bool *can, char chosen[ID_MAX],
                  void (*say)(void *ctx, const char *what, const char *who, const char *why), void *ctx)
{
    const struct ha_record *r = formed_newest(f);
    const struct ha_member *best = NULL;
    struct ha_position longest = {0};
    int voters = 0, members = 0;           /* without the primary: were it gone, they must do */

    (void)now_ms;
    *can = false;
    chosen[0] = '\0';
    if (!r) {
        say(ctx, "record", "-", "not-formed: this sentinel holds no record");
        return;
    }
    for (int i = 0; i < r->n_voters; i++) {
        const struct ha_voter *v = &r->voter[i];
        const struct formed_peer *p = formed_peer((struct formed *)f, v->id);
        bool self = strcmp(v->id, f->self.id) == 0;
        uint64_t life = self ? f->voter.f.life : p && p->alive.kind == HA_ALIVE ? p->alive.life : 0;
        if (self ? f->save_broken : !p || !p->up)
            say(ctx, "voter", v->id, self ? "unsaved: its disk does not take votes" : "not-at-hand: no link to that sentinel");
        else if (life != v->life)
            say(ctx, "voter", v->id, "new-life: it lost its memory: replace it (SENTINEL PEERS <group> REPLACE)");
        else
            voters++;
    }
    for (int i = 0; i < r->n_members; i++) {
        const struct ha_member *m = &r->member[i];
        const struct formed_node *n = formed_node((struct formed *)f, m->id);
        if (!n || !n->up || n->status.kind != HA_STATUS)
            say(ctx, "member", m->id, "not-at-hand: no link to that node");
        else if (n->status.life != m->life)
            say(ctx, "member", m->id, "new-life: another life: what it had may be lost");
        else {
            bool other = strcmp(m->id, r->primary) != 0;
            members += other;
            if (other && (n->status.state != HA_FOLLOWER || (n->status.flags & HA_F_LINK_UP) == 0))
                say(ctx, "member", m->id, "not-following: it can be sealed, but does not replicate now");
            if (m->priority == 0)
                say(ctx, "member", m->id, "priority-zero: never to lead");
            else if (other && (!best || m->priority < best->priority ||
                               (m->priority == best->priority && ha_position_cmp(n->status.pos, longest) > 0))) {
                best = m;
                longest = n->status.pos;
            }
        }
    }
    if (members < ha_seals_needed(r))
        say(ctx, "seals", "-", "too-few-seals: without the primary too few members are left to seal");
    if (voters < ha_majority(r->n_voters))
        say(ctx, "votes", "-", "no-majority: no majority of the voters is at hand");
    *can = best && voters >= ha_majority(r->n_voters) && members >= ha_seals_needed(r);
    if (best)
        memcpy(chosen, best->id, ID_MAX);
}
