/* The two containers made of macros. */
#include "common/base/list.h"
#include "common/base/timeval.h"
#include "common/base/vec.h"
#include "tests/support/suite.h"

START_TEST(test_vec)
{
    VEC(int) v = {0};

    for (int i = 0; i < 100; i++)
        vec_push(&v, i);
    vec_remove(&v, 0);
    ck_assert_int_eq(v.at[0], 1);
    ck_assert_uint_eq(v.n, 99);
    vec_remove_fast(&v, 0);
    ck_assert_int_eq(v.at[0], 99);
    ck_assert_int_eq(vec_pop(&v), 98);
    *vec_add(&v) = 5;
    ck_assert_int_eq(vec_last(&v), 5);
    vec_clear(&v);
    ck_assert_int_eq(*vec_add(&v), 0);
    vec_fini(&v);
    ck_assert_ptr_null(v.at);
}
END_TEST

struct item {
    int x;
    struct list_link link;
};

START_TEST(test_list)
{
    struct list_link head;
    struct item items[5];
    int sum = 0;

    list_init(&head);
    ck_assert_ptr_null(list_first(&head, struct item, link));
    for (int i = 0; i < 5; i++) {
        items[i].x = i;
        list_append(&head, &items[i].link);
    }
    list_remove(&items[2].link);
    list_prepend(&head, &items[2].link);
    ck_assert_int_eq(list_first(&head, struct item, link)->x, 2);
    list_each(struct item, it, &head, link)
        sum = sum * 10 + it->x;
    ck_assert_int_eq(sum, 20134);
    list_each_safe(struct item, it, &head, link)
        list_remove(&it->link);
    ck_assert(list_empty(&head));
}
END_TEST

START_TEST(test_time_saturates)
{
    ck_assert_int_eq(ms_add(5, 6), 11);
    ck_assert_int_eq(ms_add(NEVER_MS, 6), NEVER_MS);
    ck_assert_int_eq(ms_add(6, NEVER_MS), NEVER_MS);
    ck_assert_int_eq(ms_add(INT64_MAX - 2, 6), NEVER_MS);
    ck_assert_int_eq(ms_add(6, -2), 4);
}
END_TEST

SUITE(vec_list, test_vec, test_list, test_time_saturates)
