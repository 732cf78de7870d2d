/* The turn. */
#include "sentinel/shell/shell.h"

#include "common/io/clock.h"
#include "common/io/log.h"
#include "common/io/notify.h"
#include "common/io/session.h"
#include "sentinel/core/names.h"
#include "sentinel/shell/accounts.h"
#include "sentinel/shell/clients.h"
#include "sentinel/shell/commands.h"
#include "sentinel/shell/directory.h"
#include "sentinel/shell/events.h"
#include "sentinel/shell/formed_groups.h"
#include "sentinel/shell/ha_links.h"
#include "sentinel/shell/hooks.h"
#include "sentinel/shell/links.h"
#include "sentinel/shell/publish.h"
#include "sentinel/shell/replay.h"
#include "sentinel/shell/save.h"
#include "sentinel/shell/status.h"
#include "sentinel/wire/state_text.h"

#include <string.h>
#include <sys/random.h>

/* ---- deeds ----------------------------------------------------------------------------- */

static const char *group_name(struct shell *sh, core_id id)
{
    const struct group *g = core_group(sh->core, id);

    return g ? g->name : NULL;
}

static void answer(struct shell *sh, const struct action *a)
{
    struct shell_answer *w = sh->asking;

    if (!w || w->ticket != a->ticket || w->answered)
        return;
    w->answered = true;
    w->ok = a->ok;
    w->down = a->down;
    w->leader_epoch = a->epoch;
    memcpy(w->leader, a->id, sizeof w->leader);
    (void)slice_copy_z(slice_z(a->text ? a->text : ""), w->text, sizeof w->text);
}

static void directory_write(struct shell *sh, core_id group, const struct addr *to, uint64_t epoch, bool led)
{
    struct conf_group *g = shell_group_conf(sh, group);
    struct addr shown = shell_shown(sh, to);

    if (g && g->opt.directory)
        directory_want(sh->directory, g->name, g->opt.directory, &shown, epoch, led);
}

static void client_reconfig(struct shell *sh, const struct action *a)
{
    const struct group *known = core_group(sh->core, a->group);
    struct conf_group *g = shell_group_conf(sh, a->group);
    struct addr from = shell_shown(sh, &a->from), to = shell_shown(sh, &a->to);

    if (g && g->opt.client_reconfig_script)
        hooks_reconfig(sh->hooks, g->opt.client_reconfig_script, g->name, a->leader, &from, &to);
    if (!a->leader && known)
        directory_write(sh, a->group, &a->to, known->config_epoch, false);
}

/* false: the save that the rest of the list relies on failed. */
static bool carry_out(struct shell *sh, const struct action *a, bool *save_failed)
{
    switch (a->kind) {
    case ACT_SAVE:
        if (!a->must) {
            save_soon(sh->save);
            return true;
        }
        if (save_now(sh->save) == 0) {
            core_save_took(sh->core, save_last_us(sh->save) / 1000);
            return true;
        }
        *save_failed = true;
        return false;
    case ACT_LINK_OPEN:
    case ACT_LINK_CLOSE:
    case ACT_LINK_DROP:
    case ACT_PING:
    case ACT_INFO:
    case ACT_HELLO:
    case ACT_ASK:
    case ACT_PROMOTE:
    case ACT_REPOINT:
    case ACT_SEAL:
    case ACT_HAND_OVER:
    case ACT_CALL_BACK:
    case ACT_KEEP:
    case ACT_SCRIPT_KILL: links_do(sh->links, a); return true;
    case ACT_ANSWER:
    case ACT_REPLY: answer(sh, a); return true;
    case ACT_EVENT: publish_event(sh, news_name(a->news), a->text, group_name(sh, a->group)); return true;
    case ACT_CLIENT_RECONFIG: client_reconfig(sh, a); return true;
    case ACT_DIRECTORY: directory_write(sh, a->group, &a->to, a->epoch, true); return true;
    case ACT_TRACE:
        log_verbose("%s%s%s", a->group ? group_name(sh, a->group) ? group_name(sh, a->group) : "?" : "",
                    a->group ? ": " : "", a->text);
        return true;
    case ACT_KINDS: break;
    }
    CHECK(!"an action of the list");
    return true;
}

/* One step and its list; then, if a save failed, the step that says so. A group that is removed is
 * gone from the view when its last events are carried out: their payload says who it was. */
