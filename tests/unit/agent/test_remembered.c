/* What is remembered of documents: replaced, forgotten, and bounded by keys and by bytes. */
#include "agent/controller/remembered.h"
#include "tests/support/suite.h"

#include <string.h>

static void put(struct remembered *r, const char *key, int64_t ver, bool live, const char *bytes)
{
    struct held h = {.ver = ver, .t_ms = 5, .sha = "ab", .by = "me", .live = live};

    remembered_put(r, key, &h, slice_z(bytes));
}

START_TEST(test_put_and_forget)
{
    struct remembered r;
    const struct held *h;

    remembered_init(&r, 10, 100);
    ck_assert_ptr_null(remembered_get(&r, "a"));
    put(&r, "a", 1, true, "12345");
    put(&r, "a", 2, true, "123");
    h = remembered_get(&r, "a");
    ck_assert(h && h->ver == 2 && h->t_ms == 5 && h->live && h->has_bytes);
    ck_assert_str_eq(str_c(&h->bytes), "123");
    ck_assert_str_eq(h->sha, "ab");
    ck_assert_str_eq(h->by, "me");
    ck_assert_uint_eq(r.held_bytes, 3);
    put(&r, "a", 3, false, "1234567");          /* a document that is wrong is not put back: no bytes */
    ck_assert(!h->has_bytes && !h->live && h->ver == 3);
    ck_assert_uint_eq(r.held_bytes, 0);
    put(&r, "b", 1, true, "12");
    remembered_forget(&r, "a");
    remembered_forget(&r, "a");
    ck_assert_ptr_null(remembered_get(&r, "a"));
    ck_assert_uint_eq(r.held_bytes, 2);
    remembered_clear(&r);
    ck_assert_ptr_null(remembered_get(&r, "b"));
    ck_assert_uint_eq(r.held_bytes, 0);
    remembered_fini(&r);
}
END_TEST

START_TEST(test_bounds)
{
    struct remembered r;

    remembered_init(&r, 3, 10);
    put(&r, "a", 1, true, "123456");
    put(&r, "b", 1, true, "12345");             /* does not fit; that it is there is known all the same */
    ck_assert(remembered_get(&r, "b") && !remembered_get(&r, "b")->has_bytes);
    put(&r, "c", 1, true, "1234");
    ck_assert(remembered_get(&r, "c")->has_bytes);
    ck_assert_uint_eq(r.held_bytes, 10);
    put(&r, "d", 1, true, "");                  /* one key too many */
    ck_assert_ptr_null(remembered_get(&r, "d"));
    put(&r, "a", 2, true, "1");                 /* its own bytes make room */
    put(&r, "b", 2, true, "12345");
    ck_assert(remembered_get(&r, "b")->has_bytes);
    ck_assert_uint_eq(r.held_bytes, 10);
    remembered_forget(&r, "c");
    put(&r, "d", 1, true, "1234");
    ck_assert(remembered_get(&r, "d")->has_bytes);
    remembered_fini(&r);
}
END_TEST

SUITE(remembered, test_put_and_forget, test_bounds)
