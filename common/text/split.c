/* The word splitter. Output never outgrows the input by more than one byte per word, so
 * the memory is reserved once and the words can point into it. */
#include "common/text/split.h"

#include "common/base/mem.h"
#include "common/base/num.h"

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* p[*i] is behind the opening '"'; *i ends behind the closing one. */
static bool read_double(const char *p, size_t n, size_t *i, struct str *out)
{
    while (*i < n) {
        char c = p[(*i)++];

        if (c == '"')
            return true;
        if (c == '\\' && *i < n) {
            c = p[(*i)++];
            if (c == 'x' && *i + 1 < n && num_hex_digit(p[*i]) >= 0 && num_hex_digit(p[*i + 1]) >= 0) {
                c = (char)(num_hex_digit(p[*i]) * 16 + num_hex_digit(p[*i + 1]));
                *i += 2;
            } else {
                switch (c) {
                case 'n': c = '\n'; break;
                case 'r': c = '\r'; break;
                case 't': c = '\t'; break;
                case 'b': c = '\b'; break;
                case 'a': c = '\a'; break;
                }
            }
        }
        str_append_c(out, c);
    }
    return false;
}

static bool read_single(const char *p, size_t n, size_t *i, struct str *out)
{
    while (*i < n) {
        char c = p[(*i)++];

        if (c == '\'')
            return true;
        if (c == '\\' && *i < n && p[*i] == '\'')
            c = p[(*i)++];
        str_append_c(out, c);
    }
    return false;
}

static bool read_word(const char *p, size_t n, size_t *i, struct str *out)
{
    while (*i < n && !is_blank(p[*i])) {
        char c = p[(*i)++];

        if (c == '"' || c == '\'') {
            if (!(c == '"' ? read_double : read_single)(p, n, i, out))
                return false;
            return *i == n || is_blank(p[*i]);
        }
        str_append_c(out, c);
    }
    return true;
}

bool split_words(const char *p, size_t n, struct slice **argv, int *cap, int *argc, struct str *mem)
{
    size_t i = 0;

    *argc = 0;
    str_clear(mem);
    str_reserve(mem, n + n / 2 + 2);      /* the shortest word is one byte and a blank, or two quotes */
    for (;;) {
        size_t at;

        while (i < n && is_blank(p[i]))
            i++;
        if (i == n)
            return true;
        at = mem->len;
        if (!read_word(p, n, &i, mem))
            return false;
        if (*argc == *cap) {
            *cap = *cap ? *cap * 2 : 8;
            *argv = mem_realloc(*argv, (size_t)*cap * sizeof **argv);
        }
        (*argv)[(*argc)++] = (struct slice){mem->p + at, mem->len - at};
        str_append_c(mem, '\0');
    }
}
