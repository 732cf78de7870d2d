/* The disk of one sentinel: one file, replaced whole. What is written counts only once
 * it is synced; a crash before that leaves the old file or the new one, by chance. */
#ifndef KV_SIM_DISK_H
#define KV_SIM_DISK_H

#include "common/base/rng.h"
#include "sentinel/core/saved.h"

#include <stdbool.h>

struct disk {
    struct saved kept, coming;
    bool has_kept, has_coming;
};

void disk_init(struct disk *d);
void disk_fini(struct disk *d);
struct saved *disk_write(struct disk *d);       /* fill it; it is on its way then */
void disk_synced(struct disk *d);               /* what is on its way is there for good */
void disk_failed(struct disk *d);               /* what is on its way never arrives */
bool disk_crash(struct disk *d, struct rng *r); /* true: something on its way was lost */

#endif
