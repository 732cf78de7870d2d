/* What is in force, on disk; folders of last good files. */
#include "agent/shell/applied.h"
#include "common/base/mem.h"
#include "common/io/file.h"
#include "tests/support/suite.h"
#include "tests/unit/agent/agent_support.h"

#include <errno.h>
#include <string.h>

static const struct docname doc = {"files", "web"};

START_TEST(test_there_and_back)
{
    struct scene s;
    struct plan *p = scene_plan("a", "1", "b", "2", NULL);
    struct stage st;
    struct applied a, b;
    struct err e = {0};
    char sha[SHA_MAX], fp[SHA_MAX];

    scene_init(&s);
    sha_bytes("doc", 3, sha);
    sha_bytes("all", 3, fp);
    stage_init(&st);
    ck_assert_int_eq(stage_look(&st, p, &s.roots, "0", &e), 0);
    applied_init(&a);
    ck_assert_int_eq(applied_load(s.state, &doc, &b, &e), ERR_SYS);
    ck_assert(e.sys_errno == ENOENT && !b.known);
    applied_set(&a, sha, fp, 1234567890123, ACK_PROBE_FAILED, p, &st);
    ck_assert_int_eq(applied_save(s.state, &doc, &a, &e), 0);
    ck_assert_int_eq(applied_load(s.state, &doc, &b, &e), 0);
    ck_assert(b.known);
    ck_assert_str_eq(b.sha, sha);
    ck_assert_str_eq(b.fingerprint, fp);
    ck_assert_int_eq(b.at_wall_ms, 1234567890123);
    ck_assert_int_eq(b.status, ACK_PROBE_FAILED);
    ck_assert(applied_owns(&b, "r", "a") && !applied_owns(&b, "r", "c") && !applied_owns(&b, "x", "a"));
    applied_fini(&b);
    scene_write(&s, "state/applied/files/web", "{\"sha\":1");
    ck_assert_int_eq(applied_load(s.state, &doc, &b, &e), ERR_FORMAT);
    ck_assert(!b.known);
    applied_fini(&a);
    stage_fini(&st);
    plan_free(p);
    scene_fini(&s);
}
END_TEST

START_TEST(test_three_sets_are_kept)
{
    struct scene s;
    struct err e = {0};

    scene_init(&s);
    for (int i = 1; i <= 6; i++) {
        char *folder = NULL;

        ck_assert_int_eq(kept_folder(s.state, &doc, 3, &folder, &e), 0);
        ck_assert_int_eq(strrchr(folder, '/')[1], '0' + i);
        ck_assert_int_eq(file_make_dirs(folder, 0700, &e), 0);
        mem_free(folder);
    }
    ck_assert_str_eq(scene_list(&s, "state/lkg/files/web"), "4 5 6");
    scene_fini(&s);
}
END_TEST

START_TEST(test_settings)
{
    struct plan *p = mem_zalloc(sizeof *p);
    struct stage st;
    struct applied a, b;
    struct scene s;
    struct err e = {0};
    char sha[SHA_MAX], is[SHA_MAX];
    struct str text = {0};

    scene_init(&s);
    stage_init(&st);
    sha_bytes("doc", 3, sha);
    sha_bytes("secret", 6, is);
    applied_init(&a);
    applied_set(&a, sha, sha, 1, ACK_PENDING_RESTART, p, &st);
    applied_add_setting(&a, "masterauth", "secret", "secret", false);
    applied_add_setting(&a, "databases", "32", "16", true);
    memcpy(a.run_id, "abc", 4);
    ck_assert_int_eq(applied_save(s.state, &doc, &a, &e), 0);
    ck_assert_int_eq(applied_load(s.state, &doc, &b, &e), 0);
    ck_assert_int_eq(b.status, ACK_PENDING_RESTART);
    ck_assert_str_eq(b.run_id, "abc");
    ck_assert_str_eq(applied_setting(&b, "masterauth")->is, is);
    ck_assert(applied_setting(&b, "databases")->pending && !applied_setting(&b, "masterauth")->pending);
    ck_assert_ptr_null(applied_setting(&b, "hz"));
    str_printf(&text, "%s/applied/files/web", s.state);
    {
        struct str bytes = {0};

        ck_assert_int_eq(file_slurp(str_c(&text), 1 << 20, &bytes, &e), 0);
        ck_assert_ptr_null(strstr(str_c(&bytes), "secret"));
        str_fini(&bytes);
    }
    applied_forget(s.state, &doc);
    applied_fini(&b);
    ck_assert_int_eq(applied_load(s.state, &doc, &b, &e), ERR_SYS);
    applied_fini(&a);
    stage_fini(&st);
    plan_free(p);
    str_fini(&text);
    scene_fini(&s);
}
END_TEST

SUITE(applied, test_there_and_back, test_settings, test_three_sets_are_kept)
