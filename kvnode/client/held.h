/* Replies that wait: in a group that confirms writes (prefer, strict) what a client is
 * answered leaves only when the log is confirmed up to where it stood when the command had
 * run. Execution does not wait. One barrier per client and turn: what a turn appended to a
 * client's output, if any command of it wrote (or read, with committed reads), leaves
 * together, in order, when `offset` of that turn is confirmed. Other clients' output, and
 * commands that neither read nor write (PING, HELLO, INFO) of a client that waits for
 * nothing, leave at once; behind a barrier everything of that client waits, order is order.
 *
 * Waiting longer than sync-timeout (at most the lease, T8), or a primary that is one no
 * more: the held bytes are dropped, `-UNCONFIRMED ...` is sent once, the connection closes
 * (R6). Pushes of pub/sub and tracking follow the same order. PUBLISH is no write here. A
 * client of whom 1 MiB or a thousand turns wait is not run until half of that has left.
 *
 * Read modes (option `ha-read`): committed (held as above, and the lease is valid when it
 * leaves), leased (not held), dirty (neither held nor asks for the lease). R7. */
#ifndef KV_CLIENT_HELD_H
#define KV_CLIENT_HELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct server;
struct client;
struct str;

void held_init(struct server *srv);
void held_fini(struct server *srv);
/* call.c: this client's command ran, and read or wrote; both for a write that changed nothing, which tells what it found. */
void held_touched(struct client *c, bool wrote);
/* The log is confirmed up to here: whoever waits for no more is answered, in this turn. */
void held_confirmed(struct server *srv, int64_t offset);
/* Nothing of what waits will be confirmed by us. why: "demoted", "sync-timeout". */
void held_give_up(struct server *srv, const char *why);
void held_gone(struct client *c);                          /* the client leaves */
/* An answer is owed to this client: nothing of its output leaves from byte number `from` on. STREAM_ALL: it is owed no more. */
void held_owes(struct client *c, uint64_t from);
void held_info(struct server *srv, struct str *out);       /* INFO: clients and bytes that wait, confirmed offset, given up */

struct held_figures {
    size_t clients, bytes;         /* that wait */
    size_t stopped;                /* clients of whom so much waits that their requests are not run for now */
    int64_t oldest_ms;             /* for how long; 0 = nothing waits */
    int64_t confirmed;             /* -1: nothing in this epoch */
    uint64_t given_up;             /* clients that were told UNCONFIRMED, ever */
};
void held_figures(const struct server *srv, struct held_figures *out);

#endif
