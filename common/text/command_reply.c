/* What COMMAND and its subcommands answer, and HELP of any container, read out of the
 * rows. Shapes are those of Redis 7.0: ten elements per command in COMMAND and COMMAND
 * INFO, a map per command in COMMAND DOCS. */
#include "common/text/command.h"

#include "common/base/glob.h"
#include "common/base/mem.h"
#include "common/text/category.h"
#include "common/text/command_syntax.h"

#include <string.h>

/* ---- flags ---- */

static const struct {
    uint32_t flag;
    const char *name;
} flag_names[] = {
    {CMD_WRITE, "write"},       {CMD_READ, "readonly"},
    {CMD_DENYOOM, "denyoom"},   {CMD_ADMIN, "admin"},
    {CMD_PUBSUB, "pubsub"},     {CMD_NOSCRIPT, "noscript"},
    {CMD_BLOCKING, "blocking"}, {CMD_LOADING, "loading"},
    {CMD_STALE, "stale"},       {CMD_NO_MONITOR, "skip_monitor"},
    {CMD_FAST, "fast"},         {CMD_NO_AUTH, "no_auth"},
    {CMD_MOVABLE, "movablekeys"}, {CMD_NO_ASYNC_LOADING, "no_async_loading"},
    {CMD_NO_MULTI, "no_multi"},
};
#define NFLAGS (sizeof flag_names / sizeof flag_names[0])

static bool has_keys(const struct command *cmd)
{
    return cmd->first_key > 0 || cmd->get_keys;
}

/* ---- COMMAND INFO ---- */

static void put_flags(struct reply *r, const struct command *cmd)
{
    struct reply_hole h = reply_hole(r);
    size_t n = 0;

    for (size_t i = 0; i < NFLAGS; i++) {
        if (!(cmd->flags & flag_names[i].flag) && !(flag_names[i].flag == CMD_MOVABLE && cmd->get_keys))
            continue;
        reply_simple(r, flag_names[i].name);
        n++;
    }
    reply_fill_set(r, h, n);
}

static void put_categories(struct reply *r, const struct command *cmd)
{
    struct reply_hole h = reply_hole(r);
    size_t n = 0;

    for (size_t i = 0; i < category_count(); i++) {
        char text[32] = "@";

        if (!category_has(i, cmd))
            continue;
        reply_simple(r, strcat(text, category_name(i)));
        n++;
    }
    reply_fill_set(r, h, n);
}

static void put_key_flags(struct reply *r, const struct command *cmd)
{
    reply_set(r, 2);
    reply_simple(r, cmd->flags & CMD_WRITE ? "RW" : "RO");
    reply_simple(r, cmd->flags & CMD_WRITE ? "update" : "access");
}

static void put_key_specs(struct reply *r, const struct command *cmd)
{
    if (cmd->first_key <= 0) {
        reply_set(r, 0);
        return;
    }
    reply_set(r, 1);
    reply_map(r, 3);
    reply_bulk_z(r, "flags");
    put_key_flags(r, cmd);
    reply_bulk_z(r, "begin_search");
    reply_map(r, 2);
    reply_bulk_z(r, "type");
    reply_bulk_z(r, "index");
    reply_bulk_z(r, "spec");
    reply_map(r, 1);
    reply_bulk_z(r, "index");
    reply_int(r, cmd->first_key);
    reply_bulk_z(r, "find_keys");
    reply_map(r, 2);
    reply_bulk_z(r, "type");
    reply_bulk_z(r, "range");
    reply_bulk_z(r, "spec");
    reply_map(r, 3);
    reply_bulk_z(r, "lastkey");                /* counted from the first key, or from the end */
    reply_int(r, cmd->last_key > 0 ? cmd->last_key - cmd->first_key : cmd->last_key);
    reply_bulk_z(r, "keystep");
    reply_int(r, cmd->key_step);
    reply_bulk_z(r, "limit");
    reply_int(r, 0);
}

