/* What a sentinel must not forget <-> lines of text, in the words of sentinel.conf. Used
 * for both homes of the state: lines among others in sentinel.conf, and the blocks of the
 * state folder (which checks its bytes itself). */
#ifndef KV_SENTINEL_STATE_TEXT_H
#define KV_SENTINEL_STATE_TEXT_H

#include "common/base/err.h"
#include "common/base/str.h"
#include "sentinel/core/saved.h"

/* One line, without its first word `sentinel`. *mine = false: not about state, nothing done.
 * The group's entry is made when a line names it first. *quorum is set by a `monitor` line. */
int state_line_read(struct saved *s, int argc, const struct slice *argv, bool *mine, int64_t *quorum, struct err *e);
struct saved_group *saved_find(struct saved *s, const char *name);
struct saved_group *saved_find_or_add(struct saved *s, const char *name);
void saved_drop(struct saved *s, const char *name);

/* Every line, with the key of its place ("sentinel known-replica mymaster"). `own_file`: also what
 * stock sentinels do not know (the name of the one we voted for). */
struct state_writer {
    int64_t (*quorum)(void *arg, const char *group);
    void (*line)(void *arg, const char *key, const char *text);
    void *arg;
    bool own_file;
};
void state_lines(const struct saved *s, const struct state_writer *w);
/* The same in parts: what is not of a group, and what is of one. */
void state_self_lines(const struct saved *s, const struct state_writer *w);
void state_group_lines(const struct saved_group *g, const struct state_writer *w);

#endif
