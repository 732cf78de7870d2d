/* SENTINEL commands that change something: groups, their settings, our own. */
#include "common/base/glob.h"
#include "common/base/num.h"
#include "common/io/log.h"
#include "common/io/session.h"
#include "sentinel/shell/accounts.h"
#include "sentinel/shell/commands.h"
#include "sentinel/shell/directory.h"
#include "sentinel/shell/formed_groups.h"
#include "sentinel/shell/hooks.h"
#include "sentinel/shell/links.h"
#include "sentinel/shell/publish.h"
#include "sentinel/shell/rights.h"
#include "sentinel/shell/save.h"
#include "sentinel/shell/shell.h"

#include <string.h>
#include <strings.h>

static void saved_or_not(struct shell *sh, struct reply *r, int rc)
{
    if (rc == 0)
        reply_ok(r);
    else
        reply_errorf(r, "ERR Failed to save config file: %s", save_trouble(sh->save));
}

static void reply_saved(struct call *c, int rc)
{
    saved_or_not(shell_of(c), c->reply, rc);
}

/* ---- groups ---------------------------------------------------------------------------- */

static void monitor(struct shell *sh, struct reply *r, const struct addr *at, const char *name, int64_t quorum)
{
    struct conf_group *g = sentinel_conf_add(&sh->opt->sentinel, name);
    struct shell_answer a;

    g->monitored = true;
    g->configured = *at;
    g->opt.quorum = quorum;
    g->opt.down_after_ms = core_timing_now(sh->core)->default_down_after_ms;
    g->opt.failover_timeout_ms = core_timing_now(sh->core)->default_failover_timeout_ms;
    if (shell_add_group(sh, g, false, &a)) {
        (void)save_owed(sh->save);
        saved_or_not(sh, r, save_trouble(sh->save) ? -1 : 0);
        return;
    }
    sentinel_conf_remove(&sh->opt->sentinel, name);
    reply_error(r, a.text[0] ? a.text : "ERR the group cannot be watched");
}

/* A client whose MONITOR waits for a name to be looked up. */
struct looked_up {
    struct shell *sh;
    uint64_t session;
    struct addr at;
    int64_t quorum;
    char name[GROUP_NAME_MAX];
};

static void monitor_looked_up(void *arg, const char *ip, const char *why)
{
    struct looked_up *w = arg;
    struct session *s = session_by_id(&w->sh->server, w->session);

    (void)why;
    if (s) {
        if (!*ip)
            reply_error(session_reply(s), "ERR Can't resolve instance hostname.");
        else if (sentinel_conf_find(&w->sh->opt->sentinel, w->name))
            reply_error(session_reply(s), "ERR Duplicate master name");
        else
            monitor(w->sh, session_reply(s), &w->at, w->name, w->quorum);
        session_release(s);
    }
    mem_free(w);
}

static void look_up_and_monitor(struct call *c, const struct addr *at, const char *name, int64_t quorum)
{
    struct looked_up *w = mem_zalloc(sizeof *w);

    w->sh = shell_of(c);
    w->session = c->session->id;
    w->at = *at;
    w->quorum = quorum;
    memcpy(w->name, name, strlen(name) + 1);
    session_hold(c->session);
    resolve_start(w->sh->resolver, at->host, monitor_looked_up, w);
}

void cmd_monitor(struct call *c)
{
    struct shell *sh = shell_of(c);
    struct addr a;
    char name[GROUP_NAME_MAX];
    int64_t port, quorum;

    memset(&a, 0, sizeof a);
    if (!num_i64(c->argv[5].p, c->argv[5].len, &quorum))
        reply_error(c->reply, "ERR Invalid quorum");
    else if (quorum <= 0)
        reply_error(c->reply, "ERR Quorum must be 1 or greater.");
    else if (!num_i64_in(c->argv[4].p, c->argv[4].len, 1, 65535, &port))
        reply_error(c->reply, "ERR Invalid port number");
    else if (c->argv[2].len == 0 || memchr(c->argv[2].p, '\0', c->argv[2].len) || !slice_copy_z(c->argv[2], name, sizeof name))
        reply_error(c->reply, "ERR Invalid master name: 1 to 255 characters are wanted");
    else if (memchr(c->argv[3].p, '\0', c->argv[3].len) || !addr_set(&a, c->argv[3].p, c->argv[3].len, port) ||
             (!addr_is_ip(a.host) && !sh->opt->sentinel.resolve_hostnames))
        reply_error(c->reply, "ERR Invalid IP address or hostname specified");
    else if (sentinel_conf_find(&sh->opt->sentinel, name))
        reply_error(c->reply, "ERR Duplicate master name");
    else if (shell_same_addr(sh, &a))
        monitor(sh, c->reply, &a, name, quorum);
    else
        look_up_and_monitor(c, &a, name, quorum);
}

