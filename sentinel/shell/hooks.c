#include "sentinel/shell/hooks.h"

#include "common/base/list.h"
#include "common/io/child.h"
#include "common/io/clock.h"
#include "common/io/log.h"
#include "sentinel/shell/publish.h"
#include "sentinel/shell/shell.h"

#include <signal.h>
#include <stdio.h>

#define QUEUE_MAX 256
#define RUNNING_MAX 16
#define TRIES_MAX 10
#define ARGS_MAX 8

int64_t hooks_max_runtime_ms = 60000, hooks_retry_delay_ms = 30000;

struct job {
    struct list_link link;
    struct hooks *h;
    char *argv[ARGS_MAX + 1];
    int tries;
    struct child *child;         /* NULL: waiting */
    struct timer again;          /* set: not before */
    int64_t since_ms;            /* running or, with a time set, waiting since; or due at */
};

struct hooks {
    struct shell *sh;
    struct list_link jobs;       /* oldest first */
    size_t njobs, nrunning;
    uint64_t dropped;
    bool full;                   /* it was said that the queue is full */
};

struct hooks *hooks_new(struct shell *sh)
{
    struct hooks *h = mem_zalloc(sizeof *h);

    h->sh = sh;
    list_init(&h->jobs);
    return h;
}

static void job_free(struct job *j)
{
    list_remove(&j->link);
    if (--j->h->njobs < QUEUE_MAX / 2)
        j->h->full = false;
    timer_clear(&j->again);
    for (int i = 0; j->argv[i]; i++)
        mem_free(j->argv[i]);
    loop_park(j->h->sh->loop, j, mem_free);
}

void hooks_free(struct hooks *h)
{
    if (!h)
        return;
    list_each_safe(struct job, j, &h->jobs, link) {
        if (j->child) {
            kill(-child_pid(j->child), SIGKILL);       /* its process group: nobody waits for it any more */
            child_forget(j->child);
        }
        job_free(j);
    }
    mem_free(h);
}

static void run_next(struct hooks *h);

static void tell(struct hooks *h, const char *event, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void tell(struct hooks *h, const char *event, const char *fmt, ...)
{
    struct str text = {0};
    va_list ap;

    va_start(ap, fmt);
    str_vprintf(&text, fmt, ap);
    va_end(ap);
    publish_event(h->sh, event, str_c(&text), NULL);
    str_fini(&text);
}

static void time_to_retry(struct timer *t, void *arg)
{
    (void)t;
    run_next(((struct job *)arg)->h);
}

static void retry_or_give_up(struct job *j, int exit_code, int signum)
{
    struct hooks *h = j->h;
    int64_t delay_ms = hooks_retry_delay_ms;

    if (++j->tries >= TRIES_MAX) {
        tell(h, "-script-error", "%s %d %d", j->argv[0], exit_code, signum);
        job_free(j);
        return;
    }
    for (int i = 1; i < j->tries && delay_ms < 3600000; i++)
        delay_ms *= 2;
    timer_set(&j->again, delay_ms);
    j->since_ms = clock_mono_ms() + delay_ms;
}

static void ended(void *arg, const struct child_end *end)
{
    struct job *j = arg;
    struct hooks *h = j->h;
    long pid = (long)child_pid(j->child);

    j->child = NULL;
    h->nrunning--;
    tell(h, "-script-child", "%ld %d %d", pid, end->exit_code < 0 ? 0 : end->exit_code, end->signal);
    if (end->timed_out)
        tell(h, "-script-timeout", "%s %ld", j->argv[0], pid);
    if (end->signal || end->timed_out || end->exit_code == 1)
        retry_or_give_up(j, end->exit_code, end->signal);
    else {
        if (end->exit_code != 0)
            tell(h, "-script-error", "%s %d %d", j->argv[0], end->exit_code, 0);
        job_free(j);
    }
    run_next(h);
}

static void start(struct job *j)
{
    struct child_exec x = {.argv = (const char *const *)j->argv, .timeout_ms = hooks_max_runtime_ms};
    struct err e = {0};

    timer_clear(&j->again);
    if (child_exec(j->h->sh->loop, &x, ended, j, &j->child, &e) != 0) {
        log_warning("script %s cannot be started: %s", j->argv[0], e.text);
        retry_or_give_up(j, -1, 0);
        return;
    }
    j->h->nrunning++;
    j->since_ms = clock_mono_ms();
    tell(j->h, "+script-child", "%ld", (long)child_pid(j->child));
}

static void run_next(struct hooks *h)
{
    list_each_safe(struct job, j, &h->jobs, link) {
        if (h->nrunning >= RUNNING_MAX)
            return;
        if (!j->child && !timer_is_set(&j->again))
            start(j);
    }
}

static void queue(struct hooks *h, const char *const *argv)
{
    struct job *j;

    if (h->njobs >= QUEUE_MAX) {     /* the oldest that is not running makes room */
        if (!h->full)
            log_warning("%d scripts are waiting: the oldest are dropped until there is room", QUEUE_MAX);
        h->full = true;
        h->dropped++;
        list_each_safe(struct job, old, &h->jobs, link) {
            if (!old->child) {
                job_free(old);
                break;
            }
        }
    }
    j = mem_zalloc(sizeof *j);
    j->h = h;
    for (int i = 0; argv[i] && i < ARGS_MAX; i++)
        j->argv[i] = mem_strdup(argv[i]);
    timer_init(&j->again, h->sh->loop, time_to_retry, j);
    list_append(&h->jobs, &j->link);
    h->njobs++;
    run_next(h);
}

void hooks_notify(struct hooks *h, const char *path, const char *event, const char *payload)
{
    queue(h, (const char *const[]){path, event, payload, NULL});
}

void hooks_reconfig(struct hooks *h, const char *path, const char *group, bool leader, const struct addr *from,
                    const struct addr *to)
{
    char from_port[8], to_port[8];

    snprintf(from_port, sizeof from_port, "%u", from->port);
    snprintf(to_port, sizeof to_port, "%u", to->port);
    queue(h, (const char *const[]){path, group, leader ? "leader" : "observer", "start", from->host, from_port, to->host,
                                   to_port, NULL});
}

static void put_job(const struct job *j, struct reply *r)
{
    int64_t now = clock_mono_ms();
    size_t n = 0;

    while (j->argv[n])
        n++;
    reply_map(r, 5);
    reply_bulk_z(r, "argv");
    reply_array(r, n);
    for (size_t i = 0; i < n; i++)
        reply_bulk_z(r, j->argv[i]);
    reply_bulk_z(r, "flags");
    reply_bulk_z(r, j->child ? "running" : "scheduled");
    reply_bulk_z(r, "pid");
    reply_bulk_i64(r, j->child ? child_pid(j->child) : 0);
    reply_bulk_z(r, j->child ? "run-time" : "run-delay");
    reply_bulk_i64(r, ms_max(0, j->child ? now - j->since_ms : j->since_ms - now));
    reply_bulk_z(r, "retry-num");
    reply_bulk_i64(r, j->tries);
}

void hooks_reply(const struct hooks *h, struct reply *r)
{
    reply_array(r, h->njobs);
    list_each(struct job, j, &h->jobs, link) put_job(j, r);
}

size_t hooks_running(const struct hooks *h) { return h->nrunning; }
size_t hooks_queued(const struct hooks *h) { return h->njobs; }
uint64_t hooks_dropped(const struct hooks *h) { return h->dropped; }
