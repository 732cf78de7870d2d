/* Users: their passwords, their selectors, and the lines they are written as. */
#include "common/text/acl.h"

#include "common/base/mem.h"
#include "common/text/acl_inside.h"
#include "common/text/conf_lex.h"

#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

/* ---- the commands ------------------------------------------------------------------------- */

int acl_id(const struct acl *a, const struct command *cmd)
{
    struct dict_entry *e = dict_find(&a->id_of, &cmd, sizeof cmd);

    return e ? (int)e->v.i - 1 : -1;
}

static void add_row(struct acl *a, const struct command *cmd, const struct command *parent)
{
    struct acl_row row = {cmd, parent, NULL};
    struct str name = {0};

    if (parent)
        str_printf(&name, "%s|", parent->name);
    str_append_z(&name, cmd->name);
    row.name = str_take(&name);
    vec_push(&a->rows, row);
    CHECK(a->rows.n < ACL_COMMANDS);
    dict_put(&a->id_of, &cmd, sizeof cmd, NULL)->v.i = (int64_t)a->rows.n;
    dict_put(&a->by_name, row.name, strlen(row.name), NULL)->v.i = (int64_t)a->rows.n;
    for (size_t i = 0; i < cmd->nsubs; i++)
        add_row(a, &cmd->subs[i], cmd);
}

static int by_name(const void *x, const void *y)
{
    return strcmp((*(const struct command *const *)x)->name, (*(const struct command *const *)y)->name);
}

static void add_rows(struct acl *a, const struct command_table *t)
{
    VEC(const struct command *) all = {0};
    struct dict_iter it;

    dict_iter_init(&it, (struct dict *)(uintptr_t)&t->by_name);
    for (struct dict_entry *e; (e = dict_iter_next(&it));)
        vec_push(&all, (const struct command *)e->v.p);
    dict_iter_fini(&it);
    if (all.n)
        qsort(all.at, all.n, sizeof *all.at, by_name);
    for (size_t i = 0; i < all.n; i++)
        add_row(a, all.at[i], NULL);
    vec_fini(&all);
}

/* ---- users -------------------------------------------------------------------------------- */

static int name_order(const struct acl_user *u, struct slice name)
{
    size_t n = u->name_len < name.len ? u->name_len : name.len;
    int c = n ? memcmp(u->name, name.p, n) : 0;

    return c ? c : u->name_len < name.len ? -1 : u->name_len > name.len;
}

