/* SENTINEL commands that read. The fields of MASTERS, REPLICAS and SENTINELS, their order
 * and which of them come only in some states are what other programs rely on; fields of
 * ours stand behind all others. */
#include "common/io/clock.h"
#include "common/io/session.h"
#include "sentinel/core/names.h"
#include "sentinel/shell/commands.h"
#include "sentinel/shell/explain.h"
#include "sentinel/shell/formed_groups.h"
#include "sentinel/shell/ha_links.h"
#include "sentinel/shell/hooks.h"
#include "sentinel/shell/links.h"
#include "sentinel/shell/save.h"
#include "sentinel/shell/shell.h"
#include "sentinel/wire/vote.h"

#include <string.h>

struct fields {
    struct shell *sh;
    struct reply *r;
    struct reply_hole hole;
    size_t n;
    int64_t now_ms;
};

static struct fields begin(struct call *c)
{
    return (struct fields){shell_of(c), c->reply, reply_hole(c->reply), 0, clock_mono_ms()};
}

static void end(struct fields *f)
{
    reply_fill_map(f->r, f->hole, f->n);
}

static void text(struct fields *f, const char *name, const char *value)
{
    reply_bulk_z(f->r, name);
    reply_bulk_z(f->r, value);
    f->n++;
}

static void number(struct fields *f, const char *name, int64_t value)
{
    reply_bulk_z(f->r, name);
    reply_bulk_i64(f->r, value);
    f->n++;
}

/* How long ago; 0 when it never was. */
static void since(struct fields *f, const char *name, int64_t at_ms)
{
    number(f, name, at_ms <= 0 || at_ms == NEVER_MS ? 0 : ms_max(0, f->now_ms - at_ms));
}

static void watch_fields(struct fields *f, const struct watch *w)
{
    since(f, "last-ping-sent", w->waiting_since_ms);
    since(f, "last-ok-ping-reply", w->good_at_ms);
    since(f, "last-ping-reply", w->answer_at_ms);
}

static void node_fields(struct fields *f, const struct group *g, const struct node *n)
{
    bool is_primary = n->id == g->primary;
    const char *state = fo_state_wire_name(g->fo.state);
    struct addr shown = shell_shown(f->sh, &n->addr);
    char flags[FLAGS_MAX], name[ADDR_TEXT_MAX];

    text(f, "name", is_primary ? g->name : addr_text(&shown, name));
    text(f, "ip", shown.host);
    number(f, "port", n->addr.port);
    text(f, "runid", n->run_id);
    text(f, "flags", core_node_flags(f->sh->core, n, flags));
    number(f, "link-pending-commands", (int64_t)(links_pending(f->sh->links, (struct link_ref){LINK_NODE_CMD, n->id}) +
                                                 links_pending(f->sh->links, (struct link_ref){LINK_NODE_SUB, n->id})));
    number(f, "link-refcount", 1);
    if (is_primary && state)
        text(f, "failover-state", state);
    watch_fields(f, &n->w);
    if (n->sdown)
        since(f, "s-down-time", n->sdown_at_ms);
    if (is_primary && g->odown)
        since(f, "o-down-time", g->odown_at_ms);
    number(f, "down-after-milliseconds", g->opt[GOPT_DOWN_AFTER_MS]);
    since(f, "info-refresh", n->info_at_ms);
    text(f, "role-reported", n->said_role == ROLE_UNKNOWN ? is_primary ? "master" : "slave" : node_role_wire_name(n->said_role));
    since(f, "role-reported-time", n->said_role_at_ms);
}

/* --- formed groups: behind all other fields ------------------------------------------------- */

static const struct ha_record *record_of(struct shell *sh, const struct group *g)
{
    return formed_groups_is_formed(sh->formed, g->id) ? &formed_voter(formed_groups_find(sh->formed, g->id))->f.rec : NULL;
}

static void hex(struct fields *f, const char *name, uint64_t value)
{
    reply_bulk_z(f->r, name);
    reply_bulkf(f->r, "%016llx", (unsigned long long)value);
    f->n++;
}

