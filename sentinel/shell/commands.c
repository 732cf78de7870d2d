#include "sentinel/shell/commands.h"

#include "common/io/pubsub.h"
#include "common/io/session.h"
#include "sentinel/shell/crash.h"

#include <string.h>

#define ADMIN (CMD_ADMIN | CMD_SENTINEL | CMD_DANGEROUS)

static const struct command subs[] = {
    {"masters", 2, ADMIN, cmd_masters, .group = "sentinel", .syntax = "", .summary = "All groups that are watched, with their primaries.", .since = "2.8.4"},
    {"primaries", 2, ADMIN | CMD_HIDDEN, cmd_masters, .group = "sentinel", .syntax = "", .summary = "The same as MASTERS."},
    {"master", 3, ADMIN, cmd_master, .group = "sentinel", .syntax = "group", .summary = "One group and its primary.", .since = "2.8.4"},
    {"primary", 3, ADMIN | CMD_HIDDEN, cmd_master, .group = "sentinel", .syntax = "group", .summary = "The same as MASTER."},
    {"replicas", 3, ADMIN, cmd_replicas, .group = "sentinel", .syntax = "group", .summary = "The replicas of a group.", .since = "5.0.0"},
    {"slaves", 3, ADMIN, cmd_replicas, .group = "sentinel", .syntax = "group", .summary = "The same as REPLICAS.", .since = "2.8.0"},
    {"sentinels", 3, ADMIN, cmd_sentinels, .group = "sentinel", .syntax = "group", .summary = "The other sentinels of a group.", .since = "2.8.4"},
    {"get-master-addr-by-name", 3, ADMIN, cmd_get_addr, .group = "sentinel", .syntax = "group", .summary = "Where clients of a group shall write.", .since = "2.8.4"},
    {"get-primary-addr-by-name", 3, ADMIN | CMD_HIDDEN, cmd_get_addr, .group = "sentinel", .syntax = "group", .summary = "The same as GET-MASTER-ADDR-BY-NAME."},
    {"is-master-down-by-addr", 6, ADMIN, cmd_is_down, .group = "sentinel", .syntax = "ip port epoch id|*", .summary = "Of other sentinels: do you see it down, and do I have your vote?", .since = "2.8.4"},
    {"is-primary-down-by-addr", 6, ADMIN | CMD_HIDDEN, cmd_is_down, .group = "sentinel", .syntax = "ip port epoch id|*", .summary = "The same as IS-MASTER-DOWN-BY-ADDR."},
    {"ckquorum", 3, ADMIN, cmd_ckquorum, .group = "sentinel", .syntax = "group", .summary = "Are enough sentinels there for the quorum and for a majority?", .since = "2.8.4"},
    {"monitor", 6, ADMIN, cmd_monitor, .group = "sentinel", .syntax = "group host port quorum", .summary = "Watch a group from now on.", .since = "2.8.4"},
    {"remove", 3, ADMIN, cmd_remove, .group = "sentinel", .syntax = "group", .summary = "Do not watch a group any more.", .since = "2.8.4"},
    {"set", -5, ADMIN, cmd_set, .group = "sentinel", .syntax = "group option value [option value ...]", .summary = "Change settings of a group.", .since = "2.8.4"},
    {"reset", 3, ADMIN, cmd_reset_groups, .group = "sentinel", .syntax = "pattern", .summary = "Forget what was learned about the groups that match, and look anew.", .since = "2.8.4"},
    {"flushconfig", 2, ADMIN, cmd_flushconfig, .group = "sentinel", .syntax = "", .summary = "Write the state to disk now.", .since = "2.8.4"},
    {"failover", -3, ADMIN, cmd_failover, .group = "sentinel", .syntax = "group [COORDINATED] [TO host port] [FORCE seals]", .summary = "Give the group another primary by a hand-over that loses nothing. In a plain group no other sentinel is asked, and without COORDINATED the office is taken if it is not given.", .since = "2.8.4"},
    {"config", -3, ADMIN, cmd_config, .group = "sentinel", .syntax = "GET pattern | SET name value [name value ...]", .summary = "Settings of the sentinel itself.", .since = "6.2.0"},
    {"myid", 2, ADMIN, cmd_myid, .group = "sentinel", .syntax = "", .summary = "The id of this sentinel.", .since = "6.2.0"},
    {"debug", -2, ADMIN, cmd_debug, .group = "sentinel", .syntax = "[name milliseconds ...]", .summary = "Show or change periods and limits.", .since = "7.0.0"},
    {"info-cache", -3, ADMIN, cmd_info_cache, .group = "sentinel", .syntax = "group [group ...]", .summary = "The last INFO of each node of these groups, and its age in milliseconds.", .since = "3.2.0"},
    {"pending-scripts", 2, ADMIN, cmd_pending_scripts, .group = "sentinel", .syntax = "", .summary = "Scripts that run or wait.", .since = "2.8.4"},
    {"simulate-failure", -3, ADMIN, cmd_simulate_failure, .group = "sentinel", .syntax = "crash-after-election|crash-after-promotion|HELP ...", .summary = "For tests: let this sentinel end at a point of a failover.", .since = "3.2.0"},
    {"ha", -5, ADMIN | CMD_HIDDEN, cmd_sentinel_ha, .group = "sentinel", .syntax = "id group message [group message ...]", .summary = "Of other sentinels: messages of formed groups."},
    {"explain", 3, ADMIN | CMD_HIDDEN, cmd_explain, .group = "sentinel", .syntax = "group", .summary = "Could the group fail over now, to whom, and if not, what lacks."},
    {"journal", -3, ADMIN | CMD_HIDDEN, cmd_journal, .group = "sentinel", .syntax = "group [count]", .summary = "The last lines of the group's journal, oldest first: time in milliseconds, line."},
    {"peers", -3, ADMIN | CMD_HIDDEN, cmd_peers, .group = "sentinel", .syntax = "group [REPLACE old-id new-id | CANCEL]", .summary = "Who votes in a group; put another sentinel, or the new memory of one, in a voter's place (carried on until it is done, or CANCEL)."},
    {"form", -6, ADMIN | CMD_HIDDEN, cmd_form, .group = "sentinel", .syntax = "group [mode] PRIMARY host port [setting value ...]", .summary = "Form a group whose nodes all have data and follow nobody: this one leads, a copy of it replaces what the others have."},
    {"dissolve", -3, ADMIN | CMD_HIDDEN, cmd_dissolve, .group = "sentinel", .syntax = "group [FORCE]", .summary = "Make a formed group plain again; FORCE: without the nodes that cannot be heard, which stay fenced until it is said again."},
    {"drop", 5, ADMIN | CMD_HIDDEN, cmd_drop_member, .group = "sentinel", .syntax = "group host port", .summary = "Take a replica out of a formed group's members; it may come back by itself when it is there again."},
    {"help", 2, CMD_SENTINEL, cmd_sentinel_help, .group = "sentinel", .syntax = "", .summary = "This list.", .since = "6.2.0"},
};

