/* The table of a try and its driver. The driver alone assigns the state; acts send. After every
 * message and tick it asks what the facts of the present state amount to, and moves until they
 * amount to nothing more. Nothing waits for one datagram: whatever is owed is asked for again
 * at the pace of the heartbeat. */
#include "common/base/check.h"
#include "sentinel/core/lead_inside.h"

#include <string.h>

#define PROMOTIONS (FOR(PROMOTE) | FOR(HAND_OVER) | FOR(FORCE))
#define ALL 0u

static void ask_votes(struct formed *f);
static void withdraw(struct formed *f);
static void nothing(struct formed *f) { (void)f; }

static const struct row {
    enum lead_state in;
    enum lead_event on;
    unsigned purposes;
    lead_act *act;
    const char *act_name;
    enum lead_state then;
    const char *because;
} table[] = {
#define DO(x) x, #x
/*    in                 on               for                act                     then                 because */
    { LD_IDLE,           LE_START,        FOR(FORM),         DO(nothing),            LD_SURVEYING,        "a mode was asked for: who is at hand?" },
    { LD_IDLE,           LE_START,        FOR(RELEASE),      DO(form_release_primary), LD_BINDING_PRIMARY, "an attempt that stands still is made dead" },
    { LD_IDLE,           LE_START,        ALL,               DO(ask_votes),          LD_VOTING,           "a ballot needs a majority" },

    { LD_SURVEYING,      LE_SURVEYED,     ALL,               DO(form_bind_primary),  LD_BINDING_PRIMARY,  "every node and every voter is at hand" },
    { LD_SURVEYING,      LE_EXPIRED,      ALL,               DO(withdraw),           LD_IDLE,             "not all nodes and voters were at hand in time" },
    { LD_SURVEYING,      LE_OVERTAKEN,    ALL,               DO(withdraw),           LD_IDLE,             "another sentinel is ahead" },
    { LD_SURVEYING,      LE_CANCEL,       ALL,               DO(withdraw),           LD_IDLE,             "called off" },

    { LD_BINDING_PRIMARY, LE_BOUND,       FOR(FORM),         DO(form_bind_rest),     LD_BINDING_REST,     "the primary is bound" },
    { LD_BINDING_PRIMARY, LE_BOUND,       ALL,               DO(form_release_rest),  LD_BINDING_REST,     "the primary is let go: the attempt is dead" },
    { LD_BINDING_PRIMARY, LE_REFUSED,     ALL,               DO(withdraw),           LD_IDLE,             "the primary refuses" },
    { LD_BINDING_PRIMARY, LE_EXPIRED,     ALL,               DO(withdraw),           LD_IDLE,             "the primary did not answer in time" },
    { LD_BINDING_PRIMARY, LE_OVERTAKEN,   ALL,               DO(withdraw),           LD_IDLE,             "a higher number is about" },
    { LD_BINDING_PRIMARY, LE_CANCEL,      ALL,               DO(withdraw),           LD_IDLE,             "called off" },

    { LD_BINDING_REST,   LE_BOUND,        FOR(FORM),         DO(form_store),         LD_STORING,          "every node is bound" },
    { LD_BINDING_REST,   LE_BOUND,        FOR(CHANGE),       DO(change_joint),       LD_JOINING,          "nodes new to the group are bound" },
    { LD_BINDING_REST,   LE_BOUND,        ALL,               DO(form_forget),        LD_IDLE,             "every node is let go" },
    { LD_BINDING_REST,   LE_REFUSED,      ALL,               DO(withdraw),           LD_IDLE,             "a node refuses" },
    { LD_BINDING_REST,   LE_EXPIRED,      ALL,               DO(withdraw),           LD_IDLE,             "a node did not answer in time" },
    { LD_BINDING_REST,   LE_OVERTAKEN,    ALL,               DO(withdraw),           LD_IDLE,             "a higher number is about" },
    { LD_BINDING_REST,   LE_CANCEL,       ALL,               DO(withdraw),           LD_IDLE,             "called off" },

    { LD_VOTING,         LE_MAJORITY,     FOR(HAND_OVER),    DO(promote_stop),       LD_STOPPING,         "a majority gave us the ballot" },
    { LD_VOTING,         LE_MAJORITY,     PROMOTIONS,        DO(promote_seal),       LD_SEALING,          "a majority gave us the ballot" },
    { LD_VOTING,         LE_MAJORITY,     FOR(CHANGE),       DO(change_bind),        LD_BINDING_REST,     "a majority gave us the ballot" },
    { LD_VOTING,         LE_MAJORITY,     FOR(RESTORE) | FOR(CHANGE_VOTERS), DO(change_restore), LD_STORING, "a majority gave us the ballot" },
    { LD_VOTING,         LE_MAJORITY,     FOR(DISSOLVE),     DO(dissolve_store),     LD_STORING,          "a majority gave us the ballot" },
    { LD_VOTING,         LE_NO_MAJORITY,  ALL,               DO(withdraw),           LD_IDLE,             "all at hand answered and it is no majority" },
    { LD_VOTING,         LE_EXPIRED,      ALL,               DO(withdraw),           LD_IDLE,             "no majority in time" },
    { LD_VOTING,         LE_OVERTAKEN,    ALL,               DO(withdraw),           LD_IDLE,             "a higher ballot is about" },
    { LD_VOTING,         LE_CANCEL,       ALL,               DO(withdraw),           LD_IDLE,             "called off" },

    { LD_STOPPING,       LE_STOPPED,      ALL,               DO(promote_finish),     LD_ENDING,           "the target has the whole log" },
    { LD_STOPPING,       LE_REFUSED,      ALL,               DO(promote_call_off),   LD_IDLE,             "the primary refuses to stop" },
    { LD_STOPPING,       LE_EXPIRED,      ALL,               DO(promote_call_off),   LD_IDLE,             "the target did not catch up in time" },
    { LD_STOPPING,       LE_OVERTAKEN,    ALL,               DO(promote_call_off),   LD_IDLE,             "a higher ballot is about" },
    { LD_STOPPING,       LE_CANCEL,       ALL,               DO(promote_call_off),   LD_IDLE,             "called off" },

    { LD_ENDING,         LE_ENDED,        ALL,               DO(promote_seal),       LD_SEALING,          "the primary gave its epoch up" },
    { LD_ENDING,         LE_EXPIRED,      ALL,               DO(promote_seal),       LD_SEALING,          "no END came: promises must lapse" },
    { LD_ENDING,         LE_OVERTAKEN,    ALL,               DO(withdraw),           LD_IDLE,             "a higher ballot is about" },

    { LD_SEALING,        LE_CHOSEN,       ALL,               DO(promote_store),      LD_STORING,          "enough counted seals, and the longest may lead" },
    { LD_SEALING,        LE_BEHIND,       ALL,               DO(promote_fetch),      LD_FETCHING,         "enough counted seals, and the preferred one lacks the tail" },
    { LD_SEALING,        LE_EXPIRED,      ALL,               DO(promote_seal),       LD_SEALING,          "too few counted seals: asking on" },
    { LD_SEALING,        LE_OVERTAKEN,    ALL,               DO(withdraw),           LD_IDLE,             "a higher ballot is about" },
    { LD_SEALING,        LE_CANCEL,       ALL,               DO(withdraw),           LD_IDLE,             "called off: whoever was sealed waits for the next ballot" },

    { LD_FETCHING,       LE_FETCHED,      ALL,               DO(promote_store),      LD_STORING,          "the preferred one has the tail" },
    { LD_FETCHING,       LE_EXPIRED,      ALL,               DO(promote_longest),    LD_STORING,          "the preferred one did not get the tail: the longest leads" },
    { LD_FETCHING,       LE_OVERTAKEN,    ALL,               DO(withdraw),           LD_IDLE,             "a higher ballot is about" },

    { LD_STORING,        LE_STORED,       PROMOTIONS | FOR(FORM), DO(promote_open),  LD_OPENING,          "the record is where it must be" },
    { LD_STORING,        LE_STORED,       FOR(DISSOLVE),     DO(form_release_primary), LD_BINDING_PRIMARY, "the last record is at a majority" },
    { LD_STORING,        LE_STORED,       ALL,               DO(change_commit),      LD_COMMITTING,       "the record is at a majority" },
    { LD_STORING,        LE_ANEW,         FOR(CHANGE_VOTERS), DO(change_joint),      LD_JOINING,          "the base is stored anew in our ballot" },
    { LD_STORING,        LE_REFUSED,      FOR(DISSOLVE),     DO(withdraw),           LD_IDLE,             "too much of the group cannot be heard" },
    { LD_STORING,        LE_EXPIRED,      ALL,               DO(withdraw),           LD_IDLE,             "the record found no majority in time" },
    { LD_STORING,        LE_OVERTAKEN,    ALL,               DO(withdraw),           LD_IDLE,             "a higher ballot is about" },

    { LD_OPENING,        LE_OPENED,       ALL,               DO(promote_opened),     LD_IDLE,             "the new primary has taken its epoch" },
    { LD_OPENING,        LE_REFUSED,      ALL,               DO(withdraw),           LD_IDLE,             "the chosen process is gone or sealed higher" },
    { LD_OPENING,        LE_EXPIRED,      ALL,               DO(withdraw),           LD_IDLE,             "no answer: whoever holds the record opens it unproved" },
    { LD_OPENING,        LE_OVERTAKEN,    ALL,               DO(withdraw),           LD_IDLE,             "a higher ballot is about" },

    { LD_JOINING,        LE_READY,        ALL,               DO(change_store),       LD_STORING,          "the primary's log satisfies the new configuration" },
    { LD_JOINING,        LE_REFUSED,      ALL,               DO(withdraw),           LD_IDLE,             "the primary refuses the change" },
    { LD_JOINING,        LE_EXPIRED,      ALL,               DO(withdraw),           LD_IDLE,             "the new configuration was not satisfied in time" },
    { LD_JOINING,        LE_OVERTAKEN,    ALL,               DO(withdraw),           LD_IDLE,             "a higher ballot is about" },
    { LD_JOINING,        LE_CANCEL,       ALL,               DO(withdraw),           LD_IDLE,             "called off" },

    { LD_COMMITTING,     LE_DONE,         ALL,               DO(change_done),        LD_IDLE,             "the primary knows" },
    { LD_COMMITTING,     LE_EXPIRED,      ALL,               DO(change_done),        LD_IDLE,             "the record stands; the primary learns it from its next renewal" },
    { LD_COMMITTING,     LE_OVERTAKEN,    ALL,               DO(change_done),        LD_IDLE,             "a higher ballot is about" },
#undef DO
};
#define ROWS (sizeof table / sizeof table[0])

