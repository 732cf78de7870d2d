/* Active expiry: go round the blocks whose earliest deadline has passed. Reading one number per
 * 64 buckets is cheap enough to look at all of them ten times a second. */
#include "kvnode/store/expire.h"

#include <string.h>

static size_t blocks_of(const struct keytable *t) { return (t->size + DUE_BLOCK - 1) / DUE_BLOCK; }

/* sweep_at counts the blocks of both tables, one after the other. */
static bool sweep_db(struct db *d, int64_t end_us, int64_t (*clock_us)(void))
{
    size_t n0 = blocks_of(&d->t[0]), all = n0 + blocks_of(&d->t[1]);
    size_t dropped = 0, looked = 0;
    bool more = false;

    for (; looked < all && d->with_deadline > 0; looked++) {
        size_t at = d->sweep_at < all ? d->sweep_at : 0;
        int table = at >= n0;
        size_t block = table ? at - n0 : at;
        int64_t due = d->t[table].due[block];

        d->sweep_at = at + 1;
        if (due == 0 || due >= d->ks->now_ms)
            continue;
        dropped += db_drop_due(d, table, block);
        if (clock_us() > end_us) {
            more = looked + 1 < all;
            break;
        }
    }
    if (dropped > 0)
        db_fit(d);
    return more;
}

bool expire_sweep(struct keyspace *ks, int64_t budget_us, int64_t (*clock_us)(void))
{
    int64_t end_us = 0;

    if (ks->expired_keys != DROP_EXPIRED)
        return false;
    for (int i = 0; i < ks->ndbs; i++) {
        if (ks->dbs[i].with_deadline == 0)
            continue;
        if (end_us == 0)
            end_us = clock_us() + budget_us;
        if (sweep_db(&ks->dbs[i], end_us, clock_us))
            return true;
    }
    return false;
}

bool expire_deadline(int64_t base_ms, int64_t amount, bool seconds, int64_t *at_ms)
{
    int64_t v = amount;

    if (seconds && __builtin_mul_overflow(amount, 1000, &v))
        return false;
    if (__builtin_add_overflow(v, base_ms, &v) || v == NEVER_MS)
        return false;
    *at_ms = v;
    return true;
}
