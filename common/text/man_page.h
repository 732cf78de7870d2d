/* A manual page out of the Markdown that the tables print about themselves, so that
 * `man kvnode` and --print-docs cannot say different things. Only what those pages use:
 * headings, paragraphs, lists, indented blocks, `code`, **bold**, and tables, whose rows become entries: the first
 * cell is the term, the last one says what it is, those between stand behind it by the
 * names of their columns. Source of the target: man(7), the macros TH SH SS TP PP IP EX. */
#ifndef KV_TEXT_MAN_PAGE_H
#define KV_TEXT_MAN_PAGE_H

#include "common/base/str.h"

struct man_page {
    const char *name;            /* "kvnode" */
    const char *section;         /* "8" */
    const char *version;
    const char *summary;         /* one sentence, for whatis; a final full stop is left away */
};

/* Headings of the text (# is left out, it is the name) follow NAME. Appends to out. */
void man_page(const struct man_page *p, struct slice markdown, struct str *out);

#endif
