/* A compiled schema from the inside: between its making (json_schema.c) and its use
 * (json_schema_check.c), and nobody else's business. */
#ifndef KV_AGENT_JSON_SCHEMA_NODE_H
#define KV_AGENT_JSON_SCHEMA_NODE_H

#include "agent/core/json_schema.h"
#include "common/base/dict.h"
#include "common/base/vec.h"

#include <stdbool.h>
#include <stdint.h>

enum json_type {
    JT_NULL = 1,
    JT_BOOLEAN = 2,
    JT_OBJECT = 4,
    JT_ARRAY = 8,
    JT_NUMBER = 16,
    JT_STRING = 32,
    JT_INTEGER = 64
};

struct js_node;

struct js_property {
    const char *name;
    struct js_node *node;
};

struct js_pattern {
    const char *text;
    void *compiled;
    struct js_node *node;              /* NULL for "pattern" itself */
};

struct js_dependency {
    const char *name;
    struct js_node *node;              /* or */
    const cJSON *names;
};

struct js_nodes {
    VEC(struct js_node *) at;
};

/* One schema. What is not said is NULL, 0 or -1. Trees and texts are borrowed from the schema's own tree. */
struct js_node {
    const cJSON *tree;
    bool is_true, is_false;
    unsigned types;                    /* enum json_type, 0: any */
    const cJSON *values, *constant;    /* enum, const */
    const cJSON *minimum, *maximum, *exclusive_minimum, *exclusive_maximum, *multiple_of;
    int64_t min_length, max_length, min_items, max_items, min_properties, max_properties;
    bool unique;
    struct js_pattern pattern;
    const cJSON *required;
    VEC(struct js_property) properties;        /* sorted by name */
    VEC(struct js_pattern) pattern_properties;
    VEC(struct js_dependency) dependencies;
    struct js_node *additional_properties, *property_names, *items, *additional_items, *contains;
    struct js_nodes tuple, all_of, any_of, one_of;
    struct js_node *negated, *condition, *consequence, *otherwise, *ref;
    /* where it stands, for messages */
    const struct js_node *up;
    const char *label, *sub;           /* keyword, and the name or number beneath it */
    int index;
    unsigned char colour;              /* search for circles */
};

struct json_schema {
    cJSON *tree;
    const struct json_patterns *patterns;
    struct js_nodes nodes;             /* owned; the first is the root */
    struct dict by_tree;               /* address of a tree -> its node */
};

#endif
