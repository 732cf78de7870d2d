/* The permissions of one selector: rules in, rules out. Commands are bits; what is shown
 * is found again from the bits: first the categories that fit best, then single commands. */
#include "common/base/mem.h"
#include "common/text/acl_inside.h"
#include "common/text/category.h"

#include <string.h>

#define FUTURE (ACL_COMMANDS - 1)

static const char text_unknown[] = "Unknown command or category name in ACL", text_syntax[] = "Syntax error";

/* ---- memory ---------------------------------------------------------------------------- */

struct acl_selector *acl_selector_new(const struct acl *a)
{
    struct acl_selector *s = mem_zalloc(sizeof *s);

    s->all_channels = a->channels_default;
    return s;
}

static void drop_patterns(struct acl_pattern *at, size_t n)
{
    for (size_t i = 0; i < n; i++)
        mem_free(at[i].text);
}

static void clear_keys(struct acl_selector *s)
{
    drop_patterns(s->keys.at, s->keys.n);
    vec_clear(&s->keys);
}

static void clear_channels(struct acl_selector *s)
{
    drop_patterns(s->channels.at, s->channels.n);
    vec_clear(&s->channels);
}

/* id -1: of all commands. */
static void clear_first_args(struct acl_selector *s, int id)
{
    for (size_t i = s->first_args.n; i-- > 0;)
        if (id < 0 || s->first_args.at[i].id == id) {
            mem_free(s->first_args.at[i].text);
            vec_remove(&s->first_args, i);
        }
}

void acl_selector_free(struct acl_selector *s)
{
    if (!s)
        return;
    clear_keys(s);
    clear_channels(s);
    clear_first_args(s, -1);
    vec_fini(&s->keys);
    vec_fini(&s->channels);
    vec_fini(&s->first_args);
    mem_free(s);
}

struct acl_selector *acl_selector_copy(const struct acl_selector *from)
{
    struct acl_selector *s = mem_zalloc(sizeof *s);

    memcpy(s->commands, from->commands, sizeof s->commands);
    s->all_commands = from->all_commands;
    s->all_keys = from->all_keys;
    s->all_channels = from->all_channels;
    for (size_t i = 0; i < from->keys.n; i++) {
        struct acl_pattern p = from->keys.at[i];

        p.text = mem_strndup(p.text, p.len);
        vec_push(&s->keys, p);
    }
    for (size_t i = 0; i < from->channels.n; i++) {
        struct acl_pattern p = from->channels.at[i];

        p.text = mem_strndup(p.text, p.len);
        vec_push(&s->channels, p);
    }
    for (size_t i = 0; i < from->first_args.n; i++) {
        struct acl_first_arg f = {from->first_args.at[i].id, mem_strdup(from->first_args.at[i].text)};

        vec_push(&s->first_args, f);
    }
    return s;
}

/* ---- commands in ------------------------------------------------------------------------ */

static void set_bit(struct acl_selector *s, int id, bool on)
{
    uint64_t bit = 1ull << (id % 64);

    if (on)
        s->commands[id / 64] |= bit;
    else
        s->commands[id / 64] &= ~bit;
}

/* A command, with all its subcommands. */
static void set_command(const struct acl *a, struct acl_selector *s, int id, bool on)
{
    const struct command *cmd = a->rows.at[id].cmd;

    if (!on)
        s->all_commands = false;
    set_bit(s, id, on);
    clear_first_args(s, id);
    for (size_t i = 0; i < cmd->nsubs; i++)
        set_command(a, s, acl_id(a, &cmd->subs[i]), on);
}

static void set_all(struct acl_selector *s, bool on)
{
    memset(s->commands, on ? 0xff : 0, sizeof s->commands);
    s->all_commands = on;
    clear_first_args(s, -1);
}

static void set_category(const struct acl *a, struct acl_selector *s, size_t category, bool on)
{
    for (size_t id = 0; id < a->rows.n; id++)
        if (category_has(category, a->rows.at[id].cmd))
            set_command(a, s, (int)id, on);
}

static int find_command(const struct acl *a, struct slice name)
{
    struct dict_entry *e;
    char low[128];

    if (name.len == 0 || name.len >= sizeof low)
        return -1;
    for (size_t i = 0; i < name.len; i++)
        low[i] = name.p[i] >= 'A' && name.p[i] <= 'Z' ? (char)(name.p[i] + 32) : name.p[i];
    e = dict_find(&a->by_name, low, name.len);
    return e ? (int)e->v.i - 1 : -1;
}

static int add_first_arg(struct acl_selector *s, int id, struct slice arg, struct err *e)
{
    struct acl_first_arg f;

    for (size_t i = 0; i < s->first_args.n; i++)
        if (s->first_args.at[i].id == id && slice_is_nocase(arg, s->first_args.at[i].text))
            return 0;
    if (s->first_args.n >= ACL_PATTERNS_MAX)
        return err_set(e, ERR_LIMIT, "more than %d first arguments", ACL_PATTERNS_MAX);
    f.id = id;
    f.text = mem_strndup(arg.p, arg.len);
    vec_push(&s->first_args, f);
    return 0;
}