static void put_info(struct reply *r, const struct command_table *t, const struct command *cmd)
{
    char name[64];

    reply_array(r, 10);
    reply_bulk_z(r, command_full_name(cmd, t, name));
    reply_int(r, cmd->arity);
    put_flags(r, cmd);
    reply_int(r, cmd->first_key);
    reply_int(r, cmd->last_key);
    reply_int(r, cmd->key_step);
    put_categories(r, cmd);
    reply_array(r, 0);                         /* tips */
    put_key_specs(r, cmd);
    reply_array(r, cmd->nsubs);
    for (size_t i = 0; i < cmd->nsubs; i++)
        put_info(r, t, &cmd->subs[i]);
}

/* ---- walking the table ---- */

struct walk {
    struct reply *r;
    const struct command_table *t;
    size_t n;
    bool (*wanted)(const struct command *cmd, const char *name, struct slice by);
    struct slice by;
};

static void each_top(const struct command_table *t, void (*each)(struct walk *w, const struct command *cmd),
                     struct walk *w)
{
    struct dict_iter it;

    dict_iter_init(&it, (struct dict *)(uintptr_t)&t->by_name);
    for (struct dict_entry *e; (e = dict_iter_next(&it));)
        if (!(((const struct command *)e->v.p)->flags & CMD_HIDDEN))
            each(w, e->v.p);
    dict_iter_fini(&it);
}

static void walk_count(struct walk *w, const struct command *cmd)
{
    (void)cmd;
    w->n++;
}

static size_t count_listed(const struct command_table *t)
{
    struct walk w = {.t = t};

    each_top(t, walk_count, &w);
    return w.n;
}

static void walk_info(struct walk *w, const struct command *cmd)
{
    put_info(w->r, w->t, cmd);
}

static void answer_all(struct reply *r, const struct command_table *t)
{
    struct walk w = {r, t};

    reply_array(r, count_listed(t));
    each_top(t, walk_info, &w);
}

static void answer_info(struct reply *r, const struct command_table *t, int argc, const struct slice *argv)
{
    if (argc == 0) {
        answer_all(r, t);
        return;
    }
    reply_array(r, (size_t)argc);
    for (int i = 0; i < argc; i++) {
        const struct command *cmd = command_find_name(t, argv[i]);

        if (cmd)
            put_info(r, t, cmd);
        else
            reply_null_array(r);
    }
}

/* ---- COMMAND DOCS ---- */

static void put_docs(struct reply *r, const struct command_table *t, const struct command *cmd)
{
    bool has_args = cmd->syntax && cmd->syntax[0] && cmd->nsubs == 0;
    char name[64];

    reply_bulk_z(r, command_full_name(cmd, t, name));
    reply_map(r, 2 + (cmd->since != NULL) + has_args + (cmd->nsubs > 0));
    reply_bulk_z(r, "summary");
    reply_bulk_z(r, cmd->summary ? cmd->summary : "");
    if (cmd->since) {
        reply_bulk_z(r, "since");
        reply_bulk_z(r, cmd->since);
    }
    reply_bulk_z(r, "group");
    reply_bulk_z(r, cmd->group ? cmd->group : "server");
    if (has_args) {
        reply_bulk_z(r, "arguments");
        command_syntax_reply(r, cmd->syntax);
    }
    if (cmd->nsubs > 0) {
        reply_bulk_z(r, "subcommands");
        reply_map(r, cmd->nsubs);
        for (size_t i = 0; i < cmd->nsubs; i++)
            put_docs(r, t, &cmd->subs[i]);
    }
}

static void walk_docs(struct walk *w, const struct command *cmd)
{
    put_docs(w->r, w->t, cmd);
}

static void answer_docs(struct reply *r, const struct command_table *t, int argc, const struct slice *argv)
{
    struct walk w = {r, t};
    struct reply_hole h;
    size_t n = 0;

    if (argc == 0) {
        reply_map(r, count_listed(t));
        each_top(t, walk_docs, &w);
        return;
    }
    h = reply_hole(r);
    for (int i = 0; i < argc; i++) {
        const struct command *cmd = command_find_name(t, argv[i]);

        if (!cmd)
            continue;
        put_docs(r, t, cmd);
        n++;
    }
    reply_fill_map(r, h, n);
}