static const struct command rows[] = {
    {"sentinel", -2, ADMIN | CMD_CONTAINER, NULL, .group = "sentinel", .syntax = "", .summary = "Ask or tell a sentinel.", .since = "2.8.4",
     .subs = subs, .nsubs = sizeof subs / sizeof subs[0]},
    {"role", 1, CMD_SENTINEL | CMD_FAST | CMD_DANGEROUS, cmd_role, .group = "server", .syntax = "", .summary = "That this is a sentinel, and its groups.", .since = "2.8.12",
     .categories = "@admin @dangerous"},
    {"info", -1, CMD_SENTINEL | CMD_DANGEROUS, cmd_info, .group = "server", .syntax = "[section ...]", .summary = "Figures about this sentinel.", .since = "1.0.0"},
    {"publish", 3, CMD_PUBSUB | CMD_SENTINEL | CMD_FAST, cmd_publish, .group = "pubsub", .syntax = "channel message", .summary = "Hello messages of other sentinels.", .since = "2.0.0",
     .channels = CHANNELS_PUBLISH},
    {"shutdown", -1, ADMIN, cmd_shutdown, .group = "server", .syntax = "[NOSAVE|SAVE] [NOW] [FORCE]", .summary = "Stop this sentinel.", .since = "1.0.0"},
};

/* Programs count what a sentinel lists (15 commands, 72 names), so what we have beyond that works
 * but is not listed, and what we lack is listed and says that it is not there. */
static const char *const not_listed[] = {"quit", "reset"};
static const char *const client_not_listed[] = {"setinfo", "no-touch"};

#define LACKS(sub, text) {sub, -2, ADMIN, cmd_not_there, .group = "server", .syntax = "", .summary = text}
static const struct command client_lacks[] = {
    LACKS("caching", "Not on a sentinel: there is nothing to track."),
    LACKS("tracking", "Not on a sentinel: there is nothing to track."),
    LACKS("trackinginfo", "Not on a sentinel: there is nothing to track."),
    LACKS("unblock", "Not on a sentinel: nothing blocks."),
};
static bool is_in(const char *name, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i], name) == 0)
            return true;
    return false;
}

/* A container of the common table with its own subcommands and ours; row and subs are static memory. */
static void widen(struct command_table *t, const char *name, struct command *row, struct command *into, size_t cap,
                  const struct command *more, size_t nmore)
{
    const struct command *old = command_find_name(t, slice_z(name));
    size_t n = 0;

    for (size_t i = 0; i < old->nsubs && n < cap; i++) {
        into[n] = old->subs[i];
        if (strcmp(name, "client") == 0 && is_in(old->subs[i].name, client_not_listed, 2))
            into[n].flags |= CMD_HIDDEN;
        n++;
    }
    for (size_t i = 0; i < nmore; i++) {
        size_t k = 0;

        while (k < n && strcmp(into[k].name, more[i].name) != 0)
            k++;
        if (k == n && n < cap)
            into[n++] = more[i];
    }
    *row = *old;
    row->subs = into;
    row->nsubs = n;
    command_table_add(t, row, 1);
}

void sentinel_commands(struct command_table *t)
{
    static struct command hidden[sizeof not_listed / sizeof not_listed[0]], client, client_subs[32];

    command_table_add(t, session_commands, session_commands_n);
    command_table_add(t, pubsub_commands, pubsub_commands_n);
    command_table_add(t, rows, sizeof rows / sizeof rows[0]);
    command_table_remove(t, "echo");
    command_table_remove(t, "pubsub");
    for (size_t i = 0; i < sizeof not_listed / sizeof not_listed[0]; i++) {
        hidden[i] = *command_find_name(t, slice_z(not_listed[i]));
        hidden[i].flags |= CMD_HIDDEN;
        command_table_add(t, &hidden[i], 1);
    }
    widen(t, "client", &client, client_subs, 32, client_lacks, sizeof client_lacks / sizeof client_lacks[0]);
}
