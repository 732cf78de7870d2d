#include "sentinel/shell/status.h"

#include "common/io/http_server.h"
#include "sentinel/core/names.h"
#include "sentinel/shell/metrics.h"
#include "sentinel/shell/save.h"
#include "sentinel/shell/shell.h"

#include <cjson/cJSON.h>
#include <stdlib.h>

struct status {
    struct http_server *http;
};

static cJSON *node_json(struct shell *sh, const struct node *n, bool primary)
{
    cJSON *o = cJSON_CreateObject();
    char text[ADDR_TEXT_MAX], flags[FLAGS_MAX];

    cJSON_AddStringToObject(o, "address", addr_text(&n->addr, text));
    cJSON_AddStringToObject(o, "runId", n->run_id);
    cJSON_AddStringToObject(o, "flags", core_node_flags(sh->core, n, flags));
    cJSON_AddBoolToObject(o, "down", n->sdown);
    cJSON_AddNumberToObject(o, "offset", (double)n->offset);
    if (!primary) {
        cJSON_AddStringToObject(o, "link", n->follows_up ? "up" : "down");
        cJSON_AddNumberToObject(o, "priority", (double)n->priority);
        cJSON_AddStringToObject(o, "refused", refusal_name(n->refused));
    }
    return o;
}

static cJSON *group_json(struct shell *sh, const struct group *g)
{
    cJSON *o = cJSON_CreateObject(), *list, *q;
    struct quorum_view view = core_quorum(sh->core, g);
    char text[ADDR_TEXT_MAX], flags[FLAGS_MAX];

    cJSON_AddStringToObject(o, "name", g->name);
    cJSON_AddStringToObject(o, "status", g->odown ? "odown" : core_primary(sh->core, g)->sdown ? "sdown" : "ok");
    cJSON_AddStringToObject(o, "clientAddress", addr_text(core_client_addr(sh->core, g), text));
    cJSON_AddNumberToObject(o, "configEpoch", (double)g->config_epoch);
    cJSON_AddStringToObject(o, "failover", fo_state_name(g->fo.state));
    q = cJSON_AddObjectToObject(o, "quorum");
    cJSON_AddNumberToObject(q, "needed", (double)g->opt[GOPT_QUORUM]);
    cJSON_AddNumberToObject(q, "usable", view.usable);
    cJSON_AddNumberToObject(q, "voters", view.voters);
    cJSON_AddBoolToObject(q, "ok", view.quorum_ok && view.majority_ok);
    cJSON_AddItemToObject(o, "primary", node_json(sh, core_primary(sh->core, g), true));
    list = cJSON_AddArrayToObject(o, "replicas");
    for (size_t i = 0; i < g->nodes.n; i++)
        if (g->nodes.at[i]->id != g->primary)
            cJSON_AddItemToArray(list, node_json(sh, g->nodes.at[i], false));
    list = cJSON_AddArrayToObject(o, "sentinels");
    for (size_t i = 0; i < g->seats.n; i++) {
        const struct peer *p = core_peer(sh->core, g->seats.at[i].peer);
        cJSON *s = cJSON_CreateObject();

        cJSON_AddStringToObject(s, "id", p->run_id);
        cJSON_AddStringToObject(s, "address", addr_text(&p->addr, text));
        cJSON_AddStringToObject(s, "flags", core_seat_flags(sh->core, &g->seats.at[i], flags));
        cJSON_AddItemToArray(list, s);
    }
    return o;
}

static void get_status(void *owner, const char *query, struct http_answer *out)
{
    struct shell *sh = owner;
    cJSON *o = cJSON_CreateObject(), *list;
    char *text;

    (void)query;
    cJSON_AddStringToObject(o, "apiVersion", "kvorum/v1");
    cJSON_AddStringToObject(o, "kind", "SentinelStatus");
    cJSON_AddStringToObject(o, "id", core_my_id(sh->core));
    cJSON_AddNumberToObject(o, "currentEpoch", (double)core_current_epoch(sh->core));
    cJSON_AddBoolToObject(o, "votes", !core_save_broken(sh->core) && !save_trouble(sh->save));
    cJSON_AddStringToObject(o, "saveTrouble", save_trouble(sh->save) ? save_trouble(sh->save) : "");
    cJSON_AddBoolToObject(o, "tilt", core_in_tilt(sh->core));
    list = cJSON_AddArrayToObject(o, "groups");
    for (size_t i = 0; i < core_group_count(sh->core); i++)
        cJSON_AddItemToArray(list, group_json(sh, core_group_at(sh->core, i)));
    text = cJSON_Print(o);
    str_printf(&out->body, "%s\n", text);
    out->content_type = "application/json";
    free(text);
    cJSON_Delete(o);
}

/* The loop turns. Whether it votes is for /healthz: ending the process heals no disk. */
static void get_livez(void *owner, const char *query, struct http_answer *out)
{
    (void)owner;
    (void)query;
    str_append_z(&out->body, "ok\n");
}

/* 200: this sentinel can do its part (it is up and may vote). Whether the groups are well is /status' business. */
static void get_healthz(void *owner, const char *query, struct http_answer *out)
{
    struct shell *sh = owner;

    (void)query;
    if (core_save_broken(sh->core) || save_trouble(sh->save)) {
        out->status = 503;
        str_printf(&out->body, "does not vote: %s\n", save_trouble(sh->save) ? save_trouble(sh->save) : "the state cannot be saved");
    } else
        str_append_z(&out->body, "ok\n");
}

static void get_metrics(void *owner, const char *query, struct http_answer *out)
{
    (void)query;
    out->content_type = "text/plain; version=0.0.4; charset=utf-8";
    metric_render(sentinel_metrics, sentinel_metrics_n, owner, &out->body);
}

static const struct http_route routes[] = {
    {"/healthz", get_healthz}, {"/livez", get_livez}, {"/metrics", get_metrics}, {"/status", get_status}};

int status_new(struct shell *sh, struct status **out, struct err *e)
{
    struct status *s;
    int rc;

    if (sh->opt->http_port == 0)
        return 0;
    s = mem_zalloc(sizeof *s);
    rc = http_server_start(sh->loop, sh->opt->http_bind ? sh->opt->http_bind : "127.0.0.1", (uint16_t)sh->opt->http_port, routes,
                           sizeof routes / sizeof routes[0], sh, &s->http, e);
    if (rc != 0) {
        mem_free(s);
        return err_wrap(e, "'http-port' %lld", (long long)sh->opt->http_port);
    }
    *out = s;
    return 0;
}

void status_free(struct status *s)
{
    if (!s)
        return;
    http_server_stop(s->http);
    mem_free(s);
}
