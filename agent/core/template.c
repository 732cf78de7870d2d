/* Two passes: the text is cut into pieces (text, tags), then the pieces are walked with
 * a stack of values. Texts that are included are cut when they are met. */
#include "agent/core/template.h"

#include "common/base/num.h"
#include "common/base/vec.h"

#include <string.h>

enum piece_kind { P_TEXT, P_VALUE, P_RAW, P_SECTION, P_INVERTED, P_END, P_PART };

struct piece {
    enum piece_kind kind;
    struct slice text;          /* P_TEXT: the bytes; else the name */
    struct slice otherwise;     /* after ??; p = NULL when there is none */
    struct slice indent;        /* P_PART standing alone: the blanks before it */
    size_t mate;                /* P_SECTION, P_INVERTED: index of its P_END */
    int line;
};

struct pieces {
    VEC(struct piece) at;
};

struct cutter {
    const char *p;
    size_t n, i;
    struct slice open, close;
    struct pieces *out;
    size_t open_sections[TEMPLATE_MAX_NESTING];
    int nopen;
    int line;                   /* of position line_at */
    size_t line_at;
    struct err *e;
};

static int line_of(struct cutter *c, size_t at)
{
    for (; c->line_at < at; c->line_at++)
        if (c->p[c->line_at] == '\n')
            c->line++;
    return c->line;
}

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

static struct slice trimmed(struct slice s)
{
    while (s.len && (is_blank(s.p[0]) || s.p[0] == '\n' || s.p[0] == '\r'))
        s.p++, s.len--;
    while (s.len && (is_blank(s.p[s.len - 1]) || s.p[s.len - 1] == '\n' || s.p[s.len - 1] == '\r'))
        s.len--;
    return s;
}

static const char *find(const char *p, size_t n, struct slice what)
{
    return n >= what.len ? memmem(p, n, what.p, what.len) : NULL;
}

static bool name_ok(struct slice name)
{
    if (slice_is(name, "."))
        return true;
    if (!name.len || name.p[0] == '.' || name.p[name.len - 1] == '.')
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.p[i];

        if ((unsigned char)c <= ' ' || c == '{' || c == '}' || c == '#' || c == '^' || c == '/' || c == '&' ||
            c == '>' || c == '"' || c == '?' || (c == '.' && name.p[i + 1] == '.'))
            return false;
    }
    return true;
}

/* "name ?? text" into its two halves; quotes around the text go. */
static void split_default(struct piece *t)
{
    const char *q = find(t->text.p, t->text.len, slice_z("??"));
    struct slice after;

    if (!q)
        return;
    after.p = q + 2;
    after.len = t->text.len - (size_t)(after.p - t->text.p);
    t->text.len = (size_t)(q - t->text.p);
    t->text = trimmed(t->text);
    after = trimmed(after);
    if (after.len >= 2 && after.p[0] == '"' && after.p[after.len - 1] == '"')
        after.p++, after.len -= 2;
    t->otherwise = after;
}

static int set_delimiters(struct cutter *c, struct slice body, int line)
{
    struct slice s = trimmed(body);
    size_t a = 0, b;

    while (a < s.len && !is_blank(s.p[a]))
        a++;
    b = a;
    while (b < s.len && is_blank(s.p[b]))
        b++;
    c->open = (struct slice){s.p, a};
    c->close = (struct slice){s.p + b, s.len - b};
    if (!a || b == a || b == s.len || memchr(c->close.p, ' ', c->close.len) || memchr(s.p, '=', s.len))
        return err_set(c->e, ERR_FORMAT, "line %d: a change of delimiters looks like {{=<%% %%>=}}", line);
    return 0;
}

static void push_text(struct cutter *c, size_t from, size_t to)
{
    struct piece *t;

    if (to <= from)
        return;
    t = vec_add(&c->out->at);
    t->kind = P_TEXT;
    t->text = (struct slice){c->p + from, to - from};
    t->line = line_of(c, from);
}

static int close_section(struct cutter *c, struct piece *t)
{
    struct piece *opener;

    if (c->nopen == 0)
        return err_set(c->e, ERR_FORMAT, "line %d: {{/%.*s}} closes nothing", t->line, (int)t->text.len, t->text.p);
    opener = &c->out->at.at[c->open_sections[--c->nopen]];
    if (!slice_eq(opener->text, t->text))
        return err_set(c->e, ERR_FORMAT, "line %d: {{/%.*s}} stands where {{/%.*s}} of line %d must", t->line,
                       (int)t->text.len, t->text.p, (int)opener->text.len, opener->text.p, opener->line);
    opener->mate = c->out->at.n;
    return 0;
}

/* Is the tag from..to the only thing on its line? Then *line_from and *line_to are the ends of the line. */
static bool alone(const struct cutter *c, size_t from, size_t to, size_t *line_from, size_t *line_to)
{
    size_t a = from, b = to;

    while (a > 0 && is_blank(c->p[a - 1]))
        a--;
    if (a > 0 && c->p[a - 1] != '\n')
        return false;
    while (b < c->n && is_blank(c->p[b]))
        b++;
    if (b < c->n && c->p[b] == '\r' && b + 1 < c->n && c->p[b + 1] == '\n')
        b++;
    if (b < c->n && c->p[b] != '\n')
        return false;
    *line_from = a;
    *line_to = b < c->n ? b + 1 : b;
    return true;
}

