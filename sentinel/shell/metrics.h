#ifndef KV_SENTINEL_METRICS_H
#define KV_SENTINEL_METRICS_H

#include "common/text/metric.h"

/* The third table; each row is read from a struct shell. */
extern const struct metric sentinel_metrics[];
extern const size_t sentinel_metrics_n;

#endif
