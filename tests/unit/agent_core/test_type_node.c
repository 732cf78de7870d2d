/* The type "node": names, what is never set, what is a secret. */
#include "agent/core/desired.h"
#include "agent/core/type_node.h"
#include "tests/support/suite.h"

#include <string.h>

static int plan_of(const char *doc, struct plan **out, struct err *e)
{
    struct docname name = {"node", "t"};

    return desired_read(&name, doc, strlen(doc), out, e);
}

START_TEST(test_settings)
{
    struct plan *p = NULL;
    struct err e = {0};

    ck_assert_msg(plan_of("{\"v\":1,\"set\":{\"MaxMemory\":\"2gb\",\"hz\":\"20\"},\"rewrite\":true,\"restart_ok\":false,"
                          "\"probe\":{\"resp\":\"127.0.0.1:6379\"},\"on_fail\":\"hold\"}", &p, &e) == 0, "%s", e.text);
    ck_assert_int_eq(p->carrier, CARRY_NODE);
    ck_assert_uint_eq(p->node.set.n, 2);
    ck_assert_str_eq(p->node.set.at[0].name, "maxmemory");
    ck_assert_str_eq(p->node.set.at[0].value, "2gb");
    ck_assert(p->node.rewrite && p->hold && p->probe.kind == PROBE_RESP);
    plan_free(p);
}
END_TEST

START_TEST(test_refusals)
{
    static const struct { const char *doc, *reason; } bad[] = {
        {"{}", "set"},
        {"{\"set\":{}}", "set"},
        {"{\"set\":{\"hz\":20}}", "set.hz"},
        {"{\"set\":{\"hz\":\"20\",\"HZ\":\"10\"}}", "set.hz: stands twice"},
        {"{\"set\":{\"h*\":\"20\"}}", "'h*' is not the name"},
        {"{\"set\":{\"\":\"20\"}}", "is not the name"},
        {"{\"set\":{\"dir\":\"/root/.ssh\"}}", "set.dir: is not for documents"},
        {"{\"set\":{\"DbFilename\":\"authorized_keys\"}}", "set.dbfilename: is not for documents"},
        {"{\"set\":{\"replicaof\":\"a 1\"}}", "the sentinels decide"},
        {"{\"set\":{\"hz\":\"20\"},\"restart_ok\":true}", "not supported yet"},
        {"{\"set\":{\"hz\":\"20\"},\"reload\":{\"exec\":[\"x\"]}}", "reload: unknown name"},
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct plan *p = NULL;
        struct err e = {0};

        ck_assert_msg(plan_of(bad[i].doc, &p, &e) != 0, "%s", bad[i].doc);
        ck_assert_msg(strstr(e.text, bad[i].reason) != NULL, "%s: %s", bad[i].doc, e.text);
    }
}
END_TEST

START_TEST(test_secrets)
{
    ck_assert(node_setting_is_secret("requirepass"));
    ck_assert(node_setting_is_secret("masterauth"));
    ck_assert(node_setting_is_secret("tls-key-file-pass"));
    ck_assert(!node_setting_is_secret("maxmemory"));
    ck_assert(!node_setting_is_secret("masteruser"));
}
END_TEST

SUITE(type_node, test_settings, test_refusals, test_secrets)
