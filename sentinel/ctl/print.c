/* A tree of groups, for eyes. */
#include "sentinel/ctl/print.h"

#include "common/base/num.h"

#include <cjson/cJSON.h>
#include <string.h>

static const char *text_of(const cJSON *o, const char *name)
{
    const char *z = cJSON_GetStringValue(cJSON_GetObjectItem(o, name));

    return z ? z : "";
}

static void health(struct str *out, const cJSON *o, bool colour)
{
    const char *h = text_of(o, "health");
    bool ok = strcmp(h, "ok") == 0;

    str_printf(out, "%s%s%s", colour ? (ok ? "\033[32m" : "\033[31m") : "", h, colour ? "\033[0m" : "");
}

static void lag(struct str *out, const cJSON *r)
{
    const cJSON *bytes = cJSON_GetObjectItem(r, "lagBytes"), *s = cJSON_GetObjectItem(r, "lagSeconds");
    char human[32];

    if (!cJSON_IsNumber(bytes)) {
        str_append_z(out, "  lag unknown");
        return;
    }
    num_put_size_human(human, sizeof human, (uint64_t)bytes->valuedouble);
    str_printf(out, "  lag %s", human);
    if (cJSON_IsNumber(s))
        str_printf(out, " / %d s", s->valueint);
}

static void one_group(struct str *out, const cJSON *g, bool colour)
{
    const cJSON *p = cJSON_GetObjectItem(g, "primary"), *q = cJSON_GetObjectItem(g, "quorum");
    const cJSON *replicas = cJSON_GetObjectItem(g, "replicas"), *sentinels = cJSON_GetObjectItem(g, "sentinels");
    const cJSON *it;
    int n = cJSON_GetArraySize(sentinels), at = 0;

    str_printf(out, "%s  epoch %d", text_of(g, "name"), cJSON_GetObjectItem(g, "configEpoch")->valueint);
    if (strcmp(text_of(g, "mode"), "plain") != 0)
        str_printf(out, "  %s", text_of(g, "mode"));
    if (strcmp(text_of(g, "failover"), "none") != 0)
        str_printf(out, "  failover: %s", text_of(g, "failover"));
    if (*text_of(g, "directory"))
        str_printf(out, "  directory %s", text_of(g, "directory"));
    str_printf(out, "\n├─ primary   %-22s ", text_of(p, "address"));
    health(out, p, colour);
    if (cJSON_IsNumber(cJSON_GetObjectItem(p, "offset")))
        str_printf(out, "  offset %.0f", cJSON_GetObjectItem(p, "offset")->valuedouble);
    str_append_z(out, "\n");
    cJSON_ArrayForEach(it, replicas) {
        str_printf(out, "├─ replica   %-22s ", text_of(it, "address"));
        health(out, it, colour);
        lag(out, it);
        str_printf(out, "  priority %d\n", cJSON_GetObjectItem(it, "priority")->valueint);
    }
    str_printf(out, "└─ sentinels %d, quorum %d: %s%s%s\n", n, cJSON_GetObjectItem(q, "needed")->valueint,
               colour ? (cJSON_IsTrue(cJSON_GetObjectItem(q, "ok")) ? "\033[32m" : "\033[31m") : "",
               text_of(q, "message"), colour ? "\033[0m" : "");
    cJSON_ArrayForEach(it, sentinels) {
        str_printf(out, "   %s %-22s %.8s ", ++at == n ? "└─" : "├─", text_of(it, "address"), text_of(it, "id"));
        health(out, it, colour);
        str_append_z(out, cJSON_IsTrue(cJSON_GetObjectItem(it, "asked")) ? "  (asked)\n" : "\n");
    }
}

void status_print_tree(const struct cJSON *status, struct str *out, bool colour)
{
    const cJSON *groups = cJSON_GetObjectItem(status, "groups"), *g;

    if (cJSON_GetArraySize(groups) == 0)
        str_printf(out, "sentinel %s watches no group yet (SENTINEL MONITOR, or a `sentinel monitor` line)\n",
                   text_of(status, "sentinel"));
    cJSON_ArrayForEach(g, groups)
        one_group(out, g, colour);
}
