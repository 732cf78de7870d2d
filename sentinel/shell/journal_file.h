/* Journals of all groups in one file of the state folder, so that who saw what when outlives
 * the sentinel: <dir>/journal, and <dir>/journal.1, what was in it before it had grown to
 * JOURNAL_FILE_MAX. Lines are those of wire/journal_text.h. A thread of its own writes, so that
 * a slow disk holds up nobody; nothing is synced, for nothing rests on it: a crash of the
 * process loses nothing that was written, one of the machine the last seconds. */
#ifndef KV_SENTINEL_JOURNAL_FILE_H
#define KV_SENTINEL_JOURNAL_FILE_H

#include "common/base/err.h"

#include <stddef.h>
#include <stdint.h>

#define JOURNAL_FILE_MAX (4u << 20)        /* bytes of one of the two files */
#define JOURNAL_WAITING_MAX (1u << 20)     /* ... that may wait for the disk; what comes then is not kept */

struct journal_file;

/* Every line that is there, oldest first. What is torn or damaged is left out (and counted: *bad). No file: no line. */
void journal_file_read(const char *dir, void (*line)(void *arg, int64_t wall_ms, const char *group, const char *text), void *arg,
                       uint64_t *bad);
/* To go on writing; a torn last line is cut off first. dir exists. max: JOURNAL_FILE_MAX, less for tests. */
struct journal_file *journal_file_open(const char *dir, size_t max);
/* Never blocks. */
void journal_file_add(struct journal_file *j, int64_t wall_ms, const char *group, const char *text);
/* Lines that could not be kept so far, and why the last one was not (good until the next call; "" = all is well). */
uint64_t journal_file_lost(struct journal_file *j, const char **why);
/* Writes what waits, and is gone. NULL is fine. */
void journal_file_close(struct journal_file *j);

#endif
