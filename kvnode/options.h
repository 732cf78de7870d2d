/* The values of kvnode's directives; options.c has the rows. */
#ifndef KV_OPTIONS_H
#define KV_OPTIONS_H

#include "common/base/addr.h"
#include "common/base/vec.h"
#include "common/text/acl_lines.h"
#include "common/text/option.h"

struct save_point { int64_t seconds, changes; };
struct out_limit { int64_t hard, soft, soft_s; };
struct command_alias { char *from, *to; };

#define BIND_MAX 16
enum switch3 { SW_NO, SW_LOCAL, SW_YES };
enum ha_read { HA_READ_COMMITTED, HA_READ_LEASED, HA_READ_DIRTY };     /* client/held.h */

struct kv_options {
    /* network */
    int64_t port, tcp_backlog, timeout_s, tcp_keepalive_s, maxclients, http_port;
    char *http_bind;
    VEC(char *) bind;
    char *unixsocket;
    int  unixsocketperm;
    bool protected_mode;
    char *bind_source_addr;
    /* process */
    bool daemonize, syslog_enabled, always_show_logo, crash_log_enabled;
    char *pidfile, *logfile, *syslog_ident, *dir;
    char *state_dir;                     /* NULL: CONFIG REWRITE writes the configuration file */
    int  loglevel;
    int64_t databases, hz;
    int64_t shutdown_timeout_s;
    /* security */
    char *requirepass;
    struct acl_lines users;              /* the `user` lines */
    char *aclfile;                       /* or NULL */
    int  acl_pubsub_default;             /* 1: fresh users may use all channels */
    int64_t acllog_max_len;
    int  enable_debug_command, enable_protected_configs, enable_module_command;    /* enum switch3 */
    VEC(struct command_alias) renames;
    /* persistence */
    VEC(struct save_point) save;
    char *dbfilename;
    bool rdbcompression, rdbchecksum, stop_writes_on_bgsave_error, rdb_del_sync_files, rdb_save_incremental_fsync;
    int64_t rdb_key_save_delay_us, key_load_delay_us, loading_process_events_interval_bytes;
    /* replication */
    struct addr replicaof;               /* host empty: none */
    char *masterauth, *masteruser;
    bool replica_serve_stale_data, replica_read_only, repl_diskless_sync, repl_disable_tcp_nodelay;
    bool replica_announced, replica_ignore_disk_write_errors, replica_ignore_maxmemory;
    int  repl_diskless_load;             /* 0 disabled, 1 on-empty-db, 2 swapdb */
    int64_t repl_diskless_sync_delay_s, repl_diskless_sync_max_replicas;
    int64_t repl_ping_replica_period_s, repl_timeout_s, repl_backlog_size, repl_backlog_ttl_s;
    int64_t replica_priority, min_replicas_to_write, min_replicas_max_lag_s;
    char *replica_announce_ip;
    int64_t replica_announce_port;
    /* formed groups */
    char *ha_group;                      /* NULL: none is waited for; "yes": any; else the name sentinels give it */
    int64_t ha_port;                     /* 0: control links come to the client port */
    int64_t stall_max_ms;                /* 0: however long a command takes, the node is not called stuck; -1: twice its group's down-after */
    int64_t sync_timeout_ms;             /* 0: as long as the lease */
    int  ha_read;                        /* enum ha_read */
    /* limits */
    int64_t maxmemory, client_query_buffer_limit, proto_max_bulk_len;
    struct out_limit out_limit[3];       /* by enum session_class */
    /* data types */
    int64_t hash_max_listpack_entries, hash_max_listpack_value;
    /* lazy freeing */
    bool lazyfree_lazy_eviction, lazyfree_lazy_user_del, lazyfree_lazy_user_flush, lazyfree_lazy_expire, lazyfree_lazy_server_del;
    bool replica_lazy_flush;
    /* looking inside */
    int64_t slowlog_log_slower_than_us, slowlog_max_len;
    int  notify_events;                  /* enum event_class */
    int64_t tracking_table_max_keys;
};

extern const struct option_table kv_option_table;
void kv_options_free(struct kv_options *o);

#endif
