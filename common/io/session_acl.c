/* ACL: the commands, what a refusal says, and users from configurations. The rules
 * themselves are common/text/acl. A user that goes, or that loses a channel somebody
 * listens to with it, takes its connections along. */
#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/base/num.h"
#include "common/io/acl_log.h"
#include "common/io/file.h"
#include "common/io/log.h"
#include "common/io/pubsub.h"
#include "common/io/session.h"
#include "common/io/session_inner.h"
#include "common/io/session_words.h"
#include "common/text/category.h"

#include <string.h>
#include <sys/random.h>

#define ACL_FILE_BYTES (64u << 20)

/* --- may it? --- */

static struct slice refused_object(const struct session *s, const struct command *cmd, enum acl_verdict v,
                                   const struct slice *argv, int at, char name[64])
{
    return v == ACL_NO_COMMAND ? slice_z(command_full_name(cmd, s->srv->commands, name)) : argv[at];
}

enum acl_verdict session_acl_check(struct session *s, const struct command *cmd, int argc, const struct slice *argv)
{
    static const enum acl_log_reason reasons[] = {
        [ACL_NO_COMMAND] = ACL_LOG_COMMAND, [ACL_NO_KEY] = ACL_LOG_KEY, [ACL_NO_CHANNEL] = ACL_LOG_CHANNEL};
    int at = 0;
    enum acl_verdict v = acl_check(s->acl_user, cmd, argc, argv, &at);
    char name[64];

    if (v != ACL_OK)
        acl_log_note(s->srv->acl_log, s, reasons[v], refused_object(s, cmd, v, argv, at, name),
                     slice_z(acl_user_name(s->acl_user)));
    return v;
}

bool session_acl_ok(struct call *c)
{
    enum acl_verdict v = session_acl_check(c->session, c->cmd, c->argc, c->argv);
    char name[64];

    if (v == ACL_NO_COMMAND)
        reply_errorf(c->reply, "NOPERM this user has no permissions to run the '%s' command",
                     command_full_name(c->cmd, c->session->srv->commands, name));
    else if (v != ACL_OK)
        reply_errorf(c->reply, "NOPERM this user has no permissions to access one of the %s used as arguments",
                     v == ACL_NO_KEY ? "keys" : "channels");
    return v == ACL_OK;
}

/* --- connections of a user --- */

/* One of ours goes; who asked for that gets its answer first. */
static void kick(struct session *s, const struct session *me)
{
    session_as_default(s);
    s->authenticated = false;
    if (s == me)
        session_close_when_sent(s);
    else
        session_close(s);
}

/* u NULL: of every user but the default one. */
static void kick_users(struct resp_server *srv, const struct acl_user *u, const struct session *me)
{
    list_each_safe(struct session, s, &srv->sessions, link)
        if (u ? s->acl_user == u : s->acl_user != acl_default_user(srv->acl))
            kick(s, me);
}

struct listening {
    const struct acl_user *user;
    bool ok;
};

static void look_at_channel(void *arg, struct slice name, bool pattern)
{
    struct listening *l = arg;

    l->ok = l->ok && acl_may_listen(l->user, name, pattern);
}

static void kick_listeners(struct resp_server *srv, const struct acl_user *u, const struct session *me)
{
    list_each_safe(struct session, s, &srv->sessions, link) {
        struct listening l = {u, true};

        if (s->gone || s->acl_user != u || s->class != SESSION_PUBSUB)
            continue;
        pubsub_each(s, look_at_channel, &l);
        if (!l.ok)
            kick(s, me);
    }
}

/* --- files and lines --- */

static int read_acl_file(struct resp_server *srv, const struct session *me, struct err *e)
{
    struct acl *fresh = acl_new_like(srv->acl);
    struct str text = {0};
    int rc = file_slurp(srv->acl_file, ACL_FILE_BYTES, &text, e);

    if (rc == 0)
        rc = acl_read_file(fresh, srv->acl_file, (struct slice){text.p, text.len}, e);
    if (rc == 0) {
        kick_users(srv, NULL, me);
        acl_take_over(srv->acl, fresh);
    }
    str_fini(&text);
    acl_free(fresh);
    return rc;
}

