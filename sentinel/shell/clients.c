#include "sentinel/shell/clients.h"

#include "common/io/acl_log.h"
#include "common/io/log.h"
#include "sentinel/shell/commands.h"
#include "sentinel/shell/shell.h"
#include "sentinel/wire/hello.h"

#include <string.h>

struct shell *shell_of(const struct call *c)
{
    return c->session->srv->owner;
}

static void gone(struct session *s)
{
    pubsub_unsubscribe_all(s->srv->pubsub, s, false);
}

void clients_init(struct shell *sh)
{
    struct resp_server_hooks hooks = {.gone = gone};
    const struct sentinel_options *o = sh->opt;

    command_table_init(&sh->commands);
    sentinel_commands(&sh->commands);
    resp_server_init(&sh->server, sh->loop, &sh->commands, &hooks, sh);
    sh->server.pubsub = &sh->pubsub;
    sh->server.max_clients = o->max_clients;
    sh->server.idle_timeout_ms = o->timeout_ms;
    sh->server.keepalive_s = (int)o->tcp_keepalive_s;
    sh->server.protected_mode = o->protected_mode;
    if (o->password)
        resp_server_set_password(&sh->server, o->password);
    sh->server.acl_file = o->aclfile;
    acl_set_channels_default(sh->server.acl, o->acl_pubsub_default);
    acl_log_set_max(sh->server.acl_log, o->acllog_max_len);
    sh->server.server_name = "redis";
    sh->server.mode = "sentinel";
    sh->server.query_max_bytes = 64u << 20;
    sh->server.out_limit[SESSION_PUBSUB].hard = 32u << 20;
    sh->server.out_limit[SESSION_PUBSUB].soft = 8u << 20;
    sh->server.out_limit[SESSION_PUBSUB].soft_ms = 60000;
}

void clients_fini(struct shell *sh)
{
    resp_server_fini(&sh->server);
    command_table_fini(&sh->commands);
}

/* Other sentinels publish their hello to us as they do on nodes. Nobody else has anything to say here. */
void cmd_publish(struct call *c)
{
    struct shell *sh = shell_of(c);
    struct event ev = {.kind = EV_HELLO};
    struct hello h;
    struct err e = {0};

    if (!slice_is(c->argv[1], HELLO_CHANNEL)) {
        reply_error(c->reply, "ERR Only HELLO messages are accepted by Sentinel instances.");
        return;
    }
    if (hello_read(c->argv[2], &h, &e) != 0)
        log_verbose("a hello that is none: %s", e.text);
    else if (shell_same_addr(sh, &h.primary) && shell_same_addr(sh, &h.from)) {
        ev.u.hello = &h;
        shell_step(sh, &ev);
    }
    reply_int(c->reply, 1);
}

void cmd_shutdown(struct call *c)
{
    for (int i = 1; i < c->argc; i++)
        if (!slice_is_nocase(c->argv[i], "nosave") && !slice_is_nocase(c->argv[i], "save") &&
            !slice_is_nocase(c->argv[i], "now") && !slice_is_nocase(c->argv[i], "force")) {
            reply_error(c->reply, "ERR syntax error");
            return;
        }
    session_close(c->session);
    shell_stop(shell_of(c), 0);
}

void cmd_sentinel_help(struct call *c)
{
    const struct command *row = command_find_name(&shell_of(c)->commands, slice_z("sentinel"));

    command_reply_help(c->reply, row);
}

void cmd_not_there(struct call *c)
{
    char name[64];

    command_full_name(c->cmd, c->session->srv->commands, name);
    reply_errorf(c->reply, "ERR '%s' is not there on this sentinel: %s", name, c->cmd->summary);
}

void cmd_info(struct call *c)
{
    struct str text = {0};

    info_write(shell_of(c), c->argv + 1, (size_t)c->argc - 1, &text);
    reply_verbatim(c->reply, "txt", str_c(&text), text.len);
    str_fini(&text);
}
