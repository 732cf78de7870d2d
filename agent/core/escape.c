/* One small writer per language. */
#include "agent/core/escape.h"

#include "common/base/check.h"

#include <string.h>

const char *const escape_words[] = {"none", "shell", "systemd", "json", "haproxy", "html", NULL};

enum escape_mode escape_from_word(const char *word)
{
    for (int i = 0; escape_words[i]; i++)
        if (strcmp(escape_words[i], word) == 0)
            return (enum escape_mode)i;
    CHECK(!"an escape mode that the schema let through");
    return ESCAPE_NONE;
}

static void shell_word(const char *p, size_t n, struct str *out)
{
    str_append_c(out, '\'');
    for (size_t i = 0; i < n; i++) {
        if (p[i] == '\'')
            str_append_z(out, "'\\''");
        else
            str_append_c(out, p[i]);
    }
    str_append_c(out, '\'');
}

/* What a character becomes, or NULL when it stays. */
static const char *systemd_char(char c)
{
    switch (c) {
    case '\\': return "\\\\";
    case '"': return "\\\"";
    case '%': return "%%";
    case '\n': return "\\n";
    case '\t': return "\\t";
    case '\r': return "\\r";
    default: return NULL;
    }
}

static const char *json_char(char c)
{
    switch (c) {
    case '\\': return "\\\\";
    case '"': return "\\\"";
    case '\n': return "\\n";
    case '\t': return "\\t";
    case '\r': return "\\r";
    case '\b': return "\\b";
    case '\f': return "\\f";
    default: return NULL;
    }
}

static const char *haproxy_char(char c)
{
    switch (c) {
    case '\\': return "\\\\";
    case '"': return "\\\"";
    case '\'': return "\\'";
    case ' ': return "\\ ";
    case '#': return "\\#";
    case '\n': return "\\n";
    case '\t': return "\\t";
    case '\r': return "\\r";
    default: return NULL;
    }
}

static const char *html_char(char c)
{
    switch (c) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '"': return "&quot;";
    case '\'': return "&#39;";
    default: return NULL;
    }
}

static int by_char(const char *(*of)(char), enum escape_mode mode, const char *p, size_t n, struct str *out,
                   struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        const char *z = of(p[i]);

        if (z)
            str_append_z(out, z);
        else if (mode == ESCAPE_JSON && (unsigned char)p[i] < 0x20)
            str_printf(out, "\\u%04x", (unsigned)(unsigned char)p[i]);
        else if (mode != ESCAPE_HTML && (unsigned char)p[i] < 0x20)
            return err_set(e, ERR_FORMAT, "the value holds a control character (0x%02x) that %s cannot hold",
                           (unsigned)(unsigned char)p[i], escape_words[mode]);
        else
            str_append_c(out, p[i]);
    }
    return 0;
}

int escape_append(enum escape_mode mode, const char *p, size_t n, struct str *out, struct err *e)
{
    switch (mode) {
    case ESCAPE_NONE: str_append(out, p, n); return 0;
    case ESCAPE_SHELL: shell_word(p, n, out); return 0;
    case ESCAPE_SYSTEMD: return by_char(systemd_char, mode, p, n, out, e);
    case ESCAPE_JSON: return by_char(json_char, mode, p, n, out, e);
    case ESCAPE_HAPROXY: return by_char(haproxy_char, mode, p, n, out, e);
    case ESCAPE_HTML: return by_char(html_char, mode, p, n, out, e);
    }
    return err_set(e, ERR_UNKNOWN, "no such escape mode");
}
