/* Who is there: the nodes whose agents beat (node:<id>), the services and their instances
 * (svcs:<name>, and the hash `services` that older clients read). */
#include "common/base/num.h"
#include "sentinel/ctl/directory.h"
#include "sentinel/ctl/table.h"

#include <stdio.h>
#include <string.h>

/* --- nodes --- */

static const struct column node_columns[] = {
    {"node", "NODE", false},        {"role", "ROLE", false},       {"zone", "ZONE", false},      {"group", NULL, false},
    {"documents", "DOCS", true},    {"ok", "OK", true},            {"failed", "FAILED", true},   {"stuck", "STUCK", true},
    {"directory", NULL, false},     {"push", "PUSH", false},       {"lagMs", NULL, true},        {"primary", NULL, false},
    {"agentDocument", NULL, false}, {"fingerprint", NULL, false},  {"fingerprint8", "IN FORCE", false},
    {"boot", NULL, false},          {"version", "VERSION", false}, {"time", NULL, false},        {"age", "SEEN", false},
    {"labels", NULL, false},
};

static const char *digits(const struct val *h, const char *field)
{
    const char *z = val_field_z(h, field, "");
    int64_t n;

    return num_i64(z, strlen(z), &n) ? z : "";
}

static void put_node(struct table *t, const char *node, const struct val *h)
{
    char text[32];

    table_put(t, node);
    table_put(t, val_field_z(h, "role", ""));
    table_put(t, val_field_z(h, "zone", ""));
    table_put(t, val_field_z(h, "group", ""));
    table_put(t, digits(h, "documents"));
    table_put(t, digits(h, "ok"));
    table_put(t, digits(h, "failed"));
    table_put(t, digits(h, "stuck"));
    table_put(t, val_field_z(h, "directory", ""));
    table_put(t, val_field_z(h, "push", ""));
    table_put(t, digits(h, "lag-ms"));
    table_put(t, val_field_z(h, "primary", ""));
    table_put(t, val_field_z(h, "agent-document", ""));
    table_put(t, val_field_z(h, "fingerprint", ""));
    snprintf(text, sizeof text, "%.8s", val_field_z(h, "fingerprint", ""));
    table_put(t, text);
    table_put(t, val_field_z(h, "boot", ""));
    table_put(t, val_field_z(h, "version", ""));
    table_put(t, dir_time(val_field_i64(h, "t", 0), text));
    table_put(t, dir_age(val_field_i64(h, "t", 0), text));
    table_put(t, val_field_z(h, "labels", ""));
}

static int list_nodes(struct ctl *c, struct conn *k)
{
    struct names keys = {0};
    struct table t;
    struct val *v = NULL;
    int rc = dir_scan(k, "node:*", &keys);

    table_init(&t, "Nodes", node_columns, sizeof node_columns / sizeof node_columns[0]);
    for (size_t i = 0; rc == EXIT_OK_ && i < keys.at.n; i++) {
        rc = dir_callz(k, &v, "HGETALL", keys.at.at[i], NULL);
        if (rc == EXIT_OK_ && v->n > 0)
            put_node(&t, keys.at.at[i] + strlen("node:"), v);
        val_free(v);
        v = NULL;
    }
    if (rc == EXIT_OK_)
        table_print(&t, c->output, false);
    if (rc == EXIT_OK_ && c->output == OUT_TEXT) {
        rc = dir_callz(k, &v, "GET", "kvorum:controller", NULL);
        if (rc == EXIT_OK_)
            printf("controller: %s\n", val_z(v, "nobody (histories, the registry and scale events wait for one)"));
        val_free(v);
    }
    table_fini(&t);
    names_fini(&keys);
    return rc;
}

