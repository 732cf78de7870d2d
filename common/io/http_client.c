/* curl_multi in our loop: curl says which descriptors and what timeout it wants, we
 * tell it what happened, and collect the finished ones. libcurl is loaded with the first request; where it is not
 * installed, every request is answered by saying so. */
#include "common/io/http_client.h"

#include "common/base/check.h"
#include "common/base/list.h"
#include "common/base/mem.h"
#include "common/io/library.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define CURL_CALLS(X)                                                                                               \
    X(global_init, curl_global_init)                                                                                \
    X(easy_init, curl_easy_init)                                                                                    \
    X(easy_setopt, curl_easy_setopt)                                                                                \
    X(easy_getinfo, curl_easy_getinfo)                                                                              \
    X(easy_strerror, curl_easy_strerror)                                                                            \
    X(easy_cleanup, curl_easy_cleanup)                                                                              \
    X(multi_init, curl_multi_init)                                                                                  \
    X(multi_setopt, curl_multi_setopt)                                                                              \
    X(multi_assign, curl_multi_assign)                                                                              \
    X(multi_add_handle, curl_multi_add_handle)                                                                      \
    X(multi_remove_handle, curl_multi_remove_handle)                                                                \
    X(multi_socket_action, curl_multi_socket_action)                                                                \
    X(multi_info_read, curl_multi_info_read)                                                                        \
    X(multi_cleanup, curl_multi_cleanup)                                                                            \
    X(slist_append, curl_slist_append)                                                                              \
    X(slist_free_all, curl_slist_free_all)
LIBRARY(curl, LIBCURL, CURL_CALLS);

struct http_client {
    struct loop *loop;
    CURLM *multi;                    /* made with the first request */
    struct timer timer;
    struct list_link jobs;
    struct list_link socks;
    bool freed;
};

struct sock {
    struct list_link link;
    struct http_client *c;
    struct fd_watch watch;
};

struct http_job {
    struct list_link link;
    struct http_client *c;
    CURL *easy;
    struct curl_slist *headers;
    struct str body, sent;
    size_t answer_max;
    bool too_long;
    int64_t *retry_after_ms;
    char why[ERR_TEXT_MAX];
    struct timer refused;            /* without libcurl: its answer, after this turn */
    void (*fn)(void *arg, int status, struct slice body, const char *why);
    void *arg;
};

static void collect(struct http_client *c);

static void happened(struct http_client *c, curl_socket_t fd, int mask)
{
    int running;

    curl.multi_socket_action(c->multi, fd, mask, &running);
    collect(c);
}

static void on_fd(struct fd_watch *w, int events, void *arg)
{
    struct sock *s = arg;
    int mask = (events & EV_READ ? CURL_CSELECT_IN : 0) | (events & EV_WRITE ? CURL_CSELECT_OUT : 0);

    happened(s->c, w->ev.fd, mask);
}

static void on_timer(struct timer *t, void *arg)
{
    (void)t;
    happened(arg, CURL_SOCKET_TIMEOUT, 0);
}

static int want_timer(CURLM *m, long ms, void *arg)
{
    struct http_client *c = arg;

    (void)m;
    if (ms < 0)
        timer_clear(&c->timer);
    else
        timer_set(&c->timer, ms);
    return 0;
}

static int want_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *sock)
{
    struct http_client *c = arg;
    struct sock *s = sock;

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (s) {
            fd_watch_stop(&s->watch);
            list_remove(&s->link);
            curl.multi_assign(c->multi, fd, NULL);
            loop_park(c->loop, s, mem_free);
        }
        return 0;
    }
    if (!s) {
        s = mem_zalloc(sizeof *s);
        s->c = c;
        fd_watch_init(&s->watch, c->loop, on_fd, s);
        list_append(&c->socks, &s->link);
        curl.multi_assign(c->multi, fd, s);
    }
    fd_watch_set(&s->watch, fd, (what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0));
    return 0;
}

struct http_client *http_client_new(struct loop *l)
{
    struct http_client *c = mem_zalloc(sizeof *c);

    c->loop = l;
    list_init(&c->jobs);
    list_init(&c->socks);
    timer_init(&c->timer, l, on_timer, c);
    return c;
}

static int begin(struct http_client *c, struct err *e)
{
    static bool global;

    if (c->multi)
        return 0;
    if (library_load(&curl_library, e) != 0)
        return err_wrap(e, "no HTTP request can be made");
    if (!global)
        CHECK(curl.global_init(CURL_GLOBAL_DEFAULT) == 0);
    global = true;
    c->multi = curl.multi_init();
    CHECK(c->multi != NULL);
    curl.multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, want_socket);
    curl.multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
    curl.multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, want_timer);
    curl.multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
    curl.multi_setopt(c->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, 64L);
    return 0;
}

static void job_free(void *arg)
{
    struct http_job *j = arg;

    str_fini(&j->body);
    str_fini(&j->sent);
    mem_free(j);
}

static void job_end(struct http_job *j)
{
    timer_clear(&j->refused);
    if (j->easy) {
        curl.multi_remove_handle(j->c->multi, j->easy);
        curl.easy_cleanup(j->easy);
        curl.slist_free_all(j->headers);
    }
    list_remove(&j->link);
    loop_park(j->c->loop, j, job_free);
}

static int64_t retry_after(CURL *easy)
{
    curl_off_t s = 0;

    if (curl.easy_getinfo(easy, CURLINFO_RETRY_AFTER, &s) != CURLE_OK || s <= 0)
        return 0;
    return (s > 86400 ? 86400 : (int64_t)s) * 1000;
}

