/* Copies of replies: every shape answers every question. */
#include "sentinel/ctl/val.h"
#include "tests/support/suite.h"

#include <hiredis/hiredis.h>
#include <string.h>

static struct val *read_reply(const char *bytes)
{
    redisReader *r = redisReaderCreate();
    void *reply = NULL;
    struct val *v;

    redisReaderFeed(r, bytes, strlen(bytes));
    ck_assert_int_eq(redisReaderGetReply(r, &reply), REDIS_OK);
    ck_assert_ptr_nonnull(reply);
    v = val_from(reply);
    freeReplyObject(reply);
    redisReaderFree(r);
    return v;
}

static const struct { const char *bytes; enum val_kind kind; const char *text; int64_t number; } shapes[] = {
    {"$-1\r\n", VAL_NIL, "-", -7},
    {"$2\r\nhi\r\n", VAL_TEXT, "hi", -7},
    {"$2\r\n42\r\n", VAL_TEXT, "42", 42},
    {"$0\r\n\r\n", VAL_TEXT, "", -7},
    {"+OK\r\n", VAL_STATUS, "OK", -7},
    {"-ERR no\r\n", VAL_ERROR, "ERR no", -7},
    {":-5\r\n", VAL_INT, "-", -5},
    {"*0\r\n", VAL_LIST, "-", -7},
    {"*1\r\n:1\r\n", VAL_LIST, "-", -7},
};

START_TEST(test_shapes)
{
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        struct val *v = read_reply(shapes[i].bytes);

        ck_assert_int_eq(v->kind, shapes[i].kind);
        ck_assert_str_eq(val_z(v, "-"), shapes[i].text);
        ck_assert_int_eq(val_i64(v, -7), shapes[i].number);
        ck_assert_ptr_null(val_at(v, 1));
        ck_assert_ptr_null(val_field(v, "name"));
        ck_assert(val_is_error(v) == (shapes[i].kind == VAL_ERROR));
        val_free(v);
    }
    ck_assert_str_eq(val_z(NULL, "-"), "-");
    ck_assert_int_eq(val_i64(NULL, 3), 3);
    ck_assert(!val_at(NULL, 0) && !val_field(NULL, "x") && !val_is_error(NULL));
    val_free(NULL);
}
END_TEST

START_TEST(test_fields)
{
    struct val *v = read_reply("*5\r\n$4\r\nname\r\n$1\r\na\r\n$4\r\nport\r\n:6379\r\n$3\r\nodd\r\n");

    ck_assert_str_eq(val_field_z(v, "name", "-"), "a");
    ck_assert_int_eq(val_field_i64(v, "port", 0), 6379);
    ck_assert_str_eq(val_field_z(v, "port", "-"), "-");
    ck_assert_ptr_null(val_field(v, "odd"));                 /* a name without a value */
    ck_assert_ptr_null(val_field(v, "a"));                   /* a value is no name */
    ck_assert_int_eq(val_i64(val_at(v, 3), 0), 6379);
    val_free(v);
}
END_TEST

START_TEST(test_codes_of_errors)
{
    struct val *v = read_reply("-NOAUTH Authentication required.\r\n"), *bare = read_reply("-TIMEOUT\r\n"), *ok = read_reply("+NOAUTH x\r\n");

    ck_assert(val_error_is(v, "NOAUTH") && !val_error_is(v, "NOAUT") && !val_error_is(v, "NOAUTHX"));
    ck_assert(val_error_is(bare, "TIMEOUT") && !val_error_is(ok, "NOAUTH") && !val_error_is(NULL, "X"));
    val_free(v);
    val_free(bare);
    val_free(ok);
}
END_TEST

START_TEST(test_bytes_with_nul)
{
    redisReply r = {.type = REDIS_REPLY_STRING, .str = (char *)"a\0b", .len = 3};
    struct val *v = val_from(&r);

    ck_assert_uint_eq(v->len, 3);
    ck_assert_int_eq(memcmp(v->text, "a\0b", 4), 0);
    val_free(v);
}
END_TEST

SUITE(val, test_shapes, test_fields, test_codes_of_errors, test_bytes_with_nul)