/* ---- COMMAND LIST ---- */

static bool by_pattern(const struct command *cmd, const char *name, struct slice by)
{
    (void)cmd;
    return glob_match(by.p, by.len, name, strlen(name), true);
}

static bool by_category(const struct command *cmd, const char *name, struct slice by)
{
    (void)name;
    size_t i;

    return category_find(by, &i) && category_has(i, cmd);
}

static bool by_module(const struct command *cmd, const char *name, struct slice by)
{
    (void)cmd, (void)name, (void)by;
    return false;                              /* there are no modules */
}

static void walk_list(struct walk *w, const struct command *cmd)
{
    char name[64];

    if (cmd->flags & CMD_HIDDEN)
        return;
    command_full_name(cmd, w->t, name);
    if (!w->wanted || w->wanted(cmd, name, w->by)) {
        reply_bulk_z(w->r, name);
        w->n++;
    }
    for (size_t i = 0; i < cmd->nsubs; i++)
        walk_list(w, &cmd->subs[i]);
}

static void answer_list(struct reply *r, const struct command_table *t, int argc, const struct slice *argv)
{
    struct walk w = {r, t};
    struct reply_hole h;

    if (argc == 3 && slice_is_nocase(argv[0], "filterby")) {
        w.by = argv[2];
        w.wanted = slice_is_nocase(argv[1], "pattern")  ? by_pattern
                   : slice_is_nocase(argv[1], "aclcat") ? by_category
                   : slice_is_nocase(argv[1], "module") ? by_module
                                                        : NULL;
    }
    if (argc != 0 && !w.wanted) {
        reply_error(r, "ERR syntax error");
        return;
    }
    h = reply_hole(r);
    each_top(t, walk_list, &w);
    reply_fill_set(r, h, w.n);
}

/* ---- COMMAND GETKEYS ---- */

static void answer_keys(struct reply *r, const struct command_table *t, int argc, const struct slice *argv, bool flags)
{
    const struct command *cmd = command_find(t, argc, argv);
    int *at, n;

    if (!cmd) {
        reply_error(r, "ERR Invalid command specified");
        return;
    }
    if (!has_keys(cmd)) {
        reply_error(r, "ERR The command has no key arguments");
        return;
    }
    if (!command_arity_ok(cmd, argc)) {
        reply_error(r, "ERR Invalid number of arguments specified for command");
        return;
    }
    at = mem_alloc((size_t)argc * sizeof *at);
    n = command_keys(cmd, argc, argv, at, argc);
    if (n < 0)
        reply_error(r, "ERR Invalid arguments specified for command");
    else
        reply_array(r, (size_t)n);
    for (int i = 0; i < n; i++) {
        if (flags)
            reply_array(r, 2);
        reply_bulk_slice(r, argv[at[i]]);
        if (flags)
            put_key_flags(r, cmd);
    }
    mem_free(at);
}

static void answer_getkeys(struct reply *r, const struct command_table *t, int argc, const struct slice *argv)
{
    answer_keys(r, t, argc, argv, false);
}

static void answer_getkeysandflags(struct reply *r, const struct command_table *t, int argc, const struct slice *argv)
{
    answer_keys(r, t, argc, argv, true);
}

/* ---- the doors ---- */

