#include "common/base/dict.h"
#include "common/base/mem.h"
#include "common/base/rng.h"
#include "kvnode/store/expire.h"
#include "kvnode/store/keyspace.h"
#include "kvnode/store/t_hash.h"
#include "kvnode/store/t_string.h"
#include "kvnode/store/watch.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <string.h>

static struct slice z(const char *s) { return (struct slice){s, strlen(s)}; }

static void expect_string(struct db *d, const char *key, const char *value)
{
    char num[NUM_I64_MAX];
    struct object *o = db_peek(d, z(key));
    struct slice s;

    ck_assert_ptr_nonnull(o);
    s = string_view(o, num);
    ck_assert_uint_eq(s.len, strlen(value));
    ck_assert(memcmp(s.p, value, s.len) == 0);
}

static int64_t no_time(void) { return 0; }

struct told {
    struct watcher w;
    int expired;
    char last[64];
};

static void tell(void *arg, enum watch_kind kind, int db, struct slice key)
{
    struct told *t = arg;

    (void)db;
    if (kind == WATCH_EXPIRED) {
        t->expired++;
        slice_copy_z(key, t->last, sizeof t->last);
    }
}

START_TEST(test_set_and_get_every_form)
{
    struct keyspace *ks = keyspace_new(2);
    struct db *d = keyspace_db(ks, 0);
    char big[5000];

    memset(big, 'b', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    const char *const values[] = {"", "short", "42", "-9223372036854775808", "0042", big, "x", "7", big, "mid-length value ..."};

    for (int round = 0; round < 3; round++)
        for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
            db_set_string(d, z("k"), z(values[i]), false);
            expect_string(d, "k", values[i]);
        }
    ck_assert_uint_eq(db_count(d), 1);
    ck_assert_ptr_null(db_peek(keyspace_db(ks, 1), z("k")));
    ck_assert(db_delete(d, z("k")));
    ck_assert(!db_delete(d, z("k")));
    keyspace_free(ks);
}
END_TEST

START_TEST(test_encodings_are_named_as_in_redis)
{
    struct keyspace *ks = keyspace_new(1);
    struct db *d = keyspace_db(ks, 0);
    struct object *o = db_set_string(d, z("k"), z("12"), false);

    ck_assert_str_eq(object_encoding_name(o), "int");
    o = db_set_string(d, z("k"), z("abc"), false);
    ck_assert_str_eq(object_encoding_name(o), "embstr");
    string_edit(o, 5);
    ck_assert_str_eq(object_encoding_name(o), "raw");
    o = db_set_string(d, z("k"), z("0123456789012345678901234567890123456789abcde"), false);
    ck_assert_str_eq(object_encoding_name(o), "raw");
    o = db_set_hash(d, z("h"));
    ck_assert_str_eq(object_encoding_name(o), "listpack");
    ck_assert_uint_gt(object_memory(o, 0), 0);
    keyspace_free(ks);
}
END_TEST

/* Random work against a dict that says what must be there; tables grow, shrink, are scanned. */
START_TEST(test_against_a_model)
{
    struct keyspace *ks = keyspace_new(1);
    struct db *d = keyspace_db(ks, 0);
    struct dict model;
    struct rng r;

    dict_init(&model);
    rng_seed(&r, 3);
    for (int step = 0; step < 200000; step++) {
        char key[32];
        size_t phase = (size_t)step / 50000;
        int n = snprintf(key, sizeof key, "key:%d", (int)rng_below(&r, phase % 2 ? 20000 : 3000));

        if (rng_chance(&r, phase == 2 ? 200 : 600)) {
            int64_t v = (int64_t)rng_below(&r, 1000);
            db_set_i64(d, (struct slice){key, (size_t)n}, v, false);
            dict_put(&model, key, (size_t)n, NULL)->v.i = v;
        } else {
            bool a = db_delete(d, (struct slice){key, (size_t)n});
            ck_assert(a == dict_del(&model, key, (size_t)n, NULL));
        }
        ck_assert_uint_eq(db_count(d), dict_count(&model));
    }
    struct dict_iter it;
    struct dict_entry *e;
    size_t seen = 0;
    dict_iter_init(&it, &model);
    while ((e = dict_iter_next(&it))) {
        int64_t v;
        struct object *o = db_peek(d, (struct slice){e->key, e->klen});
        ck_assert_ptr_nonnull(o);
        ck_assert(string_i64(o, &v) && v == e->v.i);
    }
    dict_iter_fini(&it);
    struct db_iter di;
    db_iter_init(&di, d);
    while (db_iter_next(&di))
        seen++;
    db_iter_fini(&di);
    ck_assert_uint_eq(seen, db_count(d));
    dict_fini(&model, NULL);
    keyspace_free(ks);
}
END_TEST

static void mark(void *arg, struct object *o)
{
    struct slice k = object_key(o);

    dict_put(arg, k.p, k.len, NULL);
}

