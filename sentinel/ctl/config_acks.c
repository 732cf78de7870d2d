/* Who acknowledged a document: cfgack:<document>, one field a node, and node:<id>, which is
 * there as long as its agent lives. */
#include "sentinel/ctl/config.h"

#include "common/base/mem.h"
#include "common/io/clock.h"
#include "sentinel/ctl/table.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#define LOOK_MS 50

/* {"sha":..,"st":..,"t":..,"ms":..,"seq":..,"err":..} */
struct seen_ack {
    char sha[SHA_TEXT], status[32], err[1100];
    int64_t at_ms, took_ms;
};

static void put_text(const cJSON *o, const char *name, char *out, size_t cap)
{
    const cJSON *c = cJSON_GetObjectItemCaseSensitive(o, name);

    slice_copy_z(slice_z(cJSON_IsString(c) ? c->valuestring : ""), out, cap);
}

static int64_t number(const cJSON *o, const char *name)
{
    const cJSON *c = cJSON_GetObjectItemCaseSensitive(o, name);

    return cJSON_IsNumber(c) ? (int64_t)c->valuedouble : 0;
}

static bool ack_read(const struct val *v, struct seen_ack *out)
{
    cJSON *o = cJSON_Parse(val_z(v, ""));
    bool ok = cJSON_IsObject(o);

    memset(out, 0, sizeof *out);
    if (ok) {
        put_text(o, "sha", out->sha, sizeof out->sha);
        put_text(o, "st", out->status, sizeof out->status);
        put_text(o, "err", out->err, sizeof out->err);
        out->at_ms = number(o, "t");
        out->took_ms = number(o, "ms");
    }
    cJSON_Delete(o);
    return ok;
}

static bool ack_good(const struct seen_ack *a, const char *sha)
{
    return strcmp(a->sha, sha) == 0 && (strcmp(a->status, "ok") == 0 || strcmp(a->status, "override") == 0);
}

int config_ack_counts(struct conn *k, const char *name, const char *sha, char out[32])
{
    struct val *v = NULL;
    struct seen_ack a;
    char key[DOC_KEY_ROOM];
    size_t good = 0;
    int rc = dir_callz(k, &v, "HGETALL", doc_key(key, "cfgack", name), NULL);

    out[0] = 0;
    for (size_t i = 1; rc == EXIT_OK_ && i < v->n; i += 2)
        good += ack_read(v->at[i], &a) && ack_good(&a, sha);
    if (rc == EXIT_OK_ && v->n > 0)
        snprintf(out, 32, "%zu/%zu", good, v->n / 2);
    val_free(v);
    return rc;
}

/* --- the table of answers --- */

static const struct column ack_columns[] = {
    {"node", "NODE", false}, {"alive", "ALIVE", false},  {"status", "STATUS", false}, {"current", "CURRENT", false},
    {"sha", NULL, false},    {"sha8", "SHA", false},     {"ms", "MS", true},          {"time", NULL, false},
    {"age", "AGE", false},   {"error", "WHY", false},
};

static void put_ack(struct table *t, const char *node, bool alive, const struct seen_ack *a, const char *sha)
{
    char text[32];

    table_put(t, node);
    table_put(t, alive ? "yes" : "no");
    table_put(t, a ? a->status : "silent");
    table_put(t, a && strcmp(a->sha, sha) == 0 ? "yes" : "no");
    table_put(t, a ? a->sha : "");
    snprintf(text, sizeof text, "%.8s", a ? a->sha : "");
    table_put(t, text);
    if (a)
        table_put_i64(t, a->took_ms);
    else
        table_put(t, "");
    table_put(t, a ? dir_time(a->at_ms, text) : "");
    table_put(t, a ? dir_age(a->at_ms, text) : "");
    table_put(t, a ? a->err : "");
}

static bool is_alive(struct conn *k, const char *node)
{
    struct val *v = NULL;
    struct err e;
    char key[200];
    bool alive;

    snprintf(key, sizeof key, "node:%.128s", node);
    alive = conn_callz(k, &v, &e, "EXISTS", key, NULL) == 0 && val_i64(v, 0) == 1;
    val_free(v);
    return alive;
}

int config_status(struct ctl *c, struct conn *k, const char *name, int argc, char **argv)
{
    struct val *v = NULL, *acks = NULL;
    struct table t;
    char key[DOC_KEY_ROOM], sha[SHA_TEXT] = "";
    bool good = true;
    int rc = dir_callz(k, &v, "GET", doc_key(key, "config", name), NULL);

    (void)argc, (void)argv;
    if (rc == EXIT_OK_)
        rc = dir_callz(k, &acks, "HGETALL", doc_key(key, "cfgack", name), NULL);
    if (rc != EXIT_OK_)
        goto out;
    if (v->kind == VAL_NIL && acks->n == 0) {
        ctl_say("config:%s does not exist, and no agent ever answered it", name);
        rc = EXIT_FAILED;
        goto out;
    }
    if (v->kind != VAL_NIL)
        doc_sha(val_z(v, ""), v->len, sha);
    table_init(&t, "Acknowledgements", ack_columns, sizeof ack_columns / sizeof ack_columns[0]);
    for (size_t i = 0; i + 1 < acks->n; i += 2) {
        struct seen_ack a;
        const char *node = val_z(acks->at[i], "");

        if (!ack_read(acks->at[i + 1], &a))
            continue;
        put_ack(&t, node, is_alive(k, node), &a, sha);
        good = good && ack_good(&a, sha);
    }
    table_sort(&t);
    if (c->output == OUT_TEXT)
        printf("config:%s %s%.8s, answered by %zu\n", name, *sha ? "sha " : "does not exist", sha, table_rows(&t));
    if (c->output != OUT_TEXT || table_rows(&t) > 0)
        table_print(&t, c->output, false);
    table_fini(&t);
    if (!good)
        rc = EXIT_UNHEALTHY;
out:
    val_free(v);
    val_free(acks);
    return rc;
}

