/* Children: output, time limits, forked work. */
#include "common/io/child.h"

#include "tests/support/suite.h"
#include "tests/support/turns.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct told {
    bool done;
    struct child_end end;
    char output[256];
};

static void on_end(void *arg, const struct child_end *end)
{
    struct told *t = arg;

    t->done = true;
    t->end = *end;
    slice_copy_z(end->output, t->output, sizeof t->output);
}

static struct told run(const struct child_exec *x)
{
    struct loop *l = loop_new();
    struct told t = {0};
    struct err e = {0};

    ck_assert_msg(child_exec(l, x, on_end, &t, NULL, &e) == 0, "%s", e.text);
    while (!t.done)
        loop_run_once(l, true);
    loop_free(l);
    return t;
}

START_TEST(output_and_exit_code)
{
    const char *argv[] = {"/bin/sh", "-c", "echo out; echo err >&2; pwd; echo $X; exit 3", NULL};
    const char *env[] = {"X=y", NULL};
    struct child_exec x = {.argv = argv, .env = env, .dir = "/", .output_max = 100};
    struct told t = run(&x);

    ck_assert_int_eq(t.end.exit_code, 3);
    ck_assert(!t.end.timed_out);
    ck_assert_str_eq(t.output, "out\nerr\n/\ny\n");
}
END_TEST

START_TEST(output_is_cut)
{
    const char *argv[] = {"sh", "-c", "yes | head -c 300000", NULL};
    struct child_exec x = {.argv = argv, .search_path = true, .output_max = 10};
    struct told t = run(&x);

    ck_assert_int_eq(t.end.exit_code, 0);
    ck_assert_uint_eq(t.end.output.len, 10);
}
END_TEST

START_TEST(timeout_kills_the_group)
{
    const char *argv[] = {"/bin/sh", "-c", "trap '' TERM; sleep 60 & wait; sleep 60", NULL};
    struct child_exec x = {.argv = argv, .timeout_ms = 1500, .output_max = 10};
    int64_t before = clock_mono_ms();
    struct told t = run(&x);

    ck_assert(t.end.timed_out);
    ck_assert_int_eq(t.end.signal, SIGKILL);
    ck_assert_int_eq(t.end.exit_code, -1);
    ck_assert_int_lt(clock_mono_ms() - before, 15000);
}
END_TEST

START_TEST(what_cannot_run_is_an_error)
{
    const char *argv[] = {"/no/such/program", NULL};
    struct child_exec x = {.argv = argv};
    struct loop *l = loop_new();
    struct err e;

    ck_assert_int_eq(child_exec(l, &x, on_end, NULL, NULL, &e), ERR_SYS);
    ck_assert_int_eq(e.sys_errno, ENOENT);
    ck_assert_ptr_nonnull(strstr(e.text, "/no/such/program"));
    loop_free(l);
}
END_TEST

START_TEST(descriptors_stay_ours)
{
    const char *argv[] = {"/bin/sh", "-c", "for f in 3 4 5 6 7 8 9 10 11 12; do [ -e /proc/$$/fd/$f ] && echo $f; done; exit 0", NULL};
    struct child_exec x = {.argv = argv, .output_max = 100};
    int leak = socket(AF_INET, SOCK_STREAM, 0);      /* not close-on-exec */
    struct told t = run(&x);

    ck_assert_str_eq(t.output, "");
    close(leak);
}
END_TEST

static int work(void *arg)
{
    struct { int sock; } *w = arg;

    /* the socket is gone, the pipe is there */
    if (fcntl(w->sock, F_GETFD) >= 0)
        return 9;
    if (write(child_pipe_fd(), "done", 4) != 4)
        return 8;
    return 5;
}

START_TEST(forked_work)
{
    struct loop *l = loop_new();
    struct { int sock; } w = {socket(AF_INET, SOCK_STREAM, 0)};
    struct told t = {0};
    struct child *c;
    char got[8] = {0};
    int fd = -1;

    ck_assert_int_eq(child_fork(l, work, &w, on_end, &t, &fd, &c, NULL), 0);
    ck_assert_int_gt(child_pid(c), 0);
    while (!t.done)
        loop_run_once(l, true);
    ck_assert_int_eq(t.end.exit_code, 5);
    ck_assert_int_eq(read(fd, got, sizeof got), 4);
    ck_assert_str_eq(got, "done");
    close(fd);
    close(w.sock);
    loop_free(l);
}
END_TEST

static int sleep_long(void *arg)
{
    (void)arg;
    pause();
    return 0;
}

START_TEST(killed_is_told)
{
    struct loop *l = loop_new();
    struct told t = {0};
    struct child *c;

    ck_assert_int_eq(child_fork(l, sleep_long, NULL, on_end, &t, NULL, &c, NULL), 0);
    child_kill(c, SIGUSR1);
    while (!t.done)
        loop_run_once(l, true);
    ck_assert_int_eq(t.end.signal, SIGUSR1);
    loop_free(l);
}
END_TEST

SUITE(child, output_and_exit_code, output_is_cut, timeout_kills_the_group, what_cannot_run_is_an_error,
      descriptors_stay_ours, forked_work, killed_is_told)
