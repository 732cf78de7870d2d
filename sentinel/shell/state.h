/* The state folder (`state-dir`): what is learned and changed at run time, as small blocks of
 * text in a state log, one for the sentinel and one for each group. A save appends the
 * blocks that differ from what is there, and syncs once; nobody's vote waits for a whole file.
 *
 *   'S' the sentinel: id, current epoch, its own settings, groups that were removed
 *   'G' <group> '\n' lines: address, epochs, votes, replicas, sentinels, settings
 *   'F' <group> '\n' lines: what a formed group promised (sentinel/wire has the words); opaque here
 *   'X' <group>: it is not watched any more
 *
 * Of each block the last one counts; its lines are those of sentinel.conf. */
#ifndef KV_SENTINEL_STATE_H
#define KV_SENTINEL_STATE_H

#include "common/base/err.h"
#include "common/base/str.h"
#include "sentinel/core/saved.h"
#include "sentinel/shell/sentinel_conf.h"

struct state;

/* Reads the folder into c (after the configuration). ERR_BUSY: another process has it. ERR_VERIFY, ERR_FORMAT,
 * ERR_REFUSED: what is there must not be used. ERR_SYS: it cannot be read now. *out may come back although nothing can
 * be written: then each save fails. */
int  state_open(const char *dir, struct sentinel_conf *c, struct state **out, struct err *e);
void state_close(struct state *s);
/* all: settings may have changed too; else only what the quiet room keeps is compared. Durable when it returns 0. */
int  state_save(struct state *s, struct sentinel_conf *c, const struct saved *what, bool all, struct err *e);
/* The block of one formed group; durable when it returns 0. */
int  state_save_formed(struct state *s, struct sentinel_conf *c, const char *group, struct slice lines, struct err *e);
/* The log has grown: a snapshot now would be good. */
bool state_wants_snapshot(const struct state *s);
int  state_snapshot(struct state *s, struct err *e);
/* Not NULL: the folder is a copy of another sentinel's; it may be read, and this sentinel must not vote. */
const char *state_copied(const struct state *s);

#endif
