/* The door of a formed group: events in, what we know of peers and nodes, heartbeats. What
 * an event means is decided in the files beside it (formed_inside.h has the map); every
 * step ends the same way: our lead hears our own voter, the record is announced if there is
 * reason to, and it is asked whether a try is due. */
#include "sentinel/core/formed.h"

#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "sentinel/core/formed_inside.h"

#include <string.h>

#define KNOWN_MAX 64               /* nodes, and peers, of one group */
#define SLOW_FADES 4               /* what is remembered of a slow save, or a late tick, falls by this part with each better one */
#define BALLOT_MAX (UINT64_MAX / 4)        /* nobody counts so far; who says so wants to end all elections */

struct formed *formed_new(const struct formed_self *self, const struct voter_facts *facts, uint64_t new_life,
                          uint64_t seed, int64_t now_ms)
{
    struct formed *f = mem_zalloc(sizeof *f);
    struct voter_facts fresh = {.life = new_life};

    CHECK(facts != NULL ? formed_facts_check(facts) == NULL : new_life != 0);
    f->self = *self;
    rng_seed(&f->rng, seed);
    f->now_ms = now_ms;
    voter_init(&f->voter, self->id, facts != NULL ? facts : &fresh, now_ms);
    lead_init(&f->lead);
    f->ballot_seen = f->voter.f.promised;
    f->ballot_moved_at_ms = now_ms;
    f->rec_at_ms = now_ms;
    f->rec_from_disk = true;
    f->try_at_ms = NEVER_MS;
    f->next_alive_ms = now_ms;
    f->next_look_ms = now_ms;
    CHECK(ha_timing_profile("cloud", &f->want.timing));
    return f;
}

void formed_free(struct formed *f)
{
    if (f == NULL)
        return;
    lead_fini(&f->lead);
    vec_fini(&f->nodes);
    vec_fini(&f->peers);
    vec_fini(&f->own);
    mem_free(f);
}

/* --- whom we know -------------------------------------------------------------------------- */

struct formed_node *formed_node(struct formed *f, const char *id)
{
    for (size_t i = 0; i < f->nodes.n; i++)
        if (strcmp(f->nodes.at[i].id, id) == 0)
            return &f->nodes.at[i];
    return NULL;
}

struct formed_peer *formed_peer(struct formed *f, const char *id)
{
    for (size_t i = 0; i < f->peers.n; i++)
        if (strcmp(f->peers.at[i].id, id) == 0)
            return &f->peers.at[i];
    return NULL;
}

const struct ha_record *formed_newest(const struct formed *f)
{
    return f->voter.f.rec.gid != 0 ? &f->voter.f.rec : NULL;
}

const struct ha_timing *formed_timing(const struct formed *f)
{
    return f->voter.f.rec.gid != 0 && f->voter.f.rec.timing.heartbeat_ms > 0 ? &f->voter.f.rec.timing : &f->want.timing;
}

static void say_alive(struct formed *f, const char *id)
{
    const struct ha_record *own = formed_newest(f);
    struct ha_msg m = {.kind = HA_ALIVE, .promised = f->voter.f.promised};

    if (own != NULL) {
        m.gid = own->gid;
        m.ballot = own->ballot;
        m.change = own->change;
        m.epoch = own->epoch;
        m.ok = f->renewed_epoch == own->epoch;
        m.ended = f->end_seen;
        m.unproved = own->dissolved;
    }
    m.nonce = lead_running(f) ? f->lead.ballot : 0;
    formed_to_voter(f, id, &m);
}

void formed_say_alive(struct formed *f)
{
    for (size_t i = 0; i < f->peers.n; i++)
        if (f->peers.at[i].up)
            say_alive(f, f->peers.at[i].id);
    f->next_alive_ms = f->now_ms + formed_timing(f)->heartbeat_ms;
}

static void look_at(struct formed *f, const char *id)
{
    formed_to_node(f, id, &(struct ha_msg){.kind = HA_LOOK});
}

static void know_peer(struct formed *f, const struct formed_event *ev)
{
    struct formed_peer *p;
    bool was;

    if (strcmp(ev->id, f->self.id) == 0)
        return;
    p = formed_peer(f, ev->id);
    if (p == NULL) {
        if (f->peers.n >= KNOWN_MAX)
            return;
        p = vec_add(&f->peers);
        if (!slice_copy_z(slice_z(ev->id), p->id, sizeof p->id)) {
            (void)vec_pop(&f->peers);
            return;
        }
    }
    was = p->up;
    if (addr_is_set(&ev->addr))
        p->addr = ev->addr;
    p->up = ev->yes;
    if (p->up && !was)
        say_alive(f, p->id);
}

