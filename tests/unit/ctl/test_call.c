/* One question after the other: answers, silence, a node that goes away. */
#include "common/io/clock.h"
#include "sentinel/ctl/call.h"
#include "tests/support/suite.h"
#include "tests/unit/ctl/ctl_support.h"

#include <stdarg.h>
#include <string.h>

static const struct canned answers[] = {
    {"GET a", "$1\r\nx\r\n"},
    {"GET silence", ""},                    /* taken, never answered */
    {"GET list", "*2\r\n$1\r\na\r\n:7\r\n"},
    {NULL, NULL},
};

START_TEST(test_answers)
{
    struct scene s;
    struct val *v = NULL;
    struct err e = {0};

    scene_init(&s, answers);
    ck_assert_int_eq(conn_callz(s.k, &v, &e, "GET", "a", NULL), 0);
    ck_assert_str_eq(val_z(v, ""), "x");
    val_free(v);
    ck_assert_int_eq(conn_callz(s.k, &v, &e, "GET", "list", NULL), 0);
    ck_assert_int_eq(val_i64(val_at(v, 1), 0), 7);
    val_free(v);
    ck_assert_int_eq(conn_callz(s.k, &v, &e, "GET", "nothing", NULL), 0);       /* an error is an answer */
    ck_assert(val_is_error(v));
    val_free(v);
    ck_assert_str_eq(str_c(&s.asked), "GET a\nGET list\n");
    scene_fini(&s);
}
END_TEST

/* After a silence the link is used up: a late answer must not be taken for the next one's. */
START_TEST(test_silence)
{
    struct scene s;
    struct conn_opts o;
    struct conn *k = NULL;
    struct val *v = NULL;
    struct err e = {0};

    scene_init(&s, answers);
    o = (struct conn_opts){.loop = s.c.loop, .resolver = s.c.resolver, .to = s.c.sentinels[0], .timeout_ms = 50};
    ck_assert_int_eq(conn_open(&o, &k, &e), 0);
    ck_assert_int_eq(conn_callz(k, &v, &e, "GET", "silence", NULL), ERR_TIMEOUT);
    ck_assert_ptr_nonnull(strstr(e.text, "within 50 ms"));
    ck_assert_int_eq(conn_callz(k, &v, &e, "GET", "a", NULL), ERR_CLOSED);
    ck_assert_ptr_null(v);
    conn_close(k);
    scene_fini(&s);
}
END_TEST

START_TEST(test_nobody_there)
{
    struct scene s;
    struct conn_opts o;
    struct conn *k = NULL;
    struct err e = {0};

    scene_init(&s, answers);
    o = (struct conn_opts){.loop = s.c.loop, .resolver = s.c.resolver, .to = s.c.sentinels[0], .timeout_ms = 5000};
    resp_server_stop_listening(&s.srv);
    ck_assert_int_eq(conn_open(&o, &k, &e), ERR_CLOSED);
    ck_assert_msg(strstr(e.text, "cannot connect to 127.0.0.1:") != NULL, "%s", e.text);
    ck_assert_ptr_null(k);
    scene_fini(&s);
}
END_TEST

static int gather(struct slice argv[CALL_WORDS_MAX], const char *first, ...)
{
    va_list ap;
    int n;

    va_start(ap, first);
    n = call_words(argv, first, ap);
    va_end(ap);
    return n;
}

START_TEST(test_words)
{
    struct slice argv[CALL_WORDS_MAX];

    ck_assert_int_eq(gather(argv, NULL), 0);
    ck_assert_int_eq(gather(argv, "a", "", "c", NULL), 3);
    ck_assert(slice_is(argv[0], "a") && slice_is(argv[1], "") && slice_is(argv[2], "c"));
    ck_assert_int_eq(gather(argv, "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16", NULL), CALL_WORDS_MAX);
}
END_TEST

START_TEST(test_sleep)
{
    struct loop *l = loop_new();
    int64_t from = clock_mono_ms();

    conn_sleep(l, 20);
    ck_assert_int_ge(clock_mono_ms() - from, 19);
    loop_free(l);
}
END_TEST

SUITE(call, test_answers, test_silence, test_nobody_there, test_words, test_sleep)
