/* The type "redis": what redis-py takes, and nothing else. */
#include "agent/core/desired.h"
#include "tests/support/suite.h"

#include <string.h>

static int plan_of(const char *doc, struct plan **out, struct err *e)
{
    static const struct whoami who = {"n1", ""};
    struct docname name = {"redis", "t"};
    struct inputs in;
    bool absent;
    int rc;

    inputs_init(&in);
    inputs_put_string(&in, "config:redis:t", doc, strlen(doc));
    rc = desired_plan(&name, &in, &who, NULL, out, &absent, e);
    inputs_fini(&in);
    return rc;
}

START_TEST(test_well_formed)
{
    static const char *const good[] = {
        "{\"host\":\"10.0.0.7\",\"port\":6379,\"db\":0,\"password\":\"x\"}",
        "{\"host\":\"h\",\"password\":null,\"socket_timeout\":0.5,\"decode_responses\":true,\"retry_on_error\":[]}",
        "{\"unix_socket_path\":\"/run/redis.sock\"}",
    };

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct plan *p = NULL;
        struct err e = {0};

        ck_assert_msg(plan_of(good[i], &p, &e) == 0, "%s: %s", good[i], e.text);
        ck_assert_int_eq(p->carrier, CARRY_NOTHING);
        ck_assert_uint_eq(p->files.n, 0);
        plan_free(p);
    }
}
END_TEST

START_TEST(test_refusals)
{
    static const struct { const char *doc, *reason; } bad[] = {
        {"{}", "neither host"},
        {"{\"port\":6379}", "neither host"},
        {"{\"host\":\"\"}", "neither host"},
        {"{\"host\":null}", "host: must be a text"},
        {"{\"host\":\"h\",\"port\":\"6379\"}", "port: must be a whole number"},
        {"{\"host\":\"h\",\"port\":6379.5}", "port: must be a whole number"},
        {"{\"host\":\"h\",\"port\":0}", "1 to 65535"},
        {"{\"host\":\"h\",\"port\":70000}", "1 to 65535"},
        {"{\"host\":\"h\",\"db\":-1}", "db"},
        {"{\"host\":\"h\",\"v\":1}", "v: unknown name"},
        {"{\"host\":\"h\",\"role\":\"master\"}", "role: unknown name"},
        {"{\"host\":\"h\",\"ssl\":1}", "ssl: must be true or false"},
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct plan *p = NULL;
        struct err e = {0};

        ck_assert_msg(plan_of(bad[i].doc, &p, &e) != 0, "%s", bad[i].doc);
        ck_assert_msg(strstr(e.text, bad[i].reason) != NULL, "%s: %s", bad[i].doc, e.text);
    }
}
END_TEST

SUITE(type_redis, test_well_formed, test_refusals)