/* --- small things ------------------------------------------------------------------------------- */

void lead_init(struct lead *l)
{
    memset(l, 0, sizeof *l);
    l->deadline_ms = NEVER_MS;
}

void lead_fini(struct lead *l)
{
    vec_fini(&l->votes);
    vec_fini(&l->seals);
}

bool lead_running(const struct formed *f) { return f->lead.state != LD_IDLE; }

struct lead_vote *lead_vote_of(struct formed *f, const char *id)
{
    struct lead_vote *v;

    for (size_t i = 0; i < f->lead.votes.n; i++)
        if (strcmp(f->lead.votes.at[i].id, id) == 0)
            return &f->lead.votes.at[i];
    v = vec_add(&f->lead.votes);
    memcpy(v->id, id, strlen(id) + 1);
    return v;
}

struct lead_seal *lead_seal_of(struct formed *f, const char *id)
{
    for (size_t i = 0; i < f->lead.seals.n; i++)
        if (strcmp(f->lead.seals.at[i].id, id) == 0)
            return &f->lead.seals.at[i];
    return NULL;
}

struct ha_msg lead_msg(const struct formed *f, enum ha_kind kind)
{
    return (struct ha_msg){.kind = kind, .gid = f->lead.base.gid, .ballot = f->lead.ballot, .change = f->lead.next.change};
}

