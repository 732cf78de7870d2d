/* The fifth table. */
#include "sentinel/shell/group_options.h"

#include "common/text/conf_lex.h"

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
    {"crash-evidence", OPT_BOOL, AT(crash_evidence), .dflt = "yes",
     .summary = "A closed link and a refused reconnect, agreed by the quorum, start a failover at once."},
    {"directory", OPT_STR, AT(directory), .flags = OPT_EMPTY_IS_NULL,
     .summary = "The group (may be this one) in which config:redis:<group> follows a failover."},
};
const struct option_table group_option_table = {rows, sizeof rows / sizeof rows[0]};

void group_options_init(struct group_options *g)
{
    struct err e;

    memset(g, 0, sizeof *g);
    g->mode = GROUP_MODE_NONE;
    g->voters = 3;
    CHECK(option_defaults(&group_option_table, g, &e) == 0);
}

void group_options_fini(struct group_options *g)
{
    option_free(&group_option_table, g);
    mem_free(g->notification_script);
    mem_free(g->client_reconfig_script);
    for (size_t i = 0; i < g->renames.n; i++)
        rename_free(&g->renames.at[i]);
    vec_fini(&g->renames);
    memset(g, 0, sizeof *g);
}

bool group_option_is_script(const struct option *o)
{
    return o->set == set_notification || o->set == set_reconfig;
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
        else if (o->type == OPT_CUSTOM || !option_is_default(o, g)) {
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