/* --- waiting --- */

/* Does this agent document (of the first component that has one) name it? -1: there is none. */
static int names_it(struct conn *k, const char *component, const char *name)
{
    struct val *v = NULL;
    struct err e;
    char key[DOC_KEY_ROOM];
    cJSON *o = NULL;
    const cJSON *c;
    int found = -1;

    snprintf(key, sizeof key, "config:agent:%.128s", component);
    if (*component && conn_callz(k, &v, &e, "GET", key, NULL) == 0 && v->kind == VAL_TEXT) {
        found = 0;
        o = cJSON_Parse(val_z(v, ""));
        cJSON_ArrayForEach(c, cJSON_GetObjectItemCaseSensitive(o, "apply"))
            if (cJSON_IsString(c) && strcmp(c->valuestring, name) == 0)
                found = 1;
    }
    cJSON_Delete(o);
    val_free(v);
    return found;
}

/* The nodes whose agents live and apply this document; an agent document goes to all whose it is. */
static int live_appliers(struct conn *k, const char *name, struct names *out)
{
    struct names keys = {0};
    const char *own = strncmp(name, "agent:", 6) == 0 ? name + 6 : NULL;
    int rc = dir_scan(k, "node:*", &keys);

    for (size_t i = 0; rc == EXIT_OK_ && i < keys.at.n; i++) {
        const char *node = keys.at.at[i] + strlen("node:"), *group;
        struct val *v = NULL;
        struct err e;
        bool mine = false;
        int n;

        if (conn_callz(k, &v, &e, "HGET", keys.at.at[i], "group", NULL) != 0) {
            val_free(v);
            continue;
        }
        group = val_z(v, "");
        const char *const components[] = {node, group, "default"};
        for (size_t j = 0; j < 3; j++) {
            n = names_it(k, components[j], name);
            if (n >= 0) {
                mine = own ? strcmp(own, components[j]) == 0 : n == 1;
                break;
            }
        }
        if (mine)
            vec_push(&out->at, mem_strdup(node));
        val_free(v);
    }
    names_fini(&keys);
    return rc;
}

/* One reading of the answers. *waiting: how many have not spoken about these bytes. */
static int look(struct conn *k, const char *name, const char *sha, const struct names *nodes, struct table *t,
                size_t *waiting, size_t *refused)
{
    struct val *acks = NULL;
    char key[DOC_KEY_ROOM];
    int rc = dir_callz(k, &acks, "HGETALL", doc_key(key, "cfgack", name), NULL);

    *waiting = *refused = 0;
    for (size_t i = 0; rc == EXIT_OK_ && i < nodes->at.n; i++) {
        const struct val *v = val_field(acks, nodes->at.at[i]);
        struct seen_ack a;
        bool spoke = v && ack_read(v, &a);

        put_ack(t, nodes->at.at[i], true, spoke ? &a : NULL, sha);
        if (!spoke || strcmp(a.sha, sha) != 0)
            (*waiting)++;
        else if (!ack_good(&a, sha))
            (*refused)++;
    }
    val_free(acks);
    return rc;
}

int config_wait(struct ctl *c, struct conn *k, const char *name, const char *sha)
{
    struct names nodes = {0};
    int64_t until_ms = clock_wall_ms() + c->wait_ms;
    size_t waiting = 0, refused = 0;
    int rc = live_appliers(k, name, &nodes);

    for (;;) {
        struct table t;
        bool over;

        table_init(&t, "Acknowledgements", ack_columns, sizeof ack_columns / sizeof ack_columns[0]);
        if (rc == EXIT_OK_)
            rc = look(k, name, sha, &nodes, &t, &waiting, &refused);
        over = rc != EXIT_OK_ || waiting == 0 || clock_wall_ms() >= until_ms;
        if (over && rc == EXIT_OK_ && (nodes.at.n > 0 || c->output != OUT_TEXT))
            table_print(&t, c->output, false);
        table_fini(&t);
        if (over)
            break;
        conn_sleep(c->loop, LOOK_MS);
    }
    if (rc == EXIT_OK_ && nodes.at.n == 0)
        ctl_say("no agent that is alive applies %s", name);
    if (rc == EXIT_OK_ && waiting > 0) {
        ctl_say("%zu of %zu said nothing about it within %lld ms; `kvorumctl config status %s` shows more later", waiting,
                nodes.at.n, (long long)c->wait_ms, name);
        rc = EXIT_TIMEOUT;
    } else if (rc == EXIT_OK_ && refused > 0) {
        ctl_say("%zu of %zu refused it or rolled it back; what they had in force stays", refused, nodes.at.n);
        rc = EXIT_FAILED;
    }
    names_fini(&nodes);
    return rc;
}
