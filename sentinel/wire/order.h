/* An order to a data node, in the node's own commands: one transaction that makes it
 * primary or lets it follow another, keeps that over a restart, and closes its clients'
 * connections so that they look for the primary anew. */
#ifndef KV_SENTINEL_ORDER_H
#define KV_SENTINEL_ORDER_H

#include "common/base/str.h"
#include "sentinel/core/event.h"

#include <stdbool.h>

struct redisReply;

#define ORDER_COMMANDS 6         /* at most: MULTI ... EXEC; the answer to the last one tells */

struct order_words {
    int argc;
    struct slice argv[4];
};
struct order_text {
    enum order what;
    struct order_words cmd[ORDER_COMMANDS];
    int n;
    char port[8];
};

/* to: whom to follow (all but ORDER_PROMOTE). renamed: the name a command has on this node (may be NULL);
 * what it returns must live as long as out is used, and so must `to`. */
void order_write(enum order what, const struct addr *to, const char *(*renamed)(void *arg, const char *command), void *arg,
                 struct order_text *out);
/* What came of it: filled while the answers come in, one call each; begin with zeroes. Following or not is
 * what makes it done; the others may fail (a node without a file, one that is too old), and `why` says so. */
struct order_result {
    bool done;
    bool kept;                   /* done, and CONFIG REWRITE was confirmed (a promotion has none) */
    char why[256];               /* who refused, in the node's words: "CONFIG REWRITE: ERR ..."; "" = nobody */
};
/* heard: 0..n - 1, how many were answered before r; NULL = the link ended. */
void order_heard(enum order what, int heard, const struct redisReply *r, struct order_result *out);

/* One command that is answered OK: FAILOVER (it has begun), SLAVEOF, CONFIG REWRITE. why: at least 128 bytes. */
bool order_taken(const struct redisReply *reply, char *why, size_t cap);

#endif
