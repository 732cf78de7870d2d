/* How the program that reads the files is told: a signal to the process of a pidfile, an
 * allowed command, or an allowed unit through systemctl. */
#ifndef KV_AGENT_HOLD_H
#define KV_AGENT_HOLD_H

#include "agent/core/plan.h"
#include "agent/shell/allow.h"
#include "agent/shell/roots.h"
#include "common/io/loop.h"

#include <sys/types.h>

struct hold;

int  hold_allowed(const struct plan *p, const struct roots *r, const struct allow *a, struct err *e);
/* As validate_start: answers once, later, with NULL or a sentence. */
struct hold *hold_start(struct loop *l, const struct plan *p, const struct roots *r, const struct allow *a,
                        void (*fn)(void *arg, const char *why), void *arg);
void hold_free(struct hold *h);
/* The process a pidfile names; ERR_MISSING: there is none. */
int  hold_read_pid(const struct roots *r, const char *pidfile, pid_t *out, struct err *e);

#endif