/* The tag whose opening delimiter stands at `at`; text_from is where unwritten text begins. */
static int cut_tag(struct cutter *c, size_t at, size_t text_from)
{
    size_t from = at + c->open.len, end, la, lb;
    char stop[64];              /* '=' or '}' and the closing delimiter */
    struct slice until = c->close;
    int line = line_of(c, text_from < at ? text_from : at);
    const char *q;
    char sigil;
    struct slice body;
    struct piece t = {.kind = P_VALUE};
    bool takes_line = true, keep = true;

    while (from < c->n && is_blank(c->p[from]))
        from++;
    sigil = from < c->n ? c->p[from] : 0;
    if (sigil == '=' || sigil == '{') {
        if (c->close.len + 1 >= sizeof stop)
            return err_set(c->e, ERR_FORMAT, "line %d: delimiters of more than 60 characters", line);
        stop[0] = sigil == '{' ? '}' : '=';
        memcpy(stop + 1, c->close.p, c->close.len);
        until = (struct slice){stop, c->close.len + 1};
        from++;
    }
    q = find(c->p + from, c->n - from, until);
    if (!q) {
        push_text(c, text_from, at);
        return err_set(c->e, ERR_FORMAT, "line %d: a tag begins and does not end", line_of(c, at));
    }
    end = (size_t)(q - c->p) + until.len;
    body = (struct slice){c->p + from, (size_t)(q - c->p) - from};
    if (sigil != '=' && sigil != '{')
        sigil = body.len ? body.p[0] : 0;
    switch (sigil) {
    case '#': t.kind = P_SECTION; break;
    case '^': t.kind = P_INVERTED; break;
    case '/': t.kind = P_END; break;
    case '>': t.kind = P_PART; break;
    case '!': case '=': keep = false; break;
    case '&': case '{': t.kind = P_RAW; takes_line = false; break;
    default: takes_line = false; break;
    }
    if (sigil && memchr("#^/>!&", sigil, 6))
        body.p++, body.len--;
    if (takes_line && alone(c, at, end, &la, &lb) && la >= text_from) {
        push_text(c, text_from, la);
        if (t.kind == P_PART)
            t.indent = (struct slice){c->p + la, at - la};
        c->i = lb;
    } else {
        push_text(c, text_from, at);
        c->i = end;
    }
    line = line_of(c, at);
    if (sigil == '=')
        return set_delimiters(c, body, line);
    if (!keep)
        return 0;
    t.line = line;
    t.text = trimmed(body);
    if (t.kind != P_END && t.kind != P_PART)
        split_default(&t);
    if (!name_ok(t.text))
        return err_set(c->e, ERR_FORMAT, "line %d: '%.*s' is not a name", line, (int)(t.text.len > 60 ? 60 : t.text.len),
                       t.text.p);
    if (t.kind == P_END) {
        int rc = close_section(c, &t);

        if (rc != 0)
            return rc;
    }
    if (t.kind == P_SECTION || t.kind == P_INVERTED) {
        if (t.otherwise.p && !slice_is(t.otherwise, "true") && !slice_is(t.otherwise, "false"))
            return err_set(c->e, ERR_FORMAT, "line %d: after ?? a section takes true or false", line);
        if (c->nopen == TEMPLATE_MAX_NESTING)
            return err_set(c->e, ERR_LIMIT, "line %d: sections nest deeper than %d", line, TEMPLATE_MAX_NESTING);
        c->open_sections[c->nopen++] = c->out->at.n;
    }
    vec_push(&c->out->at, t);
    return 0;
}

static int cut(struct slice text, struct pieces *out, struct err *e)
{
    struct cutter c = {.p = text.p, .n = text.len, .open = slice_z("{{"), .close = slice_z("}}"), .out = out,
                       .line = 1, .e = e};
    int rc;

    while (c.i < c.n) {
        const char *q = find(c.p + c.i, c.n - c.i, c.open);

        if (!q) {
            push_text(&c, c.i, c.n);
            break;
        }
        rc = cut_tag(&c, (size_t)(q - c.p), c.i);
        if (rc != 0)
            return rc;
    }
    if (c.nopen) {
        const struct piece *opener = &out->at.at[c.open_sections[c.nopen - 1]];

        return err_set(e, ERR_FORMAT, "line %d: {{#%.*s}} is never closed", opener->line, (int)opener->text.len,
                       opener->text.p);
    }
    return 0;
}

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
    rc = cut((struct slice){str_c(&text), text.len}, &p, w->e);
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
    int rc = cut(t->text, &p, e);

    if (rc == 0) {
        w.stack[w.depth++] = t->values;
        rc = walk(&w, &p, 0, p.at.n);
    }
    if (rc != 0)
        str_cut(out, w.out_from);
    vec_fini(&p.at);
    return rc;
}
