/* The fifth table. */
#include "sentinel/shell/group_options.h"

#include "common/text/conf_lex.h"
#include "sentinel/core/formed.h"

#include <stddef.h>
#include <unistd.h>

#define AT(field) offsetof(struct group_options, field)

static void rename_free(struct rename *r)
{
    mem_free(r->from);
    mem_free(r->to);
}

static int set_rename(void *base, int argc, const struct slice *argv, bool fresh, struct err *e)
{
    struct group_options *g = base;
    struct rename r;

    (void)fresh;
    if (argc != 2)
        return err_set(e, ERR_FORMAT, "rename-command takes the command's name and the one it has on the nodes");
    if (argv[0].len == 0 || argv[1].len == 0)
        return err_set(e, ERR_RANGE, "a command's name is not empty");
    r.from = mem_strndup(argv[0].p, argv[0].len);
    r.to = mem_strndup(argv[1].p, argv[1].len);
    for (size_t i = 0; i < g->renames.n; i++)
        if (str_eq_nocase(g->renames.at[i].from, r.from)) {
            rename_free(&g->renames.at[i]);
            vec_remove(&g->renames, i);
            break;
        }
    if (str_eq_nocase(r.from, r.to))
        rename_free(&r);
    else
        vec_push(&g->renames, r);
    return 0;
}

static void get_rename(const void *base, struct str *out)
{
    const struct group_options *g = base;

    for (size_t i = 0; i < g->renames.n; i++) {
        str_printf(out, "%s", i ? " " : "");
        conf_put_word(out, slice_z(g->renames.at[i].from));
        str_append_c(out, ' ');
        conf_put_word(out, slice_z(g->renames.at[i].to));
    }
}

static void lines_rename(const void *base, void (*line)(void *arg, const char *text), void *arg)
{
    const struct group_options *g = base;

    for (size_t i = 0; i < g->renames.n; i++) {
        struct str one = {0};
        conf_put_word(&one, slice_z(g->renames.at[i].from));
        str_append_c(&one, ' ');
        conf_put_word(&one, slice_z(g->renames.at[i].to));
        line(arg, str_c(&one));
        str_fini(&one);
    }
}

static int set_script(char **where, int argc, const struct slice *argv, struct err *e)
{
    char *path;

    if (argc != 1)
        return err_set(e, ERR_FORMAT, "one path is wanted");
    if (argv[0].len == 0) {
        mem_free(*where);
        *where = NULL;
        return 0;
    }
    path = mem_strndup(argv[0].p, argv[0].len);
    mem_free(*where);
    *where = path;
    return 0;
}

#define SCRIPT(id, field)                                                                         \
    static int set_##id(void *base, int argc, const struct slice *argv, bool fresh, struct err *e) \
    {                                                                                             \
        (void)fresh;                                                                              \
        return set_script(&((struct group_options *)base)->field, argc, argv, e);                 \
    }                                                                                             \
    static void get_##id(const void *base, struct str *out)                                       \
    {                                                                                             \
        const char *path = ((const struct group_options *)base)->field;                           \
        if (path)                                                                                 \
            conf_put_word(out, slice_z(path));                                                    \
    }
SCRIPT(notification, notification_script)
SCRIPT(reconfig, client_reconfig_script)

/* --- a formed group ------------------------------------------------------------------------ */

static int one_word(int argc, const struct slice *argv, const char *what, char out[32], struct err *e)
{
    if (argc != 1 || !slice_copy_z(argv[0], out, 32) || strlen(out) != argv[0].len)
        return err_set(e, ERR_FORMAT, "%s", what);
    for (char *p = out; *p; p++)
        *p = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
    return 0;
}

static int set_mode(void *base, int argc, const struct slice *argv, bool fresh, struct err *e)
{
    static const char what[] = "a mode is plain, async, prefer or strict";
    struct group_options *g = base;
    enum ha_mode m;
    char word[32];
    char *plus;

    (void)fresh;
    if (one_word(argc, argv, what, word, e) != 0)
        return ERR_FORMAT;
    plus = strchr(word, '+');
    if (plus)
        *plus = '\0';
    if (!*word || strcmp(word, "plain") == 0)
        m = HA_MODES;
    else if (!ha_mode_named(word, &m))
        return err_set(e, ERR_RANGE, "%s", what);
    if (plus && strcmp(plus + 1, "fsync") == 0 && m != HA_MODES)
        return err_set(e, ERR_REFUSED, "mode %s+fsync is not there yet: kvnode has no append-only file, so no copy of a write "
                       "counts as being on disk; mode %s keeps it in the memory of several nodes", word, word);
    if (plus)
        return err_set(e, ERR_RANGE, "%s", what);
    g->mode = m == HA_MODES ? GROUP_MODE_NONE : (int)m;
    return 0;
}

