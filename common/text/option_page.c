/* The reference page and the annotated sample file, written out of the option table. */
#include "common/text/option.h"

static bool is_shown(const struct option *o)
{
    return !(o->flags & OPT_HIDDEN) && o->type != OPT_IGNORED && o->type != OPT_REFUSED;
}

static const char *shown_default(const struct option *o)
{
    if (o->flags & OPT_SECRET)
        return "\"\"";
    if (o->dflt)
        return o->dflt[0] ? o->dflt : "\"\"";
    switch (o->type) {
    case OPT_BOOL: return "no";
    case OPT_STR:
    case OPT_CUSTOM: return "\"\"";
    case OPT_WORD: return o->words && o->words[0].name ? o->words[0].name : "\"\"";
    default: return "0";
    }
}

static void put_cell(struct str *out, const char *z)
{
    for (; *z; z++) {
        if (*z == '|')
            str_append_c(out, '\\');
        str_append_c(out, *z == '\n' ? ' ' : *z);
    }
}

static void markdown_rows(const struct option_table *t, struct str *out, enum option_type type, const char *title)
{
    bool any = false;

    for (size_t i = 0; i < t->n; i++) {
        if (t->rows[i].type != type || (t->rows[i].flags & OPT_HIDDEN))
            continue;
        str_append_z(out, any ? ", " : title);
        str_printf(out, "`%s`", t->rows[i].name);
        any = true;
    }
    if (any)
        str_append_z(out, "\n");
}

void option_markdown(const struct option_table *t, struct str *out)
{
    str_append_z(out, "| directive | value | default | while running | meaning |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < t->n; i++) {
        const struct option *o = &t->rows[i];
        struct str allowed = {0};

        if (!is_shown(o))
            continue;
        option_allowed(o, &allowed);
        str_printf(out, "| `%s`", o->name);
        if (o->alias)
            str_printf(out, " (also `%s`)", o->alias);
        str_append_z(out, " | ");
        put_cell(out, str_c(&allowed));
        if (o->unit && o->type != OPT_CUSTOM && o->type != OPT_MS)
            str_printf(out, " (%s)", o->unit);
        str_append_z(out, " | `");
        put_cell(out, shown_default(o));
        str_printf(out, "` | %s | ", o->flags & OPT_FIXED ? "needs a restart" : "can change");
        put_cell(out, o->summary ? o->summary : "");
        str_append_z(out, " |\n");
        str_fini(&allowed);
    }
    markdown_rows(t, out, OPT_IGNORED, "\nAccepted with a warning, not used here: ");
    markdown_rows(t, out, OPT_REFUSED, "\nNot supported yet: ");
}

void option_sample(const struct option_table *t, struct str *out)
{
    for (size_t i = 0; i < t->n; i++) {
        const struct option *o = &t->rows[i];
        struct str allowed = {0};

        if (!is_shown(o))
            continue;
        option_allowed(o, &allowed);
        str_printf(out, "# %s\n# Value: %s.%s\n# %s %s\n\n", o->summary ? o->summary : o->name, str_c(&allowed),
                   o->flags & OPT_FIXED ? " Needs a restart." : "", o->name, shown_default(o));
        str_fini(&allowed);
    }
}
