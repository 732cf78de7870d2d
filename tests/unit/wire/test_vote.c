/* The vote request and its answer, both ways. */
#include "common/base/buf.h"
#include "sentinel/wire/vote.h"
#include "tests/support/suite.h"

#include <hiredis/hiredis.h>
#include <string.h>

#define ID "0123456789abcdef0123456789abcdef01234567"

START_TEST(test_request)
{
    struct vote_request q, back;
    struct str w[4] = {{0}};
    struct slice argv[4];
    struct err e;

    memset(&q, 0, sizeof q);
    ck_assert(addr_set(&q.primary, "10.0.0.1", 8, 6379));
    q.epoch = 12;
    strcpy(q.candidate, ID);
    for (int round = 0; round < 2; round++) {
        vote_request_write(&q, w);
        for (int i = 0; i < 4; i++)
            argv[i] = (struct slice){w[i].p, w[i].len};
        ck_assert_int_eq(vote_request_read(argv, &back, &e), 0);
        ck_assert(addr_equal(&back.primary, &q.primary));
        ck_assert_uint_eq(back.epoch, 12);
        ck_assert_str_eq(back.candidate, q.candidate);
        q.candidate[0] = '\0';           /* second round: only asking */
    }
    ck_assert_str_eq(str_c(&w[3]), "*");
    for (int i = 0; i < 4; i++)
        str_fini(&w[i]);
}
END_TEST

START_TEST(test_request_refused)
{
    static const char *const bad[][4] = {
        {"10.0.0.1", "0", "1", "*"}, {"10.0.0.1", "x", "1", "*"}, {"", "1", "1", "*"}, {"10.0.0.1", "1", "-1", "*"},
        {"10.0.0.1", "1", "1", ""}, {"10.0.0.1", "1", "1", "abc"}, {"10.0.0.1", "1", "99999999999999999999", "*"},
    };
    struct vote_request q;
    struct err e;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct slice argv[4];
        for (int k = 0; k < 4; k++)
            argv[k] = slice_z(bad[i][k]);
        ck_assert_int_eq(vote_request_read(argv, &q, &e), ERR_FORMAT);
    }
}
END_TEST

static bool read_text(const char *resp, struct vote_answer *a)
{
    redisReader *rd = redisReaderCreate();
    void *r = NULL;
    bool ok;

    ck_assert_int_eq(redisReaderFeed(rd, resp, strlen(resp)), REDIS_OK);
    ck_assert_int_eq(redisReaderGetReply(rd, &r), REDIS_OK);
    ck_assert_ptr_nonnull(r);
    ok = vote_answer_read(r, a);
    freeReplyObject(r);
    redisReaderFree(rd);
    return ok;
}

START_TEST(test_answer)
{
    struct vote_answer a = {.down = true, .leader_epoch = 3}, back;
    struct buf b;
    struct reply r;

    strcpy(a.leader, ID);
    buf_init(&b);
    reply_init(&r, &b, 2);
    vote_answer_write(&a, &r);
    buf_append(&b, "", 1);
    ck_assert(read_text(buf_data(&b), &back));
    ck_assert(back.down);
    ck_assert_str_eq(back.leader, ID);
    ck_assert_uint_eq(back.leader_epoch, 3);
    buf_fini(&b);
    ck_assert(read_text("*3\r\n:0\r\n$1\r\n*\r\n:0\r\n", &back));
    ck_assert(!back.down);
    ck_assert_str_eq(back.leader, "");
}
END_TEST

START_TEST(test_answer_refused)
{
    static const char *const bad[] = {"-ERR no\r\n", "+OK\r\n", "*2\r\n:0\r\n$1\r\n*\r\n", "*3\r\n:0\r\n$3\r\nabc\r\n:0\r\n",
                                      "*3\r\n:0\r\n$1\r\n*\r\n:-1\r\n", "*0\r\n", "$-1\r\n"};
    struct vote_answer a;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert(!read_text(bad[i], &a));
    ck_assert(!vote_answer_read(NULL, &a));
}
END_TEST

SUITE(vote, test_request, test_request_refused, test_answer, test_answer_refused)
