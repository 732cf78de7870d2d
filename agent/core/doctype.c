/* The rows, and what several types have in common: check, reload, probe. */
#include "agent/core/doctype.h"

#include "agent/core/type_env.h"
#include "agent/core/type_files.h"
#include "agent/core/type_node.h"
#include "agent/core/type_redis.h"
#include "agent/core/type_scale.h"
#include "agent/core/type_service.h"
#include "common/base/mem.h"

#include <string.h>

const struct doctype doctypes[] = {
    {"files", &files_shape, files_sources, files_read, files_render,
     "Files made of templates over what the directory holds, with check, reload and probe."},
    {"env", &env_shape, env_sources, env_read, env_render,
     "A file of variables, as systemd and shells read it, from the document and from a hash."},
    {"node", &node_shape, NULL, node_read, NULL,
     "Settings of the data node beside the agent, set together and read back."},
    {"redis", &redis_shape, NULL, redis_read, NULL,
     "Where clients connect to; looked at and never written, for it belongs to the failover's leader."},
    {"service", &service_shape, NULL, service_read, NULL, "An instance beside the agent, checked and registered."},
    {"scale", &scale_shape, NULL, scale_read, NULL, "So many instances of a systemd unit as there shall be; scale events change the number."},
};
const size_t doctypes_n = sizeof doctypes / sizeof doctypes[0];

const struct doctype *doctype_find(const char *name)
{
    for (size_t i = 0; i < doctypes_n; i++)
        if (strcmp(doctypes[i].name, name) == 0)
            return &doctypes[i];
    return NULL;
}

static const char *const how_words[] = {"reload", "restart", "try-restart", "reload-or-restart",
                                        "try-reload-or-restart", NULL};
static const char *const signal_words[] = {"HUP", "USR1", "USR2", "WINCH", "INT", "TERM", "QUIT", NULL};

static const struct shape_field word_field[] = {{"", SHAPE_TEXT, false, 0, 4096}};
static const struct shape word_shape = SHAPE(word_field);
static const struct shape_field argv_field[] = {{"", SHAPE_LIST, false, 1, 64, NULL, &word_shape}};
const struct shape doctype_argv_shape = SHAPE(argv_field);
const char *const doctype_on_fail_words[] = {"rollback", "hold", NULL};

static const struct shape_field reload_fields[] = {
    {"unit", SHAPE_TEXT, false, 1, 200, NULL, NULL, "a systemd unit that the agent's configuration allows"},
    {"signal", SHAPE_WORD, false, 0, 0, signal_words, NULL, "sent to the process whose id is in pidfile"},
    {"exec", SHAPE_LIST, false, 1, 64, NULL, &word_shape, "a program that the agent's configuration allows"},
    {"how", SHAPE_WORD, false, 0, 0, how_words, NULL, "with unit: what to ask of systemd"},
    {"pidfile", SHAPE_TEXT, false, 1, 1024, NULL, NULL, "with signal: absolute path beneath a named root"},
    {"timeout", SHAPE_MS, false, 10, 600000, NULL, NULL, "how long it may take"},
};
const struct shape doctype_reload_shape = SHAPE_CHOICE(reload_fields, 3);

static const struct shape_field probe_fields[] = {
    {"tcp", SHAPE_TEXT, false, 1, 300, NULL, NULL, "host:port that must accept"},
    {"http", SHAPE_TEXT, false, 1, 1024, NULL, NULL, "URL that must answer with status"},
    {"resp", SHAPE_TEXT, false, 1, 300, NULL, NULL, "host:port that must answer send with want"},
    {"unit", SHAPE_TEXT, false, 1, 200, NULL, NULL, "a unit that must be active"},
    {"status", SHAPE_INT, false, 100, 599, NULL, NULL, "with http"},
    {"send", SHAPE_TEXT, false, 1, 1024, NULL, NULL, "with resp: words of a command"},
    {"want", SHAPE_TEXT, false, 0, 1024, NULL, NULL, "with resp: how the reply begins"},
};
const struct shape doctype_probe_shape = SHAPE_CHOICE(probe_fields, 4);

static char *dup_or_null(const char *z) { return z ? mem_strdup(z) : NULL; }

static struct plan_argv read_argv(const cJSON *list)
{
    struct plan_argv a = {0};
    const cJSON *c;

    a.at = mem_zalloc(((size_t)cJSON_GetArraySize(list) + 1) * sizeof *a.at);
    cJSON_ArrayForEach(c, list) a.at[a.n++] = mem_strdup(c->valuestring);
    return a;
}

