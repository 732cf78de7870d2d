/* Documents of type service. */
#include "agent/core/desired.h"
#include "tests/support/suite.h"

#include <string.h>

static int read_doc(const char *text, struct plan **out, struct err *e)
{
    struct docname name = {"service", "web"};

    return desired_read(&name, text, strlen(text), out, e);
}

START_TEST(test_whole)
{
    struct plan *p = NULL;
    struct err e = {0};

    ck_assert_msg(read_doc("{\"v\":1,\"name\":\"web\",\"port\":8080,\"host\":\"h\",\"zone\":\"a\",\"weight\":5,\"ttl\":\"3s\","
                           "\"check\":{\"http\":\"http://h/\"},\"interval\":\"1s\",\"rise\":4,\"fall\":5,\"tags\":[\"x\",\"y=1\"]}",
                           &p, &e) == 0, "%s", e.text);
    ck_assert_int_eq(p->carrier, CARRY_KEEP);
    ck_assert_str_eq(p->service->name, "web");
    ck_assert_str_eq(p->service->host, "h");
    ck_assert_str_eq(p->service->zone, "a");
    ck_assert_int_eq(p->service->port, 8080);
    ck_assert_int_eq(p->service->weight, 5);
    ck_assert_int_eq(p->service->ttl_ms, 3000);
    ck_assert_int_eq(p->service->interval_ms, 1000);
    ck_assert_int_eq(p->service->rise, 4);
    ck_assert_int_eq(p->service->fall, 5);
    ck_assert_int_eq(p->service->check.kind, PROBE_HTTP);
    ck_assert_uint_eq(p->service->tags.n, 2);
    plan_free(p);
}
END_TEST

START_TEST(test_least)
{
    struct plan *p = NULL;

    ck_assert_int_eq(read_doc("{\"name\":\"web\",\"port\":1}", &p, NULL), 0);
    ck_assert_ptr_null(p->service->host);
    ck_assert_int_eq(p->service->weight, 100);
    ck_assert_int_eq(p->service->ttl_ms, 15000);
    ck_assert_int_eq(p->service->check.kind, PROBE_NONE);
    plan_free(p);
}
END_TEST

START_TEST(test_what_is_wrong)
{
    static const char *const bad[] = {"{}", "{\"name\":\"web\"}", "{\"port\":1}", "{\"name\":\"a:b\",\"port\":1}", "{\"name\":\"web\",\"port\":0}",
                                      "{\"name\":\"web\",\"port\":1,\"zone\":\"a;b\"}", "{\"name\":\"web\",\"port\":1,\"host\":\"a;b\"}",
                                      "{\"name\":\"web\",\"port\":1,\"tags\":[\"a,b\"]}", "{\"name\":\"web\",\"port\":1,\"weight\":-1}",
                                      "{\"name\":\"web\",\"port\":1,\"ttl\":\"1ms\"}", "{\"name\":\"web\",\"port\":1,\"check\":{\"tcp\":\"x\"}}",
                                      "{\"name\":\"web\",\"port\":1,\"check\":{}}", "{\"name\":\"web\",\"port\":1,\"wieght\":1}"};

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct plan *p = NULL;
        struct err e = {0};

        ck_assert_msg(read_doc(bad[i], &p, &e) != 0, "%s", bad[i]);
        ck_assert(e.text[0]);
    }
}
END_TEST

SUITE(type_service, test_whole, test_least, test_what_is_wrong)