static void get_mode(const void *base, struct str *out)
{
    const struct group_options *g = base;

    if (g->mode != GROUP_MODE_NONE)
        str_append_z(out, ha_mode_name((enum ha_mode)g->mode));
}

static int set_profile(void *base, int argc, const struct slice *argv, bool fresh, struct err *e)
{
    static const char what[] = "a profile is lan, cloud or wan; \"\" follows down-after-milliseconds";
    struct group_options *g = base;
    struct ha_timing t;
    char word[32];

    (void)fresh;
    if (one_word(argc, argv, what, word, e) != 0)
        return ERR_FORMAT;
    if (*word && !ha_timing_profile(word, &t))
        return err_set(e, ERR_RANGE, "%s", what);
    mem_free(g->profile);
    g->profile = *word ? mem_strdup(word) : NULL;
    return 0;
}

static void get_profile(const void *base, struct str *out)
{
    const struct group_options *g = base;

    if (g->profile)
        str_append_z(out, g->profile);
}

static int set_voters(void *base, int argc, const struct slice *argv, bool fresh, struct err *e)
{
    struct group_options *g = base;

    (void)fresh;
    if (argc != 1 || !(slice_is(argv[0], "3") || slice_is(argv[0], "5")))
        return err_set(e, ERR_RANGE, "a formed group has 3 or 5 voters");
    g->voters = argv[0].p[0] - '0';
    return 0;
}

/* R2's third source of END, the agent, would have to be the parent of the node: then alone it sees the very process end. */
static int set_evidence(void *base, int argc, const struct slice *argv, bool fresh, struct err *e)
{
    static const char what[] = "crash-evidence is yes or no";
    struct group_options *g = base;
    char word[32];

    (void)fresh;
    if (one_word(argc, argv, what, word, e) != 0)
        return ERR_FORMAT;
    if (strcmp(word, "agent") == 0)
        return err_set(e, ERR_REFUSED, "crash-evidence agent is not there: kvorum-agent starts no data node, so it does not see that very process end; "
                       "yes counts what the sentinels see, no waits for down-after-milliseconds");
    if (strcmp(word, "yes") != 0 && strcmp(word, "no") != 0)
        return err_set(e, ERR_RANGE, "%s", what);
    g->crash_evidence = word[0] == 'y';
    return 0;
}

static void get_evidence(const void *base, struct str *out)
{
    str_append_z(out, ((const struct group_options *)base)->crash_evidence ? "yes" : "no");
}

static void get_voters(const void *base, struct str *out)
{
    str_printf(out, "%lld", (long long)((const struct group_options *)base)->voters);
}

