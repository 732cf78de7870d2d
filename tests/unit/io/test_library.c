/* Libraries that are loaded when needed: what is said when they cannot be, and that it is tried again. */
#include "common/io/http_client.h"
#include "common/io/http_server.h"
#include "common/io/library.h"

#include "tests/support/suite.h"
#include "tests/support/turns.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#define NOT_THERE_SONAME "libnot-there.so.7"
#define NOT_THERE_PACKAGE "libnot-there7"
#define NOT_THERE_CALLS(X) X(root, sqrt)
LIBRARY(not_there, NOT_THERE, NOT_THERE_CALLS);

#define M_SONAME "libm.so.6"
#define M_PACKAGE "libc6"
#define M_CALLS(X) X(root, sqrt) X(power, pow)
LIBRARY(m, M, M_CALLS);

double sqrt_of_another_version(double x);
#define TOO_OLD_SONAME M_SONAME
#define TOO_OLD_PACKAGE M_PACKAGE
#define TOO_OLD_CALLS(X) X(root, sqrt) X(better, sqrt_of_another_version)
LIBRARY(too_old, TOO_OLD, TOO_OLD_CALLS);

static void ck_says(const struct err *e, const char *word)
{
    ck_assert_msg(strstr(e->text, word) != NULL, "no '%s' in: %s", word, e->text);
}

START_TEST(calls_have_their_types)
{
    struct err e = {0};
    double (*power)(double, double);

    ck_assert_msg(library_load(&m_library, &e) == 0, "%s", e.text);
    ck_assert(m_library.loaded);
    power = m.power;
    ck_assert(power(2.0, 10.0) == 1024.0 && m.root(81.0) == 9.0);
    ck_assert_int_eq(library_load(&m_library, &e), 0);
}
END_TEST

START_TEST(says_what_is_missing)
{
    struct err e = {0};

    ck_assert_int_eq(library_load(&not_there_library, &e), ERR_MISSING);
    ck_says(&e, "libnot-there.so.7");
    ck_says(&e, "No such file");
    ck_says(&e, "package libnot-there7");
    ck_assert(!not_there_library.loaded);
    ck_assert_int_eq(library_load(&too_old_library, &e), ERR_MISSING);
    ck_says(&e, "sqrt_of_another_version");
    ck_says(&e, "libm.so.6");
    ck_assert(!too_old_library.loaded);
}
END_TEST

/* --- the ones that HTTP needs, while no file can be opened --- */

struct answer {
    bool done;
    int status;
    char why[ERR_TEXT_MAX];
};

static void on_answer(void *arg, int status, struct slice body, const char *why)
{
    struct answer *a = arg;

    (void)body;
    ck_assert(!a->done);
    a->done = true;
    a->status = status;
    slice_copy_z(slice_z(why), a->why, sizeof a->why);
}

static void files(rlim_t n)
{
    struct rlimit r;

    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &r), 0);
    r.rlim_cur = n ? n : r.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &r), 0);
}

static void run_hello(void *owner, const char *query, struct http_answer *out)
{
    (void)owner, (void)query;
    str_append_z(&out->body, "hello");
}

START_TEST(http_says_so_and_tries_again)
{
    static const struct http_route routes[] = {{"/", run_hello}};
    struct loop *l = loop_new();
    struct http_client *c = http_client_new(l);
    struct http_server *s = NULL;
    struct answer first = {0}, second = {0}, cancelled = {0};
    int64_t retry_after_ms = 77;
    struct http_request q = {.url = "http://127.0.0.1:1/", .retry_after_ms = &retry_after_ms};
    struct err e = {0};
    char url[64];

    loop_run_once(l, false);
    files(1);
    if (http_server_start(l, "127.0.0.1", 0, routes, 1, NULL, &s, &e) == 0 || e.code != ERR_MISSING) {
        files(0);                     /* without forks another test has loaded it before */
        http_server_stop(s);
        http_client_free(c);
        loop_free(l);
        return;
    }
    ck_assert_ptr_null(s);
    ck_says(&e, "cannot serve HTTP on port 0: cannot load libmicrohttpd.so.");
    ck_says(&e, "package libmicrohttpd");
    http_start(c, &q, on_answer, &first);
    http_cancel(http_start(c, &q, on_answer, &cancelled));
    ck_assert(!first.done);           /* never from inside */
    turn_until(l, first.done);
    ck_assert_int_eq(first.status, 0);
    ck_assert_int_eq(retry_after_ms, 0);
    slice_copy_z(slice_z(first.why), e.text, sizeof e.text);
    ck_says(&e, "no HTTP request can be made: cannot load libcurl.so.");
    ck_says(&e, "package libcurl4");
    files(0);
    ck_assert_msg(http_server_start(l, "127.0.0.1", 0, routes, 1, NULL, &s, &e) == 0, "%s", e.text);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", http_server_port(s));
    q.url = url;
    http_start(c, &q, on_answer, &second);
    turn_until(l, second.done);
    ck_assert_msg(second.status == 200, "%d %s", second.status, second.why);
    ck_assert(!cancelled.done);
    http_start(c, &q, on_answer, &cancelled);
    http_client_free(c);
    http_server_stop(s);
    loop_free(l);
    ck_assert(!cancelled.done);
}
END_TEST

SUITE(library, calls_have_their_types, says_what_is_missing, http_says_so_and_tries_again)
