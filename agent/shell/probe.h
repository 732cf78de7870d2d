/* Is it well after the change? Asks again and again, by TCP connect, HTTP, a RESP command
 * or the state of a unit, until so many good answers have come in a row or the time is up.
 * When the reload was a signal, the process must also stay the one it was. */
#ifndef KV_AGENT_PROBE_H
#define KV_AGENT_PROBE_H

#include "agent/core/plan.h"
#include "agent/shell/allow.h"
#include "agent/shell/roots.h"
#include "common/io/http_client.h"
#include "common/io/loop.h"
#include "common/io/resolve.h"

struct probe;

struct probe_means {
    struct loop *loop;
    struct resolver *resolver;
    struct http_client *http;
    const struct roots *roots;
    const struct allow *allow;
};

/* Answers once, later: NULL, or a sentence with the last bad answer. An interval_ms of for_ms or more asks once. p and m are borrowed until then. */
struct probe *probe_start(const struct probe_means *m, const struct plan *p, void (*fn)(void *arg, const char *why),
                          void *arg);
void probe_free(struct probe *b);

#endif