START_TEST(test_scan_survives_growth_and_shrinking)
{
    struct keyspace *ks = keyspace_new(1);
    struct db *d = keyspace_db(ks, 0);
    struct dict seen;
    uint64_t cursor = 0;
    char key[32];
    int steps = 0, extra = 0;

    dict_init(&seen);
    for (int i = 0; i < 1000; i++) {
        snprintf(key, sizeof key, "stay:%d", i);
        db_set_i64(d, z(key), i, false);
    }
    do {
        cursor = db_scan(d, cursor, mark, &seen);
        for (int k = 0; k < 20; k++) {
            snprintf(key, sizeof key, "extra:%d", steps % 400 < 200 ? extra++ : --extra);
            if (steps % 400 < 200)
                db_set_i64(d, z(key), 1, false);
            else
                db_delete(d, z(key));
        }
        ck_assert_int_lt(++steps, 100000);
    } while (cursor != 0);
    for (int i = 0; i < 1000; i++) {
        snprintf(key, sizeof key, "stay:%d", i);
        ck_assert_ptr_nonnull(dict_find(&seen, key, strlen(key)));
    }
    dict_fini(&seen, NULL);
    keyspace_free(ks);
}
END_TEST

START_TEST(test_deadlines_by_mode)
{
    struct keyspace *ks = keyspace_new(1);
    struct db *d = keyspace_db(ks, 0);
    struct watch w;
    struct told t = {.expired = 0};
    struct object *o;

    watch_init(&w);
    watch_add(&w, &t.w, tell, &t);
    ks->watch = &w;
    ks->now_ms = 1000;
    o = db_set_string(d, z("k"), z("value"), false);
    o = db_set_deadline(d, o, 2000);
    ck_assert_int_eq(object_deadline(o), 2000);
    expect_string(d, "k", "value");
    ck_assert_uint_eq(d->with_deadline, 1);
    o = db_set_string(d, z("k"), z("other value, longer"), true);
    ck_assert_int_eq(object_deadline(o), 2000);
    ks->now_ms = 2000;
    ck_assert_ptr_nonnull(db_read(d, z("k")));         /* the instant itself still belongs to it */
    ks->now_ms = 2001;
    ks->expired_keys = HIDE_EXPIRED;
    ck_assert_ptr_null(db_read(d, z("k")));
    ck_assert_uint_eq(db_count(d), 1);
    ks->expired_keys = KEEP_EXPIRED;
    ck_assert_ptr_nonnull(db_read(d, z("k")));
    ks->expired_keys = DROP_EXPIRED;
    ck_assert_ptr_null(db_read(d, z("k")));
    ck_assert_uint_eq(db_count(d), 0);
    ck_assert_uint_eq(d->with_deadline, 0);
    ck_assert_int_eq(t.expired, 1);
    ck_assert_str_eq(t.last, "k");
    ck_assert_uint_eq(ks->hits, 2);
    ck_assert_uint_eq(ks->misses, 2);
    keyspace_free(ks);
}
END_TEST

START_TEST(test_sweep_finds_all_that_is_due_and_nothing_else)
{
    struct keyspace *ks = keyspace_new(2);
    struct db *d = keyspace_db(ks, 1);
    char key[32];

    ks->now_ms = 1000;
    for (int i = 0; i < 30000; i++) {
        struct object *o;

        snprintf(key, sizeof key, "k:%d", i);
        o = db_set_i64(d, z(key), i, false);
        if (i % 3)
            db_set_deadline(d, o, 2000 + i % 3 * 1000);        /* 3000 or 4000 */
        if (i % 7 == 0 && (o = db_peek(d, z(key))))
            db_set_deadline(d, o, NEVER_MS);
    }
    ck_assert(!expire_sweep(ks, 1000000, no_time));
    ck_assert_uint_eq(db_count(d), 30000);
    ks->now_ms = 3001;
    ck_assert(!expire_sweep(ks, 1000000, no_time));
    for (int i = 0; i < 30000; i++) {
        snprintf(key, sizeof key, "k:%d", i);
        ck_assert_msg((db_raw(d, z(key)) != NULL) == !(i % 3 == 1 && i % 7 != 0), "key %d", i);
    }
    ks->now_ms = 4001;
    expire_sweep(ks, 1000000, no_time);
    ck_assert_uint_eq(d->with_deadline, 0);
    ck_assert_uint_eq(ks->expired, 30000 - db_count(d));
    keyspace_free(ks);
}
END_TEST

static int64_t ticking(void)
{
    static int64_t now;

    return now += 400;
}

