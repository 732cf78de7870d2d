/* Wiring and the handling of snapshots. */
#include "agent/shell/shell.h"

#include "agent/controller/scale.h"
#include "agent/shell/commands.h"
#include "agent/shell/events.h"
#include "agent/shell/heartbeat.h"
#include "agent/shell/journal.h"
#include "agent/shell/keep.h"
#include "agent/shell/pattern.h"
#include "agent/shell/status.h"
#include "agent/source/cache.h"
#include "common/base/mem.h"
#include "common/base/words.h"
#include "common/io/clock.h"
#include "common/io/file.h"
#include "common/io/log.h"
#include "common/io/notify.h"
#include "common/io/session.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define LEAVE_MS 2000          /* the end waits no longer for the last words */

#define DRAIN_MS 30000          /* draining takes at most that long when the agent stops */

/* --- documents --- */

struct applier *agent_find(const struct agent *a, const struct docname *name)
{
    for (size_t i = 0; i < a->appliers.n; i++)
        if (docname_equal(&a->appliers.at[i]->name, name))
            return a->appliers.at[i];
    return NULL;
}

static struct applier *find_or_make(struct agent *a, const struct docname *name)
{
    struct applier *w = agent_find(a, name);

    if (!w) {
        w = applier_new(&a->means, name);
        vec_push(&a->appliers, w);
    }
    return w;
}

static const struct docname *taken(void *owner, const struct applier *asker, const char *root, const char *path)
{
    struct agent *a = owner;

    for (size_t i = 0; i < a->appliers.n; i++) {
        const struct applier *w = a->appliers.at[i];

        if (w == asker || !w->listed)
            continue;
        if (applied_owns(&w->applied, root, path))
            return &w->name;
        for (size_t k = 0; w->plan && k < w->plan->files.n; k++)
            if (strcmp(w->plan->files.at[k].root, root) == 0 && strcmp(w->plan->files.at[k].path, path) == 0)
                return &w->name;
    }
    return NULL;
}

static const struct docname *set_by(void *owner, const struct applier *asker, const char *setting)
{
    struct agent *a = owner;

    for (size_t i = 0; i < a->appliers.n; i++) {
        const struct applier *w = a->appliers.at[i];

        if (w == asker || !w->listed)
            continue;
        if (applied_setting(&w->applied, setting))
            return &w->name;
        for (size_t k = 0; w->plan && k < w->plan->node.set.n; k++)
            if (strcmp(w->plan->node.set.at[k].name, setting) == 0)
                return &w->name;
    }
    return NULL;
}

static void show_status(struct agent *a);
static void settle_later(struct agent *a);

/* A file may have changed hands: ask those again who wanted one that belonged to another document. */
static void retry_waiting(struct agent *a)
{
    for (size_t i = 0; i < a->appliers.n; i++)
        if (a->appliers.at[i]->waits_for_file) {
            a->appliers.at[i]->retry = true;
            settle_later(a);
        }
}

static void on_ack(void *owner, struct applier *w, const struct ack *k)
{
    struct agent *a = owner;
    char name[DOC_KEY_MAX];
    bool in_force = ack_in_force(k->status);

    a->ended[k->status]++;
    a->last_took_ms = k->took_ms;
    if (k->status == ACK_ROLLBACK_FAILED)
        agent_event("+stuck", "%s why=\"%s\"", docname_text(&w->name, name), k->why);
    else if (!in_force && w->same_again)
        ;       /* tried again, failed again: said already */
    else if (!in_force)
        agent_event("-applied", "%s sha=%.8s status=%s why=\"%s\"", docname_text(&w->name, name), k->sha,
                    ack_status_word(k->status), k->why);
    else if (w->plan && w->stage.changes)
        agent_event("+applied", "%s sha=%.8s status=%s ms=%lld", docname_text(&w->name, name), k->sha,
                    ack_status_word(k->status), (long long)k->took_ms);
    if (w->listed || !w->resumed)
        acks_put(a->acks, &w->name, k, a->directory);
    if (in_force)
        retry_waiting(a);
    if (a->heartbeat)
        heartbeat_soon(a->heartbeat);
    show_status(a);
}

static void settle_later(struct agent *a)
{
    a->settle_again = true;
    loop_again(a->loop);
}

static void on_idle(void *owner, struct applier *w)
{
    if (w->again || !w->seen[0] || !w->listed)
        settle_later(owner);
}

