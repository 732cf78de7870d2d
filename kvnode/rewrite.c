/* A queue of texts to be written. With state-dir the record's own thread writes (disk/record.h), else one
 * thread per text does, and the eventfd brings its result back. */
#include "kvnode/rewrite.h"

#include "common/base/check.h"
#include "common/base/list.h"
#include "common/base/mem.h"
#include "common/io/conf_file.h"
#include "common/io/log.h"
#include "kvnode/call.h"
#include "kvnode/client/held.h"
#include "kvnode/overlay.h"
#include "kvnode/server.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct job {
    struct list_link link;         /* in rewrite.jobs, oldest first */
    struct rewrite *rw;
    struct client *client;         /* NULL: nobody waits for it any more */
    uint64_t at;                   /* number of the byte of its output where the answer belongs */
    bool silent;                   /* CLIENT REPLY OFF or SKIP */
    struct conf_lines *lines;      /* NULL: the record writes it */
    int rc;
    struct err e;
};

struct rewrite {
    struct server *srv;
    struct list_link jobs;
    struct job *writing;           /* the thread's, until it has told */
    pthread_t thread;
    int wake_fd;
    struct fd_watch wake;
};

/* --- what is to be written --- */

static void put_user(void *arg, const char *text) { conf_lines_add(arg, "user", text); }

/* With an ACL file users have no business here. What requirepass says needs no line, but has one if it had. */
static void put_users(struct server *srv, struct conf_lines *lines)
{
    bool plain = session_users_are_plain(&srv->resp);

    if (srv->opt.aclfile || (plain && srv->opt.requirepass))
        conf_lines_forget(lines, "user");
    else if (plain)
        conf_lines_update(lines, "user", "user default on nopass ~* &* +@all");
    else
        session_users_lines(&srv->resp, put_user, lines);
}

static struct conf_lines *lines_now(struct server *srv)
{
    struct conf_lines *lines = conf_lines_new();
    char *dir = srv->opt.dir;
    char cwd[PATH_MAX];

    if (getcwd(cwd, sizeof cwd))
        srv->opt.dir = cwd;        /* a relative folder would mean another one from where we are now */
    conf_lines_from_options(lines, &kv_option_table, &srv->opt);
    srv->opt.dir = dir;
    put_users(srv, lines);
    if (!addr_is_set(&srv->opt.replicaof))
        conf_lines_forget(lines, "replicaof");
    return lines;
}

/* --- the answer --- */

static void say(struct reply *r, int rc, const struct err *e)
{
    if (rc == 0)
        reply_ok(r);
    else
        reply_errorf(r, "ERR Rewriting config file: %s", e->text);
}

/* A byte keeps the place: there is something to wait for, so that a client which says no more is not closed. */
#define PLACE "?"

static void put_in_place(struct buf *out, size_t at, const struct buf *text)
{
    size_t n = buf_len(text), behind = buf_len(out) - at - 1;
    char *p;

    CHECK(at < buf_len(out));
    buf_reserve(out, n);
    p = buf_data(out) + at;
    memmove(p + n, p + 1, behind);
    memcpy(p, buf_data(text), n);
    buf_added(out, n - 1);
}

static struct job *next_of(struct rewrite *rw, const struct client *c, const struct job *but)
{
    list_each(struct job, j, &rw->jobs, link)
        if (j->client == c && j != but)
            return j;
    return NULL;
}

static void answer(struct job *job)
{
    struct client *c = job->client;
    struct session *s = c->session;
    struct buf *out = stream_out(s->stream), text = {0};
    struct reply r;
    struct job *next;

    reply_init(&r, &text, s->resp);
    r.on_error = s->reply.on_error;
    r.on_error_arg = s->reply.on_error_arg;
    say(&r, job->rc, &job->e);
    if (!job->silent && s->reply.out == out) {
        put_in_place(out, (size_t)(job->at - stream_bytes_out(s->stream)), &text);
        list_each(struct job, j, &job->rw->jobs, link)
            if (j->client == c && j != job)
                j->at += buf_len(&text) - 1;
    }
    buf_fini(&text);
    next = next_of(job->rw, c, job);
    job->client = NULL;
    session_release(s);
    held_owes(c, next ? next->at : STREAM_ALL);
}

static void finish(struct job *job)
{
    if (job->rc == 0)
        log_notice("CONFIG REWRITE executed with success.");
    else
        log_warning("CONFIG REWRITE failed: %s", job->e.text);
    if (job->client)
        answer(job);
    list_remove(&job->link);
    conf_lines_free(job->lines);
    mem_free(job);
}

/* --- the thread --- */

