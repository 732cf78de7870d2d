/* `sentinel ...` lines in and out. Three kinds, told apart by their first word: global
 * (a table here), settings of a group (group_options.c), state (wire/state_text). */
#include "sentinel/shell/sentinel_conf.h"

#include "common/base/hash.h"
#include "common/base/num.h"
#include "common/text/conf_lex.h"
#include "sentinel/wire/state_text.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT(field) offsetof(struct sentinel_conf, field)

static const struct option globals[] = {
    {"deny-scripts-reconfig", OPT_BOOL, AT(deny_scripts_reconfig), .dflt = "yes", .flags = OPT_FIXED,
     .summary = "SENTINEL SET may not change the paths of scripts."},
    {"resolve-hostnames", OPT_BOOL, AT(resolve_hostnames), .dflt = "no", .summary = "Accept names where addresses are expected."},
    {"announce-hostnames", OPT_BOOL, AT(announce_hostnames), .dflt = "no", .summary = "Tell names, not addresses, where they are known."},
    {"announce-ip", OPT_STR, AT(announce_ip), .flags = OPT_EMPTY_IS_NULL, .summary = "The address that others shall know us by."},
    {"announce-port", OPT_INT, AT(announce_port), 0, 65535, "0", .summary = "The port that others shall know us by (0: port)."},
    {"sentinel-user", OPT_STR, AT(user), .flags = OPT_EMPTY_IS_NULL, .summary = "User at the other sentinels."},
    {"sentinel-pass", OPT_STR, AT(pass), .flags = OPT_EMPTY_IS_NULL | OPT_SECRET, .summary = "Password at the other sentinels."},
};
const struct option_table sentinel_global_table = {globals, sizeof globals / sizeof globals[0]};

static void make_ready(struct sentinel_conf *c)
{
    struct err e;

    if (c->ready)
        return;
    c->ready = true;
    dict_init(&c->by_name);
    dict_init(&c->formed);
    dict_init(&c->file_was);
    saved_init(&c->saved);
    CHECK(option_defaults(&sentinel_global_table, c, &e) == 0);
}

struct conf_group *sentinel_conf_find(struct sentinel_conf *c, const char *name)
{
    make_ready(c);
    return dict_get(&c->by_name, name, strlen(name));
}

struct conf_group *sentinel_conf_add(struct sentinel_conf *c, const char *name)
{
    struct conf_group *g = sentinel_conf_find(c, name);

    if (!g) {
        g = mem_zalloc(sizeof *g);
        g->name = mem_strdup(name);
        group_options_init(&g->opt);
        vec_push(&c->groups, g);
        dict_put(&c->by_name, name, strlen(name), NULL)->v.p = g;
    }
    return g;
}

static void group_free(struct conf_group *g)
{
    for (size_t i = 0; g->in_file_text && i < group_option_table.n; i++)
        mem_free(g->in_file_text[i]);
    mem_free(g->in_file_text);
    group_options_fini(&g->opt);
    mem_free(g->where);
    mem_free(g->name);
    mem_free(g);
}

static void drop_formed(struct sentinel_conf *c, const char *name)
{
    char *had = dict_get(&c->formed, name, strlen(name));

    if (had)
        dict_del(&c->formed, name, strlen(name), NULL);
    mem_free(had);
}

const char *sentinel_conf_formed(struct sentinel_conf *c, const char *group)
{
    make_ready(c);
    return dict_get(&c->formed, group, strlen(group));
}

void sentinel_conf_set_formed(struct sentinel_conf *c, const char *group, struct slice lines)
{
    make_ready(c);
    drop_formed(c, group);
    dict_put(&c->formed, group, strlen(group), NULL)->v.p = mem_strndup(lines.p, lines.len);
}

void sentinel_conf_remove(struct sentinel_conf *c, const char *name)
{
    for (size_t i = 0; i < c->groups.n; i++) {
        struct conf_group *g = c->groups.at[i];

        if (strcmp(g->name, name) != 0)
            continue;
        if (g->in_file)
            vec_push(&c->removed, mem_strdup(name));
        dict_del(&c->by_name, name, strlen(name), NULL);
        vec_remove(&c->groups, i);
        saved_drop(&c->saved, name);
        drop_formed(c, name);
        group_free(g);
        return;
    }
}

static void free_text(void *text) { mem_free(text); }

