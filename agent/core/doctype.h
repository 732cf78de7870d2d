/* The types of documents that agents apply. A type is one file and one row: its shape,
 * which further sources it reads, what it wants done, and the bytes. */
#ifndef KV_AGENT_DOCTYPE_H
#define KV_AGENT_DOCTYPE_H

#include "agent/core/inputs.h"
#include "agent/core/plan.h"
#include "agent/core/schema.h"

/* What every template sees besides its own data. */
struct surroundings {
    const char *node, *group;          /* group "" when there is none */
    const cJSON *vars, *labels;        /* of the agent document; NULL = none */
};

struct doctype {
    const char *name;
    const struct shape *shape;
    /* Which sources a document of this shape reads. */
    int (*sources)(const cJSON *doc, struct sources *out, struct err *e);
    /* Everything but the bytes of the files; p is fresh. */
    int (*read)(const cJSON *doc, struct plan *p, struct err *e);
    /* The bytes. ERR_MISSING: a source does not exist (e names it). */
    int (*render)(const cJSON *doc, const struct inputs *in, const struct surroundings *around, struct plan *p,
                  struct err *e);
    const char *summary;
};

extern const struct doctype doctypes[];
extern const size_t doctypes_n;
const struct doctype *doctype_find(const char *name);      /* NULL: no such type here */

/* Shared by types: fields of "reload", "probe", "check", and how they become a plan. */
extern const struct shape doctype_reload_shape, doctype_probe_shape;
int doctype_read_actions(const cJSON *doc, struct plan *p, struct err *e);
/* Is this a path that stays beneath its root: relative, no empty parts, no "." and ".."? */
bool doctype_path_ok(const char *path);

#endif
