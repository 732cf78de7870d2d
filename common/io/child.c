/* Children. One SIGCHLD watch per loop asks waitpid about each child that is ours, so
 * that a library's own children are left alone.
 *
 * A forked child drops every socket at once: it must not keep our port open, or our
 * clients' connections, after we are gone. It goes when its parent goes. */
#include "common/io/child.h"

#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/io/signals.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#define GRACE_MS 1000

struct child {
    struct list_link link;
    struct loop *loop;
    pid_t pid;
    child_fn *fn;
    void *arg;
    bool group;                  /* leads a process group of its own */
    bool reaped, timed_out;
    int status;
    struct timer limit;
    int out_fd;                  /* -1: no output wanted, or all of it read */
    struct fd_watch out_watch;
    struct str output;
    size_t output_max;
};

static struct list_link children = {&children, &children};
static struct signal_watch sigchld;
static int pipe_in_child = -1;

static void finish_if_over(struct child *c);
static void on_sigchld(int signum, void *arg);
static void unwatch_if_none(void);

static void reap(struct child *c)
{
    pid_t got;

    do
        got = waitpid(c->pid, &c->status, WNOHANG);
    while (got < 0 && errno == EINTR);
    if (got == 0)
        return;
    if (got < 0)
        c->status = 0x7f00;      /* somebody else took it: an exit code of 127 is the best we can say */
    c->reaped = true;
}

static void on_sigchld(int signum, void *arg)
{
    bool again = true;

    (void)signum, (void)arg;
    while (again) {              /* a callback may start or forget children: begin anew after each */
        again = false;
        list_each(struct child, c, &children, link) {
            if (c->reaped)
                continue;
            reap(c);
            if (c->reaped) {
                finish_if_over(c);
                again = true;
                break;
            }
        }
    }
}

static void child_free(void *arg)
{
    struct child *c = arg;

    str_fini(&c->output);
    mem_free(c);
}

static void close_output(struct child *c)
{
    fd_watch_stop(&c->out_watch);
    if (c->out_fd >= 0)
        close(c->out_fd);
    c->out_fd = -1;
}

static void finish_if_over(struct child *c)
{
    struct child_end end = {.timed_out = c->timed_out, .exit_code = -1};

    if (!c->reaped)
        return;
    if (c->out_fd >= 0) {        /* what it wrote last; a grandchild that lives on may keep the pipe open */
        char part[4096];
        ssize_t n;
        while ((n = read(c->out_fd, part, sizeof part)) > 0)
            if (c->output.len < c->output_max)
                str_append(&c->output, part,
                           (size_t)n < c->output_max - c->output.len ? (size_t)n : c->output_max - c->output.len);
        close_output(c);
    }
    timer_clear(&c->limit);
    list_remove(&c->link);
    unwatch_if_none();
    if (WIFEXITED(c->status))
        end.exit_code = WEXITSTATUS(c->status);
    else if (WIFSIGNALED(c->status))
        end.signal = WTERMSIG(c->status);
    end.output = (struct slice){str_c(&c->output), c->output.len};
    loop_park(c->loop, c, child_free);
    if (c->fn)
        c->fn(c->arg, &end);
}

static void on_output(struct fd_watch *w, int events, void *arg)
{
    struct child *c = arg;
    char part[4096];
    ssize_t n = read(c->out_fd, part, sizeof part);

    (void)w, (void)events;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0)
        close_output(c);
    else if (c->output.len < c->output_max)
        str_append(&c->output, part,
                   (size_t)n < c->output_max - c->output.len ? (size_t)n : c->output_max - c->output.len);
}

static void on_limit(struct timer *t, void *arg)
{
    struct child *c = arg;

    child_kill(c, c->timed_out ? SIGKILL : SIGTERM);
    if (!c->timed_out)
        timer_set(t, GRACE_MS);
    c->timed_out = true;
}

static struct child *child_make(struct loop *l, pid_t pid, child_fn *fn, void *arg)
{
    struct child *c = mem_zalloc(sizeof *c);

    c->loop = l;
    c->pid = pid;
    c->fn = fn;
    c->arg = arg;
    c->out_fd = -1;
    timer_init(&c->limit, l, on_limit, c);
    fd_watch_init(&c->out_watch, l, on_output, c);
    list_append(&children, &c->link);
    return c;
}

/* Watched while there are children, and for one loop at a time. */
static void watch_sigchld(struct loop *l)
{
    CHECK(sigchld.loop == NULL || sigchld.loop == l);
    if (!sigchld.loop)
        signal_watch_start(&sigchld, l, SIGCHLD, on_sigchld, NULL);
}

static void unwatch_if_none(void)
{
    if (list_empty(&children))
        signal_watch_stop(&sigchld);
}

