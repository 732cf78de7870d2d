/* Control links to nodes that speak HA (kvnode): one per node, opened when its INFO says
 * ha_port. On it run the heartbeat of the health check, for a kvnode answers PING there even
 * while its command thread is busy, and every message of a formed group.
 *
 *     we:    AUTH ...
 *            HA ATTACH <group> VOTER <my id> <my life of that group>
 *     node:  message ha <line>         its HA_STATUS first: it says who it is; then whatever it has to say
 *     we:    HA MSG <line> [<line> ...]                 -> +OK, or -ERR what is wrong with a line
 *            PING                                       -> +PONG
 *
 * <line>: common/text/ha_text.h. What the node says unasked is an array of three bulk
 * strings, as a pub/sub message is. A group that is plain attaches too, with life 0. */
#ifndef KV_SENTINEL_HA_LINKS_H
#define KV_SENTINEL_HA_LINKS_H

#include "common/base/ha.h"
#include "sentinel/core/model.h"

struct shell;
struct ha_links;

struct ha_links *ha_links_new(struct shell *sh);
void ha_links_free(struct ha_links *all);
/* INFO of a node named its control port (0: none, stock): keep a link there, or none. */
void ha_links_want(struct ha_links *all, core_id node, const struct addr *to);
void ha_links_close(struct ha_links *all, core_id node);
void ha_links_hurry(struct ha_links *all);          /* what was to be said at the end of the turn leaves now */
void ha_links_send(struct ha_links *all, core_id node, const struct ha_msg *m);    /* leaves at the end of the turn */
bool ha_links_up(const struct ha_links *all, core_id node);
/* It was up, closed, and since then a connect was refused: the process is gone. */
bool ha_links_refused(const struct ha_links *all, core_id node);
/* The member id that a node said; "" = not yet. */
const char *ha_links_member_id(const struct ha_links *all, core_id node);
/* A group became formed: its links say the life anew. */
void ha_links_attach_again(struct ha_links *all, core_id group);
/* PING over the control link instead of the command link; false: there is none, use the other. EV_PONG comes of it. */
bool ha_links_ping(struct ha_links *all, core_id node);

#endif