/* What a node that is gone for good has said is forgotten: its acknowledgements. */
static int retire_node(struct conn *k, const char *node)
{
    struct names keys = {0};
    struct val *v = NULL;
    char beat[200];
    int64_t n = 0;
    int rc;

    snprintf(beat, sizeof beat, "node:%.128s", node);
    rc = dir_callz(k, &v, "EXISTS", beat, NULL);
    if (rc == EXIT_OK_ && val_i64(v, 0) != 0) {
        ctl_say("%s beats; end its agent first, it would only answer again", node);
        rc = EXIT_REFUSED;
    }
    val_free(v);
    if (rc == EXIT_OK_)
        rc = dir_scan(k, "cfgack:*", &keys);
    for (size_t i = 0; rc == EXIT_OK_ && i < keys.at.n; i++) {
        v = NULL;
        rc = dir_callz(k, &v, "HDEL", keys.at.at[i], node, NULL);
        if (rc == EXIT_OK_)
            n += val_i64(v, 0);
        val_free(v);
    }
    names_fini(&keys);
    if (rc == EXIT_OK_)
        printf("%s: %lld acknowledgements forgotten\n", node, (long long)n);
    return rc;
}

int run_nodes(struct ctl *c, int argc, char **argv)
{
    struct conn *k = NULL;
    int rc;

    if (argc != 0 && (argc != 2 || strcmp(argv[0], "retire") != 0)) {
        ctl_say("usage: kvorumctl nodes, or kvorumctl nodes retire <node id>");
        return EXIT_USAGE;
    }
    rc = dir_open(c, &k);
    if (rc == EXIT_OK_)
        rc = argc == 0 ? list_nodes(c, k) : retire_node(k, argv[1]);
    conn_close(k);
    return rc;
}

/* --- services --- */

/* "10.0.0.7:8080;zone=a;w=100;state=up;ttl=15000;tags=x,y": the part behind ";name=", or the address. */
static const char *part(const char *value, const char *name, char out[300])
{
    const char *p = value;
    size_t n;

    out[0] = 0;
    if (name) {
        n = strlen(name);
        while ((p = strchr(p, ';')) != NULL && !(strncmp(p + 1, name, n) == 0 && p[1 + n] == '='))
            p++;
        if (!p)
            return out;
        p += n + 2;
    }
    n = strcspn(p, ";");
    slice_copy_z((struct slice){p, n < 299 ? n : 299}, out, 300);
    return out;
}

static const struct column service_columns[] = {
    {"service", "SERVICE", false}, {"up", "UP", true}, {"drain", "DRAIN", true}, {"mirror", "MIRROR", false}, {"kept", "KEPT BY", false},
};

static bool is_up(const char *value)
{
    char state[300];

    return strcmp(part(value, "state", state), "drain") != 0;
}

static void put_service(struct table *t, const char *name, const struct val *instances, const struct val *mirror,
                        const struct val *owner)
{
    int64_t up = 0, drain = 0;
    const char *shown = val_field_z(mirror, name, "");

    for (size_t i = 1; instances && i < instances->n; i += 2) {
        if (is_up(val_z(instances->at[i], "")))
            up++;
        else
            drain++;
    }
    table_put(t, name);
    table_put_i64(t, up);
    table_put_i64(t, drain);
    table_put(t, shown);
    table_put(t, !*shown ? "" : strcmp(val_field_z(owner, name, ""), shown) == 0 ? "controller" : "client");
}