static void *write_it(void *arg)
{
    struct job *job = arg;
    uint64_t one = 1;
    ssize_t n;

    job->rc = conf_file_rewrite(job->rw->srv->boot.config_path, job->lines, NULL, &job->e);
    do
        n = write(job->rw->wake_fd, &one, sizeof one);
    while (n < 0 && errno == EINTR);
    return NULL;
}

static void begin_next(struct rewrite *rw)
{
    sigset_t all, was;
    int rc;

    if (rw->writing)
        return;
    list_each(struct job, j, &rw->jobs, link)
        if (j->lines) {
            rw->writing = j;
            break;
        }
    if (!rw->writing)
        return;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &was);
    rc = pthread_create(&rw->thread, NULL, write_it, rw->writing);
    pthread_sigmask(SIG_SETMASK, &was, NULL);
    if (rc == 0)
        return;
    write_it(rw->writing);         /* no thread is to be had: then everybody waits */
    rw->thread = pthread_self();
}

static void end_writing(struct rewrite *rw)
{
    if (!pthread_equal(rw->thread, pthread_self()))
        pthread_join(rw->thread, NULL);
    rw->writing = NULL;
}

static void on_wake(struct fd_watch *w, int fired, void *arg)
{
    struct rewrite *rw = arg;
    struct job *job = rw->writing;
    uint64_t n;

    (void)w, (void)fired;
    if (read(rw->wake_fd, &n, sizeof n) < 0 || !job)
        return;
    end_writing(rw);
    finish(job);
    begin_next(rw);
}

static void kept(void *arg, int rc, const struct err *e)
{
    struct job *job = arg;

    job->rc = rc;
    if (e)
        job->e = *e;
    finish(job);
}

/* --- the command --- */

static struct job *job_new(struct rewrite *rw, struct call *c)
{
    struct job *job = mem_zalloc(sizeof *job);

    job->rw = rw;
    job->client = c->session ? call_client(c) : NULL;
    list_append(&rw->jobs, &job->link);
    return job;
}

static void owe(struct job *job, struct reply *r)
{
    struct client *c = job->client;
    struct session *s = c ? c->session : NULL;

    if (!s)
        return;
    job->at = stream_out_end(s->stream);
    reply_raw(r, PLACE, 1);        /* taken back with the rest of the answer when nothing is to be said */
    session_hold(s);
    if (c->owed_from == STREAM_ALL)
        held_owes(c, job->at);
}

/* Within an EXEC the mode may change after us, and it is the request's last one that counts. */
void rewrite_asked(struct client *c)
{
    list_each(struct job, j, &c->srv->rewrite->jobs, link)
        if (j->client == c)
            j->silent = c->session->reply_mode != REPLY_ON;
}

void rewrite_command(struct call *c)
{
    struct server *srv = call_server(c);
    struct rewrite *rw = srv->rewrite;
    struct job *job;

    if (!srv->opt.state_dir && !srv->boot.config_path) {
        reply_error(c->reply, "ERR The server is running without a config file");
        return;
    }
    job = job_new(rw, c);
    if (!srv->opt.state_dir) {
        job->lines = lines_now(srv);
        owe(job, c->reply);
        begin_next(rw);
    } else if ((job->rc = overlay_write(srv, kept, job, &job->e)) == 0) {
        owe(job, c->reply);
    } else {
        log_warning("CONFIG REWRITE failed: %s", job->e.text);
        say(c->reply, job->rc, &job->e);
        list_remove(&job->link);
        mem_free(job);
    }
}

void rewrite_gone(struct client *c)
{
    if (!c->srv->rewrite)
        return;
    list_each(struct job, j, &c->srv->rewrite->jobs, link)
        if (j->client == c)
            j->client = NULL;
}

/* --- beginning and end --- */

void rewrite_init(struct server *srv)
{
    struct rewrite *rw = mem_zalloc(sizeof *rw);

    rw->srv = srv;
    list_init(&rw->jobs);
    rw->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    CHECK(rw->wake_fd >= 0);
    fd_watch_init(&rw->wake, srv->loop, on_wake, rw);
    fd_watch_set(&rw->wake, rw->wake_fd, EV_READ);
    srv->rewrite = rw;
}

void rewrite_fini(struct server *srv)
{
    struct rewrite *rw = srv->rewrite;

    if (!rw)
        return;
    if (rw->writing)
        end_writing(rw);
    fd_watch_stop(&rw->wake);
    close(rw->wake_fd);
    list_each_safe(struct job, j, &rw->jobs, link) {
        conf_lines_free(j->lines);
        mem_free(j);
    }
    mem_free(rw);
    srv->rewrite = NULL;
}
