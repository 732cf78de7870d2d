/* What /metrics shows. */
#ifndef KV_METRICS_H
#define KV_METRICS_H

#include "common/text/metric.h"

extern const struct metric kv_metrics[];
extern const size_t kv_metrics_n;

#endif