static int read_reload(const cJSON *doc, struct plan *p, struct err *e)
{
    const cJSON *r = tree_at(doc, "reload");

    p->reload_timeout_ms = tree_ms(r, "timeout", 30000);
    if (!r)
        return 0;
    if (tree_at(r, "unit")) {
        p->reload.kind = RELOAD_UNIT;
        p->reload.unit = mem_strdup(tree_text(r, "unit", ""));
        p->reload.how = mem_strdup(tree_text(r, "how", "reload"));
    } else if (tree_at(r, "signal")) {
        p->reload.kind = RELOAD_SIGNAL;
        p->reload.signal = mem_strdup(tree_text(r, "signal", ""));
        p->reload.pidfile = dup_or_null(tree_text(r, "pidfile", NULL));
        if (!p->reload.pidfile)
            return err_set(e, ERR_MISSING, "reload: 'signal' needs 'pidfile'");
        if (p->reload.pidfile[0] != '/')
            return err_set(e, ERR_RANGE, "reload.pidfile: must be an absolute path");
    } else {
        p->reload.kind = RELOAD_EXEC;
        p->reload.exec = read_argv(tree_at(r, "exec"));
    }
    if (tree_at(r, "how") && p->reload.kind != RELOAD_UNIT)
        return err_set(e, ERR_RANGE, "reload.how: goes with 'unit'");
    if (tree_at(r, "pidfile") && p->reload.kind != RELOAD_SIGNAL)
        return err_set(e, ERR_RANGE, "reload.pidfile: goes with 'signal'");
    return 0;
}

static int read_address(const cJSON *probe, const char *name, struct addr *to, struct err *e)
{
    const char *z = tree_text(probe, name, "");

    if (!addr_parse(z, strlen(z), to) || to->port == 0)
        return err_set(e, ERR_RANGE, "probe.%s: must be host:port", name);
    return 0;
}

int doctype_read_probe(const cJSON *r, struct plan_probe *out, struct err *e)
{
    int rc = 0;

    if (tree_at(r, "tcp")) {
        out->kind = PROBE_TCP;
        rc = read_address(r, "tcp", &out->to, e);
    } else if (tree_at(r, "http")) {
        out->kind = PROBE_HTTP;
        out->url = mem_strdup(tree_text(r, "http", ""));
        out->status = (int)tree_int(r, "status", 200);
        if (strncmp(out->url, "http://", 7) != 0 && strncmp(out->url, "https://", 8) != 0)
            rc = err_set(e, ERR_RANGE, "probe.http: must begin with http:// or https://");
    } else if (tree_at(r, "resp")) {
        out->kind = PROBE_RESP;
        rc = read_address(r, "resp", &out->to, e);
        out->send = mem_strdup(tree_text(r, "send", "PING"));
        out->want = mem_strdup(tree_text(r, "want", "PONG"));
    } else {
        out->kind = PROBE_UNIT;
        out->unit = mem_strdup(tree_text(r, "unit", ""));
    }
    return rc;
}

static int read_probe(const cJSON *doc, struct plan *p, struct err *e)
{
    const cJSON *r = tree_at(doc, "probe");
    int rc;

    p->probe.for_ms = tree_ms(doc, "probe_for", 5000);
    p->probe.interval_ms = tree_ms(doc, "probe_interval", 500);
    p->probe.ok = (int)tree_int(doc, "probe_ok", 3);
    if (!r)
        return 0;
    rc = doctype_read_probe(r, &p->probe, e);
    if (rc == 0 && p->probe.interval_ms * (p->probe.ok - 1) > p->probe.for_ms)
        rc = err_set(e, ERR_RANGE, "probe_for: too short for %d good probes %lldms apart", p->probe.ok,
                     (long long)p->probe.interval_ms);
    return rc;
}

int doctype_read_actions(const cJSON *doc, struct plan *p, struct err *e)
{
    const cJSON *c;
    int rc;

    cJSON_ArrayForEach(c, tree_at(doc, "check"))
    {
        struct plan_argv a = read_argv(c);

        vec_push(&p->checks, a);
    }
    p->check_timeout_ms = tree_ms(doc, "check_timeout", 10000);
    p->hold = strcmp(tree_text(doc, "on_fail", "rollback"), "hold") == 0;
    rc = read_reload(doc, p, e);
    return rc != 0 ? rc : read_probe(doc, p, e);
}

bool doctype_path_ok(const char *path)
{
    const char *p = path;

    if (!*p || *p == '/')
        return false;
    for (;;) {
        const char *slash = strchr(p, '/');
        size_t n = slash ? (size_t)(slash - p) : strlen(p);

        if (n == 0 || n > 200 || (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
            return false;
        for (size_t i = 0; i < n; i++)
            if ((unsigned char)p[i] < 0x20 || p[i] == 0x7f)
                return false;
        if (!slash)
            return true;
        p = slash + 1;
    }
}

int doctype_read_file(const cJSON *tree, const char *where, struct plan *p, struct err *e)
{
    const char *root = tree_text(tree, "root", ""), *path = tree_text(tree, "path", "");
    struct plan_file *f;

    if (!doctype_path_ok(path))
        return err_set(e, ERR_RANGE, "%spath: '%.200s' must be relative, without empty parts, '.' and '..'", where, path);
    for (size_t k = 0; k < p->files.n; k++)
        if (strcmp(p->files.at[k].root, root) == 0 && strcmp(p->files.at[k].path, path) == 0)
            return err_set(e, ERR_RANGE, "%spath: '%.200s' stands twice", where, path);
    f = vec_add(&p->files);
    f->root = mem_strdup(root);
    f->path = mem_strdup(path);
    f->mode = tree_mode(tree, "mode", 0644);
    f->owner = dup_or_null(tree_text(tree, "owner", NULL));
    f->group = dup_or_null(tree_text(tree, "group", NULL));
    return 0;
}
