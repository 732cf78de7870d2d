/* Are these bytes one JSON object that every reader understands in the same way? Stricter than
 * most parsers: UTF-8 without a byte order mark, no NaN or Infinity (Python's json.dumps writes
 * them), no half surrogates, no \u0000, no control characters in strings, nothing after the
 * object. What is good here a library may parse; names that stand twice are not looked for. */
#ifndef KV_BASE_JSON_SCAN_H
#define KV_BASE_JSON_SCAN_H

#include "common/base/err.h"

#include <stddef.h>

/* 0, or e: "line 3, column 7: ...". ERR_LIMIT: objects and lists nested deeper than depth_max (the object itself is the
 * first level). ERR_FORMAT: anything else. The stack grows with the depth: depth_max is some tens. */
int json_scan_object(const char *p, size_t n, int depth_max, struct err *e);

#endif