static void one_step(struct shell *sh, struct event *ev)
{
    bool save_failed = false, on_disk = true;

    ev->now_ms = clock_mono_ms();
    actions_clear(&sh->actions);
    core_step(sh->core, ev, &sh->actions);
    for (size_t i = 0; i < sh->actions.list.n; i++)
        if (on_disk || action_stands_alone(&sh->actions.list.at[i]))
            on_disk = carry_out(sh, &sh->actions.list.at[i], &save_failed) && on_disk;
    if (save_failed && ev->kind != EV_SAVE_FAILED) {
        struct event failed = {.kind = EV_SAVE_FAILED};

        one_step(sh, &failed);
    }
    formed_groups_core_moved(sh->formed);
}

void shell_step(struct shell *sh, struct event *ev)
{
    if (sh->busy) {
        CHECK(ev->kind == EV_LINK_DOWN || ev->kind == EV_LINK_UP || ev->kind == EV_TICK);
        vec_push(&sh->later, *ev);
        return;
    }
    sh->busy = true;
    one_step(sh, ev);
    for (size_t i = 0; i < sh->later.n; i++) {
        struct event next = sh->later.at[i];
        one_step(sh, &next);
    }
    vec_clear(&sh->later);
    sh->busy = false;
    timer_set_at(&sh->deadline, core_deadline_ms(sh->core));
    formed_groups_turn(sh->formed);
}

void shell_ask(struct shell *sh, struct event *ev, struct shell_answer *a)
{
    CHECK(!sh->busy && !sh->asking);
    memset(a, 0, sizeof *a);
    a->ticket = ev->ticket = ++sh->last_ticket;
    sh->asking = a;
    shell_step(sh, ev);
    sh->asking = NULL;
}

static void deadline(struct timer *t, void *arg)
{
    struct event ev = {.kind = EV_TICK};

    (void)t;
    shell_step(arg, &ev);
}

/* ---- groups ---------------------------------------------------------------------------- */

struct conf_group *shell_group_conf(struct shell *sh, core_id group)
{
    const struct group *g = core_group(sh->core, group);

    return g ? sentinel_conf_find(&sh->opt->sentinel, g->name) : NULL;
}

void shell_set_group(struct shell *sh, core_id group, const struct conf_group *g)
{
    const struct {
        enum group_opt opt;
        int64_t value;
    } all[] = {
        {GOPT_QUORUM, g->opt.quorum},
        {GOPT_DOWN_AFTER_MS, group_options_down_after(&g->opt)},
        {GOPT_FAILOVER_TIMEOUT_MS, g->opt.failover_timeout_ms},
        {GOPT_PARALLEL_SYNCS, g->opt.parallel_syncs},
        {GOPT_REBOOT_DOWN_AFTER_MS, g->opt.reboot_down_after_ms},
        {GOPT_CRASH_EVIDENCE, g->opt.crash_evidence},
        {GOPT_SEAL, g->opt.seal_replicas},
    };
    const struct group *known = core_group(sh->core, group);

    for (size_t i = 0; known && i < sizeof all / sizeof all[0]; i++) {
        struct event ev = {.kind = EV_GROUP_SET, .group = group};

        if (known->opt[all[i].opt] == all[i].value)
            continue;
        ev.u.set.opt = all[i].opt;
        ev.u.set.value = all[i].value;
        shell_step(sh, &ev);
    }
}

bool shell_add_group(struct shell *sh, struct conf_group *g, bool restored, struct shell_answer *a)
{
    struct event ev = {.kind = EV_GROUP_ADD};
    const struct group *made;

    ev.u.group_add.name = g->name;
    ev.u.group_add.addr = g->configured;
    ev.u.group_add.quorum = g->opt.quorum;
    ev.u.group_add.restored = restored;
    shell_ask(sh, &ev, a);
    made = core_group_named(sh->core, g->name);
    if (!made || (a->answered && !a->ok))
        return false;
    shell_set_group(sh, made->id, g);
    return true;
}

void shell_announce(struct shell *sh)
{
    struct event ev = {.kind = EV_SELF};
    const struct sentinel_conf *c = &sh->opt->sentinel;
    int64_t port = c->announce_port ? c->announce_port : sh->opt->port;

    if (c->announce_ip)
        (void)addr_set(&ev.u.self, c->announce_ip, strlen(c->announce_ip), port);
    ev.u.self.port = (uint16_t)port;
    shell_step(sh, &ev);
}

