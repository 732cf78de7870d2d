/* What a full copy drops of our log goes to a file first: the bytes of the stream from the
 * point where our history and the primary's part to our end, or as many of them as the
 * backlog still holds. They were never confirmed, or were confirmed by nobody who counts; a
 * human may want to look at them (`kvorumctl tail <file>`).
 *
 * tail-<epoch>-<first offset>-<end offset>.resp in the data folder: one line that says what it
 * is, and then requests as they stood in the stream (common/text/tail_text.h says how to
 * read it). At most TAIL_FILES of them are kept, the oldest go; a tail longer than TAIL_MAX
 * loses its end, and says so. */
#ifndef KV_REPL_TAIL_H
#define KV_REPL_TAIL_H

#include "common/base/err.h"
#include "common/text/tail_text.h"
#include "kvnode/repl/backlog.h"

#define TAIL_FILES 16
#define TAIL_MAX (64u << 20)

struct tail_lost {
    char path[128];                /* "" = none was saved */
    int64_t from, to;              /* offsets: the last one in both histories, and our end */
    uint64_t commands, bytes;      /* of the tail: what is in the file, or more (`less`) */
    bool less;                     /* the file does not hold all of it */
    bool fork_known;               /* false: `from` is where the file begins, or less was lost than it says */
    int64_t at_ms;                 /* wall clock */
};

/* fork: the last offset that is in both histories; -1: not known, everything that the backlog holds is saved.
 * end: our end, end > fork. ERR_SYS; ERR_MISSING: the backlog holds none of it. *out is filled in all cases, with a
 * path only if there is a file. */
int tail_save(const char *dir, const struct backlog *b, uint64_t gid, uint64_t epoch, int64_t fork, int64_t end,
              struct tail_lost *out, struct err *e);

#endif
