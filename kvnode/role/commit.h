/* Which offset is confirmed: pure arithmetic over who acknowledged what, in this epoch, with
 * which life, in each configuration in force (R6, R9). Used by the primary alone.
 *
 * A position l is confirmed when the entry at l is of this epoch (l >= the end of the
 * marker) and in *every* configuration in force k members other than the primary have
 * acknowledged >= l with the life that stands there, and our own copy is as durable as
 * theirs. What was confirmed once stays confirmed. */
#ifndef KV_ROLE_COMMIT_H
#define KV_ROLE_COMMIT_H

#include "common/base/ha.h"

#define COMMIT_CONFIGS_MAX 5           /* the record's own, and JOINTs not dropped */
#define COMMIT_ACKS_MAX ((COMMIT_CONFIGS_MAX + 1) * HA_MEMBERS_MAX)   /* all that count, and some that may yet */

struct commit_ack {
    char id[ID_MAX];
    uint64_t life;
    int64_t offset;                    /* of this epoch */
};

struct commit {
    char self[ID_MAX];
    uint64_t epoch;                    /* 0 = we own none: nothing is confirmed */
    int64_t marker;                    /* offset just after the marker; nothing below it counts by itself */
    int64_t end, durable;              /* our log's end; how much of it is as durable as the record asks */
    int64_t confirmed;                 /* -1 = nothing in this epoch yet */
    int n_configs, n_acks;
    const struct ha_record *config[COMMIT_CONFIGS_MAX];    /* borrowed from the member */
    struct commit_ack ack[COMMIT_ACKS_MAX];
};

#define COMMIT_NO_MARKER INT64_MAX
/* No acks, no configs. COMMIT_NO_MARKER: acknowledgements are kept, nothing is confirmed until commit_marker says where it is. */
void commit_begin(struct commit *c, const char *self, uint64_t epoch, int64_t marker);
void commit_marker(struct commit *c, int64_t marker);                     /* commit_own comes next */
/* The configurations in force, 1..COMMIT_CONFIGS_MAX, the record's own first. true = `confirmed` moved. */
bool commit_configs(struct commit *c, int n, const struct ha_record *const configs[]);
/* true = `confirmed` moved. An ack of another epoch is not one: the caller drops it. */
bool commit_ack(struct commit *c, const char *id, uint64_t life, int64_t offset);
bool commit_own(struct commit *c, int64_t end, int64_t durable);
/* Is everything up to `offset` satisfied under this one configuration? (READY, R9) */
bool commit_satisfied(const struct commit *c, const struct ha_record *config, int64_t offset);
/* What this member of this life has acknowledged in this epoch; -1 = nothing. */
int64_t commit_acked(const struct commit *c, const char *id, uint64_t life);

#endif
