/* One walk over the text; nothing is looked up here. */
#include "agent/core/template_cut.h"

#include <string.h>

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

/* A tag as it stands there. */
struct tag {
    size_t at, end;             /* from its opening delimiter to behind its closing one */
    char sigil;                 /* 0: a plain name */
    struct slice body;          /* without sigil and delimiters */
};

static const struct sigil {
    char c;
    enum piece_kind kind;
    bool takes_line;            /* with it, when it stands alone there */
    bool is_piece;              /* else nothing is left of it */
} sigils[] = {
    {'#', P_SECTION, true, true}, {'^', P_INVERTED, true, true}, {'/', P_END, true, true},  {'>', P_PART, true, true},
    {'!', P_TEXT, true, false},   {'=', P_TEXT, true, false},    {'&', P_RAW, false, true}, {'{', P_RAW, false, true},
    {0, P_VALUE, false, true},    /* all others */
};

static const struct sigil *sigil_of(char c)
{
    const struct sigil *s = sigils;

    while (s->c && s->c != c)
        s++;
    return s;
}

/* The tag whose opening delimiter stands at `at`; text_from is where unwritten text begins. */
static int find_tag(struct cutter *c, size_t at, size_t text_from, struct tag *t)
{
    size_t from = at + c->open.len;
    char stop[64];              /* '=' or '}' and the closing delimiter */
    struct slice until = c->close;
    const char *q;

    while (from < c->n && is_blank(c->p[from]))
        from++;
    t->at = at;
    t->sigil = from < c->n ? c->p[from] : 0;
    if (t->sigil == '=' || t->sigil == '{') {
        if (c->close.len + 1 >= sizeof stop)
            return err_set(c->e, ERR_FORMAT, "line %d: delimiters of more than 60 characters",
                           line_of(c, text_from < at ? text_from : at));
        stop[0] = t->sigil == '{' ? '}' : '=';
        memcpy(stop + 1, c->close.p, c->close.len);
        until = (struct slice){stop, c->close.len + 1};
        from++;
    }
    q = find(c->p + from, c->n - from, until);
    if (!q)
        return err_set(c->e, ERR_FORMAT, "line %d: a tag begins and does not end", line_of(c, at));
    t->end = (size_t)(q - c->p) + until.len;
    t->body = (struct slice){c->p + from, (size_t)(q - c->p) - from};
    if (t->sigil == '=' || t->sigil == '{')
        return 0;
    t->sigil = t->body.len ? sigil_of(t->body.p[0])->c : 0;
    if (t->sigil)
        t->body.p++, t->body.len--;
    return 0;
}

static int open_section(struct cutter *c, const struct piece *t)
{
    if (t->otherwise.p && !slice_is(t->otherwise, "true") && !slice_is(t->otherwise, "false"))
        return err_set(c->e, ERR_FORMAT, "line %d: after ?? a section takes true or false", t->line);
    if (c->nopen == TEMPLATE_MAX_NESTING)
        return err_set(c->e, ERR_LIMIT, "line %d: sections nest deeper than %d", t->line, TEMPLATE_MAX_NESTING);
    c->open_sections[c->nopen++] = c->out->at.n;
    return 0;
}

static int push_tag(struct cutter *c, struct piece *t)
{
    int rc = 0;

    t->text = trimmed(t->text);
    if (t->kind != P_END && t->kind != P_PART)
        split_default(t);
    if (!name_ok(t->text))
        return err_set(c->e, ERR_FORMAT, "line %d: '%.*s' is not a name", t->line, (int)(t->text.len > 60 ? 60 : t->text.len),
                       t->text.p);
    if (t->kind == P_END)
        rc = close_section(c, t);
    if (t->kind == P_SECTION || t->kind == P_INVERTED)
        rc = open_section(c, t);
    if (rc == 0)
        vec_push(&c->out->at, *t);
    return rc;
}

/* The text before the tag and the tag; what comes next is what comes behind both, or behind their line. */
static int cut_tag(struct cutter *c, size_t at, size_t text_from)
{
    size_t line_from, line_to;
    const struct sigil *s;
    struct piece t = {0};
    struct tag tag = {0};
    int rc = find_tag(c, at, text_from, &tag);

    if (rc != 0)
        return rc;
    s = sigil_of(tag.sigil);
    if (s->takes_line && alone(c, at, tag.end, &line_from, &line_to) && line_from >= text_from) {
        push_text(c, text_from, line_from);
        if (s->kind == P_PART)
            t.indent = (struct slice){c->p + line_from, at - line_from};
        c->i = line_to;
    } else {
        push_text(c, text_from, at);
        c->i = tag.end;
    }
    t.kind = s->kind;
    t.text = tag.body;
    t.line = line_of(c, at);
    if (tag.sigil == '=')
        return set_delimiters(c, tag.body, t.line);
    return s->is_piece ? push_tag(c, &t) : 0;
}

int template_cut(struct slice text, struct pieces *out, struct err *e)
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
