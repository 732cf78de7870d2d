/* A line of a group's journal <-> bytes of a file that is only appended to:
 *
 *     <check: 16 hex digits> <wall clock, ms> <group> <text>\n
 *
 * A byte of the group that is no visible letter stands as %xx, and so does '%'; control characters of the text become
 * blanks. The check is over all that follows it: a line that was torn, or that a disk changed, is no line. */
#ifndef KV_SENTINEL_JOURNAL_TEXT_H
#define KV_SENTINEL_JOURNAL_TEXT_H

#include "common/base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define JOURNAL_TEXT_MAX 4096              /* bytes of a text; what is longer is cut */

/* Appended. */
void journal_text_put(struct str *out, int64_t wall_ms, const char *group, const char *text);

struct journal_entry {
    int64_t wall_ms;
    struct str group, text;                /* yours (str_fini); emptied before they are filled */
};
/* Takes the next good line off `rest`. false: there is none left; what remains in `rest` then is a last line without its
 * end (nothing, if it ends well). *bad counts lines that are none. */
bool journal_text_next(struct slice *rest, struct journal_entry *e, uint64_t *bad);

#endif
