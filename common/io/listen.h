/* Bind and accept. Descriptors inherited from systemd (LISTEN_FDS) with a matching
 * address are used instead of binding. Accepted sockets are non-blocking, close-on-exec,
 * TCP_NODELAY. */
#ifndef KV_IO_LISTEN_H
#define KV_IO_LISTEN_H

#include "common/base/err.h"
#include "common/io/stream.h"

struct listener;

/* fd is now the callee's. */
typedef void listen_fn(int fd, const struct addr *peer, bool is_unix, void *arg);

/* host: literal address, "*" (all v4), "::*"/"::" (all v6); a leading '-' = "fine if not available" (*out NULL).
 * e on a port in use: "Failed listening on port 6379 (TCP), address 127.0.0.1: Address already in use". */
int  listener_open(struct loop *l, const char *host, uint16_t port, int backlog, listen_fn *fn, void *arg,
                   struct listener **out, struct err *e);
int  listener_open_unix(struct loop *l, const char *path, unsigned mode, listen_fn *fn, void *arg,
                        struct listener **out, struct err *e);
void listener_close(struct listener *li);       /* unix: unlinks */
uint16_t listener_port(const struct listener *li);    /* the real one when 0 was asked for */

#endif
