/* Asks a sentinel for its groups and each primary for its replicas' offsets. The
 * sentinel's view says who belongs and who is well; how far a replica lags is only
 * known for one moment by the primary itself, so that is where it is asked. */
#include "common/base/num.h"
#include "sentinel/ctl/json.h"
#include "sentinel/ctl/print.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

static void add_addr(cJSON *o, const char *name, const char *ip, int64_t port)
{
    struct addr a = {0};
    char text[ADDR_TEXT_MAX] = "";

    if (addr_set(&a, ip, strlen(ip), port))
        addr_text(&a, text);
    cJSON_AddStringToObject(o, name, text);
}

static bool has_flag(const char *flags, const char *flag)
{
    size_t n = strlen(flag);

    for (const char *p = flags; (p = strstr(p, flag)); p += n)
        if ((p == flags || p[-1] == ',') && (p[n] == ',' || p[n] == '\0'))
            return true;
    return false;
}

static const char *health_of(const char *flags, const char *link)
{
    return has_flag(flags, "o_down") ? "down (agreed)" : has_flag(flags, "s_down") ? "down"
         : has_flag(flags, "disconnected") ? "disconnected" : strcmp(link, "ok") != 0 ? "link down" : "ok";
}

/* INFO replication of the primary, or NULL. */
static struct val *primary_info(struct ctl *c, const char *ip, int64_t port)
{
    struct conn *k = NULL;
    struct val *v = NULL;
    struct addr at;

    if (!addr_set(&at, ip, strlen(ip), port) || ctl_open_node(c, &at, c->timeout_ms < 500 ? c->timeout_ms : 500, &k, NULL) != 0)
        return NULL;
    if (conn_callz(k, &v, NULL, "INFO", "replication", NULL) != 0 || v->kind != VAL_TEXT) {
        val_free(v);
        v = NULL;
    }
    conn_close(k);
    return v;
}

static bool info_i64(const char *info, const char *name, int64_t *out)
{
    char want[64];
    const char *p;

    snprintf(want, sizeof want, "\n%s:", name);
    p = info ? strstr(info, want) : NULL;
    if (!p)
        return false;
    p += strlen(want);
    return num_i64(p, strcspn(p, "\r\n"), out);
}

/* "slave0:ip=..,port=..,state=..,offset=..,lag=.." of this replica. */
static bool info_replica(const char *info, const char *ip, int64_t port, int64_t *offset, int64_t *lag)
{
    char want[ADDR_TEXT_MAX + 32];
    const char *p, *q;

    snprintf(want, sizeof want, "ip=%s,port=%lld,", ip, (long long)port);
    p = info ? strstr(info, want) : NULL;
    if (!p)
        return false;
    q = strstr(p, "offset=");
    if (!q || q > p + strcspn(p, "\n") || !num_i64(q + 7, strcspn(q + 7, ",\r\n"), offset))
        return false;
    q = strstr(q, "lag=");
    if (!q || !num_i64(q + 4, strcspn(q + 4, ",\r\n"), lag))
        *lag = -1;
    return true;
}

static void add_number_or_null(cJSON *o, const char *name, bool known, int64_t v)
{
    if (known)
        cJSON_AddNumberToObject(o, name, (double)v);
    else
        cJSON_AddNullToObject(o, name);
}

static cJSON *one_replica(const struct val *r, const char *info, int64_t primary_offset)
{
    cJSON *o = cJSON_CreateObject();
    const char *ip = val_field_z(r, "ip", "");
    int64_t port = val_field_i64(r, "port", 0), offset = -1, lag = -1;
    const char *flags = val_field_z(r, "flags", "");
    bool seen = info_replica(info, ip, port, &offset, &lag);

    add_addr(o, "address", ip, port);
    cJSON_AddStringToObject(o, "health", health_of(flags, val_field_z(r, "master-link-status", "ok")));
    cJSON_AddStringToObject(o, "flags", flags);
    cJSON_AddStringToObject(o, "link", val_field_z(r, "master-link-status", ""));
    cJSON_AddNumberToObject(o, "priority", (double)val_field_i64(r, "slave-priority", 0));
    add_number_or_null(o, "offset", true, seen ? offset : val_field_i64(r, "slave-repl-offset", 0));
    add_number_or_null(o, "lagBytes", seen && primary_offset >= offset, primary_offset - offset);
    add_number_or_null(o, "lagSeconds", seen && lag >= 0, lag);
    return o;
}

static cJSON *sentinel_entry(const char *ip, int64_t port, const char *id, const char *health, bool self)
{
    cJSON *o = cJSON_CreateObject();

    add_addr(o, "address", ip, port);
    cJSON_AddStringToObject(o, "id", id);
    cJSON_AddStringToObject(o, "health", health);
    cJSON_AddBoolToObject(o, "asked", self);
    return o;
}

