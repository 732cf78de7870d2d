/* One question under way at a time; a pause between them. */
#include "agent/shell/probe.h"

#include "agent/shell/hold.h"
#include "common/base/mem.h"
#include "common/io/child.h"
#include "common/io/resp_link.h"
#include "common/text/conf_lex.h"
#include "common/text/reply_walk.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define ONE_MS 2000            /* one question, at most */

struct probe {
    const struct probe_means *m;
    const struct plan_probe *what;
    const char *pidfile;         /* NULL: no process to watch */
    pid_t pid;
    void (*fn)(void *arg, const char *why);
    void *arg;
    struct timer next;           /* the pause, or the limit of one question */
    struct timer limit;          /* the whole */
    bool asking, done;
    int good;
    char last[ERR_TEXT_MAX];     /* the last bad answer */
    struct stream *stream;
    struct resp_link *link;
    struct http_job *job;
    struct resolve_job *look_up;
    struct child *child;
};

static void drop_question(struct probe *b)
{
    if (b->stream)
        stream_close(b->stream);
    if (b->link)
        resp_link_free(b->link);
    if (b->job)
        http_cancel(b->job);
    if (b->look_up)
        resolve_cancel(b->look_up);
    if (b->child) {
        child_kill(b->child, SIGKILL);
        child_forget(b->child);
    }
    b->stream = NULL;
    b->link = NULL;
    b->job = NULL;
    b->look_up = NULL;
    b->child = NULL;
    b->asking = false;
}

static void finish(struct probe *b, const char *why)
{
    b->done = true;
    timer_clear(&b->next);
    timer_clear(&b->limit);
    b->fn(b->arg, why);
}

static bool same_process(struct probe *b, struct err *e)
{
    pid_t now;

    if (!b->pidfile)
        return true;
    if (hold_read_pid(b->m->roots, b->pidfile, &now, e) != 0)
        return false;
    if (kill(now, 0) != 0) {
        err_sys(e, "process %d of %s", (int)now, b->pidfile);
        return false;
    }
    if (b->pid && now != b->pid) {
        err_set(e, ERR_CLOSED, "the process of %s is another one (%d, was %d)", b->pidfile, (int)now, (int)b->pid);
        b->pid = now;
        return false;
    }
    b->pid = now;
    return true;
}

static void answered(struct probe *b, const char *bad)
{
    struct err e = {0};

    if (b->done || !b->asking)
        return;
    drop_question(b);
    if (!bad && !same_process(b, &e))
        bad = e.text;
    if (bad) {
        b->good = 0;
        slice_copy_z(slice_z(bad), b->last, sizeof b->last);
        if (b->what->interval_ms >= b->what->for_ms) {       /* there is time for one question only */
            finish(b, b->last);
            return;
        }
    } else if (++b->good >= b->what->ok) {
        finish(b, NULL);
        return;
    }
    timer_set(&b->next, b->what->interval_ms);
}

static void tcp_up(struct stream *s, void *owner)
{
    (void)s;
    answered(owner, NULL);
}

static void tcp_data(struct stream *s, void *owner)
{
    (void)s;
    (void)owner;
}

static void tcp_end(struct stream *s, enum stream_end how, int sys_errno, void *owner)
{
    char why[100];

    (void)s;
    (void)sys_errno;
    snprintf(why, sizeof why, "tcp: %s", stream_end_name(how));
    answered(owner, why);
}

static const struct stream_events tcp_events = {.on_up = tcp_up, .on_data = tcp_data, .on_end = tcp_end};

static void tcp_resolved(void *arg, const char *ip, const char *why)
{
    struct probe *b = arg;
    struct addr to = {.port = b->what->to.port};

    b->look_up = NULL;
    if (!ip[0]) {
        answered(b, why);
        return;
    }
    addr_set(&to, ip, strlen(ip), b->what->to.port);
    b->stream = stream_connect(b->m->loop, &to, NULL, ONE_MS, &tcp_events, b);
}

static void http_answer(void *arg, int status, struct slice body, const char *why)
{
    struct probe *b = arg;
    char text[200];

    (void)body;
    b->job = NULL;
    if (status == b->what->status) {
        answered(b, NULL);
        return;
    }
    if (status == 0)
        snprintf(text, sizeof text, "http: %s", why ? why : "no answer");
    else
        snprintf(text, sizeof text, "http: status %d, wanted %d", status, b->what->status);
    answered(b, text);
}

