/* The commands that belong to a connection and not to any data: HELLO, AUTH, PING,
 * ECHO, RESET, QUIT and COMMAND. CLIENT and ACL have files of their own. */
#include "common/base/mem.h"
#include "common/base/num.h"
#include "common/base/words.h"
#include "common/io/acl_log.h"
#include "common/io/session.h"
#include "common/io/session_inner.h"
#include "common/io/session_words.h"

#include <string.h>

static void cmd_ping(struct call *c)
{
    struct session *s = c->session;
    struct str text = {0};

    if (c->argc > 2) {
        command_arity_text(c->cmd, s->srv->commands, &text);
        reply_error(c->reply, str_c(&text));
        str_fini(&text);
    } else if (s && s->resp == 2 && s->nchannels + s->npatterns > 0) {
        reply_array(c->reply, 2);
        reply_bulk_z(c->reply, "pong");
        reply_bulk_slice(c->reply, c->argc == 2 ? c->argv[1] : slice_z(""));
    } else if (c->argc == 2) {
        reply_bulk_slice(c->reply, c->argv[1]);
    } else {
        reply_simple(c->reply, "PONG");
    }
}

static void cmd_echo(struct call *c)
{
    reply_bulk_slice(c->reply, c->argv[1]);
}

static void cmd_quit(struct call *c)
{
    reply_ok(c->reply);
    session_close_when_sent(c->session);
}

static void cmd_reset(struct call *c)
{
    session_reset(c->session);
    reply_simple(c->reply, "RESET");
}

static void cmd_command(struct call *c)
{
    command_reply(c->reply, c->session->srv->commands, c->argc, c->argv);
}

/* --- AUTH and HELLO --- */

static bool log_in(struct call *c, struct slice user, struct slice password)
{
    struct session *s = c->session;
    struct acl_user *u = acl_find(s->srv->acl, user);

    if (!u || !acl_password_ok(u, password)) {
        acl_log_note(s->srv->acl_log, s, ACL_LOG_AUTH, c->argv[0], user);
        reply_error(c->reply, "WRONGPASS invalid username-password pair or user is disabled.");
        return false;
    }
    s->acl_user = u;
    s->authenticated = true;
    return true;
}

static void cmd_auth(struct call *c)
{
    struct slice user = slice_z("default");

    if (c->argc > 3) {
        reply_error(c->reply, "ERR syntax error");
        return;
    }
    if (c->argc == 2 && !session_has_password(c->session->srv)) {
        reply_error(c->reply, "ERR AUTH <password> called without any password configured for the default user. Are "
                              "you sure your configuration is correct?");
        return;
    }
    if (c->argc == 3)
        user = c->argv[1];
    if (log_in(c, user, c->argv[c->argc - 1]))
        reply_ok(c->reply);
}

bool session_name_ok(struct slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.p[i] < '!' || name.p[i] > '~')
            return false;
    return true;
}

void session_set_name(struct session *s, struct slice name)
{
    mem_free(s->name);
    s->name = name.len ? mem_strndup(name.p, name.len) : NULL;
}

static void say_hello(struct call *c)
{
    struct session *s = c->session;
    const char *role = s->srv->role ? s->srv->role(s->srv) : NULL;
    struct reply *r = c->reply;

    reply_map(r, role ? 7 : 6);
    reply_bulk_z(r, "server");
    reply_bulk_z(r, s->srv->server_name);
    reply_bulk_z(r, "version");
    reply_bulk_z(r, COMPAT_VERSION);
    reply_bulk_z(r, "proto");
    reply_int(r, s->resp);
    reply_bulk_z(r, "id");
    reply_int(r, (int64_t)s->id);
    reply_bulk_z(r, "mode");
    reply_bulk_z(r, s->srv->mode);
    if (role) {
        reply_bulk_z(r, "role");
        reply_bulk_z(r, role);
    }
    reply_bulk_z(r, "modules");
    reply_array(r, 0);
}

/* Everything is looked at before anything is changed. */
static void cmd_hello(struct call *c)
{
    struct session *s = c->session;
    const struct slice *user = NULL, *name = NULL;
    int64_t ver = s->resp;
    int i;

    if (c->argc >= 2 && !num_i64(c->argv[1].p, c->argv[1].len, &ver)) {
        reply_error(c->reply, "ERR Protocol version is not an integer or out of range");
        return;
    }
    if (ver < 2 || ver > 3) {
        reply_error(c->reply, "NOPROTO unsupported protocol version");
        return;
    }
    for (i = 2; i < c->argc; i++) {
        if (slice_is_nocase(c->argv[i], "auth") && i + 2 < c->argc) {
            user = &c->argv[i + 1];
            i += 2;
        } else if (slice_is_nocase(c->argv[i], "setname") && i + 1 < c->argc) {
            name = &c->argv[++i];
            if (!session_name_ok(*name)) {
                reply_error(c->reply, SESSION_BAD_NAME);
                return;
            }
        } else {
            reply_errorf(c->reply, "ERR Syntax error in HELLO option '%.*s'", (int)c->argv[i].len, c->argv[i].p);
            return;
        }
    }
    if (user && !log_in(c, user[0], user[1]))
        return;
    if (session_is_guest(s)) {
        reply_error(c->reply, "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO "
                              "<proto> AUTH <user> <pass> option can be used to authenticate the client and select "
                              "the RESP protocol version at the same time");
        return;
    }
    if (name)
        session_set_name(s, *name);
    s->resp = (int)ver;
    s->reply.resp = s->resp;
    say_hello(c);
}

