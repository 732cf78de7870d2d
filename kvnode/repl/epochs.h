/* Where each epoch begins in our log: a table (epoch, first offset), rising in both, which the
 * data carries with it. It answers whether a position is in a history, and up to where two
 * histories are the same: below an epoch that both have, they are, for an epoch has one
 * primary. Entries before the first row are of epoch 0: nothing is known of them here. The
 * rows are of one group; in another group's eyes the log is of epoch 0.
 *
 * As text (in an RDB the aux field `kvorum-epochs`): the group, then rows, oldest first: "5501 7:1024 9:70211". */
#ifndef KV_REPL_EPOCHS_H
#define KV_REPL_EPOCHS_H

#include "common/base/ha.h"
#include "common/base/str.h"
#include "kvnode/disk/record.h"

struct epochs {
    uint64_t gid;                                  /* n 0: means nothing */
    size_t n;
    struct record_epoch at[RECORD_EPOCHS_MAX];     /* first: the first byte of the epoch's marker */
};

/* Epoch `epoch` > 0 of group `gid` begins at this offset: rows of it and of later ones, those that would begin behind
 * it, and all of another group go. When the table is full the oldest row goes. */
void epochs_begin(struct epochs *t, uint64_t gid, uint64_t epoch, int64_t first);
/* The log ends here: rows that begin behind it go. */
void epochs_cut(struct epochs *t, int64_t end);
uint64_t epochs_last(const struct epochs *t, uint64_t gid);    /* 0: none of this group */
/* Last byte of this epoch in a log that ends at `end`; -1: the epoch is not in it. */
int64_t epochs_end_of(const struct epochs *t, int64_t end, uint64_t epoch);
/* Is this position (epoch > 0) in the history of a log that ends at `end`? */
bool epochs_contain(const struct epochs *t, int64_t end, struct ha_position p);
/* The last position of ours that is in theirs; false: no epoch of one group is in both. */
bool epochs_common(const struct epochs *ours, int64_t our_end, const struct epochs *theirs, int64_t their_end,
                   struct ha_position *out);

void epochs_put(const struct epochs *t, struct str *out);  /* appended */
/* false: it is no such table (damaged, not rising, too long); *t is then empty. An empty text is an empty table. */
bool epochs_get(struct epochs *t, struct slice text);

#endif
