/* Pages of the HTTP port. */
#include "agent/shell/status.h"

#include "agent/shell/metrics.h"
#include "agent/shell/probes_http.h"
#include "agent/shell/shell.h"
#include "common/base/words.h"

static void page_health(void *owner, const char *query, struct http_answer *out)
{
    struct agent_counts n;

    (void)query;
    agent_count(owner, &n);
    if (n.stuck) {
        out->status = 503;
        str_printf(&out->body, "%zu of %zu documents stuck: see /status\n", n.stuck, n.documents);
    } else {
        str_append_z(&out->body, "ok\n");
    }
}

static void page_metrics(void *owner, const char *query, struct http_answer *out)
{
    (void)query;
    out->content_type = "text/plain; version=0.0.4; charset=utf-8";
    metric_render(agent_metrics, agent_metrics_n, owner, &out->body);
}

static void put_document(cJSON *list, const struct applier *w)
{
    cJSON *o = cJSON_CreateObject(), *files;
    char name[DOC_KEY_MAX];

    cJSON_AddStringToObject(o, "document", docname_text(&w->name, name));
    cJSON_AddStringToObject(o, "state", apply_state_name(w->machine.state));
    cJSON_AddStringToObject(o, "status", w->answered ? ack_status_word(w->status) : "");
    cJSON_AddStringToObject(o, "why", w->answered ? w->why : "");
    cJSON_AddNumberToObject(o, "status_at_ms", (double)w->status_wall_ms);
    cJSON_AddStringToObject(o, "sha", w->sha);
    cJSON_AddBoolToObject(o, "override", w->from_override);
    cJSON_AddStringToObject(o, "applied_sha", w->applied.known ? w->applied.sha : "");
    cJSON_AddNumberToObject(o, "applied_at_ms", w->applied.known ? (double)w->applied.at_wall_ms : 0);
    files = cJSON_AddArrayToObject(o, "files");
    for (size_t i = 0; i < w->applied.files.n; i++) {
        cJSON *f = cJSON_CreateObject();

        cJSON_AddStringToObject(f, "root", w->applied.files.at[i].root);
        cJSON_AddStringToObject(f, "path", w->applied.files.at[i].path);
        cJSON_AddStringToObject(f, "sha", w->applied.files.at[i].sha);
        cJSON_AddItemToArray(files, f);
    }
    cJSON_AddItemToArray(list, o);
}

static void put_node(cJSON *o, const struct agent *a)
{
    const struct local_node_state *s;
    char text[ADDR_TEXT_MAX] = "";
    cJSON *n;

    if (!a->node)
        return;
    s = local_node_state(a->node);
    n = cJSON_AddObjectToObject(o, "data_node");
    if (addr_is_set(&s->primary))
        addr_text(&s->primary, text);
    cJSON_AddStringToObject(n, "role", local_role_name(s->role));
    cJSON_AddStringToObject(n, "primary", text);
    cJSON_AddNumberToObject(n, "offset", (double)s->offset);
    cJSON_AddNumberToObject(n, "lag_ms", (double)s->lag_ms);
    cJSON_AddStringToObject(n, "run_id", s->run_id);
}

static void put_label(cJSON *o, const struct agent *a)
{
    struct labels_view v;
    cJSON *k;

    if (!a->labels)
        return;
    labels_view(a->labels, &v);
    k = cJSON_AddObjectToObject(o, "kubernetes");
    cJSON_AddStringToObject(k, "api", v.url);
    cJSON_AddStringToObject(k, "namespace", v.name_space);
    cJSON_AddStringToObject(k, "pod", v.pod);
    cJSON_AddStringToObject(k, "label", label_shown_name(v.shown));
    cJSON_AddStringToObject(k, "state", label_state_name(v.state));
    cJSON_AddStringToObject(k, "why", v.why);
    cJSON_AddNumberToObject(k, "sentinels", (double)v.voices);
    cJSON_AddNumberToObject(k, "sentinels_naming_us", (double)v.naming_us);
}

static void page_status(void *owner, const char *query, struct http_answer *out)
{
    const struct agent *a = owner;
    cJSON *o = cJSON_CreateObject(), *d, *list;
    char text[ADDR_TEXT_MAX] = "", *json;
    struct addr at;

    (void)query;
    if (directory_address(a->directory, &at))
        addr_text(&at, text);
    cJSON_AddStringToObject(o, "version", KVORUM_VERSION);
    cJSON_AddStringToObject(o, "node", a->means.who.node);
    cJSON_AddStringToObject(o, "group", a->means.who.group);
    cJSON_AddNumberToObject(o, "started_at_ms", (double)a->started_wall_ms);
    d = cJSON_AddObjectToObject(o, "directory");
    cJSON_AddStringToObject(d, "state", dir_state_name(directory_state(a->directory)));
    cJSON_AddStringToObject(d, "rung", dir_rung_name(directory_rung(a->directory)));
    cJSON_AddStringToObject(d, "address", text);
    cJSON_AddNumberToObject(d, "state_for_ms", (double)(loop_now_ms(a->loop) - directory_state_since_ms(a->directory)));
    put_node(o, a);
    put_label(o, a);
    cJSON_AddStringToObject(o, "from", a->from_cache ? "cache" : "directory");
    cJSON_AddStringToObject(o, "agent_document", a->in_force ? a->in_force->name.component : "");
    cJSON_AddStringToObject(o, "agent_document_error", a->agent_why);
    cJSON_AddNumberToObject(o, "acks_waiting", (double)acks_waiting(a->acks));
    list = cJSON_AddArrayToObject(o, "documents");
    for (size_t i = 0; i < a->appliers.n; i++)
        put_document(list, a->appliers.at[i]);
    json = cJSON_Print(o);
    out->content_type = "application/json";
    str_append_z(&out->body, json);
    str_append_c(&out->body, '\n');
    cJSON_free(json);
    cJSON_Delete(o);
}

static const struct http_route routes[] = {
    {"/healthz", page_health},
    {"/startupz", page_startupz},
    {"/livez", page_livez},
    {"/readyz", page_readyz},
    {"/metrics", page_metrics},
    {"/status", page_status},
};

int status_listen(struct agent *a, struct err *e)
{
    return http_server_start(a->loop, a->options->http_bind, (uint16_t)a->options->http_port, routes,
                             sizeof routes / sizeof routes[0], a, &a->web, e);
}

void status_close(struct agent *a)
{
    if (a->web)
        http_server_stop(a->web);
    a->web = NULL;
}
