/* Wiring: who is made of which options, who hears what of whom, and the way out. Documents are documents.c. */
#include "agent/shell/shell.h"

#include "agent/controller/scale.h"
#include "agent/shell/commands.h"
#include "agent/shell/documents.h"
#include "agent/shell/events.h"
#include "agent/shell/heartbeat.h"
#include "agent/shell/pattern.h"
#include "agent/shell/status.h"
#include "common/io/clock.h"
#include "common/io/file.h"
#include "common/io/log.h"
#include "common/io/notify.h"

#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define LEAVE_MS 2000           /* the end waits no longer for the last words */
#define DRAIN_MS 30000          /* draining takes at most that long when the agent stops */

struct applier *agent_find(const struct agent *a, const struct docname *name)
{
    for (size_t i = 0; i < a->appliers.n; i++)
        if (docname_equal(&a->appliers.at[i]->name, name))
            return a->appliers.at[i];
    return NULL;
}

void agent_show_status(struct agent *a)
{
    struct agent_counts n;

    agent_count(a, &n);
    notify_status("%zu documents, %zu in force, %zu failed; directory %s", n.documents, n.ok, n.failed,
                  dir_state_name(a->directory ? directory_state(a->directory) : DIR_SEEKING));
}

static const struct agent_doc *in_force(void *owner)
{
    const struct agent *a = owner;

    return a->in_force;
}

static void on_state(void *owner, enum dir_state state, const char *why)
{
    struct agent *a = owner;
    struct addr at;
    char text[ADDR_TEXT_MAX] = "?";

    if (a->directory && directory_address(a->directory, &at))
        addr_text(&at, text);
    if (state == DIR_LIVE) {
        agent_event("+directory-live", "%s rung=%s", text,
                    dir_rung_name(a->directory ? directory_rung(a->directory) : RUNG_NONE));
        acks_deliver(a->acks, a->directory, true);
    } else if (a->was_live) {
        agent_event("-directory-live", "%s why=\"%s\"", text, why);
    }
    a->was_live = state == DIR_LIVE;
    services_directory(a->services, state == DIR_LIVE);
}

static int make_state(struct agent *a, struct err *e)
{
    static const char *const kinds[] = {"cache", "journal", "applied", "ackq", "override", "lkg"};
    const char *state = a->options->state_dir;
    struct str path = {0};
    int rc = file_make_dirs(state, 0700, e);

    if (rc == 0) {
        str_printf(&path, "%s/lock", state);
        rc = file_lock(str_c(&path), &a->lock_fd, e);
    }
    for (size_t i = 0; rc == 0 && i < sizeof kinds / sizeof kinds[0]; i++)
        for (size_t t = 0; rc == 0 && t <= doctypes_n; t++) {
            str_clear(&path);
            str_printf(&path, "%s/%s/%s", state, kinds[i], t < doctypes_n ? doctypes[t].name : "agent");
            rc = file_make_dirs(str_c(&path), 0700, e);
        }
    str_fini(&path);
    return rc == 0 ? 0 : err_wrap(e, "'state-dir'");
}

static void everything_left(struct agent *a)
{
    void (*fn)(void *arg) = a->on_left;

    timer_clear(&a->late);
    a->on_left = NULL;
    if (fn)
        fn(a->on_left_arg);
}

static void one_left(void *arg)
{
    struct agent *a = arg;

    if (--a->leaving == 0)
        everything_left(a);
}

static void on_late(struct timer *t, void *arg)
{
    (void)t;
    log_warning("stopping, although not everything is withdrawn");
    everything_left(arg);
}

void agent_leave(struct agent *a, void (*fn)(void *arg), void *arg)
{
    a->on_left = fn;
    a->on_left_arg = arg;
    a->leaving = 1;
    timer_set(&a->late, DRAIN_MS);
    a->leaving += a->controller && controller_leave(a->controller, one_left, a);
    a->leaving += services_leave(a->services, one_left, a);
    if (a->labels) {
        a->leaving++;
        labels_leave(a->labels, LEAVE_MS, one_left, a);
    }
    one_left(a);
}

