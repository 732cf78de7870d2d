/* The printable name of every enum value of this room: one table each, used by the log,
 * the traces, the docs and the tests. Never NULL; a value outside gives "?". */
#ifndef KV_SENTINEL_NAMES_H
#define KV_SENTINEL_NAMES_H

#include "sentinel/core/action.h"

const char *event_kind_name(enum event_kind k);      /* "link-down" */
const char *action_kind_name(enum action_kind k);    /* "repoint" */
const char *news_name(enum news n);                  /* "+switch-master" */
const char *fo_state_name(enum fo_state s);          /* "bidding" */
/* The `failover-state` field of SENTINEL MASTER; NULL in FO_IDLE and FO_WAITING, when the field is not there. */
const char *fo_state_wire_name(enum fo_state s);     /* "wait_start" */
const char *link_kind_name(enum link_kind k);        /* "cmd" */
const char *link_how_name(enum link_how h);          /* "refused" */
const char *pong_name(enum pong p);
const char *node_role_name(enum node_role r);        /* "primary" */
const char *node_role_wire_name(enum node_role r);   /* "master", "slave" */
const char *reconf_name(enum reconf r);
const char *refusal_name(enum refusal r);            /* "priority-zero" */
const char *group_opt_name(enum group_opt o);        /* as SENTINEL SET spells it */
const char *order_name(enum order o);

#endif
