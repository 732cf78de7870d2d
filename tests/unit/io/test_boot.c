/* Command lines and surroundings. Each case runs in a child, because boot changes the
 * process it is called in; what it printed and its exit code are compared. */
#include "common/io/boot.h"

#include "common/base/mem.h"
#include "common/io/file.h"
#include "common/io/log.h"
#include "tests/support/folder.h"
#include "tests/support/suite.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct opts {
    int64_t port;
    char *dir, *logfile, *pidfile;
    bool daemonize;
    int loglevel;
};

static const struct option_word levels[] = {{"debug", LOG_LEVEL_DEBUG}, {"notice", LOG_LEVEL_NOTICE}, {NULL, 0}};

static const struct option rows[] = {
    {"port", OPT_INT, offsetof(struct opts, port), .min = 0, .max = 65535, .dflt = "6379", .summary = "Where to listen."},
    {"dir", OPT_STR, offsetof(struct opts, dir), .dflt = "./", .summary = "Folder."},
    {"logfile", OPT_STR, offsetof(struct opts, logfile), .dflt = "", .summary = "Log."},
    {"pidfile", OPT_STR, offsetof(struct opts, pidfile), .dflt = "", .summary = "Pid."},
    {"daemonize", OPT_BOOL, offsetof(struct opts, daemonize), .dflt = "no", .summary = "Background."},
    {"loglevel", OPT_WORD, offsetof(struct opts, loglevel), .dflt = "notice", .words = levels, .summary = "How much."},
    {"hz", OPT_IGNORED, .summary = "Tunes nothing here."},
};
static const struct option_table table = {rows, sizeof rows / sizeof rows[0]};

static int check_port(void *base, struct err *e)
{
    struct opts *o = base;

    return o->port == 13 ? err_set(e, ERR_RANGE, "port 13 is unlucky") : 0;
}

static char dir[FOLDER_MAX];

static void put_file(const char *name, const char *text)
{
    struct err e;

    ck_assert_int_eq(file_replace(name, text, strlen(text), 0600, &e), 0);
}

/* What the child says when it may go on. */
static int report(bool needs_file, int argc, char **argv)
{
    struct opts o = {0};
    struct boot_spec spec = {
        .program = "prog", .summary = "a program", .log_role = 'M', .options = &table, .base = &o, .check = check_port,
        .dir = offsetof(struct opts, dir), .logfile = offsetof(struct opts, logfile),
        .loglevel = offsetof(struct opts, loglevel), .pidfile = offsetof(struct opts, pidfile),
        .daemonize = offsetof(struct opts, daemonize), .syslog_enabled = SIZE_MAX, .syslog_ident = SIZE_MAX,
        .needs_file = needs_file, .words_before = "--sentinel",
    };
    struct boot b;
    int code;
    char cwd[256];

    if (!boot(&spec, argc, argv, &b, &code))
        return code;
    log_notice("up");
    printf("port=%d path=%s cwd=%s\n", (int)o.port, b.config_path ? b.config_path : "-",
           getcwd(cwd, sizeof cwd) ? strrchr(cwd, '/') + 1 : "?");
    fflush(stdout);
    if (o.daemonize)
        put_file("daemon", "here");
    if (o.pidfile && o.pidfile[0])
        printf("pidfile %s\n", file_exists(o.pidfile) ? "there" : "missing");
    boot_fini(&b);
    option_free(&table, &o);
    fflush(stdout);
    return 40;
}

static char said[8192];

static int run_with(bool needs_file, const char *input, const char **words)
{
    char **argv = (char **)(uintptr_t)words;

    int argc = 0, out = open("said", O_RDWR | O_CREAT | O_TRUNC, 0600), status;
    ssize_t n;
    pid_t pid;

    while (argv[argc])
        argc++;
    put_file("input", input);
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        int in = open("input", O_RDONLY);
        dup2(in, 0);
        dup2(out, 1);
        dup2(out, 2);
        _exit(report(needs_file, argc, argv));
    }
    waitpid(pid, &status, 0);
    n = pread(out, said, sizeof said - 1, 0);
    said[n > 0 ? n : 0] = '\0';
    close(out);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

#define run(...) run_with(false, "port 77\n", (const char *[]){"prog", __VA_ARGS__ __VA_OPT__(,) NULL})

static void ok(int code, const char *part)
{
    ck_assert_msg(code == 40, "exit %d: %s", code, said);
    ck_assert_msg(strstr(said, part) != NULL, "no '%s' in: %s", part, said);
}

static void bad(int code, const char *line)
{
    ck_assert_int_eq(code, 1);
    ck_assert_msg(!strncmp(said, line, strlen(line)), "not '%s' but: %s", line, said);
    ck_assert_ptr_eq(strchr(said, '\n'), said + strlen(said) - 1);      /* one line */
}

