/* Reloading. */
#include "agent/shell/hold.h"

#include "common/base/mem.h"
#include "common/base/num.h"
#include "common/io/child.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

struct hold {
    struct loop *loop;
    const struct plan *plan;
    void (*fn)(void *arg, const char *why);
    void *arg;
    struct child *child;
    struct timer soon;
    char *said;
};

static const struct { const char *name; int signum; } signals[] = {
    {"HUP", SIGHUP}, {"USR1", SIGUSR1}, {"USR2", SIGUSR2}, {"WINCH", SIGWINCH},
    {"INT", SIGINT}, {"TERM", SIGTERM}, {"QUIT", SIGQUIT},
};

static void on_soon(struct timer *t, void *arg)
{
    struct hold *h = arg;

    (void)t;
    h->fn(h->arg, h->said);
}

static void answer_soon(struct hold *h, const char *why)
{
    mem_free(h->said);
    h->said = mem_strdup(why);
    timer_set(&h->soon, 0);
}

int hold_allowed(const struct plan *p, const struct roots *r, const struct allow *a, struct err *e)
{
    const char *pidfile = p->reload.pidfile;
    int rc = 0;

    if (p->reload.kind == RELOAD_EXEC && !allow_command(a, p->reload.exec.at[0], e))
        rc = e ? e->code : ERR_REFUSED;
    else if (p->reload.kind == RELOAD_UNIT)
        rc = allow_unit(a, p->reload.unit, e);
    else if (p->reload.kind == RELOAD_SIGNAL) {
        bool beneath = false;

        for (size_t i = 0; i < r->at.n; i++) {
            size_t n = strlen(r->at.at[i].path);

            beneath = beneath || (strncmp(pidfile, r->at.at[i].path, n) == 0 && (pidfile[n] == '/' || n == 1));
        }
        if (!beneath || strstr(pidfile, "/../"))
            rc = err_set(e, ERR_REFUSED, "pidfile '%.200s' lies beneath no named root", pidfile);
    }
    if (rc == 0 && p->probe.kind == PROBE_UNIT && (rc = allow_unit(a, p->probe.unit, e)) != 0)
        return err_wrap(e, "probe");
    return rc == 0 ? 0 : err_wrap(e, "reload");
}

int hold_read_pid(const struct roots *r, const char *pidfile, pid_t *out, struct err *e)
{
    char text[32];
    ssize_t n;
    int64_t pid;
    int fd, rc = roots_open_file(r, pidfile, &fd, e);

    if (rc != 0)
        return rc;
    n = read(fd, text, sizeof text);
    close(fd);
    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == ' ' || text[n - 1] == '\r'))
        n--;
    if (n <= 0 || !num_i64_in(text, (size_t)n, 2, INT32_MAX, &pid))
        return err_set(e, ERR_FORMAT, "%s holds no process id", pidfile);
    *out = (pid_t)pid;
    return 0;
}

static int send_signal(struct hold *h, const struct roots *r, struct err *e)
{
    const struct plan_reload *reload = &h->plan->reload;
    pid_t pid;
    int rc = hold_read_pid(r, reload->pidfile, &pid, e);

    if (rc != 0)
        return rc;
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        if (strcmp(signals[i].name, reload->signal) == 0)
            return kill(pid, signals[i].signum) == 0 ? 0 : err_sys(e, "signal %s to process %d", reload->signal, (int)pid);
    return err_set(e, ERR_UNKNOWN, "signal %s", reload->signal);
}

static void on_end(void *arg, const struct child_end *end)
{
    struct hold *h = arg;
    struct slice said = end->output;
    struct str why = {0};

    h->child = NULL;
    while (said.len && said.p[said.len - 1] == '\n')
        said.len--;
    if (end->timed_out)
        str_printf(&why, "the reload did not end within %lldms", (long long)h->plan->reload_timeout_ms);
    else if (end->exit_code < 0)
        str_printf(&why, "the reload was ended by signal %d", end->signal);
    else if (end->exit_code > 0)
        str_printf(&why, "the reload ended with %d", end->exit_code);
    if (why.len && said.len)
        str_printf(&why, ": %.*s", (int)said.len, said.p);
    h->fn(h->arg, why.len ? str_c(&why) : NULL);
    str_fini(&why);
}

static int run(struct hold *h, const struct allow *a, struct err *e)
{
    const struct plan_reload *reload = &h->plan->reload;
    struct child_exec c = {.timeout_ms = h->plan->reload_timeout_ms, .output_max = 8192, .dir = "/"};
    const char *unit_argv[] = {a->systemctl, "--no-ask-password", reload->how, "--", reload->unit, NULL};
    const char **argv = NULL;
    int rc;

    if (reload->kind == RELOAD_UNIT) {
        rc = allow_unit(a, reload->unit, e);
        c.argv = unit_argv;
    } else {
        argv = mem_zalloc((reload->exec.n + 1) * sizeof *argv);
        for (size_t i = 1; i < reload->exec.n; i++)
            argv[i] = reload->exec.at[i];
        argv[0] = allow_command(a, reload->exec.at[0], e);
        rc = argv[0] ? 0 : ERR_REFUSED;
        c.argv = argv;
    }
    if (rc == 0)
        rc = child_exec(h->loop, &c, on_end, h, &h->child, e);
    mem_free(argv);
    return rc;
}

struct hold *hold_start(struct loop *l, const struct plan *p, const struct roots *r, const struct allow *a,
                        void (*fn)(void *arg, const char *why), void *arg)
{
    struct hold *h = mem_zalloc(sizeof *h);
    struct err e = {0};
    int rc = 0;

    h->loop = l;
    h->plan = p;
    h->fn = fn;
    h->arg = arg;
    timer_init(&h->soon, l, on_soon, h);
    switch (p->reload.kind) {
    case RELOAD_NONE: break;
    case RELOAD_SIGNAL: rc = send_signal(h, r, &e); break;
    case RELOAD_EXEC:
    case RELOAD_UNIT: rc = run(h, a, &e); break;
    }
    if (!h->child)
        answer_soon(h, rc == 0 ? NULL : e.text);
    return h;
}

void hold_free(struct hold *h)
{
    if (!h)
        return;
    timer_clear(&h->soon);
    if (h->child) {
        child_kill(h->child, SIGKILL);
        child_forget(h->child);
    }
    if (h->said)
        loop_park(h->loop, h->said, mem_free);      /* its reader may still hold it */
    loop_park(h->loop, h, mem_free);
}
