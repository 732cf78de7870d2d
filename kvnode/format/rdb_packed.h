/* The packed hash forms of older Redis: ziplist (up to 6.2) and zipmap (up to 2.4), walked
 * one element at a time with every length checked against the bytes that are there. */
#ifndef KV_FORMAT_RDB_PACKED_H
#define KV_FORMAT_RDB_PACKED_H

#include "common/base/err.h"
#include "common/base/num.h"
#include "common/base/str.h"

/* Called for each element in order: field, value, field, value, ... Return < 0 to stop. */
typedef int packed_fn(void *arg, struct slice element);

/* 0, ERR_FORMAT with what is wrong, or what fn returned. */
int ziplist_walk(const unsigned char *p, size_t n, packed_fn *fn, void *arg, struct err *e);
int zipmap_walk(const unsigned char *p, size_t n, packed_fn *fn, void *arg, struct err *e);

#endif
