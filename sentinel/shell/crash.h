/* SENTINEL SIMULATE-FAILURE: this process ends at once, without a word to anybody, at the
 * point of a failover that was asked for. For testing what the others do then. */
#ifndef KV_SENTINEL_CRASH_H
#define KV_SENTINEL_CRASH_H

#include <stdint.h>

struct call;

uint32_t crash_flags(void);                       /* INFO's sentinel_simulate_failure_flags: 1 election, 2 promotion */
/* An event was published: is this the point? Does not return then. */
void crash_note(const char *event);
void cmd_simulate_failure(struct call *c);

#endif
