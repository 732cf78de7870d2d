/* A route table served from the loop by libmicrohttpd (MHD_USE_EPOLL without a thread:
 * its epoll descriptor and timeout become ours). GET and HEAD only; request bodies are refused.
 * The first http_server_start of a process loads libmicrohttpd (some 10 ms): daemons that must not stop open their
 * port before their loop runs. */
#ifndef KV_IO_HTTP_SERVER_H
#define KV_IO_HTTP_SERVER_H

#include "common/base/err.h"
#include "common/base/str.h"
#include "common/io/loop.h"

struct http_answer {
    int status;                    /* default 200 */
    const char *content_type;      /* default text/plain; charset=utf-8 */
    struct str body;               /* the server frees it */
};
struct http_route {
    const char *path;              /* exact */
    void (*run)(void *owner, const char *query, struct http_answer *out);
};
struct http_server;
int  http_server_start(struct loop *l, const char *host, uint16_t port, const struct http_route *routes, size_t n,
                       void *owner, struct http_server **out, struct err *e);
void http_server_stop(struct http_server *h);
uint16_t http_server_port(const struct http_server *h);

#endif