void sentinel_conf_fini(struct sentinel_conf *c)
{
    if (!c->ready)
        return;
    for (size_t i = 0; i < c->groups.n; i++)
        group_free(c->groups.at[i]);
    for (size_t i = 0; i < c->removed.n; i++)
        mem_free(c->removed.at[i]);
    vec_fini(&c->groups);
    vec_fini(&c->removed);
    for (size_t i = 0; c->in_file_text && i < sentinel_global_table.n; i++)
        mem_free(c->in_file_text[i]);
    mem_free(c->in_file_text);
    c->in_file_text = NULL;
    dict_fini(&c->by_name, NULL);
    dict_fini(&c->formed, free_text);
    dict_fini(&c->file_was, NULL);
    saved_fini(&c->saved);
    option_free(&sentinel_global_table, c);
    c->ready = false;
}

/* ---- in ------------------------------------------------------------------------------ */

static bool is_removed(const struct sentinel_conf *c, const char *name)
{
    for (size_t i = 0; i < c->removed.n; i++)
        if (strcmp(c->removed.at[i], name) == 0)
            return true;
    return false;
}

static int global_line(struct sentinel_conf *c, const struct option *o, int argc, const struct slice *argv, struct err *e)
{
    int rc = option_set(o, c, argc - 1, argv + 1, NULL, e);

    return rc;
}

static int group_line(struct sentinel_conf *c, const struct option *o, int argc, const struct slice *argv, struct err *e)
{
    char name[GROUP_NAME_MAX];
    struct conf_group *g;

    if (argc != 2 + group_option_values(o))
        return err_set(e, ERR_FORMAT, "sentinel %s takes a group's name and %s", o->name,
                       group_option_values(o) == 2 ? "two words" : "one value");
    if (argv[1].len == 0 || memchr(argv[1].p, '\0', argv[1].len) || !slice_copy_z(argv[1], name, sizeof name))
        return err_set(e, ERR_RANGE, "a group's name has 1 to 255 characters");
    g = sentinel_conf_add(c, name);
    if (!g->where && !g->monitored)
        g->where = mem_strdup(o->name);
    return option_set(o, &g->opt, argc - 2, argv + 2, NULL, e);
}

int sentinel_conf_line(struct sentinel_conf *c, int argc, const struct slice *argv, struct err *e)
{
    char name[GROUP_NAME_MAX];
    const struct option *o;
    struct conf_group *g;
    int64_t quorum = 0;
    bool mine = false, monitor = argc > 1 && slice_is_nocase(argv[0], "monitor");
    int rc;

    make_ready(c);
    if ((o = option_find(&sentinel_global_table, argv[0])) != NULL)
        return global_line(c, o, argc, argv, e);
    if ((o = option_find(&group_option_table, argv[0])) != NULL)
        return group_line(c, o, argc, argv, e);
    if (argc == 3 && slice_is_nocase(argv[0], "formed") && slice_copy_z(argv[1], name, sizeof name)) {
        sentinel_conf_set_formed(c, name, argv[2]);
        return 0;
    }
    if (monitor && slice_copy_z(argv[1], name, sizeof name) && (g = sentinel_conf_find(c, name)) && g->monitored)
        return err_set(e, ERR_BUSY, "Duplicate master name.");
    rc = state_line_read(&c->saved, argc, argv, &mine, &quorum, e);
    if (rc != 0 || (!mine && argc == 0))
        return rc;
    if (!mine)
        return err_set(e, ERR_UNKNOWN, "Unrecognized sentinel configuration statement: '%.*s'",
                       (int)(argv[0].len < 64 ? argv[0].len : 64), argv[0].p);
    if (argc < 3)
        return 0;
    (void)slice_copy_z(argv[1], name, sizeof name);
    g = sentinel_conf_add(c, name);
    if (monitor) {
        g->monitored = true;
        g->opt.quorum = quorum;
        g->configured = saved_find(&c->saved, name)->primary;
    } else if (!g->where && !g->monitored)
        g->where = mem_strndup(argv[0].p, argv[0].len);
    return 0;
}

static char *row_text(const struct option *o, const void *opt)
{
    struct str text = {0};

    option_get(o, opt, &text);
    return text.p ? str_take(&text) : mem_strdup("");
}

