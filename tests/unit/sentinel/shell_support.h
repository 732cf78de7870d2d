/* A sentinel's shell for tests: with a real loop, its state in the folder `dir`, a group "m" whose primary is an
 * address where nobody is, and no network but a unix socket. */
#ifndef KV_TESTS_SHELL_SUPPORT_H
#define KV_TESTS_SHELL_SUPPORT_H

#include "sentinel/shell/shell.h"
#include "tests/support/folder.h"

extern char dir[FOLDER_MAX];           /* folder_make it before, folder_remove it after */
extern struct sentinel_options o;
extern struct loop *loop;
extern struct shell *sh;

void start(const char *more);          /* further lines of the configuration */
void stop(void);

#endif
