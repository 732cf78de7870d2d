/* The sentinel's operator events: the channel names that programs subscribe to. One
 * row says how loud an event is in the log and what its payload looks like. Warnings
 * also go to a group's notification-script. */
#ifndef KV_SENTINEL_EVENTS_H
#define KV_SENTINEL_EVENTS_H

#include "common/text/event.h"

extern const struct op_event sentinel_events[];
extern const size_t sentinel_events_n;

#endif
