/* SENTINEL HA: what sentinels of a formed group say to each other. */
#include "common/io/session.h"
#include "sentinel/shell/commands.h"
#include "sentinel/shell/formed_groups.h"
#include "sentinel/shell/shell.h"

/* SENTINEL HA <id> <group> <line> [<group> <line> ...] */
void cmd_sentinel_ha(struct call *c)
{
    char from[ID_MAX], group[GROUP_NAME_MAX];

    if (c->argc % 2 == 0 || !slice_copy_z(c->argv[2], from, sizeof from)) {
        reply_error(c->reply, "ERR HA takes the sentinel's id and then pairs of a group and a message");
        return;
    }
    c->session->exempt_idle = true;
    for (int i = 3; i + 1 < c->argc; i += 2)
        if (slice_copy_z(c->argv[i], group, sizeof group))
            formed_groups_peer_said(shell_of(c)->formed, from, group, c->argv[i + 1]);
    reply_ok(c->reply);
}
