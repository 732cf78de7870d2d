/* Templates as a table: text, values, what comes out or what is said. */
#include "agent/core/template.h"
#include "tests/support/suite.h"

#include <string.h>

#define VALUES "{\"name\":\"Ann\",\"n\":42,\"f\":0.5,\"t\":true,\"no\":false,\"nil\":null,\"empty\":\"\",\"none\":[]," \
               "\"o\":{\"a\":{\"b\":\"deep\"},\"name\":\"inner\"},\"l\":[1,2,3],\"hosts\":[{\"h\":\"x\"},{\"h\":\"y\"}]," \
               "\"big\":9007199254740993,\"html\":\"<&>\",\"ll\":[[1,2],[3]]}"

static const char *parts = "{\"p\":\"[{{name}}]\",\"lines\":\"a\\nb\\n\",\"loop\":\"{{>loop}}\",\"bad\":\"x\\n{{\",\"gap\":\"a\\n\\nb\\n\",\"item\":\"{{.}};\"}";

static const struct { const char *text, *out; } good[] = {
    {"", ""},
    {"plain { } text", "plain { } text"},
    {"{{name}} {{ name }} {{{name}}} {{&name}} {{& name }}", "Ann Ann Ann Ann Ann"},
    {"{{n}} {{f}} {{t}} {{no}}", "42 0.5 true false"},
    {"{{o.a.b}} {{#o}}{{name}} {{a.b}} {{n}}{{/o}}", "deep inner deep 42"},
    {"{{#l}}{{.}},{{/l}}", "1,2,3,"},
    {"{{#ll}}({{#.}}{{.}}{{/.}}){{/ll}}", "(12)(3)"},
    {"{{#hosts}}{{h}} {{name}};{{/hosts}}", "x Ann;y Ann;"},
    {"{{#t}}yes{{/t}}{{#no}}no{{/no}}{{^no}}not{{/no}}{{^t}}never{{/t}}", "yesnot"},
    {"{{#none}}x{{/none}}{{^none}}nobody{{/none}}", "nobody"},
    {"{{#empty}}x{{/empty}}{{^empty}}e{{/empty}}{{^nil}}null{{/nil}}", "enull"},
    {"{{#n}}n{{/n}}{{#name}}s{{/name}}", "ns"},
    {"{{nil ?? d}} {{nobody ?? \"two words\"}} {{nobody ??}}|{{o.x.y ?? z}} {{name ?? z}}", "d two words |z Ann"},
    {"{{#nobody ?? false}}x{{/nobody}}{{^nobody ?? false}}y{{/nobody}}{{#nobody ?? true}}z{{/nobody}}", "yz"},
    {"{{! a remark }}a{{!}}", "a"},
    {"a\n  {{! alone }}\nb", "a\nb"},
    {"a\n{{#t}}\n  b\n{{/t}}\nc\n", "a\n  b\nc\n"},
    {"a\r\n{{#t}}\r\nb\r\n{{/t}}\r\nc", "a\r\nb\r\nc"},
    {" {{#t}} b {{/t}} ", "  b  "},
    {"{{#t}}\n{{/t}}", ""},
    {"  {{name}}  \n", "  Ann  \n"},
    {"{{=<% %>=}}<%name%> {{name}} <%={{ }}=%>{{name}}", "Ann {{name}} Ann"},
    {"{{=| |=}}\n|name|", "Ann"},
    {"{{>p}}-{{> p }}", "[Ann]-[Ann]"},
    {"x\n  {{>lines}}\ny", "x\n  a\n  b\ny"},
    {"  x {{>lines}}", "  x a\nb\n"},
    {"{{#l}}{{>item}}{{/l}}", "1;2;3;"},
    {"}} }{ {", "}} }{ {"},
    {"{{ #t}}x{{ /t }}{{ !y}}{{ &name}}", "xAnn"},
    {"{{=<% %>=}}<%{name}%>|<%{ name }%>}", "Ann|Ann}"},
    {"  {{>gap}}\n", "  a\n\n  b\n"},
};

static const struct { const char *text, *says; int code; } bad[] = {
    {"{{nobody}}", "line 1: 'nobody' is unknown", ERR_UNKNOWN},
    {"a\nb {{o.nobody}}", "line 2: 'o.nobody' is unknown", ERR_UNKNOWN},
    {"{{#nobody}}x{{/nobody}}", "'nobody' is unknown", ERR_UNKNOWN},
    {"{{^nobody}}x{{/nobody}}", "'nobody' is unknown", ERR_UNKNOWN},
    {"{{nil}}", "is null", ERR_RANGE},
    {"{{o}}", "is an object", ERR_RANGE},
    {"{{l}}", "is a list", ERR_RANGE},
    {"{{big}}", "2^53", ERR_RANGE},
    {"x {{name", "line 1: a tag begins and does not end", ERR_FORMAT},
    {"\n\n{{#t}}", "line 3: {{#t}} is never closed", ERR_FORMAT},
    {"{{/t}}", "closes nothing", ERR_FORMAT},
    {"{{#t}}\n{{/no}}", "line 2: {{/no}} stands where {{/t}} of line 1 must", ERR_FORMAT},
    {"{{}}", "is not a name", ERR_FORMAT},
    {"{{a b}}", "is not a name", ERR_FORMAT},
    {"{{a..b}}", "is not a name", ERR_FORMAT},
    {"{{.a}}", "is not a name", ERR_FORMAT},
    {"{{#t ?? maybe}}{{/t}}", "true or false", ERR_FORMAT},
    {"{{=x=}}", "change of delimiters", ERR_FORMAT},
    {"{{= =}}", "change of delimiters", ERR_FORMAT},
    {"{{>nobody}}", "is not among the document's parts", ERR_UNKNOWN},
    {"{{>loop}}", "too deeply", ERR_LIMIT},
    {"{{>bad}}", "part 'bad'", ERR_FORMAT},
};