void shell_describe(const struct shell *sh, const struct group *g, const struct node *n, struct str *out)
{
    const struct node *p = core_primary(sh->core, g);
    char at[ADDR_TEXT_MAX];

    if (!n || n->id == g->primary)
        str_printf(out, "master %s %s %u", g->name, p->addr.host, p->addr.port);
    else
        str_printf(out, "slave %s %s %u @ %s %s %u", addr_text(&n->addr, at), n->addr.host, n->addr.port, g->name,
                   p->addr.host, p->addr.port);
}

static void looked_up(void *arg, const char *ip, const char *why)
{
    (void)arg;
    if (!*ip)
        log_warning("a host name could not be resolved: %s", why);
}

/* The address behind a host, as far as it is known now; "" when it is not. */
static const char *ip_of(const struct shell *sh, const char *host, char ip[ADDR_HOST_MAX])
{
    if (addr_is_ip(host))
        return host;
    return resolve_cached(sh->resolver, host, ip) ? ip : "";
}

/* The node of any group that has this port behind this address, as it is called there. */
static bool known_as(const struct shell *sh, const char *ip, struct addr *a)
{
    char buf[ADDR_HOST_MAX];

    for (size_t i = 0; sh->core && i < core_group_count(sh->core); i++) {
        const struct group *g = core_group_at(sh->core, i);

        for (size_t k = 0; k < g->nodes.n; k++) {
            const struct addr *n = &g->nodes.at[k]->addr;

            if (n->port == a->port && strcmp(ip_of(sh, n->host, buf), ip) == 0) {
                *a = *n;
                return true;
            }
        }
    }
    return false;
}

bool shell_same_addr(struct shell *sh, struct addr *a)
{
    char buf[ADDR_HOST_MAX];
    const char *ip;

    if (a->host[0] == '\0')
        return true;
    if (!sh->opt->sentinel.resolve_hostnames)
        return addr_is_ip(a->host);
    ip = ip_of(sh, a->host, buf);
    if (!*ip) {
        resolve_start(sh->resolver, a->host, looked_up, NULL);
        return false;
    }
    (void)known_as(sh, ip, a);
    return true;
}

struct addr shell_shown(const struct shell *sh, const struct addr *a)
{
    char buf[ADDR_HOST_MAX];
    struct addr shown = *a;
    const char *ip = sh->opt->sentinel.announce_hostnames ? "" : ip_of(sh, a->host, buf);

    if (*ip)
        (void)addr_set(&shown, ip, strlen(ip), a->port);
    return shown;
}

/* ---- start and stop -------------------------------------------------------------------- */

static void random_id(char out[ID_MAX])
{
    static const char hex[] = "0123456789abcdef";
    unsigned char raw[ID_HEX / 2];

    CHECK(getrandom(raw, sizeof raw, 0) == (ssize_t)sizeof raw);
    for (size_t i = 0; i < sizeof raw; i++) {
        out[2 * i] = hex[raw[i] >> 4];
        out[2 * i + 1] = hex[raw[i] & 15];
    }
    out[ID_HEX] = '\0';
}

struct shell *shell_new(struct loop *l, struct sentinel_options *o, const char *config_path)
{
    struct shell *sh = mem_zalloc(sizeof *sh);

    sh->loop = l;
    sh->opt = o;
    sh->config_path = config_path;
    sh->started_at_ms = clock_mono_ms();
    sh->started_wall_ms = clock_wall_ms();
    random_id(sh->run_id);
    sh->event_counts = mem_zalloc(sentinel_events_n * sizeof *sh->event_counts);
    actions_init(&sh->actions);
    timer_init(&sh->deadline, l, deadline, sh);
    sh->resolver = resolver_new(l);
    pubsub_init(&sh->pubsub);
    replay_init(sh);
    sh->accounts = accounts_new(sh);
    sh->links = links_new(sh);
    sh->ha_links = ha_links_new(sh);
    sh->formed = formed_groups_new(sh);
    sh->hooks = hooks_new(sh);
    sh->directory = directory_new(sh);
    sh->save = save_new(sh);
    clients_init(sh);
    return sh;
}

void shell_free(struct shell *sh)
{
    if (!sh)
        return;
    timer_clear(&sh->deadline);
    status_free(sh->status);
    clients_fini(sh);
    directory_free(sh->directory);
    hooks_free(sh->hooks);
    formed_groups_free(sh->formed);
    ha_links_free(sh->ha_links);
    sh->formed = NULL;
    sh->ha_links = NULL;
    links_free(sh->links);
    save_free(sh->save);
    pubsub_fini(&sh->pubsub);
    replay_fini(sh);
    core_free(sh->core);
    actions_fini(&sh->actions);
    vec_fini(&sh->later);
    resolver_free(sh->resolver);
    accounts_free(sh->accounts);
    mem_free(sh->event_counts);
    mem_free(sh);
}