int sentinel_conf_check(struct sentinel_conf *c, struct err *e)
{
    make_ready(c);
    c->in_file_text = mem_zalloc(sentinel_global_table.n * sizeof *c->in_file_text);
    for (size_t k = 0; k < sentinel_global_table.n; k++)
        c->in_file_text[k] = row_text(&sentinel_global_table.rows[k], c);
    for (size_t i = 0; i < c->groups.n; i++) {
        struct conf_group *g = c->groups.at[i];

        if (!g->monitored)
            return err_set(e, ERR_MISSING, "'sentinel %s %s': No such master with specified name. "
                           "(there is no line 'sentinel monitor %s <host> <port> <quorum>')",
                           g->where ? g->where : "?", g->name, g->name);
        if (!c->resolve_hostnames && !addr_is_ip(g->configured.host))
            return err_set(e, ERR_RANGE, "'sentinel monitor %s %s': Can't resolve instance hostname. "
                           "(an IP address is wanted, or 'sentinel resolve-hostnames yes')", g->name, g->configured.host);
        if (g->opt.directory && strlen(g->opt.directory) >= GROUP_NAME_MAX)
            return err_set(e, ERR_RANGE, "'sentinel directory %s': the name is too long", g->name);
        g->in_file = true;
        g->in_file_text = mem_zalloc(group_option_table.n * sizeof *g->in_file_text);
        for (size_t k = 0; k < group_option_table.n; k++)
            g->in_file_text[k] = row_text(&group_option_table.rows[k], &g->opt);
    }
    return 0;
}

/* What the file said when the state was written. If it says something else now, somebody moved the
 * primary by hand: the file's address counts, not the one that was learned. */
static void configured_then(struct sentinel_conf *c, struct conf_group *g, const struct slice *argv)
{
    struct saved_group *s = g ? saved_find(&c->saved, g->name) : NULL;
    struct addr then;
    int64_t port;

    if (s && g->in_file && num_i64_in(argv[1].p, argv[1].len, 1, 65535, &port) &&
        addr_set(&then, argv[0].p, argv[0].len, port) && !addr_equal(&then, &g->configured))
        s->primary = g->configured;
}

/* A setting that was changed here: what the file said then is told by a check of its text, since it may be a secret. */
static uint64_t text_check(const char *text)
{
    static const uint8_t key[16] = "kvorum-file-was";

    return hash_with(key, text, strlen(text));
}

static void file_was_key(struct str *out, struct slice group, const char *setting)
{
    str_clear(out);
    str_printf(out, "%.*s %s", (int)group.len, group.p, setting);
}

static int file_was_line(struct sentinel_conf *c, const struct slice *argv, struct err *e)
{
    char text[17], *end;
    struct str key = {0};
    uint64_t check;

    if (argv[2].len != 16 || !slice_copy_z(argv[2], text, sizeof text))
        return err_set(e, ERR_FORMAT, "'file-was' takes a check of 16 digits");
    check = strtoull(text, &end, 16);
    if (*end)
        return err_set(e, ERR_FORMAT, "'file-was' takes a check of 16 digits");
    str_append(&key, argv[0].p, argv[0].len);
    str_append_c(&key, ' ');
    str_append(&key, argv[1].p, argv[1].len);
    dict_put(&c->file_was, key.p, key.len, NULL)->v.u = check;
    str_fini(&key);
    return 0;
}

/* The file says another thing than when this setting was changed at run time. */
static bool file_changed(struct sentinel_conf *c, struct slice group, const char *setting, const char *text_now)
{
    struct str key = {0};
    struct dict_entry *was;

    file_was_key(&key, group, setting);
    was = dict_find(&c->file_was, key.p, key.len);
    str_fini(&key);
    return was && was->v.u != text_check(text_now);
}

/* In the state "removed <name>" takes a group of the file away, "monitor" only brings the
 * address of one that the file has, and everything else is as in the file. */
static int state_line(struct sentinel_conf *c, int argc, const struct slice *argv, struct err *e)
{
    static const struct slice itself = {"-", 1};
    char name[GROUP_NAME_MAX] = "";
    const struct option *o;
    struct conf_group *g;

    if (argc < 3 || !slice_is(argv[0], "sentinel"))
        return err_set(e, ERR_FORMAT, "a line that does not belong into the state");
    if (argc == 5 && slice_is(argv[1], "file-was"))
        return file_was_line(c, argv + 2, e);
    if ((o = option_find(&sentinel_global_table, argv[1])) != NULL && c->in_file_text &&
        file_changed(c, itself, o->name, c->in_file_text[o - sentinel_global_table.rows]))
        return 0;
    if (slice_is(argv[1], "myid") || slice_is(argv[1], "current-epoch") || o)
        return sentinel_conf_line(c, argc - 1, argv + 1, e);
    (void)slice_copy_z(argv[2], name, sizeof name);
    g = sentinel_conf_find(c, name);
    if (argc == 5 && slice_is(argv[1], "configured")) {
        configured_then(c, g, argv + 3);
        return 0;
    }
    if (argc == 3 && slice_is(argv[1], "removed")) {
        sentinel_conf_remove(c, name);
        return 0;
    }
    if (is_removed(c, name))
        return 0;
    if (slice_is(argv[1], "monitor") && g && g->in_file) {
        int64_t quorum;
        bool mine;
        return state_line_read(&c->saved, argc - 1, argv + 1, &mine, &quorum, e);
    }
    /* a group that only the state knew settings of, and that left the file: its lines are dropped */
    if (!g && !slice_is(argv[1], "monitor"))
        return 0;
    if (g && g->in_file_text && (o = option_find(&group_option_table, argv[1])) != NULL &&
        file_changed(c, argv[2], o->name, g->in_file_text[o - group_option_table.rows]))
        return 0;
    return sentinel_conf_line(c, argc - 1, argv + 1, e);
}

