/* The type "scale": shape, plan, shares. */
#include "agent/core/document.h"
#include "agent/core/type_scale.h"
#include "tests/support/suite.h"

#include <string.h>

static int read_doc(const char *text, struct plan *p, struct err *e)
{
    cJSON *tree = NULL;
    int rc = document_parse(text, strlen(text), &tree, e);

    plan_init(p);
    if (rc == 0)
        rc = shape_check(&scale_shape, tree, e);
    if (rc == 0)
        rc = scale_read(tree, p, e);
    cJSON_Delete(tree);
    return rc;
}

START_TEST(test_a_whole_document)
{
    struct plan p;
    struct err e = {0};

    ck_assert_msg(read_doc("{\"v\":1,\"instances\":5,\"min\":1,\"max\":20,\"unit\":\"web@.service\",\"cooldown\":\"5s\","
                           "\"assign\":{\"n1\":2,\"n2\":3}}", &p, &e) == 0, "%s", e.text);
    ck_assert_int_eq(p.carrier, CARRY_KEEP);
    ck_assert_int_eq(p.scale->instances, 5);
    ck_assert_str_eq(p.scale->unit, "web@.service");
    ck_assert_uint_eq(p.scale->assign.n, 2);
    ck_assert_int_eq(scale_share(p.scale, "n1"), 2);
    ck_assert_int_eq(scale_share(p.scale, "n2"), 3);
    ck_assert_int_eq(scale_share(p.scale, "n3"), 0);
    plan_fini(&p);
    ck_assert_int_eq(read_doc("{\"instances\":2,\"statefulset\":\"ns/web-1\"}", &p, &e), 0);
    ck_assert_int_eq(scale_share(p.scale, "anybody"), 2);
    ck_assert_int_eq(p.scale->max, 100);
    plan_fini(&p);
}
END_TEST

START_TEST(test_wrong_ones)
{
    static const char *const bad[] = {
        "{\"instances\":5}", "{\"instances\":5,\"unit\":\"a@.service\",\"statefulset\":\"a/b\"}",
        "{\"instances\":0,\"min\":1,\"unit\":\"a@.service\"}", "{\"instances\":9,\"max\":8,\"unit\":\"a@.service\"}",
        "{\"instances\":5,\"min\":7,\"max\":3,\"unit\":\"a@.service\"}", "{\"instances\":10000,\"unit\":\"a@.service\"}",
        "{\"instances\":-1,\"unit\":\"a@.service\"}", "{\"instances\":1,\"unit\":\"a.service\"}",
        "{\"instances\":1,\"unit\":\"a@1.service\"}", "{\"instances\":1,\"unit\":\"@.service\"}",
        "{\"instances\":1,\"unit\":\"a@.socket\"}", "{\"instances\":1,\"unit\":\"-H@.service\"}",
        "{\"instances\":1,\"unit\":\"../a@.service\"}", "{\"instances\":1,\"unit\":\"a b@.service\"}",
        "{\"instances\":1,\"unit\":\"a*@.service\"}", "{\"instances\":1,\"unit\":\"a@@.service\"}",
        "{\"instances\":1,\"statefulset\":\"web\"}", "{\"instances\":1,\"statefulset\":\"/web\"}",
        "{\"instances\":1,\"statefulset\":\"ns/\"}", "{\"instances\":1,\"statefulset\":\"ns/../x\"}",
        "{\"instances\":1,\"statefulset\":\"Ns/web\"}", "{\"instances\":1,\"unit\":\"a@.service\",\"assign\":{}}",
        "{\"instances\":1,\"unit\":\"a@.service\",\"assign\":{\"n\":-1}}", "{\"instances\":1,\"unit\":\"a@.service\",\"assign\":{\"n\":0}}",
        "{\"instances\":1,\"unit\":\"a@.service\",\"more\":1}", "{\"instances\":1,\"unit\":\"a@.service\",\"cooldown\":5}",
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct plan p;
        struct err e = {0};

        ck_assert_msg(read_doc(bad[i], &p, &e) != 0, "%s", bad[i]);
        ck_assert(e.text[0]);
        plan_fini(&p);
    }
}
END_TEST

static void shares(struct plan_scale *s, int out[3])
{
    static const char *const names[] = {"a", "b", "c"};

    for (int i = 0; i < 3; i++)
        out[i] = scale_share(s, names[i]);
}

/* One more instance starts one somewhere and stops none; shares that add up are exact; all are handed out. */
START_TEST(test_shares_grow_one_by_one)
{
    static const int weights[][3] = {{1, 1, 1}, {2, 3, 0}, {5, 1, 3}, {100, 1, 1}, {0, 0, 7}, {3, 3, 4}};

    for (size_t w = 0; w < sizeof weights / sizeof weights[0]; w++) {
        struct plan_share at[3] = {{(char *)"a", weights[w][0]}, {(char *)"b", weights[w][1]}, {(char *)"c", weights[w][2]}};
        struct plan_scale s = {.assign = {.at = at, .n = 3, .cap = 3}};
        int total = weights[w][0] + weights[w][1] + weights[w][2], was[3] = {0}, is[3];

        for (s.instances = 0; s.instances < 3 * total + 10; s.instances++) {
            shares(&s, is);
            ck_assert_int_eq(is[0] + is[1] + is[2], s.instances);
            for (int i = 0; i < 3; i++) {
                ck_assert_int_ge(is[i], was[i]);
                if (weights[w][i] == 0)
                    ck_assert_int_eq(is[i], 0);
                if (s.instances == total || s.instances == 2 * total)
                    ck_assert_int_eq(is[i], weights[w][i] * s.instances / total);
                was[i] = is[i];
            }
        }
    }
}
END_TEST

/* Every agent reads the same document; the order of the names in it does not matter. */
START_TEST(test_shares_do_not_depend_on_order)
{
    struct plan_share one[3] = {{(char *)"a", 2}, {(char *)"b", 2}, {(char *)"c", 3}};
    struct plan_share two[3] = {{(char *)"c", 3}, {(char *)"b", 2}, {(char *)"a", 2}};
    struct plan_scale x = {.assign = {.at = one, .n = 3, .cap = 3}}, y = {.assign = {.at = two, .n = 3, .cap = 3}};

    for (int n = 0; n < 40; n++) {
        int p[3], q[3];

        x.instances = y.instances = n;
        shares(&x, p);
        shares(&y, q);
        for (int i = 0; i < 3; i++)
            ck_assert_int_eq(p[i], q[i]);
    }
}
END_TEST

SUITE(type_scale, test_a_whole_document, test_wrong_ones, test_shares_grow_one_by_one, test_shares_do_not_depend_on_order)
