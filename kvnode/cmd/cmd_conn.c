/* What a connection can ask of a data node beyond common/io: CLIENT TRACKING and its kin, MONITOR. */
#include "kvnode/cmd/cmd.h"

#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/base/num.h"
#include "kvnode/client/tracking.h"
#include "kvnode/cmd/cmd_client.h"

#include <string.h>

struct track_args {
    int64_t redirect;
    bool bcast, optin, optout, noloop;
    int nprefixes;
    struct slice prefixes[64];
};

static bool parse_tracking(struct call *c, struct track_args *a)
{
    for (int i = 3; i < c->argc; i++) {
        bool more = i + 1 < c->argc;

        if (more && arg_is(c, i, "redirect")) {
            if (a->redirect != 0) {
                reply_error(c->reply, "ERR A client can only redirect to a single other client");
                return false;
            }
            if (!arg_i64(c, ++i, &a->redirect))
                return false;
            if (a->redirect <= 0 || !session_by_id(&call_server(c)->resp, (uint64_t)a->redirect)) {
                reply_error(c->reply, "ERR The client ID you want redirect to does not exist");
                return false;
            }
        } else if (more && arg_is(c, i, "prefix")) {
            if (a->nprefixes == 64) {
                reply_error(c->reply, "ERR too many prefixes");
                return false;
            }
            a->prefixes[a->nprefixes++] = c->argv[++i];
        } else if (arg_is(c, i, "bcast")) {
            a->bcast = true;
        } else if (arg_is(c, i, "optin")) {
            a->optin = true;
        } else if (arg_is(c, i, "optout")) {
            a->optout = true;
        } else if (arg_is(c, i, "noloop")) {
            a->noloop = true;
        } else {
            reply_error(c->reply, TEXT_SYNTAX);
            return false;
        }
    }
    return true;
}

static bool overlaps(struct slice a, struct slice b)
{
    size_t n = a.len < b.len ? a.len : b.len;

    return memcmp(a.p, b.p, n) == 0;
}

/* The prefixes of one client must not overlap, or it would be told twice. */
static bool prefixes_ok(struct call *c, const struct track_args *a)
{
    const struct client *cl = call_client(c);

    for (int i = 0; i < a->nprefixes; i++) {
        struct slice p = a->prefixes[i], other = {0};

        for (size_t k = 0; k < cl->track_prefixes.n && !other.p; k++)
            if (overlaps(p, cl->track_prefixes.at[k]))
                other = cl->track_prefixes.at[k];
        for (int k = i + 1; k < a->nprefixes && !other.p; k++)
            if (overlaps(p, a->prefixes[k]))
                other = a->prefixes[k];
        if (other.p && !(slice_eq(p, other))) {
            reply_errorf(c->reply, "ERR Prefix '%.*s' overlaps with an existing prefix '%.*s'. Prefixes for a single client must not overlap.",
                         (int)p.len, p.p, (int)other.len, other.p);
            return false;
        }
    }
    return true;
}

static const char *track_conflict(const struct client *cl, const struct track_args *a)
{
    if (!a->bcast && a->nprefixes > 0)
        return "ERR PREFIX option requires BCAST mode to be enabled";
    if (cl->tracking && cl->track_bcast != a->bcast)
        return "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a different mode.";
    if (a->bcast && (a->optin || a->optout))
        return "ERR OPTIN and OPTOUT are not compatible with BCAST";
    if (a->optin && a->optout)
        return "ERR You can't specify both OPTIN mode and OPTOUT mode";
    if ((a->optin && cl->track_optout) || (a->optout && cl->track_optin))
        return "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a different mode.";
    return NULL;
}

static void client_tracking(struct call *c)
{
    struct client *cl = call_client(c);
    struct track_args a = {0};
    const char *conflict;

    if (!parse_tracking(c, &a))
        return;
    if (arg_is(c, 2, "off")) {
        tracking_stop(cl);
        reply_ok(c->reply);
        return;
    }
    if (!arg_is(c, 2, "on")) {
        reply_error(c->reply, TEXT_SYNTAX);
        return;
    }
    conflict = track_conflict(cl, &a);
    if (conflict) {
        reply_error(c->reply, conflict);
        return;
    }
    if (a.bcast && !prefixes_ok(c, &a))
        return;
    if (a.bcast && a.nprefixes == 0)
        a.prefixes[a.nprefixes++] = (struct slice){"", 0};
    tracking_start(cl, (uint64_t)a.redirect, a.bcast);
    cl->track_noloop = a.noloop;
    cl->track_optin = a.optin;
    cl->track_optout = a.optout;
    for (int i = 0; i < a.nprefixes && a.bcast; i++)
        tracking_add_prefix(cl, a.prefixes[i]);
    reply_ok(c->reply);
}

