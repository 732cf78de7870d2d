/* The primary's lease: renewals asked of voters and members, what each promised, and until when
 * that lasts (R2, R3, T2, T6). Each promise keeps its own end; the lease is worked out from them
 * whenever somebody asks, so that a gap of the main loop or a new configuration needs no special care. */
#include "kvnode/role/member_inside.h"

#include "common/base/check.h"

#include <string.h>

#define BOUND_RENEW_MS 100             /* before OPEN says the timing: how often a primary that is being formed asks */

/* --- configurations in force ------------------------------------------------------------------------ */

int member_configs(const struct member *m) { return m->rec.gid != 0 ? 1 + m->n_joints : 0; }

const struct ha_record *member_config(const struct member *m, int i)
{
    return i == 0 ? &m->rec : &m->joint[i - 1].rec;
}

bool member_in_force(const struct member *m, const char *id, bool voter)
{
    for (int i = 0; i < member_configs(m); i++)
        if (voter ? ha_voter(member_config(m, i), id) != NULL : ha_member(member_config(m, i), id) != NULL)
            return true;
    return false;
}

void member_set_configs(struct member *m)
{
    const struct ha_record *list[COMMIT_CONFIGS_MAX];
    int n = member_configs(m);

    if (m->commit.epoch == 0)
        return;
    for (int i = 0; i < n; i++)
        list[i] = member_config(m, i);
    for (int i = 0; i < n; i++)
        m->commit.config[i] = list[i];
    m->commit.n_configs = n;
}

static int64_t shortest_lease_ms(const struct member *m)
{
    int64_t ms = NEVER_MS;

    for (int i = 0; i < member_configs(m); i++)
        ms = ms_min(ms, member_config(m, i)->timing.lease_ms);
    return ms;
}

/* --- how long -------------------------------------------------------------------------------------- */

static int64_t granted_until_ms(const struct member *m, const struct member_grant *g)
{
    return ms_add(g->from_ms, ms_min(shortest_lease_ms(m), g->most_ms));
}

static const struct member_grant *grant_of(const struct member *m, const char *id, uint64_t life, bool voter)
{
    for (int i = 0; i < m->n_grants; i++) {
        const struct member_grant *g = &m->grant[i];
        if (g->voter == voter && g->epoch == m->epoch && g->life == life && strcmp(g->id, id) == 0)
            return g;
    }
    return NULL;
}

/* The end of the `need`-th longest of `n` promises; 0 = so many there are not. */
static int64_t nth_longest(const int64_t *ends, int n, int need)
{
    for (int i = 0; i < n; i++) {
        int longer = 0;
        for (int j = 0; j < n; j++)
            longer += ends[j] > ends[i] || (ends[j] == ends[i] && j < i);
        if (longer == need - 1)
            return ends[i];
    }
    return 0;
}

static int64_t voters_until_ms(const struct member *m, const struct ha_record *r)
{
    int64_t ends[HA_VOTERS_MAX];

    for (int i = 0; i < r->n_voters; i++) {
        const struct member_grant *g = grant_of(m, r->voter[i].id, r->voter[i].life, true);
        ends[i] = g ? granted_until_ms(m, g) : 0;
    }
    return nth_longest(ends, r->n_voters, ha_majority(r->n_voters));
}

static int64_t members_until_ms(const struct member *m, const struct ha_record *r)
{
    int64_t ends[HA_MEMBERS_MAX];
    int n = 0, need = ha_promises_needed(r);

    if (need == 0)
        return NEVER_MS;               /* alone in it: nobody can be promoted without sealing us */
    for (int i = 0; i < r->n_members; i++) {
        const struct member_grant *g = grant_of(m, r->member[i].id, r->member[i].life, false);
        if (strcmp(r->member[i].id, m->f.id) != 0)
            ends[n++] = g ? granted_until_ms(m, g) : 0;
    }
    return nth_longest(ends, n, need);
}

/* One source of the two must carry every configuration; alone in all of them needs none. */
int64_t member_lease_until_ms(const struct member *m)
{
    int64_t by_voters = NEVER_MS, by_members = NEVER_MS;
    int n = member_configs(m), oldest = PLANT(MEMBER_LEASE_OLD_CONFIG) ? n - 1 : 0;

    if (!member_is_primary(m) || n == 0)
        return 0;
    for (int i = 0; i < n; i++)
        by_voters = ms_min(by_voters, voters_until_ms(m, member_config(m, i)));
    for (int i = oldest; i < n; i++)
        by_members = ms_min(by_members, members_until_ms(m, member_config(m, i)));
    if (by_members == NEVER_MS)
        return NEVER_MS;
    return m->leased ? ms_max(by_voters, by_members) : 0;
}

/* Answers from records of one epoch but of different ballots prove nothing: a rival of a ballot in
 * between can still become the base. */
bool member_lease_proved(const struct member *m, int64_t now_ms)
{
    const struct ha_record *r = &m->rec;
    const struct member_grant *g[HA_VOTERS_MAX];

    for (int i = 0; i < r->n_voters; i++) {
        g[i] = grant_of(m, r->voter[i].id, r->voter[i].life, true);
        if (g[i] && now_ms >= granted_until_ms(m, g[i]))
            g[i] = NULL;
    }
    for (int i = 0; i < r->n_voters; i++) {
        int same = 0;
        for (int j = 0; g[i] && j < r->n_voters; j++)
            same += g[j] && (PLANT(LEASE_PIECED) ||
                             (g[j]->on_ballot == g[i]->on_ballot && g[j]->on_change == g[i]->on_change));
        if (same >= ha_majority(r->n_voters))
            return true;
    }
    return false;
}

/* --- asking ------------------------------------------------------------------------------------------ */

