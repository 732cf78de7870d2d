/* Scale events, what they do to the bytes of a document, and the comparison with what runs. */
#include "agent/core/scale.h"
#include "tests/support/suite.h"

#include <string.h>

START_TEST(test_messages)
{
    static const struct { const char *text; const char *service; int n; } cases[] = {
        {"web:3", "web", 3},          {"a:0", "a", 0},           {"a.b_c-9:0012", "a.b_c-9", 12}, {"x:9999", "x", 9999},
        {"", NULL, 0},                {":", NULL, 0},            {"web", NULL, 0},                {"web:", NULL, 0},
        {":3", NULL, 0},              {"web:-1", NULL, 0},       {"web:3 ", NULL, 0},             {" web:3", NULL, 0},
        {"web:12345", NULL, 0},       {"Web:3", NULL, 0},        {"web:3:4", NULL, 0},            {"we b:3", NULL, 0},
        {"web:3\n", NULL, 0},         {"w\303\244b:3", NULL, 0}, {"web:0x3", NULL, 0},            {"web:3.0", NULL, 0},
        {"aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff123:7",
         "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff123", 7},
        {"aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff1234:7", NULL, 0},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scale_event ev = {"untouched", -1};
        bool ok = scale_event_parse(slice_z(cases[i].text), &ev);

        ck_assert_msg(ok == (cases[i].service != NULL), "'%s'", cases[i].text);
        ck_assert_str_eq(ev.service, ok ? cases[i].service : "untouched");
        ck_assert_int_eq(ev.instances, ok ? cases[i].n : -1);
    }
    ck_assert(!scale_event_parse((struct slice){"we\0b:3", 6}, &(struct scale_event){{0}, 0}));
}
END_TEST

