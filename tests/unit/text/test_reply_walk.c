/* Every question to every shape of reply, NULL included. */
#include "common/text/reply_walk.h"
#include "tests/support/suite.h"

#include <hiredis/hiredis.h>
#include <string.h>

static redisReply *parse(const char *z)
{
    redisReader *reader = redisReaderCreate();
    void *got = NULL;

    redisReaderFeed(reader, z, strlen(z));
    ck_assert_int_eq(redisReaderGetReply(reader, &got), REDIS_OK);
    ck_assert_ptr_nonnull(got);
    redisReaderFree(reader);
    return got;
}

START_TEST(test_no_shape_hurts)
{
    static const char *const shapes[] = {"+OK\r\n", "-ERR x\r\n", ":5\r\n", "$2\r\n17\r\n", "$-1\r\n", "*-1\r\n", "*0\r\n",
                                         "*3\r\n:1\r\n$1\r\na\r\n*1\r\n$-1\r\n", "$0\r\n\r\n"};

    for (size_t i = 0; i <= sizeof shapes / sizeof shapes[0]; i++) {
        redisReply *r = i ? parse(shapes[i - 1]) : NULL;
        struct slice s = {"kept", 4};
        int64_t v = 77;

        reply_is_error(r), reply_error_is(r, "ERR"), reply_is_status(r, "OK"), reply_is_nil(r);
        ck_assert_ptr_nonnull(reply_text(r).p);
        ck_assert_ptr_null(reply_at(r, 99));
        ck_assert_ptr_null(reply_field(r, "name"));
        ck_assert(!reply_text_at(r, 99, &s) && s.len == 4);
        ck_assert(!reply_i64_at(r, 99, &v) && v == 77);
        for (size_t k = 0; k < reply_len(r); k++)
            ck_assert_ptr_nonnull(reply_at(r, k));
        if (r)
            freeReplyObject(r);
    }
}
END_TEST

START_TEST(test_answers)
{
    redisReply *r = parse("*8\r\n$2\r\nip\r\n$9\r\n127.0.0.1\r\n$4\r\nport\r\n$4\r\n6379\r\n:3\r\n$1\r\nx\r\n$4\r\nlast\r\n$-1\r\n");
    struct slice s;
    int64_t v;

    ck_assert_uint_eq(reply_len(r), 8);
    ck_assert(slice_is(reply_text(reply_field(r, "ip")), "127.0.0.1"));
    ck_assert(reply_i64(reply_field(r, "port"), &v) && v == 6379);
    ck_assert(reply_is_nil(reply_field(r, "last")));
    ck_assert_ptr_null(reply_field(r, "127.0.0.1"));
    ck_assert(reply_text_at(r, 1, &s) && slice_is(s, "127.0.0.1"));
    ck_assert(!reply_text_at(r, 4, &s));
    ck_assert(reply_i64_at(r, 4, &v) && v == 3);
    ck_assert(!reply_i64_at(r, 1, &v) && v == 3);
    freeReplyObject(r);

    r = parse("-READONLY no\r\n");
    ck_assert(reply_is_error(r) && reply_error_is(r, "READONLY") && !reply_error_is(r, "READ") && !reply_error_is(r, "READONLY no x"));
    ck_assert(!reply_is_status(r, "READONLY no") && slice_is(reply_text(r), "READONLY no"));
    ck_assert(!reply_i64(r, &v));
    freeReplyObject(r);

    r = parse("+OK\r\n");
    ck_assert(reply_is_status(r, "OK") && !reply_is_status(r, "ok") && !reply_is_error(r));
    freeReplyObject(r);
}
END_TEST

SUITE(reply_walk, test_no_shape_hurts, test_answers)