static void look_for_directory(struct agent *a)
{
    const struct agent_options *o = a->options;
    struct directory_opts d = {
        .loop = a->loop, .resolver = a->resolver, .sentinels = o->sentinels.at, .nsentinels = o->sentinels.n,
        .group = o->directory_group, .sentinel_user = o->sentinel_user, .sentinel_password = o->sentinel_password,
        .fixed = o->directory, .user = o->user, .password = o->password, .who = a->means.who,
        .quiesce_ms = o->quiesce_ms, .quiesce_max_ms = o->quiesce_max_ms, .resync_ms = o->resync_ms,
        .ping_ms = o->ping_ms, .ping_timeout_ms = o->ping_timeout_ms, .poll_ms = o->poll_ms,
        .seed = rng_u64(&a->rng), .owner = a, .in_force = in_force, .on_snapshot = documents_snapshot, .on_state = on_state};

    a->directory = directory_new(&d);
    services_use(a->services, a->directory);
    if (o->controller) {
        struct controller_opts c = {.loop = a->loop, .directory = a->directory, .node = o->node_id, .seed = rng_u64(&a->rng)};

        a->controller = controller_new(&c);
        a->registry_duty = registry_duty_new(a->loop, a->directory, a->controller);
        a->history_duty = history_duty_new(a->loop, a->directory, a->controller);
        a->scale_duty = scale_duty_new(a->loop, a->directory, a->controller);
    }
    a->heartbeat = heartbeat_new(a);
}

static void on_scaled(void *owner, const struct docname *name, const char *why)
{
    struct applier *w = agent_find(owner, name);

    if (w)
        applier_kept(w, why ? ACK_RELOAD_FAILED : ACK_OK, why ? why : "");
}

static int64_t drain_unit(void *owner, const char *unit, bool on)
{
    return services_drain_unit(((struct agent *)owner)->services, unit, on);
}

static void on_node(void *owner, const struct local_node_state *was, const struct local_node_state *is)
{
    struct agent *a = owner;
    bool there = local_role_usable(is->role), back = there && !local_role_usable(was->role);
    bool gone = !there && is->role != LOCAL_UNKNOWN;

    if (a->labels)
        labels_node(a->labels, is);
    if (was->role != is->role)
        agent_event("+node", "role=%s was=%s", local_role_name(is->role), local_role_name(was->role));
    for (size_t i = 0; i < a->appliers.n; i++) {
        struct applier *w = a->appliers.at[i];

        if (back || (there && strcmp(was->run_id, is->run_id) != 0)) {
            if (applier_node_is_there(w))
                documents_settle_later(a);
        } else if (gone && w->waits_for_node) {       /* the answer says so */
            w->retry = true;
            documents_settle_later(a);
        }
    }
}

static void look_at_node(struct agent *a)
{
    const struct agent_options *o = a->options;
    struct local_node_opts n = {.loop = a->loop, .resolver = a->resolver, .at = o->node, .user = o->node_user,
                                .password = o->node_password, .owner = a, .on_change = on_node};

    if (addr_is_set(&o->node))
        a->means.node = a->node = local_node_new(&n);
}

static int show_labels(struct agent *a, struct err *e)
{
    struct labels_opts l = {.loop = a->loop, .resolver = a->resolver, .http = a->http, .options = a->options,
                            .seed = rng_u64(&a->rng)};
    int rc;

    if (!labels_are_wanted(a->options))
        return 0;
    rc = labels_new(&l, &a->labels, e);
    if (rc == 0)
        labels_node(a->labels, local_node_state(a->node));
    return rc;
}

static int open_surfaces(struct agent *a, struct err *e)
{
    const struct agent_options *o = a->options;
    int rc = 0;

    command_table_init(&a->commands);
    agent_commands_fill(&a->commands);
    resp_server_init(&a->server, a->loop, &a->commands, NULL, a);
    a->server.server_name = "kvorum-agent";
    a->server.mode = "agent";
    a->server.max_clients = 256;
    a->server.query_max_bytes = (size_t)1 << 20;
    a->server.proto_max_bulk = 1 << 20;
    if (o->unixsocket)
        rc = resp_server_listen_unix(&a->server, o->unixsocket, (unsigned)o->unixsocketperm, e);
    if (rc == 0 && o->http_port)
        rc = status_listen(a, e);
    return rc;
}

