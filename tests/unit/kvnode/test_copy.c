#include "kvnode/repl/copy.h"

#include "tests/support/suite.h"

#include "kvnode/store/keyspace.h"

#include <string.h>

#define MARK "0123456789abcdef0123456789abcdef01234567"
static const char file[] = "REDIS0010\0\1k\1v\xff\0\0\0\0\0\0\0\0";
#define FILE_LEN (sizeof file - 1)

struct scene {
    struct loop *loop;
    struct copy copy;
    struct buf in;
    bool ended;
    size_t keys;
    char why[ERR_TEXT_MAX];
};

static void loaded(void *arg, struct keyspace *ks, const struct rdb_read_result *r, const struct err *e)
{
    struct scene *s = arg;

    (void)r;
    s->ended = true;
    s->copy.load = NULL;
    s->keys = ks ? keyspace_count(ks) : 0;
    if (e)
        strcpy(s->why, e->text);
    load_discard(ks);
}

static void room(void *arg) { (void)arg; }

static struct load *start(void *arg)
{
    struct scene *s = arg;

    return load_bytes(s->loop, &(struct load_opts){.verify = true, .databases = 16, .limits = {128, 64}}, room, loaded, s);
}

static void wait_end(struct scene *s)
{
    for (int i = 0; i < 1000 && !s->ended; i++)
        loop_run_once(s->loop, true);
    ck_assert(s->ended);
}

static void close_scene(struct scene *s)
{
    buf_fini(&s->in);
    loop_free(s->loop);
}

/* head + file + tail in pieces of `step` bytes: the file is loaded, the tail is left in the buffer. */
static void play(const char *head, const char *mark, size_t step)
{
    struct scene s = {.loop = loop_new()};
    struct buf all = {0};
    struct err e = {0};
    enum copy_answer a = COPY_MORE;

    buf_append_z(&all, "\n\n");
    buf_append_z(&all, head);
    buf_append(&all, file, FILE_LEN);
    buf_append_z(&all, mark);
    buf_append_z(&all, "*1\r\n$4\r\nPING\r\n");
    while (buf_len(&all) > 0) {
        size_t n = step < buf_len(&all) ? step : buf_len(&all);
        buf_append(&s.in, buf_data(&all), n);
        buf_consume(&all, n);
        if (a != COPY_DONE)
            a = copy_take(&s.copy, &s.in, start, &s, &e);
        ck_assert_msg(a == COPY_MORE || a == COPY_DONE, "%d %s", a, e.text);
    }
    ck_assert_int_eq(a, COPY_DONE);
    ck_assert_uint_eq(buf_len(&s.in), 14);
    ck_assert_mem_eq(buf_data(&s.in), "*1\r\n$4\r\nPING\r\n", 14);
    wait_end(&s);
    ck_assert_uint_eq(s.keys, 1);
    buf_fini(&all);
    close_scene(&s);
}

START_TEST(both_forms_in_pieces)
{
    for (size_t step = 1; step < 120; step += step < 60 ? 1 : 13) {
        play("$23\r\n", "", step);
        play("$EOF:" MARK "\r\n", MARK, step);
    }
}
END_TEST

START_TEST(bad_heads)
{
    static const char *const heads[] = {"+OK\r\n", "$0\r\n", "$-1\r\n", "$abc\r\n", "$EOF:short\r\n", "-ERR no disk\r\n", "hello\r\n"};

    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        struct scene s = {.loop = loop_new()};
        struct err e = {0};
        buf_append_z(&s.in, heads[i]);
        ck_assert_int_eq(copy_take(&s.copy, &s.in, start, &s, &e), COPY_BAD);
        ck_assert(e.text[0] != '\0');
        ck_assert_ptr_null(s.copy.load);
        close_scene(&s);
    }
}
END_TEST

START_TEST(a_cut_is_told)
{
    struct scene s = {.loop = loop_new()};
    struct err e = {0};

    buf_append_z(&s.in, "$1000\r\n");
    buf_append(&s.in, file, 12);
    ck_assert_int_eq(copy_take(&s.copy, &s.in, start, &s, &e), COPY_MORE);
    load_cut(s.copy.load, "the wire broke");
    wait_end(&s);
    ck_assert_msg(strstr(s.why, "the wire broke"), "%s", s.why);
    close_scene(&s);
}
END_TEST

START_TEST(given_up_under_way)
{
    struct scene s = {.loop = loop_new()};
    struct err e = {0};

    buf_append_z(&s.in, "$1000\r\n");
    buf_append(&s.in, file, 12);
    ck_assert_int_eq(copy_take(&s.copy, &s.in, start, &s, &e), COPY_MORE);
    load_cancel(s.copy.load);
    for (int i = 0; i < 3; i++)
        loop_run_once(s.loop, false);
    ck_assert(!s.ended);
    close_scene(&s);
}
END_TEST

SUITE(copy, both_forms_in_pieces, bad_heads, a_cut_is_told, given_up_under_way)