void lead_say_failed(struct formed *f, const char *why)
{
    char line[256];
    size_t n = strlen(why);

    memcpy(line, "ABORTED ", 8);
    n = n < sizeof line - 9 ? n : sizeof line - 9;
    memcpy(line + 8, why, n);
    line[8 + n] = '\0';
    formed_reply(f, f->lead.want.ticket, line);
    f->lead.want.ticket = 0;
}

void lead_say_done(struct formed *f)
{
    formed_reply(f, f->lead.want.ticket, NULL);
    f->lead.want.ticket = 0;
}

/* --- votes ---------------------------------------------------------------------------------------- */

/* The highest record among the answers: its V is counted, and it becomes the base. */
static const struct ha_record *highest(const struct formed *f)
{
    const struct ha_record *best = NULL;

    if (PLANT(BASE_OWN))
        return formed_newest(f);
    for (size_t i = 0; i < f->lead.votes.n; i++) {
        const struct lead_vote *v = &f->lead.votes.at[i];
        if (v->granted && v->has_record && (!best || ha_record_cmp(&v->rec, best) > 0))
            best = &v->rec;
    }
    return best;
}

static int votes_in(const struct formed *f, const struct ha_record *r)
{
    int n = 0;

    for (size_t i = 0; i < f->lead.votes.n; i++) {
        const struct lead_vote *v = &f->lead.votes.at[i];
        const struct ha_voter *seat = ha_voter(r, v->id);
        if (v->granted && seat && seat->life == v->life)
            n++;
    }
    return n;
}

