/* Durable before the next action runs: the state folder (state-dir: state.h), or the lines of
 * sentinel.conf, replaced whole, where there is none.
 *
 * While a save fails this sentinel observes: it answers and watches, does not vote, and says so in
 * the log (once), INFO, SENTINEL MASTER, CKQUORUM, the metric `votes`, /healthz, to systemd, and by the events
 * -state-not-saved and +state-saved. It tries again by itself. */
#ifndef KV_SENTINEL_SAVE_H
#define KV_SENTINEL_SAVE_H

#include "common/base/err.h"
#include "common/base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct shell;
struct save;

struct save *save_new(struct shell *sh);
void save_free(struct save *s);
/* Read what was kept into the configuration's struct. *usable = false: it cannot be used now (corrupt, a copy, not
 * readable): nothing is saved over it, and this sentinel must not vote; save_trouble says why. Fails when another
 * process has the folder, or there is nowhere to keep votes at all. */
int  save_load(struct save *s, bool *usable, struct err *e);
/* 0, or a negative code; tells (log, event) when it begins to fail and when it works again. */
int  save_now(struct save *s);
/* For what nothing relies on at once (a replica was found, say): saved within some ms, many changes
 * in one go. A save_now in between covers it. A failure is handed to the quiet room. */
void save_soon(struct save *s);
/* What save_soon still owes, now. 0 when nothing is owed or it worked. */
int  save_owed(struct save *s);
/* What a formed group promised (text in the words of sentinel/wire), durable when it returns 0. */
int  save_formed(struct save *s, const char *group, struct slice lines);
const char *save_formed_text(struct save *s, const char *group);      /* NULL: nothing is known */

const char *save_trouble(const struct save *s);       /* NULL = the last one worked */
int64_t save_last_us(const struct save *s);           /* how long the last one took */

#endif
