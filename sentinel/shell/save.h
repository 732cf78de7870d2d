/* Durable before the next action runs: the state file below state-dir, or the lines of
 * sentinel.conf where there is none. Both are replaced whole, file and folder synced. */
#ifndef KV_SENTINEL_SAVE_H
#define KV_SENTINEL_SAVE_H

#include "common/base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct shell;
struct save;

struct save *save_new(struct shell *sh);
void save_free(struct save *s);
/* Read the state file into the configuration's struct. *usable = false: it is corrupt; it stays where
 * it is, nothing is saved over it, and this sentinel must not vote. Fails when the folder cannot be used. */
int  save_load(struct save *s, bool *usable, struct err *e);
/* 0, or a negative code; tells (log, event) when it begins to fail and when it works again. */
int  save_now(struct save *s);
/* For what nothing relies on at once (a replica was found, say): saved within some ms, many changes
 * in one go. A save_now in between covers it. A failure is handed to the quiet room. */
void save_soon(struct save *s);
/* What save_soon still owes, now. 0 when nothing is owed or it worked. */
int  save_owed(struct save *s);
const char *save_trouble(const struct save *s);       /* NULL = the last one worked */
int64_t save_last_us(const struct save *s);           /* how long the last one took */

#endif
