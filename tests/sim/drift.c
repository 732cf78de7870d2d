/* Clocks that gain, lose and jump. */
#include "tests/sim/drift.h"

#include "common/base/timeval.h"

void drift_init(struct drift *d, int64_t local_ms, int32_t ppm)
{
    d->true_us = 0;
    d->local_us = local_ms * 1000;
    d->ppm = ppm;
}

int64_t drift_local_us(const struct drift *d, int64_t true_us)
{
    int64_t passed = true_us - d->true_us;

    return d->local_us + passed + passed * d->ppm / 1000000;
}

int64_t drift_local_ms(const struct drift *d, int64_t true_us)
{
    return drift_local_us(d, true_us) / 1000;
}

int64_t drift_true_us(const struct drift *d, int64_t local_ms)
{
    int64_t t;

    if (local_ms >= NEVER_MS / 2000)
        return NEVER_MS;
    t = d->true_us + (local_ms * 1000 - d->local_us) * 1000000 / (1000000 + d->ppm);
    while (drift_local_ms(d, t) < local_ms)
        t++;
    return t;
}

static void rebase(struct drift *d, int64_t true_us)
{
    d->local_us = drift_local_us(d, true_us);
    d->true_us = true_us;
}

void drift_set_rate(struct drift *d, int64_t true_us, int32_t ppm)
{
    rebase(d, true_us);
    d->ppm = ppm;
}

void drift_jump(struct drift *d, int64_t true_us, int64_t ahead_ms)
{
    rebase(d, true_us);
    d->local_us += ahead_ms * 1000;
}