/* Handles are finished one at a time, because a callback may cancel others. */
static void collect(struct http_client *c)
{
    CURLMsg *m;
    int left;

    while (!c->freed && (m = curl.multi_info_read(c->multi, &left))) {
        struct http_job *j;
        long status = 0;
        CURLcode rc;
        char *p;

        if (m->msg != CURLMSG_DONE)
            continue;
        rc = m->data.result;
        curl.easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &p);
        j = (struct http_job *)(void *)p;
        curl.easy_getinfo(j->easy, CURLINFO_RESPONSE_CODE, &status);
        if (rc != CURLE_OK && !j->why[0])
            snprintf(j->why, sizeof j->why, "%s", curl.easy_strerror(rc));
        if (j->retry_after_ms)
            *j->retry_after_ms = retry_after(j->easy);
        if (j->too_long)
            snprintf(j->why, sizeof j->why, "the answer is longer than %zu bytes", j->answer_max);
        job_end(j);
        if (j->fn)
            j->fn(j->arg, rc == CURLE_OK ? (int)status : 0, (struct slice){str_c(&j->body), j->body.len},
                  rc == CURLE_OK ? "" : j->why);
    }
}

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
    struct http_job *j = arg;

    if (j->body.len + size * n > j->answer_max) {
        j->too_long = true;
        return 0;
    }
    str_append(&j->body, p, size * n);
    return size * n;
}

static void set_body(struct http_job *j, const struct http_request *q)
{
    const char *method = q->method ? q->method : "GET";

    if (!strcasecmp(method, "HEAD"))
        curl.easy_setopt(j->easy, CURLOPT_NOBODY, 1L);
    else if (q->body.len > 0 || !strcasecmp(method, "POST") || !strcasecmp(method, "PUT")) {
        str_set(&j->sent, q->body.p, q->body.len);
        curl.easy_setopt(j->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)j->sent.len);
        curl.easy_setopt(j->easy, CURLOPT_POSTFIELDS, str_c(&j->sent));
    }
    if (strcasecmp(method, "HEAD"))
        curl.easy_setopt(j->easy, CURLOPT_CUSTOMREQUEST, method);
}

_Static_assert(ERR_TEXT_MAX >= CURL_ERROR_SIZE, "curl writes its reason into `why`");

static void on_refused(struct timer *t, void *arg)
{
    struct http_job *j = arg;

    (void)t;
    if (j->retry_after_ms)
        *j->retry_after_ms = 0;
    job_end(j);
    if (j->fn)
        j->fn(j->arg, 0, (struct slice){"", 0}, j->why);
}

static void set_up(struct http_job *j, const struct http_request *q)
{
    j->easy = curl.easy_init();
    CHECK(j->easy != NULL);
    for (const char *const *h = q->headers; h && *h; h++)
        j->headers = curl.slist_append(j->headers, *h);
    curl.easy_setopt(j->easy, CURLOPT_URL, q->url);
    curl.easy_setopt(j->easy, CURLOPT_PRIVATE, j);
    curl.easy_setopt(j->easy, CURLOPT_HTTPHEADER, j->headers);
    curl.easy_setopt(j->easy, CURLOPT_NOSIGNAL, 1L);
    curl.easy_setopt(j->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl.easy_setopt(j->easy, CURLOPT_TIMEOUT_MS, (long)(q->timeout_ms > 0 ? q->timeout_ms : 5000));
    curl.easy_setopt(j->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl.easy_setopt(j->easy, CURLOPT_WRITEDATA, j);
    curl.easy_setopt(j->easy, CURLOPT_ERRORBUFFER, j->why);
    if (q->connect_timeout_ms > 0)
        curl.easy_setopt(j->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)q->connect_timeout_ms);
    if (q->ca_file) {
        curl.easy_setopt(j->easy, CURLOPT_CAINFO, q->ca_file);
        curl.easy_setopt(j->easy, CURLOPT_CA_CACHE_TIMEOUT, 0L);       /* else kept for a day, whatever becomes of the file */
    }
    if (q->direct) {
        curl.easy_setopt(j->easy, CURLOPT_PROXY, "");
        curl.easy_setopt(j->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
        curl.easy_setopt(j->easy, CURLOPT_TCP_KEEPALIVE, 1L);
    }
    set_body(j, q);
}

struct http_job *http_start(struct http_client *c, const struct http_request *q,
                            void (*fn)(void *arg, int status, struct slice body, const char *why), void *arg)
{
    struct http_job *j = mem_zalloc(sizeof *j);
    struct err e = {0};

    j->c = c;
    j->fn = fn;
    j->arg = arg;
    j->retry_after_ms = q->retry_after_ms;
    j->answer_max = q->answer_max ? q->answer_max : 1u << 20;
    timer_init(&j->refused, c->loop, on_refused, j);
    list_append(&c->jobs, &j->link);
    if (begin(c, &e) != 0) {
        slice_copy_z(slice_z(e.text), j->why, sizeof j->why);
        timer_set(&j->refused, 0);
        return j;
    }
    set_up(j, q);
    curl.multi_add_handle(c->multi, j->easy);
    return j;
}

void http_cancel(struct http_job *j)
{
    if (j && !list_empty(&j->link))
        job_end(j);
}

static void client_free(void *arg)
{
    struct http_client *c = arg;

    if (c->multi)
        curl.multi_cleanup(c->multi);
    mem_free(c);
}

void http_client_free(struct http_client *c)
{
    if (!c || c->freed)
        return;
    c->freed = true;
    list_each_safe(struct http_job, j, &c->jobs, link)
        job_end(j);
    timer_clear(&c->timer);
    list_each_safe(struct sock, s, &c->socks, link)
        fd_watch_stop(&s->watch);
    loop_park(c->loop, c, client_free);
}
