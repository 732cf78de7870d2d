/* Names, what is refused before it is sent, and differences value by value. */
#include "sentinel/ctl/document.h"
#include "tests/support/suite.h"

#include <string.h>

static const struct { const char *word, *component, *name; } names[] = {
    {"files:web", NULL, "files:web"},
    {"files", "web", "files:web"},
    {"a_b-9:A.b_c-D", NULL, "a_b-9:A.b_c-D"},
    {"redis", "a:b", NULL},
    {"files:web:x", NULL, NULL},
    {"files", NULL, NULL},
    {"files:", NULL, NULL},
    {":web", NULL, NULL},
    {"", NULL, NULL},
    {"Files:web", NULL, NULL},
    {"files:w eb", NULL, NULL},
    {"files:.", NULL, NULL},
    {"files:..", NULL, NULL},
    {"files:...", NULL, "files:..."},
    {"files:web/../x", NULL, NULL},
    {"abcdefghijklmnopqrstuvwxyz0123456:x", NULL, NULL},      /* 33 */
};

START_TEST(test_names)
{
    struct err e = {0};
    char out[DOC_NAME_MAX], key[DOC_KEY_ROOM], longest[200];

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        int rc = doc_name(names[i].word, names[i].component, out, &e);

        ck_assert_msg((rc == 0) == (names[i].name != NULL), "%s", names[i].word);
        if (rc == 0)
            ck_assert_str_eq(out, names[i].name);
        else
            ck_assert(rc == ERR_RANGE && strstr(e.text, "names no document"));
    }
    memset(longest, 'x', sizeof longest);
    memcpy(longest, "abcdefghijklmnopqrstuvwxyz012345:", 33);
    longest[33 + 128] = 0;
    ck_assert_int_eq(doc_name(longest, NULL, out, &e), 0);
    ck_assert_str_eq(doc_key(key, "cfgmeta", out) + 8, longest);
    longest[33 + 128] = 'x';
    longest[33 + 129] = 0;
    ck_assert_int_ne(doc_name(longest, NULL, out, &e), 0);
}
END_TEST

START_TEST(test_digest)
{
    char sha[SHA_TEXT];

    doc_sha("abc", 3, sha);
    ck_assert_str_eq(sha, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}
END_TEST

static int check(const char *bytes, size_t n, struct err *e)
{
    struct str doc = {0};
    int rc;

    str_set(&doc, bytes, n);
    rc = doc_check(&doc, e);
    str_fini(&doc);
    return rc;
}

static const struct { const char *text, *says; } wrong[] = {
    {"", "not valid JSON"},
    {"[]", "JSON object"},
    {"1", "JSON object"},
    {"\"x\"", "JSON object"},
    {"{", "not valid JSON"},
    {"{} x", "not valid JSON"},
    {"{\"a\":1,\"a\":2}", "\"a\" is there twice"},
    {"{\"x\":[{\"a\":1,\"a\":2}]}", "\"a\" is there twice"},
    {"{\"a\":\"\xff\"}", "UTF-8"},
    {"{\"a\":\"\xed\xa0\x80\"}", "UTF-8"},
    {"{\"a\":nan}", "not valid JSON"},
    /* what a lenient parser lets pass, and an agent refuses */
    {"\xef\xbb\xbf{}", "not valid JSON"},
    {"{\"a\":\"\t\"}", "control character"},
    {"{\"a\":\"\\u0000\"}", "\\u0000"},
    {"{\"a\":01}", "begin with 0"},
    {"{\"a\":1.}", "after the point"},
    {"{\"a\":NaN}", "NaN is not JSON"},
};

START_TEST(test_checks)
{
    static const char nested[] = "{\"a\":1,\"b\":{\"a\":[1,{\"a\":null}]}}";
    struct err e = {0};

    ck_assert_int_eq(check("{}", 2, &e), 0);
    ck_assert_int_eq(check(nested, sizeof nested - 1, &e), 0);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        ck_assert_msg(check(wrong[i].text, strlen(wrong[i].text), &e) != 0, "%s", wrong[i].text);
        ck_assert_msg(strstr(e.text, wrong[i].says) != NULL, "%s says: %s", wrong[i].text, e.text);
    }
    ck_assert_int_ne(check("{}\0{}", 5, &e), 0);
}
END_TEST

START_TEST(test_how_long_and_how_deep)
{
    struct err e = {0};
    struct str doc = {0};

    for (int depth = DOCUMENT_DEPTH_MAX; depth <= DOCUMENT_DEPTH_MAX + 1; depth++) {
        str_clear(&doc);
        for (int i = 0; i < depth - 1; i++)
            str_append_z(&doc, "{\"a\":");
        str_append_z(&doc, "{\"a\":1}");
        for (int i = 0; i < depth - 1; i++)
            str_append_c(&doc, '}');
        ck_assert_int_eq(doc_check(&doc, &e), depth <= DOCUMENT_DEPTH_MAX ? 0 : ERR_LIMIT);
        str_clear(&doc);
        for (int i = 0; i < depth - 1; i++)
            str_append_z(&doc, "{\"a\":");
        str_append_z(&doc, "[]");
        for (int i = 0; i < depth - 1; i++)
            str_append_c(&doc, '}');
        ck_assert_int_eq(doc_check(&doc, &e), depth <= DOCUMENT_DEPTH_MAX ? 0 : ERR_LIMIT);
    }
    str_set_z(&doc, "{\"a\":\"");
    while (doc.len < DOCUMENT_MAX - 2)
        str_append_c(&doc, 'x');
    str_append_z(&doc, "\"}");
    ck_assert_int_eq(doc_check(&doc, &e), 0);
    str_append_c(&doc, ' ');
    ck_assert_int_eq(doc_check(&doc, &e), ERR_LIMIT);
    str_fini(&doc);
}
END_TEST

static const struct { const char *was, *is, *lines; } diffs[] = {
    {"{}", "{}", ""},
    {"{\"a\":1}", "{ \"a\" : 1 }", ""},
    {"{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}", ""},
    {"{\"a\":1}", "{\"a\":2}", "- a = 1\n+ a = 2\n"},
    {"{\"a\":1}", "{\"a\":\"1\"}", "- a = 1\n+ a = \"1\"\n"},
    {"{\"a\":{\"b\":[1,2]}}", "{\"a\":{\"b\":[1,3,4]}}", "- a.b[1] = 2\n+ a.b[1] = 3\n+ a.b[2] = 4\n"},
    {"{\"a\":{}}", "{\"a\":[]}", "- a = {}\n+ a = []\n"},
    {"{\"db\":{\"password\":\"old\",\"auth_pass\":\"x\"}}", "{\"db\":{\"password\":\"new\"}}",
     "- db.password = \"***\"\n+ db.password = \"***\"\n- db.auth_pass = \"***\"\n"},
    {"plain", "{\"a\":1}", "- . = plain\n+ a = 1\n"},
    {"{\"a\":1}", "", "- a = 1\n+ . = \n"},
};

START_TEST(test_differences)
{
    for (size_t i = 0; i < sizeof diffs / sizeof diffs[0]; i++) {
        struct str out = {0};
        size_t lines = doc_diff(diffs[i].was, diffs[i].is, &out), want = 0;

        ck_assert_str_eq(str_c(&out), diffs[i].lines);
        for (const char *p = diffs[i].lines; (p = strchr(p, '\n')) != NULL; p++)
            want++;
        ck_assert_uint_eq(lines, want);
        str_fini(&out);
    }
}
END_TEST

SUITE(document, test_names, test_digest, test_checks, test_how_long_and_how_deep, test_differences)
