/* Two JSON values: the same one? Numbers are compared as numbers (1 and 1.0 are the same),
 * objects without regard to the order of their names. Trees are bounded by the caller
 * (documents are at most DOCUMENT_MAX_DEPTH deep). */
#ifndef KV_AGENT_JSON_EQUAL_H
#define KV_AGENT_JSON_EQUAL_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

/* *left is what may still be looked at, in values; each call takes from it. Once it is below 0 the answer is false and
 * means nothing. */
bool json_equal(const cJSON *a, const cJSON *b, int64_t *left);
/* Equal values have equal hashes, whatever they look like; different ones seldom do. */
uint64_t json_hash(const cJSON *v, int64_t *left);
/* Does an element stand twice in this array? *first and *second say which (0-based). */
bool json_has_twins(const cJSON *array, int *first, int *second, int64_t *left);

#endif
