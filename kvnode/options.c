/* The directives of kvnode: those of redis.conf 7.0, and a few of our own. One row each; what a row
 * says is what the file, the command line, CONFIG, the docs and kvnode.conf say.
 *
 * TUNES rows are known to redis.conf and only tune something that kvnode does another way: accepted
 * with a warning. NOT_YET rows promise something that kvnode does not do yet: refused, but for the
 * values that promise nothing. */
#include "kvnode/options.h"

#include "common/base/mem.h"
#include "common/base/num.h"
#include "common/io/log.h"
#include "kvnode/call.h"
#include "kvnode/commands.h"

#include <stddef.h>
#include <string.h>

/* --- values that are more than one word --- */

/* CONFIG SET gives all in one argument, a file gives words: make words of both. */
struct words {
    struct slice at[256];
    int n;
};

static int split(int argc, const struct slice *argv, struct words *w, struct err *e)
{
    w->n = 0;
    for (int i = 0; i < argc; i++)
        for (size_t at = 0; at < argv[i].len;) {
            size_t end;

            while (at < argv[i].len && argv[i].p[at] == ' ')
                at++;
            for (end = at; end < argv[i].len && argv[i].p[end] != ' ';)
                end++;
            if (end == at)
                break;
            if (w->n == 256)
                return err_set(e, ERR_LIMIT, "more than 256 words");
            w->at[w->n++] = (struct slice){argv[i].p + at, end - at};
            at = end;
        }
    return 0;
}

static int set_save(void *base, int argc, const struct slice *argv, bool fresh, struct err *e)
{
    struct kv_options *o = base;
    struct words w;
    VEC(struct save_point) points = {0};
    int rc = split(argc, argv, &w, e);

    if (rc == 0 && w.n % 2 != 0)
        rc = err_set(e, ERR_FORMAT, "pairs of seconds and changes are wanted, or \"\"");
    for (int i = 0; rc == 0 && i < w.n; i += 2) {
        struct save_point p;

        if (!num_i64_in(w.at[i].p, w.at[i].len, 1, INT64_MAX / 2000, &p.seconds) ||
            !num_i64_in(w.at[i + 1].p, w.at[i + 1].len, 0, INT64_MAX, &p.changes))
            rc = err_set(e, ERR_RANGE, "Invalid save parameters");
        else
            vec_push(&points, p);
    }
    if (rc == 0) {
        if (fresh || w.n == 0)
            vec_clear(&o->save);
        for (size_t i = 0; i < points.n; i++)
            vec_push(&o->save, points.at[i]);
    }
    vec_fini(&points);
    return rc;
}

static void get_save(const void *base, struct str *out)
{
    const struct kv_options *o = base;

    for (size_t i = 0; i < o->save.n; i++)
        str_printf(out, "%s%lld %lld", i ? " " : "", (long long)o->save.at[i].seconds, (long long)o->save.at[i].changes);
}

static void lines_save(const void *base, void (*line)(void *arg, const char *text), void *arg)
{
    const struct kv_options *o = base;
    struct str s = {0};

    if (o->save.n == 0)
        line(arg, "\"\"");
    for (size_t i = 0; i < o->save.n; i++) {
        str_clear(&s);
        str_printf(&s, "%lld %lld", (long long)o->save.at[i].seconds, (long long)o->save.at[i].changes);
        line(arg, str_c(&s));
    }
    str_fini(&s);
}

static int set_bind(void *base, int argc, const struct slice *argv, bool fresh, struct err *e)
{
    struct kv_options *o = base;
    struct words w;
    int rc = split(argc, argv, &w, e);

    (void)fresh;
    if (rc != 0)
        return rc;
    if (w.n > BIND_MAX)
        return err_set(e, ERR_LIMIT, "Too many bind addresses specified.");
    for (size_t i = 0; i < o->bind.n; i++)
        mem_free(o->bind.at[i]);
    vec_clear(&o->bind);
    for (int i = 0; i < w.n; i++)
        vec_push(&o->bind, mem_strndup(w.at[i].p, w.at[i].len));
    return 0;
}

static void get_bind(const void *base, struct str *out)
{
    const struct kv_options *o = base;

    for (size_t i = 0; i < o->bind.n; i++)
        str_printf(out, "%s%s", i ? " " : "", o->bind.at[i]);
}

static const char *const out_names[3] = {"normal", "slave", "pubsub"};

static int out_class(struct slice s)
{
    if (slice_is_nocase(s, "replica"))
        return SESSION_REPLICA;
    for (int i = 0; i < 3; i++)
        if (slice_is_nocase(s, out_names[i]))
            return i;
    return -1;
}

