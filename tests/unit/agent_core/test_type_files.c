/* The type "files": from a document to a plan with bytes. */
#include "agent/core/desired.h"
#include "tests/support/suite.h"

#include <string.h>

static const struct whoami who = {"n1", "edge"};

static void put(struct inputs *in, const char *source, const char *text)
{
    inputs_put_string(in, source, text, strlen(text));
}

static int plan_of(const char *doc, const struct inputs *more, struct plan **out, bool *absent, struct err *e)
{
    struct inputs in;
    struct docname name = {"files", "t"};
    int rc;

    inputs_init(&in);
    if (more) {
        inputs_copy_one(&in, more, "config:redis:a");
        inputs_copy_one(&in, more, "config:tmpl:t");
        inputs_copy_one(&in, more, "hash:h");
        inputs_copy_one(&in, more, "svcs:web");
    }
    inputs_put_string(&in, "config:files:t", doc, strlen(doc));
    rc = desired_plan(&name, &in, &who, NULL, out, absent, e);
    inputs_fini(&in);
    return rc;
}

START_TEST(test_instances_of_a_service)
{
    const char *doc = "{\"v\":1,\"files\":[{\"root\":\"etc\",\"path\":\"a\",\"data\":{\"b\":\"svcs:web\"},"
                      "\"template\":\"{{#b}}{{#up}}{{id}}={{addr}} {{zone}} {{w}}\\n{{/up}}{{/b}}\"}]}";
    struct inputs in;
    struct input *i;
    struct plan *p = NULL;
    struct err e = {0};
    bool absent;

    inputs_init(&in);
    i = inputs_put(&in, slice_z("svcs:web"));
    input_add_field(i, "n2", 2, "h2:80;w=5;state=up", 18);
    input_add_field(i, "junk", 4, "{}", 2);
    input_add_field(i, "a b", 3, "h:1", 3);
    input_add_field(i, "n3", 2, "h3:80;state=drain", 17);
    input_add_field(i, "n1", 2, "h1:80;zone=a", 12);
    ck_assert_msg(plan_of(doc, &in, &p, &absent, &e) == 0, "%s", e.text);
    ck_assert_str_eq(str_c(&p->files.at[0].bytes), "n1=h1:80 a 100\nn2=h2:80  5\n");
    plan_free(p);
    inputs_clear(&in);
    inputs_put_missing(&in, "svcs:web");
    ck_assert_int_eq(plan_of(doc, &in, &p, &absent, &e), ERR_MISSING);
    ck_assert(absent);
    inputs_fini(&in);
}
END_TEST

START_TEST(test_a_whole_document)
{
    const char *doc =
        "{\"v\":1,\"files\":[{\"root\":\"etc\",\"path\":\"a/b\",\"mode\":\"0600\",\"owner\":\"o\",\"group\":\"g\",\"escape\":\"json\","
        "\"template\":\"{{r.host}} {{h.f}} {{node.id}} {{node.group}}\",\"data\":{\"r\":\"config:redis:a\",\"h\":\"hash:h\"}},"
        "{\"root\":\"etc\",\"path\":\"c\",\"from\":\"config:tmpl:t\"}],"
        "\"check\":[[\"/bin/c\",\"-f\",\"{{staged:a/b}}\"],[\"d\"]],\"check_timeout\":\"3s\","
        "\"reload\":{\"unit\":\"x.service\",\"how\":\"restart\",\"timeout\":\"9s\"},"
        "\"probe\":{\"resp\":\"h:1\",\"send\":\"PING x\",\"want\":\"x\"},\"probe_for\":\"9s\",\"probe_interval\":\"1s\",\"probe_ok\":4,"
        "\"on_fail\":\"hold\"}";
    struct inputs in;
    struct plan *p = NULL;
    struct err e = {0};
    bool absent;

    inputs_init(&in);
    put(&in, "config:redis:a", "{\"host\":\"a\\\"b\"}");
    put(&in, "config:tmpl:t", "{\"text\":\"{{>x}}!\",\"parts\":{\"x\":\"part\"}}");
    input_add_field(inputs_put(&in, slice_z("hash:h")), "f", 1, "v", 1);
    ck_assert_msg(plan_of(doc, &in, &p, &absent, &e) == 0, "%s", e.text);
    ck_assert_uint_eq(p->files.n, 2);
    ck_assert_str_eq(str_c(&p->files.at[0].bytes), "a\\\"b v n1 edge");
    ck_assert_int_eq(p->files.at[0].mode, 0600);
    ck_assert_str_eq(p->files.at[0].owner, "o");
    ck_assert_str_eq(str_c(&p->files.at[1].bytes), "part!");
    ck_assert_int_eq(p->files.at[1].mode, 0644);
    ck_assert_uint_eq(p->checks.n, 2);
    ck_assert_str_eq(p->checks.at[0].at[2], "{{staged:a/b}}");
    ck_assert_ptr_null(p->checks.at[0].at[3]);
    ck_assert_int_eq(p->check_timeout_ms, 3000);
    ck_assert_int_eq(p->reload.kind, RELOAD_UNIT);
    ck_assert_str_eq(p->reload.how, "restart");
    ck_assert_int_eq(p->reload_timeout_ms, 9000);
    ck_assert_int_eq(p->probe.kind, PROBE_RESP);
    ck_assert_str_eq(p->probe.to.host, "h");
    ck_assert_int_eq(p->probe.ok, 4);
    ck_assert(p->hold);
    plan_free(p);
    inputs_fini(&in);
}
END_TEST

#define ONE(rest) "{\"files\":[{\"root\":\"r\",\"path\":\"p\",\"template\":\"\"}]" rest "}"
#define FILE1(rest) "{\"files\":[{\"root\":\"r\",\"path\":\"p\"," rest "}]}"

