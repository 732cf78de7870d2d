#include "kvnode/disk/load.h"

#include "tests/support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char whole[] = "REDIS0010\xfe\2\xfc\x10\x27\0\0\0\0\0\0\0\1a\1v\0\2bc\1v\xfe\3\xfc\x10\x27\0\0\0\0\0\0\0\1d\1v\xff\0\0\0\0\0\0\0\0";
#define WHOLE (sizeof whole - 1)

struct end {
    int told;
    struct keyspace *ks;
    char why[ERR_TEXT_MAX];
    struct load *load;
    struct str expired;
};

static void ended(void *arg, struct keyspace *ks, const struct rdb_read_result *r, const struct err *e)
{
    struct end *end = arg;
    size_t at = 0;
    int db;
    struct slice key;

    (void)r;
    end->told++;
    end->ks = ks;
    if (e)
        strcpy(end->why, e->text);
    while (load_next_expired(end->load, &at, &db, &key))
        str_printf(&end->expired, "%d:%.*s ", db, (int)key.len, key.p);
}

static void write_file(char path[64], const void *p, size_t n)
{
    snprintf(path, 64, "/tmp/kv-load-%d.rdb", (int)getpid());
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(p, 1, n, f), n);
    fclose(f);
}

static struct load_opts opts(int64_t drop_ms)
{
    return (struct load_opts){.databases = 16, .drop_expired_ms = drop_ms, .limits = {128, 64}};
}

static void run(struct loop *l, struct end *end)
{
    for (int i = 0; i < 1000 && !end->told; i++)
        loop_run_once(l, true);
    ck_assert_int_eq(end->told, 1);
}

START_TEST(a_file_in_one_piece)
{
    struct loop *l = loop_new();
    struct end end = {0};
    struct load_opts o = opts(20000);
    char path[64];

    write_file(path, whole, WHOLE);
    ck_assert_int_eq(load_file(l, path, &o, ended, &end, &end.load, NULL), 0);
    ck_assert_uint_eq(load_bytes_total(end.load), WHOLE);
    run(l, &end);
    ck_assert_ptr_nonnull(end.ks);
    ck_assert_uint_eq(keyspace_count(end.ks), 1);
    ck_assert_str_eq(str_c(&end.expired), "2:a 3:d ");
    load_discard(end.ks);
    str_fini(&end.expired);
    unlink(path);
    loop_free(l);
}
END_TEST

START_TEST(a_cut_file_is_nothing)
{
    char path[64];

    for (size_t n = 0; n < WHOLE; n++) {
        struct loop *l = loop_new();
        struct end end = {0};
        struct load_opts o = opts(0);
        write_file(path, whole, n);
        ck_assert_int_eq(load_file(l, path, &o, ended, &end, &end.load, NULL), 0);
        run(l, &end);
        ck_assert_ptr_null(end.ks);
        ck_assert_msg(strstr(end.why, "the file ends here"), "%zu: %s", n, end.why);
        loop_free(l);
    }
    unlink(path);
}
END_TEST

START_TEST(no_file_is_told_at_once)
{
    struct loop *l = loop_new();
    struct load *ld = NULL;
    struct load_opts o = opts(0);
    struct err e = {0};

    ck_assert_int_eq(load_file(l, "/tmp/kv-no-such-file.rdb", &o, ended, NULL, &ld, &e), ERR_SYS);
    ck_assert_int_eq(load_file(l, "/tmp", &o, ended, NULL, &ld, &e), ERR_REFUSED);
    ck_assert_ptr_null(ld);
    loop_free(l);
}
END_TEST

START_TEST(now_means_waiting)
{
    struct keyspace *ks = NULL;
    struct rdb_read_result r;
    struct load_opts o = opts(0);
    struct err e = {0};
    char path[64];

    write_file(path, whole, WHOLE);
    ck_assert_int_eq(load_file_now(path, &o, &ks, &r, &e), 0);
    ck_assert_uint_eq(keyspace_count(ks), 3);
    keyspace_free(ks);
    ks = NULL;
    write_file(path, whole, 10);
    ck_assert_int_eq(load_file_now(path, &o, &ks, &r, &e), ERR_CLOSED);
    ck_assert(strstr(e.text, path) != NULL);
    ck_assert_ptr_null(ks);
    unlink(path);
}
END_TEST

static int rooms;
static void room(void *arg)
{
    (void)arg;
    rooms++;
}

START_TEST(pushed_faster_than_it_reads)
{
    struct loop *l = loop_new();
    struct end end = {0};
    struct load_opts o = opts(0);
    static const char head[] = "REDIS0010";
    enum { KEYS = 40 };
    size_t big = 1 << 20;
    char *value = calloc(1, big);

    end.load = load_bytes(l, &o, room, ended, &end);
    ck_assert_uint_eq(load_push(end.load, head, 9), 9);
    for (int i = 0; i < KEYS; i++) {
        char key[16] = {0, 1, (char)('A' + i), (char)0x80, 0, 0x10, 0, 0};      /* string, one letter, 1 MiB */
        for (size_t done = 0; done < 8;)
            done += load_push(end.load, key + done, 8 - done);
        for (size_t done = 0; done < big;) {
            size_t took = load_push(end.load, value + done, big - done);
            done += took;
            if (done < big)
                loop_run_once(l, true);
        }
    }
    static const char end_mark[9] = "\xff\0\0\0\0\0\0\0";
    for (size_t done = 0; done < sizeof end_mark;)
        done += load_push(end.load, end_mark + done, sizeof end_mark - done);
    load_eof(end.load);
    run(l, &end);
    ck_assert_msg(end.ks != NULL, "%s", end.why);
    ck_assert_uint_eq(keyspace_count(end.ks), KEYS);
    load_discard(end.ks);
    free(value);
    loop_free(l);
}
END_TEST

SUITE(load, a_file_in_one_piece, a_cut_file_is_nothing, no_file_is_told_at_once, now_means_waiting, pushed_faster_than_it_reads)