static void resp_reply(void *arg, const struct redisReply *r)
{
    struct probe *b = arg;
    struct slice said = reply_text(r), want = slice_z(b->what->want);
    char number[32], text[ERR_TEXT_MAX];
    int64_t v;

    if (!r)
        return;
    if (!said.len && reply_i64(r, &v)) {
        snprintf(number, sizeof number, "%lld", (long long)v);
        said = slice_z(number);
    }
    if (said.len >= want.len && memcmp(said.p, want.p, want.len) == 0) {
        answered(b, NULL);
        return;
    }
    snprintf(text, sizeof text, "resp: answered '%.*s'", (int)(said.len > 200 ? 200 : said.len), said.p);
    answered(b, text);
}

static void resp_up(struct resp_link *k, void *owner)
{
    struct probe *b = owner;
    struct conf_words w;

    conf_words_init(&w);
    if (conf_lex(b->what->send, strlen(b->what->send), &w, NULL) != 0 || w.argc == 0 ||
        !resp_link_send(k, resp_reply, b, w.argc, w.argv))
        answered(b, "resp: the command could not be sent");
    conf_words_fini(&w);
}

static void resp_end(struct resp_link *k, enum link_end how, const char *why, void *owner)
{
    char text[ERR_TEXT_MAX];

    (void)k;
    snprintf(text, sizeof text, "resp: %s%s%.300s", link_end_name(how), why ? ": " : "", why ? why : "");
    answered(owner, text);
}

static void unit_end(void *arg, const struct child_end *end)
{
    struct probe *b = arg;
    char text[200];

    b->child = NULL;
    snprintf(text, sizeof text, "unit %.100s is not active", b->what->unit);
    answered(b, end->exit_code == 0 ? NULL : text);
}

static void ask(struct probe *b)
{
    const struct plan_probe *w = b->what;
    struct err e = {0};

    b->asking = true;
    timer_set(&b->next, ONE_MS);
    switch (w->kind) {
    case PROBE_NONE:
        break;
    case PROBE_TCP:
        b->look_up = resolve_start(b->m->resolver, w->to.host, tcp_resolved, b);
        break;
    case PROBE_HTTP: {
        struct http_request q = {.url = w->url, .timeout_ms = ONE_MS};

        b->job = http_start(b->m->http, &q, http_answer, b);
        break;
    }
    case PROBE_RESP: {
        struct resp_link_opts o = {.to = w->to, .resolver = b->m->resolver, .connect_timeout_ms = ONE_MS,
                                   .on_up = resp_up, .on_end = resp_end, .owner = b};

        b->link = resp_link_new(b->m->loop, &o);
        break;
    }
    case PROBE_UNIT: {
        const char *argv[] = {b->m->allow->systemctl, "is-active", "--quiet", "--", w->unit, NULL};
        struct child_exec c = {.argv = argv, .timeout_ms = ONE_MS, .dir = "/"};

        if (allow_unit(b->m->allow, w->unit, &e) != 0 || child_exec(b->m->loop, &c, unit_end, b, &b->child, &e) != 0)
            answered(b, e.text);
        break;
    }
    }
}

static void on_next(struct timer *t, void *arg)
{
    struct probe *b = arg;

    (void)t;
    if (b->what->kind == PROBE_NONE)
        finish(b, NULL);
    else if (b->asking)
        answered(b, "no answer within 2s");
    else
        ask(b);
}

static void on_limit(struct timer *t, void *arg)
{
    struct probe *b = arg;
    char why[ERR_TEXT_MAX + 100];

    (void)t;
    drop_question(b);
    snprintf(why, sizeof why, "not well within %lldms (%s)", (long long)b->what->for_ms,
             b->last[0] ? b->last : "no answer");
    finish(b, why);
}

struct probe *probe_start(const struct probe_means *m, const struct plan *p, void (*fn)(void *arg, const char *why),
                          void *arg)
{
    struct probe *b = mem_zalloc(sizeof *b);

    b->m = m;
    b->what = &p->probe;
    b->pidfile = p->reload.pidfile;
    b->fn = fn;
    b->arg = arg;
    timer_init(&b->next, m->loop, on_next, b);
    timer_init(&b->limit, m->loop, on_limit, b);
    timer_set(&b->next, 0);
    if (b->what->kind != PROBE_NONE)
        timer_set(&b->limit, b->what->for_ms);
    return b;
}

void probe_free(struct probe *b)
{
    if (!b)
        return;
    b->done = true;
    drop_question(b);
    timer_clear(&b->next);
    timer_clear(&b->limit);
    loop_park(b->m->loop, b, mem_free);
}