/* Where it is, or where it would have to go. */
static size_t place(const struct acl *a, struct slice name)
{
    size_t lo = 0, hi = a->users.n;

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;

        if (name_order(a->users.at[mid], name) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

struct acl_user *acl_find(const struct acl *a, struct slice name)
{
    size_t i = place(a, name);

    return i < a->users.n && name_order(a->users.at[i], name) == 0 ? a->users.at[i] : NULL;
}

static struct acl_user *user_new(const struct acl *a, struct slice name)
{
    struct acl_user *u = mem_zalloc(sizeof *u);

    u->name = mem_strndup(name.p, name.len);
    u->name_len = name.len;
    u->acl = a;
    vec_push(&u->selectors, acl_selector_new(a));
    return u;
}

static void drop_hashes(struct acl_user *u)
{
    for (size_t i = 0; i < u->hashes.n; i++)
        mem_free(u->hashes.at[i]);
    vec_clear(&u->hashes);
}

static void drop_selectors(struct acl_user *u, size_t from)
{
    for (size_t i = from; i < u->selectors.n; i++)
        acl_selector_free(u->selectors.at[i]);
    u->selectors.n = from;
}

static void empty(struct acl_user *u)
{
    drop_hashes(u);
    drop_selectors(u, 0);
    vec_fini(&u->hashes);
    vec_fini(&u->selectors);
}

static void user_free(struct acl_user *u)
{
    if (!u)
        return;
    empty(u);
    mem_free(u->name);
    mem_free(u);
}

static struct acl_user *user_copy(const struct acl_user *from)
{
    struct acl_user *u = mem_zalloc(sizeof *u);

    u->name = mem_strndup(from->name, from->name_len);
    u->name_len = from->name_len;
    u->acl = from->acl;
    u->on = from->on;
    u->nopass = from->nopass;
    u->sanitize = from->sanitize;
    u->unlimited = from->unlimited;
    u->from_line = from->from_line;
    for (size_t i = 0; i < from->hashes.n; i++)
        vec_push(&u->hashes, mem_strdup(from->hashes.at[i]));
    for (size_t i = 0; i < from->selectors.n; i++)
        vec_push(&u->selectors, acl_selector_copy(from->selectors.at[i]));
    return u;
}

/* What u is becomes what `from` is; its name and its place in memory stay. from is freed. */
static void become(struct acl_user *u, struct acl_user *from)
{
    const struct acl_selector *root;

    empty(u);
    u->on = from->on;
    u->nopass = from->nopass;
    u->sanitize = from->sanitize;
    u->from_line = from->from_line;
    memcpy(&u->hashes, &from->hashes, sizeof u->hashes);
    memcpy(&u->selectors, &from->selectors, sizeof u->selectors);
    memset(&from->hashes, 0, sizeof from->hashes);
    memset(&from->selectors, 0, sizeof from->selectors);
    user_free(from);
    root = u->selectors.at[0];
    u->unlimited = root->all_commands && root->all_keys && root->all_channels;
}

static struct acl_user *insert(struct acl *a, struct acl_user *u)
{
    size_t at = place(a, (struct slice){u->name, u->name_len});

    vec_push(&a->users, u);
    memmove(&a->users.at[at + 1], &a->users.at[at], (a->users.n - 1 - at) * sizeof *a->users.at);
    a->users.at[at] = u;
    return u;
}

static int word_rule(struct acl_user *u, struct slice rule, struct err *e);

static struct acl *begin(void)
{
    struct acl *a = mem_zalloc(sizeof *a);

    dict_init(&a->id_of);
    dict_init(&a->by_name);
    return a;
}

static struct acl *with_default_user(struct acl *a)
{
    static const char *const rules[] = {"on", "nopass", "~*", "&*", "+@all"};

    a->dflt = user_new(a, slice_z("default"));
    insert(a, a->dflt);
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        CHECK(word_rule(a->dflt, slice_z(rules[i]), NULL) == 0);
    a->dflt->unlimited = true;
    return a;
}

struct acl *acl_new(const struct command_table *t)
{
    struct acl *a = begin();

    add_rows(a, t);
    return with_default_user(a);
}

struct acl *acl_new_like(const struct acl *like)
{
    struct acl *a = begin();

    for (size_t i = 0; i < like->rows.n; i++)
        if (!like->rows.at[i].parent)
            add_row(a, like->rows.at[i].cmd, NULL);
    a->channels_default = like->channels_default;
    return with_default_user(a);
}

void acl_free(struct acl *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < a->users.n; i++)
        user_free(a->users.at[i]);
    for (size_t i = 0; i < a->rows.n; i++)
        mem_free(a->rows.at[i].name);
    vec_fini(&a->users);
    vec_fini(&a->rows);
    dict_fini(&a->id_of, NULL);
    dict_fini(&a->by_name, NULL);
    mem_free(a);
}

void acl_set_channels_default(struct acl *a, bool all) { a->channels_default = all; }
struct acl_user *acl_default_user(const struct acl *a) { return a->dflt; }
size_t acl_count(const struct acl *a) { return a->users.n; }
struct acl_user *acl_at(const struct acl *a, size_t i) { return a->users.at[i]; }
const char *acl_user_name(const struct acl_user *u) { return u->name; }
bool acl_user_is_on(const struct acl_user *u) { return u->on; }
bool acl_user_needs_password(const struct acl_user *u) { return !u->nopass; }

bool acl_drop(struct acl *a, struct acl_user *u)
{
    if (u == a->dflt)
        return false;
    vec_remove(&a->users, place(a, (struct slice){u->name, u->name_len}));
    user_free(u);
    return true;
}

void acl_take_over(struct acl *a, struct acl *b)
{
    for (size_t i = a->users.n; i-- > 0;)
        acl_drop(a, a->users.at[i]);
    for (size_t i = b->users.n; i-- > 0;) {
        struct acl_user *u = b->users.at[i];

        if (u == b->dflt)
            continue;
        vec_remove(&b->users, i);
        u->acl = a;
        insert(a, u);
    }
    become(a->dflt, user_copy(b->dflt));
}

/* ---- passwords ---------------------------------------------------------------------------- */

static void hash_password(struct slice password, struct str *out)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];

    SHA256((const unsigned char *)password.p, password.len, digest);
    str_append_hex(out, digest, sizeof digest);
}

static size_t find_hash(const struct acl_user *u, struct slice hash)
{
    for (size_t i = 0; i < u->hashes.n; i++)
        if (slice_is(hash, u->hashes.at[i]))
            return i;
    return SIZE_MAX;
}

