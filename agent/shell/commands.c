/* INFO and AGENT; what every client may say comes from the session's own table. */
#include "agent/shell/commands.h"

#include "agent/controller/scale.h"
#include "agent/shell/shell.h"
#include "common/base/words.h"
#include "common/io/session.h"

#include <string.h>
#include <unistd.h>

static struct agent *agent_of(struct call *c) { return c->session->srv->owner; }

static void put_directory(const struct agent *a, struct addr *at, char text[ADDR_TEXT_MAX])
{
    text[0] = 0;
    if (a->directory && directory_address(a->directory, at))
        addr_text(at, text);
}

static bool wanted(struct call *c, const char *section)
{
    for (int i = 1; i < c->argc; i++)
        if (slice_is_nocase(c->argv[i], section) || slice_is_nocase(c->argv[i], "all") ||
            slice_is_nocase(c->argv[i], "default") || slice_is_nocase(c->argv[i], "everything"))
            return true;
    return c->argc == 1;
}

static void put_controller(const struct agent *a, struct str *s)
{
    const struct scale_duty_stats *n = a->scale_duty ? scale_duty_stats(a->scale_duty) : NULL;

    str_printf(s, "# Controller\r\ncontroller:%d\r\ncontroller_holder:%s\r\n",
               a->controller && controller_is_ours(a->controller), a->controller ? controller_holder(a->controller) : "");
    if (a->registry_duty && controller_is_ours(a->controller)) {
        struct registry_duty_stats r;
        struct history_duty_stats h;

        registry_duty_stats(a->registry_duty, &r);
        history_duty_stats(a->history_duty, &h);
        str_printf(s, "registry_services:%zu\r\nregistry_instances:%zu\r\nregistry_up:%zu\r\nregistry_draining:%zu\r\n"
                      "registry_lapsed:%zu\r\nregistry_without_lease:%zu\r\nregistry_junk:%zu\r\n"
                      "registry_self_preservation:%d\r\nregistry_reaped:%llu\r\nnames_mirrored:%zu\r\nnames_foreign:%zu\r\n"
                      "history_documents:%zu\r\nhistory_logged:%llu\r\nhistory_restored:%llu\r\nhistory_republished:%llu\r\n"
                      "history_vanished:%llu\r\n",
                   r.counts.services, r.counts.instances, r.counts.up, r.counts.draining, r.counts.lapsed, r.counts.unleased,
                   r.counts.junk, r.preserving, (unsigned long long)r.reaped, r.counts.mirrored, r.counts.foreign, h.documents,
                   (unsigned long long)h.logged, (unsigned long long)h.restored, (unsigned long long)h.republished,
                   (unsigned long long)h.vanished);
    }
    if (n)
        str_printf(s, "scale_events:%llu\r\nscale_events_changed:%llu\r\nscale_events_same:%llu\r\nscale_events_junk:%llu\r\n"
                      "scale_events_unknown:%llu\r\nscale_events_refused:%llu\r\nscale_events_dropped:%llu\r\n",
                   (unsigned long long)n->messages, (unsigned long long)n->changed, (unsigned long long)n->same,
                   (unsigned long long)n->junk, (unsigned long long)n->unknown, (unsigned long long)n->refused,
                   (unsigned long long)n->dropped);
    str_append_z(s, "\r\n");
}

static void run_info(struct call *c)
{
    struct agent *a = agent_of(c);
    struct agent_counts n;
    struct str s = {0};
    struct addr at;
    char text[ADDR_TEXT_MAX];
    const struct directory_stats *d = directory_stats(a->directory);

    put_directory(a, &at, text);
    agent_count(a, &n);
    if (wanted(c, "server"))
        str_printf(&s, "# Server\r\nkvorum_version:" KVORUM_VERSION "\r\nprocess_id:%d\r\nuptime_in_seconds:%lld\r\n"
                       "node_id:%s\r\ngroup:%s\r\n\r\n",
                   (int)getpid(), (long long)(loop_now_ms(a->loop) - a->started_at_ms) / 1000, a->means.who.node,
                   a->means.who.group);
    if (wanted(c, "directory"))
        str_printf(&s, "# Directory\r\ndirectory_state:%s\r\ndirectory_rung:%s\r\ndirectory_address:%s\r\n"
                       "directory_state_for_ms:%lld\r\npushes:%llu\r\nsnapshots:%llu\r\nresyncs:%llu\r\n"
                       "resync_found_changes:%llu\r\nconnects:%llu\r\n\r\n",
                   dir_state_name(directory_state(a->directory)), dir_rung_name(directory_rung(a->directory)), text,
                   (long long)(loop_now_ms(a->loop) - directory_state_since_ms(a->directory)),
                   (unsigned long long)d->pushes, (unsigned long long)d->snapshots, (unsigned long long)d->resyncs,
                   (unsigned long long)a->lost_pushes, (unsigned long long)d->connects);
    if (wanted(c, "documents"))
        str_printf(&s, "# Documents\r\nagent_document:%s\r\nagent_document_error:%s\r\ndocuments:%zu\r\n"
                       "documents_ok:%zu\r\ndocuments_failed:%zu\r\ndocuments_busy:%zu\r\ndocuments_stuck:%zu\r\n"
                       "acks_waiting:%zu\r\nacks_delivered:%llu\r\nlast_apply_ms:%lld\r\n\r\n",
                   a->in_force ? a->in_force->name.component : "", a->agent_why, n.documents, n.ok, n.failed, n.busy,
                   n.stuck, acks_waiting(a->acks), (unsigned long long)acks_delivered(a->acks),
                   (long long)a->last_took_ms);
    if (wanted(c, "controller"))
        put_controller(a, &s);
    reply_verbatim(c->reply, "txt", str_c(&s), s.len);
    str_fini(&s);
}

