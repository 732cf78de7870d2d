/* Rows for people and for programs: a table with aligned columns, JSON (one object with
 * `items`), a JSON object per line, or tab-separated lines under a line of names. The same
 * columns in the same order in all of them, for ever. */
#ifndef KV_CTL_TABLE_H
#define KV_CTL_TABLE_H

#include "common/base/str.h"
#include "common/base/vec.h"

#include <stdbool.h>
#include <stdint.h>

enum ctl_output { OUT_TEXT, OUT_JSON, OUT_JSONL, OUT_TSV };

struct column {
    const char *name;            /* as in JSON: lower case, camelCase */
    const char *head;            /* over the column for people; NULL: not shown to them */
    bool number;                 /* a JSON number; empty cells are null */
};

struct table {
    const char *kind;            /* "Documents" */
    const struct column *columns;
    size_t ncolumns;
    VEC(char *) cells;           /* row by row; owned */
};

void table_init(struct table *t, const char *kind, const struct column *columns, size_t n);
void table_fini(struct table *t);
/* The next cell; a row is complete after ncolumns of them. */
void table_put(struct table *t, const char *text);
void table_put_i64(struct table *t, int64_t v);
size_t table_rows(const struct table *t);
const char *table_cell(const struct table *t, size_t row, size_t column);
/* Rows in the order of their first cell. */
void table_sort(struct table *t);
/* All of it. With OUT_JSONL and OUT_TSV, begun: the head was printed before. */
void table_print(const struct table *t, enum ctl_output how, bool begun);

#endif