START_TEST(test_only_the_number_changes)
{
    static const struct { const char *was; int n; const char *is; } cases[] = {
        {"{\"v\":1,\"instances\":5,\"min\":1,\"max\":20,\"unit\":\"web@.service\"}", 7,
         "{\"v\":1,\"instances\":7,\"min\":1,\"max\":20,\"unit\":\"web@.service\"}"},
        {"{\"v\":1,\"instances\":5,\"min\":1,\"max\":20,\"unit\":\"web@.service\"}", 0,
         "{\"v\":1,\"instances\":1,\"min\":1,\"max\":20,\"unit\":\"web@.service\"}"},
        {"{\"v\":1,\"instances\":5,\"min\":1,\"max\":20,\"unit\":\"web@.service\"}", 9999,
         "{\"v\":1,\"instances\":20,\"min\":1,\"max\":20,\"unit\":\"web@.service\"}"},
        /* odd order, odd spacing, names and texts that look like it */
        {"\n{ \"unit\" : \"instances@.service\" ,\"assign\":{\"instances\":2, \"{\\\"\":3},\n\t\"\\u0069nstances\" :\t5 , \"max\":9 }\n", 6,
         "\n{ \"unit\" : \"instances@.service\" ,\"assign\":{\"instances\":2, \"{\\\"\":3},\n\t\"\\u0069nstances\" :\t6 , \"max\":9 }\n"},
        {"{\"instances\":5.0,\"unit\":\"w@.service\"}", 12, "{\"instances\":12,\"unit\":\"w@.service\"}"},
        {"{\"unit\":\"w@.service\",\"instances\":3}", 3, "{\"unit\":\"w@.service\",\"instances\":3}"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct str out = {0};
        struct scale_edit how;
        struct err e = {0};

        ck_assert_msg(scale_document_edit(slice_z(cases[i].was), cases[i].n, &out, &how, &e) == 0, "%zu: %s", i, e.text);
        ck_assert_str_eq(str_c(&out), cases[i].is);
        ck_assert(how.is >= 0 && how.cooldown_ms == 1000);
        str_fini(&out);
    }
}
END_TEST

START_TEST(test_what_is_no_scale_document_is_not_written)
{
    static const char *const bad[] = {
        "", "[]", "{", "{\"instances\":5}", "{\"unit\":\"w@.service\"}", "{\"unit\":\"w@.service\",\"instances\":\"5\"}",
        "{\"unit\":\"w@.service\",\"instances\":5,\"instances\":6}", "{\"unit\":\"w@.service\",\"instances\":5,\"extra\":1}",
        "{\"unit\":\"w@.service\",\"instances\":5,\"min\":9,\"max\":2}", "{\"unit\":\"w@.service\",\"instances\":5.5}",
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct str out = {0};
        struct scale_edit how;
        struct err e = {0};

        ck_assert_msg(scale_document_edit(slice_z(bad[i]), 3, &out, &how, &e) != 0, "%s", bad[i]);
        ck_assert(e.text[0] != 0 && out.len == 0);
        str_fini(&out);
    }
}
END_TEST

START_TEST(test_reading_what_systemctl_shows)
{
    static const char text[] = "Id=web@2.service\nActiveState=active\nResult=success\n\n"
                               "ActiveState=failed\nResult=exit-code\nId=web@10.service\n\n"
                               "Id=web@foo.service\nActiveState=active\n\nId=web@03.service\nActiveState=active\n\n"
                               "Id=other@1.service\nActiveState=active\n\nId=web@99999.service\nActiveState=active\n\n"
                               "Id=web@1.service\nActiveState=deactivating\nResult=success\n";
    struct instances s = {0};
    struct str unit = {0};

    instances_read(slice_z(text), "web@.service", &s);
    ck_assert_uint_eq(s.at.n, 3);
    ck_assert_int_eq(instances_find(&s, 1)->state, INSTANCE_STOPPING);
    ck_assert_int_eq(instances_find(&s, 2)->state, INSTANCE_UP);
    ck_assert_int_eq(instances_find(&s, 10)->state, INSTANCE_FAILED);
    ck_assert_str_eq(instances_find(&s, 10)->result, "exit-code");
    ck_assert_str_eq(instances_find(&s, 2)->result, "");
    ck_assert_ptr_null(instances_find(&s, 3));
    instances_read(slice_z(""), "web@.service", &s);
    ck_assert_uint_eq(s.at.n, 0);
    ck_assert_ptr_null(instances_find(&s, 1));
    instances_fini(&s);
    instance_unit("web@.service", 12, &unit);
    ck_assert_str_eq(str_c(&unit), "web@12.service");
    str_fini(&unit);
}
END_TEST

static bool is_tried(void *arg, int number) { return strchr(arg, '0' + number) != NULL; }

START_TEST(test_deeds)
{
    /* seen: number then state, u up, s starting, t stopping, f failed, d down */
    static const struct { const char *seen; int want; const char *tried; enum scale_deed deed; const char *start, *surplus; } cases[] = {
        {"", 0, "", SCALE_RIGHT, "", ""},
        {"", 3, "", SCALE_START, "123", ""},
        {"1u2u3u", 3, "", SCALE_RIGHT, "", ""},
        {"1u3u", 3, "", SCALE_START, "2", ""},
        {"1u2f3u", 3, "", SCALE_START, "2", ""},
        {"1u2f3u", 3, "2", SCALE_FAILED, "", ""},
        {"1u2d3u", 3, "2", SCALE_FAILED, "", ""},
        {"1u2s3u", 3, "2", SCALE_WAIT, "", ""},
        {"1t2u", 2, "", SCALE_WAIT, "", ""},
        {"1u2u3u5u", 1, "", SCALE_STOP, "", "532"},
        {"1u2u3t", 1, "", SCALE_WAIT, "", "2"},              /* one after the other */
        {"1u2u3f", 1, "", SCALE_STOP, "", "2"},
        {"1u2f3f", 1, "", SCALE_RIGHT, "", ""},
        {"1s2u", 1, "1", SCALE_STOP, "", "2"},               /* stuck in its start: the others may be stopped */
        {"1f2u", 1, "1", SCALE_STOP, "", "2"},
        {"3u", 1, "", SCALE_START, "1", "3"},
        {"1u2s", 0, "", SCALE_STOP, "", "21"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct instances s = {0};
        struct scale_answer a = {0};
        char tried[16], start[16] = "", surplus[16] = "";

        for (const char *p = cases[i].seen; *p; p += 2) {
            static const char words[] = "dustf";
            static const enum instance_state states[] = {INSTANCE_DOWN, INSTANCE_UP, INSTANCE_STARTING, INSTANCE_STOPPING,
                                                         INSTANCE_FAILED};
            struct instance one = {.number = p[0] - '0', .state = states[strchr(words, p[1]) - words]};

            vec_push(&s.at, one);
        }
        strcpy(tried, cases[i].tried);
        scale_decide(&s, cases[i].want, is_tried, tried, &a);
        for (size_t k = 0; k < a.start.n; k++)
            start[k] = (char)('0' + a.start.at[k]);
        for (size_t k = 0; k < a.surplus.n; k++)
            surplus[k] = (char)('0' + a.surplus.at[k]);
        ck_assert_msg(a.deed == cases[i].deed, "%zu: %d", i, (int)a.deed);
        ck_assert_str_eq(start, cases[i].start);
        ck_assert_str_eq(surplus, cases[i].surplus);
        scale_answer_fini(&a);
        instances_fini(&s);
    }
}
END_TEST

SUITE(scale, test_messages, test_only_the_number_changes, test_what_is_no_scale_document_is_not_written,
      test_reading_what_systemctl_shows, test_deeds)