static const struct { const char *doc, *says; bool absent; } wrong[] = {
    {"{}", "'files' is missing", false},
    {"{\"files\":[]}", "at least 1", false},
    {"{\"v\":2,\"files\":[]}", "v: must be a whole number 1..1", false},
    {FILE1("\"mode\":\"0644\""), "just one of 'template', 'from'", false},
    {FILE1("\"template\":\"\",\"from\":\"config:tmpl:t\""), "just one of", false},
    {FILE1("\"from\":\"config:redis:a\""), "files[0].from", false},
    {FILE1("\"from\":\"config:tmpl:t\""), "config:tmpl:t does not exist", true},
    {FILE1("\"template\":\"\",\"data\":{\"node\":\"config:redis:a\"}"), "'node' is not a name for data", false},
    {FILE1("\"template\":\"\",\"data\":{\"a b\":\"config:redis:a\"}"), "is not a name for data", false},
    {FILE1("\"template\":\"\",\"data\":{\"a\":\"redis\"}"), "'redis' is not config:", false},
    {FILE1("\"template\":\"\",\"data\":{\"a\":\"config:redis:a\"}"), "config:redis:a does not exist", true},
    {FILE1("\"template\":\"\",\"inplace\":true"), "not supported yet", false},
    {ONE(",\"atomic\":\"dir\""), "not supported yet", false},
    {ONE(",\"drift\":\"report\""), "drift: not supported yet", false},
    {ONE(",\"check\":[[]]"), "check[0]: needs at least 1", false},
    {ONE(",\"reload\":{}"), "reload: just one of", false},
    {ONE(",\"reload\":{\"signal\":\"KILL\",\"pidfile\":\"/x\"}"), "reload.signal: must be one of", false},
    {ONE(",\"reload\":{\"signal\":\"HUP\"}"), "'signal' needs 'pidfile'", false},
    {ONE(",\"reload\":{\"signal\":\"HUP\",\"pidfile\":\"x\"}"), "absolute", false},
    {ONE(",\"reload\":{\"exec\":[\"x\"],\"how\":\"reload\"}"), "goes with 'unit'", false},
    {ONE(",\"reload\":{\"exec\":[\"x\"],\"pidfile\":\"/x\"}"), "goes with 'signal'", false},
    {ONE(",\"probe\":{\"tcp\":\"nowhere\"}"), "probe.tcp: must be host:port", false},
    {ONE(",\"probe\":{\"http\":\"file:///etc/passwd\"}"), "probe.http", false},
    {ONE(",\"probe\":{\"tcp\":\"h:1\"},\"probe_for\":\"1s\",\"probe_ok\":9"), "probe_for: too short", false},
    {"{\"files\":[{\"root\":\"r\",\"path\":\"p\",\"template\":\"\"},{\"root\":\"r\",\"path\":\"p\",\"template\":\"\"}]}", "stands twice", false},
};

START_TEST(test_what_is_wrong)
{
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct plan *p = NULL;
        struct err e = {0};
        bool absent = !wrong[i].absent;

        ck_assert_msg(plan_of(wrong[i].doc, NULL, &p, &absent, &e) != 0, "%s", wrong[i].doc);
        ck_assert_msg(strstr(e.text, wrong[i].says) != NULL, "%s says: %s", wrong[i].doc, e.text);
        ck_assert_msg(absent == wrong[i].absent, "%s", wrong[i].doc);
        ck_assert_ptr_null(p);
    }
}
END_TEST

START_TEST(test_paths)
{
    ck_assert(doctype_path_ok("a"));
    ck_assert(doctype_path_ok("a/b.c/..d"));
    ck_assert(!doctype_path_ok(""));
    ck_assert(!doctype_path_ok("/a"));
    ck_assert(!doctype_path_ok("a/"));
    ck_assert(!doctype_path_ok("a//b"));
    ck_assert(!doctype_path_ok("./a"));
    ck_assert(!doctype_path_ok("a/../b"));
    ck_assert(!doctype_path_ok("a/.."));
    ck_assert(!doctype_path_ok("a\nb"));
}
END_TEST

START_TEST(test_values_that_do_not_fit)
{
    struct inputs in;
    struct plan *p = NULL;
    struct err e = {0};
    bool absent;

    inputs_init(&in);
    put(&in, "config:redis:a", "{\"a\":NaN}");
    ck_assert_int_ne(plan_of(FILE1("\"template\":\"\",\"data\":{\"a\":\"config:redis:a\"}"), &in, &p, &absent, &e), 0);
    ck_assert_msg(strstr(e.text, "config:redis:a: line 1") != NULL, "%s", e.text);
    input_add_field(inputs_put(&in, slice_z("hash:h")), "f", 1, "a\0b", 3);
    ck_assert_int_ne(plan_of(FILE1("\"template\":\"\",\"data\":{\"h\":\"hash:h\"}"), &in, &p, &absent, &e), 0);
    ck_assert_msg(strstr(e.text, "NUL") != NULL, "%s", e.text);
    inputs_put(&in, slice_z("hash:h"))->kind = INPUT_WRONG;
    ck_assert_int_ne(plan_of(FILE1("\"template\":\"\",\"data\":{\"h\":\"hash:h\"}"), &in, &p, &absent, &e), 0);
    ck_assert_msg(strstr(e.text, "another type") != NULL && !absent, "%s", e.text);
    inputs_fini(&in);
}
END_TEST

SUITE(type_files, test_instances_of_a_service, test_a_whole_document, test_what_is_wrong, test_paths, test_values_that_do_not_fit)
