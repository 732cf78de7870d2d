/* Configuration files: load with includes, write back atomically. */
#ifndef KV_IO_CONF_FILE_H
#define KV_IO_CONF_FILE_H

#include "common/base/err.h"
#include "common/text/conf_edit.h"

/* path "-" = standard input. include lines are globbed and applied in order, depth ≤ 16. from-file reads the first line of a
 * file, which must not be empty. */
int conf_file_load(const char *path, struct conf_source *s, struct err *e);
/* Read path (missing = empty), rewrite with the wanted lines, replace. */
int conf_file_rewrite(const char *path, struct conf_lines *want,
                      const char *(*key_of)(int argc, const struct slice *argv, char out[512]), struct err *e);

#endif