static void each_user_line(const struct acl *a, void (*line)(void *arg, const char *text), void *arg)
{
    struct str text = {0};

    for (size_t i = 0; i < acl_count(a); i++) {
        str_clear(&text);
        str_printf(&text, "user %s ", acl_user_name(acl_at(a, i)));
        acl_describe(acl_at(a, i), &text);
        line(arg, str_c(&text));
    }
    str_fini(&text);
}

void session_users_lines(const struct resp_server *srv, void (*line)(void *arg, const char *text), void *arg)
{
    each_user_line(srv->acl, line, arg);
}

static void add_line(void *arg, const char *text)
{
    str_append_z(arg, text);
    str_append_c(arg, '\n');
}

int session_load_users(struct resp_server *srv, const struct acl_lines *l, struct err *e)
{
    int rc;

    if (srv->acl_file && l->n > 0)
        return err_set(e, ERR_REFUSED, "both 'aclfile' and 'user' lines are given: keep the users in one of them");
    rc = srv->acl_file ? read_acl_file(srv, NULL, e) : acl_lines_apply(l, srv->acl, e);
    return rc == 0 || !srv->acl_file ? rc : err_wrap(e, "'aclfile' %s", srv->acl_file);
}

bool session_users_are_plain(const struct resp_server *srv)
{
    struct acl *fresh = acl_new_like(srv->acl);
    struct str was = {0}, is = {0};
    bool same;

    acl_default_password(fresh, srv->password);
    acl_describe(acl_default_user(fresh), &was);
    acl_describe(acl_default_user(srv->acl), &is);
    same = acl_count(srv->acl) == 1 && strcmp(str_c(&was), str_c(&is)) == 0;
    str_fini(&was);
    str_fini(&is);
    acl_free(fresh);
    return same;
}

/* --- commands --- */

static struct acl *acl_of(const struct call *c)
{
    return c->session->srv->acl;
}

static void acl_setuser(struct call *c)
{
    struct acl_user *u = NULL;
    struct err e = {0};

    if (acl_set_user(acl_of(c), c->argv[2], c->argc - 3, c->argv + 3, &u, &e) != 0) {
        reply_errorf(c->reply, "ERR %s", e.text);
        return;
    }
    kick_listeners(c->session->srv, u, c->session);
    reply_ok(c->reply);
}

static void acl_deluser(struct call *c)
{
    struct acl *a = acl_of(c);
    int64_t gone = 0;

    for (int i = 2; i < c->argc; i++)
        if (slice_is(c->argv[i], "default")) {
            reply_error(c->reply, "ERR The 'default' user cannot be removed");
            return;
        }
    for (int i = 2; i < c->argc; i++) {
        struct acl_user *u = acl_find(a, c->argv[i]);

        if (!u)
            continue;
        kick_users(c->session->srv, u, c->session);
        gone += acl_drop(a, u);
    }
    reply_int(c->reply, gone);
}

static void acl_getuser(struct call *c)
{
    const struct acl_user *u = acl_find(acl_of(c), c->argv[2]);

    if (u)
        acl_reply_user(u, c->reply);
    else
        reply_null(c->reply);
}

static void bulk_line(void *arg, const char *text)
{
    reply_bulk_z(arg, text);
}

static void acl_list(struct call *c)
{
    reply_array(c->reply, acl_count(acl_of(c)));
    each_user_line(acl_of(c), bulk_line, c->reply);
}

static void acl_users(struct call *c)
{
    reply_array(c->reply, acl_count(acl_of(c)));
    for (size_t i = 0; i < acl_count(acl_of(c)); i++)
        reply_bulk_z(c->reply, acl_user_name(acl_at(acl_of(c), i)));
}

