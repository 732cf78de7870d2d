/* Who we are in the stream of changes: replication ids and offsets, and "can this replica
 * continue?" as a pure question.
 *
 *     id2 (what we followed before)        id (ours since the shift)
 *   ──────────────────────────────────┬────────────────────────────────►
 *                              id2_until                          offset
 *
 * An offset counts bytes; `offset` is the last byte made. A replica asks for the next byte
 * it wants, its own offset + 1. */
#ifndef KV_REPL_HISTORY_H
#define KV_REPL_HISTORY_H

#include "common/base/str.h"
#include "common/base/words.h"

#include <stdbool.h>
#include <stdint.h>

struct history {
    char id[ID_MAX];
    char id2[ID_MAX];              /* forty zeros: none */
    int64_t id2_until;             /* first byte that is no longer id2's; -1: none */
    int64_t offset;
};

enum history_answer {
    HISTORY_CONTINUE,
    HISTORY_OTHER_ID,              /* not a history we share */
    HISTORY_PAST_SHIFT,            /* shared once, but it went further there than we did */
    HISTORY_TOO_OLD,               /* the bytes are no longer in the backlog */
    HISTORY_AHEAD                  /* it wants bytes we have not made */
};

void history_init(struct history *h, const char id[ID_MAX]);
/* Promotion: what was our id becomes id2 up to here, `id` is new. */
void history_shift(struct history *h, const char id[ID_MAX]);
/* A primary let us continue under a new id of its own. */
void history_continue_as(struct history *h, const char id[ID_MAX]);
/* After a full sync: all of it is the primary's. */
void history_replace(struct history *h, const char id[ID_MAX], int64_t offset);
void history_drop_id2(struct history *h);
/* No shared past with anybody any more (backlog released). */
void history_restart(struct history *h, const char id[ID_MAX]);

/* want: first byte wanted. first, len: what the backlog holds. */
enum history_answer history_can_continue(const struct history *h, struct slice id, int64_t want, int64_t first,
                                         int64_t len);
const char *history_answer_name(enum history_answer a);

#endif
