/* Shapes: one small shape with every type, and the place each mistake is found at. */
#include "agent/core/schema.h"
#include "tests/support/suite.h"

#include <string.h>

static const char *const words[] = {"one", "two", NULL};
static const struct shape_field element[] = {{"", SHAPE_INT, false, 1, 9}};
static const struct shape elements = SHAPE(element);
static const struct shape_field inner_fields[] = {{"a", SHAPE_TEXT, false, 1, 5}, {"b", SHAPE_BOOL}, {"c", SHAPE_ANY}};
static const struct shape inner = SHAPE_CHOICE(inner_fields, 2);
static const struct shape_field fields[] = {
    {"text", SHAPE_TEXT, true, 1, 5},
    {"int", SHAPE_INT, false, -5, 5},
    {"ms", SHAPE_MS, false, 100, 10000},
    {"mode", SHAPE_MODE},
    {"word", SHAPE_WORD, false, 0, 0, words},
    {"list", SHAPE_LIST, false, 1, 3, NULL, &elements},
    {"map", SHAPE_MAP, false, 0, 2, NULL, &elements},
    {"inner", SHAPE_OBJECT, false, 0, 0, NULL, &inner},
    {"later", SHAPE_LATER},
};
static const struct shape shape = SHAPE(fields);

static const struct { const char *json; int code; const char *says; } cases[] = {
    {"{\"text\":\"x\"}", 0, ""},
    {"{\"text\":\"x\",\"int\":-5,\"ms\":\"10s\",\"mode\":\"0640\",\"word\":\"two\",\"list\":[1,9],\"map\":{\"k\":3},\"inner\":{\"b\":true,\"c\":{}}}", 0, ""},
    {"[]", ERR_FORMAT, "must be an object"},
    {"{}", ERR_MISSING, "'text' is missing"},
    {"{\"text\":\"\"}", ERR_RANGE, "text: must not be empty"},
    {"{\"text\":\"123456\"}", ERR_RANGE, "text: longer than 5"},
    {"{\"text\":1}", ERR_FORMAT, "text: must be a string"},
    {"{\"text\":\"x\",\"Int\":1}", ERR_UNKNOWN, "Int: unknown name"},
    {"{\"text\":\"x\",\"int\":6}", ERR_RANGE, "int: must be a whole number -5..5"},
    {"{\"text\":\"x\",\"int\":1.5}", ERR_RANGE, "int: "},
    {"{\"text\":\"x\",\"int\":1e300}", ERR_RANGE, "int: "},
    {"{\"text\":\"x\",\"ms\":\"1ms\"}", ERR_RANGE, "ms: must be a duration"},
    {"{\"text\":\"x\",\"ms\":5}", ERR_RANGE, "ms: must be a duration"},
    {"{\"text\":\"x\",\"mode\":\"640x\"}", ERR_RANGE, "mode: "},
    {"{\"text\":\"x\",\"mode\":\"4755\"}", ERR_RANGE, "mode: "},
    {"{\"text\":\"x\",\"word\":\"three\"}", ERR_RANGE, "word: must be one of one, two"},
    {"{\"text\":\"x\",\"list\":[]}", ERR_RANGE, "list: needs at least 1"},
    {"{\"text\":\"x\",\"list\":[1,2,3,4]}", ERR_LIMIT, "list: more than 3"},
    {"{\"text\":\"x\",\"list\":[1,0]}", ERR_RANGE, "list[1]: "},
    {"{\"text\":\"x\",\"list\":{}}", ERR_FORMAT, "list: must be a list"},
    {"{\"text\":\"x\",\"map\":{\"k\":\"v\"}}", ERR_RANGE, "map.k: "},
    {"{\"text\":\"x\",\"map\":[]}", ERR_FORMAT, "map: must be an object"},
    {"{\"text\":\"x\",\"inner\":{}}", ERR_MISSING, "inner: just one of 'a', 'b'"},
    {"{\"text\":\"x\",\"inner\":{\"a\":\"x\",\"b\":true}}", ERR_RANGE, "inner: just one of 'a', 'b'"},
    {"{\"text\":\"x\",\"inner\":{\"a\":\"toolong\"}}", ERR_RANGE, "inner.a: longer"},
    {"{\"text\":\"x\",\"later\":1}", ERR_REFUSED, "later: not supported yet"},
};

START_TEST(test_shapes)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cJSON *tree = cJSON_Parse(cases[i].json);
        struct err e = {0};
        int rc = shape_check(&shape, tree, &e);

        ck_assert_msg(rc == cases[i].code, "%s: %d %s", cases[i].json, rc, e.text);
        ck_assert_msg(strstr(e.text, cases[i].says) != NULL, "%s says: %s", cases[i].json, e.text);
        cJSON_Delete(tree);
    }
}
END_TEST

START_TEST(test_reading)
{
    cJSON *t = cJSON_Parse("{\"s\":\"x\",\"n\":7,\"ms\":\"2s\",\"mode\":\"0640\",\"bad\":\"9\"}");

    ck_assert_str_eq(tree_text(t, "s", "d"), "x");
    ck_assert_str_eq(tree_text(t, "n", "d"), "d");
    ck_assert_int_eq(tree_int(t, "n", 1), 7);
    ck_assert_int_eq(tree_int(t, "N", 1), 1);
    ck_assert_int_eq(tree_ms(t, "ms", 1), 2000);
    ck_assert_int_eq(tree_mode(t, "mode", 1), 0640);
    ck_assert_int_eq(tree_mode(t, "bad", 0644), 0644);
    ck_assert_ptr_null(tree_at(t, "nothing"));
    cJSON_Delete(t);
}
END_TEST

SUITE(schema, test_shapes, test_reading)
