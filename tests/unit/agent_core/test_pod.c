/* Pods in the API's words: what is read, what is sent, names that are none. */
#include "agent/core/pod.h"
#include "tests/support/suite.h"

#include <string.h>

static int read_text(const char *json, struct pod *p)
{
    struct err e = {0};

    return pod_read(slice_z(json), "kvorum.io/role", p, &e);
}

START_TEST(test_read)
{
    struct pod p = {0};

    ck_assert_int_eq(read_text("{\"kind\":\"Pod\",\"metadata\":{\"uid\":\"u-1\",\"resourceVersion\":\"42\",\"labels\":{\"app\":\"x\","
                               "\"kvorum.io/role\":\"primary\"}}}", &p), 0);
    ck_assert_str_eq(p.uid, "u-1");
    ck_assert_str_eq(p.version, "42");
    ck_assert(p.labelled && !p.deleting);
    ck_assert_str_eq(p.label, "primary");
    ck_assert_int_eq(read_text("{\"metadata\":{\"uid\":\"u\",\"resourceVersion\":\"1\",\"deletionTimestamp\":\"2026-01-01T00:00:00Z\"}}", &p), 0);
    ck_assert(!p.labelled && p.deleting);
}
END_TEST

START_TEST(test_read_refuses)
{
    static const char *const wrong[] = {
        "", "{", "[]", "null", "\"pod\"", "{\"metadata\":{}}", "{\"metadata\":{\"uid\":1,\"resourceVersion\":\"1\"}}",
        "{\"metadata\":{\"uid\":\"u\"}}", "{\"metadata\":[]}", "{\"Metadata\":{\"uid\":\"u\",\"resourceVersion\":\"1\"}}"};
    struct pod p = {.uid = "kept"};
    struct str deep = {0}, longer = {0};
    struct err e;

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        ck_assert_int_eq(read_text(wrong[i], &p), ERR_FORMAT);
    for (int i = 0; i < 100000; i++)
        str_append_c(&deep, '[');
    ck_assert_int_eq(pod_read((struct slice){str_c(&deep), deep.len}, "a", &p, &e), ERR_FORMAT);
    str_append_z(&longer, "{\"metadata\":{\"resourceVersion\":\"1\",\"uid\":\"");
    for (int i = 0; i < 200; i++)
        str_append_c(&longer, 'u');
    str_append_z(&longer, "\"}}");
    ck_assert_int_eq(pod_read((struct slice){str_c(&longer), longer.len}, "a", &p, &e), ERR_FORMAT);
    ck_assert_str_eq(p.uid, "kept");
    str_fini(&deep);
    str_fini(&longer);
}
END_TEST

START_TEST(test_brackets_in_texts_do_not_nest)
{
    struct str s = {0};
    struct pod p;
    struct err e;

    str_append_z(&s, "{\"metadata\":{\"uid\":\"u\",\"resourceVersion\":\"1\",\"annotations\":{\"a\":\"\\\"");
    for (int i = 0; i < 1000; i++)
        str_append_c(&s, '{');
    str_append_z(&s, "\"}}}");
    ck_assert_int_eq(pod_read((struct slice){str_c(&s), s.len}, "a", &p, &e), 0);
    str_fini(&s);
}
END_TEST

START_TEST(test_patch)
{
    struct pod_patch on = {.uid = "u-1", .version = "42", .label_key = "kvorum.io/role", .label = "primary", .note_key = "kvorum.io/status",
                           .note = "{\"n\":1}"};
    struct pod_patch off = {.label_key = "role"};
    struct str s = {0};

    pod_patch_text(&on, &s);
    ck_assert_str_eq(str_c(&s), "{\"metadata\":{\"uid\":\"u-1\",\"resourceVersion\":\"42\",\"labels\":{\"kvorum.io/role\":\"primary\"},"
                                "\"annotations\":{\"kvorum.io/status\":\"{\\\"n\\\":1}\"}}}");
    str_clear(&s);
    pod_patch_text(&off, &s);
    ck_assert_str_eq(str_c(&s), "{\"metadata\":{\"labels\":{\"role\":null}}}");
    str_fini(&s);
}
END_TEST

START_TEST(test_status)
{
    char said[24];

    pod_status_text(slice_z("{\"kind\":\"Status\",\"message\":\"pods \\\"a\\\"\\n is forbidden: and more\"}"), said, sizeof said);
    ck_assert_str_eq(said, "pods  a   is forbidden:");
    pod_status_text(slice_z("{\"kind\":\"Pod\",\"message\":\"x\"}"), said, sizeof said);
    ck_assert_str_eq(said, "");
    pod_status_text(slice_z("<html>"), said, sizeof said);
    ck_assert_str_eq(said, "");
}
END_TEST

START_TEST(test_names)
{
    static const struct { const char *s; bool pod, label, key; } cases[] = {
        {"demo-kvnode-0", true, true, true}, {"a.b", true, true, true},           {"", false, true, false},
        {"-a", false, false, false},         {"a-", false, false, false},         {"A", false, true, true},
        {"a_b", false, true, true},          {"a/b", false, false, true},         {"a/../b", false, false, false},
        {"kvorum.io/role", false, false, true}, {"kvorum.io/", false, false, false}, {"/role", false, false, false},
        {"a\r\nb", false, false, false},     {"a b", false, false, false},        {"a?b", false, false, false},
        {"a%2fb", false, false, false},      {"123456789012345678901234567890123456789012345678901234567890abcd", true, false, false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_msg(pod_name_ok(slice_z(cases[i].s)) == cases[i].pod, "pod '%s'", cases[i].s);
        ck_assert_msg(pod_label_ok(slice_z(cases[i].s)) == cases[i].label, "label '%s'", cases[i].s);
        ck_assert_msg(pod_key_ok(slice_z(cases[i].s)) == cases[i].key, "key '%s'", cases[i].s);
    }
    ck_assert(!pod_name_ok((struct slice){"a\0b", 3}));
}
END_TEST

SUITE(pod, test_read, test_read_refuses, test_brackets_in_texts_do_not_nest, test_patch, test_status, test_names)
