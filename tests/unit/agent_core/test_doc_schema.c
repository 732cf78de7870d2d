/* Schemas for types: which are read, and what they do to documents. */
#include "agent/core/desired.h"
#include "tests/support/suite.h"

#include <string.h>

static const struct whoami who = {.node = "n1", .group = ""};
static const struct docname doc = {"files", "a"};
static const char files[] = "{\"files\":[{\"root\":\"r\",\"path\":\"p\",\"mode\":\"0600\",\"template\":\"{{c.host}}\",\"data\":{\"c\":\"config:redis:x\"}}]}";

static void put(struct inputs *in, const char *source, const char *text)
{
    inputs_put_string(in, source, text, strlen(text));
}

/* What becomes of the document when this stands under `key`. NULL: a plan; else why not. */
static const char *outcome(const char *key, const char *text)
{
    static struct err e;
    struct inputs in;
    struct plan *p = NULL;
    bool absent = false;
    int rc;

    memset(&e, 0, sizeof e);
    inputs_init(&in);
    put(&in, "config:files:a", files);
    put(&in, "config:redis:x", "{\"host\":\"h\",\"port\":7}");
    if (text)
        put(&in, key, text);
    else if (key)
        inputs_put_missing(&in, key);
    rc = desired_plan(&doc, &in, &who, NULL, &p, &absent, &e);
    ck_assert(!absent);
    ck_assert((rc == 0) == (p != NULL));
    plan_free(p);
    inputs_fini(&in);
    return rc == 0 ? NULL : e.text;
}

START_TEST(test_it_narrows)
{
    ck_assert_ptr_null(outcome(NULL, NULL));
    ck_assert_ptr_null(outcome("cfgschema:files", NULL));
    ck_assert_ptr_null(outcome("cfgschema:files", "{\"properties\":{\"files\":{\"maxItems\":1}}}"));
    ck_assert_ptr_null(outcome("cfgschema:env", "{\"not\":{}}"));
    ck_assert_str_eq(outcome("cfgschema:files", "{\"properties\":{\"files\":{\"items\":{\"properties\":{\"mode\":{\"const\":\"0640\"}}}}}}"),
                     "against cfgschema:files: files[0].mode: violates const \"0640\"");
    ck_assert_str_eq(outcome("cfgschema:files", "{\"type\":\"objekt\"}"),
                     "cfgschema:files is wrong: type: must be of null, boolean, object, array, number, string, integer (one, or a list)");
    ck_assert_ptr_nonnull(strstr(outcome("cfgschema:files", "{\"a\""), "cfgschema:files is wrong: line 1"));
    ck_assert_ptr_nonnull(strstr(outcome("cfgschema:files", "{\"pattern\":\"x\"}"), "regular expressions are not available"));
    /* A shape cannot be widened. */
    ck_assert_ptr_nonnull(strstr(outcome("config:files:a", "{\"files\":[],\"more\":1}"), "files"));
}
END_TEST

START_TEST(test_data_too)
{
    ck_assert_ptr_null(outcome("cfgschema:redis", "{\"required\":[\"host\"]}"));
    ck_assert_str_eq(outcome("cfgschema:redis", "{\"properties\":{\"port\":{\"minimum\":1024}}}"),
                     "config:redis:x: against cfgschema:redis: port: violates minimum 1024");
    ck_assert_ptr_nonnull(strstr(outcome("cfgschema:redis", "[]"), "config:redis:x: cfgschema:redis is wrong"));
}
END_TEST

START_TEST(test_the_agent_document_too)
{
    struct docname name = {"", ""};
    struct agent_doc *a = NULL;
    struct inputs in;
    struct err e = {0};

    inputs_init(&in);
    put(&in, "config:agent:default", "{\"apply\":[\"files:a\"]}");
    put(&in, "cfgschema:agent", "{\"properties\":{\"apply\":{\"maxItems\":0}}}");
    ck_assert_int_eq(agent_doc_find(&in, &who, &name, &a, &e), ERR_RANGE);
    ck_assert_str_eq(name.component, "default");
    ck_assert_str_eq(e.text, "against cfgschema:agent: apply: violates maxItems 0: it has 1");
    inputs_fini(&in);
}
END_TEST

START_TEST(test_what_is_read)
{
    struct inputs in;
    struct sources s;

    inputs_init(&in);
    sources_init(&s);
    put(&in, "config:agent:default", "{\"apply\":[\"files:a\",\"env:b\"]}");
    put(&in, "config:files:a", files);
    desired_sources(&in, &who, NULL, &s);
    ck_assert(sources_has(&s, "cfgschema:agent") && sources_has(&s, "cfgschema:files") && sources_has(&s, "cfgschema:env") &&
              sources_has(&s, "cfgschema:redis"));
    sources_fini(&s);
    sources_init(&s);
    desired_sources_of(&doc, &in, &s);
    ck_assert_uint_eq(s.at.n, 4);
    ck_assert_str_eq(s.at.at[0], "config:files:a");
    ck_assert_str_eq(s.at.at[2], "cfgschema:files");
    ck_assert(source_valid(slice_z(s.at.at[2])) && !source_is_hash(slice_z(s.at.at[2])));
    sources_fini(&s);
    inputs_fini(&in);
}
END_TEST

SUITE(doc_schema, test_it_narrows, test_data_too, test_the_agent_document_too, test_what_is_read)
