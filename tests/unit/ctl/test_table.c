/* One table in all its forms: for eyes, as an object, as lines of JSON, between tabs. */
#include "sentinel/ctl/table.h"
#include "tests/support/suite.h"
#include "tests/unit/ctl/ctl_support.h"

static const struct column columns[] = {
    {"name", "NAME", false}, {"bytes", "BYTES", true}, {"sha", NULL, false}, {"why", "WHY", false},
};

static void fill(struct table *t)
{
    table_init(t, "Things", columns, 4);
    table_put(t, "short");
    table_put_i64(t, 7);
    table_put(t, "aa");
    table_put(t, "");
    table_put(t, "b\xc3\xa4r \"q\" \\");
    table_put_i64(t, -123456);
    table_put(t, "bb");
    table_put(t, "two\nlines\tand \033[31m\x7f");
    table_put(t, "a");
    table_put(t, "");                       /* a number that is not known */
    table_put(t, "cc");
    table_put(t, "x");
}

static const struct { enum ctl_output how; bool begun; const char *text; } forms[] = {
    {OUT_TEXT, false,
     "NAME         BYTES  WHY\n"
     "a                   x\n"
     "b\xc3\xa4r \"q\" \\  -123456  two?lines?and ?[31m?\n"
     "short            7  \n"},
    {OUT_TSV, false,
     "name\tbytes\tsha\twhy\n"
     "a\t\tcc\tx\n"
     "b\xc3\xa4r \"q\" \\\t-123456\tbb\ttwo?lines?and ?[31m?\n"
     "short\t7\taa\t\n"},
    {OUT_TSV, true,
     "a\t\tcc\tx\n"
     "b\xc3\xa4r \"q\" \\\t-123456\tbb\ttwo?lines?and ?[31m?\n"
     "short\t7\taa\t\n"},
    {OUT_JSONL, false,
     "{\"name\":\"a\",\"bytes\":null,\"sha\":\"cc\",\"why\":\"x\"}\n"
     "{\"name\":\"b\xc3\xa4r \\\"q\\\" \\\\\",\"bytes\":-123456,\"sha\":\"bb\",\"why\":\"two\\nlines\\tand \\u001b[31m\x7f\"}\n"
     "{\"name\":\"short\",\"bytes\":7,\"sha\":\"aa\",\"why\":\"\"}\n"},
};

START_TEST(test_every_form)
{
    struct table t;

    fill(&t);
    ck_assert_uint_eq(table_rows(&t), 3);
    table_sort(&t);
    ck_assert_str_eq(table_cell(&t, 0, 0), "a");
    ck_assert_str_eq(table_cell(&t, 2, 2), "aa");        /* a row goes as a whole */
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        listen_to();
        table_print(&t, forms[i].how, forms[i].begun);
        ck_assert_str_eq(heard(), forms[i].text);
    }
    table_fini(&t);
}
END_TEST

START_TEST(test_nothing_in_it)
{
    static const struct { enum ctl_output how; const char *text; } empty[] = {
        {OUT_TEXT, "NAME  BYTES  WHY\n"},
        {OUT_TSV, "name\tbytes\tsha\twhy\n"},
        {OUT_JSONL, ""},
        {OUT_JSON, "{\n\t\"apiVersion\":\t\"kvorum/v1\",\n\t\"kind\":\t\"Things\",\n\t\"items\":\t[]\n}\n"},
    };
    struct table t;

    table_init(&t, "Things", columns, 4);
    table_sort(&t);
    for (size_t i = 0; i < sizeof empty / sizeof empty[0]; i++) {
        listen_to();
        table_print(&t, empty[i].how, false);
        ck_assert_str_eq(heard(), empty[i].text);
    }
    table_fini(&t);
}
END_TEST

SUITE(table, test_every_form, test_nothing_in_it)