/* The agent document of this snapshot, or the reason why the last one stays. */
static void choose_agent_doc(struct agent *a)
{
    struct whoami *who = &a->means.who;
    struct docname name = {{0}, {0}};
    struct agent_doc *fresh = NULL;
    struct err e = {0};
    int rc = agent_doc_find(&a->inputs, who, &name, &fresh, &e);
    char key[DOC_KEY_MAX], sha[SHA_MAX] = "";
    struct ack k = {.sha = sha, .status = ACK_OK, .why = "", .wall_ms = loop_wall_ms(a->loop)};
    const struct input *bytes;

    if (rc == ERR_MISSING && a->in_force) {
        name = a->in_force->name;
        k.status = ACK_VANISHED;
    } else if (rc != 0) {
        k.status = ACK_INVALID;
    }
    if (rc != 0) {
        k.why = e.text;
        if (strcmp(a->agent_why, e.text) != 0)
            agent_event("-agent-document", "%s%swhy=\"%s\"", name.type[0] ? docname_text(&name, key) : "",
                        name.type[0] ? " " : "", e.text);
        slice_copy_z(slice_z(e.text), a->agent_why, sizeof a->agent_why);
    } else {
        if (!a->in_force || !docname_equal(&a->in_force->name, &name) || a->in_force->apply.n != fresh->apply.n)
            agent_event("+agent-document", "%s documents=%zu", docname_text(&name, key), fresh->apply.n);
        a->agent_why[0] = 0;
        agent_doc_free(a->in_force);
        a->in_force = fresh;
    }
    bytes = name.type[0] ? inputs_get(&a->inputs, docname_key(&name, key)) : NULL;
    if (bytes && bytes->kind == INPUT_STRING)
        sha_bytes(str_c(&bytes->bytes), bytes->bytes.len, sha);
    if (name.type[0] && !a->from_cache)
        acks_put(a->acks, &name, &k, a->directory);
}

/* The three agent documents as the directory has them, for a boot without it. A wrong one does not displace the last
 * good one there either. */
static void cache_agent_docs(struct agent *a)
{
    const char *components[] = {a->means.who.node, a->means.who.group, "default"};
    struct docname chosen = {{0}, {0}};
    struct agent_doc *good = NULL;
    bool wrong = agent_doc_find(&a->inputs, &a->means.who, &chosen, &good, NULL) != 0 && chosen.type[0];

    for (size_t i = 0; i < 3; i++) {
        struct docname name;
        struct sources one;
        struct err e;
        char key[DOC_KEY_MAX];
        const struct input *in;

        if (!docname_make(&name, slice_z("agent"), slice_z(components[i])) || (wrong && docname_equal(&name, &chosen)))
            continue;
        in = inputs_get(&a->inputs, docname_key(&name, key));
        if (!in || in->kind != INPUT_STRING) {
            cache_forget(a->options->state_dir, &name);
            continue;
        }
        sources_init(&one);
        sources_add(&one, key);
        if (cache_save(a->options->state_dir, &name, &a->inputs, &one, loop_wall_ms(a->loop), &e) != 0)
            log_warning("cache: %s", e.text);
        sources_fini(&one);
    }
    agent_doc_free(good);
}

static void release_unlisted(struct agent *a)
{
    for (size_t i = a->appliers.n; i-- > 0;) {
        struct applier *w = a->appliers.at[i];
        char name[DOC_KEY_MAX];

        if (w->listed || applier_is_busy(w))
            continue;
        if (keep_knows(w->name.type) && (a->from_cache || !a->in_force))
            continue;        /* only an agent document that names it no more ends what is kept */
        if (!a->from_cache) {
            keep_let_go(a, &w->name);
            agent_event("+released", "%s", docname_text(&w->name, name));
            cache_forget(a->options->state_dir, &w->name);
            acks_forget(a->acks, &w->name);
        }
        vec_remove(&a->appliers, i);
        applier_free(w);
    }
}

static bool settle(struct agent *a)
{
    bool changed = false, force = a->force;

    a->force = false;
    choose_agent_doc(a);
    for (size_t i = 0; i < a->appliers.n; i++)
        a->appliers.at[i]->listed = false;
    for (size_t i = 0; a->in_force && i < a->in_force->apply.n; i++)
        find_or_make(a, &a->in_force->apply.at[i])->listed = true;
    for (size_t i = 0; a->in_force && i < a->in_force->apply.n; i++) {
        struct applier *w = agent_find(a, &a->in_force->apply.at[i]);

        w->again = false;
        applier_consider(w, &a->inputs, a->in_force, force, &changed);
    }
    release_unlisted(a);
    return changed;
}