static int render(const char *text, const char *values, enum escape_mode mode, struct str *out, struct err *e)
{
    cJSON *v = cJSON_Parse(values), *p = cJSON_Parse(parts);
    struct template_source t = {slice_z(text), v, p, mode};
    int rc;

    ck_assert_ptr_nonnull(v);
    ck_assert_ptr_nonnull(p);
    rc = template_render(&t, out, e);
    cJSON_Delete(v);
    cJSON_Delete(p);
    return rc;
}

START_TEST(test_what_comes_out)
{
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct str out = {0};
        struct err e = {0};

        str_set_z(&out, "before|");
        ck_assert_msg(render(good[i].text, VALUES, ESCAPE_NONE, &out, &e) == 0, "%s: %s", good[i].text, e.text);
        ck_assert_msg(strcmp(str_c(&out) + 7, good[i].out) == 0, "%s gives: %s", good[i].text, str_c(&out) + 7);
        str_fini(&out);
    }
}
END_TEST

START_TEST(test_what_is_said)
{
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct str out = {0};
        struct err e = {0};
        int rc;

        str_set_z(&out, "kept");
        rc = render(bad[i].text, VALUES, ESCAPE_NONE, &out, &e);
        ck_assert_msg(rc == bad[i].code && strstr(e.text, bad[i].says), "%s: %d %s", bad[i].text, rc, e.text);
        ck_assert_str_eq(str_c(&out), "kept");
        str_fini(&out);
    }
}
END_TEST

START_TEST(test_escaping)
{
    struct str out = {0};
    struct err e = {0};

    ck_assert_int_eq(render("{{html}}{{{html}}}{{&html}}{{x ?? <}}", VALUES, ESCAPE_HTML, &out, &e), 0);
    ck_assert_str_eq(str_c(&out), "&lt;&amp;&gt;<&><&>&lt;");
    str_clear(&out);
    ck_assert_int_eq(render("A={{name}} B={{n}}", VALUES, ESCAPE_SHELL, &out, &e), 0);
    ck_assert_str_eq(str_c(&out), "A='Ann' B='42'");
    str_clear(&out);
    ck_assert_int_eq(render("\n{{a}}", "{\"a\":\"\\u0001\"}", ESCAPE_HAPROXY, &out, &e), ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(e.text, "line 2: 'a'"));
    str_fini(&out);
}
END_TEST

START_TEST(test_limits)
{
    struct str text = {0}, out = {0}, values = {0};
    struct err e = {0};

    for (int i = 0; i < TEMPLATE_MAX_NESTING; i++)
        str_append_z(&text, "{{#t}}");
    for (int i = 0; i < TEMPLATE_MAX_NESTING; i++)
        str_append_z(&text, "{{/t}}");
    ck_assert_int_eq(render(str_c(&text), VALUES, ESCAPE_NONE, &out, &e), 0);
    str_set_z(&text, "");
    for (int i = 0; i <= TEMPLATE_MAX_NESTING; i++)
        str_append_z(&text, "{{#t}}");
    ck_assert_int_eq(render(str_c(&text), VALUES, ESCAPE_NONE, &out, &e), ERR_LIMIT);

    /* Much work for no output, and much output for little work: both end. */
    str_set_z(&values, "{\"l\":[");
    for (int i = 0; i < 1000; i++)
        str_append_z(&values, i ? ",1" : "1");
    str_append_z(&values, "]}");
    ck_assert_int_eq(render("{{#l}}{{#l}}{{#l}}{{#l}}{{/l}}{{/l}}{{/l}}{{/l}}", str_c(&values), ESCAPE_NONE, &out, &e), ERR_LIMIT);
    str_set_z(&text, "{{#l}}{{#l}}");
    for (int i = 0; i < 1000; i++)
        str_append_z(&text, "0123456789");
    str_append_z(&text, "{{/l}}{{/l}}");
    ck_assert_int_eq(render(str_c(&text), str_c(&values), ESCAPE_NONE, &out, &e), ERR_LIMIT);
    ck_assert_ptr_nonnull(strstr(e.text, "4 MiB"));
    ck_assert_uint_eq(out.len, 0);
    str_fini(&text);
    str_fini(&values);
    str_fini(&out);
}
END_TEST

SUITE(template, test_what_comes_out, test_what_is_said, test_escaping, test_limits)
