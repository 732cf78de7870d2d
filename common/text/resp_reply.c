/* The reply writer. Headers are put together by hand: they are on the path of every
 * request. */
#include "common/text/resp_reply.h"

#include "common/base/check.h"
#include "common/base/num.h"

#include <stdarg.h>
#include <string.h>

#define HEADER_MAX 24          /* sign, 20 digits, \r\n */
#define HOLE       4           /* what a hole keeps free: "*N\r\n" */

void reply_init(struct reply *r, struct buf *out, int resp)
{
    *r = (struct reply){.out = out, .resp = resp};
}

/* sign, number, \r\n at p; returns the length. */
static size_t put_header(char *p, char sign, int64_t v)
{
    size_t n = 1;

    p[0] = sign;
    if (v >= 0 && v < 10)
        p[n++] = (char)('0' + v);
    else
        n += num_put_i64(p + 1, v);
    p[n++] = '\r';
    p[n++] = '\n';
    return n;
}

static void header(struct reply *r, char sign, int64_t v)
{
    buf_added(r->out, put_header(buf_tail(r->out, HEADER_MAX), sign, v));
}

static void line(struct reply *r, char sign, const char *p, size_t n)
{
    char *at = buf_tail(r->out, n + 3);

    at[0] = sign;
    if (n)
        memcpy(at + 1, p, n);
    at[n + 1] = '\r';
    at[n + 2] = '\n';
    buf_added(r->out, n + 3);
}

void reply_ok(struct reply *r)
{
    buf_append(r->out, "+OK\r\n", 5);
}

void reply_simple(struct reply *r, const char *z)
{
    line(r, '+', z, strlen(z));
}

static void error_line(struct reply *r, const char *z, size_t n)
{
    char *at;

    while (n > 0 && (z[n - 1] == '\n' || z[n - 1] == '\r'))
        n--;
    line(r, '-', z, n);
    at = buf_data(r->out) + buf_len(r->out) - n - 2;
    for (size_t i = 0; i < n; i++)
        if (at[i] == '\r' || at[i] == '\n')
            at[i] = ' ';
    r->errors++;
    if (r->on_error) {
        const char *blank = memchr(z, ' ', n);
        r->on_error(r->on_error_arg, z, blank ? (size_t)(blank - z) : n);
    }
}

void reply_error(struct reply *r, const char *z)
{
    error_line(r, z, strlen(z));
}

void reply_errorf(struct reply *r, const char *fmt, ...)
{
    struct str s = {0};
    va_list ap;

    va_start(ap, fmt);
    str_vprintf(&s, fmt, ap);
    va_end(ap);
    error_line(r, str_c(&s), s.len);
    str_fini(&s);
}

void reply_int(struct reply *r, int64_t v)
{
    header(r, ':', v);
}

void reply_bulk(struct reply *r, const void *p, size_t n)
{
    char *at = buf_tail(r->out, HEADER_MAX + n + 2);
    size_t h = put_header(at, '$', (int64_t)n);

    if (n)
        memcpy(at + h, p, n);
    at[h + n] = '\r';
    at[h + n + 1] = '\n';
    buf_added(r->out, h + n + 2);
}

void reply_bulk_z(struct reply *r, const char *z)
{
    reply_bulk(r, z, strlen(z));
}

void reply_bulk_slice(struct reply *r, struct slice s)
{
    reply_bulk(r, s.p, s.len);
}

void reply_bulk_i64(struct reply *r, int64_t v)
{
    char digits[NUM_I64_MAX];

    reply_bulk(r, digits, num_put_i64(digits, v));
}

void reply_bulkf(struct reply *r, const char *fmt, ...)
{
    struct str s = {0};
    va_list ap;

    va_start(ap, fmt);
    str_vprintf(&s, fmt, ap);
    va_end(ap);
    reply_bulk(r, str_c(&s), s.len);
    str_fini(&s);
}

