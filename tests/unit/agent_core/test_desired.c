/* Which agent document is ours, and what must be read for it. */
#include "agent/core/desired.h"
#include "tests/support/suite.h"

#include <string.h>

static const struct whoami who = {"n1", "edge"};

static void put(struct inputs *in, const char *source, const char *text)
{
    inputs_put_string(in, source, text, strlen(text));
}

START_TEST(test_the_most_particular_one_counts)
{
    struct inputs in;
    struct docname name = {"", ""};
    struct agent_doc *a = NULL;
    struct err e = {0};

    inputs_init(&in);
    ck_assert_int_eq(agent_doc_find(&in, &who, &name, &a, &e), ERR_MISSING);
    ck_assert_str_eq(name.type, "");
    put(&in, "config:agent:default", "{\"apply\":[\"files:d\"]}");
    ck_assert_int_eq(agent_doc_find(&in, &who, &name, &a, &e), 0);
    ck_assert_str_eq(a->apply.at[0].component, "d");
    agent_doc_free(a);
    put(&in, "config:agent:edge", "{\"apply\":[]}");
    ck_assert_int_eq(agent_doc_find(&in, &who, &name, &a, &e), 0);
    ck_assert_str_eq(name.component, "edge");
    ck_assert_uint_eq(a->apply.n, 0);
    agent_doc_free(a);
    /* One that is there and wrong is not passed over. */
    put(&in, "config:agent:n1", "{\"apply\":7}");
    ck_assert_int_eq(agent_doc_find(&in, &who, &name, &a, &e), ERR_FORMAT);
    ck_assert_str_eq(name.component, "n1");
    inputs_put_missing(&in, "config:agent:n1");
    ck_assert_int_eq(agent_doc_find(&in, &who, &name, &a, &e), 0);
    agent_doc_free(a);
    inputs_fini(&in);
}
END_TEST

START_TEST(test_wrong_agent_documents)
{
    static const char *const wrong[] = {"{", "{}", "{\"apply\":[\"files\"]}", "{\"apply\":[\"files:a\",\"files:a\"]}",
                                        "{\"apply\":[\"agent:x\"]}", "{\"apply\":[1]}", "{\"apply\":[],\"v\":2}", "{\"apply\":[],\"x\":1}"};

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct inputs in;
        struct docname name;
        struct agent_doc *a = NULL;
        struct err e = {0};
        int rc;

        inputs_init(&in);
        put(&in, "config:agent:n1", wrong[i]);
        rc = agent_doc_find(&in, &who, &name, &a, &e);
        ck_assert_msg(rc != 0 && rc != ERR_MISSING + 1000, "%s", wrong[i]);
        ck_assert_ptr_null(a);
        ck_assert(e.text[0]);
        inputs_fini(&in);
    }
}
END_TEST

START_TEST(test_the_list_grows_until_all_is_read)
{
    struct inputs in;
    struct sources s;

    inputs_init(&in);
    sources_init(&s);
    desired_sources(&in, &who, NULL, &s);
    ck_assert_uint_eq(s.at.n, 4);          /* and the schema of agent documents */
    ck_assert(sources_has(&s, "cfgschema:agent"));
    put(&in, "config:agent:default", "{\"apply\":[\"files:a\",\"node:x\"]}");
    sources_fini(&s);
    sources_init(&s);
    desired_sources(&in, &who, NULL, &s);
    ck_assert(sources_has(&s, "config:files:a") && sources_has(&s, "config:node:x"));
    ck_assert_uint_eq(s.at.n, 8);
    put(&in, "config:files:a", "{\"files\":[{\"root\":\"r\",\"path\":\"p\",\"from\":\"config:tmpl:t\",\"data\":{\"a\":\"config:redis:a\",\"h\":\"hash:h\"}}]}");
    sources_fini(&s);
    sources_init(&s);
    desired_sources(&in, &who, NULL, &s);
    ck_assert_uint_eq(s.at.n, 13);
    ck_assert(sources_has(&s, "hash:h") && sources_has(&s, "config:tmpl:t"));
    sources_fini(&s);
    inputs_fini(&in);
}
END_TEST

START_TEST(test_the_last_good_one_is_read_on)
{
    struct inputs in;
    struct sources s;
    struct docname name;
    struct agent_doc *last = NULL;

    inputs_init(&in);
    put(&in, "config:agent:default", "{\"apply\":[\"files:a\"]}");
    ck_assert_int_eq(agent_doc_find(&in, &who, &name, &last, NULL), 0);
    put(&in, "config:agent:default", "broken");
    sources_init(&s);
    desired_sources(&in, &who, last, &s);
    ck_assert(sources_has(&s, "config:files:a"));
    sources_fini(&s);
    agent_doc_free(last);
    inputs_fini(&in);
}
END_TEST

START_TEST(test_plans_of_what_is_not_there)
{
    struct inputs in;
    struct docname unknown = {"sysctl", "x"}, files = {"files", "x"};
    struct plan *p = NULL;
    struct err e = {0};
    bool absent;

    inputs_init(&in);
    ck_assert_int_eq(desired_plan(&unknown, &in, &who, NULL, &p, &absent, &e), ERR_REFUSED);
    ck_assert(!absent && strstr(e.text, "not supported yet"));
    ck_assert_int_eq(desired_plan(&files, &in, &who, NULL, &p, &absent, &e), ERR_MISSING);
    ck_assert(absent);
    inputs_fini(&in);
}
END_TEST

START_TEST(test_reading_without_values)
{
    const char *doc = "{\"files\":[{\"root\":\"r\",\"path\":\"p\",\"template\":\"{{x.y}}\",\"data\":{\"x\":\"config:a:b\"}}],\"probe\":{\"tcp\":\"h:1\"}}";
    struct docname name = {"files", "x"};
    struct plan *p = NULL;
    struct err e = {0};

    ck_assert_int_eq(desired_read(&name, doc, strlen(doc), &p, &e), 0);
    ck_assert_uint_eq(p->files.n, 1);
    ck_assert_uint_eq(p->files.at[0].bytes.len, 0);
    ck_assert_int_eq(p->probe.kind, PROBE_TCP);
    plan_free(p);
    ck_assert_int_ne(desired_read(&name, "{}", 2, &p, &e), 0);
}
END_TEST

SUITE(desired, test_the_most_particular_one_counts, test_wrong_agent_documents, test_the_list_grows_until_all_is_read,
      test_the_last_good_one_is_read_on, test_plans_of_what_is_not_there, test_reading_without_values)
