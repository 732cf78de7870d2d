/* The control thread: links on which messages of formed groups travel, held apart from the
 * thread that runs commands, so that a slow command makes a node neither silent nor dead.
 *
 * A link begins as a client of the RESP server (on the client port, or on ha-port): AUTH and
 * ACL as for any. `HA ATTACH` takes its descriptor away and gives it to this thread; from then
 * on it knows three requests only:
 *     PING                              -> +PONG, as long as the main thread turned within stall-max and is well
 *     HA MSG <line> [<line> ...]        -> +OK or -ERR
 *     QUIT
 * and may be told, unasked, `message ha <line>`. More, or more than CONTROL_LINE_MAX bytes in one request: -ERR, close.
 *
 * The other direction: a replica of a formed group dials its primary's ha-port itself and
 * attaches as NODE; the primary's HA_RENEW come and the HA_LEASE go on that link.
 *
 * The thread touches nothing of the node but this file's queues and, under ha.c's lock, the member. */
#ifndef KV_HA_CONTROL_H
#define KV_HA_CONTROL_H

#include "common/base/addr.h"
#include "common/base/err.h"
#include "common/base/ha.h"

#include <stdbool.h>
#include <stdint.h>

#define CONTROL_LINKS_MAX 48
#define CONTROL_LINE_MAX (64 * 1024)

struct control;
struct server;

int  control_start(struct server *srv, struct control **out, struct err *e);
void control_stop(struct control *c);

/* Main thread: a client said HA ATTACH; fd is taken. bytes: what had arrived behind it. Its number is `link`. */
void control_adopt(struct control *c, int fd, uint64_t link, bool voter, const char *id, uint64_t life, const void *bytes, size_t n);
/* Main thread: to a link, any order; leaves at once. Unknown links swallow it. */
void control_send(struct control *c, uint64_t link, const struct ha_msg *m);
void control_close(struct control *c, uint64_t link);
/* Main thread: keep a link of ours to the primary's control port (attached as NODE); host "" = none. */
void control_dial(struct control *c, const struct addr *to);
/* Main thread: I turned; and I am well or not. Called at the beginning of each turn and before a command that was asked for. */
void control_alive(struct control *c, bool well);
size_t control_links(const struct control *c);             /* for INFO */

#endif
