#include "tests/unit/format/rdb_bytes.h"

#include "kvnode/store/t_hash.h"
#include "kvnode/store/t_string.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <string.h>

/* Every size and kind of value, in two databases, some with deadlines. */
static struct keyspace *fill(void)
{
    struct keyspace *ks = keyspace_new(16);
    static char text[20000];
    char name[32];

    ks->limits.hash_entries = 16;
    ks->limits.hash_value = 64;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = "abcdefghij\0\1\2"[i * i % 13];
    static const size_t sizes[] = {0, 1, 11, 12, 20, 21, 63, 64, 100, 16383, 16384, 20000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        snprintf(name, sizeof name, "s%zu", sizes[i]);
        struct object *o = db_set_string(keyspace_db(ks, 0), slice_z(name), (struct slice){text, sizes[i]}, false);
        if (i % 2)
            db_set_deadline(keyspace_db(ks, 0), o, 4102444800000 + (int64_t)i);
    }
    static const int64_t numbers[] = {0, 127, -128, 128, -32768, 32768, INT32_MAX, INT32_MIN, (int64_t)INT32_MAX + 1, INT64_MIN};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        snprintf(name, sizeof name, "n%zu", i);
        db_set_i64(keyspace_db(ks, 3), slice_z(name), numbers[i], false);
    }
    for (int n = 1; n < 40; n += 7) {
        snprintf(name, sizeof name, "h%d", n);
        struct object *o = db_set_hash(keyspace_db(ks, 3), slice_z(name));
        for (int f = 0; f < n; f++) {
            char field[32], value[32];
            snprintf(field, sizeof field, f % 2 ? "%d" : "field%d", f);
            snprintf(value, sizeof value, f % 3 ? "%d" : "value%d", f * 1000);
            hash_set(o, &ks->limits, slice_z(field), slice_z(value));
        }
    }
    return ks;
}

static void write_to(struct str *out, struct keyspace *ks, bool compress, bool checksum)
{
    struct rdb_write_opts o = {.compress = compress, .checksum = checksum};
    struct err e = {0};

    strcpy(o.facts.repl_id, "0123456789012345678901234567890123456789");
    o.facts.has_history = true;
    o.facts.repl_offset = 77;
    o.facts.stream_db = 3;
    o.facts.made_at_s = 1000;
    ck_assert_msg(rdb_write(ks, &o, &(struct rdb_sink){gather, out}, &e) == 0, "%s", e.text);
}

static void equal_value(const struct object *a, const struct object *b)
{
    char x[NUM_I64_MAX], y[NUM_I64_MAX];
    struct hash_iter it;
    struct hash_item item;
    struct slice other;

    ck_assert_int_eq(a->type, b->type);
    if (a->type == OBJ_STRING) {
        ck_assert(slice_eq(string_view(a, x), string_view(b, y)));
        return;
    }
    ck_assert_uint_eq(hash_len(a), hash_len(b));
    hash_iter_init(&it, a);
    while (hash_iter_next(&it, &item)) {
        ck_assert(hash_get(b, item.field, &other, y));
        ck_assert(slice_eq(item.value, other));
    }
}

static void equal(struct keyspace *a, struct keyspace *b)
{
    ck_assert_uint_eq(keyspace_count(a), keyspace_count(b));
    for (int i = 0; i < a->ndbs; i++) {
        struct db_iter it;
        struct object *o;
        db_iter_init(&it, keyspace_db(a, i));
        while ((o = db_iter_next(&it)) != NULL) {
            struct object *other = db_raw(keyspace_db(b, i), object_key(o));
            ck_assert_ptr_nonnull(other);
            ck_assert_int_eq(object_deadline(o), object_deadline(other));
            equal_value(o, other);
        }
        db_iter_fini(&it);
    }
}

START_TEST(what_is_written_is_read)
{
    for (int form = 0; form < 4; form++) {
        struct keyspace *ks = fill();
        struct str file = {0};
        struct rdb_read_result r;
        struct err e = {0};
        write_to(&file, ks, form & 1, form & 2);
        ck_assert_mem_eq(file.p, "REDIS0010", 9);
        struct keyspace *back = read_bytes(file.p, file.len, &(struct rdb_read_opts){.verify = true}, &r, &e);
        ck_assert_msg(back != NULL, "%s", e.text);
        equal(ks, back);
        ck_assert_int_eq(r.facts.repl_offset, 77);
        ck_assert_int_eq(r.facts.stream_db, 3);
        ck_assert_str_eq(r.facts.version, COMPAT_VERSION);
        ck_assert_uint_eq(r.bytes, file.len);
        keyspace_free(back);
        keyspace_free(ks);
        str_fini(&file);
    }
}
END_TEST

START_TEST(compression_saves_something)
{
    struct keyspace *ks = fill();
    struct str plain = {0}, squeezed = {0};

    write_to(&plain, ks, false, true);
    write_to(&squeezed, ks, true, true);
    ck_assert_uint_lt(squeezed.len, plain.len / 2);
    keyspace_free(ks);
    str_fini(&plain);
    str_fini(&squeezed);
}
END_TEST

START_TEST(cut_off_anywhere_is_an_error)
{
    struct keyspace *ks = fill();
    struct str file = {0};
    struct rdb_read_result r;

    write_to(&file, ks, true, true);
    for (size_t n = 0; n < file.len; n += n < 2000 || n > file.len - 100 ? 1 : 37) {
        struct err e = {0};
        ck_assert_ptr_null(read_bytes(file.p, n, &(struct rdb_read_opts){.verify = true}, &r, &e));
        ck_assert_int_eq(e.code, ERR_CLOSED);
    }
    keyspace_free(ks);
    str_fini(&file);
}
END_TEST

START_TEST(a_flipped_bit_anywhere_is_an_error)
{
    struct keyspace *ks = fill();
    struct str file = {0};
    struct rdb_read_result r;

    write_to(&file, ks, true, true);
    for (size_t i = 0; i < file.len; i += 3) {
        struct err e = {0};
        file.p[i] ^= (char)(1 << i % 8);
        ck_assert_msg(read_bytes(file.p, file.len, &(struct rdb_read_opts){.verify = true}, &r, &e) == NULL, "byte %zu", i);
        file.p[i] ^= (char)(1 << i % 8);
    }
    keyspace_free(ks);
    str_fini(&file);
}
END_TEST

static int full_after(void *arg, const void *p, size_t n, struct err *e)
{
    int *left = arg;

    (void)p;
    (void)n;
    return (*left)-- > 0 ? 0 : err_set(e, ERR_SYS, "no space");
}

START_TEST(a_sink_that_fails_ends_it)
{
    struct keyspace *ks = fill();
    struct rdb_write_opts o = {0};
    int rc = 1;

    for (int n = 0; rc != 0; n++) {
        int left = n;
        struct err e = {0};
        rc = rdb_write(ks, &o, &(struct rdb_sink){full_after, &left}, &e);
        ck_assert(rc == 0 || strcmp(e.text, "no space") == 0);
        ck_assert_int_lt(n, 100);
    }
    keyspace_free(ks);
}
END_TEST

SUITE(rdb_write, what_is_written_is_read, compression_saves_something, cut_off_anywhere_is_an_error,
      a_flipped_bit_anywhere_is_an_error, a_sink_that_fails_ends_it)