static int set_out_limit(void *base, int argc, const struct slice *argv, bool fresh, struct err *e)
{
    struct kv_options *o = base;
    struct out_limit now[3];
    struct words w;
    int rc = split(argc, argv, &w, e);

    (void)fresh;
    if (rc != 0)
        return rc;
    if (w.n == 0 || w.n % 4 != 0)
        return err_set(e, ERR_FORMAT, "Wrong number of arguments in buffer limit configuration.");
    memcpy(now, o->out_limit, sizeof now);
    for (int i = 0; i < w.n; i += 4) {
        int c = out_class(w.at[i]);
        struct out_limit l;

        if (c < 0)
            return err_set(e, ERR_RANGE, "Invalid client class specified in buffer limit configuration.");
        if (!num_size(w.at[i + 1].p, w.at[i + 1].len, &l.hard) || !num_size(w.at[i + 2].p, w.at[i + 2].len, &l.soft) ||
            !num_i64_in(w.at[i + 3].p, w.at[i + 3].len, 0, INT32_MAX, &l.soft_s))
            return err_set(e, ERR_RANGE, "Error in hard, soft or soft_seconds setting in buffer limit configuration.");
        now[c] = l;
    }
    memcpy(o->out_limit, now, sizeof now);
    return 0;
}

static void put_out_limit(const struct kv_options *o, int i, struct str *out)
{
    const struct out_limit *l = &o->out_limit[i];

    str_printf(out, "%s %lld %lld %lld", out_names[i], (long long)l->hard, (long long)l->soft, (long long)l->soft_s);
}

static void get_out_limit(const void *base, struct str *out)
{
    for (int i = 0; i < 3; i++) {
        if (i)
            str_append_c(out, ' ');
        put_out_limit(base, i, out);
    }
}

static void lines_out_limit(const void *base, void (*line)(void *arg, const char *text), void *arg)
{
    struct str s = {0};

    for (int i = 0; i < 3; i++) {
        str_clear(&s);
        put_out_limit(base, i, &s);
        line(arg, str_c(&s));
    }
    str_fini(&s);
}

static const struct { char letter; int class; } event_letters[] = {
    {'g', EVENT_GENERIC}, {'$', EVENT_STRING}, {'l', EVENT_LIST}, {'s', EVENT_SET}, {'h', EVENT_HASH},
    {'z', EVENT_ZSET}, {'x', EVENT_EXPIRED}, {'e', EVENT_EVICTED}, {'t', EVENT_STREAM}, {'d', EVENT_MODULE},
    {'K', EVENT_KEYSPACE}, {'E', EVENT_KEYEVENT}, {'m', EVENT_KEYMISS}, {'n', EVENT_NEW}, {'A', EVENT_ALL},
};
#define NLETTERS (sizeof event_letters / sizeof event_letters[0])

static int set_events(void *base, int argc, const struct slice *argv, bool fresh, struct err *e)
{
    int flags = 0;

    (void)fresh;
    for (int i = 0; i < argc; i++)
        for (size_t k = 0; k < argv[i].len; k++) {
            size_t l = 0;

            while (l < NLETTERS && event_letters[l].letter != argv[i].p[k])
                l++;
            if (l == NLETTERS)
                return err_set(e, ERR_RANGE, "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.");
            flags |= event_letters[l].class;
        }
    ((struct kv_options *)base)->notify_events = flags;
    return 0;
}

static void get_events(const void *base, struct str *out)
{
    int flags = ((const struct kv_options *)base)->notify_events;
    bool all = (flags & EVENT_ALL) == EVENT_ALL;

    if (all)
        str_append_c(out, 'A');
    for (size_t l = 0; l + 1 < NLETTERS; l++)
        if ((flags & event_letters[l].class) && !(all && (event_letters[l].class & EVENT_ALL)))
            str_append_c(out, event_letters[l].letter);
}

static int set_replicaof(void *base, int argc, const struct slice *argv, bool fresh, struct err *e)
{
    struct kv_options *o = base;
    struct addr a = {0};
    int64_t port;
    struct words w;
    int rc = split(argc, argv, &w, e);

    (void)fresh;
    if (rc != 0)
        return rc;
    if (w.n == 0 || (w.n == 2 && slice_is_nocase(w.at[0], "no") && slice_is_nocase(w.at[1], "one"))) {
        o->replicaof = a;
        return 0;
    }
    if (w.n != 2)
        return err_set(e, ERR_FORMAT, "wrong number of arguments: a host and a port are wanted, or \"no one\"");
    if (!num_i64_in(w.at[1].p, w.at[1].len, 0, 65535, &port) || !addr_set(&a, w.at[0].p, w.at[0].len, port))
        return err_set(e, ERR_RANGE, "Invalid master port");
    o->replicaof = a;
    return 0;
}

