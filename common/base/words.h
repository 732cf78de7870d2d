/* Words that two programs say to each other. Each list is written once, here. */
#ifndef KV_BASE_WORDS_H
#define KV_BASE_WORDS_H

#define HELLO_CHANNEL "__sentinel__:hello"
#define TRACKING_CHANNEL "__redis__:invalidate"

#define ID_HEX 40                    /* run ids, sentinel ids, replication ids: hex digits */
#define ID_MAX (ID_HEX + 1)

/* INFO fields that a node writes and a sentinel or an agent reads. */
#define INFO_RUN_ID "run_id"
#define INFO_ROLE "role"
#define INFO_MASTER_HOST "master_host"
#define INFO_MASTER_PORT "master_port"
#define INFO_MASTER_LINK_STATUS "master_link_status"
#define INFO_MASTER_LINK_DOWN_SINCE "master_link_down_since_seconds"
#define INFO_SLAVE_PRIORITY "slave_priority"
#define INFO_SLAVE_REPL_OFFSET "slave_repl_offset"
#define INFO_REPLICA_ANNOUNCED "replica_announced"
#define INFO_MASTER_REPL_OFFSET "master_repl_offset"
#define INFO_MASTER_REPLID "master_replid"
#define INFO_MASTER_REPLID2 "master_replid2"
#define INFO_SECOND_REPL_OFFSET "second_repl_offset"
#define INFO_LOADING "loading"
#define INFO_FAILOVER_STATE "master_failover_state"
#define INFO_KVORUM_VERSION "kvorum_version"
#define INFO_HA_PORT "ha_port"
#define INFO_HA_STATE "ha_state"
#define WORD_HA_PLAIN "plain"             /* ... of a node that is bound to no formed group and waits for none */

/* Roles: said on the wire as Redis says them. */
#define WORD_MASTER "master"
#define WORD_SLAVE "slave"

/* The server version we answer as, for clients that choose features by it. */
#define COMPAT_VERSION "7.0.15"
#define KVORUM_VERSION "0.1.0"

#endif