int sentinel_conf_state(struct sentinel_conf *c, struct slice body, struct err *e)
{
    struct conf_words w;
    const char *p = body.p, *end = body.p + body.len;
    int rc = 0;

    conf_words_init(&w);
    for (int at = 2; rc == 0 && p < end; at++) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        size_t n = (size_t)((nl ? nl : end) - p);

        rc = conf_lex(p, n, &w, e);
        if (rc == 0 && w.argc > 0)
            rc = state_line(c, w.argc, w.argv, e);
        if (rc != 0)
            err_wrap(e, "line %d", at);
        p += n + 1;
    }
    conf_words_fini(&w);
    for (size_t i = c->groups.n; rc == 0 && i-- > 0;)
        if (!c->groups.at[i]->monitored)
            sentinel_conf_remove(c, c->groups.at[i]->name);
    return rc;
}

/* ---- out ----------------------------------------------------------------------------- */

struct out_to {
    struct sentinel_conf *c;
    struct conf_lines *lines;
    struct str *body;
};

static int64_t quorum_of(void *arg, const char *name)
{
    struct conf_group *g = sentinel_conf_find(((struct out_to *)arg)->c, name);

    return g ? g->opt.quorum : 1;
}

static void one_line(void *arg, const char *key, const char *text)
{
    struct out_to *o = arg;

    if (o->lines)
        conf_lines_add(o->lines, key, text);
    else
        str_printf(o->body, "%s\n", text);
}

static void global_lines(struct sentinel_conf *c, struct conf_lines *lines)
{
    for (size_t i = 0; i < sentinel_global_table.n; i++) {
        const struct option *o = &sentinel_global_table.rows[i];
        struct str value = {0}, text = {0};
        char key[128];

        snprintf(key, sizeof key, "sentinel %s", o->name);
        option_get(o, c, &value);
        str_printf(&text, "%s ", key);
        conf_put_word(&text, (struct slice){str_c(&value), value.len});
        if (option_is_default(o, c))
            conf_lines_forget(lines, key);
        else
            conf_lines_add(lines, key, str_c(&text));
        str_fini(&value);
        str_fini(&text);
    }
}

static void put_file_was(struct str *body, const char *group, const char *setting, const char *text)
{
    str_append_z(body, "sentinel file-was ");
    conf_put_word(body, slice_z(group));
    str_printf(body, " %s %016llx\n", setting, (unsigned long long)text_check(text));
}

static void changed_globals(struct sentinel_conf *c, struct str *body)
{
    for (size_t k = 0; c->in_file_text && k < sentinel_global_table.n; k++) {
        const struct option *o = &sentinel_global_table.rows[k];
        char *now = row_text(o, c);

        if (!(o->flags & OPT_FIXED) && strcmp(now, c->in_file_text[k]) != 0) {
            put_file_was(body, "-", o->name, c->in_file_text[k]);
            str_printf(body, "sentinel %s ", o->name);
            conf_put_word(body, slice_z(now));
            str_append_c(body, '\n');
        }
        mem_free(now);
    }
}

static const char *const state_keys[] = {"monitor", "config-epoch", "leader-epoch", "known-replica", "known-sentinel",
                                         "voted-leader", "formed"};

static void forget_group(struct conf_lines *out, const char *name)
{
    struct str key = {0};

    for (size_t i = 0; i < group_option_table.n + sizeof state_keys / sizeof state_keys[0]; i++) {
        str_clear(&key);
        str_printf(&key, "sentinel %s %s", i < group_option_table.n ? group_option_table.rows[i].name
                                                                     : state_keys[i - group_option_table.n], name);
        conf_lines_forget(out, str_c(&key));
    }
    str_fini(&key);
}

