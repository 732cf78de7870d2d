/* What a failover may have lost, from what is known when it is over. */
#include "sentinel/shell/accounts.h"

#include "common/base/str.h"

static const char *const sures[SURES] = {"proved", "bound", "seen", "unknown"};

const char *account_sure_name(enum account_sure s)
{
    return (unsigned)s < SURES ? sures[s] : "?";
}

void account_loss_text(const struct account_loss *l, struct str *out)
{
    if (l->bytes < 0)
        str_append_z(out, "loss unknown");
    else if (l->bytes == 0)
        str_append_z(out, "0 lost");
    else
        str_printf(out, "at most %lld bytes between offsets %lld and %lld lost", (long long)l->bytes, (long long)l->from, (long long)l->to);
    if (l->members > 0)
        str_printf(out, "; %d of %d members sealed, %d needed", l->counted, l->members, l->needed);
    switch (l->sure) {
    case SURE_PROVED:
        str_append_z(out, "; proved: the new primary continues everything that was confirmed");
        break;
    case SURE_BOUND:
        str_append_z(out, "; a bound: the old primary told where it ended");
        break;
    case SURE_SEEN:
        if (l->seen_ago_ms < 0)
            str_append_z(out, "; the old primary's offset was never seen");
        else
            str_printf(out, "; as seen %lld ms before: what the old primary wrote after that is not counted", (long long)l->seen_ago_ms);
        break;
    default:
        str_append_z(out, "; nobody told where the old primary ended");
        break;
    }
}

static void span(struct account_loss *l, int64_t chosen, int64_t longest)
{
    l->from = chosen;
    l->to = longest > chosen ? longest : chosen;
    l->bytes = l->to - l->from;
}

struct account_loss account_plain_loss(int64_t old_offset, int64_t seen_ago_ms, int64_t longest_other, int64_t chosen_offset)
{
    struct account_loss l = {.sure = SURE_SEEN, .bytes = -1, .seen_ago_ms = old_offset < 0 ? -1 : seen_ago_ms};
    int64_t longest = old_offset > longest_other ? old_offset : longest_other;

    if (chosen_offset < 0 || longest < 0)
        l.sure = SURE_UNKNOWN;
    else
        span(&l, chosen_offset, longest);
    return l;
}

static const struct lead_seal *seal_of(const struct lead_seal *seals, size_t n, const char *id)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(seals[i].id, id) == 0 && seals[i].counted)
            return &seals[i];
    return NULL;
}

struct account_loss account_formed_loss(const struct ha_record *base, const struct ha_record *next, enum lead_purpose purpose,
                                        const struct lead_seal *seals, size_t n, int64_t old_known_offset)
{
    struct account_loss l = {.sure = SURE_UNKNOWN, .bytes = -1, .seen_ago_ms = -1, .members = base->n_members};
    const struct lead_seal *chosen = seal_of(seals, n, next->primary), *old = seal_of(seals, n, base->primary);
    int q = base->n_members - base->k;

    for (int i = 0; i < base->n_members; i++)
        l.counted += seal_of(seals, n, base->member[i].id) != NULL;
    l.needed = ha_seals_needed(base);
    if (chosen)
        l.from = l.to = chosen->pos.offset;
    if (purpose == LEAD_HAND_OVER || (base->mode != HA_ASYNC && l.counted >= q) || (old && old == chosen)) {
        l.sure = SURE_PROVED;
        l.bytes = 0;
    } else if (chosen && old) {
        l.sure = SURE_BOUND;
        if (ha_position_cmp(old->pos, chosen->pos) <= 0)
            l.bytes = 0;
        else if (old->pos.epoch == chosen->pos.epoch)
            span(&l, chosen->pos.offset, old->pos.offset);
        else
            l.sure = SURE_UNKNOWN;
    } else if (chosen && old_known_offset >= 0) {
        l.sure = SURE_SEEN;
        l.seen_ago_ms = 0;
        span(&l, chosen->pos.offset, old_known_offset);
    }
    return l;
}