static const struct command subcommands[] = {
    {"count", 2, CMD_LOADING | CMD_STALE, NULL, 0, 0, 0, "server", "", "How many commands there are.", "2.8.13"},
    {"docs", -2, CMD_LOADING | CMD_STALE, NULL, 0, 0, 0, "server", "[command-name [command-name ...]]",
     "What commands do and which arguments they take.", "7.0.0"},
    {"getkeys", -4, CMD_LOADING | CMD_STALE, NULL, 0, 0, 0, "server", "command [arg [arg ...]]",
     "Which arguments of a whole command are keys.", "2.8.13"},
    {"getkeysandflags", -4, CMD_LOADING | CMD_STALE, NULL, 0, 0, 0, "server", "command [arg [arg ...]]",
     "Which arguments of a whole command are keys, and what is done with each.", "7.0.0"},
    {"help", 2, CMD_LOADING | CMD_STALE, NULL, 0, 0, 0, "server", "", "List the subcommands.", "5.0.0"},
    {"info", -2, CMD_LOADING | CMD_STALE, NULL, 0, 0, 0, "server", "[command-name [command-name ...]]",
     "Arity, flags and key positions of commands.", "2.8.13"},
    {"list", -2, CMD_LOADING | CMD_STALE, NULL, 0, 0, 0, "server",
     "[FILTERBY MODULE module-name|ACLCAT category|PATTERN pattern]", "The names of all commands.", "7.0.0"},
};
#define NSUBCOMMANDS (sizeof subcommands / sizeof subcommands[0])

static const struct command command_itself = {
    "command", -1, CMD_LOADING | CMD_STALE | CMD_CONTAINER, NULL, 0, 0, 0, "server", "", "All commands with their details.",
    "2.8.13", subcommands, NSUBCOMMANDS,
    .categories = "@connection",
};

static void answer_count(struct reply *r, const struct command_table *t, int argc, const struct slice *argv)
{
    (void)argc, (void)argv;
    reply_int(r, (int64_t)count_listed(t));
}

static void answer_help(struct reply *r, const struct command_table *t, int argc, const struct slice *argv)
{
    (void)t, (void)argc, (void)argv;
    command_reply_help(r, &command_itself);
}

/* In the order of subcommands; the arguments are those behind the subcommand. */
static void (*const answers[])(struct reply *r, const struct command_table *t, int argc, const struct slice *argv) = {
    answer_count, answer_docs, answer_getkeys, answer_getkeysandflags, answer_help, answer_info, answer_list,
};

void command_reply(struct reply *r, const struct command_table *t, int argc, const struct slice *argv)
{
    if (argc < 2) {
        answer_all(r, t);
        return;
    }
    for (size_t i = 0; i < NSUBCOMMANDS; i++) {
        const struct command *sub = &subcommands[i];

        if (!slice_is_nocase(argv[1], sub->name))
            continue;
        if (command_arity_ok(sub, argc))
            answers[i](r, t, argc - 2, argv + 2);
        else
            reply_errorf(r, "ERR wrong number of arguments for 'command|%s' command", sub->name);
        return;
    }
    reply_errorf(r, "ERR unknown subcommand '%.*s'. Try COMMAND HELP.", (int)(argv[1].len < 128 ? argv[1].len : 128),
                 argv[1].p);
}

static void put_help_line(struct reply *r, const struct command *cmd)
{
    struct str s = {0};

    for (const char *c = cmd->name; *c; c++)
        str_append_c(&s, *c >= 'a' && *c <= 'z' ? (char)(*c - 32) : *c);
    if (cmd->syntax && cmd->syntax[0])
        str_printf(&s, " %s", cmd->syntax);
    reply_simple(r, str_c(&s));
    str_clear(&s);
    str_printf(&s, "    %s", cmd->summary ? cmd->summary : "");
    reply_simple(r, str_c(&s));
    str_fini(&s);
}

void command_reply_help(struct reply *r, const struct command *container)
{
    struct reply_hole h = reply_hole(r);
    struct str s = {0};
    size_t n = 1;

    for (const char *c = container->name; *c; c++)
        str_append_c(&s, *c >= 'a' && *c <= 'z' ? (char)(*c - 32) : *c);
    str_append_z(&s, " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    reply_simple(r, str_c(&s));
    str_fini(&s);
    for (size_t i = 0; i < container->nsubs; i++) {
        if (strcmp(container->subs[i].name, "help") == 0)
            continue;
        put_help_line(r, &container->subs[i]);
        n += 2;
    }
    reply_simple(r, "HELP");
    reply_simple(r, "    Print this help.");
    reply_fill_array(r, h, n + 2);
}
