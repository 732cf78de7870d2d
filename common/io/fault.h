/* The system calls that state on disk rests on, each counted, so that a test can make the
 * n-th of them fail or be the last thing the process does. In release builds these are
 * the plain calls and nothing else.
 *
 *   KVORUM_FAULT=<n>:<what>      the n-th call from the start (1 = the first)
 *   KVORUM_FAULT=<n>+:<what>     it and all later ones
 *   KVORUM_FAULT=@<file>         while this file exists, every call does what the file says (errors, or wait)
 *
 * <what>   kill     the process is gone before the call is made
 *          short    half of a write reaches the file, then it is gone (other calls: as kill)
 *          lose     as when the power goes: what was written and not synced is cut off, then it is gone
 *          EIO, ENOSPC, EROFS, EDQUOT     the call fails so
 *          wait     the call does not come back until the file is gone (a disk that is busy) */
#ifndef KV_IO_FAULT_H
#define KV_IO_FAULT_H

#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>
#include <unistd.h>

#ifdef KV_FAULTS
ssize_t fault_write(int fd, const void *p, size_t n);
int fault_open(const char *path, int flags, mode_t mode);      /* for writing: counted */
int fault_fsync(int fd);
int fault_fdatasync(int fd);
int fault_rename(const char *from, const char *to);
int fault_ftruncate(int fd, off_t bytes);
/* Unit tests: a plan in the words above, counted from now; NULL = none. */
void fault_plan(const char *plan);
/* Unit tests: syncs are counted and believed, but no disk is waited for (nothing but this process ever dies there). */
void fault_sync_is_free(void);
unsigned fault_count(void);                                    /* calls since the start or the last plan */
/* Unit tests: instead of ending the process, call this (it must not return to the caller: longjmp). */
extern void (*fault_instead_of_death)(void);
#else
#define fault_write write
#define fault_open open
#define fault_fsync fsync
#define fault_fdatasync fdatasync
#define fault_rename rename
#define fault_ftruncate ftruncate
#endif

#endif
