/* The request parser: what it takes and refuses, and that the pieces in which bytes
 * arrive change nothing. */
#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/base/rng.h"
#include "common/text/resp_request.h"
#include "tests/support/suite.h"

#include <string.h>

/* What came out, as text: "[a][b] 12" for a request of 12 bytes, "more", or the error. */
static void tell(enum resp_result got, const struct slice *argv, int argc, size_t used, const struct err *e, struct str *out)
{
    if (got == RESP_MORE) {
        str_append_z(out, "more");
    } else if (got == RESP_BAD) {
        str_append_z(out, e->text);
    } else {
        for (int i = 0; i < argc; i++) {
            str_append_c(out, '[');
            str_append(out, argv[i].p, argv[i].len);
            str_append_c(out, ']');
        }
        str_printf(out, " %zu", used);
    }
}

/* All requests in the bytes, one after the other, fed `step` more bytes at a time. */
static void feed(const struct resp_limits *lim, const char *p, size_t n, size_t step, struct str *out)
{
    struct resp_parser parser;
    size_t have = 0, start = 0;

    resp_parser_init(&parser);
    for (;;) {
        const struct slice *argv = NULL;
        struct err e = {0};
        size_t used = 0;
        int argc = 0;
        char *copy = mem_dup(p + start, have - start);        /* exact, so that reading beyond is seen; and it moves */
        enum resp_result got = resp_parse(&parser, lim, copy, have - start, &argv, &argc, &used, &e);

        if (got != RESP_MORE || have == n)
            tell(got, argv, argc, used, &e, out);
        mem_free(copy);
        if (got == RESP_BAD)
            break;
        if (got == RESP_READY) {
            start += used;
            str_append_c(out, ';');
            continue;
        }
        if (have == n)
            break;
        have = n - have > step ? have + step : n;
    }
    resp_parser_fini(&parser);
}

static const struct {
    const char *in;
    const char *out;
} cases[] = {
    {"*1\r\n$4\r\nPING\r\n", "[PING] 14;more"},
    {"*2\r\n$3\r\nGET\r\n$0\r\n\r\n", "[GET][] 19;more"},
    {"*2\r\n$3\r\nGET\r\n$1\r\na\r\n*1\r\n$4\r\nPING\r\n", "[GET][a] 20;[PING] 14;more"},
    {"*0\r\n", " 4;more"},
    {"*-1\r\nPING\r\n", " 5;[PING] 6;more"},
    {"PING\r\n", "[PING] 6;more"},
    {"PING\n", "[PING] 5;more"},
    {"\r\n\r\nPING\r\n", " 2; 2;[PING] 6;more"},
    {"  set  k   \"a b\\x41\\n\\\"\" 'it\\'s'  \r\n", "[set][k][a bA\n\"][it's] 36;more"},
    {"set k \"\"\r\n", "[set][k][] 10;more"},
    {"set k \"a\r\n", "Protocol error: unbalanced quotes in request"},
    {"set k \"a\"b\r\n", "Protocol error: unbalanced quotes in request"},
    {"set k 'a\r\n", "Protocol error: unbalanced quotes in request"},
    {"*3000000000\r\n", "Protocol error: invalid multibulk length"},
    {"*x\r\n", "Protocol error: invalid multibulk length"},
    {"*\r\n", "Protocol error: invalid multibulk length"},
    {"*01\r\n", "Protocol error: invalid multibulk length"},
    {"*1\r\n$-1\r\n", "Protocol error: invalid bulk length"},
    {"*1\r\n$abc\r\n", "Protocol error: invalid bulk length"},
    {"*1\r\n$2000000000\r\n", "Protocol error: invalid bulk length"},
    {"*3\r\n$3\r\nSET\r\n$1\r\nx\r\nfooz\r\n", "Protocol error: expected '$', got 'f'"},
    {"*1\r\n\r\n", "Protocol error: expected '$', got '\\x0d'"},
    {"*1\r\n:5\r\n", "Protocol error: expected '$', got ':'"},
    {"*2\r\n$3\r\nGET\r\n$5\r\nab", "more"},
    {"*2", "more"},
    {"", "more"},
    {"PI", "more"},
};

START_TEST(test_table_in_all_pieces)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (size_t step = 1; step <= 40; step += step < 8 ? 1 : 16) {
            struct str out = {0};

            feed(&resp_limits_default, cases[i].in, strlen(cases[i].in), step, &out);
            ck_assert_msg(strcmp(str_c(&out), cases[i].out) == 0, "case %zu in steps of %zu: %s", i, step, str_c(&out));
            str_fini(&out);
        }
}
END_TEST

START_TEST(test_guests_are_kept_short)
{
    static const struct {
        const char *in, *out;
    } guests[] = {
        {"*10\r\n$1\r\na\r\n", "more"},
        {"*11\r\n", "Protocol error: unauthenticated multibulk length"},
        {"*1\r\n$16384\r\n", "more"},
        {"*1\r\n$16385\r\n", "Protocol error: unauthenticated bulk length"},
        {"*1\r\n$9999999999\r\n", "Protocol error: invalid bulk length"},
    };

    for (size_t i = 0; i < sizeof guests / sizeof guests[0]; i++) {
        struct str out = {0};

        feed(&resp_limits_guest, guests[i].in, strlen(guests[i].in), 100, &out);
        ck_assert_str_eq(str_c(&out), guests[i].out);
        str_fini(&out);
    }
}
END_TEST

