/* Bytes to a checked document: a JSON object that every reader understands in the same
 * way. Stricter than most parsers, because the same bytes are read by programs in
 * several languages: UTF-8 without a byte order mark, no names twice, no NaN or
 * Infinity (Python's json.dumps writes them), no half surrogates, no \u0000, nothing
 * after the object, at most DOCUMENT_MAX_BYTES and DOCUMENT_MAX_DEPTH. */
#ifndef KV_AGENT_DOCUMENT_H
#define KV_AGENT_DOCUMENT_H

#include "common/base/err.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#define DOCUMENT_MAX_BYTES ((size_t)256 * 1024)
#define DOCUMENT_MAX_DEPTH 32

/* *out is the caller's (cJSON_Delete). e: "line 3, column 7: ...".
 * ERR_LIMIT: too long or too deep. ERR_FORMAT: anything else. */
int document_parse(const char *p, size_t n, cJSON **out, struct err *e);

#endif
