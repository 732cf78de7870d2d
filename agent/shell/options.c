/* The rows, and the few settings that take more than one word. */
#include "agent/shell/options.h"

#include "agent/core/docname.h"
#include "agent/core/pod.h"
#include "common/base/mem.h"
#include "common/base/num.h"
#include "common/io/file.h"
#include "common/io/log.h"
#include "common/text/conf_lex.h"

#include <limits.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#define AT(field) offsetof(struct agent_options, field)
#define WORD_OF(s, out) slice_copy_z((s), (out), sizeof (out))

static const struct option_word loglevels[] = {
    {"debug", LOG_LEVEL_DEBUG},     {"verbose", LOG_LEVEL_VERBOSE}, {"notice", LOG_LEVEL_NOTICE},
    {"warning", LOG_LEVEL_WARNING}, {NULL, 0},
};

static const struct option_word kube_words[] = {
    {"auto", KUBE_SAID_AUTO}, {"on", KUBE_SAID_ON}, {"yes", KUBE_SAID_ON}, {"off", KUBE_SAID_OFF}, {"no", KUBE_SAID_OFF}, {NULL, 0},
};

static int read_addr(int argc, const struct slice *argv, struct addr *out, struct err *e)
{
    int64_t port;

    if (argc != 2 || !num_i64_in(argv[1].p, argv[1].len, 1, 65535, &port) || !addr_set(out, argv[0].p, argv[0].len, port))
        return err_set(e, ERR_RANGE, "must be <host> <port>");
    return 0;
}

/* A further address of a list; fresh: the first one. */
static int add_addr(struct addr_list *l, size_t most, const char *what, int argc, const struct slice *argv, bool fresh, struct err *e)
{
    struct addr a = {0};
    int rc = read_addr(argc, argv, &a, e);

    if (rc != 0)
        return rc;
    if (fresh)
        vec_clear(l);
    if (l->n >= most)
        return err_set(e, ERR_LIMIT, "more than %zu %s", most, what);
    vec_push(l, a);
    return 0;
}

static void put_addrs(const struct addr *at, size_t n, struct str *out)
{
    for (size_t i = 0; i < n; i++)
        str_printf(out, "%s%s %u", i ? " " : "", at[i].host, at[i].port);
}

static void put_texts(char *const *at, size_t n, struct str *out)
{
    for (size_t i = 0; i < n; i++)
        str_printf(out, "%s%s", i ? " " : "", at[i]);
}

static int set_sentinel(void *base, int argc, const struct slice *argv, bool fresh, struct err *e)
{
    return add_addr(&((struct agent_options *)base)->sentinels, 64, "sentinels", argc, argv, fresh, e);
}

static void get_sentinel(const void *base, struct str *out)
{
    const struct agent_options *o = base;

    put_addrs(o->sentinels.at, o->sentinels.n, out);
}

static int set_known_as(void *base, int argc, const struct slice *argv, bool fresh, struct err *e)
{
    return add_addr(&((struct agent_options *)base)->known_as, 16, "addresses of one node", argc, argv, fresh, e);
}

static void get_known_as(const void *base, struct str *out)
{
    const struct agent_options *o = base;

    put_addrs(o->known_as.at, o->known_as.n, out);
}

static int set_directory(void *base, int argc, const struct slice *argv, bool fresh, struct err *e)
{
    (void)fresh;
    return read_addr(argc, argv, &((struct agent_options *)base)->directory, e);
}

static void get_directory(const void *base, struct str *out)
{
    const struct agent_options *o = base;

    put_addrs(&o->directory, addr_is_set(&o->directory), out);
}

static int set_node(void *base, int argc, const struct slice *argv, bool fresh, struct err *e)
{
    (void)fresh;
    return read_addr(argc, argv, &((struct agent_options *)base)->node, e);
}

static void get_node(const void *base, struct str *out)
{
    const struct agent_options *o = base;

    put_addrs(&o->node, addr_is_set(&o->node), out);
}

