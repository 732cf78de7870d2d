/* The second table: every directive a sentinel's file may hold. Those of Redis that only
 * a data node cares about are accepted with one warning, because people share files; those
 * that promise something that is not there are refused. */
#include "sentinel/shell/options.h"

#include "common/io/log.h"
#include "common/text/conf_lex.h"
#include "sentinel/shell/commands.h"

#include <stddef.h>
#include <string.h>

#define AT(field) offsetof(struct sentinel_options, field)

static const struct option_word loglevels[] = {
    {"debug", LOG_LEVEL_DEBUG}, {"verbose", LOG_LEVEL_VERBOSE}, {"notice", LOG_LEVEL_NOTICE},
    {"warning", LOG_LEVEL_WARNING}, {"nothing", LOG_LEVEL_ERROR}, {NULL, 0}};
static const struct option_word guarded[] = {{"no", 0}, {"yes", 1}, {"local", 2}, {NULL, 0}};

static const struct option_word acl_channels[] = {{"resetchannels", 0}, {"allchannels", 1}, {NULL, 0}};

static int set_bind(void *base, int argc, const struct slice *argv, bool fresh, struct err *e)
{
    struct sentinel_options *o = base;

    (void)fresh;
    if (argc == 0 || argc > 16)
        return err_set(e, ERR_FORMAT, "bind takes 1 to 16 addresses");
    for (size_t i = 0; i < o->bind.n; i++)
        mem_free(o->bind.at[i]);
    vec_clear(&o->bind);
    for (int i = 0; i < argc; i++)
        if (argv[i].len > 0)
            vec_push(&o->bind, mem_strndup(argv[i].p, argv[i].len));
    o->bind_is_default = false;
    return 0;
}

static void get_bind(const void *base, struct str *out)
{
    const struct sentinel_options *o = base;

    for (size_t i = 0; i < o->bind.n; i++)
        str_printf(out, "%s%s", i ? " " : "", o->bind.at[i]);
}

static int set_sentinel(void *base, int argc, const struct slice *argv, bool fresh, struct err *e)
{
    (void)fresh;
    if (argc == 0)       /* `--sentinel`, as in `redis-server FILE --sentinel` */
        return 0;
    return sentinel_conf_line(&((struct sentinel_options *)base)->sentinel, argc, argv, e);
}

static int set_user(void *base, int argc, const struct slice *argv, bool fresh, struct err *e)
{
    struct sentinel_options *o = base;

    if (fresh)
        acl_lines_clear(&o->users);
    return acl_lines_add(&o->users, argc, argv, sentinel_commands, e);
}

static void get_nothing(const void *base, struct str *out)
{
    (void)base;
    (void)out;
}

#define TUNES(name) {name, OPT_IGNORED, 0, .summary = "Of Redis; accepted, not used by a sentinel."}
#define NOT_YET(name, fine) {name, OPT_REFUSED, 0, .dflt = fine, .summary = "Of Redis; not supported yet."}

