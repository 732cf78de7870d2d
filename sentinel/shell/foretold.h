/* Was EXPLAIN right? While a failover is tried its answer is noted; when the try ended as
 * EXPLAIN never said it would, that is logged, journaled and counted: either it told an
 * operator something wrong before, or a node changed its mind within the try. */
#ifndef KV_SENTINEL_FORETOLD_H
#define KV_SENTINEL_FORETOLD_H

#include "sentinel/core/model.h"

#include <stdint.h>

struct shell;

struct foretold {
    bool said_yes, said_no;            /* at least once during this try */
    char lacks[240];                   /* of the last "no": what forbade it */
};

void foretold_begin(struct foretold *f);
/* The first look goes into the journal: "explain: yes, to <address>" or "explain: no: <what> <why>, ...". One that
 * is not counted: no, while the INFO of a replica is too old, as the try asks for a new one. */
void foretold_look(struct foretold *f, struct shell *sh, const struct group *g);
/* The try came to an end of its own: a new primary, or none. False: EXPLAIN had said otherwise, and never this. */
bool foretold_end(struct foretold *f, struct shell *sh, const struct group *g, bool done);

#endif
