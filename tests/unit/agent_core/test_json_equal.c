/* Equal values, however they are written. */
#include "agent/core/json_equal.h"
#include "tests/support/suite.h"

#include <stdio.h>

START_TEST(test_pairs)
{
    static const struct { const char *a, *b; bool equal; } rows[] = {
        {"1", "1.0", true}, {"1", "true", false}, {"0", "false", false}, {"0", "-0.0", true}, {"null", "null", true},
        {"null", "0", false}, {"\"a\"", "\"a\"", true}, {"\"a\"", "\"A\"", false}, {"[1,2]", "[1,2]", true},
        {"[1,2]", "[2,1]", false}, {"[1]", "[1,1]", false}, {"[]", "{}", false}, {"{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}", true},
        {"{\"a\":1}", "{\"A\":1}", false}, {"{\"a\":1}", "{\"a\":1,\"b\":1}", false}, {"{\"a\":[{\"x\":[]}]}", "{\"a\":[{\"x\":[]}]}", true},
        {"true", "false", false}, {"\"1\"", "1", false}, {"{\"a\":1,\"b\":1,\"c\":1}", "{\"c\":1,\"a\":1,\"b\":1}", true},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cJSON *a = cJSON_Parse(rows[i].a), *b = cJSON_Parse(rows[i].b);
        int64_t left = 1000;

        ck_assert_msg(a && b, "%s %s", rows[i].a, rows[i].b);
        ck_assert_msg(json_equal(a, b, &left) == rows[i].equal, "%s %s", rows[i].a, rows[i].b);
        ck_assert_msg(json_equal(b, a, &left) == rows[i].equal, "%s %s", rows[i].b, rows[i].a);
        ck_assert_msg((json_hash(a, &left) == json_hash(b, &left)) == rows[i].equal, "hash of %s %s", rows[i].a, rows[i].b);
        ck_assert_int_lt(left, 1000);
        cJSON_Delete(a);
        cJSON_Delete(b);
    }
}
END_TEST

START_TEST(test_twins)
{
    cJSON *v = cJSON_Parse("[1,\"1\",{\"a\":1,\"b\":2},[1],true,{\"b\":2,\"a\":1}]");
    int first = -1, second = -1;
    int64_t left = 1000;

    ck_assert(json_has_twins(v, &first, &second, &left));
    ck_assert_int_eq(first, 2);
    ck_assert_int_eq(second, 5);
    cJSON_DeleteItemFromArray(v, 5);
    ck_assert(!json_has_twins(v, &first, &second, &left));
    cJSON_Delete(v);
}
END_TEST

/* Two large objects in opposite orders: given up, not waited for. */
START_TEST(test_is_bounded)
{
    cJSON *a = cJSON_CreateObject(), *b = cJSON_CreateObject();
    int64_t left = 100000;

    for (int i = 0; i < 5000; i++) {
        char name[16];

        snprintf(name, sizeof name, "n%d", i);
        cJSON_AddNumberToObject(a, name, i);
        snprintf(name, sizeof name, "n%d", 4999 - i);
        cJSON_AddNumberToObject(b, name, 4999 - i);
    }
    ck_assert(!json_equal(a, b, &left));
    ck_assert_int_lt(left, 0);
    cJSON_Delete(a);
    cJSON_Delete(b);
}
END_TEST

SUITE(json_equal, test_pairs, test_twins, test_is_bounded)
