/* What differs between what is wanted and what is there, and how much. */
#ifndef KV_AGENT_DIFF_H
#define KV_AGENT_DIFF_H

#include "common/base/str.h"

#include <stdbool.h>
#include <stddef.h>

/* One file as it is on this machine. */
struct file_fact {
    bool exists;
    struct slice bytes;
    int mode;
    long uid, gid;
};

/* One file as it should be; uid and gid -1: no wish. */
struct file_wish {
    struct slice bytes;
    int mode;
    long uid, gid;
};

struct file_diff {
    bool create, bytes, mode, owner;
    size_t lines_added, lines_removed;
};

/* true: something differs. */
bool diff_file(const struct file_wish *want, const struct file_fact *is, struct file_diff *out);
/* Lines that only one of the two has, counted with repeats; a moved line counts as no change. */
void diff_lines(struct slice was, struct slice will, size_t *added, size_t *removed);

#endif