static const struct agent_doc *in_force(void *owner)
{
    const struct agent *a = owner;

    return a->in_force;
}

static void show_status(struct agent *a)
{
    struct agent_counts n;

    agent_count(a, &n);
    notify_status("%zu documents, %zu in force, %zu failed; directory %s", n.documents, n.ok, n.failed,
                  dir_state_name(a->directory ? directory_state(a->directory) : DIR_SEEKING));
}

/* At each resync: a full disk or a missing folder may have been seen to, and somebody may have changed a setting. */
static bool try_again(const struct applier *w)
{
    return w->status == ACK_SWAP_FAILED || (w->carrier == CARRY_NODE && w->answered && ack_in_force(w->status));
}

static void on_snapshot(void *owner, struct inputs *in, bool by_resync)
{
    struct agent *a = owner;
    bool was_cache = a->from_cache;

    inputs_swap(&a->inputs, in);
    a->from_cache = false;
    for (size_t i = 0; by_resync && i < a->appliers.n; i++)
        a->appliers.at[i]->retry = try_again(a->appliers.at[i]);
    cache_agent_docs(a);
    if (settle(a) && by_resync && !was_cache) {
        a->lost_pushes++;
        agent_event("+lost-push", "changes found by a resync");
    }
    show_status(a);
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

static void on_turn(void *arg)
{
    struct agent *a = arg;

    if (!a->settle_again)
        return;
    a->settle_again = false;
    settle(a);
    show_status(a);
}

/* --- start and stop --- */

static void recover_one(void *arg, const struct docname *doc)
{
    struct agent *a = arg;
    struct applier *w = find_or_make(a, doc);

    w->listed = true;
    applier_recover(w);
}

static void left_to_keeper(void *arg, const struct docname *doc) { find_or_make(arg, doc); }

static void boot_from_cache(struct agent *a)
{
    const char *components[] = {a->means.who.node, a->means.who.group, "default"};
    struct agent_doc *found = NULL;
    struct docname name;
    int64_t at_ms;
    struct err e;

    for (size_t i = 0; i < 3; i++)
        if (docname_make(&name, slice_z("agent"), slice_z(components[i])) &&
            cache_load(a->options->state_dir, &name, &a->inputs, &at_ms, &e) != 0 &&
            !(e.code == ERR_SYS && e.sys_errno == ENOENT))
            log_warning("cache: %s", e.text);
    if (agent_doc_find(&a->inputs, &a->means.who, &name, &found, NULL) != 0)
        return;
    for (size_t i = 0; i < found->apply.n; i++) {
        int rc = cache_load(a->options->state_dir, &found->apply.at[i], &a->inputs, &at_ms, &e);

        if (rc != 0 && !(e.code == ERR_SYS && e.sys_errno == ENOENT))
            log_warning("cache: %s", e.text);
    }
    agent_doc_free(found);
    settle(a);
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
        .seed = rng_u64(&a->rng), .owner = a, .in_force = in_force, .on_snapshot = on_snapshot, .on_state = on_state};

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
                settle_later(a);
        } else if (gone && w->waits_for_node) {       /* the answer says so */
            w->retry = true;
            settle_later(a);
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
        .rng = &a->rng, .owner = a,
        .keep = keep_want, .taken = taken, .set_by = set_by, .on_ack = on_ack, .on_idle = on_idle};
    loop_hook_add(l, &a->turn, on_turn, a);
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
    journal_each(o->state_dir, recover_one, a);
    boot_from_cache(a);
    keep_each_left(a, left_to_keeper, a);
    look_for_directory(a);
    show_status(a);
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
    for (size_t i = 0; i < a->appliers.n; i++)
        applier_free(a->appliers.at[i]);
    vec_fini(&a->appliers);
    labels_free(a->labels);
    local_node_free(a->node);
    acks_free(a->acks);
    agent_doc_free(a->in_force);
    inputs_fini(&a->inputs);
    http_client_free(a->http);
    resolver_free(a->resolver);
    if (a->lock_fd >= 0)
        close(a->lock_fd);
}

void agent_resync(struct agent *a)
{
    a->force = true;
    if (a->directory && directory_state(a->directory) == DIR_LIVE)
        directory_resync(a->directory);
    else
        settle_later(a);
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