static void acl_whoami(struct call *c)
{
    reply_bulk_z(c->reply, acl_user_name(c->session->acl_user));
}

static size_t put_category(struct reply *r, const struct command_table *t, const struct command *cmd, size_t category)
{
    size_t n = 0;
    char name[64];

    if (category_has(category, cmd)) {
        reply_bulk_z(r, command_full_name(cmd, t, name));
        n++;
    }
    for (size_t i = 0; i < cmd->nsubs; i++)
        n += put_category(r, t, &cmd->subs[i], category);
    return n;
}

static void acl_cat(struct call *c)
{
    const struct command_table *t = c->session->srv->commands;
    struct reply_hole h;
    struct dict_iter it;
    size_t category, n = 0;

    if (c->argc > 3) {
        reply_error(c->reply, "ERR unknown subcommand or wrong number of arguments for 'CAT'. Try ACL HELP.");
        return;
    }
    if (c->argc == 2) {
        reply_array(c->reply, category_count());
        for (size_t i = 0; i < category_count(); i++)
            reply_bulk_z(c->reply, category_name(i));
        return;
    }
    if (!category_find(c->argv[2], &category)) {
        reply_errorf(c->reply, "ERR Unknown category '%.*s'", (int)(c->argv[2].len < 128 ? c->argv[2].len : 128), c->argv[2].p);
        return;
    }
    h = reply_hole(c->reply);
    dict_iter_init(&it, (struct dict *)(uintptr_t)&t->by_name);
    for (struct dict_entry *d; (d = dict_iter_next(&it));)
        n += put_category(c->reply, t, d->v.p, category);
    dict_iter_fini(&it);
    reply_fill_array(c->reply, h, n);
}

static void acl_genpass(struct call *c)
{
    unsigned char raw[512];
    struct str hex = {0};
    int64_t bits = 256;

    if (c->argc > 3 || (c->argc == 3 && !num_i64_in(c->argv[2].p, c->argv[2].len, 1, 4096, &bits))) {
        reply_error(c->reply, "ERR ACL GENPASS argument must be the number of bits for the output password, a positive "
                              "number up to 4096");
        return;
    }
    CHECK(getrandom(raw, 256, 0) == 256 && getrandom(raw + 256, 256, 0) == 256);
    str_append_hex(&hex, raw, sizeof raw);
    reply_bulk(c->reply, hex.p, (size_t)(bits + 3) / 4);
    memset(hex.p, 0, hex.len);
    str_fini(&hex);
}

static void acl_dryrun(struct call *c)
{
    const struct command_table *t = c->session->srv->commands;
    const struct acl_user *u = acl_find(acl_of(c), c->argv[2]);
    int argc = c->argc - 3, at = 0;
    const struct slice *argv = c->argv + 3;
    const struct command *cmd = command_find(t, argc, argv);
    struct str text = {0};
    struct slice object;
    enum acl_verdict v;
    char name[64];

    if (!u) {
        reply_errorf(c->reply, "ERR User '%.*s' not found", (int)(c->argv[2].len < 128 ? c->argv[2].len : 128), c->argv[2].p);
        return;
    }
    if (!cmd) {
        reply_errorf(c->reply, "ERR Command '%.*s' not found", (int)(argv[0].len < 128 ? argv[0].len : 128), argv[0].p);
        return;
    }
    if (!command_arity_ok(cmd, argc)) {
        command_arity_text(cmd, t, &text);
        reply_error(c->reply, str_c(&text));
        str_fini(&text);
        return;
    }
    v = acl_check(u, cmd, argc, argv, &at);
    if (v == ACL_OK) {
        reply_ok(c->reply);
        return;
    }
    object = refused_object(c->session, cmd, v, argv, at, name);
    str_printf(&text, "This user has no permissions to %s the '", v == ACL_NO_COMMAND ? "run" : "access");
    str_append(&text, object.p, object.len);
    str_printf(&text, "' %s", v == ACL_NO_COMMAND ? "command" : v == ACL_NO_KEY ? "key" : "channel");
    reply_bulk(c->reply, text.p, text.len);
    str_fini(&text);
}

