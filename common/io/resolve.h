/* Names to addresses off the loop (a small thread pool around getaddrinfo); the
 * answer is a loop event. A literal address answers in the same way, without a thread.
 * What was learned last is kept (at most 1024 names) for resolve_cached. */
#ifndef KV_IO_RESOLVE_H
#define KV_IO_RESOLVE_H

#include "common/base/addr.h"
#include "common/io/loop.h"

struct resolver;
struct resolve_job;

struct resolver *resolver_new(struct loop *l);
void resolver_free(struct resolver *r);
/* ip is "" when the look-up failed (why says how). Called once, never from inside resolve_start. */
struct resolve_job *resolve_start(struct resolver *r, const char *host,
                                  void (*fn)(void *arg, const char *ip, const char *why), void *arg);
void resolve_cancel(struct resolve_job *j);      /* fn will not be called */
bool resolve_cached(struct resolver *r, const char *host, char ip[ADDR_HOST_MAX]);

#endif
