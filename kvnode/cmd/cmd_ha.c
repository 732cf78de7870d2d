/* HA: what sentinels and other nodes of a formed group say to this one, and how it stands. */
#include "kvnode/cmd/cmd.h"

#include "common/base/num.h"
#include "kvnode/ha/ha.h"
#include "kvnode/ha/ha_repl.h"

/* 40 lower-case hex digits, as ids are everywhere. */
static bool arg_id(struct call *c, int i, char out[ID_MAX])
{
    struct slice a = c->argv[i];
    bool ok = a.len == ID_HEX;

    for (size_t k = 0; ok && k < a.len; k++)
        ok = (a.p[k] >= '0' && a.p[k] <= '9') || (a.p[k] >= 'a' && a.p[k] <= 'f');
    if (ok && slice_copy_z(a, out, ID_MAX))
        return true;
    reply_error(c->reply, "ERR an id is 40 lower-case hex digits");
    return false;
}

static void ha_attach_cmd(struct call *c)
{
    bool voter = arg_is(c, 3, "voter");
    char id[ID_MAX];
    uint64_t life;
    const char *no;

    if (!voter && !arg_is(c, 3, "node")) {
        reply_error(c->reply, TEXT_SYNTAX);
        return;
    }
    if (!arg_id(c, 4, id))
        return;
    if (!num_u64(c->argv[5].p, c->argv[5].len, &life)) {
        reply_error(c->reply, TEXT_NOT_INT);
        return;
    }
    if (call_client(c)->replica || c->session->nchannels + c->session->npatterns > 0 || c->session->resp != 2) {
        reply_error(c->reply, "ERR a control link begins as an ordinary client that speaks RESP2");
        return;
    }
    no = ha_attach(call_server(c), c->session, c->argv[2], voter, id, life);
    if (no)
        reply_error(c->reply, no);
    else
        reply_ok(c->reply);
}

static void ha_status_cmd(struct call *c) { ha_put_status(call_server(c), c->reply); }

static void ha_marker(struct call *c)
{
    if (call_client(c)->is_primary)
        ha_repl_marker(c);
    else
        reply_error(c->reply, "ERR HA MARKER comes down the stream of a primary, nobody else says it");
}

static void ha_msg(struct call *c)
{
    reply_error(c->reply, "ERR HA MSG is for control links: HA ATTACH comes first");
}

static void ha_help(struct call *c)
{
    command_reply_help(c->reply, command_find_name(&call_server(c)->commands, c->argv[0]));
}

#define ADMIN CMD_ADMIN | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_DANGEROUS

static const struct command ha_subs[] = {
    {"attach", 6, ADMIN | CMD_NO_MULTI, ha_attach_cmd, 0, 0, 0, "server", "group VOTER|NODE id life",
     "Make this connection a control link of a sentinel, or of a node that replicates from this one."},
    {"status", 2, ADMIN, ha_status_cmd, 0, 0, 0, "server", "", "How this node stands in its formed group."},
    {"msg", -3, ADMIN | CMD_NO_MULTI, ha_msg, 0, 0, 0, "server", "line [line ...]", "A message of a formed group; on control links only."},
    {"marker", 5, ADMIN, ha_marker, 0, 0, 0, "server", "group epoch incarnation", "An epoch begins here; in the stream of replication only."},
    {"help", 2, CMD_LOADING | CMD_STALE, ha_help, 0, 0, 0, "server", "", "What there is."},
};

const struct command ha_commands[] = {
    {"ha", -2, CMD_CONTAINER, NULL, 0, 0, 0, "server", "", "Formed groups: what sentinels say to this node, and how it stands.", NULL,
     ha_subs, sizeof ha_subs / sizeof ha_subs[0]},
};
ROWS(ha);
