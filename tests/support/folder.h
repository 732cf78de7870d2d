/* A folder of one test: made empty, gone with all that is in it. */
#ifndef KV_TESTS_FOLDER_H
#define KV_TESTS_FOLDER_H

#include "tests/support/suite.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FOLDER_MAX 64

static inline void folder_make(char dir[FOLDER_MAX])
{
    strcpy(dir, "/tmp/kvorum-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

static inline int folder_remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

/* Links in it are removed, not followed. */
static inline void folder_remove(const char *dir)
{
    ck_assert_int_eq(nftw(dir, folder_remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* The same, as the working folder meanwhile. */
static inline void folder_enter(char dir[FOLDER_MAX])
{
    folder_make(dir);
    ck_assert_int_eq(chdir(dir), 0);
}

static inline void folder_leave(const char *dir)
{
    ck_assert_int_eq(chdir("/"), 0);
    folder_remove(dir);
}

#endif
