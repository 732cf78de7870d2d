/* Text <-> number: what is one, what is not, and that nothing is touched when it is not. */
#include "common/base/num.h"
#include "tests/support/suite.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

START_TEST(test_i64)
{
    static const struct {
        const char *text;
        bool ok;
        int64_t v;
    } cases[] = {
        {"0", true, 0}, {"1", true, 1}, {"-1", true, -1}, {"9223372036854775807", true, INT64_MAX},
        {"-9223372036854775808", true, INT64_MIN}, {"9223372036854775808", false, 0},
        {"-9223372036854775809", false, 0}, {"", false, 0}, {"-", false, 0}, {"+1", false, 0}, {" 1", false, 0},
        {"1 ", false, 0}, {"01", false, 0}, {"-0", false, 0}, {"-01", false, 0}, {"1a", false, 0}, {"0x10", false, 0},
        {"99999999999999999999999", false, 0}, {"18446744073709551616", false, 0},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t v = 77;
        bool ok = num_i64(cases[i].text, strlen(cases[i].text), &v);

        ck_assert_msg(ok == cases[i].ok, "'%s'", cases[i].text);
        ck_assert_int_eq(v, ok ? cases[i].v : 77);
    }
}
END_TEST

START_TEST(test_u64_and_ranges)
{
    uint64_t u = 7;
    int64_t v = 7;

    ck_assert(num_u64("18446744073709551615", 20, &u) && u == UINT64_MAX);
    ck_assert(!num_u64("18446744073709551616", 20, &u) && u == UINT64_MAX);
    ck_assert(!num_u64("-1", 2, &u));
    ck_assert(num_i64_in("65535", 5, 0, 65535, &v) && v == 65535);
    ck_assert(!num_i64_in("65536", 5, 0, 65535, &v) && v == 65535);
    ck_assert(!num_i64_in("-1", 2, 0, 65535, &v) && v == 65535);
}
END_TEST

START_TEST(test_put_i64_reads_back)
{
    static const int64_t values[] = {0, 1, -1, 9, 10, -10, 99, 100, INT64_MAX, INT64_MIN, 1234567890123};

    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        char out[NUM_I64_MAX], want[40];
        int64_t back = 0;
        size_t n = num_put_i64(out, values[i]);

        snprintf(want, sizeof want, "%lld", (long long)values[i]);
        ck_assert_str_eq(out, want);
        ck_assert_uint_eq(n, strlen(want));
        ck_assert(num_i64(out, n, &back) && back == values[i]);
    }
}
END_TEST

START_TEST(test_f64)
{
    static const struct {
        const char *text;
        bool ok;
        double v;
    } cases[] = {
        {"0", true, 0}, {"1.5", true, 1.5}, {"-2e3", true, -2000}, {"inf", true, INFINITY}, {"-inf", true, -INFINITY},
        {"+inf", true, INFINITY}, {"1e400", false, 0}, {"nan", false, 0}, {"", false, 0}, {" 1", false, 0},
        {"1 ", false, 0}, {"1x", false, 0}, {"0x10", true, 16}, {".5", true, 0.5}, {"--1", false, 0},
    };
    double v;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        v = 77;
        ck_assert_msg(num_f64(cases[i].text, strlen(cases[i].text), &v) == cases[i].ok, "'%s'", cases[i].text);
        ck_assert_double_eq(v, cases[i].ok ? cases[i].v : 77);
    }
    ck_assert(!num_f64("1\0002", 3, &v));
}
END_TEST