START_TEST(test_lines_have_an_end)
{
    static const struct {
        const char *begin, *out;
    } long_ones[] = {
        {"GET ", "Protocol error: too big inline request"},
        {"*1", "Protocol error: too big mbulk count string"},
        {"*1\r\n$1", "Protocol error: too big bulk count string"},
    };
    struct resp_limits lim = resp_limits_default;

    lim.inline_bytes = 100;
    for (size_t i = 0; i < sizeof long_ones / sizeof long_ones[0]; i++) {
        size_t n = strlen(long_ones[i].begin);
        char in[300];

        memset(in, '1', sizeof in);
        memcpy(in, long_ones[i].begin, n);
        memcpy(in + 250, "\r\n", 2);
        for (size_t step = 1; step < 300; step = step * 3 + 1) {
            struct str out = {0};

            feed(&lim, in, sizeof in, step, &out);
            ck_assert_str_eq(str_c(&out), long_ones[i].out);
            str_fini(&out);
        }
    }
}
END_TEST

START_TEST(test_wants)
{
    struct resp_parser p;
    const struct slice *argv;
    struct err e;
    size_t used;
    int argc;

    resp_parser_init(&p);
    ck_assert_uint_eq(resp_parser_wants(&p, 0), 0);
    ck_assert_int_eq(resp_parse(&p, &resp_limits_default, "*1\r\n$100\r\nab", 12, &argv, &argc, &used, &e), RESP_MORE);
    ck_assert_uint_eq(resp_parser_wants(&p, 12), 100);
    resp_parser_reset(&p);
    ck_assert_uint_eq(resp_parser_wants(&p, 12), 0);
    ck_assert_int_eq(resp_parse(&p, &resp_limits_default, "PING\r\n", 6, &argv, &argc, &used, &e), RESP_READY);
    ck_assert(argc == 1 && slice_is(argv[0], "PING"));
    resp_parser_fini(&p);
}
END_TEST

START_TEST(test_promises_cost_nothing)
{
    struct resp_parser p;
    const struct slice *argv;
    struct err e;
    size_t used, before = mem_used();
    int argc;

    resp_parser_init(&p);
    ck_assert_int_eq(resp_parse(&p, &resp_limits_default, "*1000000\r\n$500000000\r\n", 22, &argv, &argc, &used, &e), RESP_MORE);
    ck_assert(mem_used() - before < 4096);
    resp_parser_fini(&p);
}
END_TEST

START_TEST(test_memory_of_a_large_request_goes_back)
{
    struct resp_parser p;
    struct buf b = {0};
    const struct slice *argv;
    struct err e;
    size_t used, before;
    int argc;

    buf_append_z(&b, "*100000\r\n");
    for (int i = 0; i < 100000; i++)
        buf_append_z(&b, "$1\r\nx\r\n");
    before = mem_used();
    resp_parser_init(&p);
    ck_assert_int_eq(resp_parse(&p, &resp_limits_default, buf_data(&b), buf_len(&b), &argv, &argc, &used, &e), RESP_READY);
    ck_assert_int_eq(argc, 100000);
    ck_assert_uint_eq(used, buf_len(&b));
    ck_assert_int_eq(resp_parse(&p, &resp_limits_default, "PING\r\n", 6, &argv, &argc, &used, &e), RESP_READY);
    ck_assert(mem_used() - before < 4096);
    resp_parser_fini(&p);
    buf_fini(&b);
}
END_TEST

START_TEST(test_written_requests_read_back)
{
    struct buf b = {0};
    struct str out = {0};
    struct slice argv[3] = {{"SET", 3}, {"k\r\n", 3}, {"", 0}};

    resp_put_request(&b, 3, argv);
    resp_put_request_z(&b, "PUBLISH", "ch", "m", NULL);
    feed(&resp_limits_default, buf_data(&b), buf_len(&b), 7, &out);
    ck_assert_str_eq(str_c(&out), "[SET][k\r\n][] 28;[PUBLISH][ch][m] 32;more");
    str_fini(&out);
    buf_fini(&b);
}
END_TEST

/* Bytes drawn from what matters to the protocol: whole or in pieces, the same comes out. */
START_TEST(test_noise_in_pieces)
{
    static const char *const bits[] = {"*", "$", "1", "2", "0", "-", "\r\n", "\r", "\n", "a", " ", "\"", "'", "\\x4", "*2\r\n$1\r\na\r\n"};
    struct resp_limits lim = {20, 5, 30};
    struct rng r;

    rng_seed(&r, 17);
    for (int i = 0; i < 3000; i++) {
        struct str in = {0}, whole = {0}, pieces = {0};
        size_t n = 1 + rng_below(&r, 20);

        while (n-- > 0)
            str_append_z(&in, bits[rng_below(&r, sizeof bits / sizeof bits[0])]);
        feed(&lim, str_c(&in), in.len, in.len, &whole);
        feed(&lim, str_c(&in), in.len, 1 + rng_below(&r, 3), &pieces);
        if (strcmp(str_c(&whole), str_c(&pieces)) != 0)
            ck_abort_msg("%s: whole %s, in pieces %s", str_c(&in), str_c(&whole), str_c(&pieces));
        str_fini(&in);
        str_fini(&whole);
        str_fini(&pieces);
    }
}
END_TEST

SUITE(resp_request, test_table_in_all_pieces, test_guests_are_kept_short, test_lines_have_an_end, test_wants,
      test_promises_cost_nothing, test_memory_of_a_large_request_goes_back, test_written_requests_read_back,
      test_noise_in_pieces)
