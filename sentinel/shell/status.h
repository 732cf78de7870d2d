/* What HTTP tells: /healthz, /metrics (Prometheus), /status (JSON). Only when http-port is set. */
#ifndef KV_SENTINEL_STATUS_H
#define KV_SENTINEL_STATUS_H

#include "common/base/err.h"

struct shell;
struct status;

int  status_new(struct shell *sh, struct status **out, struct err *e);     /* *out stays NULL when it is off */
void status_free(struct status *s);

#endif