void cmd_remove(struct call *c)
{
    struct shell *sh = shell_of(c);
    const struct group *g = group_arg(c, 2);
    struct event ev = {.kind = EV_GROUP_REMOVE};
    struct shell_answer a;
    char name[GROUP_NAME_MAX];

    if (!g)
        return;
    ev.group = g->id;
    memcpy(name, g->name, sizeof name);
    accounts_gone(sh->accounts, g->id);
    formed_groups_gone(sh->formed, g->id);
    directory_forget(sh->directory, name);
    sentinel_conf_remove(&sh->opt->sentinel, name);      /* first: the step saves */
    shell_ask(sh, &ev, &a);
    (void)save_owed(sh->save);
    if (a.answered && !a.ok)
        reply_error(c->reply, a.text);
    else
        reply_saved(c, save_trouble(sh->save) ? -1 : 0);
}

void cmd_reset_groups(struct call *c)
{
    struct shell *sh = shell_of(c);
    VEC(core_id) ids = {0};

    for (size_t i = 0; i < core_group_count(sh->core); i++) {
        const struct group *g = core_group_at(sh->core, i);

        if (glob_match(c->argv[2].p, c->argv[2].len, g->name, strlen(g->name), false))
            vec_push(&ids, g->id);
    }
    for (size_t i = 0; i < ids.n; i++) {
        struct event ev = {.kind = EV_GROUP_RESET, .group = ids.at[i]};

        shell_step(sh, &ev);
    }
    (void)save_owed(sh->save);
    reply_int(c->reply, (int64_t)ids.n);
    vec_fini(&ids);
}

void cmd_flushconfig(struct call *c)
{
    reply_saved(c, save_now(shell_of(c)->save));
}

/* ---- SENTINEL SET ------------------------------------------------------------------------ */

static void changed(struct shell *sh, const struct group *g, const struct option *o, int argc, const struct slice *argv)
{
    struct str text = {0};

    shell_describe(sh, g, NULL, &text);
    str_printf(&text, " %s", o->name);
    for (int i = 0; i < argc; i++)
        str_printf(&text, " %.*s", o->flags & OPT_SECRET ? 6 : (int)argv[i].len, o->flags & OPT_SECRET ? "******" : argv[i].p);
    publish_event(sh, "+set", str_c(&text), g->name);
    str_fini(&text);
}

static bool valid(struct call *c, const struct option *o, int at, struct group_options *scratch)
{
    struct err e = {0};
    int n = o ? group_option_values(o) : 0;

    if (!o || at + n >= c->argc) {
        reply_errorf(c->reply, "ERR Unknown option or number of arguments for SENTINEL SET '%.*s'",
                     (int)(c->argv[at].len < 128 ? c->argv[at].len : 128), c->argv[at].p);
        return false;
    }
    if (group_option_is_script(o) && shell_of(c)->opt->sentinel.deny_scripts_reconfig) {
        reply_error(c->reply, "ERR Reconfiguration of scripts path is denied for security reasons: "
                              "'sentinel deny-scripts-reconfig' is yes in the configuration");
        return false;
    }
    if (option_set(o, scratch, n, c->argv + at + 1, NULL, &e) != 0 && group_option_is_formed(o) && o->type == OPT_CUSTOM)
        reply_errorf(c->reply, "ERR %s", e.text);
    else if (e.text[0])
        reply_errorf(c->reply, "ERR Invalid argument '%.*s' for SENTINEL SET '%s'",
                     (int)(c->argv[at + 1].len < 128 ? c->argv[at + 1].len : 128), c->argv[at + 1].p, o->name);
    else if (group_option_is_script(o) && group_options_scripts_ok(scratch, &e) != 0)
        reply_errorf(c->reply, "ERR %s seems non existing or non executable",
                     strcmp(o->name, "notification-script") == 0 ? "Notification script" : "Client reconfiguration script");
    else
        return true;
    return false;
}

