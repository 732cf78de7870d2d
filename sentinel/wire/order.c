#include "sentinel/wire/order.h"

#include "common/base/check.h"

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
static const char *const names[ORDER_COMMANDS] = {"MULTI", "SLAVEOF", "CONFIG REWRITE", "CLIENT KILL", "CLIENT KILL", "EXEC"};
enum { AT_SLAVEOF = 1, AT_REWRITE = 2, AT_EXEC = ORDER_COMMANDS - 1 };

/* A node that is to lead writes that down later (ACT_KEEP): an fsync may take a second, and meanwhile it neither says that it
 * leads nor takes writes. */
static bool left_out(enum order what, int i) { return what == ORDER_PROMOTE && i == AT_REWRITE; }

void order_write(enum order what, const struct addr *to, const char *(*renamed)(void *arg, const char *command), void *arg,
                 struct order_text *out)
{
    memset(out, 0, sizeof *out);
    out->what = what;
    if (to)
        snprintf(out->port, sizeof out->port, "%u", to->port);
    for (int i = 0; i < ORDER_COMMANDS; i++) {
        struct order_words *w = &out->cmd[out->n];

        if (left_out(what, i))
            continue;
        out->n++;

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

static void refused(struct order_result *out, int at, const struct redisReply *r)
{
    struct slice text = reply_text(r);
    size_t n = strlen(out->why);

    snprintf(out->why + n, sizeof out->why - n, "%s%s: %.*s", n ? ", " : "", names[at], (int)(text.len < 80 ? text.len : 80), text.p);
}

void order_heard(enum order what, int heard, const struct redisReply *r, struct order_result *out)
{
    const struct redisReply *one;
    bool shorter = what == ORDER_PROMOTE;
    int at = shorter && heard >= AT_REWRITE ? heard + 1 : heard, element = 0;

    CHECK(at >= 0 && at <= AT_EXEC);
    if (at < AT_EXEC) {
        if (reply_is_error(r))
            refused(out, at, r);   /* what stands in EXEC's answer then is only that it was */
        return;
    }
    out->done = out->kept = false;
    if (!r) {
        snprintf(out->why, sizeof out->why, "the link ended before the answer came");
        return;
    }
    if (reply_len(r) != (size_t)(AT_EXEC - 1 - shorter)) {
        if (out->why[0] == '\0' && reply_is_error(r))
            refused(out, AT_EXEC, r);
        else if (out->why[0] == '\0')
            snprintf(out->why, sizeof out->why, "the transaction was not carried out");
        return;
    }
    for (int i = AT_SLAVEOF; i < AT_EXEC; i++) {
        if (left_out(what, i))
            continue;
        one = reply_at(r, (size_t)element++);
        if (!one || reply_is_error(one))
            refused(out, i, one);
    }
    out->done = reply_at(r, AT_SLAVEOF - 1) && !reply_is_error(reply_at(r, AT_SLAVEOF - 1));
    out->kept = out->done && !shorter && reply_is_status(reply_at(r, AT_REWRITE - 1), "OK");
}

bool order_taken(const struct redisReply *reply, char *why, size_t cap)
{
    struct slice text = reply_text(reply);

    why[0] = '\0';
    if (!reply)
        snprintf(why, cap, "the link ended before the answer came");
    else if (reply_is_error(reply) || text.len < 2 || memcmp(text.p, "OK", 2) != 0)      /* "OK Already connected to ..." */
        snprintf(why, cap, "%.*s", (int)(text.len < 100 ? text.len : 100), text.p);
    return why[0] == '\0' && text.len >= 2;
}
