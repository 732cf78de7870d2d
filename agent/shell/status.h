/* The HTTP port: /healthz (200, or 503 when a document is stuck), /metrics, /status (JSON), and the probes
 * of probes_http.h. */
#ifndef KV_AGENT_STATUS_H
#define KV_AGENT_STATUS_H

#include "common/base/err.h"

struct agent;
int  status_listen(struct agent *a, struct err *e);
void status_close(struct agent *a);

#endif
