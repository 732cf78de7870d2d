/* The primary's stream, run: through kvnode/call as a client that nobody refuses. Bytes count
 * (and go on to our own replicas) when their command is through; those of a transaction
 * all together at its EXEC, so that a cut in the middle of one begins it anew. */
#ifndef KV_REPL_APPLY_H
#define KV_REPL_APPLY_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/text/resp_request.h"

#include <stdbool.h>

struct server;
struct client;

struct apply {
    struct server *srv;
    struct client *client;
    struct resp_parser parser;
    struct buf replies;        /* thrown away, but looked at for errors */
    size_t open;               /* bytes at the front of the buffer that belong to an unfinished transaction */
};

void apply_init(struct apply *a, struct server *srv);
void apply_fini(struct apply *a);
void apply_reset(struct apply *a, int db);         /* a new link: nothing half-read, nothing half-done */

enum apply_answer {
    APPLY_MORE,                /* nothing whole is left */
    APPLY_AGAIN,               /* the budget is used up, there is more to do */
    APPLY_STOP                 /* a command that we do not know or that fails here: e */
};
/* *asked_ack: the primary wants to hear our offset now. */
enum apply_answer apply_run(struct apply *a, struct buf *in, int64_t budget_us, bool *asked_ack, struct err *e);

#endif