void session_help(struct call *c)
{
    const struct command *row = command_find_name(c->session->srv->commands, c->argv[0]);

    if (row)
        command_reply_help(c->reply, row);
}

static const struct command command_subs[] = {
    { "count",   2, CMD_LOADING | CMD_STALE, cmd_command, 0, 0, 0, "server", "", "How many commands there are.", "2.8.13", .categories = "@connection" },
    { "docs",   -2, CMD_LOADING | CMD_STALE, cmd_command, 0, 0, 0, "server", "[command-name ...]", "What commands are for.", "7.0.0", .categories = "@connection" },
    { "getkeys", -3, CMD_LOADING | CMD_STALE, cmd_command, 0, 0, 0, "server", "command [arg ...]", "Which arguments of a request are keys.", "2.8.13", .categories = "@connection" },
    { "getkeysandflags", -3, CMD_LOADING | CMD_STALE, cmd_command, 0, 0, 0, "server", "command [arg ...]", "Which arguments are keys, and what happens to them.", "7.0.0", .categories = "@connection" },
    { "info",   -2, CMD_LOADING | CMD_STALE, cmd_command, 0, 0, 0, "server", "[command-name ...]", "Arity, flags and key positions of commands.", "2.8.13", .categories = "@connection" },
    { "list",   -2, CMD_LOADING | CMD_STALE, cmd_command, 0, 0, 0, "server", "[FILTERBY <MODULE name | ACLCAT category | PATTERN pattern>]", "Names of commands.", "7.0.0", .categories = "@connection" },
    { "help",    2, CMD_LOADING | CMD_STALE, cmd_command, 0, 0, 0, "server", "", "What can be asked.", "5.0.0", .categories = "@connection" },
};

#define CONN (CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_FAST)
#define SUBS(a) .subs = a, .nsubs = sizeof a / sizeof a[0]

const struct command session_commands[] = {
/*    name       arity flags                                 run        keys     group         syntax  summary */
    { "ping",    -1, CMD_FAST | CMD_SENTINEL | CMD_SUB_OK | CMD_HEALTH, cmd_ping,  0, 0, 0, "connection", "[message]",
      "Is somebody there?", "1.0.0" },
    { "echo",     2, CMD_FAST,                               cmd_echo,  0, 0, 0, "connection", "message",
      "Send the message back.", "1.0.0" },
    { "quit",    -1, CONN | CMD_NO_AUTH | CMD_SUB_OK | CMD_NO_QUEUE, cmd_quit, 0, 0, 0, "connection", "",
      "Close this connection.", "1.0.0" },
    { "reset",    1, CONN | CMD_NO_AUTH | CMD_SUB_OK | CMD_NO_QUEUE, cmd_reset, 0, 0, 0, "connection", "",
      "Make this connection as good as new.", "6.2.0" },
    { "hello",   -1, CONN | CMD_NO_AUTH | CMD_SENTINEL,      cmd_hello, 0, 0, 0, "connection",
      "[protover [AUTH username password] [SETNAME clientname]]", "Choose the protocol version; greet and log in.", "6.0.0" },
    { "auth",    -2, CONN | CMD_NO_AUTH | CMD_SENTINEL,      cmd_auth,  0, 0, 0, "connection", "[username] password",
      "Log in.", "1.0.0" },
    { "client",  -2, CMD_CONTAINER | CMD_SENTINEL,           NULL,      0, 0, 0, "connection", "",
      "Connections: list, name, pause and close them.", "2.4.0", .subs = session_client_subs, .nsubs = SESSION_CLIENT_SUBS },
    { "command", -1, CMD_LOADING | CMD_STALE | CMD_SENTINEL, cmd_command, 0, 0, 0, "server", "",
      "The commands of this server.", "2.8.13", SUBS(command_subs), .categories = "@connection" },
    { "acl",     -2, CMD_CONTAINER | CMD_SENTINEL,           NULL,      0, 0, 0, "server", "",
      "Who may do what.", "6.0.0", .subs = session_acl_subs, .nsubs = SESSION_ACL_SUBS },
};
const size_t session_commands_n = sizeof session_commands / sizeof session_commands[0];
