/* For the suites of this folder: a folder that goes away, files in it. */
#ifndef KV_TESTS_AGENT_SUPPORT_H
#define KV_TESTS_AGENT_SUPPORT_H

#include "agent/shell/roots.h"
#include "agent/shell/stage.h"
#include "tests/support/turns.h"

struct scene {
    char folder[64];             /* has "root" and "state" */
    char root[80], state[80];
    struct roots roots;          /* "r" is <folder>/root */
};
void scene_init(struct scene *s);
void scene_fini(struct scene *s);
void scene_write(const struct scene *s, const char *path, const char *text);    /* relative to folder */
/* The text of a file, "" when there is none; good until the next call. */
const char *scene_read(const struct scene *s, const char *path);
bool scene_has(const struct scene *s, const char *path);
/* Names in a folder, sorted, with blanks between. */
const char *scene_list(const struct scene *s, const char *path);
/* A plan with files of root "r": path, bytes, path, bytes, ..., NULL. */
struct plan *scene_plan(const char *path, ...) __attribute__((sentinel));

#endif
