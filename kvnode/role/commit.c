/* The k-th largest acknowledgement in each configuration, the smallest of those, and our own
 * copy: that is all a confirmed position is. */
#include "kvnode/role/commit.h"

#include "common/base/check.h"
#include "common/base/plant.h"
#include "common/base/timeval.h"

#include <stdio.h>
#include <string.h>

void commit_begin(struct commit *c, const char *self, uint64_t epoch, int64_t marker)
{
    memset(c, 0, sizeof *c);
    snprintf(c->self, sizeof c->self, "%s", self);
    c->epoch = epoch;
    c->marker = marker;
    c->confirmed = -1;
}

void commit_marker(struct commit *c, int64_t marker) { c->marker = marker; }

int64_t commit_acked(const struct commit *c, const char *id, uint64_t life)
{
    int64_t best = -1;

    for (int i = 0; i < c->n_acks; i++)
        if (strcmp(c->ack[i].id, id) == 0 && (c->ack[i].life == life || PLANT(ACK_OLD_LIFE)))
            best = ms_max(best, c->ack[i].offset);
    return best;
}

/* How far k members of `r` other than us have come; INT64_MAX when k is 0: we are alone in it. */
static int64_t kth_ack(const struct commit *c, const struct ha_record *r)
{
    int64_t best[HA_MEMBERS_MAX];
    int n = 0;

    if (r->k == 0)
        return INT64_MAX;
    for (int i = 0; i < r->n_members; i++) {
        int64_t offset;
        int at = n;

        if (strcmp(r->member[i].id, c->self) == 0)
            continue;
        offset = commit_acked(c, r->member[i].id, r->member[i].life);
        for (; at > 0 && best[at - 1] < offset; at--)
            best[at] = best[at - 1];
        best[at] = offset;
        n++;
    }
    return r->k <= n ? best[r->k - 1] : -1;
}

static bool recount(struct commit *c)
{
    int64_t l = ms_min(c->end, c->durable);

    if (c->epoch == 0 || c->n_configs == 0)
        return false;
    for (int i = 0; i < c->n_configs; i++)
        l = ms_min(l, kth_ack(c, c->config[i]));
    if (l < c->marker || l <= c->confirmed)
        return false;
    c->confirmed = l;
    return true;
}

bool commit_configs(struct commit *c, int n, const struct ha_record *const configs[])
{
    CHECK(n >= 0 && n <= COMMIT_CONFIGS_MAX);
    for (int i = 0; i < n; i++)
        c->config[i] = configs[i];
    c->n_configs = n;
    return recount(c);
}

/* Does this (id, life) stand in a configuration in force? */
static bool counts(const struct commit *c, const struct commit_ack *a)
{
    for (int i = 0; i < c->n_configs; i++) {
        const struct ha_member *m = ha_member(c->config[i], a->id);
        if (m && m->life == a->life)
            return true;
    }
    return false;
}

/* The table holds all that count and more, so there is always one that does not. */
static struct commit_ack *slot(struct commit *c, const char *id, uint64_t life)
{
    struct commit_ack *a = NULL;

    for (int i = 0; i < c->n_acks; i++)
        if (c->ack[i].life == life && strcmp(c->ack[i].id, id) == 0)
            return &c->ack[i];
    if (c->n_acks < COMMIT_ACKS_MAX)
        a = &c->ack[c->n_acks++];
    for (int i = 0; !a && i < c->n_acks; i++)
        if (!counts(c, &c->ack[i]))
            a = &c->ack[i];
    CHECK(a != NULL);
    memset(a, 0, sizeof *a);
    snprintf(a->id, sizeof a->id, "%s", id);
    a->life = life;
    a->offset = -1;
    return a;
}

bool commit_ack(struct commit *c, const char *id, uint64_t life, int64_t offset)
{
    struct commit_ack *a;

    if (c->epoch == 0)
        return false;
    a = slot(c, id, life);
    if (offset <= a->offset)
        return false;
    a->offset = offset;
    return recount(c);
}

bool commit_own(struct commit *c, int64_t end, int64_t durable)
{
    c->end = end;
    c->durable = durable;
    return recount(c);
}

bool commit_satisfied(const struct commit *c, const struct ha_record *config, int64_t offset)
{
    return c->epoch != 0 && offset >= c->marker && c->durable >= offset && kth_ack(c, config) >= offset;
}