int lead_stored_in(const struct formed *f, const struct ha_record *r)
{
    int n = 0;

    for (size_t i = 0; i < f->lead.votes.n; i++) {
        const struct lead_vote *v = &f->lead.votes.at[i];
        const struct ha_voter *seat = ha_voter(r, v->id);
        if (v->stored && seat && seat->life == v->life)
            n++;
    }
    return n;
}

/* V of the newest record we hold, V of a higher one that an answer brought, and whoever we know. */
static void ask_votes_again(struct formed *f)
{
    const struct ha_record *own = formed_newest(f), *top = highest(f);
    struct ha_msg m = lead_msg(f, HA_VOTE);

    if (own)
        m.gid = own->gid;
    for (int i = 0; own && i < own->n_voters; i++)
        if (!lead_vote_of(f, own->voter[i].id)->granted)
            formed_to_voter(f, own->voter[i].id, &m);
    for (int i = 0; top && top != own && i < top->n_voters; i++)
        if ((!own || !ha_voter(own, top->voter[i].id)) && !lead_vote_of(f, top->voter[i].id)->granted)
            formed_to_voter(f, top->voter[i].id, &m);
}

/* Said before our own vote is on its way to the disk: the others need not begin as well. */
static void ask_votes(struct formed *f)
{
    formed_say_alive(f);
    formed_journal(f, "ballot %llu: asking for votes to %s", (unsigned long long)f->lead.ballot,
                   lead_purpose_name(f->lead.want.purpose));
    ask_votes_again(f);
}

/* What we begin for by ourselves is about the epoch that we knew. A newer one is another primary's, against whom nothing is
 * said yet: to seal it would end it for yesterday's reason, and with members that are just taking its copy for good. */
static bool is_settled(struct formed *f, const struct ha_record *base)
{
    const struct formed_node *p = formed_node(f, base->primary);
    bool lives = p != NULL && p->up && p->status.kind == HA_STATUS && p->status.incarnation == base->incarnation &&
                 p->status.sealed <= base->epoch && f->now_ms - p->heard_at_ms < 3 * formed_timing(f)->heartbeat_ms;

    return lives && f->lead.want.purpose == LEAD_PROMOTE && f->lead.for_epoch != 0 && base->epoch > f->lead.for_epoch && !base->dissolved &&
           !ha_record_is_formation(base);
}

static enum lead_event look_votes(struct formed *f)
{
    const struct ha_record *top = highest(f);
    bool open = false;

