/* The operator-event table type: what a daemon tells the world about itself. */
#ifndef KV_TEXT_EVENT_H
#define KV_TEXT_EVENT_H

#include "common/base/str.h"

#include <stddef.h>

struct op_event {
    const char *name;          /* "+switch-master" */
    int level;                 /* LOG_LEVEL_* of io/log as a number: 0 debug, verbose, notice, warning, 4 error */
    const char *args;          /* shape of its payload */
    const char *summary;
};

const struct op_event *op_event_find(const struct op_event *rows, size_t n, const char *name);
void op_event_markdown(const struct op_event *rows, size_t n, struct str *out);

#endif