static void get_replicaof(const void *base, struct str *out)
{
    const struct kv_options *o = base;

    if (addr_is_set(&o->replicaof))
        str_printf(out, "%s %d", o->replicaof.host, o->replicaof.port);
}

static int set_rename(void *base, int argc, const struct slice *argv, bool fresh, struct err *e)
{
    struct kv_options *o = base;

    if (fresh) {
        for (size_t i = 0; i < o->renames.n; i++) {
            mem_free(o->renames.at[i].from);
            mem_free(o->renames.at[i].to);
        }
        vec_clear(&o->renames);
    }
    if (argc == 0)
        return 0;
    if (argc != 2)
        return err_set(e, ERR_FORMAT, "a command and its new name are wanted (\"\" takes it away)");
    struct command_alias *a = vec_add(&o->renames);
    a->from = mem_strndup(argv[0].p, argv[0].len);
    a->to = mem_strndup(argv[1].p, argv[1].len);
    return 0;
}

static void lines_rename(const void *base, void (*line)(void *arg, const char *text), void *arg)
{
    const struct kv_options *o = base;
    struct str s = {0};

    for (size_t i = 0; i < o->renames.n; i++) {
        str_clear(&s);
        str_printf(&s, "%s ", o->renames.at[i].from);
        str_append_quoted(&s, o->renames.at[i].to, strlen(o->renames.at[i].to));
        line(arg, str_c(&s));
    }
    str_fini(&s);
}

static void get_rename(const void *base, struct str *out)
{
    const struct kv_options *o = base;

    for (size_t i = 0; i < o->renames.n; i++)
        str_printf(out, "%s%s %s", i ? " " : "", o->renames.at[i].from, o->renames.at[i].to);
}

static int set_user(void *base, int argc, const struct slice *argv, bool fresh, struct err *e)
{
    struct kv_options *o = base;

    if (fresh)
        acl_lines_clear(&o->users);
    return acl_lines_add(&o->users, argc, argv, kv_commands, e);
}

static void get_user(const void *base, struct str *out)
{
    (void)base, (void)out;               /* on many lines; CONFIG REWRITE writes the users that are there */
}

/* "no" is what an empty one is. */
static int set_ha_group(void *base, int argc, const struct slice *argv, bool fresh, struct err *e)
{
    struct kv_options *o = base;

    (void)fresh;
    if (argc != 1 || argv[0].len > 128)
        return err_set(e, ERR_FORMAT, "one word is wanted: yes, no, or the name of a group");
    for (size_t i = 0; i < argv[0].len; i++)
        if ((unsigned char)argv[0].p[i] <= ' ' || argv[0].p[i] == 0x7f || argv[0].p[i] == '"')
            return err_set(e, ERR_FORMAT, "the name of a group has no blanks and no quotes");
    mem_free(o->ha_group);
    o->ha_group = argv[0].len == 0 || slice_is_nocase(argv[0], "no") ? NULL : mem_strndup(argv[0].p, argv[0].len);
    return 0;
}

static void get_ha_group(const void *base, struct str *out)
{
    const struct kv_options *o = base;

    str_append_z(out, o->ha_group ? o->ha_group : "");
}

/* --- words --- */

static const struct option_word acl_pubsub_words[] = {{"resetchannels", 0}, {"allchannels", 1}, {NULL, 0}};

static const struct option_word loglevel_words[] = {
    {"debug", LOG_LEVEL_DEBUG}, {"verbose", LOG_LEVEL_VERBOSE}, {"notice", LOG_LEVEL_NOTICE},
    {"warning", LOG_LEVEL_WARNING}, {"nothing", LOG_LEVEL_ERROR}, {NULL, 0}};
static const struct option_word switch3_words[] = {{"no", SW_NO}, {"local", SW_LOCAL}, {"yes", SW_YES}, {NULL, 0}};
static const struct option_word ha_read_words[] = {
    {"committed", HA_READ_COMMITTED}, {"leased", HA_READ_LEASED}, {"dirty", HA_READ_DIRTY}, {NULL, 0}};
static const struct option_word diskless_load_words[] = {
    {"disabled", 0}, {"on-empty-db", 1}, {"swapdb", 2}, {NULL, 0}};