static void member_fields(struct fields *f, const struct group *g, const struct node *n)
{
    const struct ha_record *r = record_of(f->sh, g);
    const char *id = ha_links_member_id(f->sh->ha_links, n->id);
    const struct ha_member *m = r ? ha_member(r, id) : NULL;
    const struct formed *all = formed_groups_find(f->sh->formed, g->id);

    if (!r)
        return;
    text(f, "member", m ? "yes" : "no");
    text(f, "member-id", id);
    if (m)
        hex(f, "life", m->life);
    for (size_t i = 0; i < formed_node_count(all); i++) {
        const struct formed_node *fn = formed_node_at(all, i);

        if (strcmp(fn->id, id) != 0 || fn->status.kind != HA_STATUS)
            continue;
        hex(f, "life-now", fn->status.life);
        text(f, "state", ha_node_state_name(fn->status.state));
        number(f, "sealed", (int64_t)fn->status.sealed);
        number(f, "log-epoch", (int64_t)fn->status.pos.epoch);
        number(f, "log-offset", fn->status.pos.offset);
    }
}

static void formed_fields(struct fields *f, const struct group *g, const struct conf_group *conf)
{
    const struct ha_record *r = record_of(f->sh, g);
    const struct formed *all = formed_groups_find(f->sh->formed, g->id);
    int64_t lease_ms;

    if (!r) {
        if (conf && conf->opt.mode != GROUP_MODE_NONE)
            text(f, "mode", "plain");
        if (conf && conf->opt.mode != GROUP_MODE_NONE)
            text(f, "mode-wanted", ha_mode_name((enum ha_mode)conf->opt.mode));
        return;
    }
    lease_ms = formed_voter(all)->promise.epoch == r->epoch ? formed_voter(all)->promise.until_ms - f->now_ms : 0;
    text(f, "mode", ha_mode_name(r->mode));
    hex(f, "group-id", r->gid);
    number(f, "epoch", (int64_t)r->epoch);
    number(f, "record-ballot", (int64_t)r->ballot);
    number(f, "record-change", (int64_t)r->change);
    number(f, "sync-acks", r->k);
    number(f, "member-drop-after", r->drop_after_ms);
    if (conf && conf->opt.profile)
        text(f, "profile", conf->opt.profile);
    number(f, "members", r->n_members);
    number(f, "voters", r->n_voters);
    number(f, "lease-ms", lease_ms > 0 ? lease_ms : 0);
    member_fields(f, g, core_primary(f->sh->core, g));
}

static void master_fields(struct call *c, const struct group *g)
{
    struct fields f = begin(c);
    const struct conf_group *conf = shell_group_conf(f.sh, g->id);
    const struct node *p = core_primary(f.sh->core, g);

    node_fields(&f, g, p);
    number(&f, "config-epoch", (int64_t)g->config_epoch);
    number(&f, "num-slaves", (int64_t)g->nodes.n - 1);
    number(&f, "num-other-sentinels", (int64_t)g->seats.n);
    number(&f, "quorum", g->opt[GOPT_QUORUM]);
    number(&f, "failover-timeout", g->opt[GOPT_FAILOVER_TIMEOUT_MS]);
    number(&f, "parallel-syncs", g->opt[GOPT_PARALLEL_SYNCS]);
    if (conf && conf->opt.notification_script)
        text(&f, "notification-script", conf->opt.notification_script);
    if (conf && conf->opt.client_reconfig_script)
        text(&f, "client-reconfig-script", conf->opt.client_reconfig_script);
    number(&f, "repl-offset", p->offset);
    if (links_denied(f.sh->links, p->id))
        text(&f, "misconfigured", links_denied(f.sh->links, p->id));
    if (*links_rights(f.sh->links, p->id))
        text(&f, "rights", links_rights(f.sh->links, p->id));
    if (p->loose)
        text(&f, "role-kept", "no");
    text(&f, "crash-evidence", g->opt[GOPT_CRASH_EVIDENCE] ? "yes" : "no");
    text(&f, "seal-replicas", g->opt[GOPT_SEAL] ? "yes" : "no");
    number(&f, "master-reboot-down-after-period", g->opt[GOPT_REBOOT_DOWN_AFTER_MS]);
    if (conf && conf->opt.directory)
        text(&f, "directory", conf->opt.directory);
    if (save_trouble(f.sh->save))
        text(&f, "observer", save_trouble(f.sh->save));
    formed_fields(&f, g, conf);
    end(&f);
}

