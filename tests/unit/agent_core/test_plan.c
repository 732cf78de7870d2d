/* Holes in check commands; memory of plans. */
#include "agent/core/plan.h"
#include "tests/support/suite.h"

#include <string.h>

START_TEST(test_holes)
{
    const char *word = "-f={{staged:a/b.cfg}},{{staged:c}} {{other}}";
    struct slice path;
    size_t end;
    int at = plan_staged_hole(word, 0, &path, &end);

    ck_assert_int_eq(at, 3);
    ck_assert(slice_is(path, "a/b.cfg"));
    ck_assert_uint_eq(end, 21);
    at = plan_staged_hole(word, end, &path, &end);
    ck_assert_int_eq(at, 22);
    ck_assert(slice_is(path, "c"));
    ck_assert_int_eq(plan_staged_hole(word, end, &path, &end), -1);
    ck_assert_int_eq(plan_staged_hole("{{staged:open", 0, &path, &end), -1);
    ck_assert_int_eq(plan_staged_hole("", 0, &path, &end), -1);
}
END_TEST

START_TEST(test_empty_plans)
{
    struct plan p;

    plan_init(&p);
    plan_fini(&p);
    ck_assert_ptr_null(plan_free(NULL));
}
END_TEST

SUITE(plan, test_holes, test_empty_plans)
