/* Values that stand in files of their own: from-file. */
#include "common/io/conf_file.h"
#include "tests/support/folder.h"
#include "tests/support/suite.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct opts { char *pass, *name; char last[64]; int words; };

static int set_many(void *base, int argc, const struct slice *argv, bool fresh, struct err *e)
{
    struct opts *o = base;

    (void)fresh;
    (void)e;
    o->words = argc;
    slice_copy_z(argv[argc - 1], o->last, sizeof o->last);
    return 0;
}

static void get_many(const void *base, struct str *out) { str_append_z(out, ((const struct opts *)base)->last); }

static const struct option rows[] = {
    {"pass", OPT_STR, offsetof(struct opts, pass), .flags = OPT_SECRET, .summary = "a"},
    {"name", OPT_STR, offsetof(struct opts, name), .summary = "b"},
    {"many", OPT_CUSTOM, 0, .set = set_many, .get = get_many, .flags = OPT_MULTI, .summary = "c"},
};
static const struct option_table table = {rows, 3};

static char folder[FOLDER_MAX];
static struct opts o;

static const char *put(const char *name, const char *text)
{
    static char path[128];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
    return path;
}

static int load(const char *text, struct err *e)
{
    struct conf_source s;
    char path[128];
    int rc;

    option_free(&table, &o);
    memset(&o, 0, sizeof o);
    ck_assert_int_eq(option_defaults(&table, &o, NULL), 0);
    snprintf(path, sizeof path, "%s", put("main.conf", text));
    conf_source_init(&s, &table, &o);
    rc = conf_file_load(path, &s, e);
    conf_source_fini(&s);
    return rc;
}

static void setup(void)
{
    folder_make(folder);
}

static void teardown(void)
{
    option_free(&table, &o);
    memset(&o, 0, sizeof o);
    folder_remove(folder);
}

START_TEST(test_from_file)
{
    struct err e = {0};
    char text[256];

    setup();
    put("secret", "s3 cret \"x\"\r\nsecond\n");
    snprintf(text, sizeof text, "from-file %s/secret pass\nFROM-FILE \"%s/secret\" many a b\nname n\n", folder, folder);
    ck_assert_msg(load(text, &e) == 0, "%s", e.text);
    ck_assert_str_eq(o.pass, "s3 cret \"x\"");
    ck_assert_str_eq(o.last, "s3 cret \"x\"");
    ck_assert_int_eq(o.words, 3);
    ck_assert_str_eq(o.name, "n");
    teardown();
}
END_TEST

START_TEST(test_from_file_says_what_is_wrong)
{
    static const struct { const char *line, *word; } cases[] = {
        {"from-file", "needs the name of a file"},
        {"from-file a", "needs the name of a file"},
        {"from-file /does/not/exist pass", "from-file: open"},
        {"from-file EMPTY pass", "is empty"},
        {"from-file SECRET nosuch", "'nosuch' is not a known directive"},
        {"from-file SECRET name x", "takes one value"},
        {"from-file SECRET from-file SECRET", "cannot give 'from-file' one"},
        {"from-file SECRET include", "cannot give 'include' one"},
        {"from-file SECRET many 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16", "needs the name of a file"},
    };

    setup();
    put("EMPTY", "\nx\n");
    put("SECRET", "hidden\n");
    ck_assert_int_eq(chdir(folder), 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err e = {0};

        ck_assert_msg(load(cases[i].line, &e) != 0, "%s", cases[i].line);
        ck_assert_msg(strstr(e.text, cases[i].word) != NULL, "%s: %s", cases[i].line, e.text);
        ck_assert_msg(strstr(e.text, "main.conf:1") != NULL, "%s: %s", cases[i].line, e.text);
        ck_assert_msg(strstr(e.text, "hidden") == NULL, "a secret in an error: %s", e.text);
    }
    ck_assert_int_eq(chdir("/"), 0);
    teardown();
}
END_TEST

SUITE(conf_file, test_from_file, test_from_file_says_what_is_wrong)