/* A group's configured name is looked up before anything is dialled: one that does not exist is said at once. */
struct resolving {
    bool done;
    char ip[ADDR_HOST_MAX];
};

static void resolved(void *arg, const char *ip, const char *why)
{
    struct resolving *r = arg;

    (void)why;
    (void)slice_copy_z(slice_z(ip), r->ip, sizeof r->ip);
    r->done = true;
}

/* So that the name is known when the first hello comes. One that is not there yet (a pod that has no address) is asked for
 * again with each connect; redis-sentinel starts without it, too. */
static void look_up(struct shell *sh, const struct conf_group *g)
{
    struct resolving r = {0};

    if (addr_is_ip(g->configured.host))
        return;
    resolve_start(sh->resolver, g->configured.host, resolved, &r);
    while (!r.done)
        loop_run_once(sh->loop, true);
    if (!*r.ip)
        log_warning("'sentinel monitor %s %s': the name could not be resolved; it is tried again", g->name, g->configured.host);
}

static int hand_in_groups(struct shell *sh, struct err *e)
{
    struct sentinel_conf *c = &sh->opt->sentinel;
    struct event ev = {.kind = EV_RESTORE};
    struct shell_answer a;

    for (size_t i = 0; i < c->groups.n; i++) {
        struct conf_group *g = c->groups.at[i];

        if (group_options_scripts_ok(&g->opt, e) != 0)
            return err_wrap(e, "group '%s'", g->name);
        look_up(sh, g);
        if (!shell_add_group(sh, g, true, &a))
            return err_set(e, ERR_REFUSED, "'sentinel monitor %s': %s", g->name, a.text);
    }
    ev.u.saved = &c->saved;
    shell_step(sh, &ev);
    return 0;
}

static int open_ports(struct shell *sh, struct err *e)
{
    const struct sentinel_options *o = sh->opt;
    int rc = 0;

    if (o->port == 0)
        return 0;
    if (o->bind.n == 0) {
        rc = resp_server_listen(&sh->server, "*", (uint16_t)o->port, (int)o->tcp_backlog, e);
        if (rc == 0)
            rc = resp_server_listen(&sh->server, "-::*", (uint16_t)o->port, (int)o->tcp_backlog, e);
    }
    for (size_t i = 0; rc == 0 && i < o->bind.n; i++)
        rc = resp_server_listen(&sh->server, o->bind.at[i], (uint16_t)o->port, (int)o->tcp_backlog, e);
    return rc;
}

int shell_start(struct shell *sh, struct err *e)
{
    struct sentinel_conf *c = &sh->opt->sentinel;
    uint64_t seed;
    bool usable;
    int rc = session_load_users(&sh->server, &sh->opt->users, e);

    if (rc == 0)
        rc = open_ports(sh, e);

    if (rc == 0 && sh->opt->unix_path)
        rc = resp_server_listen_unix(&sh->server, sh->opt->unix_path, (unsigned)sh->opt->unix_mode, e);
    if (rc == 0)
        rc = status_new(sh, &sh->status, e);
    if (rc == 0)
        rc = save_load(sh->save, &usable, e);
    if (rc != 0)
        return rc;
    if (!c->saved.id[0])
        random_id(c->saved.id);
    CHECK(getrandom(&seed, sizeof seed, 0) == (ssize_t)sizeof seed);
    sh->core = core_new(c->saved.id, seed);
    shell_announce(sh);
    rc = hand_in_groups(sh, e);
    if (rc != 0)
        return rc;
    if (!usable || save_now(sh->save) != 0) {
        struct event ev = {.kind = EV_SAVE_FAILED};
        shell_step(sh, &ev);
    }
    formed_groups_start(sh->formed);
    log_notice("Sentinel ID is %s", core_my_id(sh->core));
    return 0;
}

void shell_stop(struct shell *sh, int code)
{
    log_warning("User requested shutdown...");
    notify_stopping();
    sh->exit_code = code;
    (void)save_owed(sh->save);
    log_warning("Sentinel is now ready to exit, bye bye...");
    loop_stop(sh->loop, code);
}