static void know_node(struct formed *f, const struct formed_event *ev)
{
    struct formed_node *n = formed_node(f, ev->id);
    bool was;

    if (n == NULL) {
        if (f->nodes.n >= KNOWN_MAX)
            return;
        n = vec_add(&f->nodes);
        if (!slice_copy_z(slice_z(ev->id), n->id, sizeof n->id)) {
            (void)vec_pop(&f->nodes);
            return;
        }
    }
    was = n->up;
    if (addr_is_set(&ev->addr))
        n->addr = ev->addr;
    n->up = ev->yes;
    n->crashed = !ev->yes && (ev->refused || n->crashed);
    if (n->up && !was)
        look_at(f, n->id);
}

static void forget(struct formed *f, const char *id)
{
    for (size_t i = 0; i < f->nodes.n; i++)
        if (strcmp(f->nodes.at[i].id, id) == 0) {
            vec_remove(&f->nodes, i);
            break;
        }
    for (size_t i = 0; i < f->peers.n; i++)
        if (strcmp(f->peers.at[i].id, id) == 0) {
            vec_remove(&f->peers, i);
            break;
        }
}

/* --- messages ---------------------------------------------------------------------------------- */

static bool sane(const struct ha_msg *m)
{
    return m->ballot < BALLOT_MAX && m->promised < BALLOT_MAX && m->sealed < BALLOT_MAX && m->epoch < BALLOT_MAX &&
           m->life != 0 && (m->rec == NULL || m->rec->ballot < BALLOT_MAX);
}

static void hear_alive(struct formed *f, struct formed_peer *p, const struct ha_msg *m)
{
    if (p->alive.kind != HA_ALIVE || m->nonce != p->alive.nonce)
        p->leads_since_ms = f->now_ms;
    p->alive = *m;
    p->alive.rec = NULL;
    formed_note_behind(f, p);
    if (m->nonce != 0 && m->nonce >= f->voter.f.promised && !lead_running(f))
        f->leading_seen_at_ms = f->now_ms;
    if (formed_newest(f) != NULL && m->gid == formed_newest(f)->gid && m->ballot > f->lead.ballot)
        lead_overtaken(f, m->ballot);
    formed_tell_peer(f, p);
}

static void hear_peer(struct formed *f, struct formed_peer *p, const struct ha_msg *m)
{
    p->heard_at_ms = f->now_ms;
    if (formed_voter_hears(f, m))
        return;
    switch (m->kind) {
    case HA_ALIVE:
        formed_ballot_seen(f, m->promised > m->ballot ? m->promised : m->ballot);
        hear_alive(f, p, m);
        break;
    case HA_VOTED:
    case HA_STORED:
    case HA_BOUND:
        formed_ballot_seen(f, m->promised);
        lead_answer(f, m);
        break;
    case HA_END:
        if (formed_newest(f) != NULL && m->gid == formed_newest(f)->gid)
            formed_ended(f, m->epoch, m->incarnation, false);
        break;
    default:
        formed_trace(f, "%s of the sentinel %.8s means nothing", ha_kind_name(m->kind), m->from);
        break;
    }
}

/* Answers that also say how the node stands. */
static void note_answer(struct formed_node *n, const struct ha_msg *m)
{
    if (n->status.kind == HA_NOTHING || m->life != n->status.life)
        return;
    if (m->kind == HA_SEALED && m->ok && m->ballot > n->status.sealed) {
        n->status.sealed = m->ballot;
        n->status.pos = m->pos;
    }
}

static void hear_node_end(struct formed *f, const struct ha_msg *m)
{
    const struct ha_record *own = formed_newest(f);

    if (own == NULL || m->gid != own->gid || strcmp(m->from, own->primary) != 0 || m->epoch != own->epoch ||
        m->incarnation != own->incarnation) {
        formed_trace(f, "END of %.8s is not of an epoch of its own that we know", m->from);
        return;
    }
    formed_ended(f, m->epoch, m->incarnation, true);
    lead_answer(f, m);
}

/* Opened before, and not primary any more: that incarnation never takes the epoch up again, and nobody else said so. */
static void hear_opened(struct formed *f, const struct ha_msg *m)
{
    const struct ha_record *own = formed_newest(f);

    if (!m->ok && m->why == HA_WHY_OPENED && own != NULL && m->gid == own->gid && m->epoch == own->epoch &&
        m->incarnation == own->incarnation && strcmp(m->from, own->primary) == 0)
        formed_ended(f, m->epoch, m->incarnation, true);
}

