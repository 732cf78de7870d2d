/* The type "env": what is written, and what no reader could read back. */
#include "agent/core/desired.h"
#include "tests/support/suite.h"

#include <string.h>

static const struct whoami who = {"n1", ""};

struct field { const char *name, *value; };

static int plan_of(const char *doc, const struct field *hash, struct plan **out, bool *absent, struct err *e)
{
    struct docname name = {"env", "t"};
    struct inputs in;
    struct input *i;
    int rc;

    inputs_init(&in);
    inputs_put_string(&in, "config:env:t", doc, strlen(doc));
    if (hash) {
        i = inputs_put(&in, slice_z("hash:h"));
        i->kind = INPUT_HASH;
        for (; hash->name; hash++)
            input_add_field(i, hash->name, strlen(hash->name), hash->value, strlen(hash->value));
    } else {
        inputs_put_missing(&in, "hash:h");
    }
    rc = desired_plan(&name, &in, &who, NULL, out, absent, e);
    inputs_fini(&in);
    return rc;
}

START_TEST(test_lines)
{
    static const struct field hash[] = {{"MAX", "7"}, {"FROM_HASH", "$(date)`id`\\ \"x\""}, {"_u", " a "}, {NULL, NULL}};
    struct plan *p = NULL;
    struct err e = {0};
    bool absent;

    ck_assert_msg(plan_of("{\"root\":\"etc\",\"path\":\"default/web\",\"mode\":\"0600\",\"owner\":\"web\",\"from_hash\":\"h\","
                          "\"env\":{\"b\":\"it's\",\"MAX\":\"1000\",\"A1\":\"\",\"AB\":\"\\t#;!\"}}", hash, &p, &absent, &e) == 0,
                  "%s", e.text);
    ck_assert_uint_eq(p->files.n, 1);
    ck_assert_str_eq(p->files.at[0].root, "etc");
    ck_assert_str_eq(p->files.at[0].path, "default/web");
    ck_assert_str_eq(p->files.at[0].owner, "web");
    ck_assert_int_eq(p->files.at[0].mode, 0600);
    ck_assert_int_eq(p->carrier, CARRY_FILES);
    ck_assert_str_eq(str_c(&p->files.at[0].bytes),
                     "A1=\"\"\nAB=\"\t#;!\"\nFROM_HASH=\"\\$(date)\\`id\\`\\\\ \\\"x\\\"\"\nMAX=\"1000\"\n_u=\" a \"\nb=\"it's\"\n");
    plan_free(p);
}
END_TEST

START_TEST(test_the_hash_alone)
{
    static const struct field hash[] = {{"Z", "1"}, {"A", "2"}, {NULL, NULL}};
    const char *doc = "{\"root\":\"etc\",\"path\":\"w\",\"from_hash\":\"h\"}";
    struct plan *p = NULL;
    struct err e = {0};
    bool absent;

    ck_assert_int_eq(plan_of(doc, hash, &p, &absent, &e), 0);
    ck_assert_str_eq(str_c(&p->files.at[0].bytes), "A=\"2\"\nZ=\"1\"\n");
    plan_free(p);
    p = NULL;
    ck_assert_int_eq(plan_of(doc, NULL, &p, &absent, &e), ERR_MISSING);
    ck_assert(absent);
    ck_assert_ptr_nonnull(strstr(e.text, "hash:h"));
}
END_TEST