static int set_pods(void *base, int argc, const struct slice *argv, bool fresh, struct err *e)
{
    struct agent_options *o = base;
    char name[POD_NAME_MAX];

    if (fresh)
        vec_clear_owned(&o->kube_pods);
    for (int i = 0; i < argc; i++) {
        if (!pod_name_ok(argv[i]) || !WORD_OF(argv[i], name))
            return err_set(e, ERR_RANGE, "'%.100s' is no name of a pod", argv[i].p);
        if (o->kube_pods.n >= 64)
            return err_set(e, ERR_LIMIT, "more than 64 pods");
        vec_push(&o->kube_pods, mem_strdup(name));
    }
    return argc ? 0 : err_set(e, ERR_RANGE, "must be names of pods");
}

static void get_pods(const void *base, struct str *out)
{
    const struct agent_options *o = base;

    put_texts(o->kube_pods.at, o->kube_pods.n, out);
}

static bool root_name_ok(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '_' || s.p[i] == '-'))
            return false;
    return s.len >= 1 && s.len <= 64;
}

static int set_root(void *base, int argc, const struct slice *argv, bool fresh, struct err *e)
{
    struct agent_options *o = base;
    char name[80], path[PATH_MAX];

    if (argc != 2 || !root_name_ok(argv[0]) || !WORD_OF(argv[0], name) || !WORD_OF(argv[1], path))
        return err_set(e, ERR_RANGE, "must be <name> <folder>, the name of [a-z0-9_-]");
    if (fresh)
        roots_fini(&o->roots);
    return roots_add(&o->roots, name, path, e);
}

static void root_lines(const void *base, void (*line)(void *arg, const char *text), void *arg)
{
    const struct agent_options *o = base;

    for (size_t i = 0; i < o->roots.at.n; i++) {
        struct str s = {0};

        str_printf(&s, "%s ", o->roots.at.at[i].name);
        conf_put_word(&s, slice_z(o->roots.at.at[i].path));
        line(arg, str_c(&s));
        str_fini(&s);
    }
}

static void get_root(const void *base, struct str *out)
{
    const struct agent_options *o = base;

    for (size_t i = 0; i < o->roots.at.n; i++)
        str_printf(out, "%s%s %s", i ? " " : "", o->roots.at.at[i].name, o->roots.at.at[i].path);
}

static int set_command(void *base, int argc, const struct slice *argv, bool fresh, struct err *e)
{
    struct agent_options *o = base;
    char path[PATH_MAX];

    if (fresh)
        vec_clear_owned(&o->allow.commands);
    if (argc < 1)
        return err_set(e, ERR_RANGE, "must be the absolute path of a program");
    for (int i = 0; i < argc; i++) {
        int rc = WORD_OF(argv[i], path) && path[0] ? allow_add_command(&o->allow, path, e)
                                                   : err_set(e, ERR_RANGE, "a path is too long or empty");

        if (rc != 0)
            return rc;
    }
    return 0;
}

static void get_command(const void *base, struct str *out)
{
    const struct agent_options *o = base;

    put_texts(o->allow.commands.at, o->allow.commands.n, out);
}

static int set_unit(void *base, int argc, const struct slice *argv, bool fresh, struct err *e)
{
    struct agent_options *o = base;
    char pattern[300];

    if (fresh)
        vec_clear_owned(&o->allow.units);
    for (int i = 0; i < argc; i++) {
        if (!WORD_OF(argv[i], pattern) || !pattern[0])
            return err_set(e, ERR_RANGE, "a unit pattern is too long or empty");
        allow_add_unit(&o->allow, pattern);
    }
    return argc ? 0 : err_set(e, ERR_RANGE, "must be unit names or patterns");
}

static void get_unit(const void *base, struct str *out)
{
    const struct agent_options *o = base;

    put_texts(o->allow.units.at, o->allow.units.n, out);
}

