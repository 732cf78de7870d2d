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
    /* Which sources a document of this shape reads; NULL: none. */
    int (*sources)(const cJSON *doc, struct sources *out, struct err *e);
    /* Everything but the bytes of the files; p is fresh. */
    int (*read)(const cJSON *doc, struct plan *p, struct err *e);
    /* The bytes. ERR_MISSING: a source does not exist (e names it). NULL: there are none. */
    int (*render)(const cJSON *doc, const struct inputs *in, const struct surroundings *around, struct plan *p,
                  struct err *e);
    const char *summary;
};

extern const struct doctype doctypes[];
extern const size_t doctypes_n;
const struct doctype *doctype_find(const char *name);      /* NULL: no such type here */

/* Shared by types: rows of their shapes, and how what stands there becomes a plan. */
#define DOCTYPE_VERSION_FIELD {"v", SHAPE_INT, false, 1, 1, NULL, NULL, "version of this shape"}
#define DOCTYPE_FILE_FIELDS                                                                                       \
    {"root", SHAPE_TEXT, true, 1, 64, NULL, NULL, "a root that the agent's configuration names"},                 \
    {"path", SHAPE_TEXT, true, 1, 1024, NULL, NULL, "beneath the root"},                                          \
    {"mode", SHAPE_MODE, false, 0, 0, NULL, NULL, "default 0644"},                                                \
    {"owner", SHAPE_TEXT, false, 1, 64, NULL, NULL, "default: the agent's user"},                                 \
    {"group", SHAPE_TEXT, false, 1, 64, NULL, NULL, "default: the agent's group"}
#define DOCTYPE_CHECK_FIELDS                                                                                      \
    {"check", SHAPE_LIST, false, 0, 16, NULL, &doctype_argv_shape, "commands that must agree before anything is swapped"}, \
    {"check_timeout", SHAPE_MS, false, 10, 600000, NULL, NULL, "for each command, default 10s"}
#define DOCTYPE_RELOAD_FIELD {"reload", SHAPE_OBJECT, false, 0, 0, NULL, &doctype_reload_shape, "how the reader is told"}
#define DOCTYPE_PROBE_FIELDS                                                                                      \
    {"probe", SHAPE_OBJECT, false, 0, 0, NULL, &doctype_probe_shape, "is it well afterwards?"},                   \
    {"probe_for", SHAPE_MS, false, 10, 600000, NULL, NULL, "within this time, default 5s"},                       \
    {"probe_interval", SHAPE_MS, false, 10, 60000, NULL, NULL, "default 500ms"},                                  \
    {"probe_ok", SHAPE_INT, false, 1, 100, NULL, NULL, "good ones in a row, default 3"},                          \
    {"on_fail", SHAPE_WORD, false, 0, 0, doctype_on_fail_words, NULL, "default rollback"}

extern const struct shape doctype_argv_shape, doctype_reload_shape, doctype_probe_shape;
extern const char *const doctype_on_fail_words[];
/* What the fields of check, reload, probe and on_fail say, as far as the document has them. */
int doctype_read_actions(const cJSON *doc, struct plan *p, struct err *e);
/* One more file of the plan, as DOCTYPE_FILE_FIELDS of `tree` describe it. where: put before the name of a field in
 * what is wrong, "files[0]." or "". */
int doctype_read_file(const cJSON *tree, const char *where, struct plan *p, struct err *e);
/* {"tcp":...} and so on, of doctype_probe_shape; what stands around it is not read (interval_ms, ok, for_ms). */
int doctype_read_probe(const cJSON *probe, struct plan_probe *out, struct err *e);
/* Is this a path that stays beneath its root: relative, no empty parts, no "." and ".."? */
bool doctype_path_ok(const char *path);

#endif