static bool is_hash(struct slice h)
{
    for (size_t i = 0; i < h.len; i++)
        if (!((h.p[i] >= '0' && h.p[i] <= '9') || (h.p[i] >= 'a' && h.p[i] <= 'f')))
            return false;
    return h.len == ACL_HASH_HEX;
}

static void add_hash(struct acl_user *u, struct slice hash)
{
    if (find_hash(u, hash) == SIZE_MAX)
        vec_push(&u->hashes, mem_strndup(hash.p, hash.len));
    u->nopass = false;
}

static int drop_hash(struct acl_user *u, struct slice hash, struct err *e)
{
    size_t i = find_hash(u, hash);

    if (i == SIZE_MAX)
        return err_set(e, ERR_MISSING, "The password you are trying to remove from the user does not exist");
    mem_free(u->hashes.at[i]);
    vec_remove(&u->hashes, i);
    return 0;
}

bool acl_password_ok(const struct acl_user *u, struct slice password)
{
    struct str hash = {0};
    bool ok = u->nopass;

    hash_password(password, &hash);
    for (size_t i = 0; i < u->hashes.n; i++) {
        unsigned differ = 0;

        for (size_t k = 0; k < ACL_HASH_HEX; k++)
            differ |= (unsigned char)hash.p[k] ^ (unsigned char)u->hashes.at[i][k];
        ok |= differ == 0;
    }
    str_fini(&hash);
    return ok && u->on;
}

void acl_default_password(struct acl *a, const char *password)
{
    struct str hash = {0};

    drop_hashes(a->dflt);
    a->dflt->nopass = true;
    if (!password || !*password)
        return;
    hash_password(slice_z(password), &hash);
    add_hash(a->dflt, (struct slice){hash.p, hash.len});
    str_fini(&hash);
}

/* ---- rules -------------------------------------------------------------------------------- */

static int password_rule(struct acl_user *u, char how, struct slice rest, struct err *e)
{
    struct str hash = {0};
    int rc = 0;

    if (how == '#' || how == '!') {
        if (!is_hash(rest))
            return err_set(e, ERR_FORMAT, "The password hash must be exactly 64 characters and contain only lowercase "
                           "hexadecimal characters");
        str_append(&hash, rest.p, rest.len);
    } else
        hash_password(rest, &hash);
    if (how == '>' || how == '#')
        add_hash(u, (struct slice){hash.p, hash.len});
    else
        rc = drop_hash(u, (struct slice){hash.p, hash.len}, e);
    str_fini(&hash);
    return rc;
}

static void reset(struct acl_user *u)
{
    drop_hashes(u);
    drop_selectors(u, 0);
    u->on = u->nopass = false;
    u->sanitize = SANITIZE;
    vec_push(&u->selectors, acl_selector_new(u->acl));
}

/* "(~a +get)": its words are split at blanks, quotes count as in a file. */
static int selector_rule(struct acl_user *u, struct slice rule, struct err *e)
{
    struct acl_selector *s;
    struct conf_words w;
    int rc;

    if (u->selectors.n > ACL_SELECTORS_MAX)
        return err_set(e, ERR_LIMIT, "more than %d selectors", ACL_SELECTORS_MAX);
    conf_words_init(&w);
    s = acl_selector_new(u->acl);
    rc = conf_lex(rule.p + 1, rule.len - 2, &w, NULL);
    if (rc != 0 || (w.argc == 0 && memchr(rule.p, '#', rule.len)))       /* no comment here */
        rc = err_set(e, ERR_FORMAT, "Syntax error");
    for (int i = 0; rc == 0 && i < w.argc; i++)
        rc = acl_selector_rule(u->acl, s, w.argv[i], e);
    conf_words_fini(&w);
    if (rc == 0)
        vec_push(&u->selectors, s);
    else
        acl_selector_free(s);
    return rc;
}

static int word_rule(struct acl_user *u, struct slice rule, struct err *e)
{
    if (rule.len == 0)
        return 0;
    if (slice_is_nocase(rule, "on"))
        u->on = true;
    else if (slice_is_nocase(rule, "off"))
        u->on = false;
    else if (slice_is_nocase(rule, "nopass")) {
        drop_hashes(u);
        u->nopass = true;
    } else if (slice_is_nocase(rule, "resetpass")) {
        drop_hashes(u);
        u->nopass = false;
    } else if (slice_is_nocase(rule, "sanitize-payload"))
        u->sanitize = SANITIZE;
    else if (slice_is_nocase(rule, "skip-sanitize-payload"))
        u->sanitize = SANITIZE_SKIP;
    else if (slice_is_nocase(rule, "reset"))
        reset(u);
    else if (slice_is_nocase(rule, "clearselectors"))
        drop_selectors(u, 1);
    else if (strchr("><#!", rule.p[0]))
        return password_rule(u, rule.p[0], (struct slice){rule.p + 1, rule.len - 1}, e);
    else if (rule.len > 1 && rule.p[0] == '(' && rule.p[rule.len - 1] == ')')
        return selector_rule(u, rule, e);
    else
        return acl_selector_rule(u->acl, u->selectors.at[0], rule, e);
    return 0;
}

