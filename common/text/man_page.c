/* Line by line; the only thing remembered between lines is the head of the table they stand in. */
#include "common/text/man_page.h"

#include <stdbool.h>
#include <string.h>

#define CELLS_MAX 8

struct page {
    struct str *out;
    struct slice head[CELLS_MAX];        /* of the table we are in */
    size_t columns;                      /* 0: in no table */
    bool in_code;                        /* an indented block */
    bool in_text;                        /* a paragraph has begun */
};

static struct slice trim(struct slice s)
{
    while (s.len && (s.p[0] == ' ' || s.p[0] == '\t'))
        s.p++, s.len--;
    while (s.len && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
        s.len--;
    return s;
}

static bool starts(struct slice s, const char *z) { return s.len >= strlen(z) && memcmp(s.p, z, strlen(z)) == 0; }

/* Text as troff reads it: no escape, no request at a line's start, hyphens that can be copied. */
static void put_plain(struct str *out, struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        bool first = out->len == 0 || str_c(out)[out->len - 1] == '\n';

        switch (s.p[i]) {
        case '\\':
            if (i + 1 == s.len || s.p[i + 1] != '|')       /* "\|" is how a bar stands in a table */
                str_append_z(out, "\\e");
            break;
        case '-': str_append_z(out, "\\-"); break;
        case '.':
        case '\'':
            if (first)
                str_append_z(out, "\\&");
            str_append_c(out, s.p[i]);
            break;
        default: str_append_c(out, s.p[i]);
        }
    }
}

/* Up to the closing mark, or NULL when there is none on this line. */
static const char *closing(struct slice s, size_t from, const char *mark)
{
    size_t n = strlen(mark);

    for (size_t i = from; i + n <= s.len; i++)
        if (memcmp(s.p + i, mark, n) == 0)
            return s.p + i;
    return NULL;
}

static void put_inline(struct str *out, struct slice s)
{
    for (size_t i = 0; i < s.len;) {
        const char *mark = s.p[i] == '`' ? "`" : starts((struct slice){s.p + i, s.len - i}, "**") ? "**" : NULL;
        const char *end = mark ? closing(s, i + strlen(mark), mark) : NULL;

        if (end) {
            const char *from = s.p + i + strlen(mark);
            str_append_z(out, "\\fB");
            put_plain(out, (struct slice){from, (size_t)(end - from)});
            str_append_z(out, "\\fR");
            i = (size_t)(end - s.p) + strlen(mark);
        } else {
            size_t n = s.p[i] == '\\' && i + 1 < s.len ? 2 : 1;
            put_plain(out, (struct slice){s.p + i, n});
            i += n;
        }
    }
}

/* "| a | b |" into cells; a bar behind a backslash is text. */
static size_t cells_of(struct slice line, struct slice *cell)
{
    size_t n = 0, from = 1;

    for (size_t i = 1; i < line.len && n < CELLS_MAX; i++)
        if (line.p[i] == '|' && line.p[i - 1] != '\\') {
            cell[n++] = trim((struct slice){line.p + from, i - from});
            from = i + 1;
        }
    return n;
}

static bool is_rule(struct slice line)
{
    for (size_t i = 0; i < line.len; i++)
        if (!strchr("|-: ", line.p[i]))
            return false;
    return true;
}

static void end_blocks(struct page *g)
{
    if (g->in_code)
        str_append_z(g->out, ".EE\n.RE\n");
    g->in_code = g->in_text = false;
    g->columns = 0;
}

static void table_line(struct page *g, struct slice line)
{
    struct slice cell[CELLS_MAX];
    size_t n = cells_of(line, cell), said = 0;

    if (g->columns == 0) {
        end_blocks(g);
        memcpy(g->head, cell, sizeof cell);
        g->columns = n;
        return;
    }
    if (is_rule(line) || n == 0)
        return;
    if (n > g->columns)                          /* more cells than the table has columns have no name */
        n = g->columns;
    str_append_z(g->out, ".TP\n");
    put_inline(g->out, cell[0]);
    str_append_c(g->out, '\n');
    if (n > 1 && cell[n - 1].len) {
        put_inline(g->out, cell[n - 1]);
        str_append_c(g->out, '\n');
    }
    for (size_t i = 1; i + 1 < n; i++) {
        if (cell[i].len == 0 || (cell[i].len == 2 && memcmp(cell[i].p, "``", 2) == 0))
            continue;
        str_append_z(g->out, said++ ? "; " : "(");
        put_inline(g->out, g->head[i]);
        str_append_z(g->out, ": ");
        put_inline(g->out, cell[i]);
    }
    if (said)
        str_append_z(g->out, ")\n");
}

static void heading(struct page *g, struct slice line)
{
    size_t depth = 0;
    struct slice text;

    while (depth < line.len && line.p[depth] == '#')
        depth++;
    text = trim((struct slice){line.p + depth, line.len - depth});
    end_blocks(g);
    if (depth == 1)
        return;
    str_append_z(g->out, depth == 2 ? ".SH " : ".SS ");
    str_append_c(g->out, '"');
    for (size_t i = 0; i < text.len; i++) {
        char c = text.p[i];

        if (depth == 2 && c >= 'a' && c <= 'z')
            c = (char)(c - 32);
        if (c == '"')
            str_append_z(g->out, "\\(dq");
        else if (c != '`')
            put_plain(g->out, (struct slice){&c, 1});
    }
    str_append_z(g->out, "\"\n");
}

static void text_line(struct page *g, struct slice raw)
{
    struct slice line = trim(raw);

    g->columns = 0;
    if (line.len == 0) {
        if (g->in_code)
            end_blocks(g);
        g->in_text = false;
        return;
    }
    if (starts(raw, "    ")) {
        if (!g->in_code)
            str_append_z(g->out, ".PP\n.RS 4\n.EX\n");
        g->in_code = true;
        put_plain(g->out, (struct slice){raw.p + 4, raw.len - 4});
        str_append_c(g->out, '\n');
        return;
    }
    if (g->in_code)
        end_blocks(g);
    if (starts(line, "* ") || starts(line, "- ")) {
        str_append_z(g->out, ".IP \\(bu 2\n");
        line = trim((struct slice){line.p + 2, line.len - 2});
    } else if (!g->in_text) {
        str_append_z(g->out, ".PP\n");
    }
    g->in_text = true;
    put_inline(g->out, line);
    str_append_c(g->out, '\n');
}

void man_page(const struct man_page *p, struct slice md, struct str *out)
{
    struct page g = {.out = out};
    size_t n = strlen(p->summary);

    str_append_z(out, ".TH ");
    for (const char *c = p->name; *c; c++)
        str_append_c(out, *c >= 'a' && *c <= 'z' ? (char)(*c - 32) : *c);
    str_printf(out, " %s \"\" \"Kvorum %s\" \"Kvorum\"\n.SH NAME\n", p->section, p->version);
    put_plain(out, slice_z(p->name));
    str_append_z(out, " \\- ");
    put_plain(out, (struct slice){p->summary, n && p->summary[n - 1] == '.' ? n - 1 : n});
    str_append_c(out, '\n');
    while (md.len) {
        const char *nl = memchr(md.p, '\n', md.len);
        struct slice line = {md.p, nl ? (size_t)(nl - md.p) : md.len};

        md.p += line.len + (nl != NULL);
        md.len -= line.len + (nl != NULL);
        if (starts(line, "#"))
            heading(&g, line);
        else if (starts(line, "|"))
            table_line(&g, line);
        else
            text_line(&g, line);
    }
    end_blocks(&g);
}
