/* The HTTP server asked by the HTTP client, in one loop. */
#include "common/io/http_client.h"
#include "common/io/http_server.h"

#include "tests/support/suite.h"
#include "tests/support/turns.h"

#include <stdio.h>
#include <string.h>

struct answer {
    bool done;
    int status;
    struct str body;
    char why[128];
};

static struct loop *l;
static struct http_server *server;
static struct http_client *client;

static void run_hello(void *owner, const char *query, struct http_answer *out)
{
    (void)owner;
    str_printf(&out->body, "hello %s", query);
    out->content_type = "text/plain";
}

static void run_sick(void *owner, const char *query, struct http_answer *out)
{
    (void)owner, (void)query;
    out->status = 503;
    str_append_z(&out->body, "not well");
}

static void run_big(void *owner, const char *query, struct http_answer *out)
{
    (void)owner, (void)query;
    for (int i = 0; i < 100000; i++)
        str_append_z(&out->body, "0123456789");
}

static const struct http_route routes[] = {{"/hello", run_hello}, {"/sick", run_sick}, {"/big", run_big}};

static void begin(void)
{
    struct err e;

    l = loop_new();
    ck_assert_msg(http_server_start(l, "127.0.0.1", 0, routes, 3, NULL, &server, &e) == 0, "%s", e.text);
    ck_assert_int_gt(http_server_port(server), 0);
    client = http_client_new(l);
}

static void finish(void)
{
    http_client_free(client);
    http_server_stop(server);
    loop_free(l);
}

static void on_answer(void *arg, int status, struct slice body, const char *why)
{
    struct answer *a = arg;

    ck_assert(!a->done);
    a->done = true;
    a->status = status;
    str_set(&a->body, body.p, body.len);
    snprintf(a->why, sizeof a->why, "%s", why);
}

static struct http_job *start(struct answer *a, struct http_request q, const char *path)
{
    char url[128];

    memset(a, 0, sizeof *a);
    snprintf(url, sizeof url, "http://127.0.0.1:%d%s", http_server_port(server), path);
    q.url = url;
    return http_start(client, &q, on_answer, a);
}

static void ask(struct answer *a, struct http_request q, const char *path)
{
    start(a, q, path);
    ck_assert(!a->done);
    turn_until(l, a->done);
}

START_TEST(routes_answer)
{
    struct answer a;

    begin();
    ask(&a, (struct http_request){0}, "/hello?x=1&y");
    ck_assert_int_eq(a.status, 200);
    ck_assert_str_eq(str_c(&a.body), "hello x=1&y");
    str_fini(&a.body);
    ask(&a, (struct http_request){0}, "/sick");
    ck_assert_int_eq(a.status, 503);
    str_fini(&a.body);
    ask(&a, (struct http_request){0}, "/none");
    ck_assert_int_eq(a.status, 404);
    ck_assert_ptr_nonnull(strstr(str_c(&a.body), "/hello"));
    str_fini(&a.body);
    ask(&a, (struct http_request){.method = "HEAD"}, "/hello");
    ck_assert_int_eq(a.status, 200);
    ck_assert_uint_eq(a.body.len, 0);
    str_fini(&a.body);
    ask(&a, (struct http_request){.method = "POST", .body = {"data", 4}}, "/hello");
    ck_assert_int_eq(a.status, 405);
    str_fini(&a.body);
    ask(&a, (struct http_request){.method = "DELETE"}, "/hello");
    ck_assert_int_eq(a.status, 405);
    str_fini(&a.body);
    finish();
}
END_TEST

START_TEST(many_at_once)
{
    struct answer a[40];

    begin();
    for (int i = 0; i < 40; i++)
        start(&a[i], (struct http_request){.timeout_ms = 30000}, i % 2 ? "/hello" : "/big");
    for (int i = 0; i < 40; i++) {
        turn_until(l, a[i].done);
        ck_assert_msg(a[i].status == 200, "%d: %s", a[i].status, a[i].why);
        ck_assert_uint_eq(a[i].body.len, i % 2 ? 6 : 1000000);
        str_fini(&a[i].body);
    }
    finish();
}
END_TEST

START_TEST(no_answer_says_why)
{
    struct answer a = {0};
    struct http_job *j;

    begin();
    ask(&a, (struct http_request){.answer_max = 1000}, "/big");
    ck_assert_int_eq(a.status, 0);
    ck_assert_ptr_nonnull(strstr(a.why, "longer than 1000"));
    str_fini(&a.body);
    memset(&a, 0, sizeof a);
    http_start(client, &(struct http_request){.url = "http://127.0.0.1:1/"}, on_answer, &a);
    turn_until(l, a.done);
    ck_assert_int_eq(a.status, 0);
    ck_assert_int_gt((int)strlen(a.why), 0);
    str_fini(&a.body);
    memset(&a, 0, sizeof a);
    http_start(client, &(struct http_request){.url = "file:///etc/passwd"}, on_answer, &a);
    turn_until(l, a.done);
    ck_assert_int_eq(a.status, 0);
    str_fini(&a.body);
    j = start(&a, (struct http_request){0}, "/hello");
    http_cancel(j);
    for (int i = 0; i < 10; i++) {
        loop_again(l);
        loop_run_once(l, true);
    }
    ck_assert(!a.done);
    finish();
}
END_TEST

START_TEST(port_taken)
{
    struct http_server *other = NULL;
    struct err e;

    begin();
    ck_assert_int_eq(http_server_start(l, "127.0.0.1", http_server_port(server), routes, 3, NULL, &other, &e), ERR_SYS);
    ck_assert_ptr_nonnull(strstr(e.text, "Failed listening on port"));
    ck_assert_int_eq(http_server_start(l, "nowhere", 0, routes, 3, NULL, &other, &e), ERR_RANGE);
    finish();
}
END_TEST

SUITE(http, routes_answer, many_at_once, no_answer_says_why, port_taken)