    for (size_t i = 0; i < f->lead.votes.n; i++) {
        const struct lead_vote *v = &f->lead.votes.at[i];
        const struct formed_peer *p = formed_peer(f, v->id);
        if (!v->granted && !v->refused && (!p || p->up))
            open = true;
    }
    if (!open && top && f->lead.want.force && votes_in(f, top) < ha_majority(top->n_voters))
        f->lead.few_voters = (f->lead.lacks = dissolve_without_majority(f, top)) == NULL;
    if (top && (f->lead.few_voters || votes_in(f, top) >= ha_majority(top->n_voters))) {
        f->lead.base = *top;               /* fixed: later answers are ignored */
        f->lead.next = *top;
        if (top->dissolved && f->lead.want.purpose != LEAD_DISSOLVE) {     /* what is left to do is to tell the rest */
            lead_say_failed(f, "the group was dissolved");
            f->lead.want.purpose = LEAD_DISSOLVE;
        }
        if (is_settled(f, top)) {
            formed_journal(f, "ballot %llu: epoch %llu began meanwhile: it is stored anew, nobody is sealed", (unsigned long long)f->lead.ballot,
                           (unsigned long long)top->epoch);
            f->lead.want.purpose = LEAD_RESTORE;
        }
        return LE_MAJORITY;
    }
    return open ? LEAD_EVENTS : LE_NO_MAJORITY;
}

static void hear_vote(struct formed *f, const struct ha_msg *m)
{
    struct lead_vote *v;

    if (f->lead.state != LD_VOTING) {
        if (PLANT(BASE_MOVES) && m->ok && m->rec && ha_record_cmp(m->rec, &f->lead.base) > 0)
            f->lead.base = *m->rec;
        return;
    }
    v = lead_vote_of(f, m->from);
    v->life = m->life;
    v->granted = m->ok;
    v->refused = !m->ok && m->why != HA_WHY_UNSAVED;
    v->promised = m->promised;
    v->has_record = m->ok && m->rec != NULL;
    if (v->has_record)
        v->rec = *m->rec;
}

/* --- records ------------------------------------------------------------------------------------------ */

static void store_at(struct formed *f, const struct ha_record *r, const struct ha_record *but)
{
    struct ha_msg m = lead_msg(f, HA_RECORD);

    m.rec = &f->lead.next;
    for (int own = 0; own < 2; own++)          /* ourselves last: the others' disks work while ours does */
        for (int i = 0; i < r->n_voters; i++)
            if ((strcmp(r->voter[i].id, f->self.id) == 0) == own && !(but && ha_voter(but, r->voter[i].id)) &&
                !lead_vote_of(f, r->voter[i].id)->stored)
                formed_to_voter(f, r->voter[i].id, &m);
}

void lead_store(struct formed *f)
{
    store_at(f, &f->lead.next, NULL);
    if (f->lead.base.gid != 0)
        store_at(f, &f->lead.base, &f->lead.next);
}

static void hear_stored(struct formed *f, const struct ha_msg *m)
{
    struct lead_vote *v;

    if (f->lead.state != LD_STORING || m->ballot != f->lead.ballot || m->change != f->lead.next.change || !m->ok)
        return;
    v = lead_vote_of(f, m->from);
    v->life = m->life;
    v->stored = true;
}

static enum lead_event look_stored(struct formed *f)
{
    const struct lead *l = &f->lead;
    int here = lead_stored_in(f, &l->next);
    bool enough = here >= ha_majority(l->next.n_voters);

    if (l->refused)
        return LE_REFUSED;
    if (l->few_voters)
        enough = here == votes_in(f, &l->next);        /* whoever of V has a memory left */
    else if (l->want.purpose == LEAD_FORM)
        enough = PLANT(FORM_AT_MAJORITY) ? enough : here == l->next.n_voters;
    else if (enough)
        enough = lead_stored_in(f, &l->base) >= ha_majority(l->base.n_voters);
    if (!enough)
        return LEAD_EVENTS;
    return l->want.purpose == LEAD_CHANGE_VOTERS && !l->anew_stored ? LE_ANEW : LE_STORED;
}

/* --- the driver ------------------------------------------------------------------------------------------ */

static const struct row *find_row(enum lead_state in, enum lead_event on, enum lead_purpose p)
{
    for (size_t i = 0; i < ROWS; i++)
        if (table[i].in == in && table[i].on == on && (table[i].purposes == ALL || table[i].purposes & 1u << p))
            return &table[i];
    return NULL;
}

