/* The first table: what a sentinel answers. */
#ifndef KV_SENTINEL_COMMANDS_H
#define KV_SENTINEL_COMMANDS_H

#include "common/text/command.h"

/* Everything: what every server of ours has, publish and subscribe, and the sentinel's own rows. */
void sentinel_commands(struct command_table *t);

/* cmd_view.c: reading */
void cmd_masters(struct call *c);
void cmd_master(struct call *c);
void cmd_replicas(struct call *c);
void cmd_sentinels(struct call *c);
void cmd_get_addr(struct call *c);
void cmd_is_down(struct call *c);
void cmd_ckquorum(struct call *c);
void cmd_myid(struct call *c);
void cmd_role(struct call *c);
void cmd_info_cache(struct call *c);
void cmd_pending_scripts(struct call *c);
/* cmd_change.c: changing */
void cmd_monitor(struct call *c);
void cmd_remove(struct call *c);
void cmd_set(struct call *c);
/* The same; and the group is formed under this node (an id), which leads whatever data the others have. NULL: nobody was named. */
void set_and_form(struct call *c, const char *primary);
void cmd_reset_groups(struct call *c);
void cmd_flushconfig(struct call *c);
void cmd_config_get(struct call *c);
void cmd_config_set(struct call *c);
void cmd_config(struct call *c);
void cmd_debug(struct call *c);
/* cmd_ha.c */
void cmd_sentinel_ha(struct call *c);
/* cmd_formed.c: failing over, and what stands in its way */
void cmd_failover(struct call *c);
void cmd_form(struct call *c);
void cmd_dissolve(struct call *c);
void cmd_drop_member(struct call *c);
void cmd_peers(struct call *c);
void cmd_explain(struct call *c);
void cmd_journal(struct call *c);
/* clients.c */
void cmd_info(struct call *c);
void cmd_publish(struct call *c);
void cmd_shutdown(struct call *c);
void cmd_sentinel_help(struct call *c);
void cmd_not_there(struct call *c);

struct shell;
struct shell *shell_of(const struct call *c);
/* The group of an argument, or NULL and the error is written. */
const struct group *group_arg(struct call *c, int at);

#endif
