/* One walk over the bytes. */
#include "common/base/json_scan.h"

#include "common/base/num.h"
#include "common/base/utf8.h"

#include <stdbool.h>
#include <string.h>

struct scan {
    const char *p;
    size_t n, i;
    size_t line, line_start;
    int depth, depth_max;
    struct err *e;
};

static int bad(struct scan *s, int code, const char *what)
{
    return err_set(s->e, code, "line %zu, column %zu: %s", s->line, s->i - s->line_start + 1, what);
}

static void blanks(struct scan *s)
{
    for (; s->i < s->n; s->i++) {
        char c = s->p[s->i];

        if (c == '\n') {
            s->line++;
            s->line_start = s->i + 1;
        } else if (c != ' ' && c != '\t' && c != '\r') {
            return;
        }
    }
}

static bool at_word(const struct scan *s, const char *z)
{
    size_t n = strlen(z);

    return s->n - s->i >= n && memcmp(s->p + s->i, z, n) == 0;
}

static bool word(struct scan *s, const char *z)
{
    if (!at_word(s, z))
        return false;
    s->i += strlen(z);
    return true;
}

/* The four digits after \u; -1 when they are not. */
static int unit16(struct scan *s)
{
    int v = 0;

    if (s->n - s->i < 4)
        return -1;
    for (int k = 0; k < 4; k++) {
        int d = num_hex_digit(s->p[s->i + (size_t)k]);

        if (d < 0)
            return -1;
        v = v * 16 + d;
    }
    s->i += 4;
    return v;
}

static int escape(struct scan *s)
{
    int v;

    if (s->i >= s->n)
        return bad(s, ERR_FORMAT, "the text ends inside a string");
    switch (s->p[s->i]) {
    case '"': case '\\': case '/': case 'b': case 'f': case 'n': case 'r': case 't':
        s->i++;
        return 0;
    case 'u':
        s->i++;
        v = unit16(s);
        if (v < 0)
            return bad(s, ERR_FORMAT, "\\u needs four hex digits");
        if (v == 0)
            return bad(s, ERR_FORMAT, "\\u0000 is not allowed in a document");
        if (v >= 0xdc00 && v <= 0xdfff)
            return bad(s, ERR_FORMAT, "a low surrogate without its high half");
        if (v >= 0xd800 && v <= 0xdbff) {
            if (!word(s, "\\u"))
                return bad(s, ERR_FORMAT, "a high surrogate without its low half");
            v = unit16(s);
            if (v < 0xdc00 || v > 0xdfff)
                return bad(s, ERR_FORMAT, "a high surrogate without its low half");
        }
        return 0;
    default:
        return bad(s, ERR_FORMAT, "unknown escape in a string");
    }
}

static int string(struct scan *s)
{
    int rc;

    s->i++;
    while (s->i < s->n) {
        unsigned char c = (unsigned char)s->p[s->i];

        if (c == '"') {
            s->i++;
            return 0;
        }
        if (c < 0x20)
            return bad(s, ERR_FORMAT, "control character in a string (write it as an escape, \\n for a line break)");
        s->i++;
        if (c == '\\' && (rc = escape(s)) != 0)
            return rc;
    }
    return bad(s, ERR_FORMAT, "the text ends inside a string");
}

static bool digits(struct scan *s)
{
    size_t from = s->i;

    while (s->i < s->n && s->p[s->i] >= '0' && s->p[s->i] <= '9')
        s->i++;
    return s->i > from;
}

static int number(struct scan *s)
{
    if (at_word(s, "-Infinity"))
        return bad(s, ERR_FORMAT, "Infinity is not JSON (Python writes it; use a string or leave it out)");
    if (s->p[s->i] == '-')
        s->i++;
    if (s->i < s->n && s->p[s->i] == '0')
        s->i++;
    else if (!digits(s))
        return bad(s, ERR_FORMAT, "a number needs a digit here");
    if (s->i < s->n && s->p[s->i] >= '0' && s->p[s->i] <= '9')
        return bad(s, ERR_FORMAT, "a number must not begin with 0");
    if (s->i < s->n && s->p[s->i] == '.') {
        s->i++;
        if (!digits(s))
            return bad(s, ERR_FORMAT, "a number needs a digit after the point");
    }
    if (s->i < s->n && (s->p[s->i] == 'e' || s->p[s->i] == 'E')) {
        s->i++;
        if (s->i < s->n && (s->p[s->i] == '+' || s->p[s->i] == '-'))
            s->i++;
        if (!digits(s))
            return bad(s, ERR_FORMAT, "a number needs a digit in its exponent");
    }
    return 0;
}

static int value(struct scan *s);

static int members(struct scan *s, char close, bool named)
{
    int rc;

    if (++s->depth > s->depth_max)
        return err_set(s->e, ERR_LIMIT, "line %zu, column %zu: nested deeper than %d levels", s->line, s->i - s->line_start + 1,
                       s->depth_max);
    s->i++;
    blanks(s);
    if (s->i < s->n && s->p[s->i] == close) {
        s->i++;
        s->depth--;
        return 0;
    }
    for (;;) {
        blanks(s);
        if (named) {
            if (s->i >= s->n || s->p[s->i] != '"')
                return bad(s, ERR_FORMAT, "a name in double quotes must stand here");
            if ((rc = string(s)) != 0)
                return rc;
            blanks(s);
            if (s->i >= s->n || s->p[s->i] != ':')
                return bad(s, ERR_FORMAT, "':' must stand here");
            s->i++;
        }
        if ((rc = value(s)) != 0)
            return rc;
        blanks(s);
        if (s->i < s->n && s->p[s->i] == ',') {
            s->i++;
            continue;
        }
        if (s->i < s->n && s->p[s->i] == close) {
            s->i++;
            s->depth--;
            return 0;
        }
        return bad(s, ERR_FORMAT, close == '}' ? "',' or '}' must stand here" : "',' or ']' must stand here");
    }
}

static int value(struct scan *s)
{
    blanks(s);
    if (s->i >= s->n)
        return bad(s, ERR_FORMAT, "a value is missing at the end of the text");
    switch (s->p[s->i]) {
    case '{':
        return members(s, '}', true);
    case '[':
        return members(s, ']', false);
    case '"':
        return string(s);
    case '-': case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8': case '9':
        return number(s);
    default:
        if (word(s, "true") || word(s, "false") || word(s, "null"))
            return 0;
        if (at_word(s, "NaN"))
            return bad(s, ERR_FORMAT, "NaN is not JSON (Python writes it; use a string or leave it out)");
        if (at_word(s, "Infinity"))
            return bad(s, ERR_FORMAT, "Infinity is not JSON (Python writes it; use a string or leave it out)");
        return bad(s, ERR_FORMAT, "no JSON value begins like this");
    }
}

int json_scan_object(const char *p, size_t n, int depth_max, struct err *e)
{
    struct scan s = {.p = p, .n = n, .line = 1, .depth_max = depth_max, .e = e};
    size_t bad_at = 0;
    int rc;

    if (!utf8_is_valid(p, n, &bad_at))
        return err_set(e, ERR_FORMAT, "byte %zu is not UTF-8", bad_at + 1);
    blanks(&s);
    if (s.i >= n || p[s.i] != '{')
        return bad(&s, ERR_FORMAT, "a document is one JSON object: '{' must stand here");
    rc = value(&s);
    if (rc != 0)
        return rc;
    blanks(&s);
    return s.i < n ? bad(&s, ERR_FORMAT, "something stands after the end of the object") : 0;
}