/* --- the rows --- */

#define AT(f) .where = offsetof(struct kv_options, f)
#define BOOL(n, f, d, s, ...) {.name = n, .type = OPT_BOOL, AT(f), .dflt = d, .summary = s, __VA_ARGS__}
#define INT(n, f, lo, hi, d, s, ...) {.name = n, .type = OPT_INT, AT(f), .min = lo, .max = hi, .dflt = d, .summary = s, __VA_ARGS__}
#define SIZE(n, f, lo, hi, d, s, ...) \
    {.name = n, .type = OPT_SIZE, AT(f), .min = lo, .max = hi, .dflt = d, .unit = "bytes", .summary = s, __VA_ARGS__}
#define STR(n, f, d, s, ...) {.name = n, .type = OPT_STR, AT(f), .dflt = d, .summary = s, __VA_ARGS__}
#define WORD(n, f, w, d, s, ...) {.name = n, .type = OPT_WORD, AT(f), .words = w, .dflt = d, .summary = s, __VA_ARGS__}
#define CUSTOM(n, set_, get_, d, s, ...) \
    {.name = n, .type = OPT_CUSTOM, .set = set_, .get = get_, .dflt = d, .summary = s, __VA_ARGS__}
#define TUNES(n, d, ...) {.name = n, .type = OPT_IGNORED, .dflt = d, .summary = "Only tunes; kvnode does this another way.", __VA_ARGS__}
#define NOT_YET(n, d, ...) {.name = n, .type = OPT_REFUSED, .dflt = d, .summary = "Not supported yet.", __VA_ARGS__}
#define NULLS .flags = OPT_EMPTY_IS_NULL
#define BIG (INT64_MAX / 2)