/* In the child: signals as a fresh process has them. */
static void plain_signals(bool keep_pipe_ignored)
{
    sigset_t none;

    for (int i = 1; i < NSIG; i++)
        if (i != SIGKILL && i != SIGSTOP && !(keep_pipe_ignored && i == SIGPIPE))
            signal(i, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* --- exec --- */

static _Noreturn void exec_it(const struct child_exec *x, int out, int why_fd)
{
    int null, why;

    setpgid(0, 0);
    plain_signals(false);
    null = open("/dev/null", O_RDWR);
    if (out < 0)
        out = null;
    if (x->dir && chdir(x->dir) != 0)
        goto failed;
    if (dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
        goto failed;
    closefrom(why_fd + 1);
    for (int fd = 3; fd < why_fd; fd++)
        close(fd);
    if (x->env)
        environ = (char **)(uintptr_t)x->env;
    if (x->search_path)
        execvp(x->argv[0], (char **)(uintptr_t)x->argv);
    else
        execv(x->argv[0], (char **)(uintptr_t)x->argv);
failed:
    why = errno;
    if (write(why_fd, &why, sizeof why) < 0)
        _exit(126);
    _exit(127);
}

static int high_cloexec(int fd)
{
    int high = fcntl(fd, F_DUPFD_CLOEXEC, 10);

    close(fd);
    return high;
}

int child_exec(struct loop *l, const struct child_exec *x, child_fn *fn, void *arg, struct child **out, struct err *e)
{
    int output[2] = {-1, -1}, told[2] = {-1, -1}, why = 0;
    struct child *c;
    pid_t pid;
    ssize_t n;

    if (pipe2(told, O_CLOEXEC) != 0)
        return err_sys(e, "make a pipe");
    told[1] = high_cloexec(told[1]);
    if (told[1] < 0 || (x->output_max > 0 && pipe2(output, O_CLOEXEC | O_NONBLOCK) != 0)) {
        err_sys(e, "make a pipe");
        close(told[0]);
        if (told[1] >= 0)
            close(told[1]);
        return ERR_SYS;
    }
    watch_sigchld(l);
    pid = fork();
    if (pid == 0) {
        if (output[1] >= 0)      /* its own end blocks, as programs expect */
            fcntl(output[1], F_SETFL, 0);
        exec_it(x, output[1], told[1]);
    }
    if (pid < 0)
        err_sys(e, "fork");
    close(told[1]);
    if (output[1] >= 0)
        close(output[1]);
    if (pid > 0) {
        setpgid(pid, pid);
        do
            n = read(told[0], &why, sizeof why);
        while (n < 0 && errno == EINTR);
        if (n == (ssize_t)sizeof why) {
            waitpid(pid, NULL, 0);
            errno = why;
            err_sys(e, "run %s", x->argv[0]);
            pid = -1;
        }
    }
    close(told[0]);
    if (pid < 0) {
        if (output[0] >= 0)
            close(output[0]);
        unwatch_if_none();
        return ERR_SYS;
    }
    c = child_make(l, pid, fn, arg);
    c->group = true;
    c->output_max = x->output_max;
    c->out_fd = output[0];
    if (c->out_fd >= 0)
        fd_watch_set(&c->out_watch, c->out_fd, EV_READ);
    if (x->timeout_ms > 0)
        timer_set(&c->limit, x->timeout_ms);
    if (out)
        *out = c;
    return 0;
}

/* --- fork --- */

/* Regular files stay open (what is being written may be one), everything that is shared
 * with the world outside goes. */
static void drop_shared_fds(int keep)
{
    DIR *d = opendir("/proc/self/fd");
    struct dirent *de;

    if (!d)
        return;
    while ((de = readdir(d))) {
        struct stat st;
        int fd = atoi(de->d_name);
        if (fd > 2 && fd != keep && fd != dirfd(d) && fstat(fd, &st) == 0 && !S_ISREG(st.st_mode) &&
            !S_ISDIR(st.st_mode))
            close(fd);
    }
    closedir(d);
}

static _Noreturn void be_child(int (*run)(void *), void *run_arg, int write_fd, pid_t parent)
{
    plain_signals(true);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    closelog();
    drop_shared_fds(write_fd);
    pipe_in_child = write_fd;
    _exit(run(run_arg));
}

int child_fork(struct loop *l, int (*run)(void *arg), void *run_arg, child_fn *fn, void *arg, int *read_fd,
               struct child **out, struct err *e)
{
    int fds[2] = {-1, -1};
    pid_t parent = getpid(), pid;
    struct child *c;

    if (read_fd && pipe2(fds, O_CLOEXEC) != 0)
        return err_sys(e, "make a pipe");
    watch_sigchld(l);
    pid = fork();
    if (pid == 0)
        be_child(run, run_arg, fds[1], parent);
    if (pid < 0) {
        err_sys(e, "fork");
        unwatch_if_none();
        if (read_fd) {
            close(fds[0]);
            close(fds[1]);
        }
        return ERR_SYS;
    }
    if (read_fd) {
        close(fds[1]);
        fcntl(fds[0], F_SETFL, O_NONBLOCK);
        *read_fd = fds[0];
    }
    c = child_make(l, pid, fn, arg);
    if (out)
        *out = c;
    return 0;
}

int child_pipe_fd(void)
{
    return pipe_in_child;
}

void child_kill(struct child *c, int signum)
{
    if (c->reaped)
        return;
    if (!c->group || kill(-c->pid, signum) != 0)
        kill(c->pid, signum);
}

void child_forget(struct child *c)
{
    c->fn = NULL;
}

pid_t child_pid(const struct child *c)
{
    return c->pid;
}