void reply_double(struct reply *r, double v)
{
    char digits[NUM_F64_MAX];
    size_t n = num_put_f64(digits, v);

    if (r->resp >= 3)
        line(r, ',', digits, n);
    else
        reply_bulk(r, digits, n);
}

void reply_bool(struct reply *r, bool v)
{
    if (r->resp >= 3)
        buf_append(r->out, v ? "#t\r\n" : "#f\r\n", 4);
    else
        reply_int(r, v);
}

void reply_null(struct reply *r)
{
    buf_append_z(r->out, r->resp >= 3 ? "_\r\n" : "$-1\r\n");
}

void reply_null_array(struct reply *r)
{
    buf_append_z(r->out, r->resp >= 3 ? "_\r\n" : "*-1\r\n");
}

void reply_verbatim(struct reply *r, const char *ext3, const void *p, size_t n)
{
    if (r->resp < 3) {
        reply_bulk(r, p, n);
        return;
    }
    CHECK(strlen(ext3) == 3);
    header(r, '=', (int64_t)n + 4);
    buf_append(r->out, ext3, 3);
    buf_append(r->out, ":", 1);
    buf_append(r->out, p, n);
    buf_append(r->out, "\r\n", 2);
}

void reply_big_number(struct reply *r, const char *digits)
{
    if (r->resp >= 3)
        line(r, '(', digits, strlen(digits));
    else
        reply_bulk_z(r, digits);
}

/* Which sign and count an aggregate of n elements (pairs for maps) has in this protocol. */
static void aggregate(const struct reply *r, char kind, size_t n, char *sign, int64_t *count)
{
    *sign = r->resp >= 3 ? kind : '*';
    *count = (int64_t)(*sign == '*' && kind == '%' ? 2 * n : n);
}

static void aggregate_header(struct reply *r, char kind, size_t n)
{
    char sign;
    int64_t count;

    aggregate(r, kind, n, &sign, &count);
    header(r, sign, count);
}

void reply_array(struct reply *r, size_t n)
{
    header(r, '*', (int64_t)n);
}

void reply_map(struct reply *r, size_t pairs)
{
    aggregate_header(r, '%', pairs);
}

void reply_set(struct reply *r, size_t n)
{
    aggregate_header(r, '~', n);
}

void reply_push(struct reply *r, size_t n)
{
    aggregate_header(r, '>', n);
}

void reply_attribute(struct reply *r, size_t pairs)
{
    CHECK(r->resp >= 3);
    header(r, '|', (int64_t)pairs);
}

struct reply_hole reply_hole(struct reply *r)
{
    struct reply_hole h = {buf_len(r->out)};

    buf_append(r->out, "*0\r\n", HOLE);
    return h;
}

static void fill(struct reply *r, struct reply_hole h, char kind, size_t n)
{
    char text[HEADER_MAX], sign, *at;
    int64_t count;
    size_t len, tail;

    aggregate(r, kind, n, &sign, &count);
    len = put_header(text, sign, count);
    CHECK(h.at + HOLE <= buf_len(r->out));
    tail = buf_len(r->out) - h.at - HOLE;
    if (len > HOLE) {
        buf_tail(r->out, len - HOLE);
        at = buf_data(r->out) + h.at;
        memmove(at + len, at + HOLE, tail);
        buf_added(r->out, len - HOLE);
    }
    memcpy(buf_data(r->out) + h.at, text, len);
}

void reply_fill_array(struct reply *r, struct reply_hole h, size_t n)
{
    fill(r, h, '*', n);
}

void reply_fill_map(struct reply *r, struct reply_hole h, size_t pairs)
{
    fill(r, h, '%', pairs);
}

void reply_fill_set(struct reply *r, struct reply_hole h, size_t n)
{
    fill(r, h, '~', n);
}

void reply_raw(struct reply *r, const void *p, size_t n)
{
    buf_append(r->out, p, n);
}
