/* The metric-table type, and Prometheus text (exposition format 0.0.4). */
#ifndef KV_TEXT_METRIC_H
#define KV_TEXT_METRIC_H

#include "common/base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum metric_type { METRIC_COUNTER, METRIC_GAUGE };

struct metric {
    const char *name;                 /* with the daemon's prefix; counters end in _total */
    enum metric_type type;
    const char *help;
    /* Emits every sample of this metric with metric_sample. */
    void (*read)(const void *from, struct str *out, const struct metric *m);
};

/* One sample line; labels like {"group","orders","role","primary",NULL} or NULL. */
void metric_sample(struct str *out, const struct metric *m, const char *const *labels, double value);
void metric_render(const struct metric *rows, size_t n, const void *from, struct str *out);
/* Markdown reference. */
void metric_markdown(const struct metric *rows, size_t n, struct str *out);

#endif