/* How the group is or is to be formed, so that new values can be judged beside those that stay. */
static void copy_formed(const struct group_options *from, struct group_options *to)
{
    to->mode = from->mode;
    to->sync_acks = from->sync_acks;
    to->voters = from->voters;
    to->member_drop_after_ms = from->member_drop_after_ms;
    to->down_after_ms = from->down_after_ms;
    mem_free(to->profile);
    to->profile = from->profile ? mem_strdup(from->profile) : NULL;
}

/* Before anything is changed: would the group that these options ask for keep its promises? */
static bool formable(struct call *c, const struct group *g, const struct group_options *then)
{
    struct formed_want want;
    const char *wrong;

    if (formed_groups_is_formed(shell_of(c)->formed, g->id) && then->mode == GROUP_MODE_NONE) {
        reply_error(c->reply, "ERR This group is formed: SENTINEL DISSOLVE <group> makes it plain again");
        return false;
    }
    if (!group_options_want(then, &want, &wrong))
        return true;
    if (wrong)
        reply_errorf(c->reply, "ERR %s", wrong);
    else if (want.k > 0 && g->nodes.n > 1 && (size_t)want.k > g->nodes.n - 1)
        reply_errorf(c->reply, "ERR sync-acks %d: this group has %zu replica%s", want.k, g->nodes.n - 1, g->nodes.n == 2 ? "" : "s");
    else
        return true;
    return false;
}

/* Its record was made through another sentinel: what is set here stands beside what is so. */
static void as_formed(struct shell *sh, const struct group *g, struct conf_group *conf)
{
    if (conf->opt.mode == GROUP_MODE_NONE && formed_groups_is_formed(sh->formed, g->id))
        (void)group_options_follow(&conf->opt, &formed_voter(formed_groups_find(sh->formed, g->id))->f.rec);
}

static void set_saved(struct call *c, const struct group *g, bool formed_moved, bool was_asked, const char *primary)
{
    struct shell *sh = shell_of(c);
    struct conf_group *conf = shell_group_conf(sh, g->id);
    int rc = save_now(sh->save);

    if (rc != 0 || !formed_moved)
        reply_saved(c, rc);
    else if (conf->opt.mode != GROUP_MODE_NONE)
        formed_groups_wish(sh->formed, g->id, primary, c->session);
    else {
        if (was_asked) {               /* nobody formed it yet: it is not wished for any more */
            struct formed_event ev = {.kind = FV_DISSOLVE};
            formed_groups_order(sh->formed, g->id, &ev, NULL);
        }
        reply_saved(c, rc);
    }
}

void cmd_set(struct call *c) { set_and_form(c, NULL); }

void set_and_form(struct call *c, const char *primary)
{
    struct shell *sh = shell_of(c);
    const struct group *g = group_arg(c, 2);
    struct conf_group *conf = g ? shell_group_conf(sh, g->id) : NULL;
    struct group_options scratch;
    bool ok = conf != NULL, new_auth = false, formed_moved = false, was_asked;

    if (!conf)
        return;
    as_formed(sh, g, conf);
    was_asked = conf->opt.mode != GROUP_MODE_NONE;
    group_options_init(&scratch);
    copy_formed(&conf->opt, &scratch);
    for (int at = 3; ok && at < c->argc;) {
        const struct option *o = option_find(&group_option_table, c->argv[at]);

        ok = valid(c, o, at, &scratch);
        at += ok ? group_option_values(o) + 1 : 1;
        formed_moved = formed_moved || (ok && group_option_is_formed(o));
    }
    formed_moved = (formed_moved || primary) && (was_asked || scratch.mode != GROUP_MODE_NONE);
    if (ok && primary && scratch.mode == GROUP_MODE_NONE) {
        reply_error(c->reply, "ERR No mode is asked for: SENTINEL FORM <group> async|prefer|strict PRIMARY <host> <port>");
        ok = false;
    }
    ok = ok && (!formed_moved || formable(c, g, &scratch));
    group_options_fini(&scratch);
    if (!ok)
        return;
    for (int at = 3; at < c->argc;) {
        const struct option *o = option_find(&group_option_table, c->argv[at]);
        int n = group_option_values(o);

        CHECK(option_set(o, &conf->opt, n, c->argv + at + 1, NULL, NULL) == 0);
        changed(sh, g, o, n, c->argv + at + 1);
        new_auth = new_auth || strcmp(o->name, "auth-pass") == 0 || strcmp(o->name, "auth-user") == 0;
        at += n + 1;
    }
    shell_set_group(sh, g->id, conf);
    if (new_auth)
        links_new_auth(sh->links, g->id);
    set_saved(c, g, formed_moved, was_asked, primary);
}

