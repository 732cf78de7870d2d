/* Allocation that never fails, and the count of what is out. The allocator itself is
 * whichever malloc the program was linked with (jemalloc in release builds). */
#include "common/base/mem.h"

#include "common/base/check.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static atomic_size_t used, peak;
static atomic_uint fail_in;      /* fault tests: mem_try_alloc calls until one fails, 0 = none */

static _Noreturn void out_of_memory(void)
{
    static const char text[] = "out of memory\n";

    if (write(STDERR_FILENO, text, sizeof text - 1) < 0)
        abort();
    abort();
}

static void count_in(void *p)
{
    size_t n = malloc_usable_size(p);
    size_t now = atomic_fetch_add_explicit(&used, n, memory_order_relaxed) + n;

    if (now > atomic_load_explicit(&peak, memory_order_relaxed))
        atomic_store_explicit(&peak, now, memory_order_relaxed);
}

static void count_out(void *p)
{
    atomic_fetch_sub_explicit(&used, malloc_usable_size(p), memory_order_relaxed);
}

void *mem_alloc(size_t n)
{
    void *p = malloc(n ? n : 1);

    if (!p)
        out_of_memory();
    count_in(p);
    return p;
}

void *mem_zalloc(size_t n)
{
    void *p = calloc(1, n ? n : 1);

    if (!p)
        out_of_memory();
    count_in(p);
    return p;
}

void *mem_realloc(void *p, size_t n)
{
    void *q;

    CHECK(n > 0);
    if (!p)
        return mem_alloc(n);
    count_out(p);
    q = realloc(p, n);
    if (!q)
        out_of_memory();
    count_in(q);
    return q;
}

void mem_free(void *p)
{
    if (!p)
        return;
    count_out(p);
    free(p);
}

void *mem_dup(const void *p, size_t n)
{
    void *q = mem_alloc(n);

    if (n)
        memcpy(q, p, n);
    return q;
}

char *mem_strdup(const char *s)
{
    return s ? mem_dup(s, strlen(s) + 1) : NULL;
}

char *mem_strndup(const char *s, size_t n)
{
    char *q = mem_alloc(n + 1);

    if (n)
        memcpy(q, s, n);
    q[n] = '\0';
    return q;
}

void *mem_try_alloc(size_t n)
{
    void *p;

    if (atomic_load_explicit(&fail_in, memory_order_relaxed) > 0 && atomic_fetch_sub(&fail_in, 1) == 1)
        return NULL;
    if (n > PTRDIFF_MAX)
        return NULL;
    p = malloc(n ? n : 1);
    if (p)
        count_in(p);
    return p;
}

size_t mem_size(const void *p)
{
    return malloc_usable_size((void *)p);
}

size_t mem_used(void)
{
    return atomic_load_explicit(&used, memory_order_relaxed);
}

size_t mem_peak(void)
{
    return atomic_load_explicit(&peak, memory_order_relaxed);
}

void mem_fail_try(unsigned nth)
{
    atomic_store(&fail_in, nth);
}