static const struct option rows[] = {
    {"down-after-milliseconds", OPT_MS, AT(down_after_ms), 1, 3600000LL * 24 * 30, "30000", .unit_ms = 1, .unit = "milliseconds",
     .summary = "How long a node may be silent before it is taken for down."},
    {"failover-timeout", OPT_MS, AT(failover_timeout_ms), 1, 3600000LL * 24 * 30, "180000", .unit_ms = 1, .unit = "milliseconds",
     .summary = "The limit of each step of a failover, and the pause between attempts."},
    {"parallel-syncs", OPT_INT, AT(parallel_syncs), 1, 1000, "1",
     .summary = "How many replicas are told to follow a new primary at once."},
    {"quorum", OPT_INT, AT(quorum), 1, 1000, "1", OPT_NO_REWRITE,
     .summary = "How many sentinels must see the primary down (the last word of a `sentinel monitor` line)."},
    {"notification-script", OPT_CUSTOM, 0, .set = set_notification, .get = get_notification,
     .summary = "Run with (event, payload) for each warning about the group."},
    {"client-reconfig-script", OPT_CUSTOM, 0, .set = set_reconfig, .get = get_reconfig,
     .summary = "Run with (group, leader|observer, state, from-ip, from-port, to-ip, to-port) when the primary changes."},
    {"auth-pass", OPT_STR, AT(auth_pass), .flags = OPT_SECRET | OPT_EMPTY_IS_NULL,
     .summary = "Password at the group's nodes."},
    {"auth-user", OPT_STR, AT(auth_user), .flags = OPT_EMPTY_IS_NULL,
     .summary = "User at the group's nodes; without it the password alone is sent."},
    {"master-reboot-down-after-period", OPT_MS, AT(reboot_down_after_ms), 0, 3600000LL * 24 * 30, "0",
     .alias = "primary-reboot-down-after-period", .unit_ms = 1, .unit = "milliseconds",
     .summary = "How long a primary that restarted may answer LOADING before it is taken for down (0: for ever)."},
    {"rename-command", OPT_CUSTOM, 0, .flags = OPT_MULTI, .set = set_rename, .get = get_rename, .lines = lines_rename,
     .summary = "The name a command was given on the group's nodes."},
    {"crash-evidence", OPT_CUSTOM, 0, .dflt = "yes", .set = set_evidence, .get = get_evidence,
     .summary = "A closed link and a refused reconnect, agreed by the quorum, start a failover at once."},
    {"seal-replicas", OPT_BOOL, AT(seal_replicas), .dflt = "yes",
     .summary = "Plain groups: before a replica is promoted all are drawn off the primary that is down."},
    {"directory", OPT_STR, AT(directory), .flags = OPT_EMPTY_IS_NULL,
     .summary = "The group (may be this one) in which config:redis:<group> follows a failover."},
    {"mode", OPT_CUSTOM, 0, .set = set_mode, .get = get_mode,
     .summary = "async, prefer or strict form the group; unset (plain) it is watched as redis-sentinel does."},
    {"sync-acks", OPT_INT, AT(sync_acks), 0, HA_MEMBERS_MAX - 1, "0",
     .summary = "prefer, strict: how many replicas must hold a write before it is answered (0: half of them, at least 1)."},
    {"profile", OPT_CUSTOM, 0, .set = set_profile, .get = get_profile,
     .summary = "lan, cloud or wan: the timing of a formed group; unset it follows down-after-milliseconds in proportion."},
    {"voters", OPT_CUSTOM, 0, .dflt = "3", .set = set_voters, .get = get_voters,
     .summary = "How many sentinels vote in a formed group: 3 or 5."},
    {"member-drop-after", OPT_MS, AT(member_drop_after_ms), 0, 3600000LL * 24 * 30, "60000", .unit_ms = 1, .unit = "milliseconds",
     .summary = "strict: a replica gone for so long leaves the members while sync-acks + 1 remain (0: never). It may come back."},
};
const struct option_table group_option_table = {rows, sizeof rows / sizeof rows[0]};

void group_options_init(struct group_options *g)
{
    struct err e;

    memset(g, 0, sizeof *g);
    g->mode = GROUP_MODE_NONE;
    CHECK(option_defaults(&group_option_table, g, &e) == 0);
}

void group_options_fini(struct group_options *g)
{
    option_free(&group_option_table, g);
    mem_free(g->notification_script);
    mem_free(g->client_reconfig_script);
    mem_free(g->profile);
    for (size_t i = 0; i < g->renames.n; i++)
        rename_free(&g->renames.at[i]);
    vec_fini(&g->renames);
    memset(g, 0, sizeof *g);
}

bool group_option_is_script(const struct option *o)
{
    return o->set == set_notification || o->set == set_reconfig;
}

bool group_option_is_formed(const struct option *o)
{
    static const char *const names[] = {"mode", "sync-acks", "profile", "voters", "member-drop-after",
                                        "down-after-milliseconds", "crash-evidence"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(o->name, names[i]) == 0)
            return true;
    return false;
}

/* --- what the options of a formed group come to -------------------------------------------------- */

/* A profile brings its own down-after, unless the option was set to something. */
int64_t group_options_down_after(const struct group_options *g)
{
    struct ha_timing t;

    if (g->mode != GROUP_MODE_NONE && g->profile && g->down_after_ms == DOWN_AFTER_UNSET_MS && ha_timing_profile(g->profile, &t))
        return t.down_after_ms;
    return g->down_after_ms;
}

static void timing_of(const struct group_options *g, struct ha_timing *out)
{
    if (!g->profile || !ha_timing_profile(g->profile, out))
        ha_timing_from_down_after(g->down_after_ms, out);
    out->down_after_ms = group_options_down_after(g);
}

bool group_options_want(const struct group_options *g, struct formed_want *out, const char **wrong)
{
    static char text[HA_TIMING_TEXT];

    *wrong = NULL;
    if (g->mode == GROUP_MODE_NONE)
        return false;
    memset(out, 0, sizeof *out);
    out->mode = (enum ha_mode)g->mode;
    out->k = (int)g->sync_acks;
    out->voters = (int)g->voters;
    out->member_drop_after_ms = g->member_drop_after_ms;
    out->no_crash_evidence = !g->crash_evidence;
    timing_of(g, &out->timing);
    *wrong = ha_timing_check(&out->timing, text);
    return true;
}

