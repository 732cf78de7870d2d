/* Deadlines: forget on touch is in the keyspace's look-ups; here, forget a few per turn
 * within a budget. Only a primary does this (mode DROP_EXPIRED). */
#ifndef KV_STORE_EXPIRE_H
#define KV_STORE_EXPIRE_H

#include "kvnode/store/keyspace.h"

/* Drop what is due, at most budget_us of work as told by clock_us. The watch is told of each key.
 * true: the budget ran out before everything that is due was found. */
bool expire_sweep(struct keyspace *ks, int64_t budget_us, int64_t (*clock_us)(void));

/* Deadline of a key as EXPIRE & co. compute it: base_ms + amount, checked for overflow.
 * false: not a valid expire time. */
bool expire_deadline(int64_t base_ms, int64_t amount, bool seconds, int64_t *at_ms);

#endif