START_TEST(files_and_options)
{
    char want[128];

    folder_enter(dir);
    put_file("a.conf", "# comment\nport 1\nport 2\n");
    ok(run_with(false, "", (const char *[]){"prog", NULL}), "port=6379 path=-");
    snprintf(want, sizeof want, "port=2 path=%s/a.conf", dir);
    ok(run("a.conf"), want);
    ok(run("a.conf", "--port", "3"), "port=3");
    ok(run("a.conf", "--port 4"), "port=4");
    ok(run("--port", "5"), "port=5 path=-");
    ok(run("-"), "port=77 path=-");
    ok(run("-", "--port", "6"), "port=6");
    ok(run("--loglevel", "debug", "-"), "port=77");
    ok(run("a.conf", "-"), "port=77");
    ok(run("", "--sentinel", "--port", "8"), "port=8");
    ok(run("a.conf", "--sentinel"), "port=2");
    folder_leave(dir);
}
END_TEST

START_TEST(errors_are_one_line)
{
    folder_enter(dir);
    put_file("bad.conf", "port 1\nprot 2\n");
    put_file("range.conf", "port 99999999\n");
    put_file("unlucky.conf", "port 13\n");
    put_file("inc.conf", "include bad.conf\n");
    put_file("loop.conf", "include loop.conf\n");
    bad(run("bad.conf"), "prog: bad.conf:2: 'prot'");
    bad(run("range.conf"), "prog: range.conf:1: 'port'");
    bad(run("missing.conf"), "prog: open missing.conf: No such file");
    bad(run("unlucky.conf"), "prog: port 13 is unlucky");
    bad(run("--nonsense", "1"), "prog: argument 1: 'nonsense'");
    bad(run("--port"), "prog: ");
    bad(run("inc.conf"), "prog: inc.conf:1: bad.conf:2: 'prot'");
    bad(run("loop.conf"), "prog: loop.conf:1: ");
    bad(run("--dir", "/no/such/folder"), "prog: 'dir': cannot enter /no/such/folder");
    bad(run("--logfile", "/no/such/folder/log"), "prog: 'logfile': ");
    bad(run_with(true, "", (const char *[]){"prog", "--port", "1", NULL}), "prog: needs a configuration file");
    folder_leave(dir);
}
END_TEST

START_TEST(questions)
{
    folder_enter(dir);
    put_file("a.conf", "port 1\nhz 10\n");
    put_file("bad.conf", "prot 2\n");
    ck_assert_int_eq(run("--version"), 0);
    ck_assert_int_eq(strncmp(said, "prog v=", 7), 0);
    ck_assert_int_eq(run("-v"), 0);
    ck_assert_int_eq(run("--help"), 0);
    ck_assert_ptr_nonnull(strstr(said, "Usage:\n    prog"));
    ck_assert_int_eq(run("--print-docs"), 0);
    ck_assert_ptr_nonnull(strstr(said, "Where to listen."));
    ck_assert_int_eq(run("--print-man"), 0);
    ck_assert_int_eq(strncmp(said, ".TH PROG 8 ", 11), 0);
    ck_assert_ptr_nonnull(strstr(said, ".SH \"SIGNALS\""));
    ck_assert_ptr_nonnull(strstr(said, "Where to listen."));
    ck_assert_int_eq(run("a.conf", "--check-config"), 0);
    ck_assert_ptr_nonnull(strstr(said, "'hz' is accepted"));
    ck_assert_ptr_nonnull(strstr(said, "configuration is fine"));
    ck_assert_int_eq(run("--check-config", "a.conf"), 0);
    bad(run("bad.conf", "--check-config"), "prog: bad.conf:1: 'prot'");
    folder_leave(dir);
}
END_TEST

START_TEST(dir_then_logfile_and_pidfile)
{
    struct str text = {0};
    char want[128];

    folder_enter(dir);
    ck_assert_int_eq(system("mkdir sub"), 0);
    put_file("a.conf", "dir sub\nlogfile log.txt\npidfile p.pid\n");
    snprintf(want, sizeof want, "path=%s/a.conf cwd=sub", dir);
    ok(run("a.conf"), want);
    ck_assert_ptr_nonnull(strstr(said, "pidfile there"));
    ck_assert_int_eq(file_slurp("sub/log.txt", 0, &text, NULL), 0);
    ck_assert_ptr_nonnull(strstr(str_c(&text), " * up\n"));
    ck_assert(!file_exists("sub/p.pid"));
    str_fini(&text);
    folder_leave(dir);
}
END_TEST

START_TEST(background)
{
    folder_enter(dir);
    ck_assert_int_eq(run("--daemonize", "yes", "--logfile", "log.txt"), 0);
    for (int i = 0; i < 200 && !file_exists("daemon"); i++)
        usleep(10000);
    ck_assert(file_exists("daemon"));
    folder_leave(dir);
}
END_TEST

SUITE(boot, files_and_options, errors_are_one_line, questions, dir_then_logfile_and_pidfile, background)
