/* What the agent tells operators about itself, by name: in the log and in the reference. */
#ifndef KV_AGENT_EVENTS_H
#define KV_AGENT_EVENTS_H

#include "common/text/event.h"

extern const struct op_event agent_events[];
extern const size_t agent_events_n;

/* One log line "<name> <payload>", at the level of the event's row. CHECKs that there is a row. */
void agent_event(const char *name, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