/* Passwords stay out of what is told. */
static int told(struct slice rule, struct err *why, struct err *e)
{
    bool secret = rule.len > 0 && (rule.p[0] == '>' || rule.p[0] == '<') && why->code != ERR_MISSING;

    return err_set(e, why->code, "Error in ACL SETUSER modifier '%.*s': %s", secret ? 1 : (int)(rule.len < 128 ? rule.len : 128),
                   rule.p, why->text);
}

/* Words of a selector that came in pieces are put together, in out and joined; the rest stays as it is. */
static int join_selectors(int argc, const struct slice *argv, struct slice *out, struct str *joined, struct err *e)
{
    int n = 0, open = -1;
    size_t total = 0, begin = 0;

    for (int i = 0; i < argc; i++)
        total += argv[i].len + 1;
    str_reserve(joined, total);                  /* so that what out points to stays where it is */
    for (int i = 0; i < argc; i++) {
        struct slice w = argv[i];
        bool closes = w.len > 0 && w.p[w.len - 1] == ')';

        if (open < 0 && (closes || w.len == 0 || w.p[0] != '(')) {
            out[n++] = w;
            continue;
        }
        if (open < 0) {
            open = i;
            begin = joined->len;
        } else {
            str_append_c(joined, ' ');
        }
        str_append(joined, w.p, w.len);
        if (closes) {
            out[n++] = (struct slice){joined->p + begin, joined->len - begin};
            open = -1;
        }
    }
    if (open < 0)
        return n;
    return err_set(e, ERR_FORMAT, "Unmatched parenthesis in acl selector starting at '%.*s'.",
                   (int)(argv[open].len < 128 ? argv[open].len : 128), argv[open].p);
}

static int apply(struct acl_user *u, int argc, const struct slice *argv, struct err *e)
{
    struct slice *rules = mem_alloc((size_t)(argc + 1) * sizeof *rules);
    struct str joined = {0};
    struct err why = {0};
    int n = join_selectors(argc, argv, rules, &joined, e), rc = n < 0 ? n : 0;

    for (int i = 0; rc == 0 && i < n; i++) {
        rc = word_rule(u, rules[i], &why);
        if (rc != 0)
            told(rules[i], &why, e);
    }
    str_fini(&joined);
    mem_free(rules);
    return rc;
}

static const char text_name[] = "Usernames can't contain spaces or null characters";

static bool name_ok(struct slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.p[i] == '\0' || name.p[i] == ' ' || (name.p[i] >= '\t' && name.p[i] <= '\r'))
            return false;
    return true;
}

int acl_set_user(struct acl *a, struct slice name, int argc, const struct slice *argv, struct acl_user **out, struct err *e)
{
    struct acl_user *u = acl_find(a, name), *try;
    int rc;

    if (!name_ok(name))
        return err_set(e, ERR_FORMAT, text_name);
    try = u ? user_copy(u) : user_new(a, name);
    rc = apply(try, argc, argv, e);
    if (rc != 0) {
        user_free(try);
        return rc;
    }
    if (!u)
        u = insert(a, user_new(a, name));
    become(u, try);
    if (out)
        *out = u;
    return 0;
}

/* ---- files -------------------------------------------------------------------------------- */

void acl_begin_lines(struct acl *a)
{
    for (size_t i = 0; i < a->users.n; i++)
        a->users.at[i]->from_line = false;
}

int acl_line(struct acl *a, int argc, const struct slice *argv, struct err *e)
{
    struct acl_user *u, *fresh;
    int rc;

    if (argc < 1)
        return err_set(e, ERR_FORMAT, "user takes a name and rules");
    u = acl_find(a, argv[0]);
    if (u && u->from_line)
        return err_set(e, ERR_BUSY, "Duplicate user '%s' found: a user is defined once", u->name);
    if (!name_ok(argv[0]))
        return err_set(e, ERR_FORMAT, text_name);
    fresh = user_new(a, argv[0]);
    rc = apply(fresh, argc - 1, argv + 1, e);
    if (rc != 0) {
        user_free(fresh);
        return rc;
    }
    fresh->from_line = true;
    become(u ? u : insert(a, user_new(a, argv[0])), fresh);
    return 0;
}