static void client_caching(struct call *c)
{
    struct client *cl = call_client(c);

    if (!cl->tracking || (!cl->track_optin && !cl->track_optout)) {
        reply_error(c->reply, "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled");
    } else if (arg_is(c, 2, "yes")) {
        if (!cl->track_optin) {
            reply_error(c->reply, "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.");
            return;
        }
        cl->track_caching = true;
        reply_ok(c->reply);
    } else if (arg_is(c, 2, "no")) {
        if (!cl->track_optout) {
            reply_error(c->reply, "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.");
            return;
        }
        cl->track_caching = true;
        reply_ok(c->reply);
    } else {
        reply_error(c->reply, TEXT_SYNTAX);
    }
}

static void client_trackinginfo(struct call *c)
{
    const struct client *cl = call_client(c);
    struct reply *r = c->reply;
    const char *flags[8];
    size_t n = 0;

    flags[n++] = cl->tracking ? "on" : "off";
    if (cl->track_bcast)
        flags[n++] = "bcast";
    if (cl->track_optin) {
        flags[n++] = "optin";
        if (cl->track_caching)
            flags[n++] = "caching-yes";
    }
    if (cl->track_optout) {
        flags[n++] = "optout";
        if (cl->track_caching)
            flags[n++] = "caching-no";
    }
    if (cl->track_noloop)
        flags[n++] = "noloop";
    if (cl->track_broken)
        flags[n++] = "broken_redirect";
    reply_map(r, 3);
    reply_bulk_z(r, "flags");
    reply_set(r, n);
    for (size_t i = 0; i < n; i++)
        reply_bulk_z(r, flags[i]);
    reply_bulk_z(r, "redirect");
    reply_int(r, cl->tracking ? (int64_t)cl->track_redirect : -1);
    reply_bulk_z(r, "prefixes");
    reply_array(r, cl->track_prefixes.n);
    for (size_t i = 0; i < cl->track_prefixes.n; i++)
        reply_bulk_slice(r, cl->track_prefixes.at[i]);
}

#define CONN CMD_NOSCRIPT | CMD_LOADING | CMD_STALE

static const struct command own_subs[] = {
    {"tracking", -3, CONN, client_tracking, 0, 0, 0, "connection",
     "ON|OFF [REDIRECT client-id] [PREFIX prefix [PREFIX prefix ...]] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]",
     "Tell this client when keys that it read change.", "6.0.0"},
    {"caching", 3, CONN, client_caching, 0, 0, 0, "connection", "YES|NO", "Whether the next command's keys are tracked.", "6.0.0"},
    {"trackinginfo", 2, CONN, client_trackinginfo, 0, 0, 0, "connection", "", "How tracking is set up.", "6.2.0"},
};

#define OWN_SUBS (sizeof own_subs / sizeof own_subs[0])
#define SUBS_MAX 64
static struct command client_subs[SUBS_MAX];
static struct command client_row;

/* CLIENT has the subcommands of common/io and ours, so its row is put together at start. */
const struct command *client_command(void)
{
    size_t n = session_client_subs_n;

    CHECK(n + OWN_SUBS <= SUBS_MAX);
    memcpy(client_subs, session_client_subs, n * sizeof client_subs[0]);
    memcpy(client_subs + n, own_subs, sizeof own_subs);
    client_row = (struct command){"client", -2, CMD_CONTAINER, NULL, 0, 0, 0, "connection", "", "Looks after connections.", "2.4.0",
                                  client_subs, n + OWN_SUBS};
    return &client_row;
}

static void cmd_monitor(struct call *c)
{
    struct client *cl = call_client(c);

    if (!c->session->is_monitor) {
        c->session->is_monitor = true;
        list_append(&cl->srv->monitors, &cl->monitor_link);
    }
    reply_ok(c->reply);
}

const struct command conn_commands[] = {
    {"monitor", 1, CMD_ADMIN | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_NO_MULTI, cmd_monitor, 0, 0, 0, "server", "",
     "Show every command that runs.", "1.0.0"},
};
ROWS(conn);
