/* The regular expressions of JSON schemas: PCRE2, told to read what schemas are written in
 * (ECMA 262 as far as PCRE2 follows it: \d and \w are ASCII, $ is the very end, \uXXXX is a
 * character) and bounded, because both the pattern and the text come from the network: what takes
 * more than PATTERN_MAX_STEPS is given up and counts as "not known". */
#ifndef KV_AGENT_PATTERN_H
#define KV_AGENT_PATTERN_H

#include "agent/core/json_schema.h"

#define PATTERN_MAX_CHARS 4096
#define PATTERN_MAX_GROUPS_DEEP 50
#define PATTERN_MAX_STEPS 200000           /* PCRE2's match limit */
#define PATTERN_MAX_DEPTH 2000             /* its depth limit */
#define PATTERN_MAX_HEAP_KB 4096           /* and its heap limit */

extern const struct json_patterns agent_patterns;

#endif
