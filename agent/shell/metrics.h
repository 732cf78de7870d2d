/* What the agent counts, for Prometheus. */
#ifndef KV_AGENT_METRICS_H
#define KV_AGENT_METRICS_H

#include "common/text/metric.h"

extern const struct metric agent_metrics[];      /* read from a struct agent */
extern const size_t agent_metrics_n;

#endif
