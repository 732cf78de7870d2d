/* The byte queue. Consuming only moves `start`; the bytes slide down when room is
 * wanted and the idle front is at least as large as what must move, so each byte
 * moves a bounded number of times. */
#include "common/base/buf.h"

#include "common/base/check.h"
#include "common/base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define BUF_FIRST 256

void buf_init(struct buf *b)
{
    *b = (struct buf){0};
}

void buf_fini(struct buf *b)
{
    mem_free(b->mem);
    *b = (struct buf){0};
}

void buf_reserve(struct buf *b, size_t more)
{
    size_t len = buf_len(b), cap;
    char *mem;

    if (b->mem && buf_room(b) >= more)
        return;
    CHECK(more < SIZE_MAX / 4 - len);
    if (b->cap >= len + more && b->start >= len) {
        if (len)
            memcpy(b->mem, b->mem + b->start, len);
        b->start = 0;
        b->end = len;
        return;
    }
    cap = b->cap < (8 << 20) ? b->cap * 2 : b->cap + b->cap / 4;
    if (cap < len + more)
        cap = len + more;
    if (cap < BUF_FIRST)
        cap = BUF_FIRST;
    if (b->start == 0) {
        b->mem = mem_realloc(b->mem, cap);
    } else {
        mem = mem_alloc(cap);
        if (len)
            memcpy(mem, b->mem + b->start, len);
        mem_free(b->mem);
        b->mem = mem;
    }
    b->start = 0;
    b->end = len;
    b->cap = cap;
}

char *buf_tail(struct buf *b, size_t more)
{
    buf_reserve(b, more);
    return b->mem + b->end;
}

void buf_added(struct buf *b, size_t n)
{
    CHECK(n <= buf_room(b));
    b->end += n;
}

void buf_append(struct buf *b, const void *p, size_t n)
{
    if (n == 0)
        return;
    memcpy(buf_tail(b, n), p, n);
    b->end += n;
}

void buf_append_z(struct buf *b, const char *z)
{
    buf_append(b, z, strlen(z));
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap, again;
    int n;

    buf_reserve(b, 64);
    va_start(ap, fmt);
    va_copy(again, ap);
    n = vsnprintf(b->mem + b->end, buf_room(b), fmt, ap);
    va_end(ap);
    CHECK(n >= 0);
    if ((size_t)n >= buf_room(b))
        vsnprintf(buf_tail(b, (size_t)n + 1), (size_t)n + 1, fmt, again);
    va_end(again);
    b->end += (size_t)n;
}

void buf_consume(struct buf *b, size_t n)
{
    CHECK(n <= buf_len(b));
    b->start += n;
    if (b->start == b->end)
        b->start = b->end = 0;
}

void buf_clear(struct buf *b)
{
    b->start = b->end = 0;
}

void buf_cut(struct buf *b, size_t len)
{
    CHECK(len <= buf_len(b));
    b->end = b->start + len;
}

void buf_swap(struct buf *a, struct buf *b)
{
    struct buf t = *a;

    *a = *b;
    *b = t;
}

void buf_shrink(struct buf *b, size_t keep)
{
    size_t len = buf_len(b);
    char *mem;

    if (b->cap - len <= keep)
        return;
    if (len == 0) {
        buf_fini(b);
        return;
    }
    mem = mem_dup(b->mem + b->start, len);
    mem_free(b->mem);
    *b = (struct buf){mem, 0, len, len};
}
