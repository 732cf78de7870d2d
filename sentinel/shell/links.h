/* One link per thing the quiet room names: the command link and the subscribed link of a
 * node, the link to a peer. Actions go out, replies come back as events. */
#ifndef KV_SENTINEL_LINKS_H
#define KV_SENTINEL_LINKS_H

#include "common/base/str.h"
#include "sentinel/core/action.h"

#include <stdbool.h>
#include <stddef.h>

struct shell;
struct links;
struct redisReply;
struct resp_link;
struct resp_link_opts;

struct links *links_new(struct shell *sh);
void links_free(struct links *all);
/* ACT_LINK_*, ACT_PING, ACT_INFO, ACT_HELLO, ACT_ASK, ACT_PROMOTE, ACT_REPOINT, ACT_HAND_OVER,
 * ACT_CALL_BACK, ACT_KEEP, ACT_SCRIPT_KILL. */
void links_do(struct links *all, const struct action *a);
/* Passwords or renamed commands of a group changed: its links are made anew. group 0: those to peers. */
void links_new_auth(struct links *all, core_id group);
/* For views: commands on their way, how many groups share the link (1, or 2 with pub/sub: as SENTINEL
 * MASTERS shows link-refcount), whether it is up. */
size_t links_pending(const struct links *all, struct link_ref ref);
size_t links_up(const struct links *all);
size_t links_count(const struct links *all);

/* To a peer: one command whose answer is +OK or an error that is logged. false: there is no link now. */
bool links_to_peer(struct links *all, core_id peer, int argc, const struct slice *argv);
void links_hurry_peer(struct links *all, core_id peer);     /* what was said to it leaves now, not at the end of the turn */
/* For others' connections: how we reach a node, who we say we are (AUTH and CLIENT SETNAME sentinel-<id>-<what>; group 0:
 * to a sentinel; `answered` hears of the AUTH, may be NULL), and what an answer to PING means. */
void links_dial(const struct links *all, const struct addr *to, struct resp_link_opts *o);
void links_greet(struct shell *sh, core_id group, struct resp_link *k, const char *what,
                 void (*answered)(void *arg, const struct redisReply *r), void *arg);
enum pong links_pong(const struct redisReply *r);
/* Our own address as some peer or node sees it; false: no link is up. */
bool links_local_ip(const struct links *all, char ip[ADDR_HOST_MAX]);

/* The error with which a node that lives refuses us (NOAUTH, WRONGPASS, NOPERM), NULL: it does not. */
const char *links_denied(const struct links *all, core_id node);
/* What a failover would lack there: "ok", a list, or "" while it is not known (rights.h). */
const char *links_rights(const struct links *all, core_id node);
/* It would not let us make it the primary. */
bool links_forbid_order(const struct links *all, core_id node);
/* The last INFO text of a node and when it came; *at_ms is 0 if there is none. Good until the next turn. */
struct slice links_info_text(const struct links *all, core_id node, int64_t *at_ms);

#endif