static const struct option rows[] = {
    {"port", OPT_INT, AT(port), 0, 65535, "26379", OPT_FIXED, .summary = "TCP port that clients and other sentinels use."},
    {"bind", OPT_CUSTOM, 0, .flags = OPT_FIXED, .set = set_bind, .get = get_bind,
     .summary = "Addresses to listen on; a leading '-' means: fine if it is not there. Default: all."},
    {"tcp-backlog", OPT_INT, AT(tcp_backlog), 1, 65535, "511", OPT_FIXED, .summary = "Connections the kernel keeps waiting."},
    {"tcp-keepalive", OPT_INT, AT(tcp_keepalive_s), 0, 86400, "300", OPT_FIXED, .unit = "seconds", .summary = "Idle time before a client is probed."},
    {"timeout", OPT_MS, AT(timeout_ms), 0, INT32_MAX, "0", OPT_FIXED, .unit_ms = 1000, .unit = "seconds",
     .summary = "Close clients that are idle for so long (0: never)."},
    {"maxclients", OPT_INT, AT(max_clients), 1, 1000000, "10000", OPT_FIXED, .summary = "How many clients may be connected at once."},
    {"unixsocket", OPT_STR, AT(unix_path), .flags = OPT_FIXED | OPT_EMPTY_IS_NULL, .summary = "Path of a socket to listen on as well."},
    {"unixsocketperm", OPT_PERM, AT(unix_mode), 0, 0777, "0", OPT_FIXED, .summary = "Its mode."},
    {"protected-mode", OPT_BOOL, AT(protected_mode), .dflt = "no", .flags = OPT_FIXED,
     .summary = "Refuse clients from elsewhere when neither a password nor an address is set."},
    {"requirepass", OPT_STR, AT(password), .flags = OPT_FIXED | OPT_SECRET | OPT_EMPTY_IS_NULL,
     .summary = "Password that clients and other sentinels must give."},
    {"dir", OPT_STR, AT(dir), .flags = OPT_FIXED | OPT_EMPTY_IS_NULL, .summary = "Folder that is entered first; other relative paths start there."},
    {"logfile", OPT_STR, AT(logfile), .flags = OPT_FIXED | OPT_EMPTY_IS_NULL, .summary = "Log file; empty is standard output."},
    {"loglevel", OPT_WORD, AT(loglevel), .dflt = "notice", .words = loglevels, .summary = "How much is logged."},
    {"pidfile", OPT_STR, AT(pidfile), .flags = OPT_FIXED | OPT_EMPTY_IS_NULL, .summary = "File that holds the process id while it runs."},
    {"daemonize", OPT_BOOL, AT(daemonize), .dflt = "no", .flags = OPT_FIXED, .summary = "Go to the background."},
    {"syslog-enabled", OPT_BOOL, AT(syslog_enabled), .dflt = "no", .flags = OPT_FIXED, .summary = "Log to syslog too."},
    {"syslog-ident", OPT_STR, AT(syslog_ident), .dflt = "kvorum-sentinel", .flags = OPT_FIXED, .summary = "Name used there."},
    {"state-dir", OPT_STR, AT(state_dir), .flags = OPT_FIXED | OPT_EMPTY_IS_NULL,
     .summary = "Folder for what the sentinel learns (votes, epochs, nodes). Without it the configuration file is rewritten."},
    {"http-port", OPT_INT, AT(http_port), 0, 65535, "0", OPT_FIXED, .summary = "Port of /healthz, /livez, /metrics and /status (0: off)."},
    {"http-bind", OPT_STR, AT(http_bind), .dflt = "127.0.0.1", .flags = OPT_FIXED, .summary = "Address of that port."},
    {"enable-debug-command", OPT_WORD, AT(enable_debug_command), .dflt = "no", .words = guarded, .flags = OPT_FIXED,
     .summary = "Allow DEBUG; a sentinel has no such command, SENTINEL DEBUG is always allowed."},
    {"enable-protected-configs", OPT_WORD, AT(enable_protected_configs), .dflt = "no", .words = guarded, .flags = OPT_FIXED,
     .summary = "Accepted for the sake of shared files."},
    {"sentinel", OPT_CUSTOM, 0, .flags = OPT_MULTI | OPT_NO_REWRITE, .set = set_sentinel, .get = get_nothing,
     .summary = "Groups and what is known about them: see the settings of a group."},
    {"user", OPT_CUSTOM, 0, .flags = OPT_MULTI | OPT_NO_REWRITE, .set = set_user, .get = get_nothing,
     .summary = "A user and its rules, as ACL SETUSER takes them; instead of aclfile."},
    {"aclfile", OPT_STR, AT(aclfile), .flags = OPT_FIXED | OPT_EMPTY_IS_NULL,
     .summary = "File with all users, read at start and by ACL LOAD, written by ACL SAVE."},
    {"acl-pubsub-default", OPT_WORD, AT(acl_pubsub_default), .dflt = "resetchannels", .words = acl_channels, .flags = OPT_FIXED,
     .summary = "What channels a fresh user may use."},
    {"acllog-max-len", OPT_INT, AT(acllog_max_len), 0, 1000000, "128", OPT_FIXED, .summary = "How many refusals ACL LOG keeps."},
    {"replay-switch-master", OPT_BOOL, AT(replay_switch_master), .dflt = "yes", .flags = OPT_FIXED,
     .summary = "Who begins to listen to +switch-master is told the last one of each group."},
    NOT_YET("tls-port", "0"), NOT_YET("tls-replication", "no"), NOT_YET("tls-cluster", "no"),
    NOT_YET("tls-cert-file", "\"\""), NOT_YET("tls-key-file", "\"\""), NOT_YET("tls-ca-cert-file", "\"\""),
    NOT_YET("tls-ca-cert-dir", "\"\""), NOT_YET("tls-client-cert-file", "\"\""), NOT_YET("tls-client-key-file", "\"\""), NOT_YET("tls-client-key-file-pass", "\"\""), NOT_YET("tls-dh-params-file", "\"\""), NOT_YET("tls-key-file-pass", "\"\""),
    NOT_YET("tls-auth-clients", "no"), NOT_YET("cluster-enabled", "no"),
    NOT_YET("loadmodule", NULL), NOT_YET("appendonly", "no"), NOT_YET("replicaof", NULL), NOT_YET("slaveof", NULL),
    NOT_YET("rename-command", NULL),
    TUNES("active-defrag-cycle-max"), TUNES("active-defrag-cycle-min"), TUNES("active-defrag-ignore-bytes"),
    TUNES("active-defrag-max-scan-fields"), TUNES("active-defrag-threshold-lower"), TUNES("active-defrag-threshold-upper"),
    TUNES("active-expire-effort"), TUNES("activedefrag"), TUNES("activerehashing"), TUNES("always-show-logo"),
    TUNES("aof-disable-auto-gc"), TUNES("aof-load-truncated"), TUNES("aof-rewrite-incremental-fsync"),
    TUNES("aof-timestamp-enabled"), TUNES("aof-use-rdb-preamble"), TUNES("aof_rewrite_cpulist"), TUNES("appenddirname"),
    TUNES("appendfilename"), TUNES("appendfsync"), TUNES("auto-aof-rewrite-min-size"), TUNES("auto-aof-rewrite-percentage"),
    TUNES("bgsave_cpulist"), TUNES("bind-source-addr"), TUNES("bio_cpulist"), TUNES("busy-reply-threshold"),
    TUNES("client-output-buffer-limit"), TUNES("client-query-buffer-limit"), TUNES("cluster-allow-pubsubshard-when-down"),
    TUNES("cluster-allow-reads-when-down"), TUNES("cluster-allow-replica-migration"), TUNES("cluster-announce-bus-port"),
    TUNES("cluster-announce-hostname"), TUNES("cluster-announce-ip"), TUNES("cluster-announce-port"),
    TUNES("cluster-announce-tls-port"), TUNES("cluster-config-file"), TUNES("cluster-link-sendbuf-limit"),
    TUNES("cluster-migration-barrier"), TUNES("cluster-node-timeout"), TUNES("cluster-ping-interval"),
    TUNES("cluster-port"), TUNES("cluster-preferred-endpoint-type"), TUNES("cluster-replica-no-failover"),
    TUNES("cluster-replica-validity-factor"), TUNES("cluster-require-full-coverage"), TUNES("cluster-slave-no-failover"),
    TUNES("cluster-slave-validity-factor"), TUNES("crash-log-enabled"), TUNES("crash-memcheck-enabled"), TUNES("databases"),
    TUNES("dbfilename"), TUNES("disable-thp"), TUNES("dynamic-hz"), TUNES("enable-module-command"),
    TUNES("hash-max-listpack-entries"), TUNES("hash-max-listpack-value"), TUNES("hash-max-ziplist-entries"),
    TUNES("hash-max-ziplist-value"), TUNES("hll-sparse-max-bytes"), TUNES("hz"), TUNES("ignore-warnings"),
    TUNES("io-threads"), TUNES("io-threads-do-reads"), TUNES("jemalloc-bg-thread"), TUNES("key-load-delay"),
    TUNES("latency-monitor-threshold"), TUNES("latency-tracking"), TUNES("latency-tracking-info-percentiles"),
    TUNES("lazyfree-lazy-eviction"), TUNES("lazyfree-lazy-expire"), TUNES("lazyfree-lazy-server-del"),
    TUNES("lazyfree-lazy-user-del"), TUNES("lazyfree-lazy-user-flush"), TUNES("lfu-decay-time"), TUNES("lfu-log-factor"),
    TUNES("list-compress-depth"), TUNES("list-max-listpack-size"), TUNES("list-max-ziplist-size"),
    TUNES("loading-process-events-interval-bytes"), TUNES("locale-collate"), TUNES("lua-replicate-commands"),
    TUNES("lua-time-limit"), TUNES("masterauth"), TUNES("masteruser"), TUNES("maxmemory"), TUNES("maxmemory-clients"),
    TUNES("maxmemory-eviction-tenacity"), TUNES("maxmemory-policy"), TUNES("maxmemory-samples"),
    TUNES("min-replicas-max-lag"), TUNES("min-replicas-to-write"), TUNES("min-slaves-max-lag"),
    TUNES("min-slaves-to-write"), TUNES("no-appendfsync-on-rewrite"), TUNES("notify-keyspace-events"),
    TUNES("oom-score-adj"), TUNES("oom-score-adj-values"), TUNES("primaryauth"), TUNES("primaryuser"),
    TUNES("proc-title-template"), TUNES("propagation-error-behavior"), TUNES("proto-max-bulk-len"),
    TUNES("rdb-del-sync-files"), TUNES("rdb-key-save-delay"), TUNES("rdb-save-incremental-fsync"), TUNES("rdbchecksum"),
    TUNES("rdbcompression"), TUNES("repl-backlog-size"), TUNES("repl-backlog-ttl"), TUNES("repl-disable-tcp-nodelay"),
    TUNES("repl-diskless-load"), TUNES("repl-diskless-sync"), TUNES("repl-diskless-sync-delay"),
    TUNES("repl-diskless-sync-max-replicas"), TUNES("repl-ping-replica-period"), TUNES("repl-ping-slave-period"),
    TUNES("repl-timeout"), TUNES("replica-announce-ip"), TUNES("replica-announce-port"), TUNES("replica-announced"),
    TUNES("replica-ignore-disk-write-errors"), TUNES("replica-ignore-maxmemory"), TUNES("replica-lazy-flush"),
    TUNES("replica-priority"), TUNES("replica-read-only"), TUNES("replica-serve-stale-data"),
    TUNES("sanitize-dump-payload"), TUNES("save"), TUNES("server_cpulist"), TUNES("set-max-intset-entries"),
    TUNES("set-proc-title"), TUNES("shutdown-on-sigint"), TUNES("shutdown-on-sigterm"), TUNES("shutdown-timeout"),
    TUNES("slave-announce-ip"), TUNES("slave-announce-port"), TUNES("slave-ignore-maxmemory"), TUNES("slave-lazy-flush"),
    TUNES("slave-priority"), TUNES("slave-read-only"), TUNES("slave-serve-stale-data"), TUNES("slowlog-log-slower-than"),
    TUNES("slowlog-max-len"), TUNES("socket-mark-id"), TUNES("stop-writes-on-bgsave-error"), TUNES("stream-node-max-bytes"),
    TUNES("stream-node-max-entries"), TUNES("supervised"), TUNES("syslog-facility"), TUNES("tls-ciphers"),
    TUNES("tls-ciphersuites"), TUNES("tls-prefer-server-ciphers"), TUNES("tls-protocols"), TUNES("tls-session-cache-size"),
    TUNES("tls-session-cache-timeout"), TUNES("tls-session-caching"), TUNES("tracking-table-max-keys"),
    TUNES("use-exit-on-panic"), TUNES("watchdog-period"), TUNES("zset-max-listpack-entries"),
    TUNES("zset-max-listpack-value"), TUNES("zset-max-ziplist-entries"), TUNES("zset-max-ziplist-value"),
};
const struct option_table sentinel_option_table = {rows, sizeof rows / sizeof rows[0]};

int sentinel_options_check(void *base, struct err *e)
{
    struct sentinel_options *o = base;

    if (o->port == 0 && !o->unix_path)
        return err_set(e, ERR_RANGE, "'port' is 0 and there is no 'unixsocket': nobody could talk to this sentinel");
    return sentinel_conf_check(&o->sentinel, e);
}

void sentinel_options_fini(struct sentinel_options *o)
{
    for (size_t i = 0; i < o->bind.n; i++)
        mem_free(o->bind.at[i]);
    vec_fini(&o->bind);
    acl_lines_clear(&o->users);
    sentinel_conf_fini(&o->sentinel);
    option_free(&sentinel_option_table, o);
}
