#include "sentinel/wire/journal_text.h"

#include "common/base/hash.h"
#include "common/base/num.h"

#include <string.h>

#define CHECK_HEX 16

/* Not a secret: it tells what a disk did, not what a stranger wrote. */
static uint64_t check_of(const char *p, size_t n)
{
    static const uint8_t seed[16] = "kvorum-journal";

    return hash_with(seed, p, n);
}

static bool is_plain(unsigned char c) { return c > ' ' && c < 0x7f && c != '%'; }

void journal_text_put(struct str *out, int64_t wall_ms, const char *group, const char *text)
{
    struct str line = {0};
    size_t n = strlen(text);

    str_printf(&line, "%lld ", (long long)(wall_ms > 0 ? wall_ms : 0));
    for (const char *p = group; *p; p++)
        if (is_plain((unsigned char)*p))
            str_append_c(&line, *p);
        else
            str_printf(&line, "%%%02x", (unsigned)(unsigned char)*p);
    str_append_c(&line, ' ');
    for (size_t i = 0; i < n && i < JOURNAL_TEXT_MAX; i++)
        str_append_c(&line, (unsigned char)text[i] < ' ' || text[i] == 0x7f ? ' ' : text[i]);
    str_printf(out, "%016llx %s\n", (unsigned long long)check_of(str_c(&line), line.len), str_c(&line));
    str_fini(&line);
}

/* ---- reading -------------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_check(const char *p, uint64_t *out)
{
    *out = 0;
    for (int i = 0; i < CHECK_HEX; i++) {
        int d = hex_digit(p[i]);
        if (d < 0)
            return false;
        *out = *out << 4 | (unsigned)d;
    }
    return p[CHECK_HEX] == ' ';
}

static bool read_group(struct slice w, struct str *out)
{
    for (size_t i = 0; i < w.len; i++) {
        if (w.p[i] != '%') {
            if (!is_plain((unsigned char)w.p[i]))
                return false;
            str_append_c(out, w.p[i]);
            continue;
        }
        if (i + 2 >= w.len || hex_digit(w.p[i + 1]) < 0 || hex_digit(w.p[i + 2]) < 0)
            return false;
        str_append_c(out, (char)(hex_digit(w.p[i + 1]) << 4 | hex_digit(w.p[i + 2])));
        if (out->p[out->len - 1] == '\0')
            return false;
        i += 2;
    }
    return out->len > 0;
}

static bool read_line(const char *p, size_t n, struct journal_entry *e)
{
    const char *group, *text;
    uint64_t check;

    if (n < CHECK_HEX + 1 || !read_check(p, &check))
        return false;
    p += CHECK_HEX + 1;
    n -= CHECK_HEX + 1;
    if (check_of(p, n) != check || (group = memchr(p, ' ', n)) == NULL)
        return false;
    if (!num_i64_in(p, (size_t)(group - p), 0, INT64_MAX, &e->wall_ms))
        return false;
    group++;
    text = memchr(group, ' ', n - (size_t)(group - p));
    if (!text || (size_t)(p + n - text - 1) > JOURNAL_TEXT_MAX || memchr(text, '\0', (size_t)(p + n - text)))
        return false;
    if (!read_group((struct slice){group, (size_t)(text - group)}, &e->group))
        return false;
    str_append(&e->text, text + 1, (size_t)(p + n - text - 1));
    return true;
}

bool journal_text_next(struct slice *rest, struct journal_entry *e, uint64_t *bad)
{
    const char *nl;

    while (rest->len > 0 && (nl = memchr(rest->p, '\n', rest->len)) != NULL) {
        const char *p = rest->p;
        size_t n = (size_t)(nl - p);

        rest->p += n + 1;
        rest->len -= n + 1;
        str_cut(&e->group, 0);
        str_cut(&e->text, 0);
        if (read_line(p, n, e))
            return true;
        ++*bad;
    }
    return false;
}
