/* Comparing files as values. */
#include "agent/core/diff.h"

#include "common/base/dict.h"

#include <string.h>

/* Adds `by` for each line of the text to that line's count. */
static void count_lines(struct dict *counts, struct slice text, int by)
{
    while (text.len) {
        const char *nl = memchr(text.p, '\n', text.len);
        size_t n = nl ? (size_t)(nl - text.p) : text.len;

        dict_put(counts, text.p, n, NULL)->v.i += by;
        n += nl ? 1 : 0;
        text.p += n;
        text.len -= n;
    }
}

void diff_lines(struct slice was, struct slice will, size_t *added, size_t *removed)
{
    struct dict counts;
    struct dict_iter it;
    struct dict_entry *entry;

    *added = *removed = 0;
    dict_init(&counts);
    count_lines(&counts, will, 1);
    count_lines(&counts, was, -1);
    dict_iter_init(&it, &counts);
    while ((entry = dict_iter_next(&it)) != NULL) {
        if (entry->v.i > 0)
            *added += (size_t)entry->v.i;
        else
            *removed += (size_t)-entry->v.i;
    }
    dict_iter_fini(&it);
    dict_fini(&counts, NULL);
}

bool diff_file(const struct file_wish *want, const struct file_fact *is, struct file_diff *out)
{
    memset(out, 0, sizeof *out);
    out->create = !is->exists;
    out->bytes = !is->exists || !slice_eq(want->bytes, is->bytes);
    out->mode = is->exists && want->mode != is->mode;
    out->owner = is->exists && ((want->uid >= 0 && want->uid != is->uid) || (want->gid >= 0 && want->gid != is->gid));
    if (out->bytes)
        diff_lines(is->exists ? is->bytes : (struct slice){"", 0}, want->bytes, &out->lines_added, &out->lines_removed);
    return out->create || out->bytes || out->mode || out->owner;
}
