/* Where the node's half of a formed group meets the node. `struct member` (kvnode/role) is
 * told what happened; its orders are carried out here, in their order, before the next event.
 * Nobody else steps it.
 *
 * Two threads: commands run on the main thread; a small control thread holds the links of
 * sentinels and of our replicas' control connections (control.h). The member stands behind one
 * short lock. The main thread tells it almost everything and carries its orders out. The
 * control thread hands what it hears to the main thread; only while the main thread is stuck
 * in one command, for no longer than stall-max, does it step the member itself, with the two
 * events that keep a lease alive (a renewal is due, an answer to one came). An order that
 * needs the main thread is then owed: it is carried out first when that comes back, and
 * whatever follows it is owed too.
 *
 * A node of no group pays for one flag. All functions: main thread, unless said. */
#ifndef KV_HA_HA_H
#define KV_HA_HA_H

#include "common/base/err.h"
#include "common/base/str.h"
#include "kvnode/role/member.h"

struct server;
struct session;

/* Before roles_init: makes srv->ha, empty. */
void ha_init(struct server *srv);
/* The data set is loaded and the life is proved: the member begins from record_facts, the control thread starts.
 * A bound node is fenced from here on, whatever its configuration says. */
int  ha_start(struct server *srv, struct err *e);
void ha_fini(struct server *srv);

/* One event, and everything that comes of it. Inside an order being carried out: kept until that list is through.
 * true: ME_STREAM or ME_FULL_COPY was refused. */
bool ha_tell(struct server *srv, const struct member_event *ev);
/* Numbers for links of replication (ME_REPLICA_UP, ME_STREAM): never 0, never again. */
uint64_t ha_new_link(struct server *srv);

/* Bound to a group, or waiting for one: plain orders are refused, writes ask for the lease. */
bool ha_bound(const struct server *srv);
/* May a command run now? Asked before each (a write, a read); NULL = yes, else the whole error line. */
const char *ha_refusal(struct server *srv, bool write);
/* prefer, strict: what a command answers waits until the log is confirmed up to where it stood then. */
bool ha_holds_replies(const struct server *srv);
/* Asked when held replies are about to leave: has the lease held until now? (R7) */
bool ha_lease_valid(struct server *srv);
bool ha_takes_plain_orders(const struct server *srv);      /* REPLICAOF by hand */
bool ha_may_append(const struct server *srv);              /* may anything be added to our log now? (a frozen log takes no DEL of an expired key) */
/* May our log leave us: as a primary's stream (0), or as the tail for a FETCH of that ballot? */
bool ha_feeds(const struct server *srv, uint64_t fetch_ballot);
const struct member *ha_member_of(const struct server *srv);     /* for INFO, HA STATUS, greetings; the lock is not needed on the main thread */

/* The primary that we follow greeted: its member id, and the port where it takes control links (0: it did not say).
 * ME_ROLE comes of it, and our control link to it. */
void ha_primary_is(struct server *srv, const char *id, uint16_t ha_port);
/* We follow nobody any more, or its greeting ended: no control link. */
void ha_primary_gone(struct server *srv);

/* The end of the log moved (our own writes, or applied ones): told to the member once, at the end of the turn. */
void ha_log_moved(struct server *srv);

/* SIGTERM or SHUTDOWN of a primary: asks for a hand-over. true: one is awaited, server_shutdown goes on when the
 * node is no primary any more or after the time it has anyhow (shutdown-timeout). */
bool ha_leave(struct server *srv);
/* SHUTDOWN ABORT: it stays after all. */
void ha_stay(struct server *srv);
/* T9: the keepalive of clients' connections, no longer than the group waits before it replaces us. */
int64_t ha_keepalive_s(const struct server *srv, int64_t configured_s);
/* The process ends with this turn: a node of a formed group executes nothing more (its listeners close: R2c). */
void ha_over(struct server *srv);

/* Is this process the primary of an epoch, or about to be (unproved)? */
bool ha_is_primary(const struct server *srv);
uint16_t ha_port(const struct server *srv);                /* where control links come to; 0: nowhere */

/* For metrics. Lease: what is left of it, -1000 = none, or none needed; confirmed: -1 = no primary. */
enum member_phase ha_phase(const struct server *srv);
int64_t ha_lease_left_ms(const struct server *srv);
int64_t ha_confirmed(const struct server *srv);
size_t ha_control_links(const struct server *srv);

/* INFO's section "ha", the fields ha_port, ha_group_id ... of INFO replication, and HA STATUS. */
struct str;
struct reply;
void ha_info(struct server *srv, struct str *out);
void ha_info_replication(struct server *srv, struct str *out);
void ha_put_status(struct server *srv, struct reply *r);

/* HA ATTACH: NULL, or the error line. Then the session's connection goes to the control thread after this turn. */
const char *ha_attach(struct server *srv, struct session *s, struct slice group, bool voter, const char *id, uint64_t life);

#endif
