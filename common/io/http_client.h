/* HTTP requests as loop events (curl_multi). Retry policy is the caller's. libcurl is loaded and
 * initialised with the first request, which stops the loop for some 10 ms; without it requests fail and say so. */
#ifndef KV_IO_HTTP_CLIENT_H
#define KV_IO_HTTP_CLIENT_H

#include "common/base/str.h"
#include "common/io/loop.h"

struct http_client;
struct http_job;
struct http_request {
    const char *method;            /* default GET */
    const char *url;
    const char *const *headers;    /* "Name: value", NULL-terminated, or NULL */
    struct slice body;
    int64_t timeout_ms;            /* default 5000 */
    size_t  answer_max;            /* default 1 MiB */
    const char *ca_file;           /* NULL = system's. Read again for each new connection */
    int64_t connect_timeout_ms;    /* default: as timeout_ms */
    bool    direct;                /* whatever the environment says about proxies; HTTP/1.1, so that a request that was
                                      not answered takes its connection with it */
    int64_t *retry_after_ms;       /* filled before fn is called: what the answer's Retry-After says, 0 = nothing.
                                      Must live until then */
};
struct http_client *http_client_new(struct loop *l);
void http_client_free(struct http_client *c);
/* status 0: no answer, why says so. Called once, never from inside http_start. */
struct http_job *http_start(struct http_client *c, const struct http_request *q,
                            void (*fn)(void *arg, int status, struct slice body, const char *why), void *arg);
void http_cancel(struct http_job *j);

#endif
