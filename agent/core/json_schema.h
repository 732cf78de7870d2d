/* JSON Schema, draft 07, as far as documents need it: compiled once from a tree, then asked
 * about other trees.
 *
 *   any value  type enum const allOf anyOf oneOf not if/then/else $ref definitions
 *   numbers    minimum maximum exclusiveMinimum exclusiveMaximum multipleOf
 *   strings    minLength maxLength (code points) pattern
 *   lists      items additionalItems contains minItems maxItems uniqueItems
 *   objects    properties patternProperties additionalProperties required propertyNames
 *              dependencies minProperties maxProperties
 *
 * title, description, default, examples, $schema, $comment, readOnly, writeOnly and format say
 * nothing about validity here. Everything else is refused when the schema is compiled, because
 * a limit that is silently not applied is worse than a schema that is refused: unknown
 * keywords, $ref that leaves the schema or has keywords beside it (draft 07 would ignore
 * those), $id anywhere but at the top, and circles of references that never reach a part of the value.
 *
 * Numbers are doubles, as everywhere in documents: 1.0 is an integer, and beyond 2^53 neighbours are equal. */
#ifndef KV_AGENT_JSON_SCHEMA_H
#define KV_AGENT_JSON_SCHEMA_H

#include "common/base/err.h"
#include "common/base/str.h"

#include <cjson/cJSON.h>

#define JSON_SCHEMA_MAX_NODES 4096         /* schemas within a schema */
#define JSON_SCHEMA_MAX_NESTING 256        /* schemas asked one within the other about one value */
#define JSON_SCHEMA_MAX_WORK 2000000       /* keywords, members and comparisons of one question */

/* Regular expressions are the caller's. Both functions only compute. */
struct json_patterns {
    /* ERR_FORMAT: no pattern; *out is given to release() later. */
    int (*compile)(const char *text, void **out, struct err *e);
    /* 1: found somewhere in the text, 0: not, negative: too much work (e says so). */
    int (*matches)(const void *pattern, const char *text, size_t n, struct err *e);
    void (*release)(void *pattern);
};

struct json_schema;

/* Takes the tree when it succeeds (*tree is NULL then). patterns: kept, must outlive the schema; NULL: schemas that
 * need them are refused. e names the place in the schema: "properties.port.minimum: must be a number".
 * ERR_FORMAT: it is no schema; ERR_REFUSED: a keyword that is not supported; ERR_LIMIT: too large;
 * ERR_UNKNOWN: a $ref to nothing. */
int json_schema_compile(cJSON **tree, const struct json_patterns *patterns, struct json_schema **out, struct err *e);
struct json_schema *json_schema_free(struct json_schema *s);         /* returns NULL */

/* ERR_RANGE: the value does not fit; e says where and what is violated, with what the schema wants and never with the
 * value itself, which may be secret: "files[0].mode: violates pattern "^0[0-7]{3}$"".
 * ERR_LIMIT: too much work or too deep: not known, so not to be taken. */
int json_schema_check(const struct json_schema *s, const cJSON *value, struct err *e);

#endif
