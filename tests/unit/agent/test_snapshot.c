/* Replies of a snapshot, of every shape. */
#include "agent/source/snapshot.h"
#include "tests/support/suite.h"

#include <hiredis/hiredis.h>
#include <string.h>

static int take(const char *wire, const struct sources *want, struct inputs *out, struct err *e)
{
    redisReader *r = redisReaderCreate();
    redisReply *reply = NULL;
    int rc;

    redisReaderFeed(r, wire, strlen(wire));
    ck_assert_int_eq(redisReaderGetReply(r, (void **)&reply), REDIS_OK);
    ck_assert_ptr_nonnull(reply);
    rc = snapshot_take(reply, want, out, e);
    freeReplyObject(reply);
    redisReaderFree(r);
    return rc;
}

static const char mget[] = "*2\r\n$2\r\n{}\r\n$-1\r\n";

START_TEST(test_strings)
{
    struct sources want;
    struct inputs in;
    struct err e = {0};

    sources_init(&want);
    inputs_init(&in);
    sources_add(&want, "config:a:b");
    sources_add(&want, "config:c:d");
    ck_assert_int_eq(take(mget, &want, &in, &e), 0);
    ck_assert_int_eq(inputs_get(&in, "config:a:b")->kind, INPUT_STRING);
    ck_assert_int_eq(inputs_get(&in, "config:c:d")->kind, INPUT_MISSING);
    ck_assert_int_eq(take("-LOADING wait\r\n", &want, &in, &e), ERR_REFUSED);
    ck_assert_str_eq(e.text, "LOADING wait");
    ck_assert_int_eq(take("*1\r\n$1\r\nx\r\n", &want, &in, &e), ERR_FORMAT);
    ck_assert_int_eq(take("+OK\r\n", &want, &in, &e), ERR_FORMAT);
    ck_assert_int_eq(take("*-1\r\n", &want, &in, &e), ERR_FORMAT);
    sources_fini(&want);
    inputs_fini(&in);
}
END_TEST

START_TEST(test_with_hashes)
{
    struct sources want;
    struct inputs in;
    struct err e = {0};

    sources_init(&want);
    inputs_init(&in);
    sources_add(&want, "config:a:b");
    sources_add(&want, "hash:h");
    sources_add(&want, "config:c:d");
    sources_add(&want, "hash:i");
    sources_add(&want, "hash:j");
    ck_assert_msg(take("*4\r\n*2\r\n$2\r\n{}\r\n$-1\r\n*4\r\n$1\r\nf\r\n$1\r\nv\r\n$1\r\ng\r\n$0\r\n\r\n*0\r\n-WRONGTYPE x\r\n",
                       &want, &in, &e) == 0, "%s", e.text);
    ck_assert_uint_eq(inputs_get(&in, "hash:h")->fields.n, 2);
    ck_assert_int_eq(inputs_get(&in, "hash:i")->kind, INPUT_MISSING);
    ck_assert_int_eq(inputs_get(&in, "hash:j")->kind, INPUT_WRONG);
    ck_assert_int_eq(inputs_get(&in, "config:c:d")->kind, INPUT_MISSING);
    ck_assert_int_eq(take("*2\r\n*2\r\n$2\r\n{}\r\n$-1\r\n*0\r\n", &want, &in, &e), ERR_FORMAT);
    ck_assert_int_eq(take("-EXECABORT x\r\n", &want, &in, &e), ERR_REFUSED);
    ck_assert_int_eq(take("*-1\r\n", &want, &in, &e), ERR_FORMAT);
    sources_fini(&want);
    inputs_fini(&in);
}
END_TEST

SUITE(snapshot, test_strings, test_with_hashes)
