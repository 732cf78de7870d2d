/* Operator events: looked up by name, and listed. */
#include "common/text/event.h"

#include <string.h>

const struct op_event *op_event_find(const struct op_event *rows, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}

/* A bar would end the cell. */
static void put_cell(struct str *out, const char *z)
{
    for (; *z; z++) {
        if (*z == '|')
            str_append_c(out, '\\');
        str_append_c(out, *z);
    }
}

void op_event_markdown(const struct op_event *rows, size_t n, struct str *out)
{
    static const char *const level[] = {"debug", "verbose", "notice", "warning", "error"};

    str_append_z(out, "| event | level | payload | meaning |\n|---|---|---|---|\n");
    for (size_t i = 0; i < n; i++) {
        str_printf(out, "| `%s` | %s | `", rows[i].name, rows[i].level >= 0 && rows[i].level <= 4 ? level[rows[i].level] : "?");
        put_cell(out, rows[i].args ? rows[i].args : "");
        str_append_z(out, "` | ");
        put_cell(out, rows[i].summary);
        str_append_z(out, " |\n");
    }
}