static const struct option rows[] = {
    {"node-id", OPT_STR, AT(node_id), .flags = OPT_FIXED | OPT_EMPTY_IS_NULL,
     .summary = "Who this agent is: config:agent:<node-id> is its own document, and its answers carry this name. Empty: the host's name."},
    {"group", OPT_STR, AT(group), .dflt = "", .flags = OPT_FIXED,
     .summary = "The group of nodes it belongs to: config:agent:<group> is read when the node has no document of its own; config:agent:default comes last."},
    {"directory-sentinel", OPT_CUSTOM, 0, .unit = "<host> <port>, on several lines", .flags = OPT_FIXED | OPT_MULTI, .set = set_sentinel, .get = get_sentinel,
     .summary = "A sentinel that knows where the directory's primary is."},
    {"directory-group", OPT_STR, AT(directory_group), .flags = OPT_FIXED | OPT_EMPTY_IS_NULL,
     .summary = "The name of the directory's group at these sentinels."},
    {"directory", OPT_CUSTOM, 0, .unit = "<host> <port>", .flags = OPT_FIXED, .set = set_directory, .get = get_directory,
     .summary = "Where the directory is, when it has no sentinels."},
    {"directory-user", OPT_STR, AT(user), .flags = OPT_FIXED | OPT_EMPTY_IS_NULL, .summary = "User name at the directory; empty: the default user."},
    {"directory-password", OPT_STR, AT(password), .flags = OPT_FIXED | OPT_EMPTY_IS_NULL | OPT_SECRET, .summary = "Password at the directory."},
    {"directory-password-file", OPT_STR, AT(password_file), .flags = OPT_FIXED | OPT_EMPTY_IS_NULL, .summary = "File whose first line is that password, instead of directory-password."},
    {"sentinel-user", OPT_STR, AT(sentinel_user), .flags = OPT_FIXED | OPT_EMPTY_IS_NULL, .summary = "User name at the sentinels."},
    {"sentinel-password", OPT_STR, AT(sentinel_password), .flags = OPT_FIXED | OPT_EMPTY_IS_NULL | OPT_SECRET, .summary = "Password at the sentinels."},
    {"sentinel-password-file", OPT_STR, AT(sentinel_password_file), .flags = OPT_FIXED | OPT_EMPTY_IS_NULL, .summary = "File whose first line is that password."},
    {"node", OPT_CUSTOM, 0, .unit = "<host> <port>", .flags = OPT_FIXED, .set = set_node, .get = get_node,
     .summary = "The data node beside this agent: documents of type node are set on it. None: they are refused."},
    {"node-user", OPT_STR, AT(node_user), .flags = OPT_FIXED | OPT_EMPTY_IS_NULL, .summary = "User name at that node; empty: the default user. It needs +ping, +info, +config|get, +config|set and +config|rewrite."},
    {"node-password", OPT_STR, AT(node_password), .flags = OPT_FIXED | OPT_EMPTY_IS_NULL | OPT_SECRET, .summary = "Password at that node."},
    {"node-password-file", OPT_STR, AT(node_password_file), .flags = OPT_FIXED | OPT_EMPTY_IS_NULL, .summary = "File whose first line is that password."},
    {"root", OPT_CUSTOM, 0, .unit = "<name> <folder>, on several lines", .flags = OPT_FIXED | OPT_MULTI, .set = set_root, .get = get_root, .lines = root_lines,
     .summary = "Documents may write beneath this folder, and call it by this name. None: no file is ever written."},
    {"allow-command", OPT_CUSTOM, 0, .unit = "absolute paths, on several lines too", .flags = OPT_FIXED | OPT_MULTI, .set = set_command, .get = get_command,
     .summary = "Programs that documents may run as check or reload. None: documents run nothing."},
    {"allow-unit", OPT_CUSTOM, 0, .unit = "unit names or patterns such as web@*.service, on several lines too", .flags = OPT_FIXED | OPT_MULTI, .set = set_unit, .get = get_unit,
     .summary = "Units that documents may reload, restart and probe."},
    {"systemctl", OPT_STR, AT(systemctl), .dflt = "/usr/bin/systemctl", .flags = OPT_FIXED, .summary = "The program that speaks to systemd for documents with units."},
    {"announce-host", OPT_STR, AT(announce_host), .flags = OPT_FIXED | OPT_EMPTY_IS_NULL,
     .summary = "Where others reach what runs beside this agent, for services whose document names no host. Empty: our end of the connection to the directory."},
    {"controller", OPT_BOOL, AT(controller), .dflt = "yes", .flags = OPT_FIXED,
     .summary = "May this agent be the one that keeps the service registry, the history of documents and scale events? One agent at a time is; its user must be allowed to write the keys."},
    {"state-dir", OPT_STR, AT(state_dir), .dflt = "/var/lib/kvorum/agent", .flags = OPT_FIXED,
     .summary = "Where it keeps the cache it boots from, the journal, the last good files and undelivered answers."},
    {"unixsocket", OPT_STR, AT(unixsocket), .dflt = "/run/kvorum/agent.sock", .flags = OPT_FIXED | OPT_EMPTY_IS_NULL,
     .summary = "Socket on which it answers RESP (PING, INFO, AGENT STATUS ...); empty: none."},
    {"unixsocketperm", OPT_PERM, AT(unixsocketperm), .dflt = "700", .flags = OPT_FIXED, .summary = "Mode of that socket."},
    {"http-bind", OPT_STR, AT(http_bind), .dflt = "127.0.0.1", .flags = OPT_FIXED, .summary = "Address of the HTTP port."},
    {"http-port", OPT_INT, AT(http_port), .max = 65535, .dflt = "0", .flags = OPT_FIXED, .summary = "/healthz, /startupz, /livez, /readyz, /metrics and /status; 0: none (9381 in our samples)."},
    {"ready-max-lag", OPT_MS, AT(ready_lag_ms), .min = 0, .max = 86400000, .dflt = "10s", .unit_ms = 1, .unit = "milliseconds", .flags = OPT_FIXED,
     .summary = "/readyz: a replica that has not heard its primary for longer is not ready. 0: only its link must be up."},
    {"kube", OPT_WORD, AT(kube), .dflt = "auto", .words = kube_words, .flags = OPT_FIXED,
     .summary = "Show the local node's role as a label of our pod in Kubernetes. auto: when kube-pods and node are given and there is an API around."},
    {"kube-pods", OPT_CUSTOM, 0, .unit = "names of pods, on several lines too", .flags = OPT_FIXED | OPT_MULTI, .set = set_pods, .get = get_pods,
     .summary = "All pods of the set, ours too: who becomes primary takes the label off the others first."},
    {"kube-pod", OPT_STR, AT(kube_pod), .flags = OPT_FIXED | OPT_EMPTY_IS_NULL, .summary = "Our pod. Empty: POD_NAME of the environment, else the host's name. POD_UID, where set, must be the pod's."},
    {"kube-namespace", OPT_STR, AT(kube_namespace), .flags = OPT_FIXED | OPT_EMPTY_IS_NULL, .summary = "Its namespace. Empty: the file of kube-folder."},
    {"kube-label", OPT_STR, AT(kube_label), .dflt = "kvorum.io/role", .flags = OPT_FIXED, .summary = "Name of the label."},
    {"kube-label-primary", OPT_STR, AT(kube_primary), .dflt = "primary", .flags = OPT_FIXED, .summary = "Its value on the primary's pod ..."},
    {"kube-label-replica", OPT_STR, AT(kube_replica), .dflt = "replica", .flags = OPT_FIXED | OPT_EMPTY_IS_NULL, .summary = "... on a replica's; empty: no label ..."},
    {"kube-label-other", OPT_STR, AT(kube_other), .dflt = "", .flags = OPT_FIXED | OPT_EMPTY_IS_NULL, .summary = "... and while the node is down, loading or fenced; empty: no label."},
    {"kube-annotation", OPT_STR, AT(kube_annotation), .dflt = "kvorum.io/status", .flags = OPT_FIXED, .summary = "Name of the annotation that says since when, as JSON."},
    {"kube-confirm", OPT_WORD, AT(kube_confirm), .dflt = "auto", .words = kube_words, .flags = OPT_FIXED,
     .summary = "Say primary only while a majority of the directory-sentinel lines names this node, too. auto: when there are such lines."},
    {"kube-group", OPT_STR, AT(kube_group), .flags = OPT_FIXED | OPT_EMPTY_IS_NULL, .summary = "The local node's group at these sentinels. Empty: directory-group."},
    {"node-known-as", OPT_CUSTOM, 0, .unit = "<host> <port>, on several lines", .flags = OPT_FIXED | OPT_MULTI, .set = set_known_as, .get = get_known_as,
     .summary = "An address under which sentinels know the local node. Its run id is compared in any case."},
    {"kube-api", OPT_STR, AT(kube_api), .flags = OPT_FIXED | OPT_EMPTY_IS_NULL, .summary = "https://host:port of the API. Empty: KUBERNETES_SERVICE_HOST and _PORT of the environment."},
    {"kube-folder", OPT_STR, AT(kube_folder), .flags = OPT_FIXED | OPT_EMPTY_IS_NULL, .summary = "Folder of the files token, ca.crt and namespace, read again while running. Empty: /var/run/secrets/kubernetes.io/serviceaccount."},
    {"kube-timeout", OPT_MS, AT(kube_timeout_ms), .min = 100, .max = 60000, .dflt = "3s", .unit_ms = 1, .unit = "milliseconds", .flags = OPT_FIXED,
     .summary = "A request to the API takes no longer."},
    {"kube-check", OPT_MS, AT(kube_check_ms), .min = 100, .max = 86400000, .dflt = "60s", .unit_ms = 1, .unit = "milliseconds", .flags = OPT_FIXED,
     .summary = "The label is looked at, or said again, this often, give or take a quarter."},
    {"quiesce-min", OPT_MS, AT(quiesce_ms), .min = 0, .max = 10000, .dflt = "20ms", .unit_ms = 1, .unit = "milliseconds", .flags = OPT_FIXED,
     .summary = "Quiet time after a push before everything is read; further pushes start it again ..."},
    {"quiesce-max", OPT_MS, AT(quiesce_max_ms), .min = 0, .max = 60000, .dflt = "200ms", .unit_ms = 1, .unit = "milliseconds", .flags = OPT_FIXED,
     .summary = "... but never beyond this."},
    {"resync-interval", OPT_MS, AT(resync_ms), .min = 100, .max = 86400000, .dflt = "60s", .unit_ms = 1, .unit = "milliseconds", .flags = OPT_FIXED,
     .summary = "Everything is read this often even if nothing was pushed, give or take a quarter."},
    {"ping-interval", OPT_MS, AT(ping_ms), .min = 50, .max = 600000, .dflt = "5s", .unit_ms = 1, .unit = "milliseconds", .flags = OPT_FIXED,
     .summary = "Both connections to the directory are pinged this often."},
    {"ping-timeout", OPT_MS, AT(ping_timeout_ms), .min = 20, .max = 600000, .dflt = "3s", .unit_ms = 1, .unit = "milliseconds", .flags = OPT_FIXED,
     .summary = "Without an answer for so long both are opened again."},
    {"poll-interval", OPT_MS, AT(poll_ms), .min = 50, .max = 600000, .dflt = "1s", .unit_ms = 1, .unit = "milliseconds", .flags = OPT_FIXED,
     .summary = "How often a directory is read that offers neither tracking nor keyspace events."},
    {"dir", OPT_STR, AT(dir), .flags = OPT_FIXED | OPT_EMPTY_IS_NULL, .summary = "Working folder."},
    {"logfile", OPT_STR, AT(logfile), .dflt = "", .flags = OPT_FIXED | OPT_EMPTY_IS_NULL, .summary = "Log file; empty is standard output."},
    {"loglevel", OPT_WORD, AT(loglevel), .dflt = "notice", .words = loglevels, .flags = OPT_FIXED, .summary = "How much is logged."},
    {"pidfile", OPT_STR, AT(pidfile), .flags = OPT_FIXED | OPT_EMPTY_IS_NULL, .summary = "File that holds the process id while it runs."},
    {"daemonize", OPT_BOOL, AT(daemonize), .dflt = "no", .flags = OPT_FIXED, .summary = "Go to the background."},
    {"syslog-enabled", OPT_BOOL, AT(syslog_enabled), .dflt = "no", .flags = OPT_FIXED, .summary = "Log to syslog too."},
    {"syslog-ident", OPT_STR, AT(syslog_ident), .dflt = "kvorum-agent", .flags = OPT_FIXED, .summary = "Name used there."},
};
const struct option_table agent_option_table = {rows, sizeof rows / sizeof rows[0]};

