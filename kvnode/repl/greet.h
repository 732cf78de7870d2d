/* What a replica says to its primary first, and what may come back: one table. Everything of it
 * is sent in one go; answers come in that order, one line each. PSYNC follows only when all of
 * them are there, because Redis refuses it while it still has something to answer. */
#ifndef KV_REPL_GREET_H
#define KV_REPL_GREET_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/str.h"

#include <stdbool.h>

struct server;

struct greeting {
    struct server *srv;
    int next;                  /* row whose answer comes next */
    unsigned said;             /* rows that were said, a bit each */
};

void greet_say(struct greeting *g, struct server *srv, struct buf *out);     /* anew */
bool greet_done(const struct greeting *g);
/* The next line that came. ERR_REFUSED: the primary does not want us, e says why. Others are logged and pass. */
int  greet_answer(struct greeting *g, struct slice line, struct err *e);

#endif