int run_services(struct ctl *c, int argc, char **argv)
{
    struct conn *k = NULL;
    struct names keys = {0};
    struct val *mirror = NULL, *owner = NULL, *v = NULL;
    struct table t;
    int rc = dir_open(c, &k);

    (void)argc, (void)argv;
    table_init(&t, "Services", service_columns, sizeof service_columns / sizeof service_columns[0]);
    if (rc == EXIT_OK_)
        rc = dir_callz(k, &mirror, "HGETALL", "services", NULL);
    if (rc == EXIT_OK_)
        rc = dir_callz(k, &owner, "HGETALL", "svcs.owner", NULL);
    if (rc == EXIT_OK_)
        rc = dir_scan(k, "svcs:*", &keys);
    for (size_t i = 0; rc == EXIT_OK_ && i < keys.at.n; i++) {
        v = NULL;
        rc = dir_callz(k, &v, "HGETALL", keys.at.at[i], NULL);
        if (rc == EXIT_OK_)
            put_service(&t, keys.at.at[i] + strlen("svcs:"), v, mirror, owner);
        val_free(v);
    }
    for (size_t i = 0; rc == EXIT_OK_ && i + 1 < mirror->n; i += 2) {        /* names that only clients keep */
        const char *name = val_z(mirror->at[i], "");
        bool seen = false;

        for (size_t r = 0; r < table_rows(&t); r++)
            seen = seen || strcmp(table_cell(&t, r, 0), name) == 0;
        if (!seen)
            put_service(&t, name, NULL, mirror, owner);
    }
    if (rc == EXIT_OK_) {
        table_sort(&t);
        table_print(&t, c->output, false);
    }
    table_fini(&t);
    val_free(mirror);
    val_free(owner);
    names_fini(&keys);
    conn_close(k);
    return rc;
}

/* --- resolve --- */

static const struct column instance_columns[] = {
    {"address", "ADDRESS", false}, {"instance", "INSTANCE", false}, {"state", "STATE", false},
    {"zone", "ZONE", false},       {"weight", "WEIGHT", true},      {"tags", "TAGS", false},
};

/* Of our agents' instances; returns how many take work. */
static size_t put_instances(struct table *t, const struct val *v)
{
    char text[300];
    size_t up = 0;

    for (size_t i = 0; i + 1 < v->n; i += 2) {
        const char *value = val_z(v->at[i + 1], "");
        int64_t w;

        up += is_up(value);
        table_put(t, part(value, NULL, text));
        table_put(t, val_z(v->at[i], ""));
        table_put(t, part(value, "state", text));
        table_put(t, part(value, "zone", text));
        part(value, "w", text);
        table_put(t, num_i64(text, strlen(text), &w) ? text : "");
        table_put(t, part(value, "tags", text));
    }
    return up;
}

/* What a client registered: its address is all that is known. */
static void put_registered(struct table *t, const char *address)
{
    table_put(t, address);
    for (size_t i = 1; i < t->ncolumns; i++)
        table_put(t, i == 2 ? "registered" : "");
}

/* For people and for $(...): the addresses that take work, one a line. */
static void print_addresses(const struct table *t)
{
    for (size_t r = 0; r < table_rows(t); r++)
        if (strcmp(table_cell(t, r, 2), "drain") != 0)
            printf("%s\n", table_cell(t, r, 0));
}

int run_resolve(struct ctl *c, int argc, char **argv)
{
    struct conn *k = NULL;
    struct val *v = NULL, *mirror = NULL;
    struct table t;
    char key[300];
    size_t up;
    int rc = dir_open(c, &k);

    (void)argc;
    table_init(&t, "Instances", instance_columns, sizeof instance_columns / sizeof instance_columns[0]);
    snprintf(key, sizeof key, "svcs:%.250s", argv[0]);
    if (rc == EXIT_OK_)
        rc = dir_callz(k, &v, "HGETALL", key, NULL);
    if (rc == EXIT_OK_ && v->n == 0)             /* nobody of ours; a client may have registered it */
        rc = dir_callz(k, &mirror, "HGET", "services", argv[0], NULL);
    if (rc != EXIT_OK_)
        goto out;
    up = put_instances(&t, v);
    if (mirror && mirror->kind == VAL_TEXT) {
        up++;
        put_registered(&t, val_z(mirror, ""));
    }
    table_sort(&t);
    if (c->output == OUT_TEXT)
        print_addresses(&t);
    else
        table_print(&t, c->output, false);
    if (up == 0) {
        ctl_say(table_rows(&t) ? "no instance of '%s' takes work now" : "no service is called '%s'; `kvorumctl services` shows what there is", argv[0]);
        rc = EXIT_FAILED;
    }
out:
    table_fini(&t);
    val_free(v);
    val_free(mirror);
    conn_close(k);
    return rc;
}