static void add_quorum(struct ctl *c, cJSON *g, const char *name, int64_t quorum)
{
    struct val *v = NULL;
    struct err e = {0};
    cJSON *q = cJSON_AddObjectToObject(g, "quorum");

    cJSON_AddNumberToObject(q, "needed", (double)quorum);
    if (conn_callz(c->sentinel, &v, &e, "SENTINEL", "CKQUORUM", name, NULL) != 0)
        v = NULL;
    cJSON_AddBoolToObject(q, "ok", v && !val_is_error(v));
    cJSON_AddStringToObject(q, "message", v ? val_z(v, "") : e.text);
    val_free(v);
}

static bool is_ok(const cJSON *o)
{
    const char *h = cJSON_GetStringValue(cJSON_GetObjectItem(o, "health"));

    return h && strcmp(h, "ok") == 0;
}

static cJSON *one_group(struct ctl *c, const struct val *m, const char *my_id, bool *healthy)
{
    cJSON *g = cJSON_CreateObject(), *p, *list;
    const char *name = val_field_z(m, "name", ""), *ip = val_field_z(m, "ip", ""), *flags = val_field_z(m, "flags", "");
    int64_t port = val_field_i64(m, "port", 0), offset = -1;
    struct val *v = NULL, *info = has_flag(flags, "s_down") ? NULL : primary_info(c, ip, port);
    const char *text = val_z(info, NULL);
    bool known = info_i64(text, "master_repl_offset", &offset), well;

    cJSON_AddStringToObject(g, "name", name);
    cJSON_AddNumberToObject(g, "configEpoch", (double)val_field_i64(m, "config-epoch", 0));
    cJSON_AddStringToObject(g, "failover", val_field_z(m, "failover-state", "none"));
    cJSON_AddNumberToObject(g, "downAfterMs", (double)val_field_i64(m, "down-after-milliseconds", 0));
    cJSON_AddStringToObject(g, "directory", val_field_z(m, "directory", ""));
    add_quorum(c, g, name, val_field_i64(m, "quorum", 0));
    p = cJSON_AddObjectToObject(g, "primary");
    add_addr(p, "address", ip, port);
    cJSON_AddStringToObject(p, "health", health_of(flags, "ok"));
    cJSON_AddStringToObject(p, "flags", flags);
    cJSON_AddStringToObject(p, "runId", val_field_z(m, "runid", ""));
    add_number_or_null(p, "offset", known, offset);
    well = is_ok(p) && cJSON_IsTrue(cJSON_GetObjectItem(cJSON_GetObjectItem(g, "quorum"), "ok"));

    list = cJSON_AddArrayToObject(g, "replicas");
    if (ctl_ask(c, "replicas", name, &v) == EXIT_OK_ || ctl_ask(c, "slaves", name, &v) == EXIT_OK_)
        for (size_t i = 0; i < v->n; i++) {
            cJSON *r = one_replica(v->at[i], text, offset);
            well = well && is_ok(r);
            cJSON_AddItemToArray(list, r);
        }
    val_free(v);
    v = NULL;
    list = cJSON_AddArrayToObject(g, "sentinels");
    cJSON_AddItemToArray(list, sentinel_entry(c->sentinel_addr.host, c->sentinel_addr.port, my_id, "ok", true));
    if (ctl_ask(c, "sentinels", name, &v) == EXIT_OK_)
        for (size_t i = 0; i < v->n; i++) {
            cJSON *s = sentinel_entry(val_field_z(v->at[i], "ip", ""), val_field_i64(v->at[i], "port", 0),
                                      val_field_z(v->at[i], "runid", ""),
                                      health_of(val_field_z(v->at[i], "flags", ""), "ok"), false);
            well = well && is_ok(s);
            cJSON_AddItemToArray(list, s);
        }
    val_free(v);
    val_free(info);
    cJSON_AddBoolToObject(g, "healthy", well);
    cJSON_AddStringToObject(g, "mode", val_field_z(m, "mode", "plain"));
    *healthy = *healthy && well;
    return g;
}

int status_gather(struct ctl *c, struct cJSON **out, bool *healthy)
{
    struct val *masters = NULL, *id = NULL;
    cJSON *o, *groups;
    char at[ADDR_TEXT_MAX];
    int rc = ctl_ask(c, "masters", NULL, &masters);

    if (rc != EXIT_OK_)
        return rc;
    rc = ctl_ask(c, "myid", NULL, &id);
    if (rc != EXIT_OK_) {
        val_free(masters);
        return rc;
    }
    *healthy = true;
    o = json_object("Status");
    cJSON_AddStringToObject(o, "sentinel", addr_text(&c->sentinel_addr, at));
    groups = cJSON_AddArrayToObject(o, "groups");
    for (size_t i = 0; i < masters->n; i++)
        cJSON_AddItemToArray(groups, one_group(c, masters->at[i], val_z(id, ""), healthy));
    cJSON_AddBoolToObject(o, "healthy", *healthy);
    val_free(masters);
    val_free(id);
    *out = o;
    return EXIT_OK_;
}
