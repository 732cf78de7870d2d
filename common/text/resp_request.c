/* The request parser. Between calls it keeps offsets only, so the caller's buffer may
 * move. A length is believed when its bytes are there: what a header promises costs no
 * memory. Whatever the pieces in which bytes arrive, the result is the same. */
#include "common/text/resp_request.h"

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/base/num.h"
#include "common/text/split.h"

#include <limits.h>
#include <stdarg.h>
#include <string.h>

#define SPANS_KEPT 1024          /* memory for more arguments than this is given back */
#define WORDS_KEPT (64 * 1024)

const struct resp_limits resp_limits_default = {64 * 1024, 1024 * 1024, (int64_t)512 << 20};
const struct resp_limits resp_limits_guest = {64 * 1024, 10, 16384};

void resp_parser_init(struct resp_parser *p)
{
    *p = (struct resp_parser){.want = -1, .bulk = -1};
}

void resp_parser_fini(struct resp_parser *p)
{
    mem_free(p->spans);
    mem_free(p->argv);
    str_fini(&p->words);
    resp_parser_init(p);
}

static void rewind_to_start(struct resp_parser *p)
{
    p->pos = p->scan = 0;
    p->want = -1;
    p->bulk = -1;
    p->nspans = 0;
}

void resp_parser_reset(struct resp_parser *p)
{
    rewind_to_start(p);
    if (p->cap > SPANS_KEPT || p->argv_cap > SPANS_KEPT || p->words.cap > WORDS_KEPT)
        resp_parser_fini(p);
}

static enum resp_result bad(struct err *e, const char *what)
{
    err_set(e, ERR_FORMAT, "Protocol error: %s", what);
    return RESP_BAD;
}

static bool is_guest(const struct resp_limits *lim)
{
    return lim->args <= resp_limits_guest.args;
}

/* The next `end` byte at or behind p->pos, with `behind` bytes after it. A line longer than the
 * limit is refused whether or not its end is there, so that arrival in pieces changes nothing. */
static enum resp_result find_end(struct resp_parser *p, const struct resp_limits *lim, const char *data, size_t len,
                                 char end, size_t behind, const char *too_big, size_t *at, struct err *e)
{
    size_t stop = len - p->pos > lim->inline_bytes ? p->pos + lim->inline_bytes : len;
    const char *found;

    if (p->scan < p->pos)
        p->scan = p->pos;
    found = p->scan < stop ? memchr(data + p->scan, end, stop - p->scan) : NULL;
    if (!found) {
        p->scan = stop;
        return len - p->pos > lim->inline_bytes ? bad(e, too_big) : RESP_MORE;
    }
    *at = (size_t)(found - data);
    p->scan = *at;
    return len - *at > behind ? RESP_READY : RESP_MORE;
}

static enum resp_result parse_inline(struct resp_parser *p, const struct resp_limits *lim, const char *data, size_t len,
                                     int *argc, size_t *used, struct err *e)
{
    size_t end;
    enum resp_result got = find_end(p, lim, data, len, '\n', 0, "too big inline request", &end, e);

    if (got != RESP_READY)
        return got;
    *used = end + 1;
    if (end > 0 && data[end - 1] == '\r')
        end--;
    if (!split_words(data, end, &p->argv, &p->argv_cap, argc, &p->words))
        return bad(e, "unbalanced quotes in request");
    return RESP_READY;
}

/* "*<count>\r\n" */
static enum resp_result parse_count(struct resp_parser *p, const struct resp_limits *lim, const char *data, size_t len,
                                    struct err *e)
{
    size_t end;
    int64_t n;
    enum resp_result got = find_end(p, lim, data, len, '\r', 1, "too big mbulk count string", &end, e);

    if (got != RESP_READY)
        return got;
    if (!num_i64(data + 1, end - 1, &n) || n > INT_MAX)
        return bad(e, "invalid multibulk length");
    if (n > lim->args)
        return bad(e, is_guest(lim) ? "unauthenticated multibulk length" : "invalid multibulk length");
    p->want = n > 0 ? (int)n : 0;
    p->pos = end + 2;
    return RESP_READY;
}

/* "$<length>\r\n" */
static enum resp_result parse_length(struct resp_parser *p, const struct resp_limits *lim, const char *data, size_t len,
                                     struct err *e)
{
    unsigned char first;
    size_t end;
    int64_t n;
    enum resp_result got;

