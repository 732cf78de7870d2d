#include "common/base/mem.h"
#include "common/base/rng.h"
#include "kvnode/ds/listpack.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <string.h>

static struct slice z(const char *s) { return (struct slice){s, strlen(s)}; }

static void expect(const unsigned char *at, const char *text)
{
    char num[NUM_I64_MAX];
    struct slice s;

    ck_assert_ptr_nonnull(at);
    s = lp_get(at, num);
    ck_assert_uint_eq(s.len, strlen(text));
    ck_assert(memcmp(s.p, text, s.len) == 0);
    ck_assert(lp_is(at, z(text)));
}

START_TEST(test_bytes_as_in_rdb)
{
    static const unsigned char want[] = {
        0x15, 0, 0, 0, 4, 0,
        0x81, 'a', 2,                        /* bytes, 6-bit length */
        0x05, 1,                             /* 7-bit number */
        0xC3, 0xE8, 2,                       /* 13-bit number 1000 */
        0xF2, 0xA0, 0x86, 0x01, 4, 0         /* 24-bit number 100000 */
    };
    unsigned char *lp = lp_new(0);

    lp = lp_append(lp, z("a"));
    lp = lp_append(lp, z("5"));
    lp = lp_append(lp, z("1000"));
    lp = lp_append(lp, z("100000"));
    ck_assert_uint_eq(lp_count(lp), 4);
    ck_assert(memcmp(lp + LP_HEADER, want + LP_HEADER, 3 + 2 + 3 + 4) == 0);
    ck_assert_uint_eq(lp[lp_bytes(lp) - 1], 0xFF);
    ck_assert(lp_valid(lp, lp_bytes(lp)));
    mem_free(lp);
}
END_TEST

START_TEST(test_numbers_of_every_width)
{
    static const char *const texts[] = {
        "0", "127", "128", "-1", "4095", "-4096", "4096", "32767", "-32768", "32768", "8388607", "-8388608", "8388608",
        "2147483647", "-2147483648", "2147483648", "9223372036854775807", "-9223372036854775808",
        "007", "+1", "-0", "9223372036854775808", "1 ", ""};
    unsigned char *lp = lp_new(0);
    const size_t n = sizeof texts / sizeof texts[0];
    unsigned char *p;

    for (size_t i = 0; i < n; i++)
        lp = lp_append(lp, z(texts[i]));
    p = lp_first(lp);
    for (size_t i = 0; i < n; i++, p = lp_next(lp, p))
        expect(p, texts[i]);
    ck_assert_ptr_null(p);
    for (size_t i = 0; i < n; i++) {
        expect(lp_at(lp, i), texts[i]);
        ck_assert_ptr_eq(lp_find(lp, lp_first(lp), z(texts[i]), 0), lp_at(lp, i));
    }
    p = lp_at(lp, n - 1);
    for (size_t i = n; i-- > 0; p = lp_prev(lp, p))
        expect(p, texts[i]);
    ck_assert_ptr_null(p);
    ck_assert(lp_valid(lp, lp_bytes(lp)));
    mem_free(lp);
}
END_TEST

START_TEST(test_long_strings)
{
    static const size_t sizes[] = {63, 64, 127, 4095, 4096, 16380, 16384, 70000, 2100000};
    unsigned char *lp = lp_new(0);
    char *text = mem_alloc(2100000);
    char num[NUM_I64_MAX];

    memset(text, 'x', 2100000);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        lp = lp_append(lp, (struct slice){text, sizes[i]});
    ck_assert(lp_valid(lp, lp_bytes(lp)));
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        ck_assert_uint_eq(lp_get(lp_at(lp, i), num).len, sizes[i]);
    ck_assert_uint_eq(lp_get(lp_prev(lp, lp_at(lp, 8)), num).len, 70000);
    mem_free(text);
    mem_free(lp);
}
END_TEST

