/* One table for each type; what lies inside an object or a list stands behind it, with dots. */
#include "agent/core/doctype_docs.h"

#include "agent/core/desired.h"

#include <inttypes.h>

#define DEPTH_MAX 6

static void put_words(const struct shape_field *f, struct str *out)
{
    for (size_t i = 0; f->words[i]; i++)
        str_printf(out, "%s%s", i ? ", " : "one of ", f->words[i]);
}

static void put_range(const char *unit, const struct shape_field *f, struct str *out)
{
    str_append_z(out, unit);
    if (f->max > 0)
        str_printf(out, ", %" PRId64 " to %" PRId64, f->min, f->max);
}

static void put_kind(const struct shape_field *f, struct str *out)
{
    switch (f->type) {
    case SHAPE_TEXT: str_append_z(out, "text"); break;
    case SHAPE_INT: put_range("whole number", f, out); break;
    case SHAPE_BOOL: str_append_z(out, "true or false"); break;
    case SHAPE_MS: str_append_z(out, "duration, as \"5s\""); break;
    case SHAPE_MODE: str_append_z(out, "mode, as \"0640\""); break;
    case SHAPE_WORD: put_words(f, out); break;
    case SHAPE_OBJECT: str_append_z(out, "object"); break;
    case SHAPE_LIST: put_range("list", f, out); break;
    case SHAPE_MAP: str_append_z(out, "object of any names"); break;
    case SHAPE_ANY: str_append_z(out, "value"); break;
    case SHAPE_LATER: str_append_z(out, "not supported yet"); break;
    }
}

static void put_fields(const struct shape *s, const char *where, int depth, struct str *out)
{
    for (size_t i = 0; i < s->n; i++) {
        const struct shape_field *f = &s->fields[i];
        struct str inside = {0};

        str_printf(out, "| `%s%s` | ", where, f->name);
        put_kind(f, out);
        str_printf(out, "%s | %s |\n", f->required ? ", required" : s->exactly_one && i < s->choice ? ", one of the first" : "",
                   f->summary ? f->summary : "");
        if (f->type == SHAPE_OBJECT)
            str_printf(&inside, "%s%s.", where, f->name);
        else if (f->type == SHAPE_LIST && f->of && f->of->fields[0].type == SHAPE_OBJECT)
            str_printf(&inside, "%s%s[].", where, f->name);
        if (inside.len && depth < DEPTH_MAX)
            put_fields(f->type == SHAPE_OBJECT ? f->of : f->of->fields[0].of, str_c(&inside), depth + 1, out);
        str_fini(&inside);
    }
}

static void put_type(const char *name, const char *summary, const struct shape *s, struct str *out)
{
    str_printf(out, "\n### %s\n\n%s\n\n| name | what it may be | meaning |\n|---|---|---|\n", name, summary);
    put_fields(s, "", 0, out);
}

void doctype_markdown(struct str *out)
{
    str_append_z(out, "\n## Documents\n\nJSON objects under `config:<type>:<component>`. A name that does not stand here is refused.\n");
    put_type("agent", "Which documents are a node's, and values for its templates.", &agent_doc_shape, out);
    for (size_t i = 0; i < doctypes_n; i++)
        put_type(doctypes[i].name, doctypes[i].summary, doctypes[i].shape, out);
}
