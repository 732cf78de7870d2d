/* The shape of documents, as tables: which names an object may have, what each one may
 * be. A name that is not in the table is an error, because a misspelled setting that is
 * silently ignored is worse than a refused document. Names that are planned and not
 * built yet are rows too, and are refused as such. */
#ifndef KV_AGENT_SCHEMA_H
#define KV_AGENT_SCHEMA_H

#include "common/base/err.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

enum shape_type {
    SHAPE_TEXT,        /* string of min..max bytes (max 0 = any) */
    SHAPE_INT,         /* whole number min..max */
    SHAPE_BOOL,
    SHAPE_MS,          /* duration as text, "5s", min..max milliseconds */
    SHAPE_MODE,        /* octal file mode as text, "0640", at most 0777 */
    SHAPE_WORD,        /* one of words[] */
    SHAPE_OBJECT,      /* of: its fields */
    SHAPE_LIST,        /* min..max elements, each like of->fields[0] */
    SHAPE_MAP,         /* any names, at most max, each value like of->fields[0] */
    SHAPE_ANY,
    SHAPE_LATER        /* planned, refused as not supported yet */
};

struct shape;
struct shape_field {
    const char *name;
    enum shape_type type;
    bool required;
    int64_t min, max;
    const char *const *words;          /* SHAPE_WORD: ends with NULL */
    const struct shape *of;
    const char *summary;
};

struct shape {
    const struct shape_field *fields;
    size_t n;
    bool exactly_one;                  /* just one of the fields that are not optional extras (words of choice) */
    unsigned choice;                   /* exactly_one counts the first `choice` fields */
};

#define SHAPE(array) {(array), sizeof (array) / sizeof (array)[0], false, 0}
#define SHAPE_CHOICE(array, first) {(array), sizeof (array) / sizeof (array)[0], true, (first)}

/* e names the place: "files[0].mode: ...". ERR_FORMAT, ERR_RANGE, ERR_UNKNOWN, ERR_MISSING,
 * or ERR_REFUSED for what is not supported yet. */
int shape_check(const struct shape *s, const cJSON *tree, struct err *e);

/* Reading of checked trees: what stands there, or what holds when nothing does. */
const char *tree_text(const cJSON *tree, const char *name, const char *otherwise);
int64_t     tree_int(const cJSON *tree, const char *name, int64_t otherwise);
int64_t     tree_ms(const cJSON *tree, const char *name, int64_t otherwise);
int         tree_mode(const cJSON *tree, const char *name, int otherwise);
const cJSON *tree_at(const cJSON *tree, const char *name);      /* NULL: not there */

#endif