static void formed_line(struct sentinel_conf *c, const char *name, struct conf_lines *out)
{
    const char *formed = sentinel_conf_formed(c, name);
    struct str key = {0}, text = {0};

    if (!formed)
        return;
    str_printf(&key, "sentinel formed %s", name);
    str_append_z(&text, "sentinel formed ");
    conf_put_word(&text, slice_z(name));
    str_append_c(&text, ' ');
    str_append_quoted(&text, formed, strlen(formed));
    conf_lines_add(out, str_c(&key), str_c(&text));
    str_fini(&key);
    str_fini(&text);
}

void sentinel_conf_to_file(struct sentinel_conf *c, const struct saved *s, struct conf_lines *out)
{
    struct out_to o = {c, out, NULL};
    struct state_writer w = {quorum_of, one_line, &o, false};

    global_lines(c, out);
    for (size_t i = 0; i < c->removed.n; i++)
        if (!sentinel_conf_find(c, c->removed.at[i]))
            forget_group(out, c->removed.at[i]);
    for (size_t i = 0; i < c->groups.n; i++) {
        forget_group(out, c->groups.at[i]->name);
        c->groups.at[i]->in_file = true;
        group_options_lines(&c->groups.at[i]->opt, c->groups.at[i]->name, one_line, &o);
        formed_line(c, c->groups.at[i]->name, out);
    }
    state_lines(s, &w);
}

static void changed_settings(struct conf_group *g, struct str *body)
{
    for (size_t k = 0; g->in_file_text && k < group_option_table.n; k++) {
        const struct option *o = &group_option_table.rows[k];
        char *now = row_text(o, &g->opt);

        if (strcmp(now, g->in_file_text[k]) != 0) {
            put_file_was(body, g->name, o->name, g->in_file_text[k]);
            str_printf(body, "sentinel %s ", o->name);
            conf_put_word(body, slice_z(g->name));
            str_append_c(body, ' ');
            if (o->type == OPT_CUSTOM && *now)
                str_append_z(body, now);
            else
                conf_put_word(body, slice_z(now));
            str_append_c(body, '\n');
        }
        mem_free(now);
    }
}

void sentinel_conf_self_state(struct sentinel_conf *c, const struct saved *s, struct str *body)
{
    struct out_to o = {c, NULL, body};
    struct state_writer w = {quorum_of, one_line, &o, true};

    changed_globals(c, body);
    for (size_t i = 0; i < c->removed.n; i++)
        if (!sentinel_conf_find(c, c->removed.at[i])) {
            str_append_z(body, "sentinel removed ");
            conf_put_word(body, slice_z(c->removed.at[i]));
            str_append_c(body, '\n');
        }
    state_self_lines(s, &w);
}

void sentinel_conf_group_state(struct sentinel_conf *c, const struct saved_group *sg, struct str *body)
{
    struct out_to o = {c, NULL, body};
    struct state_writer w = {quorum_of, one_line, &o, true};
    struct conf_group *g = sentinel_conf_find(c, sg->name);

    state_group_lines(sg, &w);
    if (g && g->in_file) {
        str_append_z(body, "sentinel configured ");
        conf_put_word(body, slice_z(g->name));
        str_printf(body, " %s %u\n", g->configured.host, g->configured.port);
        changed_settings(g, body);
    } else if (g)
        group_options_lines(&g->opt, g->name, one_line, &o);
}

const char *sentinel_conf_key(int argc, const struct slice *argv, char out[512])
{
    size_t n = 0;

    if (argc == 0)
        return NULL;
    if (!slice_is_nocase(argv[0], "sentinel") || argc < 2) {
        (void)slice_copy_z(argv[0], out, 512);
        for (; out[n]; n++)
            out[n] = (char)(out[n] >= 'A' && out[n] <= 'Z' ? out[n] + 32 : out[n]);
        return out;
    }
    const struct option *o = option_find(&group_option_table, argv[1]);
    const char *word = slice_is_nocase(argv[1], "known-slave") ? "known-replica" : o ? o->name : NULL;
    bool global = argc == 3 && (option_find(&sentinel_global_table, argv[1]) || slice_is_nocase(argv[1], "myid") ||
                                slice_is_nocase(argv[1], "current-epoch"));

    n = (size_t)snprintf(out, 512, "sentinel ");
    if (word)
        n += (size_t)snprintf(out + n, 512 - n, "%s", word);
    else
        for (size_t i = 0; i < argv[1].len && n < 100; i++)
            out[n++] = (char)(argv[1].p[i] >= 'A' && argv[1].p[i] <= 'Z' ? argv[1].p[i] + 32 : argv[1].p[i]);
    if (!global && argc > 2)
        n += (size_t)snprintf(out + n, 512 - n, " %.*s", (int)(argv[2].len < 255 ? argv[2].len : 255), argv[2].p);
    out[n < 511 ? n : 511] = '\0';
    return out;
}