/* A primary that is being formed asks before it is opened: its first lease is then there with OPEN. */
static bool is_being_formed(const struct member *m)
{
    return m->phase == MP_BOUND && strcmp(m->f.bound_primary, m->f.id) == 0;
}

static uint64_t epoch_to_renew(const struct member *m)
{
    return member_is_primary(m) ? m->epoch : is_being_formed(m) ? m->f.bound_ballot : 0;
}

static int64_t longest_promise_ms(const struct member *m)
{
    int64_t ms = 0;

    for (int i = 0; i < member_configs(m); i++)
        ms = ms_max(ms, member_config(m, i)->timing.promise_ms);
    return ms;
}

static bool is_asked(const struct member *m, const struct member_link *l)
{
    if (is_being_formed(m))
        return l->voter;
    return (l->voter || member_is_open(m)) && member_in_force(m, l->id, l->voter);
}

static void ask(struct member_turn *t, const struct member_link *l)
{
    struct member_order *o;

    if (!is_asked(t->m, l))
        return;
    o = member_order(t, MO_SEND);
    o->link = l->link;
    member_status(t->m, t->now_ms, &o->msg);       /* what the primary reports comes with its renewals (R4) */
    o->msg.kind = HA_RENEW;
    o->msg.epoch = epoch_to_renew(t->m);
    o->msg.nonce = t->m->nonce;
    o->msg.ms = longest_promise_ms(t->m);
}

static void next_round(struct member_turn *t)
{
    t->m->nonce++;
    t->m->asked_at_ms[t->m->nonce % MEMBER_ASKED_MAX] = t->now_ms;
}

int64_t member_renew_due_ms(const struct member *m)
{
    return epoch_to_renew(m) != 0 && !m->unhealthy ? m->next_renew_ms : NEVER_MS;
}

void member_renew_due(struct member_turn *t)
{
    struct member *m = t->m;

    if (t->now_ms < member_renew_due_ms(m))
        return;
    m->next_renew_ms = ms_add(t->now_ms, is_being_formed(m) ? BOUND_RENEW_MS : ms_max(m->rec.timing.heartbeat_ms, 1));
    next_round(t);
    for (int i = 0; i < m->n_links; i++)
        ask(t, &m->link[i]);
    member_heard(t, "asks for its lease");
}

void member_renew_on(struct member_turn *t, const struct member_link *l)
{
    if (epoch_to_renew(t->m) == 0 || t->m->unhealthy || !is_asked(t->m, l))
        return;
    next_round(t);
    ask(t, l);
}

/* --- answers ------------------------------------------------------------------------------------------ */

static bool counts(const struct member *m, const struct member_grant *g)
{
    for (int i = 0; i < member_configs(m); i++) {
        const struct ha_record *r = member_config(m, i);
        const struct ha_voter *v = g->voter ? ha_voter(r, g->id) : NULL;
        const struct ha_member *who = g->voter ? NULL : ha_member(r, g->id);
        if (g->epoch == m->epoch && ((v && v->life == g->life) || (who && who->life == g->life)))
            return true;
    }
    return false;
}

static struct member_grant *grant_slot(struct member *m, const struct ha_msg *msg, bool voter)
{
    struct member_grant *g = NULL;

    for (int i = 0; i < m->n_grants; i++)
        if (m->grant[i].voter == voter && m->grant[i].life == msg->life && m->grant[i].epoch == msg->epoch &&
            strcmp(m->grant[i].id, msg->from) == 0)
            return &m->grant[i];
    if (m->n_grants < MEMBER_GRANTS_MAX)
        g = &m->grant[m->n_grants++];
    for (int i = 0; !g && i < m->n_grants; i++)
        if (!counts(m, &m->grant[i]))
            g = &m->grant[i];
    if (!g)
        return NULL;                   /* all kept are of configurations in force: whoever this is may ask again */
    memset(g, 0, sizeof *g);
    memcpy(g->id, msg->from, ID_MAX);
    g->life = msg->life;
    g->voter = voter;
    g->epoch = msg->epoch;
    return g;
}

static const struct member_link *link_of(const struct member *m, uint64_t link)
{
    for (int i = 0; i < m->n_links; i++)
        if (m->link[i].link == link)
            return &m->link[i];
    return NULL;
}

/* Was this round asked, and not so long ago that its place was taken? */
static bool asked(const struct member *m, uint64_t nonce)
{
    return nonce != 0 && nonce <= m->nonce && m->nonce - nonce < MEMBER_ASKED_MAX;
}

void member_on_lease(struct member_turn *t)
{
    struct member *m = t->m;
    const struct ha_msg *msg = t->msg;
    const struct member_link *l = link_of(m, t->ev->link);
    struct member_grant *g;
    int64_t from_ms;

    if (!l || !msg->ok || msg->gid != m->f.gid || msg->epoch == 0 || msg->epoch != epoch_to_renew(m) ||
        msg->incarnation != m->incarnation || !asked(m, msg->nonce))
        return;
    g = grant_slot(m, msg, l->voter);
    if (!g)
        return;
    from_ms = PLANT(LEASE_FROM_ANSWER) ? t->now_ms : m->asked_at_ms[msg->nonce % MEMBER_ASKED_MAX];
    if (from_ms >= g->from_ms) {
        g->from_ms = from_ms;
        g->most_ms = msg->ms > 0 ? msg->ms * 99 / 101 : NEVER_MS;      /* T1, by the promise that was really given */
        g->on_ballot = msg->ballot;
        g->on_change = msg->change;
    }
    member_heard(t, l->voter ? "a voter promises the lease" : "a member promises the lease");
    if (!member_is_primary(m) || m->leased || !member_lease_proved(m, t->now_ms))
        return;
    m->leased = true;
    if (m->phase == MP_UNPROVED)
        member_move(t, MC_PROVED);
}
