/* The command table: rows by name, what is wrong with a request that has none, and where
 * its keys are. What COMMAND answers is in command_reply.c. */
#include "common/text/command.h"

#include "common/base/vec.h"

#include <stdlib.h>
#include <string.h>

#define NAME_CAP   64          /* no name is longer */
#define QUOTED_MAX 128         /* of what a stranger sent, in an error text */

/* Lower case into out; 0 when it is longer than any name. */
static size_t lower(struct slice name, char out[NAME_CAP])
{
    if (name.len >= NAME_CAP)
        return 0;
    for (size_t i = 0; i < name.len; i++)
        out[i] = name.p[i] >= 'A' && name.p[i] <= 'Z' ? (char)(name.p[i] + 32) : name.p[i];
    out[name.len] = '\0';
    return name.len;
}

void command_table_init(struct command_table *t)
{
    dict_init(&t->by_name);
    dict_init(&t->parents);
}

void command_table_fini(struct command_table *t)
{
    dict_fini(&t->by_name, NULL);
    dict_fini(&t->parents, NULL);
}

void command_table_add(struct command_table *t, const struct command *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct command *cmd = &rows[i];

        dict_put(&t->by_name, cmd->name, strlen(cmd->name), NULL)->v.p = (void *)(uintptr_t)cmd;
        for (size_t k = 0; k < cmd->nsubs; k++) {
            const struct command *sub = &cmd->subs[k];

            dict_put(&t->parents, &sub, sizeof sub, NULL)->v.p = (void *)(uintptr_t)cmd;
        }
    }
}

bool command_table_remove(struct command_table *t, const char *name)
{
    char low[NAME_CAP];
    size_t n = lower(slice_z(name), low);

    return n > 0 && dict_del(&t->by_name, low, n, NULL);
}

bool command_table_rename(struct command_table *t, const char *old_name, const char *new_name)
{
    char from[NAME_CAP], to[NAME_CAP];
    size_t nfrom = lower(slice_z(old_name), from), nto = lower(slice_z(new_name), to);
    void *row;

    if (nfrom == 0 || nto == 0 || dict_find(&t->by_name, to, nto) || !dict_del(&t->by_name, from, nfrom, &row))
        return false;
    dict_put(&t->by_name, to, nto, NULL)->v.p = row;
    return true;
}

static const struct command *top_level(const struct command_table *t, struct slice name)
{
    char low[NAME_CAP];
    size_t n = lower(name, low);

    return n > 0 ? dict_get(&t->by_name, low, n) : NULL;
}

static const struct command *subcommand(const struct command *cmd, struct slice name)
{
    for (size_t i = 0; i < cmd->nsubs; i++)
        if (slice_is_nocase(name, cmd->subs[i].name))
            return &cmd->subs[i];
    return NULL;
}

const struct command *command_find(const struct command_table *t, int argc, const struct slice *argv)
{
    const struct command *cmd = argc > 0 ? top_level(t, argv[0]) : NULL, *sub;

    if (!cmd || cmd->nsubs == 0 || argc < 2)
        return cmd;
    sub = subcommand(cmd, argv[1]);
    return sub || (cmd->flags & CMD_CONTAINER) ? sub : cmd;
}

const struct command *command_find_name(const struct command_table *t, struct slice name)
{
    const char *bar = name.len ? memchr(name.p, '|', name.len) : NULL;
    const struct command *cmd;

    if (!bar)
        return top_level(t, name);
    cmd = top_level(t, (struct slice){name.p, (size_t)(bar - name.p)});
    return cmd ? subcommand(cmd, (struct slice){bar + 1, name.len - (size_t)(bar - name.p) - 1}) : NULL;
}

bool command_arity_ok(const struct command *cmd, int argc)
{
    return cmd->arity >= 0 ? argc == cmd->arity : argc >= -cmd->arity;
}

const char *command_full_name(const struct command *cmd, const struct command_table *t, char out[64])
{
    const struct command *parent = dict_get(&t->parents, &cmd, sizeof cmd);
    struct str s = {0};

    if (parent)
        str_printf(&s, "%s|%s", parent->name, cmd->name);
    else
        str_append_z(&s, cmd->name);
    slice_copy_z((struct slice){s.p, s.len}, out, 64);
    str_fini(&s);
    return out;
}

/* ---- what was wrong ---- */

/* At most max bytes of s, up to its first '\0': this goes into a line of text. */
static void put_some(struct str *out, struct slice s, size_t max)
{
    str_append(out, s.p, s.len ? strnlen(s.p, s.len < max ? s.len : max) : 0);
}

