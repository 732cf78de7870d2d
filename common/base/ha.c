/* What both halves of a formed group must answer alike: the order of positions and
 * records, the counts k and q, the timing invariants; and the printed names. */
#include "common/base/ha.h"

#include <stdio.h>
#include <string.h>

static int cmp_u64(uint64_t a, uint64_t b) { return a < b ? -1 : a > b; }

int ha_position_cmp(struct ha_position a, struct ha_position b)
{
    int by_epoch = cmp_u64(a.epoch, b.epoch);

    return by_epoch != 0 ? by_epoch : a.offset < b.offset ? -1 : a.offset > b.offset;
}

int ha_record_cmp(const struct ha_record *a, const struct ha_record *b)
{
    int by_ballot = cmp_u64(a->ballot, b->ballot);

    return by_ballot != 0 ? by_ballot : cmp_u64(a->change, b->change);
}

bool ha_record_same_place(const struct ha_record *a, const struct ha_record *b)
{
    return a->gid == b->gid && ha_record_cmp(a, b) == 0;
}

const struct ha_member *ha_member(const struct ha_record *r, const char *id)
{
    for (int i = 0; i < r->n_members; i++)
        if (strcmp(r->member[i].id, id) == 0)
            return &r->member[i];
    return NULL;
}

const struct ha_voter *ha_voter(const struct ha_record *r, const char *id)
{
    for (int i = 0; i < r->n_voters; i++)
        if (strcmp(r->voter[i].id, id) == 0)
            return &r->voter[i];
    return NULL;
}

bool ha_record_is_formation(const struct ha_record *r)
{
    return r->gid != 0 && r->born != 0 && r->ballot == r->born && r->change == 0;
}

int ha_majority(int n) { return n / 2 + 1; }

int ha_seals_needed(const struct ha_record *r)
{
    return r->mode == HA_ASYNC ? 1 : r->n_members - r->k;
}

int ha_promises_needed(const struct ha_record *r)
{
    return r->mode == HA_ASYNC ? r->n_members - 1 : r->k;
}

const char *ha_record_check(const struct ha_record *r)
{
    if (r->gid == 0)
        return "no group id";
    if (r->ballot == 0 || r->epoch == 0 || r->epoch > r->ballot)
        return "the epoch is not between 1 and the ballot";
    if (r->born > r->epoch)
        return "formed after its epoch";
    if (r->n_members < 1 || r->n_members > HA_MEMBERS_MAX)
        return "not 1 to 9 members";
    if (r->n_voters < 1 || r->n_voters > HA_VOTERS_MAX)
        return "not 1 to 5 voters";
    if ((unsigned)r->mode >= HA_MODES)
        return "no such mode";
    if (r->k < 0 || r->k > r->n_members - 1 || (r->k == 0 && r->n_members > 1))
        return "k is not between 1 and the number of other members";
    if (r->drop_after_ms < 0)
        return "a member that leaves before it is gone";
    if (r->incarnation == 0 || !ha_member(r, r->primary))
        return "the primary is not a member";
    for (int i = 0; i < r->n_members; i++)
        if (r->member[i].life == 0 || ha_member(r, r->member[i].id) != &r->member[i])
            return "a member stands there twice or without a life";
    for (int i = 0; i < r->n_voters; i++)
        if (r->voter[i].life == 0 || ha_voter(r, r->voter[i].id) != &r->voter[i])
            return "a voter stands there twice or without a life";
    return NULL;
}

/* Half of what is left between promise and lease when clocks run 1 % apart (T1), as in the table
 * of profiles: 5 % of the promise covers drift and the granularity of the check. */
static int64_t lease_for(int64_t promise_ms) { return promise_ms * 95 / 100; }

bool ha_timing_profile(const char *name, struct ha_timing *out)
{
    static const struct {
        const char *name;
        struct ha_timing t;
    } profiles[] = {
        /*          H     L_s   L_n   D      E */
        { "lan",   {100,  800,  760,  1000,  100} },
        { "cloud", {500,  3000, 2850, 4000,  250} },
        { "wan",   {1000, 8000, 7700, 10000, 1000} },
    };

    for (size_t i = 0; i < sizeof profiles / sizeof profiles[0]; i++)
        if (strcmp(profiles[i].name, name) == 0) {
            *out = profiles[i].t;
            return true;
        }
    return false;
}

