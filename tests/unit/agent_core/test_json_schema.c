/* What a schema refuses, in which words; what is no schema; and how much may be asked. Whether keywords mean
 * what the standard says is the business of tests/house/json-schema-suite. */
#include "agent/core/json_schema.h"
#include "common/base/mem.h"
#include "tests/support/suite.h"

#include <string.h>

/* Patterns that are plain text to be found; "!" gives up, "(" is no pattern. */
static int plain_compile(const char *text, void **out, struct err *e)
{
    if (strcmp(text, "(") == 0)
        return err_set(e, ERR_FORMAT, "is no pattern");
    *out = mem_strdup(text);
    return 0;
}

static int plain_matches(const void *pattern, const char *text, size_t n, struct err *e)
{
    (void)n;
    if (strcmp(pattern, "!") == 0)
        return err_set(e, ERR_LIMIT, "too hard");
    return strstr(text, pattern) != NULL;
}

static void plain_release(void *pattern) { mem_free(pattern); }
static const struct json_patterns plain = {plain_compile, plain_matches, plain_release};

static struct json_schema *compiled(const char *text)
{
    cJSON *tree = cJSON_Parse(text);
    struct json_schema *s = NULL;
    struct err e = {0};

    ck_assert_msg(tree != NULL, "%s", text);
    ck_assert_msg(json_schema_compile(&tree, &plain, &s, &e) == 0, "%s: %s", text, e.text);
    ck_assert_ptr_null(tree);
    return s;
}

static int ask(const char *schema, const char *value, struct err *e)
{
    struct json_schema *s = compiled(schema);
    cJSON *v = cJSON_Parse(value);
    int rc;

    ck_assert_msg(v != NULL, "%s", value);
    rc = json_schema_check(s, v, e);
    cJSON_Delete(v);
    json_schema_free(s);
    return rc;
}