static void pair(struct reply *r, const char *name, const char *value)
{
    reply_bulk_z(r, name);
    reply_bulk_z(r, value);
}

static void pair_i64(struct reply *r, const char *name, int64_t value)
{
    reply_bulk_z(r, name);
    reply_int(r, value);
}

static void run_status(struct call *c)
{
    struct agent *a = agent_of(c);
    struct agent_counts n;
    struct addr at;
    char text[ADDR_TEXT_MAX];

    put_directory(a, &at, text);
    agent_count(a, &n);
    reply_map(c->reply, 12);
    pair(c->reply, "node", a->means.who.node);
    pair(c->reply, "group", a->means.who.group);
    pair(c->reply, "directory", dir_state_name(directory_state(a->directory)));
    pair(c->reply, "directory-address", text);
    pair(c->reply, "push", dir_rung_name(directory_rung(a->directory)));
    pair(c->reply, "from", a->from_cache ? "cache" : "directory");
    pair(c->reply, "agent-document", a->in_force ? a->in_force->name.component : "");
    pair_i64(c->reply, "documents", (int64_t)n.documents);
    pair_i64(c->reply, "ok", (int64_t)n.ok);
    pair_i64(c->reply, "failed", (int64_t)n.failed);
    pair_i64(c->reply, "busy", (int64_t)n.busy);
    pair_i64(c->reply, "stuck", (int64_t)n.stuck);
}

static void run_applied(struct call *c)
{
    struct agent *a = agent_of(c);

    reply_array(c->reply, a->appliers.n);
    for (size_t i = 0; i < a->appliers.n; i++) {
        const struct applier *w = a->appliers.at[i];
        char name[DOC_KEY_MAX];

        reply_map(c->reply, 7);
        pair(c->reply, "document", docname_text(&w->name, name));
        pair(c->reply, "state", apply_state_name(w->machine.state));
        pair(c->reply, "status", w->answered ? ack_status_word(w->status) : "");
        pair(c->reply, "why", w->answered ? w->why : "");
        pair(c->reply, "sha", w->sha);
        pair(c->reply, "applied-sha", w->applied.known ? w->applied.sha : "");
        pair_i64(c->reply, "applied-at-ms", w->applied.known ? w->applied.at_wall_ms : 0);
    }
}

static void count_one(void *arg, const char *service, const char *instance, const char *state, const char *line,
                      int64_t since_ms, const char *why)
{
    (void)service, (void)instance, (void)state, (void)line, (void)since_ms, (void)why;
    ++*(size_t *)arg;
}

static void put_service(void *arg, const char *service, const char *instance, const char *state, const char *line,
                        int64_t since_ms, const char *why)
{
    struct reply *r = arg;

    reply_map(r, 6);
    pair(r, "service", service);
    pair(r, "instance", instance);
    pair(r, "state", state);
    pair(r, "line", line);
    pair_i64(r, "for-ms", since_ms);
    pair(r, "why", why);
}

static void run_services(struct call *c)
{
    struct agent *a = agent_of(c);
    size_t n = 0;

    services_list(a->services, count_one, &n);
    reply_array(c->reply, n);
    services_list(a->services, put_service, c->reply);
}

static void run_resync(struct call *c)
{
    agent_resync(agent_of(c));
    reply_ok(c->reply);
}

static void run_help(struct call *c);

static const struct command agent_subs[] = {
/*    name       arity flags                 run          keys     group    */
    { "status",  2,    CMD_READ | CMD_FAST,  run_status,  0, 0, 0, "agent",
      "", "The agent, its directory, and how many documents stand how.", "7.0.0" },
    { "applied", 2,    CMD_READ | CMD_FAST,  run_applied, 0, 0, 0, "agent",
      "", "Each document: what is in force, and how the last application ended.", "7.0.0" },
    { "services", 2,   CMD_READ | CMD_FAST,  run_services, 0, 0, 0, "agent",
      "", "Each instance beside this agent: its state, its line in the directory, and what the last check said.", "7.0.0" },
    { "resync",  2,    CMD_ADMIN,            run_resync,  0, 0, 0, "agent",
      "", "Read everything again, compare with the files, retry what failed.", "7.0.0" },
    { "help",    2,    CMD_FAST,             run_help,    0, 0, 0, "agent",
      "", "What AGENT can do.", "7.0.0" },
};

static const struct command agent_rows[] = {
    { "info",    -1,   CMD_READ,             run_info,    0, 0, 0, "server",
      "[section [section ...]]", "Facts about this agent, in sections.", "1.0.0" },
    { "agent",   -2,   CMD_CONTAINER,        NULL,        0, 0, 0, "agent",
      "", "The agent and its documents.", "7.0.0", agent_subs, sizeof agent_subs / sizeof agent_subs[0] },
};

static void run_help(struct call *c) { command_reply_help(c->reply, &agent_rows[1]); }

void agent_commands_fill(struct command_table *t)
{
    command_table_add(t, session_commands, session_commands_n);
    command_table_add(t, agent_rows, sizeof agent_rows / sizeof agent_rows[0]);
}
