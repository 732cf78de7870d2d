/* Named roots: the only folders documents may write to. A path of a document is opened
 * beneath its root by the kernel (openat2 with RESOLVE_BENEATH), so neither ".." nor a link
 * leads out of it. */
#ifndef KV_AGENT_ROOTS_H
#define KV_AGENT_ROOTS_H

#include "common/base/err.h"
#include "common/base/vec.h"

#include <stdbool.h>

struct root {
    char *name, *path;             /* path: absolute */
};

struct roots {
    VEC(struct root) at;
};

void roots_fini(struct roots *r);
int  roots_add(struct roots *r, const char *name, const char *path, struct err *e);     /* ERR_BUSY: the name is taken */
const struct root *roots_find(const struct roots *r, const char *name);
/* Opens the folder that holds `path`, making folders in between (0755) if asked. *base points into path.
 * ERR_REFUSED: the path leaves the root. */
int  roots_open_dir(const struct root *root, const char *path, bool make, int *dirfd, const char **base, struct err *e);
/* Opens an existing file for reading by its absolute path, which must lie beneath one of the roots. */
int  roots_open_file(const struct roots *r, const char *absolute, int *fd, struct err *e);

#endif