static bool has_file(struct call *c)
{
    if (!c->session->srv->acl_file)
        reply_error(c->reply, "ERR This Redis instance is not configured to use an ACL file: set 'aclfile', or keep users in "
                              "the configuration file with ACL SETUSER and CONFIG REWRITE.");
    return c->session->srv->acl_file != NULL;
}

static void acl_load(struct call *c)
{
    struct err e = {0};

    if (!has_file(c))
        return;
    if (read_acl_file(c->session->srv, c->session, &e) != 0) {
        log_warning("ACL LOAD: %s", e.text);
        reply_errorf(c->reply, "ERR %s WARNING: ACL errors detected, no change to the previously active ACL rules was performed",
                     e.text);
        return;
    }
    reply_ok(c->reply);
}

static void acl_save(struct call *c)
{
    struct str text = {0};
    struct err e = {0};

    if (!has_file(c))
        return;
    each_user_line(acl_of(c), add_line, &text);
    if (file_replace(c->session->srv->acl_file, text.p, text.len, 0600, &e) == 0)
        reply_ok(c->reply);
    else {
        log_warning("ACL SAVE: %s", e.text);
        reply_errorf(c->reply, "ERR There was an error trying to save the ACLs: %s", e.text);
    }
    str_fini(&text);
}

#define ANY   (CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_SENTINEL)
#define ADMIN (ANY | CMD_ADMIN)

const struct command session_acl_subs[] = {
/*    name       arity flags  run              keys     group     syntax, summary, since */
    { "cat",     -2, ANY,   acl_cat,         0, 0, 0, "server", "[category]", "The categories, or the commands of one.", "6.0.0" },
    { "deluser", -3, ADMIN, acl_deluser,     0, 0, 0, "server", "username [username ...]",
      "Remove users and close their connections.", "6.0.0" },
    { "dryrun",  -4, ADMIN, acl_dryrun,      0, 0, 0, "server", "username command [arg [arg ...]]",
      "Might this user run this command?", "7.0.0" },
    { "genpass", -2, ANY,   acl_genpass,     0, 0, 0, "server", "[bits]", "A random password.", "6.0.0" },
    { "getuser",  3, ADMIN, acl_getuser,     0, 0, 0, "server", "username", "The rules of a user.", "6.0.0" },
    { "help",     2, CMD_LOADING | CMD_STALE | CMD_SENTINEL, session_help, 0, 0, 0, "server", "", "What can be asked.", "6.0.0" },
    { "list",     2, ADMIN, acl_list,        0, 0, 0, "server", "", "Users with their rules, as lines of a file.", "6.0.0" },
    { "load",     2, ADMIN, acl_load,        0, 0, 0, "server", "", "Read the ACL file again.", "6.0.0" },
    { "log",     -2, ADMIN, acl_log_command, 0, 0, 0, "server", "[count | RESET]", "Who was refused what of late.", "6.0.0" },
    { "save",     2, ADMIN, acl_save,        0, 0, 0, "server", "", "Write the ACL file.", "6.0.0" },
    { "setuser", -3, ADMIN, acl_setuser,     0, 0, 0, "server", "username [rule [rule ...]]",
      "Make a user, or change what it may do.", "6.0.0" },
    { "users",    2, ADMIN, acl_users,       0, 0, 0, "server", "", "Names of all users.", "6.0.0" },
    { "whoami",   2, ANY,   acl_whoami,      0, 0, 0, "server", "", "Name of the user of this connection.", "6.0.0" },
};
const size_t session_acl_subs_n = sizeof session_acl_subs / sizeof session_acl_subs[0];
_Static_assert(sizeof session_acl_subs / sizeof session_acl_subs[0] == SESSION_ACL_SUBS,
               "SESSION_ACL_SUBS in session_words.h counts these rows");
