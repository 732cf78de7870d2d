/* Whole files: read, replace atomically, lock. All block: not for the command path. */
#ifndef KV_IO_FILE_H
#define KV_IO_FILE_H

#include "common/base/err.h"
#include "common/base/str.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Whole file; limit 0 = 64 MiB. ERR_SYS (sys_errno ENOENT: none there), ERR_LIMIT. */
int  file_slurp(const char *path, size_t limit, struct str *out, struct err *e);
int  file_write_all(int fd, const void *p, size_t n, struct err *e);
/* New contents appear whole or not at all: temporary file beside it, fsync, rename, fsync of the folder.
 * The mode of an existing file is kept, mode is for a new one. */
int  file_replace(const char *path, const void *p, size_t n, mode_t mode, struct err *e);
/* The same with less waiting: whole or not at all whatever happens to this program; when the machine loses power the
 * old contents may come back, and without sync_bytes neither may be there. For what can be made again. */
int  file_replace_soon(const char *path, const void *p, size_t n, mode_t mode, bool sync_bytes, struct err *e);
int  file_sync_dir(const char *path_in_dir, struct err *e);       /* fsync the folder that holds this path */
int  file_make_dirs(const char *path, mode_t mode, struct err *e);
bool file_exists(const char *path);
/* Lock for the life of the process; ERR_BUSY names the pid that holds it when known. */
int  file_lock(const char *path, int *fd, struct err *e);
int  file_absolute(const char *path, char *out, size_t cap, struct err *e);   /* against the present folder */

#endif