static bool same_timing(const struct ha_timing *a, const struct ha_timing *b)
{
    return a->heartbeat_ms == b->heartbeat_ms && a->promise_ms == b->promise_ms && a->lease_ms == b->lease_ms &&
           a->down_after_ms == b->down_after_ms && a->election_ms == b->election_ms;
}

/* The settings that would ask for this timing: as they are, if they do. */
static bool follow_timing(struct group_options *g, const struct ha_timing *t)
{
    static const char *const names[] = {"lan", "cloud", "wan"};
    struct ha_timing now, of;
    const char *profile = NULL;

    timing_of(g, &now);
    if (same_timing(&now, t))
        return false;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        CHECK(ha_timing_profile(names[i], &of));
        of.down_after_ms = t->down_after_ms;
        if (same_timing(&of, t))
            profile = names[i];
    }
    mem_free(g->profile);
    g->profile = profile ? mem_strdup(profile) : NULL;
    g->down_after_ms = t->down_after_ms;
    return true;
}

/* 0 goes on meaning "half of them" while that is what the record says. In prefer k falls with the members: that says
 * nothing of what is wished. */
static bool follow_k(struct group_options *g, const struct ha_record *r)
{
    int others = r->n_members - 1;
    int64_t meant = g->sync_acks != 0 ? g->sync_acks : others > 1 ? (others + 1) / 2 : 1;

    if (r->mode == HA_ASYNC || r->k == meant || (r->mode == HA_PREFER && others <= r->k))
        return false;
    g->sync_acks = r->k;
    return true;
}

bool group_options_follow(struct group_options *g, const struct ha_record *r)
{
    int mode = r->dissolved ? GROUP_MODE_NONE : (int)r->mode;
    bool changed = g->mode != mode;

    g->mode = mode;
    if (r->dissolved)
        return changed;
    changed = follow_k(g, r) || changed;
    if (g->voters != r->n_voters && (r->n_voters == 3 || r->n_voters == 5)) {
        g->voters = r->n_voters;
        changed = true;
    }
    if (g->member_drop_after_ms != r->drop_after_ms) {
        g->member_drop_after_ms = r->drop_after_ms;
        changed = true;
    }
    return follow_timing(g, &r->timing) || changed;
}

int group_options_scripts_ok(const struct group_options *g, struct err *e)
{
    const char *const paths[] = {g->notification_script, g->client_reconfig_script};

    for (int i = 0; i < 2; i++)
        if (paths[i] && access(paths[i], X_OK) != 0)
            return err_set(e, ERR_MISSING, "%s '%s' does not exist or is not executable",
                           i == 0 ? "Notification script" : "Client reconfiguration script", paths[i]);
    return 0;
}

int group_option_values(const struct option *o)
{
    return o->set == set_rename ? 2 : 1;
}

const char *group_options_renamed(const struct group_options *g, const char *command)
{
    for (size_t i = 0; i < g->renames.n; i++)
        if (str_eq_nocase(g->renames.at[i].from, command))
            return g->renames.at[i].to;
    return command;
}

struct lines_for {
    const struct option *o;
    const char *name;
    void (*line)(void *arg, const char *key, const char *text);
    void *arg;
};

static void one_line(void *arg, const char *value)
{
    const struct lines_for *f = arg;
    struct str key = {0}, text = {0};

    str_printf(&key, "sentinel %s %s", f->o->name, f->name);
    str_printf(&text, "sentinel %s ", f->o->name);
    conf_put_word(&text, slice_z(f->name));
    str_printf(&text, " %s", value);
    f->line(f->arg, str_c(&key), str_c(&text));
    str_fini(&key);
    str_fini(&text);
}

void group_options_lines(const struct group_options *g, const char *name,
                         void (*line)(void *arg, const char *key, const char *text), void *arg)
{
    for (size_t i = 0; i < group_option_table.n; i++) {
        const struct option *o = &group_option_table.rows[i];
        struct lines_for f = {o, name, line, arg};
        struct str value = {0};

        if (o->flags & OPT_NO_REWRITE)
            continue;
        if (o->lines)
            o->lines(g, one_line, &f);
        else if ((o->type == OPT_CUSTOM && !o->dflt) || !option_is_default(o, g)) {
            option_get(o, g, &value);
            if (value.len > 0 && o->type == OPT_STR) {
                struct str word = {0};
                conf_put_word(&word, (struct slice){value.p, value.len});
                one_line(&f, str_c(&word));
                str_fini(&word);
            } else if (value.len > 0)
                one_line(&f, str_c(&value));
            str_fini(&value);
        }
    }
}
