/* A route table served by libmicrohttpd from our loop: its epoll descriptor is watched
 * like any other, its timeout is a timer of ours. */
#include "common/io/http_server.h"

#include "common/base/mem.h"
#include "common/io/library.h"
#include "common/io/sock.h"

#include <errno.h>
#include <microhttpd.h>
#include <string.h>

#define CONNECTIONS_MAX 256
#define IDLE_SECONDS 30u

#define MHD_CALLS(X)                                                                                                \
    X(run, MHD_run)                                                                                                 \
    X(get_timeout, MHD_get_timeout)                                                                                 \
    X(create_response_from_buffer, MHD_create_response_from_buffer)                                                 \
    X(add_response_header, MHD_add_response_header)                                                                 \
    X(queue_response, MHD_queue_response)                                                                           \
    X(destroy_response, MHD_destroy_response)                                                                       \
    X(get_connection_values, MHD_get_connection_values)                                                             \
    X(start_daemon, MHD_start_daemon)                                                                               \
    X(get_daemon_info, MHD_get_daemon_info)                                                                         \
    X(stop_daemon, MHD_stop_daemon)
LIBRARY(mhd, LIBMICROHTTPD, MHD_CALLS);

struct http_server {
    struct loop *loop;
    struct MHD_Daemon *daemon;
    struct http_route *routes;
    size_t n;
    void *owner;
    uint16_t port;
    struct fd_watch watch;
    struct timer timer;
    bool in_run;
    bool stopped;
};

static void run(struct http_server *h)
{
    MHD_UNSIGNED_LONG_LONG ms;

    h->in_run = true;
    mhd.run(h->daemon);
    h->in_run = false;
    if (h->stopped)
        return;
    if (mhd.get_timeout(h->daemon, &ms) == MHD_YES)
        timer_set(&h->timer, (int64_t)ms);
    else
        timer_clear(&h->timer);
}

static void on_ready(struct fd_watch *w, int events, void *arg)
{
    (void)w, (void)events;
    run(arg);
}

static void on_timer(struct timer *t, void *arg)
{
    (void)t;
    run(arg);
}

static enum MHD_Result send_answer(struct MHD_Connection *c, struct http_answer *a)
{
    struct MHD_Response *r = mhd.create_response_from_buffer(a->body.len, a->body.p ? a->body.p : (void *)"",
                                                             MHD_RESPMEM_MUST_COPY);
    enum MHD_Result ok;

    if (!r)
        return MHD_NO;
    mhd.add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE,
                            a->content_type ? a->content_type : "text/plain; charset=utf-8");
    mhd.add_response_header(r, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    mhd.add_response_header(r, "X-Content-Type-Options", "nosniff");
    if (a->status == MHD_HTTP_METHOD_NOT_ALLOWED)
        mhd.add_response_header(r, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    ok = mhd.queue_response(c, (unsigned)a->status, r);
    mhd.destroy_response(r);
    return ok;
}

/* The query as it was sent; libmicrohttpd has cut it off the url. */
struct query {
    struct str text;
};

static enum MHD_Result add_query(void *cls, enum MHD_ValueKind kind, const char *key, const char *value)
{
    struct query *q = cls;

    (void)kind;
    str_printf(&q->text, "%s%s", q->text.len ? "&" : "", key);
    if (value)
        str_printf(&q->text, "=%s", value);
    return MHD_YES;
}

static void answer_route(struct http_server *h, struct MHD_Connection *c, const char *url, struct http_answer *a)
{
    struct query q = {{0}};

    for (size_t i = 0; i < h->n; i++) {
        if (strcmp(h->routes[i].path, url) != 0)
            continue;
        mhd.get_connection_values(c, MHD_GET_ARGUMENT_KIND, add_query, &q);
        h->routes[i].run(h->owner, str_c(&q.text), a);
        str_fini(&q.text);
        return;
    }
    a->status = MHD_HTTP_NOT_FOUND;
    str_printf(&a->body, "there is nothing at this path; try");
    for (size_t i = 0; i < h->n; i++)
        str_printf(&a->body, " %s", h->routes[i].path);
    str_append_c(&a->body, '\n');
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *c, const char *url, const char *method,
                                  const char *version, const char *data, size_t *data_size, void **state)
{
    static int begun;
    struct http_server *h = cls;
    struct http_answer a = {.status = MHD_HTTP_OK};
    enum MHD_Result ok;

    (void)version, (void)data;
    if (!*state) {               /* headers only so far */
        *state = &begun;
        return MHD_YES;
    }
    if (*data_size > 0) {        /* a body: read past it, answer at its end */
        *data_size = 0;
        *state = &h->port;
        return MHD_YES;
    }
    if (*state == &h->port || (strcmp(method, "GET") && strcmp(method, "HEAD"))) {
        a.status = *state == &h->port && (!strcmp(method, "GET") || !strcmp(method, "HEAD"))
                       ? MHD_HTTP_BAD_REQUEST : MHD_HTTP_METHOD_NOT_ALLOWED;
        str_append_z(&a.body, "only GET and HEAD, without a body\n");
    } else {
        answer_route(h, c, url, &a);
    }
    ok = send_answer(c, &a);
    str_fini(&a.body);
    return ok;
}

int http_server_start(struct loop *l, const char *host, uint16_t port, const struct http_route *routes, size_t n,
                      void *owner, struct http_server **out, struct err *e)
{
    const union MHD_DaemonInfo *info;
    struct sockaddr_storage sa;
    socklen_t len;
    struct http_server *h;
    unsigned flags = MHD_USE_EPOLL;

    if (!sock_fill_local(host, port, &sa, &len))
        return err_set(e, ERR_RANGE, "cannot serve HTTP on '%s': give an IPv4 or IPv6 address", host);
    if (library_load(&mhd_library, e) != 0)
        return err_wrap(e, "cannot serve HTTP on port %d", port);
    if (sa.ss_family == AF_INET6)
        flags |= MHD_USE_IPv6;
    h = mem_zalloc(sizeof *h);
    h->loop = l;
    h->owner = owner;
    h->routes = mem_dup(routes, n * sizeof *routes);
    h->n = n;
    errno = 0;
    h->daemon = mhd.start_daemon(flags, port, NULL, NULL, on_request, h, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&sa,
                                 MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
                                 MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS, MHD_OPTION_END);
    info = h->daemon ? mhd.get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
    if (!info) {
        err_sys(e, "Failed listening on port %d (HTTP), address %s", port, host && host[0] ? host : "*");
        if (h->daemon)
            mhd.stop_daemon(h->daemon);
        mem_free(h->routes);
        mem_free(h);
        return ERR_SYS;
    }
    fd_watch_init(&h->watch, l, on_ready, h);
    fd_watch_set(&h->watch, info->epoll_fd, EV_READ);
    timer_init(&h->timer, l, on_timer, h);
    info = mhd.get_daemon_info(h->daemon, MHD_DAEMON_INFO_BIND_PORT);
    h->port = info ? info->port : port;
    *out = h;
    return 0;
}

static void stop_now(void *arg)
{
    struct http_server *h = arg;

    mhd.stop_daemon(h->daemon);
    mem_free(h->routes);
    mem_free(h);
}

/* A route may stop its own server: the daemon goes at the end of the turn. */
void http_server_stop(struct http_server *h)
{
    if (!h || h->stopped)
        return;
    h->stopped = true;
    fd_watch_stop(&h->watch);
    timer_clear(&h->timer);
    if (h->in_run)
        loop_park(h->loop, h, stop_now);
    else
        stop_now(h);
}

uint16_t http_server_port(const struct http_server *h)
{
    return h->port;
}
