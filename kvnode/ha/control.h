/* The control thread: links on which messages of formed groups travel, held apart from the
 * thread that runs commands, so that a slow command makes a node neither silent nor dead.
 *
 * A link begins as a client of the RESP server (on the client port, or on ha-port): AUTH and
 * ACL as for any. `HA ATTACH` is answered +OK, its descriptor is taken away and given to this
 * thread; the first thing said there is our HA_STATUS. From then on it knows three requests only:
 *     PING                              -> +PONG, as long as the main thread began something within stall-max and is well
 *     HA MSG <line> [<line> ...]        -> +OK, or -ERR about the first line that is wrong (those before it were taken)
 *     QUIT                              -> +OK
 * and may be told, unasked, `message ha <line>`. More, or more than CONTROL_LINE_MAX bytes in one request: -ERR, close.
 * Answers keep their order: a PONG that may not be said yet, and every answer behind it, wait until the main thread is
 * well again (what is said unasked does not wait). A line must be from the id that attached.
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

/* The thread runs when it returns 0. */
int  control_start(struct server *srv, struct control **out, struct err *e);
void control_stop(struct control *c);

/* Main thread: a client said HA ATTACH; fd is taken. bytes: what had arrived behind it. Its number is `link`. */
void control_adopt(struct control *c, int fd, uint64_t link, bool voter, const char *id, const void *bytes, size_t n);
/* Either thread: to a link, any order; leaves at once. Unknown links swallow it. */
void control_send(struct control *c, uint64_t link, const struct ha_msg *m);
void control_close(struct control *c, uint64_t link);
/* Main thread: keep a link of ours to the primary's control port (attached as NODE <id> <life> of group gid), known as
 * `link`; host "" = none. What it was before ends. */
void control_dial(struct control *c, uint64_t link, const struct addr *to, uint64_t gid, const char *id, uint64_t life);
/* Main thread: I am well or not. That it lives is seen from srv->turned_us. */
void control_alive(struct control *c, bool well);
size_t control_links(const struct control *c);             /* attached ones, for INFO */

#endif