/* The one place where a state's deadline is set. */
static void enter(struct formed *f, enum lead_state to)
{
    const struct ha_timing *t = formed_timing(f);
    int64_t e = t->election_ms, wait = NEVER_MS;

    switch (to) {
    case LD_IDLE:
    case LD_STATES: break;
    case LD_SURVEYING: wait = ms_max(t->down_after_ms, 4 * e); break;
    case LD_VOTING: wait = rng_between(&f->rng, 4 * e, 8 * e) << formed_doublings(f); break;       /* who is at hand answers, or is slow */
    case LD_STOPPING:
    case LD_ENDING: wait = 2 * e; break;
    case LD_BINDING_PRIMARY:
    case LD_BINDING_REST:
    case LD_SEALING:
    case LD_OPENING:
    case LD_COMMITTING: wait = 4 * e; break;
    case LD_FETCHING: wait = 10 * e; break;
    case LD_JOINING: wait = ms_max(t->down_after_ms, 10 * e); break;
    case LD_STORING: wait = t->promise_ms + t->promise_ms / 50 + 4 * e; break;      /* promises and silences lapse meanwhile */
    }
    f->lead.state = to;
    f->lead.state_at_ms = f->now_ms;
    f->lead.deadline_ms = ms_add(f->now_ms, wait);
    f->lead.asked_again_at_ms = f->now_ms;
}

/* Nothing needs to be undone: whatever was sealed or stored, a higher ballot builds on it. The others hear of it at once,
 * and whoever comes next does so at a moment of its own. */
static void withdraw(struct formed *f)
{
    int64_t e = formed_timing(f)->election_ms;

    f->ballot_moved_at_ms = f->now_ms;
    f->next_alive_ms = f->now_ms;
    f->next_try_ms = ms_max(f->next_try_ms, f->now_ms + rng_between(&f->rng, e / 4, e));
}

static void move(struct formed *f, enum lead_event on)
{
    const struct row *row = find_row(f->lead.state, on, f->lead.want.purpose);

    if (!row)
        return;
    formed_trace(f, "ballot %llu: %s -> %s: %s", (unsigned long long)f->lead.ballot, lead_state_name(f->lead.state),
                 lead_state_name(row->then), row->because);
    if (row->then == LD_IDLE && (row->act == withdraw || row->act == promote_call_off)) {
        formed_journal(f, "ballot %llu given up: %s", (unsigned long long)f->lead.ballot, row->because);
        lead_say_failed(f, f->lead.lacks ? f->lead.lacks : row->because);
    }
    enter(f, row->then);                   /* first: an act may be answered by our own voter before it returns */
    f->lead.acting = true;
    row->act(f);
    f->lead.acting = false;
    if (f->lead.state == LD_IDLE) {        /* nothing of a try outlives it */
        vec_clear(&f->lead.votes);
        vec_clear(&f->lead.seals);
    }
}

static enum lead_event look(struct formed *f)
{
    switch (f->lead.state) {
    case LD_SURVEYING:
    case LD_BINDING_PRIMARY: return form_look(f);
    case LD_BINDING_REST: return f->lead.want.purpose == LEAD_CHANGE ? change_look(f) : form_look(f);
    case LD_VOTING: return look_votes(f);
    case LD_STOPPING:
    case LD_ENDING:
    case LD_SEALING:
    case LD_FETCHING:
    case LD_OPENING: return promote_look(f);
    case LD_STORING: return look_stored(f);
    case LD_JOINING:
    case LD_COMMITTING: return change_look(f);
    case LD_IDLE:
    case LD_STATES: break;
    }
    return LEAD_EVENTS;
}

static void settle(struct formed *f)
{
    if (f->lead.acting)
        return;
    for (int i = 0; i < 16; i++) {         /* a try has fewer states than that */
        enum lead_state was = f->lead.state;
        enum lead_event e = look(f);
        if (e == LEAD_EVENTS)
            return;
        move(f, e);
        if (f->lead.state == was)
            return;
    }
    CHECK(!"a try settles");
}