/* Against a plain array, many random changes. */
START_TEST(test_changes_against_a_model)
{
    struct rng r;
    unsigned char *lp = lp_new(0);
    char *model[200];
    size_t n = 0;

    rng_seed(&r, 7);
    for (int step = 0; step < 20000; step++) {
        char text[300];
        size_t i = n ? rng_below(&r, n) : 0;
        unsigned char *at;

        if (rng_chance(&r, 400))
            snprintf(text, sizeof text, "%lld", (long long)(int64_t)(rng_u64(&r) >> rng_below(&r, 64)));
        else
            snprintf(text, sizeof text, "%0*d", (int)rng_between(&r, 1, 250), (int)rng_below(&r, 10));
        if (n < 150 && (n == 0 || rng_chance(&r, 550))) {
            lp = lp_insert(lp, lp_at(lp, i), z(text));
            memmove(model + i + 1, model + i, (n - i) * sizeof *model);
            model[i] = mem_strdup(text);
            n++;
        } else if (rng_chance(&r, 500)) {
            at = lp_at(lp, i);
            lp = lp_replace(lp, &at, z(text));
            mem_free(model[i]);
            model[i] = mem_strdup(text);
            expect(at, text);
        } else {
            size_t k = rng_below(&r, 3) + 1;

            if (k > n - i)
                k = n - i;
            at = lp_at(lp, i);
            lp = lp_delete(lp, &at, k);
            for (size_t d = 0; d < k; d++)
                mem_free(model[i + d]);
            memmove(model + i, model + i + k, (n - i - k) * sizeof *model);
            n -= k;
            if (i < n)
                expect(at, model[i]);
            else
                ck_assert_ptr_null(at);
        }
        ck_assert_uint_eq(lp_count(lp), n);
        if (step % 97 == 0) {
            ck_assert(lp_valid(lp, lp_bytes(lp)));
            for (size_t k = 0; k < n; k++)
                expect(lp_at(lp, k), model[k]);
        }
    }
    for (size_t k = 0; k < n; k++)
        mem_free(model[k]);
    mem_free(lp);
}
END_TEST

START_TEST(test_skip_over_values)
{
    unsigned char *lp = lp_new(0);

    lp = lp_append(lp, z("value"));
    lp = lp_append(lp, z("field"));
    lp = lp_append(lp, z("field"));
    lp = lp_append(lp, z("x"));
    ck_assert_ptr_eq(lp_find(lp, lp_first(lp), z("field"), 1), lp_at(lp, 2));
    ck_assert_ptr_null(lp_find(lp, lp_first(lp), z("x"), 1));
    mem_free(lp);
}
END_TEST

/* Every single-byte change either still is a listpack or is refused; reading it is safe either way. */
START_TEST(test_damage_is_seen)
{
    unsigned char *lp = lp_new(0), *copy;
    size_t len;

    lp = lp_append(lp, z("field"));
    lp = lp_append(lp, z("12345"));
    lp = lp_append(lp, z("a-longer-string-so-that-it-has-more-than-sixty-four-bytes-in-it-and-then-some"));
    lp = lp_append(lp, z("-7"));
    len = lp_bytes(lp);
    for (size_t i = 0; i < len; i++)
        for (int b = 0; b < 256; b++) {
            copy = mem_dup(lp, len);
            copy[i] = (unsigned char)b;
            if (lp_valid(copy, len)) {
                char num[NUM_I64_MAX];
                size_t n = 0;

                for (unsigned char *p = lp_first(copy); p; p = lp_next(copy, p))
                    n += lp_get(p, num).len > 0;
                ck_assert_uint_le(n, len);
            }
            mem_free(copy);
        }
    for (size_t cut = 0; cut < len; cut++) {
        copy = mem_dup(lp, cut ? cut : 1);
        ck_assert(!lp_valid(copy, cut));
        mem_free(copy);
    }
    mem_free(lp);
}
END_TEST

SUITE(listpack, test_bytes_as_in_rdb, test_numbers_of_every_width, test_long_strings, test_changes_against_a_model,
      test_skip_over_values, test_damage_is_seen)
