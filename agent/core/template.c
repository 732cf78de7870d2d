/* The pieces of a text are walked with a stack of values. Texts that are included are cut when
 * they are met. */
#include "agent/core/template.h"

#include "agent/core/template_cut.h"
#include "common/base/num.h"

#include <string.h>

#define STACK_MAX (TEMPLATE_MAX_NESTING * (TEMPLATE_MAX_PARTS + 1) + 1)

struct writer {
    const struct template_source *t;
    const cJSON *stack[STACK_MAX];
    int depth, parts;
    int64_t work;
    struct str *out;
    size_t out_from;
    const char *part_name;      /* in which included text we are, for messages */
    struct err *e;
};

static int fail(struct writer *w, int line, int code, const char *what, struct slice name)
{
    if (w->part_name)
        return err_set(w->e, code, "part '%.60s', line %d: '%.*s' %s", w->part_name, line,
                       (int)(name.len > 100 ? 100 : name.len), name.p, what);
    return err_set(w->e, code, "line %d: '%.*s' %s", line, (int)(name.len > 100 ? 100 : name.len), name.p, what);
}

static const cJSON *member(struct writer *w, const cJSON *of, struct slice name)
{
    if (!cJSON_IsObject(of))
        return NULL;
    for (const cJSON *c = of->child; c; c = c->next) {
        w->work++;
        if (strlen(c->string) == name.len && memcmp(c->string, name.p, name.len) == 0)
            return c;
    }
    return NULL;
}

/* The first part of a dotted name is looked for from the innermost value outwards; the rest inside what was found. */
static const cJSON *look_up(struct writer *w, struct slice name)
{
    const cJSON *v = NULL;
    struct slice first = name;
    const char *dot;

    if (slice_is(name, "."))
        return w->stack[w->depth - 1];
    dot = memchr(name.p, '.', name.len);
    if (dot)
        first.len = (size_t)(dot - name.p);
    for (int i = w->depth - 1; i >= 0 && !v; i--)
        v = member(w, w->stack[i], first);
    while (v && dot) {
        struct slice next = {dot + 1, name.len - (size_t)(dot + 1 - name.p)};

        dot = memchr(next.p, '.', next.len);
        if (dot)
            next.len = (size_t)(dot - next.p);
        v = member(w, v, next);
    }
    return v;
}

static int put_value(struct writer *w, const struct piece *t, const cJSON *v)
{
    char num[NUM_F64_MAX];
    struct slice s = {"", 0};
    enum escape_mode mode = t->kind == P_RAW ? ESCAPE_NONE : w->t->escape;
    struct err why = {0};

    if (!v || cJSON_IsNull(v)) {
        if (!t->otherwise.p)
            return fail(w, t->line, v ? ERR_RANGE : ERR_UNKNOWN, v ? "is null" : "is unknown", t->text);
        s = t->otherwise;
    } else if (cJSON_IsString(v)) {
        s = slice_z(v->valuestring);
    } else if (cJSON_IsBool(v)) {
        s = slice_z(cJSON_IsTrue(v) ? "true" : "false");
    } else if (cJSON_IsNumber(v)) {
        if (v->valuedouble >= 9007199254740992.0 || v->valuedouble <= -9007199254740992.0)
            return fail(w, t->line, ERR_RANGE, "is a number beyond 2^53 that would lose digits; give it as a string",
                        t->text);
        s.p = num;
        if ((double)(int64_t)v->valuedouble == v->valuedouble)
            s.len = num_put_i64(num, (int64_t)v->valuedouble);
        else
            s.len = num_put_f64(num, v->valuedouble);
    } else {
        return fail(w, t->line, ERR_RANGE, cJSON_IsArray(v) ? "is a list and cannot be printed as one value"
                                                            : "is an object and cannot be printed as one value",
                    t->text);
    }
    if (escape_append(mode, s.p, s.len, w->out, &why) != 0)
        return fail(w, t->line, why.code, why.text, t->text);
    return 0;
}

static bool is_nothing(const cJSON *v)
{
    return !v || cJSON_IsNull(v) || cJSON_IsFalse(v) || (cJSON_IsString(v) && !v->valuestring[0]) ||
           (cJSON_IsArray(v) && !v->child);
}

static int walk(struct writer *w, const struct pieces *p, size_t from, size_t to);