void lead_start(struct formed *f, const struct lead_want *want)
{
    struct lead *l = &f->lead;
    const struct ha_record *own = formed_newest(f);
    uint64_t ballot = f->ballot_seen;

    if (l->state != LD_IDLE) {
        formed_reply(f, want->ticket, "INPROG A failover or change of this group is under way");
        return;
    }
    if (f->voter.f.promised > ballot)
        ballot = f->voter.f.promised;
    if (own && own->ballot > ballot)
        ballot = own->ballot;
    lead_fini(l);
    lead_init(l);
    l->want = *want;
    l->for_epoch = own ? own->epoch : 0;
    l->ballot = ballot + 1;
    f->ballot_seen = l->ballot;
    f->ballot_moved_at_ms = f->now_ms;
    if (own && want->purpose != LEAD_FORM) {
        l->base.gid = own->gid;            /* the rest is fixed by the votes */
        if (want->purpose == LEAD_RELEASE)
            l->base = *own;
    }
    if (want->purpose == LEAD_RELEASE && want->target.gid != 0)
        l->base = want->target;            /* of which nobody holds a record */
    move(f, LE_START);
    settle(f);
}

static bool from_higher(const struct formed *f, const struct ha_msg *m)
{
    return !m->ok && (m->promised > f->lead.ballot || m->sealed > f->lead.ballot);
}

void lead_answer(struct formed *f, const struct ha_msg *m)
{
    if (f->lead.state == LD_IDLE)
        return;
    switch (m->kind) {
    case HA_VOTED:
    case HA_STORED:
    case HA_BOUND:
    case HA_SEALED:
    case HA_OPENED:
    case HA_READY:
    case HA_STOPPED:
        if (m->ballot != f->lead.ballot)
            return;
        if (from_higher(f, m)) {
            lead_overtaken(f, m->promised > m->sealed ? m->promised : m->sealed);
            return;
        }
        break;
    default: break;
    }
    if (m->kind == HA_VOTED)
        hear_vote(f, m);
    else if (m->kind == HA_STORED)
        hear_stored(f, m);
    else if (!promote_answer(f, m) && !form_answer(f, m))
        change_answer(f, m);
    settle(f);
}

static void ask_again(struct formed *f)
{
    f->lead.asked_again_at_ms = f->now_ms;
    switch (f->lead.state) {
    case LD_VOTING: ask_votes_again(f); break;
    case LD_STORING: lead_store(f); break;
    case LD_SURVEYING:
    case LD_BINDING_PRIMARY: form_again(f); break;
    case LD_BINDING_REST:
        if (f->lead.want.purpose == LEAD_CHANGE)
            change_again(f);
        else
            form_again(f);
        break;
    case LD_STOPPING:
    case LD_ENDING:
    case LD_SEALING:
    case LD_FETCHING:
    case LD_OPENING: promote_again(f); break;
    case LD_JOINING:
    case LD_COMMITTING: change_again(f); break;
    case LD_IDLE:
    case LD_STATES: break;
    }
}

static int64_t ask_pace_ms(const struct formed *f)
{
    return ms_max(1, ms_min(formed_timing(f)->heartbeat_ms, formed_timing(f)->election_ms / 2));
}

void lead_tick(struct formed *f)
{
    if (f->lead.state == LD_IDLE)
        return;
    if (f->now_ms >= f->lead.deadline_ms)
        move(f, LE_EXPIRED);
    else if (f->now_ms >= f->lead.asked_again_at_ms + ask_pace_ms(f))
        ask_again(f);
    settle(f);
}

static int64_t not_yet(const struct formed *f, int64_t after_ms)
{
    int64_t at_ms = ms_add(f->lead.enough_at_ms, after_ms);

    return at_ms > f->now_ms ? at_ms : NEVER_MS;
}

int64_t lead_deadline_ms(const struct formed *f)
{
    int64_t at_ms;

    if (f->lead.state == LD_IDLE)
        return NEVER_MS;
    at_ms = ms_min(f->lead.deadline_ms, f->lead.asked_again_at_ms + ask_pace_ms(f));
    if (f->lead.state == LD_SEALING && f->lead.enough_at_ms != 0)          /* the moments when waiting for more seals ends */
        at_ms = ms_min(at_ms, ms_min(not_yet(f, formed_timing(f)->election_ms / 4),
                                     ms_min(not_yet(f, formed_timing(f)->election_ms), not_yet(f, formed_timing(f)->down_after_ms))));
    return at_ms;
}

