#include "sentinel/wire/order.h"

#include "common/text/reply_walk.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <string.h>

/* {role} and {addr} are put in; the first word of each goes through rename-command. */
static const char *const script[ORDER_COMMANDS][4] = {
    {"MULTI"},
    {"SLAVEOF", "{host}", "{port}"},
    {"CONFIG", "REWRITE"},
    {"CLIENT", "KILL", "TYPE", "normal"},
    {"CLIENT", "KILL", "TYPE", "pubsub"},
    {"EXEC"},
};
enum { AT_SLAVEOF = 0 };         /* its place in the answer to EXEC */

void order_write(enum order what, const struct addr *to, const char *(*renamed)(void *arg, const char *command), void *arg,
                 struct order_text *out)
{
    memset(out, 0, sizeof *out);
    if (to)
        snprintf(out->port, sizeof out->port, "%u", to->port);
    for (int i = 0; i < ORDER_COMMANDS; i++) {
        struct order_words *w = &out->cmd[i];

        for (; w->argc < 4 && script[i][w->argc]; w->argc++) {
            const char *z = script[i][w->argc];

            if (w->argc == 0 && renamed)
                z = renamed(arg, z);
            else if (strcmp(z, "{host}") == 0)
                z = what == ORDER_PROMOTE ? "NO" : to->host;
            else if (strcmp(z, "{port}") == 0)
                z = what == ORDER_PROMOTE ? "ONE" : out->port;
            w->argv[w->argc] = slice_z(z);
        }
    }
}

bool order_done(const struct redisReply *exec, char *why, size_t cap)
{
    const struct redisReply *follow = reply_at(exec, AT_SLAVEOF);
    struct slice text;

    why[0] = '\0';
    if (!exec) {
        snprintf(why, cap, "the link ended before the answer came");
        return false;
    }
    if (reply_is_error(exec) || reply_is_error(follow)) {
        text = reply_text(reply_is_error(exec) ? exec : follow);
        snprintf(why, cap, "%.*s", (int)(text.len < 100 ? text.len : 100), text.p);
        return false;
    }
    if (reply_len(exec) != ORDER_COMMANDS - 2) {
        snprintf(why, cap, "the transaction was not carried out");
        return false;
    }
    return true;
}

bool order_taken(const struct redisReply *reply, char *why, size_t cap)
{
    struct slice text = reply_text(reply);

    why[0] = '\0';
    if (!reply)
        snprintf(why, cap, "the link ended before the answer came");
    else if (!reply_is_status(reply, "OK"))
        snprintf(why, cap, "%.*s", (int)(text.len < 100 ? text.len : 100), text.p);
    return reply && reply_is_status(reply, "OK");
}
