/* What kvnode tells its operator, in the log. */
#ifndef KV_EVENTS_H
#define KV_EVENTS_H

#include "common/text/event.h"

extern const struct op_event kv_events[];
extern const size_t kv_events_n;

#endif