    if (p->pos >= len)
        return RESP_MORE;
    first = (unsigned char)data[p->pos];
    if (first != '$') {
        err_set(e, ERR_FORMAT, first > ' ' && first < 0x7f ? "Protocol error: expected '$', got '%c'"
                                                            : "Protocol error: expected '$', got '\\x%02x'", first);
        return RESP_BAD;
    }
    got = find_end(p, lim, data, len, '\r', 1, "too big bulk count string", &end, e);
    if (got != RESP_READY)
        return got;
    if (!num_i64(data + p->pos + 1, end - p->pos - 1, &n) || n < 0)
        return bad(e, "invalid bulk length");
    if (n > lim->bulk_bytes)
        return bad(e, is_guest(lim) && n <= resp_limits_default.bulk_bytes ? "unauthenticated bulk length"
                                                                           : "invalid bulk length");
    p->bulk = n;
    p->pos = end + 2;
    return RESP_READY;
}

static void add_span(struct resp_parser *p)
{
    if (p->nspans == p->cap) {
        p->cap = p->cap ? p->cap * 2 : 8;
        p->spans = mem_realloc(p->spans, (size_t)p->cap * sizeof *p->spans);
    }
    p->spans[p->nspans].off = p->pos;
    p->spans[p->nspans].len = (size_t)p->bulk;
    p->nspans++;
    p->pos += (size_t)p->bulk + 2;
    p->bulk = -1;
}

static enum resp_result parse_array(struct resp_parser *p, const struct resp_limits *lim, const char *data, size_t len,
                                    int *argc, size_t *used, struct err *e)
{
    enum resp_result got;

    if (p->want < 0) {
        got = parse_count(p, lim, data, len, e);
        if (got != RESP_READY)
            return got;
    }
    while (p->nspans < p->want) {
        if (p->bulk < 0) {
            got = parse_length(p, lim, data, len, e);
            if (got != RESP_READY)
                return got;
        }
        if (len - p->pos < (size_t)p->bulk + 2)
            return RESP_MORE;
        add_span(p);
    }
    if (p->argv_cap < p->nspans) {
        p->argv_cap = p->cap;
        p->argv = mem_realloc(p->argv, (size_t)p->argv_cap * sizeof *p->argv);
    }
    for (int i = 0; i < p->nspans; i++)
        p->argv[i] = (struct slice){data + p->spans[i].off, p->spans[i].len};
    *argc = p->nspans;
    *used = p->pos;
    return RESP_READY;
}

enum resp_result resp_parse(struct resp_parser *p, const struct resp_limits *lim, const char *data, size_t len,
                            const struct slice **argv, int *argc, size_t *used, struct err *e)
{
    enum resp_result got;

    if (len == 0)
        return RESP_MORE;
    if (p->want < 0 && p->scan == 0)
        resp_parser_reset(p);
    if (p->want < 0 && data[0] != '*')
        got = parse_inline(p, lim, data, len, argc, used, e);
    else
        got = parse_array(p, lim, data, len, argc, used, e);
    if (got == RESP_READY) {
        *argv = p->argv;
        rewind_to_start(p);
    }
    return got;
}

size_t resp_parser_wants(const struct resp_parser *p, size_t have)
{
    size_t whole = p->bulk < 0 ? 0 : p->pos + (size_t)p->bulk + 2;

    return whole > have ? whole - have : 0;
}

/* ---- the other way ---- */

/* "*3\r\n", "$5\r\n" */
static void put_head(struct buf *out, char mark, size_t n)
{
    char *to = buf_tail(out, NUM_I64_MAX + 3);
    size_t len = 1;

    to[0] = mark;
    len += num_put_i64(to + 1, (int64_t)n);
    to[len++] = '\r';
    to[len++] = '\n';
    buf_added(out, len);
}

static void put_bulk(struct buf *out, const char *p, size_t n)
{
    put_head(out, '$', n);
    buf_reserve(out, n + 2);
    buf_append(out, p, n);
    buf_append(out, "\r\n", 2);
}

void resp_put_request(struct buf *out, int argc, const struct slice *argv)
{
    put_head(out, '*', (size_t)argc);
    for (int i = 0; i < argc; i++)
        put_bulk(out, argv[i].p, argv[i].len);
}

void resp_put_request_z(struct buf *out, const char *first, ...)
{
    const char *z;
    int argc = 0;
    va_list ap;

    va_start(ap, first);
    for (z = first; z; z = va_arg(ap, const char *))
        argc++;
    va_end(ap);
    put_head(out, '*', (size_t)argc);
    va_start(ap, first);
    for (z = first; z; z = va_arg(ap, const char *))
        put_bulk(out, z, strlen(z));
    va_end(ap);
}