/* ---- SENTINEL CONFIG --------------------------------------------------------------------- */

static const char loglevel_name[] = "loglevel";

void cmd_config_get(struct call *c)
{
    struct sentinel_conf *conf = &shell_of(c)->opt->sentinel;
    struct reply_hole h = reply_hole(c->reply);
    size_t n = 0;

    for (size_t i = 0; i <= sentinel_global_table.n; i++) {
        bool last = i == sentinel_global_table.n;
        const struct option *o = last ? option_find(&sentinel_option_table, slice_z(loglevel_name)) : &sentinel_global_table.rows[i];
        struct str value = {0};
        bool wanted = false;

        for (int k = 3; k < c->argc; k++)
            wanted = wanted || glob_match(c->argv[k].p, c->argv[k].len, o->name, strlen(o->name), true);
        if (!wanted || (o->flags & OPT_FIXED))
            continue;
        option_get(o, last ? (const void *)shell_of(c)->opt : conf, &value);
        reply_bulk_z(c->reply, o->name);
        reply_bulk_z(c->reply, str_c(&value));
        str_fini(&value);
        n++;
    }
    reply_fill_map(c->reply, h, n);
}

static int set_one(struct shell *sh, const struct option *o, void *base, struct slice value)
{
    return option_set(o, base, 1, &value, NULL, NULL) == 0 ? 0 : ((void)sh, -1);
}

static bool named_before(const struct call *c, int at)
{
    for (int i = 3; i < at; i += 2)
        if (c->argv[i].len == c->argv[at].len && strncasecmp(c->argv[i].p, c->argv[at].p, c->argv[at].len) == 0)
            return true;
    return false;
}

/* All or nothing: the first pass tries, the second sets. */
void cmd_config_set(struct call *c)
{
    struct shell *sh = shell_of(c);
    struct sentinel_conf *conf = &sh->opt->sentinel;

    if (c->argc % 2 == 0) {
        reply_errorf(c->reply, "ERR Missing argument '%.*s' value",
                     (int)(c->argv[c->argc - 1].len < 128 ? c->argv[c->argc - 1].len : 128), c->argv[c->argc - 1].p);
        return;
    }
    for (int pass = 0; pass < 2; pass++)
        for (int at = 3; at + 1 < c->argc; at += 2) {
            bool is_level = slice_is_nocase(c->argv[at], loglevel_name);
            const struct option *o = option_find(is_level ? &sentinel_option_table : &sentinel_global_table, c->argv[at]);
            struct sentinel_conf try = {0};
            struct sentinel_options try_options = {0};
            bool ok;

            if (!o || (o->flags & OPT_FIXED) || named_before(c, at)) {
                reply_errorf(c->reply, "ERR %s argument '%.*s' to SENTINEL CONFIG SET",
                             o && !(o->flags & OPT_FIXED) ? "Duplicate" : "Invalid",
                             (int)(c->argv[at].len < 128 ? c->argv[at].len : 128), c->argv[at].p);
                return;
            }
            if (pass == 1) {
                CHECK(set_one(sh, o, is_level ? (void *)sh->opt : conf, c->argv[at + 1]) == 0);
                if (is_level)
                    log_set_level((enum log_level)sh->opt->loglevel);
                continue;
            }
            ok = set_one(sh, o, is_level ? (void *)&try_options : &try, c->argv[at + 1]) == 0;
            option_free(&sentinel_global_table, &try);
            if (!ok) {
                reply_errorf(c->reply, "ERR Invalid value '%.*s' to SENTINEL CONFIG SET '%s'",
                             (int)(c->argv[at + 1].len < 128 ? c->argv[at + 1].len : 128), c->argv[at + 1].p, o->name);
                return;
            }
        }
    for (int at = 3; at + 1 < c->argc; at += 2)
        if (slice_is_nocase(c->argv[at], "sentinel-user") || slice_is_nocase(c->argv[at], "sentinel-pass")) {
            links_new_auth(sh->links, 0);
            break;
        }
    shell_announce(sh);
    reply_saved(c, save_now(sh->save));
}

