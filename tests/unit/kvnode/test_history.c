#include "kvnode/repl/history.h"

#include "tests/support/suite.h"

#include <string.h>

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C "cccccccccccccccccccccccccccccccccccccccc"
#define NONE "0000000000000000000000000000000000000000"

START_TEST(ids_and_offsets)
{
    struct history h;

    history_init(&h, A);
    ck_assert_str_eq(h.id, A);
    ck_assert_str_eq(h.id2, NONE);
    ck_assert_int_eq(h.id2_until, -1);
    h.offset = 100;
    history_shift(&h, B);
    ck_assert_str_eq(h.id, B);
    ck_assert_str_eq(h.id2, A);
    ck_assert_int_eq(h.id2_until, 101);
    h.offset = 150;
    history_continue_as(&h, B);          /* nothing new */
    ck_assert_str_eq(h.id2, A);
    history_continue_as(&h, C);
    ck_assert_str_eq(h.id, C);
    ck_assert_str_eq(h.id2, B);
    ck_assert_int_eq(h.id2_until, 151);
    history_replace(&h, A, 7);
    ck_assert_str_eq(h.id, A);
    ck_assert_int_eq(h.offset, 7);
    ck_assert_int_eq(h.id2_until, -1);
    history_shift(&h, B);
    history_restart(&h, C);
    ck_assert_str_eq(h.id, C);
    ck_assert_str_eq(h.id2, NONE);
    ck_assert_int_eq(h.offset, 7);
}
END_TEST

/* We are B since 101, were A before; made 150 bytes; the backlog holds 61..150. */
static const struct { const char *id; int64_t want; enum history_answer answer; } asked[] = {
    {B, 151, HISTORY_CONTINUE}, {B, 61, HISTORY_CONTINUE},  {B, 60, HISTORY_TOO_OLD},   {B, 152, HISTORY_AHEAD},
    {A, 101, HISTORY_CONTINUE}, {A, 61, HISTORY_CONTINUE},  {A, 60, HISTORY_TOO_OLD},   {A, 102, HISTORY_PAST_SHIFT},
    {C, 100, HISTORY_OTHER_ID}, {NONE, 61, HISTORY_OTHER_ID}, {"?", -1, HISTORY_OTHER_ID}, {"", 61, HISTORY_OTHER_ID},
    {B, -1, HISTORY_TOO_OLD},   {B, INT64_MIN, HISTORY_TOO_OLD}, {B, INT64_MAX, HISTORY_AHEAD},
};

START_TEST(who_can_continue)
{
    struct history h;

    history_init(&h, A);
    h.offset = 100;
    history_shift(&h, B);
    h.offset = 150;
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        enum history_answer a = history_can_continue(&h, slice_z(asked[i].id), asked[i].want, 61, 90);
        ck_assert_msg(a == asked[i].answer, "%zu: %s", i, history_answer_name(a));
    }
    history_drop_id2(&h);
    ck_assert_int_eq(history_can_continue(&h, slice_z(A), 101, 61, 90), HISTORY_OTHER_ID);
    ck_assert_int_eq(history_can_continue(&h, slice_z(NONE), 61, 61, 90), HISTORY_OTHER_ID);
}
END_TEST

SUITE(history, ids_and_offsets, who_can_continue)
