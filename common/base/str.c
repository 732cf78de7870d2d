/* Growable strings and borrowed slices. Room grows by doubling up to 1 MiB, then by
 * a quarter, so that a long string does not hold twice its size. */
#include "common/base/str.h"

#include "common/base/check.h"
#include "common/base/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

void str_fini(struct str *s)
{
    mem_free(s->p);
    *s = (struct str){0};
}

void str_clear(struct str *s)
{
    s->len = 0;
    if (s->p)
        s->p[0] = '\0';
}

/* cap counts text bytes; one more is always there for the '\0'. */
void str_reserve(struct str *s, size_t more)
{
    size_t want, cap;

    CHECK(more < SIZE_MAX / 2 - s->len);
    want = s->len + more;
    if (s->p && want <= s->cap)
        return;
    cap = s->cap < (1 << 20) ? s->cap * 2 : s->cap + s->cap / 4;
    if (cap < want)
        cap = want;
    if (cap < 15)
        cap = 15;
    s->p = mem_realloc(s->p, cap + 1);
    s->cap = cap;
    s->p[s->len] = '\0';
}

void str_append(struct str *s, const void *p, size_t n)
{
    str_reserve(s, n);
    if (n)
        memcpy(s->p + s->len, p, n);
    s->len += n;
    s->p[s->len] = '\0';
}

void str_append_c(struct str *s, char c)
{
    str_append(s, &c, 1);
}

void str_append_z(struct str *s, const char *z)
{
    str_append(s, z, strlen(z));
}

void str_vprintf(struct str *s, const char *fmt, va_list ap)
{
    va_list again;
    int n;

    va_copy(again, ap);
    str_reserve(s, 64);
    n = vsnprintf(s->p + s->len, s->cap - s->len + 1, fmt, ap);
    CHECK(n >= 0);
    if ((size_t)n > s->cap - s->len) {
        str_reserve(s, (size_t)n);
        vsnprintf(s->p + s->len, s->cap - s->len + 1, fmt, again);
    }
    va_end(again);
    s->len += (size_t)n;
}

void str_printf(struct str *s, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    str_vprintf(s, fmt, ap);
    va_end(ap);
}

void str_set(struct str *s, const void *p, size_t n)
{
    s->len = 0;
    str_append(s, p, n);
}

void str_set_z(struct str *s, const char *z)
{
    str_set(s, z, strlen(z));
}

void str_cut(struct str *s, size_t len)
{
    CHECK(len <= s->len);
    s->len = len;
    if (s->p)
        s->p[len] = '\0';
}

void str_drop(struct str *s, size_t n)
{
    CHECK(n <= s->len);
    if (n == 0)
        return;
    memmove(s->p, s->p + n, s->len - n);
    str_cut(s, s->len - n);
}

char *str_take(struct str *s)
{
    char *p = s->p ? s->p : mem_strdup("");

    *s = (struct str){0};
    return p;
}

const char *str_c(const struct str *s)
{
    return s->p ? s->p : "";
}

void str_append_quoted(struct str *s, const void *p, size_t n)
{
    static const char plain[] = "\\\"\n\r\t\a\b";
    static const char letter[] = "\\\"nrtab";
    const unsigned char *b = p;

    str_reserve(s, n + 2);
    str_append_c(s, '"');
    for (size_t i = 0; i < n; i++) {
        const char *at = b[i] ? strchr(plain, b[i]) : NULL;

        if (at) {
            str_append_c(s, '\\');
            str_append_c(s, letter[at - plain]);
        } else if (b[i] >= 0x20 && b[i] < 0x7f) {
            str_append_c(s, (char)b[i]);
        } else {
            str_append_z(s, "\\x");
            str_append_hex(s, b + i, 1);
        }
    }
    str_append_c(s, '"');
}

void str_append_hex(struct str *s, const void *p, size_t n)
{
    static const char digit[] = "0123456789abcdef";
    const unsigned char *b = p;

    str_reserve(s, 2 * n);
    for (size_t i = 0; i < n; i++) {
        s->p[s->len++] = digit[b[i] >> 4];
        s->p[s->len++] = digit[b[i] & 15];
    }
    s->p[s->len] = '\0';
}

struct slice slice_z(const char *z)
{
    return (struct slice){z, strlen(z)};
}

bool slice_eq(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

bool slice_is(struct slice a, const char *z)
{
    return slice_eq(a, slice_z(z));
}

static unsigned char fold(unsigned char c)
{
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c + 32) : c;
}

bool slice_is_nocase(struct slice a, const char *z)
{
    size_t i;

    for (i = 0; i < a.len && z[i]; i++)
        if (fold((unsigned char)a.p[i]) != fold((unsigned char)z[i]))
            return false;
    return i == a.len && z[i] == '\0';
}

bool str_eq_nocase(const char *a, const char *b)
{
    return slice_is_nocase(slice_z(a), b);
}

bool slice_copy_z(struct slice a, char *dst, size_t cap)
{
    size_t n = a.len;

    CHECK(cap > 0);
    if (n > cap - 1)
        n = cap - 1;
    if (n)
        memcpy(dst, a.p, n);
    dst[n] = '\0';
    return n == a.len;
}
