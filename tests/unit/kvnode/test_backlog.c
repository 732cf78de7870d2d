#include "kvnode/repl/backlog.h"

#include "tests/support/suite.h"

#include <string.h>

static char byte_at(int64_t offset) { return (char)('a' + offset * 7 % 26); }

static void append(struct backlog *b, int64_t from, size_t n)
{
    char text[4096];

    for (size_t i = 0; i < n; i++)
        text[i] = byte_at(from + (int64_t)i);
    backlog_append(b, text, n);
}

/* Everything kept is right, from every offset; nothing else is there. */
static void right(const struct backlog *b, int64_t next)
{
    struct buf out = {0};

    ck_assert_int_eq(b->first + (int64_t)b->len, next);
    for (int64_t from = b->first; from <= next; from++) {
        buf_clear(&out);
        ck_assert(backlog_copy(b, from, &out));
        ck_assert_uint_eq(buf_len(&out), (size_t)(next - from));
        for (size_t i = 0; i < buf_len(&out); i++)
            ck_assert_int_eq(buf_data(&out)[i], byte_at(from + (int64_t)i));
    }
    ck_assert(!backlog_copy(b, b->first - 1, &out));
    ck_assert(!backlog_copy(b, next + 1, &out));
    buf_fini(&out);
}

START_TEST(keeps_the_newest)
{
    static const size_t pieces[] = {1, 3, 15, 16, 17, 40, 2, 5, 16, 31, 1, 1, 1};
    struct backlog b;
    int64_t next = 1001;

    backlog_init(&b);
    ck_assert(!backlog_active(&b));
    backlog_create(&b, 16, next);
    right(&b, next);
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        append(&b, next, pieces[i]);
        next += (int64_t)pieces[i];
        right(&b, next);
        ck_assert_uint_le(b.len, 16);
    }
    ck_assert_uint_eq(b.len, 16);
    backlog_fini(&b);
    ck_assert(!backlog_active(&b));
}
END_TEST

START_TEST(changes_size)
{
    struct backlog b;
    int64_t next = 1;
    struct buf out = {0};

    backlog_init(&b);
    backlog_resize(&b, 10);              /* nothing to resize */
    backlog_create(&b, 16, 5);
    backlog_resize(&b, 32);              /* made, and nothing in it yet */
    ck_assert(b.size == 32 && b.first == 5 && b.len == 0);
    backlog_release(&b);
    ck_assert(!backlog_active(&b));
    ck_assert(!backlog_copy(&b, 0, &out));
    backlog_create(&b, 16, next);
    append(&b, next, 20);
    next += 20;
    backlog_resize(&b, 64);
    right(&b, next);
    ck_assert_uint_eq(b.len, 16);
    append(&b, next, 30);
    next += 30;
    right(&b, next);
    ck_assert_uint_eq(b.len, 46);
    backlog_resize(&b, 8);
    right(&b, next);
    ck_assert_uint_eq(b.len, 8);
    backlog_fini(&b);
    buf_fini(&out);
}
END_TEST

SUITE(backlog, keeps_the_newest, changes_size)