/* A password out of the first line of a file (a Kubernetes secret, a systemd credential). */
static int read_password(const char *option, const char *path, char **password, struct err *e)
{
    struct str text = {0};
    size_t n;
    int rc;

    if (!path)
        return 0;
    if (*password)
        return err_set(e, ERR_RANGE, "'%s': the password itself is given too", option);
    rc = file_slurp(path, 4096, &text, e);
    n = strcspn(str_c(&text), "\r\n");
    if (rc == 0 && n == 0)
        rc = err_set(e, ERR_FORMAT, "the first line of %s is empty", path);
    if (rc == 0)
        *password = mem_strndup(str_c(&text), n);
    str_fini(&text);
    return rc == 0 ? 0 : err_wrap(e, "'%s'", option);
}

static int check_kube(const struct agent_options *o, struct err *e)
{
    const struct { const char *option, *value; } values[] = {{"kube-label-primary", o->kube_primary},
                                                             {"kube-label-replica", o->kube_replica},
                                                             {"kube-label-other", o->kube_other}};

    if (!pod_key_ok(slice_z(o->kube_label)))
        return err_set(e, ERR_RANGE, "'kube-label': '%s' is no name of a label", o->kube_label);
    if (!pod_key_ok(slice_z(o->kube_annotation)))
        return err_set(e, ERR_RANGE, "'kube-annotation': '%s' is no name of an annotation", o->kube_annotation);
    for (size_t i = 0; i < 3; i++) {
        const char *v = values[i].value ? values[i].value : "";

        if (!pod_label_ok(slice_z(v)) || (i == 0 && !v[0]))
            return err_set(e, ERR_RANGE, "'%s': '%s' is no value of a label", values[i].option, v);
        if (i > 0 && strcmp(v, o->kube_primary) == 0)
            return err_set(e, ERR_RANGE, "'%s' must differ from kube-label-primary", values[i].option);
    }
    if (o->kube == KUBE_SAID_ON && !addr_is_set(&o->node))
        return err_set(e, ERR_MISSING, "'kube on' needs 'node <host> <port>': whose role shall be shown?");
    if (o->kube == KUBE_SAID_ON && !o->kube_pods.n)
        return err_set(e, ERR_MISSING, "'kube on' needs 'kube-pods': all pods of the set, so that no two say primary");
    if (o->kube_confirm == KUBE_SAID_ON && !o->sentinels.n)
        return err_set(e, ERR_MISSING, "'kube-confirm on' needs 'directory-sentinel' lines");
    return 0;
}