void lead_held_up(struct formed *f, int64_t ms)
{
    struct lead *l = &f->lead;

    if (l->state == LD_IDLE || ms <= 0)
        return;
    l->state_at_ms += ms;
    l->asked_again_at_ms += ms;
    l->deadline_ms = ms_add(l->deadline_ms, ms);
    if (l->enough_at_ms != 0)
        l->enough_at_ms += ms;
}

void lead_overtaken(struct formed *f, uint64_t ballot)
{
    if (ballot > f->ballot_seen) {
        f->ballot_seen = ballot;
        f->ballot_moved_at_ms = f->now_ms;
    }
    if (f->lead.state != LD_IDLE && !f->lead.acting && ballot > f->lead.ballot) {
        move(f, LE_OVERTAKEN);
        settle(f);
    }
}

void lead_cancel(struct formed *f, uint64_t ticket)
{
    if (find_row(f->lead.state, LE_CANCEL, f->lead.want.purpose)) {
        move(f, LE_CANCEL);
        formed_reply(f, ticket, NULL);
    } else {
        formed_reply(f, ticket, f->lead.state == LD_IDLE ? "ERR Nothing is under way" : "ERR Too late to call it off");
    }
}

/* --- names, and the table for whoever draws it ------------------------------------------------------------- */

bool lead_row_at(size_t i, struct lead_row *out)
{
    if (i >= ROWS)
        return false;
    *out = (struct lead_row){.in = table[i].in, .on = table[i].on, .purposes = table[i].purposes,
                             .act = table[i].act_name, .then = table[i].then, .because = table[i].because};
    return true;
}

const char *lead_state_name(enum lead_state s)
{
    static const char *const names[LD_STATES] = {
        [LD_IDLE] = "idle", [LD_SURVEYING] = "surveying", [LD_BINDING_PRIMARY] = "binding-primary",
        [LD_BINDING_REST] = "binding-rest", [LD_VOTING] = "voting", [LD_STOPPING] = "stopping", [LD_ENDING] = "ending",
        [LD_SEALING] = "sealing", [LD_FETCHING] = "fetching", [LD_JOINING] = "joining", [LD_STORING] = "storing",
        [LD_OPENING] = "opening", [LD_COMMITTING] = "committing",
    };
    return (unsigned)s < LD_STATES ? names[s] : "?";
}

const char *lead_event_name(enum lead_event e)
{
    static const char *const names[LEAD_EVENTS] = {
        [LE_START] = "start", [LE_SURVEYED] = "surveyed", [LE_BOUND] = "bound", [LE_REFUSED] = "refused",
        [LE_MAJORITY] = "majority", [LE_NO_MAJORITY] = "no-majority", [LE_STOPPED] = "stopped", [LE_ENDED] = "ended",
        [LE_BEHIND] = "behind", [LE_FETCHED] = "fetched", [LE_CHOSEN] = "chosen", [LE_READY] = "ready",
        [LE_ANEW] = "anew", [LE_STORED] = "stored", [LE_OPENED] = "opened", [LE_DONE] = "done",
        [LE_EXPIRED] = "expired", [LE_OVERTAKEN] = "overtaken", [LE_CANCEL] = "cancel",
    };
    return (unsigned)e < LEAD_EVENTS ? names[e] : "?";
}

const char *lead_purpose_name(enum lead_purpose p)
{
    static const char *const names[LEAD_PURPOSES] = {
        [LEAD_PROMOTE] = "promote", [LEAD_HAND_OVER] = "hand over", [LEAD_CHANGE] = "change members",
        [LEAD_CHANGE_VOTERS] = "change voters", [LEAD_RESTORE] = "restore", [LEAD_FORM] = "form",
        [LEAD_RELEASE] = "release", [LEAD_DISSOLVE] = "dissolve", [LEAD_FORCE] = "force",
    };
    return (unsigned)p < LEAD_PURPOSES ? names[p] : "?";
}