static const struct option rows[] = {
    /* network */
    CUSTOM("bind", set_bind, get_bind, "* -::*", "Addresses to listen on; a leading '-' means: fine if it is not there.",
           .flags = OPT_MULTI),
    INT("port", port, 0, 65535, "6379", "TCP port for clients; 0: no TCP."),
    INT("tcp-backlog", tcp_backlog, 0, INT32_MAX, "511", "Length of the queue of connections not yet accepted.", .flags = OPT_FIXED),
    STR("unixsocket", unixsocket, "", "Path of a unix socket for clients.", .flags = OPT_FIXED | OPT_EMPTY_IS_NULL),
    {.name = "unixsocketperm", .type = OPT_PERM, AT(unixsocketperm), .min = 0, .max = 0777, .dflt = "0", .flags = OPT_FIXED,
     .summary = "Permissions of the unix socket; 0: as the umask has it."},
    INT("timeout", timeout_s, 0, INT32_MAX, "0", "Close a client that was idle so long; 0: never.", .unit = "seconds"),
    INT("tcp-keepalive", tcp_keepalive_s, 0, INT32_MAX, "300", "Ask silent peers whether they are alive this often; 0: never.", .unit = "seconds"),
    BOOL("protected-mode", protected_mode, "yes", "Without a password, talk to clients of this machine only."),
    STR("bind-source-addr", bind_source_addr, "", "Local address for connections that kvnode makes.", NULLS),
    INT("http-port", http_port, 0, 65535, "0", "Port of /healthz, /livez and /metrics; 0: off.", .flags = OPT_FIXED),
    STR("http-bind", http_bind, "127.0.0.1", "Address of the HTTP port.", .flags = OPT_FIXED),
    INT("maxclients", maxclients, 1, INT32_MAX, "10000", "How many clients may be connected at once."),
    /* process */
    BOOL("daemonize", daemonize, "no", "Go to the background.", .flags = OPT_FIXED),
    STR("pidfile", pidfile, "", "File with the process id while running.", .flags = OPT_FIXED | OPT_EMPTY_IS_NULL),
    WORD("loglevel", loglevel, loglevel_words, "notice", "How much is logged."),
    STR("logfile", logfile, "", "Where the log goes; empty: standard output.", .flags = OPT_FIXED),
    BOOL("syslog-enabled", syslog_enabled, "no", "Log to syslog.", .flags = OPT_FIXED),
    STR("syslog-ident", syslog_ident, "redis", "Name in syslog.", .flags = OPT_FIXED),
    TUNES("syslog-facility", "local0"),
    INT("databases", databases, 1, 65536, "16", "How many databases there are.", .flags = OPT_FIXED),
    BOOL("always-show-logo", always_show_logo, "no", "Accepted; there is no logo.", .flags = OPT_FIXED),
    INT("hz", hz, 1, 500, "10", "Accepted; background work is looked at ten times a second, and more often while there is some."),
    TUNES("dynamic-hz", "yes"),
    TUNES("set-proc-title", "yes"),
    TUNES("socket-mark-id", "0"),
    TUNES("proc-title-template", "\"{title} {listen-addr} {server-mode}\""),
    TUNES("supervised", "no"),
    TUNES("oom-score-adj", "no"),
    TUNES("oom-score-adj-values", "\"0 200 800\""),
    TUNES("disable-thp", "yes"),
    TUNES("crash-memcheck-enabled", "yes"),
    TUNES("use-exit-on-panic", "no"),
    TUNES("watchdog-period", "0"),
    TUNES("ignore-warnings", "\"\""),
    TUNES("locale-collate", "\"\""),
    BOOL("crash-log-enabled", crash_log_enabled, "yes", "Accepted; a crash is told by the sanitizer or the kernel."),
    INT("shutdown-timeout", shutdown_timeout_s, 0, INT32_MAX, "10", "How long a shutdown waits for replicas to catch up.", .unit = "seconds"),
    TUNES("shutdown-on-sigint", "default"),
    TUNES("shutdown-on-sigterm", "default"),
    STR("dir", dir, "./", "Folder of the data; entered at start.", .flags = OPT_PROTECTED),
    STR("state-dir", state_dir, "", "Folder for what the node must not forget about itself; CONFIG REWRITE then writes there, and the configuration file is never written.",
        .flags = OPT_FIXED | OPT_EMPTY_IS_NULL),
    /* security */
    STR("requirepass", requirepass, "", "Password that clients must give.", .flags = OPT_SECRET | OPT_EMPTY_IS_NULL),
    WORD("enable-debug-command", enable_debug_command, switch3_words, "no", "Who may use DEBUG.", .flags = OPT_FIXED),
    WORD("enable-protected-configs", enable_protected_configs, switch3_words, "no", "Who may change dir and dbfilename while running.",
         .flags = OPT_FIXED),
    WORD("enable-module-command", enable_module_command, switch3_words, "no", "Accepted; there are no modules.", .flags = OPT_FIXED),
    CUSTOM("rename-command", set_rename, get_rename, NULL, "Give a command another name, or none (\"\").",
           .flags = OPT_FIXED | OPT_MULTI, .lines = lines_rename),
    STR("aclfile", aclfile, "", "File with all users, read at start and by ACL LOAD, written by ACL SAVE.", .flags = OPT_FIXED | OPT_EMPTY_IS_NULL),
    CUSTOM("user", set_user, get_user, NULL, "A user and its rules, as ACL SETUSER takes them; instead of aclfile.",
           .flags = OPT_FIXED | OPT_MULTI | OPT_NO_REWRITE),
    WORD("acl-pubsub-default", acl_pubsub_default, acl_pubsub_words, "resetchannels", "What channels a fresh user may use."),
    INT("acllog-max-len", acllog_max_len, 0, 1000000, "128", "How many refusals ACL LOG keeps."),
    /* persistence: RDB */
    CUSTOM("save", set_save, get_save, "3600 1 300 100 60 10000", "Save in the background after so many seconds with so many changes.",
           .flags = OPT_MULTI, .lines = lines_save),
    STR("dbfilename", dbfilename, "dump.rdb", "Name of the data file in dir.", .flags = OPT_PROTECTED),
    BOOL("rdbcompression", rdbcompression, "yes", "Compress long strings in the data file."),
    BOOL("rdbchecksum", rdbchecksum, "yes", "End the data file with a checksum.", .flags = OPT_FIXED),
    BOOL("stop-writes-on-bgsave-error", stop_writes_on_bgsave_error, "yes", "Refuse writes while background saves fail."),
    BOOL("rdb-del-sync-files", rdb_del_sync_files, "no", "Remove data files that were made for replicas only."),
    BOOL("rdb-save-incremental-fsync", rdb_save_incremental_fsync, "yes", "Sync the data file while writing, a piece at a time."),
    INT("rdb-key-save-delay", rdb_key_save_delay_us, INT32_MIN, INT32_MAX, "0", "For tests: wait after each key saved.", .unit = "microseconds",
        .flags = OPT_HIDDEN),
    INT("key-load-delay", key_load_delay_us, INT32_MIN, INT32_MAX, "0", "For tests: wait after each key loaded.", .unit = "microseconds",
        .flags = OPT_HIDDEN),
    SIZE("loading-process-events-interval-bytes", loading_process_events_interval_bytes, 1024, INT32_MAX, "2097152",
         "Accepted; loading is done beside the command thread.", .flags = OPT_HIDDEN),
    TUNES("sanitize-dump-payload", "no"),
    /* persistence: append-only file */
    NOT_YET("appendonly", "no"),
    TUNES("appendfilename", "appendonly.aof"),
    TUNES("appenddirname", "appendonlydir"),
    TUNES("appendfsync", "everysec"),
    TUNES("no-appendfsync-on-rewrite", "no"),
    TUNES("auto-aof-rewrite-percentage", "100"),
    TUNES("auto-aof-rewrite-min-size", "67108864"),
    TUNES("aof-load-truncated", "yes"),
    TUNES("aof-use-rdb-preamble", "yes"),
    TUNES("aof-timestamp-enabled", "no"),
    TUNES("aof-rewrite-incremental-fsync", "yes"),
    TUNES("aof-disable-auto-gc", "no"),
    /* replication */
    CUSTOM("replicaof", set_replicaof, get_replicaof, NULL, "Copy everything from this host and port.", .flags = OPT_FIXED, .alias = "slaveof"),
    STR("masterauth", masterauth, "", "Password for the primary.", .flags = OPT_SECRET | OPT_EMPTY_IS_NULL, .alias = "primaryauth"),
    STR("masteruser", masteruser, "", "User name for the primary.", NULLS, .alias = "primaryuser"),
    BOOL("replica-serve-stale-data", replica_serve_stale_data, "yes", "Answer reads while the primary is away.", .alias = "slave-serve-stale-data"),
    BOOL("replica-read-only", replica_read_only, "yes", "Refuse writes on a replica.", .alias = "slave-read-only"),
    BOOL("repl-diskless-sync", repl_diskless_sync, "yes", "Accepted; a full copy for a replica goes through a file."),
    INT("repl-diskless-sync-delay", repl_diskless_sync_delay_s, 0, INT32_MAX, "5", "Accepted; a replica that comes while a file is made waits for the next or shares it.", .unit = "seconds"),
    INT("repl-diskless-sync-max-replicas", repl_diskless_sync_max_replicas, 0, INT32_MAX, "0", "Accepted; nobody is waited for."),
    WORD("repl-diskless-load", repl_diskless_load, diskless_load_words, "disabled", "Accepted; a full copy is always loaded beside the old data."),
    BOOL("repl-disable-tcp-nodelay", repl_disable_tcp_nodelay, "no", "Accepted; the stream leaves once a turn, without delay."),
    INT("replica-priority", replica_priority, 0, INT32_MAX, "100", "Lower is promoted first; 0: never.", .alias = "slave-priority"),
    BOOL("replica-announced", replica_announced, "yes", "Sentinels list this replica."),
    BOOL("replica-ignore-disk-write-errors", replica_ignore_disk_write_errors, "no", "Accepted; a replica applies the stream whatever its disk does."),
    BOOL("replica-ignore-maxmemory", replica_ignore_maxmemory, "yes", "Accepted; the primary's stream is always applied.", .alias = "slave-ignore-maxmemory"),
    INT("repl-ping-replica-period", repl_ping_replica_period_s, 1, INT32_MAX, "10", "Ping replicas this often.", .unit = "seconds",
        .alias = "repl-ping-slave-period"),
    INT("repl-timeout", repl_timeout_s, 1, INT32_MAX, "60", "A replication link that is silent so long is given up.", .unit = "seconds"),
    SIZE("repl-backlog-size", repl_backlog_size, 1, BIG, "1048576", "How much of the stream is kept for replicas that come back. A member of a formed group keeps 64mb (or a sixteenth of maxmemory) where this is 1mb."),
    INT("repl-backlog-ttl", repl_backlog_ttl_s, 0, INT32_MAX, "3600", "Forget it when no replica is there for so long; 0: never.", .unit = "seconds"),
    INT("min-replicas-to-write", min_replicas_to_write, 0, INT32_MAX, "0", "Refuse writes with fewer good replicas.", .alias = "min-slaves-to-write"),
    INT("min-replicas-max-lag", min_replicas_max_lag_s, 0, INT32_MAX, "10", "A replica is good when it answered within so long.", .unit = "seconds",
        .alias = "min-slaves-max-lag"),
    STR("replica-announce-ip", replica_announce_ip, "", "Address that the primary shows for this replica.", .alias = "slave-announce-ip", NULLS),
    INT("replica-announce-port", replica_announce_port, 0, 65535, "0", "Port that the primary shows for this replica.", .alias = "slave-announce-port"),
    /* formed groups */
    CUSTOM("ha-group", set_ha_group, get_ha_group, "\"\"",
           "Wait for a formed group: fenced from the start until sentinels bind this node; \"yes\" for any group, or the name they give it.",
           .flags = OPT_FIXED),
    INT("ha-port", ha_port, 0, 65535, "0", "A further port for control links of sentinels and replicas; 0: they come to the client port.", .flags = OPT_FIXED),
    INT("stall-max", stall_max_ms, -1, INT32_MAX, "-1", "A node stuck longer in one command answers no control link and renews no lease; 0: it does however long; "
        "-1: twice the down-after-milliseconds of its formed group (2000 before it knows that).", .unit = "milliseconds"),
    INT("sync-timeout", sync_timeout_ms, 0, INT32_MAX, "0", "How long an answer waits for its confirmation; 0: as long as the lease, which is the most in any case.",
        .unit = "milliseconds"),
    WORD("ha-read", ha_read, ha_read_words, "committed", "What reads of a formed group's primary wait for: confirmation of all they saw, a valid lease, or nothing."),
    /* limits */
    SIZE("maxmemory", maxmemory, 0, BIG, "0", "Refuse commands that need memory beyond this; 0: no limit."),
    NOT_YET("maxmemory-policy", "noeviction"),
    TUNES("maxmemory-samples", "5"),
    TUNES("maxmemory-eviction-tenacity", "10"),
    NOT_YET("maxmemory-clients", "0"),
    TUNES("lfu-log-factor", "10"),
    TUNES("lfu-decay-time", "1"),
    SIZE("client-query-buffer-limit", client_query_buffer_limit, 1 << 20, BIG, "1073741824", "Longest request of a client."),
    SIZE("proto-max-bulk-len", proto_max_bulk_len, 1 << 20, BIG, "536870912", "Longest single argument."),
    CUSTOM("client-output-buffer-limit", set_out_limit, get_out_limit, "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
           "Per class of clients: how much may wait to be sent (hard; soft for so many seconds).", .flags = OPT_MULTI, .lines = lines_out_limit),
    /* data types */
    INT("hash-max-listpack-entries", hash_max_listpack_entries, 0, INT32_MAX, "512", "A hash with more fields is kept as a table.",
        .alias = "hash-max-ziplist-entries"),
    SIZE("hash-max-listpack-value", hash_max_listpack_value, 0, INT32_MAX, "64", "A hash with a longer field or value is kept as a table.",
         .alias = "hash-max-ziplist-value"),
    TUNES("list-max-listpack-size", "-2", .alias = "list-max-ziplist-size"),
    TUNES("list-compress-depth", "0"),
    TUNES("set-max-intset-entries", "512"),
    TUNES("zset-max-listpack-entries", "128", .alias = "zset-max-ziplist-entries"),
    TUNES("zset-max-listpack-value", "64", .alias = "zset-max-ziplist-value"),
    TUNES("hll-sparse-max-bytes", "3000"),
    TUNES("stream-node-max-bytes", "4096"),
    TUNES("stream-node-max-entries", "100"),
    /* memory housekeeping */
    BOOL("lazyfree-lazy-eviction", lazyfree_lazy_eviction, "no", "Accepted; nothing is evicted."),
    BOOL("lazyfree-lazy-expire", lazyfree_lazy_expire, "no", "Accepted; expired keys are freed at once."),
    BOOL("lazyfree-lazy-server-del", lazyfree_lazy_server_del, "no", "Accepted; overwritten values are freed at once."),
    BOOL("lazyfree-lazy-user-del", lazyfree_lazy_user_del, "no", "Accepted; DEL frees at once."),
    BOOL("lazyfree-lazy-user-flush", lazyfree_lazy_user_flush, "no", "FLUSHALL and FLUSHDB without a word free a little at a time."),
    BOOL("replica-lazy-flush", replica_lazy_flush, "no", "Accepted; replaced data is always freed beside the command thread.",
         .alias = "slave-lazy-flush"),
    TUNES("activerehashing", "yes"),
    TUNES("active-expire-effort", "1"),
    NOT_YET("activedefrag", "no"),
    TUNES("active-defrag-ignore-bytes", "104857600"),
    TUNES("active-defrag-threshold-lower", "10"),
    TUNES("active-defrag-threshold-upper", "100"),
    TUNES("active-defrag-cycle-min", "1"),
    TUNES("active-defrag-cycle-max", "25"),
    TUNES("active-defrag-max-scan-fields", "1000"),
    TUNES("jemalloc-bg-thread", "yes"),
    /* threads and processors */
    TUNES("io-threads", "1"),
    TUNES("io-threads-do-reads", "no"),
    TUNES("server_cpulist", "\"\""),
    TUNES("bio_cpulist", "\"\""),
    TUNES("aof_rewrite_cpulist", "\"\""),
    TUNES("bgsave_cpulist", "\"\""),
    /* looking inside */
    INT("slowlog-log-slower-than", slowlog_log_slower_than_us, -1, BIG, "10000", "Commands that take longer go to SLOWLOG; -1: none.", .unit = "microseconds"),
    INT("slowlog-max-len", slowlog_max_len, 0, 100000, "128", "How many of them are kept."),
    TUNES("latency-monitor-threshold", "0"),
    TUNES("latency-tracking", "yes"),
    TUNES("latency-tracking-info-percentiles", "\"50 99 99.9\"", .flags = OPT_MULTI),
    CUSTOM("notify-keyspace-events", set_events, get_events, "\"\"", "Which changes of keys are published; letters as in Redis."),
    INT("tracking-table-max-keys", tracking_table_max_keys, 0, BIG, "1000000", "How many keys CLIENT TRACKING remembers; 0: no limit."),
    /* scripts, modules, TLS, cluster */
    TUNES("lua-time-limit", "5000", .alias = "busy-reply-threshold"),
    TUNES("lua-replicate-commands", "yes"),
    TUNES("propagation-error-behavior", "ignore"),
    NOT_YET("loadmodule", NULL),
    NOT_YET("tls-port", "0"),
    NOT_YET("tls-cluster", "no"),
    NOT_YET("tls-replication", "no"),
    NOT_YET("tls-cert-file", "\"\""),
    NOT_YET("tls-key-file", "\"\""),
    NOT_YET("tls-key-file-pass", "\"\""),
    NOT_YET("tls-client-cert-file", "\"\""),
    NOT_YET("tls-client-key-file", "\"\""),
    NOT_YET("tls-client-key-file-pass", "\"\""),
    NOT_YET("tls-dh-params-file", "\"\""),
    NOT_YET("tls-ca-cert-file", "\"\""),
    NOT_YET("tls-ca-cert-dir", "\"\""),
    TUNES("tls-auth-clients", "yes"),
    TUNES("tls-protocols", "\"\""),
    TUNES("tls-ciphers", "\"\""),
    TUNES("tls-ciphersuites", "\"\""),
    TUNES("tls-prefer-server-ciphers", "no"),
    TUNES("tls-session-caching", "yes"),
    TUNES("tls-session-cache-size", "20480"),
    TUNES("tls-session-cache-timeout", "300"),
    NOT_YET("cluster-enabled", "no"),
    TUNES("cluster-config-file", "nodes.conf"),
    TUNES("cluster-node-timeout", "15000"),
    TUNES("cluster-ping-interval", "1000"),
    TUNES("cluster-port", "0"),
    TUNES("cluster-replica-validity-factor", "10", .alias = "cluster-slave-validity-factor"),
    TUNES("cluster-migration-barrier", "1"),
    TUNES("cluster-allow-replica-migration", "yes"),
    TUNES("cluster-require-full-coverage", "yes"),
    TUNES("cluster-replica-no-failover", "no", .alias = "cluster-slave-no-failover"),
    TUNES("cluster-allow-reads-when-down", "no"),
    TUNES("cluster-allow-pubsubshard-when-down", "yes"),
    TUNES("cluster-link-sendbuf-limit", "0"),
    TUNES("cluster-announce-ip", "\"\""),
    TUNES("cluster-announce-port", "0"),
    TUNES("cluster-announce-tls-port", "0"),
    TUNES("cluster-announce-bus-port", "0"),
    TUNES("cluster-announce-hostname", "\"\""),
    TUNES("cluster-preferred-endpoint-type", "ip"),
};

const struct option_table kv_option_table = {rows, sizeof rows / sizeof rows[0]};

void kv_options_free(struct kv_options *o)
{
    option_free(&kv_option_table, o);
    for (size_t i = 0; i < o->bind.n; i++)
        mem_free(o->bind.at[i]);
    vec_fini(&o->bind);
    vec_fini(&o->save);
    set_rename(o, 0, NULL, true, NULL);
    vec_fini(&o->renames);
    acl_lines_clear(&o->users);
    mem_free(o->ha_group);
}
