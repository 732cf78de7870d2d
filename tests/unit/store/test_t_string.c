#include "kvnode/store/t_string.h"
#include "tests/support/suite.h"

#include <string.h>

static struct slice z(const char *s) { return (struct slice){s, strlen(s)}; }

START_TEST(test_numbers)
{
    struct keyspace *ks = keyspace_new(1);
    struct db *d = keyspace_db(ks, 0);
    char num[NUM_I64_MAX];
    int64_t v;
    struct object *o = db_set_string(d, z("k"), z("  1"), false);

    ck_assert(!string_i64(o, &v));
    string_put_i64(o, -5);
    ck_assert(string_i64(o, &v) && v == -5);
    ck_assert_uint_eq(string_len(o), 2);
    ck_assert(slice_is(string_view(o, num), "-5"));
    o = db_set_bytes(d, z("k"), z("17"), false);
    ck_assert(string_i64(o, &v) && v == 17);
    ck_assert_str_eq(object_encoding_name(o), "embstr");
    keyspace_free(ks);
}
END_TEST

START_TEST(test_edit_keeps_what_was_there_and_fills_with_zeros)
{
    struct keyspace *ks = keyspace_new(1);
    struct db *d = keyspace_db(ks, 0);
    struct object *o = db_set_string(d, z("k"), z("12"), false);
    char *p = string_edit(o, 5);

    ck_assert_uint_eq(string_len(o), 5);
    ck_assert(memcmp(p, "12\0\0\0", 5) == 0);
    memcpy(p + 2, "345", 3);
    p = string_edit(o, 2);
    ck_assert_uint_eq(string_len(o), 5);           /* never shorter */
    for (size_t len = 6; len < 3000; len++)
        string_edit(o, len)[len - 1] = 'x';
    ck_assert_uint_eq(string_len(o), 2999);
    ck_assert(memcmp(string_edit(o, 0), "12345x", 6) == 0);
    keyspace_free(ks);
}
END_TEST

SUITE(t_string, test_numbers, test_edit_keeps_what_was_there_and_fills_with_zeros)