void cmd_config(struct call *c)
{
    if (slice_is_nocase(c->argv[2], "get") && c->argc > 3)
        cmd_config_get(c);
    else if (slice_is_nocase(c->argv[2], "set") && c->argc > 3)
        cmd_config_set(c);
    else
        reply_error(c->reply, "ERR Only SENTINEL CONFIG GET <param> [<param> ...] / SET <param> <value> [<param> <value> ...] "
                              "are supported.");
}

/* ---- SENTINEL DEBUG ---------------------------------------------------------------------- */

#define T(field) offsetof(struct core_timing, field)
#define OUTSIDE SIZE_MAX

static const struct {
    const char *name;
    size_t where;                /* in core_timing, or OUTSIDE */
    int64_t *outside;
} periods[] = {
    {"INFO-PERIOD", T(info_ms), NULL},
    {"PING-PERIOD", T(ping_ms), NULL},
    {"ASK-PERIOD", T(ask_ms), NULL},
    {"PUBLISH-PERIOD", T(hello_ms), NULL},
    {"DEFAULT-DOWN-AFTER", T(default_down_after_ms), NULL},
    {"DEFAULT-FAILOVER-TIMEOUT", T(default_failover_timeout_ms), NULL},
    {"TILT-TRIGGER", T(tilt_trigger_ms), NULL},
    {"TILT-PERIOD", T(tilt_period_ms), NULL},
    {"SLAVE-RECONF-TIMEOUT", T(reconf_timeout_ms), NULL},
    {"MIN-LINK-RECONNECT-PERIOD", T(link_stuck_ms), NULL},
    {"ELECTION-TIMEOUT", T(election_ms), NULL},
    {"SCRIPT-MAX-RUNTIME", OUTSIDE, &hooks_max_runtime_ms},
    {"SCRIPT-RETRY-DELAY", OUTSIDE, &hooks_retry_delay_ms},
    {"RIGHTS-PERIOD", OUTSIDE, &rights_period_ms},
};
#define NPERIODS (sizeof periods / sizeof periods[0])

static int64_t *period(struct core_timing *t, size_t i)
{
    return periods[i].outside ? periods[i].outside : (int64_t *)((char *)t + periods[i].where);
}

static bool debug_set(struct call *c, struct core_timing *t, bool really)
{
    for (int at = 2; at < c->argc; at += 2) {
        int64_t ms;
        size_t i = 0;

        while (i < NPERIODS && !slice_is_nocase(c->argv[at], periods[i].name))
            i++;
        if (i == NPERIODS || at + 1 >= c->argc) {
            reply_errorf(c->reply, "ERR Unknown option or number of arguments for SENTINEL DEBUG '%.*s'",
                         (int)(c->argv[at].len < 128 ? c->argv[at].len : 128), c->argv[at].p);
            return false;
        }
        if (!num_i64_in(c->argv[at + 1].p, c->argv[at + 1].len, 1, INT32_MAX, &ms)) {
            reply_errorf(c->reply, "ERR Invalid argument '%.*s' for SENTINEL DEBUG '%s'",
                         (int)(c->argv[at + 1].len < 128 ? c->argv[at + 1].len : 128), c->argv[at + 1].p, periods[i].name);
            return false;
        }
        if (really)
            *period(t, i) = ms;
    }
    return true;
}

void cmd_debug(struct call *c)
{
    struct shell *sh = shell_of(c);
    struct core_timing t = *core_timing_now(sh->core);
    struct event ev = {.kind = EV_TIMING};

    if (c->argc == 2) {
        reply_map(c->reply, NPERIODS);
        for (size_t i = 0; i < NPERIODS; i++) {
            reply_bulk_z(c->reply, periods[i].name);
            reply_bulk_i64(c->reply, *period(&t, i));
        }
        return;
    }
    if (!debug_set(c, &t, false) || !debug_set(c, &t, true))
        return;
    if (t.info_fast_ms > t.info_ms)
        t.info_fast_ms = t.info_ms;
    ev.u.timing = &t;
    shell_step(sh, &ev);
    reply_ok(c->reply);
}
