/* Scripts of the operator: notification-script and client-reconfig-script. A bounded
 * queue, a few at a time, a time limit each; exit code 1 (or a signal) means "later
 * again", 2 and more mean "never". They inherit no descriptor. */
#ifndef KV_SENTINEL_HOOKS_H
#define KV_SENTINEL_HOOKS_H

#include "common/base/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reply;
struct shell;
struct hooks;

struct hooks *hooks_new(struct shell *sh);
void hooks_free(struct hooks *h);                 /* those that still run are ended */
void hooks_notify(struct hooks *h, const char *path, const char *event, const char *payload);
void hooks_reconfig(struct hooks *h, const char *path, const char *group, bool leader, const struct addr *from,
                    const struct addr *to);
/* SENTINEL PENDING-SCRIPTS: those that run and those that wait, oldest first. */
void hooks_reply(const struct hooks *h, struct reply *r);
size_t hooks_running(const struct hooks *h);
size_t hooks_queued(const struct hooks *h);       /* running ones included */
uint64_t hooks_dropped(const struct hooks *h);    /* because the queue was full */
/* SENTINEL DEBUG */
extern int64_t hooks_max_runtime_ms, hooks_retry_delay_ms;

#endif
