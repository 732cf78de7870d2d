/* What a kubelet and a load balancer are told of the local node, by its role and its lag. */
#include "agent/shell/probes_http.h"
#include "tests/support/suite.h"

#include <string.h>

static const struct { enum local_role role; int64_t lag_ms, max_lag_ms; bool started, ready; const char *why; } cases[] = {
    {LOCAL_UNKNOWN, 0, 0, false, false, "not heard of"},
    {LOCAL_DOWN, 0, 0, false, false, "does not answer"},
    {LOCAL_LOADING, 0, 0, false, false, "loading"},
    {LOCAL_PRIMARY, 0, 10000, true, true, "primary"},
    {LOCAL_PRIMARY, 99999, 10000, true, true, "primary"},               /* it hears nobody: there is nobody above it */
    {LOCAL_FENCED, 0, 10000, true, false, "fenced"},
    {LOCAL_SYNCING, 0, 10000, true, false, "link to the primary"},
    {LOCAL_REPLICA, 0, 10000, true, true, "in sync"},
    {LOCAL_REPLICA, 10000, 10000, true, true, "in sync"},
    {LOCAL_REPLICA, 10001, 10000, true, false, "10001 ms ago (ready-max-lag is 10000 ms)"},
    {LOCAL_REPLICA, 86400000, 0, true, true, "in sync"},                /* 0: any */
};

START_TEST(test_judgements)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct local_node_state s = {.role = cases[i].role, .lag_ms = cases[i].lag_ms};
        struct str started = {0}, ready = {0};

        ck_assert_msg(probe_started(&s, &started) == cases[i].started, "case %zu", i);
        ck_assert_msg(probe_ready(&s, cases[i].max_lag_ms, &ready) == cases[i].ready, "case %zu", i);
        ck_assert_msg(strstr(str_c(&ready), cases[i].why) != NULL, "case %zu: %s", i, str_c(&ready));
        ck_assert(started.len > 0);
        str_fini(&started);
        str_fini(&ready);
    }
}
END_TEST

START_TEST(test_livez_knows_no_node)
{
    struct http_answer out = {0};

    page_livez(NULL, "", &out);
    ck_assert_int_eq(out.status, 200);
    ck_assert_str_eq(str_c(&out.body), "ok\n");
    str_fini(&out.body);
}
END_TEST

SUITE(probes_http, test_judgements, test_livez_knows_no_node)