static int with(struct writer *w, const struct pieces *p, size_t i, const cJSON *v)
{
    int rc;

    CHECK(w->depth < STACK_MAX);
    w->stack[w->depth++] = v;
    rc = walk(w, p, i + 1, p->at.at[i].mate);
    w->depth--;
    return rc;
}

static int section(struct writer *w, const struct pieces *p, size_t i)
{
    const struct piece *t = &p->at.at[i];
    const cJSON *v = look_up(w, t->text);
    int rc = 0;

    if (!v && t->otherwise.p) {
        if (slice_is(t->otherwise, "true") == (t->kind == P_SECTION))
            return walk(w, p, i + 1, t->mate);
        return 0;
    }
    if (!v)
        return fail(w, t->line, ERR_UNKNOWN, "is unknown", t->text);
    if (t->kind == P_INVERTED)
        return is_nothing(v) ? walk(w, p, i + 1, t->mate) : 0;
    if (is_nothing(v))
        return 0;
    if (!cJSON_IsArray(v))
        return with(w, p, i, v);
    for (const cJSON *c = v->child; c && rc == 0; c = c->next) {
        w->work++;
        rc = with(w, p, i, c);
    }
    return rc;
}

static void indented(struct slice text, struct slice indent, struct str *out)
{
    bool at_line_start = true;

    for (size_t i = 0; i < text.len; i++) {
        if (at_line_start && text.p[i] != '\n')      /* an empty line stays empty */
            str_append(out, indent.p, indent.len);
        str_append_c(out, text.p[i]);
        at_line_start = text.p[i] == '\n';
    }
}

static int part(struct writer *w, const struct piece *t)
{
    const cJSON *v = w->t->parts ? member(w, w->t->parts, t->text) : NULL;
    const char *outer = w->part_name;
    struct str text = {0};
    struct pieces p = {0};
    int rc;

    if (!cJSON_IsString(v))
        return fail(w, t->line, ERR_UNKNOWN, "is not among the document's parts", t->text);
    if (w->parts == TEMPLATE_MAX_PARTS)
        return fail(w, t->line, ERR_LIMIT, "is included too deeply (8 texts within texts)", t->text);
    if (strlen(v->valuestring) > TEMPLATE_MAX_OUT)
        return fail(w, t->line, ERR_LIMIT, "is too long", t->text);
    w->work += (int64_t)strlen(v->valuestring) / 64;
    indented(slice_z(v->valuestring), t->indent, &text);
    w->parts++;
    w->part_name = v->string;
    rc = template_cut((struct slice){str_c(&text), text.len}, &p, w->e);
    if (rc != 0)
        err_wrap(w->e, "part '%.60s'", v->string);
    else
        rc = walk(w, &p, 0, p.at.n);
    w->part_name = outer;
    w->parts--;
    vec_fini(&p.at);
    str_fini(&text);
    return rc;
}

static int walk(struct writer *w, const struct pieces *p, size_t from, size_t to)
{
    int rc = 0;

    for (size_t i = from; i < to && rc == 0; i++) {
        const struct piece *t = &p->at.at[i];

        if (++w->work > TEMPLATE_MAX_WORK)
            return fail(w, t->line, ERR_LIMIT, "and what is around it is too much work", t->text);
        switch (t->kind) {
        case P_TEXT:
            str_append(w->out, t->text.p, t->text.len);
            break;
        case P_VALUE:
        case P_RAW:
            rc = put_value(w, t, look_up(w, t->text));
            break;
        case P_SECTION:
        case P_INVERTED:
            rc = section(w, p, i);
            i = t->mate;
            break;
        case P_PART:
            rc = part(w, t);
            break;
        case P_END:
            break;
        }
        if (rc == 0 && w->out->len - w->out_from > TEMPLATE_MAX_OUT)
            rc = err_set(w->e, ERR_LIMIT, "line %d: the result is longer than 4 MiB", t->line);
    }
    return rc;
}

int template_render(const struct template_source *t, struct str *out, struct err *e)
{
    struct pieces p = {0};
    struct writer w = {.t = t, .out = out, .out_from = out->len, .e = e};
    int rc = template_cut(t->text, &p, e);

    if (rc == 0) {
        w.stack[w.depth++] = t->values;
        rc = walk(&w, &p, 0, p.at.n);
    }
    if (rc != 0)
        str_cut(out, w.out_from);
    vec_fini(&p.at);
    return rc;
}