/* "+select|0" and "+config|get": a bar is a subcommand where there are some, else a first argument. */
static int plus_with_bar(const struct acl *a, struct acl_selector *s, struct slice name, size_t bar, struct err *e)
{
    struct slice sub = {name.p + bar + 1, name.len - bar - 1};
    int id = find_command(a, (struct slice){name.p, bar});

    if (id < 0)
        return err_set(e, ERR_UNKNOWN, text_unknown);
    if (a->rows.at[id].parent)
        return err_set(e, ERR_FORMAT, "Allowing first-arg of a subcommand is not supported");
    if (sub.len == 0 || memchr(sub.p, '\0', sub.len))
        return err_set(e, ERR_FORMAT, text_syntax);
    if (a->rows.at[id].cmd->nsubs == 0)
        return add_first_arg(s, id, sub, e);
    id = find_command(a, name);
    if (id < 0)
        return err_set(e, ERR_UNKNOWN, text_unknown);
    set_command(a, s, id, true);
    return 0;
}

static int command_rule(const struct acl *a, struct acl_selector *s, bool on, struct slice name, struct err *e)
{
    const char *bar = on && name.len ? memrchr(name.p, '|', name.len) : NULL;
    size_t category;
    int id;

    if (name.len > 0 && name.p[0] == '@') {
        name = (struct slice){name.p + 1, name.len - 1};
        if (slice_is_nocase(name, "all"))
            set_all(s, on);
        else if (category_find(name, &category))
            set_category(a, s, category, on);
        else
            return err_set(e, ERR_UNKNOWN, text_unknown);
        return 0;
    }
    if (bar)
        return plus_with_bar(a, s, name, (size_t)(bar - name.p), e);
    id = find_command(a, name);
    if (id < 0)
        return err_set(e, ERR_UNKNOWN, text_unknown);
    set_command(a, s, id, on);
    return 0;
}

/* ---- keys and channels in ---------------------------------------------------------------- */

static bool has_blanks(struct slice t)
{
    for (size_t i = 0; i < t.len; i++)
        if (t.p[i] == ' ' || (t.p[i] >= '\t' && t.p[i] <= '\r') || t.p[i] == '\0')
            return true;
    return false;
}

static struct acl_pattern *find_pattern(struct acl_pattern *at, size_t n, struct slice text)
{
    for (size_t i = 0; i < n; i++)
        if (at[i].len == text.len && memcmp(at[i].text, text.p, text.len) == 0)
            return &at[i];
    return NULL;
}

/* What stands between '%' and '~'; 0: nonsense. *at: where the pattern begins. */
static unsigned read_access(struct slice rule, size_t *at)
{
    unsigned access = 0;

    for (*at = 1; *at < rule.len; ++*at) {
        char c = rule.p[*at];
        unsigned bit = c == 'R' || c == 'r' ? KEY_READ : c == 'W' || c == 'w' ? KEY_WRITE : 0;

        if (c == '~') {
            ++*at;
            break;
        }
        if (!bit || (access & bit))
            return 0;
        access |= bit;
    }
    return access;
}

static int key_rule(struct acl_selector *s, struct slice rule, struct err *e)
{
    unsigned access = KEY_READ | KEY_WRITE;
    size_t at = 1;
    struct acl_pattern *known, p;

    if (s->all_keys)
        return err_set(e, ERR_REFUSED, "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does "
                       "not have any effect. Try 'resetkeys' to start with an empty list of patterns");
    if (rule.p[0] == '%')
        access = read_access(rule, &at);
    rule = (struct slice){rule.p + at, rule.len - at};
    if (!access || has_blanks(rule))
        return err_set(e, ERR_FORMAT, text_syntax);
    known = find_pattern(s->keys.at, s->keys.n, rule);
    if (known) {
        known->access |= access;
        return 0;
    }
    if (s->keys.n >= ACL_PATTERNS_MAX)
        return err_set(e, ERR_LIMIT, "more than %d patterns", ACL_PATTERNS_MAX);
    p = (struct acl_pattern){mem_strndup(rule.p, rule.len), rule.len, access};
    vec_push(&s->keys, p);
    return 0;
}

static int channel_rule(struct acl_selector *s, struct slice rule, struct err *e)
{
    struct acl_pattern p;

    if (s->all_channels)
        return err_set(e, ERR_REFUSED, "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does "
                       "not have any effect. Try 'resetchannels' to start with an empty list of channels");
    rule = (struct slice){rule.p + 1, rule.len - 1};
    if (has_blanks(rule))
        return err_set(e, ERR_FORMAT, text_syntax);
    if (find_pattern(s->channels.at, s->channels.n, rule))
        return 0;
    if (s->channels.n >= ACL_PATTERNS_MAX)
        return err_set(e, ERR_LIMIT, "more than %d channels", ACL_PATTERNS_MAX);
    p = (struct acl_pattern){mem_strndup(rule.p, rule.len), rule.len, 0};
    vec_push(&s->channels, p);
    return 0;
}