int acl_read_file(struct acl *a, const char *path, struct slice text, struct err *e)
{
    const char *p = text.p, *end = text.p + text.len;
    struct str wrong = {0};
    struct conf_words w;
    struct err why;

    conf_words_init(&w);
    acl_begin_lines(a);
    for (int line = 1; p < end; line++) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        size_t n = (size_t)((nl ? nl : end) - p);
        int rc = conf_lex(p, n, &w, &why);

        p += n + 1;
        if (rc == 0 && w.argc == 0)
            continue;
        if (rc == 0 && (w.argc < 2 || !slice_is_nocase(w.argv[0], "user")))
            rc = err_set(&why, ERR_FORMAT, "should start with user keyword followed by the username");
        if (rc == 0)
            rc = acl_line(a, w.argc - 1, w.argv + 1, &why);
        if (rc != 0)
            str_printf(&wrong, "%s%s:%d: %s.", wrong.len ? " " : "", path, line, why.text);
    }
    conf_words_fini(&w);
    if (wrong.len > 0) {
        err_set(e, ERR_FORMAT, "%s", str_c(&wrong));
        str_fini(&wrong);
        return ERR_FORMAT;
    }
    return 0;
}

static const char *const sanitize_words[] = {[SANITIZE] = "sanitize-payload", [SANITIZE_SKIP] = "skip-sanitize-payload"};

/* ---- out ---------------------------------------------------------------------------------- */

static void describe_selector(const struct acl *a, const struct acl_selector *s, struct str *out)
{
    size_t before = out->len;

    acl_put_keys(s, out);
    if (out->len > before)
        str_append_c(out, ' ');
    if (!s->all_channels)
        str_append_z(out, "resetchannels ");
    before = out->len;
    acl_put_channels(s, out);
    if (out->len > before)
        str_append_c(out, ' ');
    acl_put_commands(a, s, out);
}

void acl_describe(const struct acl_user *u, struct str *out)
{
    str_append_z(out, u->on ? "on " : "off ");
    if (u->nopass)
        str_append_z(out, "nopass ");
    if (u->sanitize != SANITIZE_UNSAID)
        str_printf(out, "%s ", sanitize_words[u->sanitize]);
    for (size_t i = 0; i < u->hashes.n; i++)
        str_printf(out, "#%s ", u->hashes.at[i]);
    for (size_t i = 0; i < u->selectors.n; i++) {
        str_append_z(out, i ? " (" : "");
        describe_selector(u->acl, u->selectors.at[i], out);
        str_append_z(out, i ? ")" : "");
    }
}

static void put_text(struct reply *r, const char *name, struct str *text)
{
    reply_bulk_z(r, name);
    reply_bulk(r, str_c(text), text->len);
    str_clear(text);
}

static void reply_selector(const struct acl *a, const struct acl_selector *s, struct reply *r)
{
    struct str text = {0};

    acl_put_commands(a, s, &text);
    put_text(r, "commands", &text);
    acl_put_keys(s, &text);
    put_text(r, "keys", &text);
    acl_put_channels(s, &text);
    put_text(r, "channels", &text);
    str_fini(&text);
}

void acl_reply_user(const struct acl_user *u, struct reply *r)
{
    reply_map(r, 6);
    reply_bulk_z(r, "flags");
    reply_set(r, 1 + (size_t)u->nopass + (size_t)(u->sanitize != SANITIZE_UNSAID));
    reply_bulk_z(r, u->on ? "on" : "off");
    if (u->nopass)
        reply_bulk_z(r, "nopass");
    if (u->sanitize != SANITIZE_UNSAID)
        reply_bulk_z(r, sanitize_words[u->sanitize]);
    reply_bulk_z(r, "passwords");
    reply_array(r, u->hashes.n);
    for (size_t i = 0; i < u->hashes.n; i++)
        reply_bulk_z(r, u->hashes.at[i]);
    reply_selector(u->acl, u->selectors.at[0], r);
    reply_bulk_z(r, "selectors");
    reply_array(r, u->selectors.n - 1);
    for (size_t i = 1; i < u->selectors.n; i++) {
        reply_map(r, 3);
        reply_selector(u->acl, u->selectors.at[i], r);
    }
}