static void replica_fields(struct call *c, const struct group *g, const struct node *n)
{
    struct fields f = begin(c);
    struct addr follows = shell_shown(f.sh, &n->follows);

    node_fields(&f, g, n);
    number(&f, "master-link-down-time", n->follows_down_ms == NEVER_MS ? -1 : n->follows_down_ms);
    text(&f, "master-link-status", n->follows_up ? "ok" : "err");
    text(&f, "master-host", follows.host[0] ? follows.host : "?");
    number(&f, "master-port", n->follows.port);
    number(&f, "slave-priority", n->priority);
    number(&f, "slave-repl-offset", n->offset);
    number(&f, "replica-announced", n->announced);
    if (links_denied(f.sh->links, n->id))
        text(&f, "misconfigured", links_denied(f.sh->links, n->id));
    if (*links_rights(f.sh->links, n->id))
        text(&f, "rights", links_rights(f.sh->links, n->id));
    if (g->fo.state != FO_IDLE || n->refused > REFUSED_NOT_ASKED)
        text(&f, "refused", refusal_name(n->refused));
    if (n->loose)
        text(&f, "role-kept", "no");
    if (core_is_sealed(n))
        text(&f, "sealed", "yes");
    member_fields(&f, g, n);
    end(&f);
}

static void sentinel_fields(struct call *c, const struct group *g, const struct seat *s)
{
    struct fields f = begin(c);
    const struct peer *p = core_peer(f.sh->core, s->peer);
    struct addr shown = shell_shown(f.sh, &p->addr);
    char flags[FLAGS_MAX];

    text(&f, "name", p->run_id);
    text(&f, "ip", shown.host);
    number(&f, "port", p->addr.port);
    text(&f, "runid", p->run_id);
    text(&f, "flags", core_seat_flags(f.sh->core, s, flags));
    number(&f, "link-pending-commands", (int64_t)links_pending(f.sh->links, (struct link_ref){LINK_PEER, p->id}));
    number(&f, "link-refcount", (int64_t)p->groups.n);
    watch_fields(&f, &p->w);
    if (s->sdown)
        since(&f, "s-down-time", s->sdown_at_ms);
    number(&f, "down-after-milliseconds", g->opt[GOPT_DOWN_AFTER_MS]);
    since(&f, "last-hello-message", s->hello_at_ms);
    text(&f, "voted-leader", s->voted_for[0] ? s->voted_for : "?");
    number(&f, "voted-leader-epoch", (int64_t)s->voted_epoch);
    end(&f);
}

void cmd_masters(struct call *c)
{
    struct core *core = shell_of(c)->core;

    reply_array(c->reply, core_group_count(core));
    for (size_t i = 0; i < core_group_count(core); i++)
        master_fields(c, core_group_at(core, i));
}

void cmd_master(struct call *c)
{
    const struct group *g = group_arg(c, 2);

    if (g)
        master_fields(c, g);
}

void cmd_replicas(struct call *c)
{
    const struct group *g = group_arg(c, 2);
    struct reply_hole h;
    size_t n = 0;

    if (!g)
        return;
    h = reply_hole(c->reply);
    for (size_t i = 0; i < g->nodes.n; i++)
        if (g->nodes.at[i]->id != g->primary && g->nodes.at[i]->announced) {
            replica_fields(c, g, g->nodes.at[i]);
            n++;
        }
    reply_fill_array(c->reply, h, n);
}

void cmd_sentinels(struct call *c)
{
    const struct group *g = group_arg(c, 2);

    if (!g)
        return;
    reply_array(c->reply, g->seats.n);
    for (size_t i = 0; i < g->seats.n; i++)
        sentinel_fields(c, g, &g->seats.at[i]);
}

static const struct group *named(struct call *c, int at)
{
    char name[GROUP_NAME_MAX];

    return !memchr(c->argv[at].p, '\0', c->argv[at].len) && slice_copy_z(c->argv[at], name, sizeof name)
               ? core_group_named(shell_of(c)->core, name) : NULL;
}

const struct group *group_arg(struct call *c, int at)
{
    const struct group *g = named(c, at);

    if (!g)
        reply_error(c->reply, "ERR No such master with that name");
    return g;
}

void cmd_get_addr(struct call *c)
{
    const struct group *g = named(c, 2);
    struct addr a;

    if (!g) {
        reply_null_array(c->reply);
        return;
    }
    a = shell_shown(shell_of(c), core_client_addr(shell_of(c)->core, g));
    reply_array(c->reply, 2);
    reply_bulk_z(c->reply, a.host);
    reply_bulkf(c->reply, "%u", a.port);
}

