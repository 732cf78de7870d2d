/* An order to a data node, in the node's own commands: one transaction that makes it
 * primary or lets it follow another, keeps that over a restart, and closes its clients'
 * connections so that they look for the primary anew. */
#ifndef KV_SENTINEL_ORDER_H
#define KV_SENTINEL_ORDER_H

#include "common/base/str.h"
#include "sentinel/core/event.h"

#include <stdbool.h>

struct redisReply;

#define ORDER_COMMANDS 6         /* MULTI ... EXEC; the answer to the last one tells */

struct order_words {
    int argc;
    struct slice argv[4];
};
struct order_text {
    struct order_words cmd[ORDER_COMMANDS];
    char port[8];
};

/* to: whom to follow (ORDER_REPOINT). renamed: the name a command has on this node (may be NULL);
 * what it returns must live as long as out is used, and so must `to`. */
void order_write(enum order what, const struct addr *to, const char *(*renamed)(void *arg, const char *command), void *arg,
                 struct order_text *out);
/* Was it carried out? exec is the answer to EXEC. CONFIG REWRITE may fail (a node without a
 * file), CLIENT KILL too (too old a node); following or not is what counts. why: at least 128 bytes. */
/* FAILOVER: one command, answered when it has begun. */
bool order_taken(const struct redisReply *reply, char *why, size_t cap);
bool order_done(const struct redisReply *exec, char *why, size_t cap);

#endif