void ha_timing_from_down_after(int64_t down_after_ms, struct ha_timing *out)
{
    out->down_after_ms = down_after_ms;
    out->promise_ms = ms_min(down_after_ms * 3 / 4, 20000);
    out->lease_ms = lease_for(out->promise_ms);
    out->heartbeat_ms = ms_min(ms_max(out->lease_ms / 7, 5), 1000);
    out->election_ms = ms_min(ms_max(down_after_ms / 10, 20), 1000);
}

const char *ha_timing_check(const struct ha_timing *t, char text[HA_TIMING_TEXT])
{
    long long h = t->heartbeat_ms, ls = t->promise_ms, ln = t->lease_ms, d = t->down_after_ms, e = t->election_ms;

    if (h < 1 || ls < 1 || ln < 1 || d < 1 || e < 1 || ls > INT32_MAX || d > INT32_MAX) {
        snprintf(text, HA_TIMING_TEXT, "durations must be 1 ms to %d ms", INT32_MAX);
        return text;
    }
    if (ln * 101 > ls * 99) {
        snprintf(text, HA_TIMING_TEXT, "T1: lease %lld ms exceeds promise %lld ms less 2 %% of drift", ln, ls);
        return text;
    }
    if (ls + h > d) {
        snprintf(text, HA_TIMING_TEXT, "T3: promise %lld ms + heartbeat %lld ms exceed down-after %lld ms", ls, h, d);
        return text;
    }
    if (h * 5 > ln) {
        snprintf(text, HA_TIMING_TEXT, "T4: heartbeat %lld ms is more than a fifth of the lease %lld ms", h, ln);
        return text;
    }
    return NULL;
}

static const char *const mode_names[HA_MODES] = {"async", "prefer", "strict"};

const char *ha_mode_name(enum ha_mode m) { return (unsigned)m < HA_MODES ? mode_names[m] : "?"; }

bool ha_mode_named(const char *name, enum ha_mode *out)
{
    for (int i = 0; i < HA_MODES; i++)
        if (strcmp(mode_names[i], name) == 0) {
            *out = (enum ha_mode)i;
            return true;
        }
    return false;
}

const char *ha_kind_name(enum ha_kind k)
{
    static const char *const names[HA_KINDS] = {
        [HA_NOTHING] = "nothing", [HA_VOTE] = "vote", [HA_VOTED] = "voted", [HA_RECORD] = "record",
        [HA_STORED] = "stored", [HA_END] = "end", [HA_ALIVE] = "alive", [HA_LOOK] = "look", [HA_BIND] = "bind",
        [HA_SEAL] = "seal", [HA_FETCH] = "fetch", [HA_OPEN] = "open", [HA_LEASE] = "lease", [HA_JOINT] = "joint",
        [HA_COMMITTED] = "committed", [HA_STOP] = "stop", [HA_RESUME] = "resume", [HA_FINISH] = "finish",
        [HA_FOLLOW] = "follow", [HA_STATUS] = "status", [HA_BOUND] = "bound", [HA_SEALED] = "sealed",
        [HA_OPENED] = "opened", [HA_RENEW] = "renew", [HA_READY] = "ready", [HA_STOPPED] = "stopped",
        [HA_STREAM] = "stream", [HA_ACK] = "ack",
    };
    return (unsigned)k < HA_KINDS ? names[k] : "?";
}

const char *ha_why_name(enum ha_why w)
{
    static const char *const names[HA_WHYS] = {
        [HA_WHY_NONE] = "none", [HA_WHY_PROMISED] = "promised", [HA_WHY_VOTED] = "voted", [HA_WHY_OLD] = "old",
        [HA_WHY_STRANGER] = "stranger", [HA_WHY_GROUP] = "group", [HA_WHY_LEASED] = "leased",
        [HA_WHY_UNSAVED] = "unsaved", [HA_WHY_BOUND] = "bound", [HA_WHY_NOT_FOLLOWING] = "not-following",
        [HA_WHY_INCARNATION] = "incarnation", [HA_WHY_OPENED] = "opened", [HA_WHY_EPOCH] = "epoch",
        [HA_WHY_UNPROVED] = "unproved", [HA_WHY_BEHIND] = "behind", [HA_WHY_BUSY] = "busy",
        [HA_WHY_UNHEALTHY] = "unhealthy",
    };
    return (unsigned)w < HA_WHYS ? names[w] : "?";
}

const char *ha_node_state_name(enum ha_node_state s)
{
    static const char *const names[HA_NODE_STATES] = {"plain", "fenced", "follower", "primary"};
    return (unsigned)s < HA_NODE_STATES ? names[s] : "?";
}