int agent_options_check(void *base, struct err *e)
{
    struct agent_options *o = base;
    struct docname name;
    char host[256];
    int rc;

    if (!o->node_id) {
        if (gethostname(host, sizeof host) != 0)
            return err_sys(e, "'node-id': the host has no name to use");
        host[sizeof host - 1] = 0;
        o->node_id = mem_strdup(host);
    }
    if (!docname_make(&name, slice_z("agent"), slice_z(o->node_id)))
        return err_set(e, ERR_RANGE, "'node-id': '%s' must be 1 to 128 of letters, digits, '_', '-' and '.'", o->node_id);
    if (o->group[0] && !docname_make(&name, slice_z("agent"), slice_z(o->group)))
        return err_set(e, ERR_RANGE, "'group': '%s' must be of letters, digits, '_', '-' and '.'", o->group);
    if (!o->sentinels.n && !addr_is_set(&o->directory))
        return err_set(e, ERR_MISSING, "no way to the directory: give 'directory-sentinel <host> <port>' lines with "
                                       "'directory-group <name>', or 'directory <host> <port>'");
    if (o->sentinels.n && addr_is_set(&o->directory))
        return err_set(e, ERR_RANGE, "'directory' and 'directory-sentinel' exclude each other");
    if (o->sentinels.n && !o->directory_group)
        return err_set(e, ERR_MISSING, "'directory-group' is missing: which group of these sentinels is the directory?");
    if (o->quiesce_max_ms < o->quiesce_ms)
        return err_set(e, ERR_RANGE, "'quiesce-max' must not be below 'quiesce-min'");
    o->allow.systemctl = o->systemctl;
    rc = check_kube(o, e);
    if (rc != 0)
        return rc;
    rc = read_password("directory-password-file", o->password_file, &o->password, e);
    if (rc == 0)
        rc = read_password("sentinel-password-file", o->sentinel_password_file, &o->sentinel_password, e);
    return rc != 0 ? rc : read_password("node-password-file", o->node_password_file, &o->node_password, e);
}

void agent_options_free(struct agent_options *o)
{
    option_free(&agent_option_table, o);
    vec_fini(&o->sentinels);
    vec_fini(&o->known_as);
    vec_clear_owned(&o->kube_pods);
    vec_fini(&o->kube_pods);
    roots_fini(&o->roots);
    allow_fini(&o->allow);
}