int acl_selector_rule(const struct acl *a, struct acl_selector *s, struct slice rule, struct err *e)
{
    if (slice_is_nocase(rule, "allkeys") || slice_is(rule, "~*")) {
        s->all_keys = true;
        clear_keys(s);
    } else if (slice_is_nocase(rule, "resetkeys")) {
        s->all_keys = false;
        clear_keys(s);
    } else if (slice_is_nocase(rule, "allchannels") || slice_is(rule, "&*")) {
        s->all_channels = true;
        clear_channels(s);
    } else if (slice_is_nocase(rule, "resetchannels")) {
        s->all_channels = false;
        clear_channels(s);
    } else if (slice_is_nocase(rule, "allcommands")) {
        set_all(s, true);
    } else if (slice_is_nocase(rule, "nocommands")) {
        set_all(s, false);
    } else if (rule.len > 0 && (rule.p[0] == '~' || rule.p[0] == '%')) {
        return key_rule(s, rule, e);
    } else if (rule.len > 0 && rule.p[0] == '&') {
        return channel_rule(s, rule, e);
    } else if (rule.len > 0 && (rule.p[0] == '+' || rule.p[0] == '-')) {
        return command_rule(a, s, rule.p[0] == '+', (struct slice){rule.p + 1, rule.len - 1}, e);
    } else {
        return err_set(e, ERR_FORMAT, text_syntax);
    }
    return 0;
}

/* ---- out ---------------------------------------------------------------------------------- */

void acl_put_keys(const struct acl_selector *s, struct str *out)
{
    if (s->all_keys)
        str_append_z(out, "~*");
    for (size_t i = 0; i < s->keys.n; i++) {
        const struct acl_pattern *p = &s->keys.at[i];

        bool star = p->len == 1 && p->text[0] == '*';      /* "~*" would be read back as allkeys */

        str_append_z(out, i ? " " : "");
        str_append_z(out, p->access == KEY_READ ? "%R~" : p->access == KEY_WRITE ? "%W~" : star ? "%RW~" : "~");
        str_append(out, p->text, p->len);
    }
}

void acl_put_channels(const struct acl_selector *s, struct str *out)
{
    if (s->all_channels)
        str_append_z(out, "&*");
    for (size_t i = 0; i < s->channels.n; i++) {
        str_append_z(out, i ? " &" : "&");
        str_append(out, s->channels.at[i].text, s->channels.at[i].len);
    }
}

/* The category that says most of what is left to say: more of its commands are wanted than not, with the
 * fewest that are not. left: what the user may do, less what was said already. */
static int best_category(const struct acl *a, const struct acl_selector *left, bool add, const bool *said)
{
    size_t least_wrong = SIZE_MAX, most_right = 0;
    int best = -1;

    for (size_t c = 0; c < category_count(); c++) {
        size_t right = 0, wrong = 0;

        if (said[c])
            continue;
        for (size_t id = 0; id < a->rows.n; id++)
            if (category_has(c, a->rows.at[id].cmd))
                *(acl_bit(left, (int)id) == add ? &right : &wrong) += 1;
        if (right > wrong && (wrong < least_wrong || (wrong == least_wrong && right > most_right))) {
            best = (int)c;
            least_wrong = wrong;
            most_right = right;
        }
    }
    return best;
}

static void put_single_commands(const struct acl *a, const struct acl_selector *s, struct acl_selector *so_far, struct str *out)
{
    for (size_t id = 0; id < a->rows.n; id++) {
        bool may = acl_bit(s, (int)id);

        if (may != acl_bit(so_far, (int)id)) {
            str_printf(out, " %c%s", may ? '+' : '-', a->rows.at[id].name);
            set_command(a, so_far, (int)id, may);
        }
        for (size_t i = 0; !may && i < s->first_args.n; i++)
            if (s->first_args.at[i].id == (int)id)
                str_printf(out, " +%s|%s", a->rows.at[id].name, s->first_args.at[i].text);
    }
}

void acl_put_commands(const struct acl *a, const struct acl_selector *s, struct str *out)
{
    bool add = !acl_bit(s, FUTURE), said[64] = {false};
    struct acl_selector *left = acl_selector_copy(s), *so_far = acl_selector_new(a);
    int c;

    set_all(so_far, !add);
    str_append_z(out, add ? "-@all" : "+@all");
    while ((c = best_category(a, left, add, said)) >= 0) {
        str_printf(out, " %c@%s", add ? '+' : '-', category_name((size_t)c));
        set_category(a, so_far, (size_t)c, add);
        set_category(a, left, (size_t)c, !add);
        said[c] = true;
    }
    put_single_commands(a, s, so_far, out);
    acl_selector_free(left);
    acl_selector_free(so_far);
}
