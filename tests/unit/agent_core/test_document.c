/* Strict JSON: what is let in, and what is said about the rest. */
#include "agent/core/document.h"
#include "common/base/str.h"
#include "tests/support/suite.h"

#include <string.h>

START_TEST(test_good_documents)
{
    static const char *const good[] = {
        "{}", " { \"a\" : [ 1 , -0.5e+3, 0, true, false, null, \"x\" ] } \n",
        "{\"\\u00e4\\ud83d\\ude00\":\"\xc3\xa4\xf0\x9f\x98\x80\"}", "{\"a\":{\"a\":1},\"b\":{\"a\":2}}", "{\"A\":1,\"a\":2}",
    };

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct err e = {0};
        cJSON *tree = NULL;

        ck_assert_msg(document_parse(good[i], strlen(good[i]), &tree, &e) == 0, "%s: %s", good[i], e.text);
        ck_assert(cJSON_IsObject(tree));
        cJSON_Delete(tree);
    }
}
END_TEST

static const struct { const char *text, *says; int code; } wrong[] = {
    {"", "'{' must stand here", ERR_FORMAT},
    {"[]", "'{' must stand here", ERR_FORMAT},
    {"\xef\xbb\xbf{}", "'{' must stand here", ERR_FORMAT},
    {"{\"a\":NaN}", "line 1, column 6: NaN is not JSON", ERR_FORMAT},
    {"{\"a\":Infinity}", "Infinity is not JSON", ERR_FORMAT},
    {"{\"a\":\n -Infinity}", "line 2, column 2: Infinity is not JSON", ERR_FORMAT},
    {"{\"a\":1,\"a\":2}", "'a' stands twice", ERR_FORMAT},
    {"{\"x\":[{\"a\":1,\"\\u0061\":2}]}", "'a' stands twice", ERR_FORMAT},
    {"{\"a\":1}x", "after the end", ERR_FORMAT},
    {"{\"a\":1,}", "a name in double quotes", ERR_FORMAT},
    {"{\"a\":[1,]}", "no JSON value begins", ERR_FORMAT},
    {"{\"a\" 1}", "':' must stand here", ERR_FORMAT},
    {"{\"a\":1 \"b\":2}", "',' or '}'", ERR_FORMAT},
    {"{'a':1}", "a name in double quotes", ERR_FORMAT},
    {"{\"a\":01}", "must not begin with 0", ERR_FORMAT},
    {"{\"a\":1.}", "after the point", ERR_FORMAT},
    {"{\"a\":1e}", "exponent", ERR_FORMAT},
    {"{\"a\":-}", "needs a digit", ERR_FORMAT},
    {"{\"a\":\"\t\"}", "control character", ERR_FORMAT},
    {"{\"a\":\"\\x\"}", "unknown escape", ERR_FORMAT},
    {"{\"a\":\"\\u0000\"}", "\\u0000", ERR_FORMAT},
    {"{\"a\":\"\\ud800x\"}", "without its low half", ERR_FORMAT},
    {"{\"a\":\"\\udc00\"}", "without its high half", ERR_FORMAT},
    {"{\"a\":\"\\u12g4\"}", "four hex digits", ERR_FORMAT},
    {"{\"a\":\"b", "ends inside a string", ERR_FORMAT},
    {"{\"a\":\"b\\", "ends inside a string", ERR_FORMAT},
    {"{\"a\":", "a value is missing", ERR_FORMAT},
    {"{\"a\":tru}", "no JSON value begins", ERR_FORMAT},
    {"{\"a\":\"\xff\"}", "byte 7 is not UTF-8", ERR_FORMAT},
    {"{\"a\":\"\xc0\xaf\"}", "byte 7 is not UTF-8", ERR_FORMAT},
    {"{\"a\":\"\xed\xa0\x80\"}", "byte 7 is not UTF-8", ERR_FORMAT},
    {"{\"a\":\"\xf4\x90\x80\x80\"}", "byte 7 is not UTF-8", ERR_FORMAT},
    {"{\"a\":\"\xc3", "byte 7 is not UTF-8", ERR_FORMAT},
};

START_TEST(test_wrong_documents)
{
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct err e = {0};
        cJSON *tree = (cJSON *)&e;

        ck_assert_msg(document_parse(wrong[i].text, strlen(wrong[i].text), &tree, &e) == wrong[i].code, "%s", wrong[i].text);
        ck_assert_msg(strstr(e.text, wrong[i].says) != NULL, "%s says: %s", wrong[i].text, e.text);
        ck_assert_ptr_eq(tree, (cJSON *)&e);
    }
}
END_TEST

START_TEST(test_nul_bytes)
{
    struct err e = {0};
    cJSON *tree;

    ck_assert_int_eq(document_parse("{\"a\":\"x\0y\"}", 11, &tree, &e), ERR_FORMAT);
    ck_assert_int_eq(document_parse("{}\0", 3, &tree, &e), ERR_FORMAT);
}
END_TEST

static void nested(struct str *out, int depth)
{
    str_append_z(out, "{\"a\":");
    for (int i = 1; i < depth; i++)
        str_append_c(out, '[');
    for (int i = 1; i < depth; i++)
        str_append_c(out, ']');
    str_append_z(out, depth > 1 ? "}" : "1}");
}

START_TEST(test_limits)
{
    struct str s = {0};
    struct err e = {0};
    cJSON *tree = NULL;

    nested(&s, DOCUMENT_MAX_DEPTH);
    ck_assert_int_eq(document_parse(s.p, s.len, &tree, &e), 0);
    cJSON_Delete(tree);
    str_clear(&s);
    nested(&s, DOCUMENT_MAX_DEPTH + 1);
    ck_assert_int_eq(document_parse(s.p, s.len, &tree, &e), ERR_LIMIT);
    str_set_z(&s, "{\"a\":\"");
    while (s.len < DOCUMENT_MAX_BYTES - 2)
        str_append_c(&s, 'x');
    str_append_z(&s, "\"}");
    ck_assert_uint_eq(s.len, DOCUMENT_MAX_BYTES);
    ck_assert_int_eq(document_parse(s.p, s.len, &tree, &e), 0);
    cJSON_Delete(tree);
    str_append_c(&s, ' ');
    ck_assert_int_eq(document_parse(s.p, s.len, &tree, &e), ERR_LIMIT);
    str_fini(&s);
}
END_TEST

SUITE(document, test_good_documents, test_wrong_documents, test_nul_bytes, test_limits)