START_TEST(test_put_f64)
{
    static const struct {
        double v;
        const char *text;
    } cases[] = {
        {0, "0"}, {-0.0, "-0"}, {1, "1"}, {0.1, "0.1"}, {3.0e15, "3000000000000000"}, {1e20, "1e+20"}, {-1.25, "-1.25"},
        {INFINITY, "inf"}, {-INFINITY, "-inf"}, {1.0 / 3, "0.3333333333333333"}, {5e-324, "4.94065645841247e-324"},
        {0.1 + 0.2, "0.30000000000000004"}, {1.7976931348623157e308, "1.7976931348623157e+308"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char out[NUM_F64_MAX];
        double back = 0;
        size_t n = num_put_f64(out, cases[i].v);

        ck_assert_str_eq(out, cases[i].text);
        ck_assert_uint_eq(n, strlen(out));
        if (fabs(cases[i].v) > 1e-300 || cases[i].v == 0) {
            ck_assert(num_f64(out, n, &back));
            ck_assert_double_eq(back, cases[i].v);
        }
    }
}
END_TEST

START_TEST(test_f80_human)
{
    static const struct {
        const char *a, *b, *sum;
    } cases[] = {
        {"3.0", "1.1", "4.1"}, {"10.50", "0.1", "10.6"}, {"5.0e3", "200", "5200"}, {"1", "-1", "0"}, {"0", "-0.5", "-0.5"},
        {"1.123456789", "0", "1.123456789"}, {"-1.5", "1.5", "0"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        long double a, b;
        char out[NUM_F64_MAX];

        ck_assert(num_f80(cases[i].a, strlen(cases[i].a), &a));
        ck_assert(num_f80(cases[i].b, strlen(cases[i].b), &b));
        ck_assert_uint_eq(num_put_f80_human(out, a + b), strlen(cases[i].sum));
        ck_assert_str_eq(out, cases[i].sum);
    }
    char big[NUM_F64_MAX];
    long double back;
    ck_assert(num_put_f80_human(big, 1e300L) < NUM_F64_MAX);
    ck_assert(num_f80(big, strlen(big), &back) && back == 1e300L);
}
END_TEST

START_TEST(test_sizes)
{
    static const struct {
        const char *text;
        int64_t v;             /* -1: not a size */
    } cases[] = {
        {"0", 0}, {"5", 5}, {"5b", 5}, {"1k", 1000}, {"1kb", 1024}, {"64mb", 64 << 20}, {"1m", 1000000},
        {"1gb", 1 << 30}, {"2GB", (int64_t)2 << 30}, {"1Kb", 1024}, {"", -1}, {"k", -1}, {"-1", -1}, {"1 mb", -1},
        {"1mbb", -1}, {"1.5mb", -1}, {"9223372036854775807", INT64_MAX}, {"9223372036854775808", -1},
        {"9223372036854775807kb", -1}, {"00012", 12},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t v = -1;

        ck_assert_msg(num_size(cases[i].text, strlen(cases[i].text), &v) == (cases[i].v >= 0), "'%s'", cases[i].text);
        ck_assert_int_eq(v, cases[i].v);
    }
}
END_TEST

START_TEST(test_durations)
{
    static const struct {
        const char *text;
        int64_t unit_ms, v;    /* -77: not a duration */
    } cases[] = {
        {"1500ms", 1, 1500}, {"1500ms", 1000, 1500}, {"5s", 1, 5000}, {"5", 1000, 5000}, {"5", 1, 5}, {"2m", 1, 120000},
        {"1h", 1, 3600000}, {"1d", 1000, 86400000}, {"-1", 1000, -1000}, {"-1s", 1, -77}, {"", 1, -77}, {"s", 1, -77},
        {"1.5s", 1, -77}, {"9223372036854775807s", 1, -77}, {"1w", 1, -77}, {"10S", 1, 10000},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t v = -77;

        num_duration(cases[i].text, strlen(cases[i].text), cases[i].unit_ms, &v);
        ck_assert_msg(v == cases[i].v, "'%s' gives %lld", cases[i].text, (long long)v);
    }
}
END_TEST

START_TEST(test_human_sizes)
{
    static const struct {
        uint64_t v;
        const char *text;
    } cases[] = {{0, "0B"}, {1023, "1023B"}, {1024, "1.00K"}, {1572864, "1.50M"}, {(uint64_t)3 << 30, "3.00G"},
                 {UINT64_MAX, "16.00E"}};
    char out[16], tiny[4];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_uint_eq(num_put_size_human(out, sizeof out, cases[i].v), strlen(cases[i].text));
        ck_assert_str_eq(out, cases[i].text);
    }
    ck_assert_uint_eq(num_put_size_human(tiny, sizeof tiny, 1572864), 3);
}
END_TEST

START_TEST(test_hex_digits)
{
    static const char digits[] = "0123456789abcdef";

    for (int c = 0; c < 256; c++) {
        const char *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c) : NULL;

        ck_assert_int_eq(num_hex_digit((char)c), at ? (int)(at - digits) : -1);
    }
}
END_TEST

SUITE(num, test_hex_digits, test_i64, test_u64_and_ranges, test_put_i64_reads_back, test_f64, test_put_f64, test_f80_human, test_sizes,
      test_durations, test_human_sizes)
