/* Text <-> number, strictly. strtod and friends are given a terminated copy, after the
 * forms that we do not want (leading blanks, nan) are ruled out. */
#include "common/base/num.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 5200      /* digits of the largest long double, and some */

bool num_u64(const char *p, size_t n, uint64_t *out)
{
    uint64_t v = 0;

    if (n == 0 || n > 20 || (p[0] == '0' && n > 1))
        return false;
    for (size_t i = 0; i < n; i++) {
        unsigned digit = (unsigned)(unsigned char)p[i] - '0';

        if (digit > 9 || __builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, digit, &v))
            return false;
    }
    *out = v;
    return true;
}

bool num_i64(const char *p, size_t n, int64_t *out)
{
    bool negative = n > 0 && p[0] == '-';
    uint64_t v;

    if (!num_u64(p + negative, n - negative, &v))
        return false;
    if (negative) {
        if (v == 0 || v > (uint64_t)INT64_MAX + 1)
            return false;
        *out = (int64_t)(0 - v);
    } else {
        if (v > INT64_MAX)
            return false;
        *out = (int64_t)v;
    }
    return true;
}

bool num_i64_in(const char *p, size_t n, int64_t lo, int64_t hi, int64_t *out)
{
    int64_t v;

    if (!num_i64(p, n, &v) || v < lo || v > hi)
        return false;
    *out = v;
    return true;
}

/* A terminated copy in z; false for what no number may begin with. */
static bool as_text(const char *p, size_t n, char *z, size_t cap)
{
    if (n == 0 || n >= cap || memchr(p, '\0', n) || (unsigned char)p[0] <= ' ')
        return false;
    memcpy(z, p, n);
    z[n] = '\0';
    return true;
}

bool num_f64(const char *p, size_t n, double *out)
{
    char z[TEXT_MAX], *end;
    double v;

    if (!as_text(p, n, z, sizeof z))
        return false;
    errno = 0;
    v = strtod(z, &end);
    if (end != z + n || isnan(v) || (errno == ERANGE && (isinf(v) || v == 0)))
        return false;
    *out = v;
    return true;
}

bool num_f80(const char *p, size_t n, long double *out)
{
    char z[TEXT_MAX], *end;
    long double v;

    if (!as_text(p, n, z, sizeof z))
        return false;
    errno = 0;
    v = strtold(z, &end);
    if (end != z + n || isnan(v) || (errno == ERANGE && (isinf(v) || v == 0)))
        return false;
    *out = v;
    return true;
}

int num_hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

size_t num_put_i64(char out[NUM_I64_MAX], int64_t v)
{
    char digits[NUM_I64_MAX];
    uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    size_t d = sizeof digits, n = 0;

    do {
        digits[--d] = (char)('0' + u % 10);
        u /= 10;
    } while (u > 0);
    if (v < 0)
        out[n++] = '-';
    memcpy(out + n, digits + d, sizeof digits - d);
    n += sizeof digits - d;
    out[n] = '\0';
    return n;
}

size_t num_put_f64(char out[NUM_F64_MAX], double v)
{
    const double exact = 9007199254740992.0;      /* 2^53: below it every whole number is itself */

    if (isinf(v))
        return (size_t)snprintf(out, NUM_F64_MAX, v > 0 ? "inf" : "-inf");
    if (isnan(v))
        return (size_t)snprintf(out, NUM_F64_MAX, "nan");
    if (v > -exact && v < exact && v == (double)(int64_t)v && !(v == 0 && signbit(v)))
        return num_put_i64(out, (int64_t)v);
    for (int digits = 15; digits < 17; digits++) {
        int n = snprintf(out, NUM_F64_MAX, "%.*g", digits, v);

        if (strtod(out, NULL) == v)
            return (size_t)n;
    }
    return (size_t)snprintf(out, NUM_F64_MAX, "%.17g", v);
}

size_t num_put_f80_human(char out[NUM_F64_MAX], long double v)
{
    int n;

    if (isinf(v))
        return (size_t)snprintf(out, NUM_F64_MAX, v > 0 ? "inf" : "-inf");
    n = snprintf(out, NUM_F64_MAX, "%.17Lf", v);
    if (n >= NUM_F64_MAX)                          /* beyond 1e108: digits that mean nothing would not fit */
        return (size_t)snprintf(out, NUM_F64_MAX, "%.17Lg", v);
    while (out[n - 1] == '0')
        n--;
    if (out[n - 1] == '.')
        n--;
    out[n] = '\0';
    if (strcmp(out, "-0") == 0) {
        strcpy(out, "0");
        n = 1;
    }
    return (size_t)n;
}

struct unit {
    const char *name;
    int64_t factor;
};

static bool same_word(const char *p, size_t n, const char *z)
{
    size_t i;

    for (i = 0; i < n && z[i]; i++)
        if ((p[i] >= 'A' && p[i] <= 'Z' ? p[i] + 32 : p[i]) != z[i])
            return false;
    return i == n && !z[i];
}

/* Digits, then one of the units; the unit "" is how a bare number counts. */
static bool with_unit(const char *p, size_t n, const struct unit *units, size_t nunits, int64_t *out)
{
    size_t digits = 0;
    int64_t v = 0, result;

    while (digits < n && p[digits] >= '0' && p[digits] <= '9') {
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, p[digits] - '0', &v))
            return false;
        digits++;
    }
    if (digits == 0)
        return false;
    for (size_t i = 0; i < nunits; i++) {
        if (!same_word(p + digits, n - digits, units[i].name))
            continue;
        if (__builtin_mul_overflow(v, units[i].factor, &result))
            return false;
        *out = result;
        return true;
    }
    return false;
}

bool num_size(const char *p, size_t n, int64_t *bytes)
{
    static const struct unit units[] = {
        {"", 1},          {"b", 1},          {"k", 1000},          {"kb", 1 << 10},
        {"m", 1000000},   {"mb", 1 << 20},   {"g", 1000000000},    {"gb", 1 << 30},
        {"t", 1000000000000}, {"tb", (int64_t)1 << 40},
    };

    return with_unit(p, n, units, sizeof units / sizeof units[0], bytes);
}

bool num_duration(const char *p, size_t n, int64_t unit_ms, int64_t *ms)
{
    const struct unit units[] = {{"", unit_ms}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    int64_t v;

    if (n > 1 && p[0] == '-') {                    /* "-1" as in "never" is a bare number only */
        if (!num_i64(p, n, &v) || __builtin_mul_overflow(v, unit_ms, &v))
            return false;
        *ms = v;
        return true;
    }
    return with_unit(p, n, units, sizeof units / sizeof units[0], ms);
}

size_t num_put_size_human(char *out, size_t cap, uint64_t bytes)
{
    static const char letter[] = "KMGTPE";
    double v = (double)bytes;
    int i = -1, n;

    if (bytes < 1024) {
        n = snprintf(out, cap, "%lluB", (unsigned long long)bytes);
    } else {
        while (v >= 1024 && letter[i + 1]) {
            v /= 1024;
            i++;
        }
        n = snprintf(out, cap, "%.2f%c", v, letter[i]);
    }
    return n < 0 ? 0 : (size_t)n < cap ? (size_t)n : cap ? cap - 1 : 0;
}
