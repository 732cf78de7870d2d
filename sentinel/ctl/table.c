/* Tables. Times are printed by the cells' makers; here they are words. */
#include "sentinel/ctl/table.h"

#include "common/base/mem.h"
#include "common/base/num.h"
#include "sentinel/ctl/json.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void table_init(struct table *t, const char *kind, const struct column *columns, size_t n)
{
    memset(t, 0, sizeof *t);
    t->kind = kind;
    t->columns = columns;
    t->ncolumns = n;
}

void table_fini(struct table *t)
{
    for (size_t i = 0; i < t->cells.n; i++)
        mem_free(t->cells.at[i]);
    vec_fini(&t->cells);
}

void table_put(struct table *t, const char *text) { vec_push(&t->cells, mem_strdup(text)); }

void table_put_i64(struct table *t, int64_t v)
{
    char text[NUM_I64_MAX];

    num_put_i64(text, v);
    table_put(t, text);
}

size_t table_rows(const struct table *t) { return t->cells.n / t->ncolumns; }

const char *table_cell(const struct table *t, size_t row, size_t column) { return t->cells.at[row * t->ncolumns + column]; }

static int by_first(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

void table_sort(struct table *t)
{
    if (table_rows(t) > 1)
        qsort(t->cells.at, table_rows(t), t->ncolumns * sizeof *t->cells.at, by_first);
}

/* Characters, not bytes: what is printed under each other. */
static int width(const char *z)
{
    int n = 0;

    for (; *z; z++)
        n += ((unsigned char)*z & 0xc0) != 0x80;
    return n;
}

/* What a terminal or a line-minded program must not get raw. */
static void put_plain(const char *z)
{
    for (; *z; z++)
        putchar((unsigned char)*z < 0x20 || *z == 0x7f ? '?' : *z);
}

static void print_text(const struct table *t)
{
    size_t rows = table_rows(t);
    int *wide = mem_zalloc(t->ncolumns * sizeof *wide);
    size_t last = 0;

    for (size_t c = 0; c < t->ncolumns; c++) {
        if (!t->columns[c].head)
            continue;
        last = c;
        wide[c] = width(t->columns[c].head);
        for (size_t r = 0; r < rows; r++)
            if (width(table_cell(t, r, c)) > wide[c])
                wide[c] = width(table_cell(t, r, c));
    }
    for (size_t r = 0; r <= rows; r++)
        for (size_t c = 0; c <= last; c++) {
            const char *z = r == 0 ? t->columns[c].head : table_cell(t, r - 1, c);
            int pad;

            if (!t->columns[c].head)
                continue;
            pad = wide[c] - width(z);
            if (t->columns[c].number)
                printf("%*s", pad, "");
            put_plain(z);
            if (c == last)
                putchar('\n');
            else
                printf("%*s", (t->columns[c].number ? 0 : pad) + 2, "");
        }
    mem_free(wide);
}

static cJSON *row_json(const struct table *t, size_t r)
{
    cJSON *o = cJSON_CreateObject();

    for (size_t c = 0; c < t->ncolumns; c++) {
        const char *z = table_cell(t, r, c);

        if (!t->columns[c].number)
            cJSON_AddStringToObject(o, t->columns[c].name, z);
        else if (!*z)
            cJSON_AddNullToObject(o, t->columns[c].name);
        else
            cJSON_AddRawToObject(o, t->columns[c].name, z);
    }
    return o;
}

static void print_tsv(const struct table *t, bool begun)
{
    for (size_t c = 0; !begun && c < t->ncolumns; c++)
        printf("%s%c", t->columns[c].name, c + 1 == t->ncolumns ? '\n' : '\t');
    for (size_t r = 0; r < table_rows(t); r++)
        for (size_t c = 0; c < t->ncolumns; c++) {
            put_plain(table_cell(t, r, c));
            putchar(c + 1 == t->ncolumns ? '\n' : '\t');
        }
}

void table_print(const struct table *t, enum ctl_output how, bool begun)
{
    cJSON *o, *items;

    switch (how) {
    case OUT_TEXT: print_text(t); break;
    case OUT_TSV: print_tsv(t, begun); break;
    case OUT_JSONL:
        for (size_t r = 0; r < table_rows(t); r++)
            json_print(row_json(t, r), true);
        break;
    case OUT_JSON:
        o = json_object(t->kind);
        items = cJSON_AddArrayToObject(o, "items");
        for (size_t r = 0; r < table_rows(t); r++)
            cJSON_AddItemToArray(items, row_json(t, r));
        json_print(o, false);
        break;
    }
}
