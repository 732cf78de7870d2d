/* Names of documents. */
#include "agent/core/docname.h"
#include "tests/support/suite.h"

#include <string.h>

START_TEST(test_parts_and_keys)
{
    struct docname d;
    char key[DOC_KEY_MAX];

    ck_assert(docname_parse(slice_z("files:web"), &d));
    ck_assert_str_eq(d.type, "files");
    ck_assert_str_eq(d.component, "web");
    ck_assert_str_eq(docname_key(&d, key), "config:files:web");
    ck_assert_str_eq(docname_ack_key(&d, key), "cfgack:files:web");
    ck_assert_str_eq(docname_text(&d, key), "files:web");
    ck_assert(docname_from_key(slice_z("config:redis:a.b_C-9"), &d));
    ck_assert_str_eq(d.component, "a.b_C-9");
}
END_TEST

START_TEST(test_what_is_no_name)
{
    static const char *const bad[] = {"", "files", "files:", ":web", "Files:web", "files:we b", "files:..", "files:.",
                                      "files:a/b", "files:a:b", "fi.les:a"};
    struct docname d = {"kept", "kept"};
    char longest[DOC_TYPE_MAX + DOC_COMPONENT_MAX + 3];

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(!docname_parse(slice_z(bad[i]), &d), "%s", bad[i]);
    ck_assert_str_eq(d.type, "kept");
    ck_assert(!docname_from_key(slice_z("cfgack:files:web"), &d));
    ck_assert(!docname_from_key(slice_z("config:"), &d));
    memset(longest, 'a', sizeof longest);
    longest[DOC_TYPE_MAX] = ':';
    longest[DOC_TYPE_MAX + 1 + DOC_COMPONENT_MAX] = 0;
    ck_assert(docname_parse(slice_z(longest), &d));
    longest[DOC_TYPE_MAX + 1 + DOC_COMPONENT_MAX] = 'a';
    longest[DOC_TYPE_MAX + 2 + DOC_COMPONENT_MAX] = 0;
    ck_assert(!docname_parse(slice_z(longest), &d));
}
END_TEST

SUITE(docname, test_parts_and_keys, test_what_is_no_name)
