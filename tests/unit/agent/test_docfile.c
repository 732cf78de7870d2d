/* One file a document: paths, all of them, and what may be removed meanwhile. */
#include "agent/source/docfile.h"
#include "common/io/file.h"
#include "tests/support/suite.h"
#include "tests/unit/agent/agent_support.h"

#include <stdio.h>
#include <string.h>

START_TEST(test_paths)
{
    struct docname doc = {"files", "web"}, folder = {"files", ""};
    struct str path = {0};

    docfile_path("/s", "cache", &doc, &path);
    ck_assert_str_eq(str_c(&path), "/s/cache/files/web");
    str_clear(&path);
    docfile_path("/s", "cache", &folder, &path);
    ck_assert_str_eq(str_c(&path), "/s/cache/files");
    str_fini(&path);
}
END_TEST

struct seen { struct scene *s; char text[200]; };

/* Removes what it is told of, and the others of its type too. */
static void take(void *arg, const struct docname *doc)
{
    struct seen *n = arg;
    static const struct docname web = {"files", "web"}, app = {"files", "app"};
    char text[DOC_KEY_MAX];

    snprintf(n->text + strlen(n->text), sizeof n->text - strlen(n->text), "%s ", docname_text(doc, text));
    if (strcmp(doc->type, "files") == 0) {
        docfile_forget(n->s->state, "cache", &web);
        docfile_forget(n->s->state, "cache", &app);
    }
}

START_TEST(test_all_that_are_there)
{
    struct scene s;
    struct seen n = {.s = &s};
    struct err e = {0};
    char path[128];

    scene_init(&s);
    snprintf(path, sizeof path, "%s/cache/redis", s.state);
    ck_assert_int_eq(file_make_dirs(path, 0700, &e), 0);
    snprintf(path, sizeof path, "%s/cache/Not a type", s.state);
    ck_assert_int_eq(file_make_dirs(path, 0700, &e), 0);
    scene_write(&s, "state/cache/files/web", "1");
    scene_write(&s, "state/cache/files/app", "2");
    scene_write(&s, "state/cache/files/no name", "3");
    scene_write(&s, "state/cache/redis/r", "4");
    scene_write(&s, "state/cache/Not a type/x", "5");
    docfile_each(s.state, "cache", "redis", take, &n);
    ck_assert_str_eq(n.text, "redis:r ");
    n.text[0] = 0;
    docfile_each(s.state, "cache", NULL, take, &n);
    ck_assert_uint_eq(strlen(n.text), strlen("files:web files:app redis:r "));
    ck_assert(strstr(n.text, "files:web ") && strstr(n.text, "files:app ") && strstr(n.text, "redis:r "));
    ck_assert_str_eq(scene_list(&s, "state/cache/files"), "no name");
    n.text[0] = 0;
    docfile_each(s.state, "cache", "files", take, &n);
    docfile_each(s.state, "nothing", NULL, take, &n);
    docfile_each("/nowhere", "cache", "files", take, &n);
    ck_assert_str_eq(n.text, "");
    scene_fini(&s);
}
END_TEST

SUITE(docfile, test_paths, test_all_that_are_there)
