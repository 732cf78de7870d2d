/* One table for both judgements. */
#include "agent/shell/probes_http.h"

#include "agent/shell/shell.h"

static const struct verdict {
    bool started, ready;
    const char *why;
} verdicts[] = {
    [LOCAL_UNKNOWN] = {false, false, "the data node was not heard of yet"},
    [LOCAL_DOWN] = {false, false, "the data node does not answer"},
    [LOCAL_LOADING] = {false, false, "the data node is loading its data"},
    [LOCAL_PRIMARY] = {true, true, "primary, takes writes"},
    [LOCAL_FENCED] = {true, false, "the data node is fenced: it waits for its group, or has no lease"},
    [LOCAL_REPLICA] = {true, true, "replica, in sync"},
    [LOCAL_SYNCING] = {true, false, "a replica whose link to the primary is down or being filled"},
};

bool probe_started(const struct local_node_state *s, struct str *why)
{
    str_append_z(why, verdicts[s->role].why);
    return verdicts[s->role].started;
}

bool probe_ready(const struct local_node_state *s, int64_t max_lag_ms, struct str *why)
{
    str_append_z(why, verdicts[s->role].why);
    if (s->role == LOCAL_REPLICA && max_lag_ms > 0 && s->lag_ms > max_lag_ms) {
        str_printf(why, ", but heard its primary %lld ms ago (ready-max-lag is %lld ms)", (long long)s->lag_ms,
                   (long long)max_lag_ms);
        return false;
    }
    return verdicts[s->role].ready;
}

static void answer(struct http_answer *out, bool good)
{
    out->status = good ? 200 : 503;
    str_append_c(&out->body, '\n');
}

void page_livez(void *owner, const char *query, struct http_answer *out)
{
    (void)owner;
    (void)query;
    str_append_z(&out->body, "ok");
    answer(out, true);
}

/* NULL: there is none to wait for, and that is the answer. */
static const struct local_node_state *node_of(const struct agent *a, struct http_answer *out)
{
    if (a->node)
        return local_node_state(a->node);
    str_append_z(&out->body, "no data node is configured");
    answer(out, true);
    return NULL;
}

void page_startupz(void *owner, const char *query, struct http_answer *out)
{
    const struct local_node_state *s = node_of(owner, out);

    (void)query;
    if (s)
        answer(out, probe_started(s, &out->body));
}

void page_readyz(void *owner, const char *query, struct http_answer *out)
{
    const struct agent *a = owner;
    const struct local_node_state *s = node_of(a, out);

    (void)query;
    if (s)
        answer(out, probe_ready(s, a->options->ready_lag_ms, &out->body));
}
