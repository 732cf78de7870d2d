/* The type "node": which settings, and which ones never. */
#include "agent/core/type_node.h"

#include "common/base/mem.h"

#include <string.h>

static const struct shape_field value_field[] = {{"", SHAPE_TEXT, false, 0, 65536}};
static const struct shape value_shape = SHAPE(value_field);

static const struct shape_field node_fields[] = {
    DOCTYPE_VERSION_FIELD,
    {"set", SHAPE_MAP, true, 1, NODE_SETTINGS_MAX, NULL, &value_shape, "name of a setting -> its value, as CONFIG SET takes it"},
    {"rewrite", SHAPE_BOOL, false, 0, 0, NULL, NULL, "CONFIG REWRITE once it holds, so that a restart keeps it"},
    {"restart_ok", SHAPE_BOOL, false, 0, 0, NULL, NULL, "only false: the agent restarts no data node"},
    DOCTYPE_PROBE_FIELDS,
    {"drift", SHAPE_LATER},
};
const struct shape node_shape = SHAPE(node_fields);

static const struct { const char *name, *because; } never[] = {
    {"dir", "it says where the node writes files"},
    {"state-dir", "it says where the node writes files"},
    {"dbfilename", "it says where the node writes files"},
    {"appendfilename", "it says where the node writes files"},
    {"appenddirname", "it says where the node writes files"},
    {"logfile", "it says where the node writes files"},
    {"pidfile", "it says where the node writes files"},
    {"unixsocket", "it says where the node writes files"},
    {"aclfile", "it says where the node reads its users"},
    {"loadmodule", "it runs a program of somebody's choice"},
    {"enable-debug-command", "it opens what the node's owner has closed"},
    {"enable-protected-configs", "it opens what the node's owner has closed"},
    {"enable-module-command", "it opens what the node's owner has closed"},
    {"replicaof", "the sentinels decide who follows whom"},
    {"slaveof", "the sentinels decide who follows whom"},
    {"ha-group", "a formed group is changed by its sentinels"},
};

/* Parts of a name that make its value a secret. */
static const char *const secret_parts[] = {"pass", "auth", "secret", "private"};

bool node_setting_is_secret(const char *name)
{
    for (size_t i = 0; i < sizeof secret_parts / sizeof secret_parts[0]; i++)
        if (strstr(name, secret_parts[i]))
            return true;
    return false;
}

static int lower_name(const char *name, char out[65], struct err *e)
{
    size_t n = strlen(name);

    for (size_t i = 0; i < n && i < 64; i++) {
        char c = name[i];

        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.'))
            n = 0;
        out[i] = c;
        out[i + 1] = 0;
    }
    return n >= 1 && n <= 64 ? 0 : err_set(e, ERR_RANGE, "set: '%.100s' is not the name of a setting", name);
}

static int allowed(const char *name, struct err *e)
{
    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++)
        if (strcmp(never[i].name, name) == 0)
            return err_set(e, ERR_REFUSED, "set.%s: is not for documents: %s", name, never[i].because);
    return 0;
}

int node_read(const cJSON *doc, struct plan *p, struct err *e)
{
    const cJSON *c;

    p->carrier = CARRY_NODE;
    if (cJSON_IsTrue(tree_at(doc, "restart_ok")))
        return err_set(e, ERR_REFUSED, "restart_ok: restarting the data node is not supported yet; what needs it is answered with pending_restart");
    p->node.rewrite = cJSON_IsTrue(tree_at(doc, "rewrite"));
    cJSON_ArrayForEach(c, tree_at(doc, "set"))
    {
        struct plan_setting *s;
        char name[65];
        int rc = lower_name(c->string, name, e);

        if (rc == 0)
            rc = allowed(name, e);
        if (rc != 0)
            return rc;
        for (size_t k = 0; k < p->node.set.n; k++)
            if (strcmp(p->node.set.at[k].name, name) == 0)
                return err_set(e, ERR_RANGE, "set.%s: stands twice", name);
        s = vec_add(&p->node.set);
        s->name = mem_strdup(name);
        s->value = mem_strdup(c->valuestring);
    }
    return doctype_read_actions(doc, p, e);
}