/* The same of a group's first epoch, which is never opened again and so never refused: sealed to it and given up. */
static void hear_given_up(struct formed *f, const struct ha_msg *m)
{
    const struct ha_record *own = formed_newest(f);

    if (own != NULL && ha_record_is_formation(own) && m->ended && m->state != HA_PRIMARY && m->gid == own->gid &&
        m->sealed >= own->epoch && m->incarnation == own->incarnation && strcmp(m->from, own->primary) == 0 &&
        f->voter.ended_epoch < own->epoch)
        formed_ended(f, own->epoch, own->incarnation, true);
}

static void hear_node(struct formed *f, struct formed_node *n, const struct ha_msg *m)
{
    n->heard_at_ms = f->now_ms;
    switch (m->kind) {
    case HA_STATUS:
        if (n->status.kind != HA_STATUS || n->status.gid != m->gid || n->status.ballot != m->ballot)
            n->bound_at_ms = f->now_ms;
        n->status = *m;
        n->status.rec = NULL;
        hear_given_up(f, m);
        lead_answer(f, m);
        formed_tell_node(f, n);
        break;
    case HA_RENEW:
        formed_voter_renews(f, n, m);
        break;
    case HA_END:
        hear_node_end(f, m);
        break;
    case HA_SEALED:
    case HA_BOUND:
    case HA_OPENED:
    case HA_READY:
    case HA_STOPPED:
        note_answer(n, m);
        lead_answer(f, m);
        if (m->kind == HA_OPENED)
            hear_opened(f, m);
        break;
    default:
        formed_trace(f, "%s of the node %.8s means nothing", ha_kind_name(m->kind), m->from);
        break;
    }
}

static void hear(struct formed *f, const struct ha_msg *m)
{
    struct formed_peer *p = formed_peer(f, m->from);
    struct formed_node *n = formed_node(f, m->from);

    if (!sane(m))
        formed_trace(f, "%s of %.8s is refused: numbers that nobody reaches, or no life", ha_kind_name(m->kind), m->from);
    else if (p != NULL)
        hear_peer(f, p, m);
    else if (n != NULL)
        hear_node(f, n, m);
    else
        formed_trace(f, "%s of %.8s is ignored: a stranger", ha_kind_name(m->kind), m->from);
}

/* --- the disk ---------------------------------------------------------------------------------- */

/* What our voter decided in the last list was told to nobody. It stands in memory, so that nobody gets the
 * opposite of it, and is told once a save succeeds. A try of ours may rest on it: it is given up. */
static void save_failed(struct formed *f)
{
    if (!f->save_broken)
        formed_news(f, "state could not be saved: this sentinel does not vote until it can");
    f->save_broken = true;
    if (lead_running(f))
        lead_overtaken(f, f->lead.ballot + 1);
}

static void remember_worst(int64_t *ms, int64_t now_ms) { *ms = ms_max(now_ms, *ms - (*ms + SLOW_FADES - 1) / SLOW_FADES); }

/* While the disk took its time nobody could be asked, and no answer be heard. */
static void saved(struct formed *f, int64_t took_ms)
{
    remember_worst(&f->slow_ms, took_ms);
    lead_held_up(f, took_ms);
}

static void ticked(struct formed *f)
{
    if (f->due_ms != 0 && f->due_ms <= f->now_ms)
        remember_worst(&f->late_ms, f->now_ms - f->due_ms);
}

/* --- the step ------------------------------------------------------------------------------------ */

static void hear_ourselves(struct formed *f)
{
    for (int i = 0; f->own.n > 0; i++) {
        struct ha_msg m = f->own.at[0];
        CHECK(i < 1000);
        vec_remove(&f->own, 0);
        lead_answer(f, &m);
    }
}

static void keep_time(struct formed *f)
{
    int64_t h = formed_timing(f)->heartbeat_ms;

    if (f->now_ms >= f->next_alive_ms) {
        formed_say_alive(f);
        if (f->save_broken)
            formed_save(f);
    }
    if (f->now_ms >= f->next_look_ms) {
        for (size_t i = 0; i < f->nodes.n; i++)
            if (f->nodes.at[i].up)
                look_at(f, f->nodes.at[i].id);
        f->next_look_ms = f->now_ms + h;
    }
    if (f->ticking && f->now_ms >= lead_deadline_ms(f))
        lead_tick(f);
}

