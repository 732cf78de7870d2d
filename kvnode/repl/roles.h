/* Where the node's role meets the node: events go to kvnode/role, its orders are carried out
 * here, in their order, before the next event. Nobody else steps the role. */
#ifndef KV_REPL_ROLES_H
#define KV_REPL_ROLES_H

#include "common/base/addr.h"
#include "kvnode/role/role.h"

struct server;

void roles_init(struct server *srv);             /* makes srv->role, srv->feed (with history and backlog), srv->follow */
void roles_fini(struct server *srv);
/* At start, before the data set is read: follow whom the options name, or stand still when bound to a formed group
 * (whatever the options say, R10). INFO then says so from the first
 * moment; the link itself waits until loading is over. */
void roles_start(struct server *srv);

void roles_tell(struct server *srv, const struct role_event *ev);
/* REPLICAOF. Sets opt.replicaof too, so that CONFIG REWRITE writes it. */
void roles_follow(struct server *srv, const struct addr *to);
void roles_lead(struct server *srv);
/* Options changed: gates, ping period, backlog size, announcements. */
void roles_settings(struct server *srv);

#endif
