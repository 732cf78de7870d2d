/* curl_multi in our loop: curl says which descriptors and what timeout it wants, we
 * tell it what happened, and collect the finished ones. */
#include "common/io/http_client.h"

#include "common/base/check.h"
#include "common/base/list.h"
#include "common/base/mem.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

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
    char why[CURL_ERROR_SIZE];
    void (*fn)(void *arg, int status, struct slice body, const char *why);
    void *arg;
};

static void collect(struct http_client *c);

static void happened(struct http_client *c, curl_socket_t fd, int mask)
{
    int running;

    curl_multi_socket_action(c->multi, fd, mask, &running);
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
            curl_multi_assign(c->multi, fd, NULL);
            loop_park(c->loop, s, mem_free);
        }
        return 0;
    }
    if (!s) {
        s = mem_zalloc(sizeof *s);
        s->c = c;
        fd_watch_init(&s->watch, c->loop, on_fd, s);
        list_append(&c->socks, &s->link);
        curl_multi_assign(c->multi, fd, s);
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

static void begin(struct http_client *c)
{
    static bool global;

    if (c->multi)
        return;
    if (!global)
        CHECK(curl_global_init(CURL_GLOBAL_DEFAULT) == 0);
    global = true;
    c->multi = curl_multi_init();
    CHECK(c->multi != NULL);
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, want_socket);
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
    curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, want_timer);
    curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
    curl_multi_setopt(c->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, 64L);
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
    curl_multi_remove_handle(j->c->multi, j->easy);
    curl_easy_cleanup(j->easy);
    curl_slist_free_all(j->headers);
    list_remove(&j->link);
    loop_park(j->c->loop, j, job_free);
}

static int64_t retry_after(CURL *easy)
{
    curl_off_t s = 0;

    if (curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &s) != CURLE_OK || s <= 0)
        return 0;
    return (s > 86400 ? 86400 : (int64_t)s) * 1000;
}

/* Handles are finished one at a time, because a callback may cancel others. */
static void collect(struct http_client *c)
{
    CURLMsg *m;
    int left;

    while (!c->freed && (m = curl_multi_info_read(c->multi, &left))) {
        struct http_job *j;
        long status = 0;
        CURLcode rc;
        char *p;

        if (m->msg != CURLMSG_DONE)
            continue;
        rc = m->data.result;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &p);
        j = (struct http_job *)(void *)p;
        curl_easy_getinfo(j->easy, CURLINFO_RESPONSE_CODE, &status);
        if (rc != CURLE_OK && !j->why[0])
            snprintf(j->why, sizeof j->why, "%s", curl_easy_strerror(rc));
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
        curl_easy_setopt(j->easy, CURLOPT_NOBODY, 1L);
    else if (q->body.len > 0 || !strcasecmp(method, "POST") || !strcasecmp(method, "PUT")) {
        str_set(&j->sent, q->body.p, q->body.len);
        curl_easy_setopt(j->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)j->sent.len);
        curl_easy_setopt(j->easy, CURLOPT_POSTFIELDS, str_c(&j->sent));
    }
    if (strcasecmp(method, "HEAD"))
        curl_easy_setopt(j->easy, CURLOPT_CUSTOMREQUEST, method);
}

struct http_job *http_start(struct http_client *c, const struct http_request *q,
                            void (*fn)(void *arg, int status, struct slice body, const char *why), void *arg)
{
    struct http_job *j = mem_zalloc(sizeof *j);

    begin(c);
    j->c = c;
    j->fn = fn;
    j->arg = arg;
    j->retry_after_ms = q->retry_after_ms;
    j->answer_max = q->answer_max ? q->answer_max : 1u << 20;
    j->easy = curl_easy_init();
    CHECK(j->easy != NULL);
    for (const char *const *h = q->headers; h && *h; h++)
        j->headers = curl_slist_append(j->headers, *h);
    curl_easy_setopt(j->easy, CURLOPT_URL, q->url);
    curl_easy_setopt(j->easy, CURLOPT_PRIVATE, j);
    curl_easy_setopt(j->easy, CURLOPT_HTTPHEADER, j->headers);
    curl_easy_setopt(j->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(j->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(j->easy, CURLOPT_TIMEOUT_MS, (long)(q->timeout_ms > 0 ? q->timeout_ms : 5000));
    curl_easy_setopt(j->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(j->easy, CURLOPT_WRITEDATA, j);
    curl_easy_setopt(j->easy, CURLOPT_ERRORBUFFER, j->why);
    if (q->connect_timeout_ms > 0)
        curl_easy_setopt(j->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)q->connect_timeout_ms);
    if (q->ca_file) {
        curl_easy_setopt(j->easy, CURLOPT_CAINFO, q->ca_file);
        curl_easy_setopt(j->easy, CURLOPT_CA_CACHE_TIMEOUT, 0L);       /* else kept for a day, whatever becomes of the file */
    }
    if (q->direct) {
        curl_easy_setopt(j->easy, CURLOPT_PROXY, "");
        curl_easy_setopt(j->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
        curl_easy_setopt(j->easy, CURLOPT_TCP_KEEPALIVE, 1L);
    }
    set_body(j, q);
    list_append(&c->jobs, &j->link);
    curl_multi_add_handle(c->multi, j->easy);
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
        curl_multi_cleanup(c->multi);
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
