/* The count of memory, and the switch that lets a try fail. */
#include "common/base/mem.h"
#include "tests/support/suite.h"

#include <stdint.h>

START_TEST(test_counting)
{
    size_t before = mem_used();
    char *p = mem_alloc(1000), *q = mem_strdup("abc"), *z = mem_zalloc(0), *n = mem_strndup("abcdef", 2);

    ck_assert_uint_ge(mem_used(), before + 1000);
    ck_assert_uint_ge(mem_size(p), 1000);
    p = mem_realloc(p, 100000);
    ck_assert_uint_ge(mem_used(), before + 100000);
    ck_assert_uint_ge(mem_peak(), mem_used());
    ck_assert_str_eq(q, "abc");
    ck_assert_str_eq(n, "ab");
    ck_assert_ptr_null(mem_strdup(NULL));
    mem_free(p);
    mem_free(q);
    mem_free(z);
    mem_free(n);
    mem_free(NULL);
    ck_assert_uint_eq(mem_used(), before);
}
END_TEST

START_TEST(test_try_fails_on_the_nth)
{
    for (unsigned nth = 1; nth < 4; nth++) {
        void *p[3];
        unsigned got = 0;

        mem_fail_try(nth);
        for (int i = 0; i < 3; i++)
            got += (p[i] = mem_try_alloc(10)) != NULL;
        ck_assert_uint_eq(got, 2);
        ck_assert_ptr_null(p[nth - 1]);
        mem_fail_try(0);
        for (int i = 0; i < 3; i++)
            mem_free(p[i]);
    }
    ck_assert_ptr_null(mem_try_alloc(SIZE_MAX));
}
END_TEST

SUITE(mem, test_counting, test_try_fails_on_the_nth)
