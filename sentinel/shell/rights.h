/* May we do on a node what a failover will need? Asked before it is needed, on a connection of
 * its own: MULTI, a command that nobody has, then the commands of a failover, which are queued or
 * refused, and EXEC, which throws them away because of the first. Nothing is ever carried out: what
 * is asked for is sent only after MULTI was accepted and the wrong command refused.
 *
 * Asked some moments after each time the command link comes up, and every few minutes. What is
 * missing stands in the field `rights` of SENTINEL MASTER and REPLICAS, and +misconfigured says it once. */
#ifndef KV_SENTINEL_RIGHTS_H
#define KV_SENTINEL_RIGHTS_H

#include "sentinel/core/model.h"

#include <stdbool.h>
#include <stdint.h>

struct shell;
struct rights;

struct rights *rights_new(struct shell *sh, core_id group, core_id node);
void rights_free(struct rights *r);              /* NULL is fine */
void rights_soon(struct rights *r);              /* the command link came up */
/* "" not known yet, "ok", or what is missing: "SLAVEOF (NOPERM ...), CONFIG REWRITE (ERR unknown command ...)". */
const char *rights_text(const struct rights *r);
/* What is missing is needed to make it the primary: not so FAILOVER (then the office is taken) and SCRIPT KILL. false: not known yet. */
bool rights_forbid(const struct rights *r);

extern int64_t rights_period_ms;                 /* 300000; SENTINEL DEBUG */
extern int64_t rights_delay_ms;                  /* 1000: after the link came up */

#endif