START_TEST(test_words)
{
    static const struct { const char *schema, *value, *text; } rows[] = {
        {"{\"properties\":{\"files\":{\"items\":{\"properties\":{\"mode\":{\"pattern\":\"0\"}}}}}}",
         "{\"files\":[{\"mode\":\"0\"},{\"mode\":\"secret\"}]}", "files[1].mode: violates pattern \"0\""},
        {"{\"type\":[\"string\",\"null\"]}", "5", "violates type [\"string\",\"null\"]"},
        {"{\"properties\":{\"p\":{\"maximum\":5}}}", "{\"p\":6}", "p: violates maximum 5"},
        {"{\"required\":[\"a\",\"b\"]}", "{\"a\":1}", "violates required [\"a\",\"b\"]: 'b' is missing"},
        {"{\"additionalProperties\":false,\"properties\":{\"a\":true}}", "{\"b\":1}",
         "violates additionalProperties false: 'b' is not known"},
        {"{\"properties\":{\"a\":{\"enum\":[1,\"x\"]}}}", "{\"a\":2}", "a: violates enum [1,\"x\"]"},
        {"{\"items\":false}", "[1]", "[0]: violates false: nothing may stand here"},
        {"{\"minItems\":2}", "[1]", "violates minItems 2: it has 1"},
        {"{\"uniqueItems\":true}", "[1,2,1.0]", "violates uniqueItems true: [0] and [2] are equal"},
        {"{\"properties\":{\"a\":{\"anyOf\":[{\"type\":\"null\"},{\"properties\":{\"b\":{\"minLength\":2}}}]}}}",
         "{\"a\":{\"b\":\"x\"}}",
         "a: violates anyOf [{\"type\":\"null\"},{\"properties\":{\"b\":{\"minLength\":2}}}]: none fits; a.b: violates minLength 2"},
        {"{\"oneOf\":[{\"minimum\":1},{\"minimum\":2}]}", "3", "violates oneOf [{\"minimum\":1},{\"minimum\":2}]: 2 of 2 fit"},
        {"{\"not\":{\"const\":1}}", "1", "violates not {\"const\":1}"},
        {"{\"dependencies\":{\"a\":[\"b\"]}}", "{\"a\":1}", "violates dependencies {\"a\":[\"b\"]}: 'b' is missing beside a"},
        {"{\"propertyNames\":{\"maxLength\":1}}", "{\"ab\":1}", "violates propertyNames {\"maxLength\":1}: 'ab'"},
        {"{\"if\":{\"required\":[\"a\"]},\"then\":{\"required\":[\"b\"]}}", "{\"a\":1}", "violates required [\"b\"]: 'b' is missing"},
        {"{\"$ref\":\"#/definitions/x%25~1~0\",\"definitions\":{\"x%/~\":{\"multipleOf\":0.01}}}", "0.015", "violates multipleOf 0.01"},
        {"{\"properties\":{\"a\":{\"pattern\":\"!\"}}}", "{\"a\":\"b\"}", "a: pattern \"!\": too hard"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct err e = {0};

        ck_assert_msg(ask(rows[i].schema, rows[i].value, &e) != 0, "%s", rows[i].schema);
        ck_assert_str_eq(e.text, rows[i].text);
        ck_assert_ptr_null(strstr(e.text, "secret"));
    }
}
END_TEST

START_TEST(test_fits)
{
    static const struct { const char *schema, *value; } rows[] = {
        {"true", "[]"}, {"{}", "{}"}, {"{\"type\":\"integer\"}", "1.0"}, {"{\"type\":\"integer\"}", "1e300"},
        {"{\"minLength\":2,\"maxLength\":2}", "\"\xc3\xa9\xf0\x9f\x98\x80\""}, {"{\"multipleOf\":0.0001}", "0.0075"},
        {"{\"maximum\":3}", "\"four\""}, {"{\"format\":\"ipv4\",\"title\":\"t\",\"default\":7}", "\"no address\""},
        {"{\"items\":[{\"const\":1}],\"additionalItems\":{\"const\":2}}", "[1,2,2]"}, {"{\"contains\":{\"const\":2}}", "[1,2]"},
        {"{\"properties\":{\"child\":{\"$ref\":\"#\"}},\"additionalProperties\":false}", "{\"child\":{\"child\":{}}}"},
        {"{\"patternProperties\":{\"x-\":{\"type\":\"string\"}},\"additionalProperties\":false}", "{\"x-a\":\"\",\"yx-\":\"\"}"},
        {"{\"$schema\":\"http://json-schema.org/draft-07/schema#\",\"$id\":\"urn:x\",\"$comment\":\"\"}", "1"},
        {"{\"const\":{\"b\":[1,{}],\"a\":1.0}}", "{\"a\":1,\"b\":[1.0,{}]}"}, {"{\"required\":[]}", "{}"},
        {"{\"properties\":{\"a\":{\"$ref\":\"#/items/1\"}},\"items\":[true,{\"type\":\"null\"}]}", "{\"a\":null}"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct err e = {0};

        ck_assert_msg(ask(rows[i].schema, rows[i].value, &e) == 0, "%s: %s", rows[i].schema, e.text);
    }
}
END_TEST

START_TEST(test_no_schemas)
{
    static const struct { const char *schema; int code; const char *text; } rows[] = {
        {"7", ERR_FORMAT, "a schema must be an object, true or false"},
        {"{\"maximun\":3}", ERR_REFUSED, "maximun: is not a keyword that is supported here"},
        {"{\"properties\":{\"port\":{\"minimum\":\"1\"}}}", ERR_FORMAT, "properties.port.minimum: must be a number"},
        {"{\"allOf\":[true,{\"items\":[{\"type\":\"int\"}]}]}", ERR_FORMAT,
         "allOf[1].items[0].type: must be of null, boolean, object, array, number, string, integer (one, or a list)"},
        {"{\"type\":[]}", ERR_FORMAT, NULL}, {"{\"enum\":[]}", ERR_FORMAT, NULL}, {"{\"allOf\":[]}", ERR_FORMAT, NULL},
        {"{\"allOf\":{}}", ERR_FORMAT, NULL}, {"{\"anyOf\":[1]}", ERR_FORMAT, NULL}, {"{\"items\":1}", ERR_FORMAT, NULL},
        {"{\"properties\":[]}", ERR_FORMAT, NULL}, {"{\"properties\":{\"a\":1}}", ERR_FORMAT, NULL},
        {"{\"required\":\"a\"}", ERR_FORMAT, NULL}, {"{\"required\":[1]}", ERR_FORMAT, NULL},
        {"{\"minLength\":-1}", ERR_FORMAT, NULL}, {"{\"minItems\":1.5}", ERR_FORMAT, NULL},
        {"{\"uniqueItems\":1}", ERR_FORMAT, NULL}, {"{\"multipleOf\":0}", ERR_FORMAT, NULL},
        {"{\"pattern\":1}", ERR_FORMAT, NULL}, {"{\"pattern\":\"(\"}", ERR_FORMAT, "pattern: is no pattern"},
        {"{\"patternProperties\":{\"(\":true}}", ERR_FORMAT, NULL}, {"{\"dependencies\":{\"a\":1}}", ERR_FORMAT, NULL},
        {"{\"definitions\":{\"a\":1}}", ERR_FORMAT, NULL}, {"{\"definitions\":{\"a\":{\"not\":1}}}", ERR_FORMAT, "definitions.a.not: must be a schema (an object, true or false)"},
        {"{\"$ref\":\"http://x/y#\"}", ERR_REFUSED, "$ref: only places in this schema are supported (#, #/definitions/...)"},
        {"{\"$ref\":\"#name\"}", ERR_REFUSED, NULL}, {"{\"$ref\":7}", ERR_FORMAT, NULL},
        {"{\"$ref\":\"#/definitions/a\"}", ERR_UNKNOWN, "$ref: leads to nothing in this schema"},
        {"{\"$ref\":\"#/definitions/a/b/c\",\"definitions\":{\"a\":true}}", ERR_UNKNOWN, NULL},
        {"{\"$ref\":\"#/definitions\",\"definitions\":{\"a\":true}}", ERR_REFUSED, NULL},
        {"{\"properties\":{\"a\":{\"$ref\":\"#/title\"}},\"title\":\"t\"}", ERR_FORMAT, "properties.a.$ref: does not lead to a schema"},
        {"{\"properties\":{\"a\":{\"$ref\":\"#/%\"}}}", ERR_FORMAT, "properties.a.$ref: is not a JSON pointer"},
        {"{\"properties\":{\"a\":{\"$ref\":\"#/~2\"}}}", ERR_FORMAT, NULL},
        {"{\"properties\":{\"a\":{\"$ref\":\"#\",\"maxItems\":2}}}", ERR_REFUSED,
         "properties.a.maxItems: would be ignored beside $ref; put both into allOf"},
        {"{\"properties\":{\"a\":{\"$id\":\"b\"}}}", ERR_REFUSED, NULL}, {"{\"then\":true}", ERR_REFUSED, NULL},
        {"{\"additionalItems\":false}", ERR_REFUSED, NULL}, {"{\"$ref\":\"#\"}", ERR_FORMAT, "asks itself about the same value, in a circle of $ref"},
        {"{\"allOf\":[{\"$ref\":\"#/definitions/a\"}],\"definitions\":{\"a\":{\"not\":{\"if\":{\"dependencies\":{\"x\":{\"$ref\":\"#\"}}},\"then\":false}}}}", ERR_FORMAT, NULL},
        {"{\"definitions\":{\"a\":{\"anyOf\":[true,{\"$ref\":\"#/definitions/b\"}]},\"b\":{\"oneOf\":[{\"$ref\":\"#/definitions/a\"}]}}}", ERR_FORMAT, NULL},
        {"{\"contentEncoding\":\"base64\"}", ERR_REFUSED, NULL}, {"{\"$defs\":{}}", ERR_REFUSED, NULL},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cJSON *tree = cJSON_Parse(rows[i].schema);
        struct json_schema *s = NULL;
        struct err e = {0};
        int rc = json_schema_compile(&tree, &plain, &s, &e);

        ck_assert_msg(rc == rows[i].code, "%s: %d %s", rows[i].schema, rc, e.text);
        ck_assert_ptr_null(s);
        ck_assert_ptr_nonnull(tree);
        ck_assert(e.text[0]);
        if (rows[i].text)
            ck_assert_str_eq(e.text, rows[i].text);
        cJSON_Delete(tree);
    }
}
END_TEST

START_TEST(test_without_patterns)
{
    cJSON *tree = cJSON_Parse("{\"pattern\":\"a\"}");
    struct json_schema *s = NULL;
    struct err e;

    ck_assert_int_eq(json_schema_compile(&tree, NULL, &s, &e), ERR_REFUSED);
    cJSON_Delete(tree);
}
END_TEST

/* What cannot be answered is neither yes nor no. */
START_TEST(test_given_up)
{
    static const char *const unsure[] = {"{\"not\":{\"pattern\":\"!\"}}", "{\"anyOf\":[{\"pattern\":\"!\"},true]}",
                                         "{\"oneOf\":[true,{\"pattern\":\"!\"}]}", "{\"if\":{\"pattern\":\"!\"},\"else\":true}",
                                         "{\"not\":{\"not\":{\"anyOf\":[{\"pattern\":\"!\"}]}}}"};

    for (size_t i = 0; i < sizeof unsure / sizeof unsure[0]; i++) {
        struct err e = {0};

        ck_assert_msg(ask(unsure[i], "\"x\"", &e) == ERR_LIMIT, "%s", unsure[i]);
        ck_assert(e.text[0]);
    }
}
END_TEST

/* 2^40 questions out of 40 definitions; 3000 references in a row. */
START_TEST(test_is_bounded)
{
    struct str s = {0};
    struct err e = {0};

    str_append_z(&s, "{\"$ref\":\"#/definitions/d0\",\"definitions\":{");
    for (int i = 0; i < 40; i++)
        str_printf(&s, "\"d%d\":{\"allOf\":[{\"$ref\":\"#/definitions/d%d\"},{\"$ref\":\"#/definitions/d%d\"}]},", i, i + 1, i + 1);
    str_append_z(&s, "\"d40\":{\"type\":\"null\"}}}");
    ck_assert_int_eq(ask(str_c(&s), "null", &e), ERR_LIMIT);
    ck_assert_str_eq(e.text, "checking takes too much work");
    str_clear(&s);
    str_append_z(&s, "{\"$ref\":\"#/definitions/d0\",\"definitions\":{");
    for (int i = 0; i < 3000; i++)
        str_printf(&s, "\"d%d\":{\"$ref\":\"#/definitions/d%d\"},", i, i + 1);
    str_append_z(&s, "\"d3000\":true}}");
    ck_assert_int_eq(ask(str_c(&s), "null", &e), ERR_LIMIT);
    ck_assert_str_eq(e.text, "the schema is nested too deeply here");
    str_fini(&s);
}
END_TEST

START_TEST(test_too_many)
{
    cJSON *tree = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(tree, "allOf");
    struct json_schema *s = NULL;
    struct err e;

    for (int i = 0; i < JSON_SCHEMA_MAX_NODES + 1; i++)
        cJSON_AddItemToArray(list, cJSON_CreateTrue());
    ck_assert_int_eq(json_schema_compile(&tree, NULL, &s, &e), ERR_LIMIT);
    cJSON_Delete(tree);
}
END_TEST

/* A schema may be asked many times, and about itself. */
START_TEST(test_again)
{
    static const char text[] = "{\"properties\":{\"properties\":{\"type\":\"object\",\"propertyNames\":{\"minLength\":1}}}}";
    struct json_schema *s = compiled(text);
    cJSON *v = cJSON_Parse(text);
    struct err e;

    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(json_schema_check(s, v, &e), 0);
    ck_assert_int_eq(json_schema_check(s, v, NULL), 0);
    cJSON_AddItemToObject(cJSON_GetObjectItem(v, "properties"), "", cJSON_CreateTrue());
    ck_assert_int_eq(json_schema_check(s, v, NULL), ERR_RANGE);
    ck_assert_int_eq(json_schema_check(s, v, &e), ERR_RANGE);
    cJSON_Delete(v);
    json_schema_free(s);
}
END_TEST

SUITE(json_schema, test_words, test_fits, test_no_schemas, test_without_patterns, test_given_up, test_is_bounded, test_too_many,
      test_again)
