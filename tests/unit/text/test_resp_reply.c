/* Replies in both protocols, and holes filled afterwards. */
#include "common/text/resp_reply.h"
#include "tests/support/suite.h"

#include <math.h>
#include <string.h>

static struct buf out;
static struct reply r;

static void begin(int resp)
{
    buf_fini(&out);
    reply_init(&r, &out, resp);
}

#define SAYS(text)                                                                  \
    do {                                                                            \
        ck_assert_uint_eq(buf_len(&out), sizeof(text) - 1);                         \
        ck_assert_int_eq(memcmp(buf_data(&out), text, sizeof(text) - 1), 0);        \
        buf_clear(&out);                                                            \
    } while (0)

START_TEST(test_both_protocols)
{
    for (int resp = 2; resp <= 3; resp++) {
        begin(resp);
        reply_ok(&r), reply_simple(&r, "PONG"); SAYS("+OK\r\n+PONG\r\n");
        reply_int(&r, -5), reply_int(&r, 7), reply_int(&r, INT64_MIN); SAYS(":-5\r\n:7\r\n:-9223372036854775808\r\n");
        reply_bulk(&r, "a\0b", 3), reply_bulk_z(&r, ""); SAYS("$3\r\na\0b\r\n$0\r\n\r\n");
        reply_bulk_i64(&r, -12), reply_bulkf(&r, "%d-%d", 3, 4); SAYS("$3\r\n-12\r\n$3\r\n3-4\r\n");
        reply_array(&r, 10), reply_raw(&r, "x", 1); SAYS("*10\r\nx");
        ck_assert_uint_eq(r.errors, 0);
        reply_error(&r, "ERR a\r\nb\n"), reply_errorf(&r, "WRONGTYPE %d", 1); SAYS("-ERR a  b\r\n-WRONGTYPE 1\r\n");
        ck_assert_uint_eq(r.errors, 2);
    }
    buf_fini(&out);
}
END_TEST

START_TEST(test_what_resp2_lacks)
{
    begin(2);
    reply_null(&r), reply_null_array(&r), reply_bool(&r, true); SAYS("$-1\r\n*-1\r\n:1\r\n");
    reply_double(&r, 0.5), reply_double(&r, -INFINITY); SAYS("$3\r\n0.5\r\n$4\r\n-inf\r\n");
    reply_map(&r, 2), reply_set(&r, 3), reply_push(&r, 4); SAYS("*4\r\n*3\r\n*4\r\n");
    reply_verbatim(&r, "txt", "ab", 2), reply_big_number(&r, "123"); SAYS("$2\r\nab\r\n$3\r\n123\r\n");
    begin(3);
    reply_null(&r), reply_null_array(&r), reply_bool(&r, false); SAYS("_\r\n_\r\n#f\r\n");
    reply_double(&r, 0.5), reply_double(&r, INFINITY), reply_double(&r, 3); SAYS(",0.5\r\n,inf\r\n,3\r\n");
    reply_map(&r, 2), reply_set(&r, 3), reply_push(&r, 4), reply_attribute(&r, 1); SAYS("%2\r\n~3\r\n>4\r\n|1\r\n");
    reply_verbatim(&r, "txt", "ab", 2), reply_big_number(&r, "123"); SAYS("=6\r\ntxt:ab\r\n(123\r\n");
    buf_fini(&out);
}
END_TEST

START_TEST(test_holes)
{
    struct reply_hole outer, inner;

    begin(2);
    outer = reply_hole(&r);
    reply_int(&r, 1);
    inner = reply_hole(&r);
    for (int i = 0; i < 12; i++)
        reply_int(&r, i % 10);
    reply_fill_map(&r, inner, 6);
    reply_int(&r, 2);
    reply_fill_array(&r, outer, 3);
    SAYS("*3\r\n:1\r\n*12\r\n:0\r\n:1\r\n:2\r\n:3\r\n:4\r\n:5\r\n:6\r\n:7\r\n:8\r\n:9\r\n:0\r\n:1\r\n:2\r\n");
    begin(3);
    outer = reply_hole(&r), reply_fill_map(&r, outer, 0); SAYS("%0\r\n");
    outer = reply_hole(&r), reply_int(&r, 1), reply_fill_set(&r, outer, 12345); SAYS("~12345\r\n:1\r\n");
    buf_fini(&out);
}
END_TEST

START_TEST(test_a_hole_survives_consumption_before_it)
{
    struct reply_hole h;

    begin(2);
    reply_simple(&r, "first");
    h = reply_hole(&r);
    for (int i = 0; i < 2000; i++)
        reply_int(&r, i);
    reply_fill_array(&r, h, 2000);
    buf_consume(&out, strlen("+first\r\n"));
    ck_assert_int_eq(memcmp(buf_data(&out), "*2000\r\n:0\r\n", 11), 0);
    ck_assert_int_eq(memcmp(buf_data(&out) + buf_len(&out) - 7, ":1999\r\n", 7), 0);
    buf_fini(&out);
}
END_TEST

SUITE(resp_reply, test_both_protocols, test_what_resp2_lacks, test_holes, test_a_hole_survives_consumption_before_it)