#define AT "\"root\":\"etc\",\"path\":\"w\""
static const struct { const char *doc, *reason; } refused[] = {
    {"{" AT "}", "'env' or 'from_hash'"},
    {"{" AT ",\"env\":{\"1A\":\"x\"}}", "'1A' is not the name"},
    {"{" AT ",\"env\":{\"\":\"x\"}}", "is not the name"},
    {"{" AT ",\"env\":{\"A-B\":\"x\"}}", "'A-B'"},
    {"{" AT ",\"env\":{\"A=B\":\"x\"}}", "'A=B'"},
    {"{" AT ",\"env\":{\"A B\":\"x\"}}", "'A B'"},
    {"{" AT ",\"env\":{\"\\u00c4\":\"x\"}}", "is not the name"},
    {"{" AT ",\"env\":{\"A\":\"secret\\nB=1\"}}", "env.A: a line break"},
    {"{" AT ",\"env\":{\"A\":\"x\\r\"}}", "env.A: a line break"},
    {"{" AT ",\"env\":{\"A\":\"x\\u001b\"}}", "0x1b"},
    {"{" AT ",\"env\":{\"A\":\"x\\u007f\"}}", "0x7f"},
    {"{" AT ",\"env\":{\"A\":1000}}", "env.A"},
    {"{" AT ",\"env\":{\"A\":null}}", "env.A"},
    {"{" AT ",\"env\":[\"A=1\"]}", "env"},
    {"{" AT ",\"from_hash\":\"\"}", "from_hash"},
    {"{\"root\":\"etc\",\"path\":\"../w\",\"env\":{}}", "path: '../w' must be relative"},
    {"{\"root\":\"etc\",\"path\":\"/w\",\"env\":{}}", "path: '/w'"},
    {"{\"path\":\"w\",\"env\":{}}", "root"},
    {"{" AT ",\"env\":{},\"mode\":\"4755\"}", "mode"},
    {"{" AT ",\"env\":{},\"drift\":\"repair\"}", "not supported yet"},
    {"{" AT ",\"env\":{},\"file\":1}", "file: unknown name"},
};

START_TEST(test_refusals)
{
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct plan *p = NULL;
        struct err e = {0};
        bool absent;

        ck_assert_msg(plan_of(refused[i].doc, NULL, &p, &absent, &e) != 0, "%s", refused[i].doc);
        ck_assert_msg(strstr(e.text, refused[i].reason) != NULL, "%s: %s", refused[i].doc, e.text);
        ck_assert_ptr_null(strstr(e.text, "secret"));
    }
}
END_TEST

START_TEST(test_a_hash_that_cannot_be_written)
{
    static const struct field bad_name[] = {{"a.b", "1"}, {NULL, NULL}}, bad_value[] = {{"A", "\xff"}, {NULL, NULL}};
    const char *doc = "{\"root\":\"etc\",\"path\":\"w\",\"from_hash\":\"h\"}";
    struct plan *p = NULL;
    struct err e = {0};
    bool absent;

    ck_assert_int_ne(plan_of(doc, bad_name, &p, &absent, &e), 0);
    ck_assert_ptr_nonnull(strstr(e.text, "from_hash: 'a.b'"));
    ck_assert_int_ne(plan_of(doc, bad_value, &p, &absent, &e), 0);
    ck_assert_ptr_nonnull(strstr(e.text, "from_hash.A: byte 0 is not UTF-8"));
}
END_TEST

START_TEST(test_a_value_no_program_can_be_started_with)
{
    struct str doc = {0}, big = {0};
    struct plan *p = NULL;
    struct err e = {0};
    bool absent;

    while (big.len < 128 * 1024 - 3)
        str_append_c(&big, 'x');
    str_printf(&doc, "{\"root\":\"etc\",\"path\":\"w\",\"env\":{\"A\":\"%s\"}}", str_c(&big));
    ck_assert_msg(plan_of(str_c(&doc), NULL, &p, &absent, &e) == 0, "%s", e.text);
    plan_free(p);
    p = NULL;
    str_clear(&doc);
    str_printf(&doc, "{\"root\":\"etc\",\"path\":\"w\",\"env\":{\"A\":\"%sx\"}}", str_c(&big));
    ck_assert_int_eq(plan_of(str_c(&doc), NULL, &p, &absent, &e), ERR_LIMIT);
    str_fini(&doc);
    str_fini(&big);
}
END_TEST

SUITE(type_env, test_lines, test_the_hash_alone, test_refusals, test_a_hash_that_cannot_be_written,
      test_a_value_no_program_can_be_started_with)