static void take_in(struct formed *f, const struct formed_event *ev)
{
    switch (ev->kind) {
    case FV_TICK: ticked(f); break;
    case FV_SAVED: saved(f, f->now_ms - f->saving_since_ms); break;
    case FV_MSG: hear(f, ev->msg); break;
    case FV_SAVE_FAILED: save_failed(f); break;
    case FV_PEER: know_peer(f, ev); break;
    case FV_NODE: know_node(f, ev); break;
    case FV_FORGET: forget(f, ev->id); break;
    case FV_ODOWN:                     /* of another primary than the record's: said too late */
        f->odown = ev->yes && (ev->id == NULL || formed_newest(f) == NULL || strcmp(ev->id, formed_newest(f)->primary) == 0);
        break;
    case FV_EVIDENCE:
        if (formed_newest(f) != NULL)
            formed_ended(f, ev->epoch != 0 ? ev->epoch : formed_newest(f)->epoch, 0, true);
        break;
    case FV_FORM:
    case FV_SET:
    case FV_HAND_OVER:
    case FV_FORCE:
    case FV_DISSOLVE:
    case FV_REPLACE_VOTER:
    case FV_DROP_MEMBER:
    case FV_CANCEL: formed_order(f, ev); break;
    case FV_KINDS: break;
    }
}

void formed_step(struct formed *f, const struct formed_event *ev, int64_t now_ms, struct formed_out *out)
{
    const char *wrong;

    CHECK(now_ms >= f->now_ms);
    f->now_ms = now_ms;
    f->out = out;
    f->save_said = false;
    f->ticking = ev->kind == FV_TICK;
    if (f->saving && ev->kind != FV_SAVE_FAILED) {
        if (f->save_broken)
            formed_news(f, "state can be saved again: this sentinel votes");
        f->save_broken = false;
    }
    f->saving = false;
    if (ev->kind != FV_SAVED)
        f->saving_since_ms = now_ms;
    take_in(f, ev);
    hear_ourselves(f);
    formed_evidence(f);
    keep_time(f);
    hear_ourselves(f);
    formed_tell(f);
    formed_detect(f);
    hear_ourselves(f);
    wrong = formed_check(f);
    CHECK(wrong == NULL);
    f->due_ms = formed_deadline_ms(f);
    f->out = NULL;
}

int64_t formed_deadline_ms(const struct formed *f)
{
    int64_t at_ms = ms_min(f->next_alive_ms, f->next_look_ms);

    return ms_min(at_ms, ms_min(lead_deadline_ms(f), f->try_at_ms));
}

const char *formed_facts_check(const struct voter_facts *v)
{
    if (v->life == 0)
        return "a voter without a life";
    if (v->promised >= BALLOT_MAX)
        return "a promise that nobody reaches";
    if (v->rec.gid != 0 && ha_record_check(&v->rec) != NULL)
        return "the record held is not one";
    if (v->promised < v->rec.ballot)
        return "the record's ballot is above the promise";
    if (v->rec.gid != 0 && v->promise_max_ms < v->rec.timing.promise_ms)
        return "a promise could outlast the silence after a start";
    return NULL;
}

const char *formed_check(const struct formed *f)
{
    const struct voter_facts *v = &f->voter.f;
    const char *wrong = formed_facts_check(v);

    if (wrong != NULL)
        return wrong;
    if (f->voter.promise.until_ms != 0 && f->voter.promise.epoch != v->rec.epoch)
        return "a lease is promised to an epoch that is not the record's";
    if (f->lead.state != LD_IDLE && f->lead.ballot == 0)
        return "a try without a ballot";
    if (f->own.n != 0)
        return "an answer of our own voter was not heard";
    return NULL;
}

/* --- the view ------------------------------------------------------------------------------------- */

const struct voter_facts *formed_facts(const struct formed *f) { return &f->voter.f; }
const struct voter *formed_voter(const struct formed *f) { return &f->voter; }
const struct lead *formed_lead(const struct formed *f) { return &f->lead; }
size_t formed_node_count(const struct formed *f) { return f->nodes.n; }
size_t formed_peer_count(const struct formed *f) { return f->peers.n; }

const char *formed_forming_lacks(const struct formed *f, bool *choice)
{
    *choice = f->forming_lacks == form_choice_lacks;
    return f->forming_lacks;
}

const struct formed_node *formed_node_at(const struct formed *f, size_t i)
{
    CHECK(i < f->nodes.n);
    return &f->nodes.at[i];
}

const struct formed_peer *formed_peer_at(const struct formed *f, size_t i)
{
    CHECK(i < f->peers.n);
    return &f->peers.at[i];
}