START_TEST(test_sweep_keeps_its_budget_and_goes_on)
{
    struct keyspace *ks = keyspace_new(1);
    struct db *d = keyspace_db(ks, 0);
    char key[32];
    int turns = 0;

    ks->now_ms = 1000;
    for (int i = 0; i < 20000; i++) {
        snprintf(key, sizeof key, "k:%d", i);
        db_set_deadline(d, db_set_i64(d, z(key), i, false), 1500);
    }
    ks->now_ms = 2000;
    while (expire_sweep(ks, 1000, ticking))
        ck_assert_int_lt(++turns, 10000);
    ck_assert_int_gt(turns, 10);
    ck_assert_uint_eq(db_count(d), 0);
    keyspace_free(ks);
}
END_TEST

START_TEST(test_expire_arithmetic)
{
    int64_t at;

    ck_assert(expire_deadline(1000, 5, true, &at) && at == 6000);
    ck_assert(expire_deadline(0, 5, false, &at) && at == 5);
    ck_assert(!expire_deadline(0, INT64_MAX / 1000 + 1, true, &at));
    ck_assert(!expire_deadline(1000, INT64_MAX - 10, false, &at));
    ck_assert(!expire_deadline(-1000, INT64_MIN + 10, false, &at));
}
END_TEST

START_TEST(test_move_copy_exchange)
{
    struct keyspace *ks = keyspace_new(2);
    struct db *a = keyspace_db(ks, 0), *b = keyspace_db(ks, 1);
    struct object *o;

    ks->now_ms = 1000;
    o = db_set_string(a, z("from"), z("value"), false);
    o = db_set_deadline(a, o, 9000);
    db_set_string(a, z("to"), z("old"), false);
    o = db_move(a, o, a, z("to"));
    ck_assert_int_eq(object_deadline(o), 9000);
    expect_string(a, "to", "value");
    ck_assert_ptr_null(db_peek(a, z("from")));
    ck_assert_uint_eq(db_count(a), 1);
    o = db_move(a, o, b, z("to"));
    ck_assert_uint_eq(a->with_deadline, 0);
    ck_assert_uint_eq(b->with_deadline, 1);
    db_set_copy(a, z("copy"), o, true);
    expect_string(a, "copy", "value");
    ck_assert_int_eq(object_deadline(db_peek(a, z("copy"))), 9000);
    o = db_set_hash(b, z("h"));
    for (int i = 0; i < 1000; i++) {
        char f[16];

        snprintf(f, sizeof f, "f%d", i);
        hash_set(o, &ks->limits, z(f), z("v"));
    }
    o = db_set_copy(a, z("h2"), db_peek(b, z("h")), false);
    ck_assert_uint_eq(hash_len(o), 1000);
    db_exchange(a, b);
    ck_assert_ptr_nonnull(db_peek(b, z("h2")));
    ck_assert_int_eq(a->index, 0);
    ck_assert_ptr_eq(a->ks, ks);
    keyspace_free(ks);
}
END_TEST

START_TEST(test_flush_later_frees_in_small_steps)
{
    struct keyspace *ks = keyspace_new(1);
    struct db *d = keyspace_db(ks, 0);
    size_t before = mem_used();
    char key[32];
    int turns = 0;

    for (int i = 0; i < 50000; i++) {
        snprintf(key, sizeof key, "k:%d", i);
        db_set_string(d, z(key), z("some value that takes room"), false);
    }
    db_clear(d, true);
    ck_assert_uint_eq(db_count(d), 0);
    db_set_string(d, z("new"), z("1"), false);
    db_clear(d, true);
    ck_assert_uint_gt(mem_used(), before + 1000000);
    while (keyspace_housekeep(ks, 1000, ticking))
        turns++;
    ck_assert_int_gt(turns, 10);
    ck_assert_uint_lt(mem_used(), before + 100000);
    keyspace_free(ks);
}
END_TEST

START_TEST(test_swap_whole_keyspaces)
{
    struct keyspace *a = keyspace_new(2), *b = keyspace_new(2);

    db_set_string(keyspace_db(a, 0), z("old"), z("1"), false);
    db_set_string(keyspace_db(b, 1), z("new"), z("2"), false);
    keyspace_swap(a, b);
    ck_assert_ptr_null(db_peek(keyspace_db(a, 0), z("old")));
    expect_string(keyspace_db(a, 1), "new", "2");
    expect_string(keyspace_db(b, 0), "old", "1");
    ck_assert_uint_eq(keyspace_count(a), 1);
    keyspace_free(b);
    expect_string(keyspace_db(a, 1), "new", "2");
    keyspace_free(a);
}
END_TEST

SUITE(keyspace, test_set_and_get_every_form, test_encodings_are_named_as_in_redis, test_against_a_model,
      test_scan_survives_growth_and_shrinking, test_deadlines_by_mode, test_sweep_finds_all_that_is_due_and_nothing_else,
      test_sweep_keeps_its_budget_and_goes_on, test_expire_arithmetic, test_move_copy_exchange,
      test_flush_later_frees_in_small_steps, test_swap_whole_keyspaces)