void command_unknown_text(int argc, const struct slice *argv, const struct command_table *t, struct str *out)
{
    const struct command *container = argc > 1 ? top_level(t, argv[0]) : NULL;
    size_t shown = 0;

    if (container && container->nsubs > 0) {
        str_append_z(out, "ERR unknown subcommand '");
        put_some(out, argv[1], QUOTED_MAX);
        str_append_z(out, "'. Try ");
        for (const char *c = container->name; *c; c++)
            str_append_c(out, *c >= 'a' && *c <= 'z' ? (char)(*c - 32) : *c);
        str_append_z(out, " HELP.");
        return;
    }
    str_append_z(out, "ERR unknown command '");
    put_some(out, argc > 0 ? argv[0] : (struct slice){"", 0}, QUOTED_MAX);
    str_append_z(out, "', with args beginning with: ");
    for (int i = 1; i < argc && shown < QUOTED_MAX; i++) {
        size_t before = out->len;

        str_append_c(out, '\'');
        put_some(out, argv[i], QUOTED_MAX - shown);
        str_append_z(out, "' ");
        shown += out->len - before;
    }
}

void command_arity_text(const struct command *cmd, const struct command_table *t, struct str *out)
{
    char name[64];

    str_printf(out, "ERR wrong number of arguments for '%s' command", command_full_name(cmd, t, name));
}

/* ---- keys ---- */

int command_keys(const struct command *cmd, int argc, const struct slice *argv, int *out, int cap)
{
    int last, n = 0;

    if (cmd->get_keys) {
        n = cmd->get_keys(argc, argv, out, cap);
        return n <= cap ? n : -1;
    }
    if (cmd->first_key <= 0)
        return 0;
    last = cmd->last_key < 0 ? argc + cmd->last_key : cmd->last_key;
    if (last >= argc || cmd->key_step <= 0)
        return -1;
    for (int i = cmd->first_key; i <= last; i += cmd->key_step) {
        if (n == cap)
            return -1;
        out[n++] = i;
    }
    return n;
}

unsigned command_key_access(const struct command *cmd, int argc, const struct slice *argv, int i)
{
    const char *words = cmd->access_of ? cmd->access_of(argc, argv) : cmd->access;
    unsigned what = 0;

    if (!words)
        return cmd->flags & CMD_WRITE ? KEY_READ | KEY_WRITE : cmd->flags & CMD_READ ? KEY_READ : 0;
    for (const char *next; i > 0 && (next = strchr(words, ' ')) != NULL; i--)
        words = next + 1;
    for (; *words && *words != ' '; words++)
        what |= *words == 'R' ? KEY_READ : *words == 'W' ? KEY_WRITE : 0u;
    return what;
}

/* ---- reference page ---- */

static int by_group_and_name(const void *a, const void *b)
{
    const struct command *x = *(const struct command *const *)a, *y = *(const struct command *const *)b;
    int c = strcmp(x->group ? x->group : "", y->group ? y->group : "");

    return c ? c : strcmp(x->name, y->name);
}

static void put_upper(struct str *out, const char *z)
{
    for (; *z; z++)
        str_append_c(out, *z >= 'a' && *z <= 'z' ? (char)(*z - 32) : *z);
}

static void markdown_row(const struct command *parent, const struct command *cmd, struct str *out)
{
    str_append_z(out, "| `");
    if (parent) {
        put_upper(out, parent->name);
        str_append_c(out, ' ');
    }
    put_upper(out, cmd->name);
    for (const char *c = cmd->syntax ? cmd->syntax : ""; *c; c++) {
        if (c == cmd->syntax)
            str_append_c(out, ' ');
        if (*c == '|')
            str_append_c(out, '\\');
        str_append_c(out, *c);
    }
    str_printf(out, "` | %s |\n", cmd->summary ? cmd->summary : "");
}

void command_markdown(const struct command_table *t, struct str *out)
{
    VEC(const struct command *) rows = {0};
    const char *group = NULL;
    struct dict_iter it;

    dict_iter_init(&it, (struct dict *)(uintptr_t)&t->by_name);
    for (struct dict_entry *e; (e = dict_iter_next(&it));)
        vec_push(&rows, (const struct command *)e->v.p);
    dict_iter_fini(&it);
    if (rows.n)
        qsort(rows.at, rows.n, sizeof *rows.at, by_group_and_name);
    for (size_t i = 0; i < rows.n; i++) {
        const struct command *cmd = rows.at[i];
        const char *its = cmd->group ? cmd->group : "other";

        if (!group || strcmp(group, its) != 0)
            str_printf(out, "%s### %s\n\n| command | what it does |\n|---|---|\n", group ? "\n" : "", its);
        group = its;
        if (cmd->nsubs == 0 || cmd->run)
            markdown_row(NULL, cmd, out);
        for (size_t k = 0; k < cmd->nsubs; k++)
            markdown_row(cmd, &cmd->subs[k], out);
    }
    vec_fini(&rows);
}