int agent_start(struct agent *a, struct agent_options *o, struct loop *l, struct err *e)
{
    uint64_t seed;
    int rc;

    memset(a, 0, sizeof *a);
    a->options = o;
    a->loop = l;
    a->lock_fd = -1;
    a->from_cache = true;
    a->started_wall_ms = loop_wall_ms(l);
    a->started_at_ms = loop_now_ms(l);
    inputs_init(&a->inputs);
    if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed)
        seed = (uint64_t)clock_wall_us() ^ (uint64_t)getpid();
    rng_seed(&a->rng, seed);
    rc = make_state(a, e);
    if (rc != 0) {
        if (a->lock_fd >= 0)
            close(a->lock_fd);
        inputs_fini(&a->inputs);
        return rc;
    }
    a->resolver = resolver_new(l);
    a->http = http_client_new(l);
    a->acks = acks_new(o->state_dir, o->node_id);
    a->means = (struct applier_means){
        .probe = {.loop = l, .resolver = a->resolver, .http = a->http, .roots = &o->roots, .allow = &o->allow},
        .from_cache = &a->from_cache, .state = o->state_dir, .who = {.node = o->node_id, .group = o->group, .patterns = &agent_patterns},
        .rng = &a->rng};
    documents_init(a);
    timer_init(&a->late, l, on_late, a);
    a->services = services_new(&(struct services_opts){.means = &a->means.probe, .node = o->node_id,
                                                       .announce_host = o->announce_host, .seed = rng_u64(&a->rng)});
    a->scale = scale_new(&(struct scale_opts){.loop = l, .allow = &o->allow, .node = o->node_id, .owner = a,
                                              .on_result = on_scaled, .drain = drain_unit});
    look_at_node(a);
    rc = open_surfaces(a, e);
    if (rc == 0)
        rc = show_labels(a, e);
    if (rc != 0) {
        agent_stop(a);
        return rc;
    }
    for (size_t i = 0; i < o->roots.at.n; i++)
        if (!file_exists(o->roots.at.at[i].path))
            log_warning("root %s: %s does not exist; documents cannot write there until somebody makes it",
                        o->roots.at.at[i].name, o->roots.at.at[i].path);
    documents_begin(a);
    look_for_directory(a);
    agent_show_status(a);
    return 0;
}

void agent_stop(struct agent *a)
{
    status_close(a);
    resp_server_fini(&a->server);
    command_table_fini(&a->commands);
    loop_hook_remove(&a->turn);
    timer_clear(&a->late);
    scale_free(a->scale);
    a->scale = NULL;
    heartbeat_free(a->heartbeat);
    a->heartbeat = NULL;
    services_free(a->services);
    a->services = NULL;
    controller_free(a->controller);
    a->controller = NULL;
    registry_duty_free(a->registry_duty);
    history_duty_free(a->history_duty);
    a->registry_duty = NULL;
    a->history_duty = NULL;
    directory_free(a->directory);
    a->directory = NULL;
    scale_duty_free(a->scale_duty);
    a->scale_duty = NULL;
    documents_fini(a);
    labels_free(a->labels);
    local_node_free(a->node);
    acks_free(a->acks);
    inputs_fini(&a->inputs);
    http_client_free(a->http);
    resolver_free(a->resolver);
    if (a->lock_fd >= 0)
        close(a->lock_fd);
}

void agent_resync(struct agent *a)
{
    a->force = true;
    if (a->directory)
        directory_resync(a->directory);
    if (!a->directory || directory_state(a->directory) != DIR_LIVE)
        documents_settle_later(a);
}

void agent_count(const struct agent *a, struct agent_counts *out)
{
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < a->appliers.n; i++) {
        const struct applier *w = a->appliers.at[i];

        out->documents++;
        if (w->machine.state == AP_STUCK)
            out->stuck++;
        if (applier_is_busy(w))
            out->busy++;
        else if (w->answered && ack_in_force(w->status))
            out->ok++;
        else if (w->answered)
            out->failed++;
    }
}
