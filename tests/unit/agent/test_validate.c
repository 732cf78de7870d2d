/* Check commands and reloads, run for real. */
#include "agent/shell/hold.h"
#include "agent/shell/validate.h"
#include "common/base/mem.h"
#include "tests/support/suite.h"
#include "tests/unit/agent/agent_support.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct told {
    bool done;
    char why[1024];
};

static void told(void *arg, const char *why)
{
    struct told *t = arg;

    ck_assert(!t->done);
    t->done = true;
    snprintf(t->why, sizeof t->why, "%s", why ? why : "");
}

static struct plan_argv words(const char *first, ...)
{
    struct plan_argv a = {mem_zalloc(8 * sizeof(char *)), 0};
    va_list ap;

    va_start(ap, first);
    for (const char *w = first; w; w = va_arg(ap, const char *))
        a.at[a.n++] = mem_strdup(w);
    va_end(ap);
    return a;
}

static void check(struct plan_argv argv, const char *allowed, const char *says)
{
    struct scene s;
    struct loop *l = loop_new();
    struct plan *p = scene_plan("a", "new\n", NULL);
    struct stage st;
    struct allow a = {0};
    struct told t = {0};
    struct err e = {0};
    struct validate *v;

    scene_init(&s);
    p->check_timeout_ms = 300;
    vec_push(&p->checks, argv);
    stage_init(&st);
    ck_assert_int_eq(stage_look(&st, p, &s.roots, "0", &e), 0);
    ck_assert_int_eq(stage_write(&st, p, &s.roots, &e), 0);
    ck_assert_int_eq(allow_add_command(&a, allowed, &e), 0);
    v = validate_start(l, p, &st, &s.roots, &a, told, &t);
    ck_assert(!t.done);
    turn_until(l, t.done);
    validate_free(v);
    loop_run_once(l, false);
    if (says[0])
        ck_assert_msg(strstr(t.why, says) != NULL, "%s", t.why);
    else
        ck_assert_str_eq(t.why, "");
    stage_fini(&st);
    plan_free(p);
    allow_fini(&a);
    loop_free(l);
    scene_fini(&s);
}

START_TEST(test_checks)
{
    check(words("grep", "-q", "new", "{{staged:a}}", NULL), "/usr/bin/grep", "");
    check(words("/usr/bin/grep", "old", "{{staged:a}}", NULL), "/usr/bin/grep", "ended with 1");
    check(words("ls", "/nowhere/at/all", NULL), "/usr/bin/ls", "cannot access '/nowhere/at/all'");
    check(words("sleep", "60", NULL), "/usr/bin/sleep", "did not end within 300ms");
    check(words("sh", NULL), "/usr/bin/true", "not allowed");
    check(words("true", "{{staged:b}}", NULL), "/usr/bin/true", "names no file");
    check(words("nothere", NULL), "/nowhere/nothere", "nothere");
}
END_TEST

START_TEST(test_asking_without_running)
{
    struct plan *p = scene_plan("a", "", NULL);
    struct allow a = {0};
    struct err e = {0};
    struct plan_argv argv = words("true", "x{{staged:a}}", NULL), other = words("true", "{{staged:a}}{{staged:q}}", NULL);

    allow_add_command(&a, "/usr/bin/true", &e);
    vec_push(&p->checks, argv);
    ck_assert_int_eq(validate_allowed(p, &a, &e), 0);
    vec_push(&p->checks, other);
    ck_assert_int_eq(validate_allowed(p, &a, &e), ERR_MISSING);
    ck_assert_ptr_nonnull(strstr(e.text, "check[1]: {{staged:q}}"));
    plan_free(p);
    allow_fini(&a);
}
END_TEST

static volatile sig_atomic_t hups;
static void on_hup(int signum)
{
    (void)signum;
    hups++;
}

START_TEST(test_reload_by_signal)
{
    struct scene s;
    struct loop *l = loop_new();
    struct plan *p = scene_plan("a", "", NULL);
    struct allow a = {0};
    struct told t = {0};
    struct err e = {0};
    struct str pidfile = {0};
    struct hold *h;
    char text[32];

    scene_init(&s);
    signal(SIGHUP, on_hup);
    str_printf(&pidfile, "%s/pid", s.root);
    p->reload.kind = RELOAD_SIGNAL;
    p->reload.signal = mem_strdup("HUP");
    p->reload.pidfile = str_take(&pidfile);
    ck_assert_int_eq(hold_allowed(p, &s.roots, &a, &e), 0);
    h = hold_start(l, p, &s.roots, &a, told, &t);
    turn_until(l, t.done);
    ck_assert_msg(strstr(t.why, "No such file") != NULL, "%s", t.why);
    hold_free(h);
    static const char *const bad[] = {"", "x", "1", "-5", "99999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        pid_t pid;

        scene_write(&s, "root/pid", bad[i]);
        ck_assert_int_eq(hold_read_pid(&s.roots, p->reload.pidfile, &pid, &e), ERR_FORMAT);
    }
    snprintf(text, sizeof text, "%d\n", (int)getpid());
    scene_write(&s, "root/pid", text);
    t.done = false;
    h = hold_start(l, p, &s.roots, &a, told, &t);
    turn_until(l, t.done);
    hold_free(h);
    ck_assert_str_eq(t.why, "");
    ck_assert_int_eq(hups, 1);
    mem_free(p->reload.pidfile);
    p->reload.pidfile = mem_strdup("/proc/1/status");
    ck_assert_int_eq(hold_allowed(p, &s.roots, &a, &e), ERR_REFUSED);
    loop_run_once(l, false);
    plan_free(p);
    loop_free(l);
    scene_fini(&s);
}
END_TEST

START_TEST(test_reload_by_command)
{
    struct scene s;
    struct loop *l = loop_new();
    struct plan *p = scene_plan("a", "", NULL);
    struct allow a = {0};
    struct told t = {0};
    struct err e = {0};
    struct hold *h;

    scene_init(&s);
    p->reload.kind = RELOAD_EXEC;
    p->reload.exec = words("false", NULL);
    p->reload_timeout_ms = 5000;
    ck_assert_int_eq(hold_allowed(p, &s.roots, &a, &e), ERR_REFUSED);
    allow_add_command(&a, "/usr/bin/false", &e);
    ck_assert_int_eq(hold_allowed(p, &s.roots, &a, &e), 0);
    h = hold_start(l, p, &s.roots, &a, told, &t);
    turn_until(l, t.done);
    ck_assert_str_eq(t.why, "the reload ended with 1");
    hold_free(h);
    /* Freed while it runs: nothing is told any more. */
    t.done = false;
    h = hold_start(l, p, &s.roots, &a, told, &t);
    hold_free(h);
    for (int i = 0; i < 20; i++) {
        loop_again(l);
        loop_run_once(l, true);
    }
    ck_assert(!t.done);
    plan_free(p);
    allow_fini(&a);
    loop_free(l);
    scene_fini(&s);
}
END_TEST

SUITE(validate, test_checks, test_asking_without_running, test_reload_by_signal, test_reload_by_command)