void cmd_is_down(struct call *c)
{
    struct shell *sh = shell_of(c);
    struct event ev = {.kind = EV_ASKED};
    struct shell_answer a;
    struct vote_request q;
    struct vote_answer answer;
    struct err e = {0};

    if (vote_request_read(c->argv + 2, &q, &e) != 0) {
        reply_errorf(c->reply, "ERR %s", e.text);
        return;
    }
    (void)shell_same_addr(sh, &q.primary);
    ev.u.asked.primary = q.primary;
    ev.u.asked.epoch = q.epoch;
    ev.u.asked.candidate = q.candidate;
    shell_ask(sh, &ev, &a);
    memset(&answer, 0, sizeof answer);
    answer.down = a.answered && a.down;
    memcpy(answer.leader, a.leader, sizeof answer.leader);
    answer.leader_epoch = a.leader_epoch;
    vote_answer_write(&answer, c->reply);
}

/* A formed group needs a majority of its voters and, without the primary, enough members to seal. */
static void formed_quorum(struct call *c, const struct group *g)
{
    struct explanation x;
    struct str out = {0};

    explain_group(shell_of(c), g, &x);
    str_printf(&out, "%s %d usable Sentinels. %s: %d of %d voters are at hand, %d needed; %d of %d members besides the primary, %d needed",
               x.can ? "OK" : "NOQUORUM", x.voters_usable, x.can ? "Quorum and failover authorization can be reached"
               : "A failover cannot be completed now", x.voters_usable, x.voters, x.voters_needed, x.members_usable, x.members - 1,
               x.seals_needed);
    if (x.can)
        reply_simple(c->reply, str_c(&out));
    else
        reply_error(c->reply, str_c(&out));
    str_fini(&out);
    explain_fini(&x);
}

void cmd_ckquorum(struct call *c)
{
    const struct group *g = group_arg(c, 2);
    struct quorum_view q;

    if (!g)
        return;
    if (formed_groups_is_formed(shell_of(c)->formed, g->id)) {
        formed_quorum(c, g);
        return;
    }
    q = core_quorum(shell_of(c)->core, g);
    if (q.quorum_ok && q.majority_ok) {
        struct str ok = {0};
        str_printf(&ok, "OK %d usable Sentinels. Quorum and failover authorization can be reached%s. A plain group: writes that no "
                   "replica had are lost with the primary; seals of its nodes are undone by any later order or a restart", q.usable,
                   save_trouble(shell_of(c)->save) ? " (but this one does not vote now: its state cannot be saved)" : "");
        reply_simple(c->reply, str_c(&ok));
        str_fini(&ok);
        return;
    }
    reply_errorf(c->reply, "NOQUORUM %d usable Sentinels. %s%s%s", q.usable,
                 q.quorum_ok ? "" : "Not enough of them to reach the quorum of this master.",
                 q.quorum_ok || q.majority_ok ? "" : " ",
                 q.majority_ok ? "" : "Not enough of them for the majority that authorizes a failover.");
}

void cmd_myid(struct call *c)
{
    reply_bulk_z(c->reply, core_my_id(shell_of(c)->core));
}

static void put_cached(struct call *c, const struct node *n)
{
    int64_t at_ms = 0;
    struct slice text = links_info_text(shell_of(c)->links, n->id, &at_ms);

    reply_array(c->reply, 2);
    reply_int(c->reply, at_ms ? clock_mono_ms() - at_ms : 0);
    if (at_ms)
        reply_bulk_slice(c->reply, text);
    else
        reply_null(c->reply);
}

/* name, [[age, INFO] of the primary and each replica], name, ...; names that nobody knows are left out. */
void cmd_info_cache(struct call *c)
{
    struct reply_hole h = reply_hole(c->reply);
    size_t pairs = 0;

    for (int i = 2; i < c->argc; i++) {
        const struct group *g = named(c, i);

        if (!g)
            continue;
        pairs++;
        reply_bulk_z(c->reply, g->name);
        reply_array(c->reply, g->nodes.n);
        put_cached(c, core_primary(shell_of(c)->core, g));
        for (size_t k = 0; k < g->nodes.n; k++)
            if (g->nodes.at[k]->id != g->primary)
                put_cached(c, g->nodes.at[k]);
    }
    reply_fill_map(c->reply, h, pairs);
}

void cmd_pending_scripts(struct call *c)
{
    hooks_reply(shell_of(c)->hooks, c->reply);
}

void cmd_role(struct call *c)
{
    struct core *core = shell_of(c)->core;

    reply_array(c->reply, 2);
    reply_bulk_z(c->reply, "sentinel");
    reply_array(c->reply, core_group_count(core));
    for (size_t i = 0; i < core_group_count(core); i++)
        reply_bulk_z(c->reply, core_group_at(core, i)->name);
}
