/* What survives a crash. */
#include "tests/sim/disk.h"

#include "common/base/check.h"

#include <string.h>

void disk_init(struct disk *d)
{
    memset(d, 0, sizeof *d);
    saved_init(&d->kept);
    saved_init(&d->coming);
}

void disk_fini(struct disk *d)
{
    saved_fini(&d->kept);
    saved_fini(&d->coming);
}

struct saved *disk_write(struct disk *d)
{
    CHECK(!d->has_coming);
    d->has_coming = true;
    return &d->coming;
}

void disk_synced(struct disk *d)
{
    struct saved old = d->kept;

    CHECK(d->has_coming);
    d->kept = d->coming;
    d->coming = old;
    d->has_kept = true;
    disk_failed(d);
}

void disk_failed(struct disk *d)
{
    saved_fini(&d->coming);
    saved_init(&d->coming);
    d->has_coming = false;
}

bool disk_crash(struct disk *d, struct rng *r)
{
    if (!d->has_coming)
        return false;
    if (rng_chance(r, 500)) {
        disk_synced(d);
        return false;
    }
    disk_failed(d);
    return true;
}
