/* What a voter of one formed group must not forget (struct voter_facts) <-> lines of text,
 * as they stand in the state folder:
 *
 *     voter life 7 promised 12 voted-for <id> voted-life 9 promise-max 750 [replace-out <id> replace-life 5 replace-in <id>]
 *     record gid 12 ballot 9 ...                       (common/text/ha_text.h; left out: it holds none)
 *
 * Each field at most once; what is not there is zero. */
#ifndef KV_SENTINEL_FORMED_TEXT_H
#define KV_SENTINEL_FORMED_TEXT_H

#include "common/base/err.h"
#include "common/base/str.h"
#include "sentinel/core/voter.h"

/* Appended; each line ends with a newline. */
void formed_text_put(struct str *out, const struct voter_facts *f);
/* Strict: facts that no voter can have (no life, a record above its promise, a promise longer than the longest) are
 * refused as unknown words are. -> ERR_FORMAT, *f is undefined. */
int  formed_text_read(struct slice text, struct voter_facts *f, struct err *e);

#endif
