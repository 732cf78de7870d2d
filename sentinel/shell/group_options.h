/* The settings of a group, one row each: what `sentinel <option> <group> <value>` lines,
 * SENTINEL SET, the fields of SENTINEL MASTER and a rewrite have in common. What the
 * quiet room decides with is handed on to it; the rest is the shell's own. */
#ifndef KV_SENTINEL_GROUP_OPTIONS_H
#define KV_SENTINEL_GROUP_OPTIONS_H

#include "common/base/vec.h"
#include "common/text/option.h"

struct rename {
    char *from, *to;
};

struct group_options {
    int64_t quorum;
    int64_t down_after_ms;
    int64_t failover_timeout_ms;
    int64_t parallel_syncs;
    int64_t reboot_down_after_ms;      /* master-reboot-down-after-period, 0 = off */
    bool crash_evidence;
    char *notification_script, *client_reconfig_script;
    char *auth_user, *auth_pass;
    char *directory;                   /* name of the group that holds config:redis:<this group>, or NULL */
    VEC(struct rename) renames;
    /* a formed group; its words are in common/base/ha.h */
    int mode;                          /* enum ha_mode; GROUP_MODE_NONE = plain, as redis-sentinel */
    int64_t sync_acks;                 /* k; 0 = half of the replicas, at least 1 */
    char *profile;                     /* lan, cloud, wan; NULL = in proportion to down-after-milliseconds */
    int64_t voters;                    /* 3 or 5 */
    int64_t member_drop_after_ms;      /* strict: gone for so long, it leaves the members; 0 = never */
};
#define GROUP_MODE_NONE (-1)

extern const struct option_table group_option_table;

void group_options_init(struct group_options *g);
void group_options_fini(struct group_options *g);
/* Is this the row of a script path (SENTINEL SET may be forbidden to touch it)? */
bool group_option_is_script(const struct option *o);
/* Are the scripts that are set there, and executable? Relative paths count from `dir`, so this is asked
 * after that was entered, not while a file is read. */
int  group_options_scripts_ok(const struct group_options *g, struct err *e);
/* How many values the option takes (rename-command two, the others one). */
int  group_option_values(const struct option *o);
/* The name a command has on this group's nodes. */
const char *group_options_renamed(const struct group_options *g, const char *command);
/* Each "sentinel <option> <name> <value>" line that differs from the default, with the key of its place. */
void group_options_lines(const struct group_options *g, const char *name,
                         void (*line)(void *arg, const char *key, const char *text), void *arg);

#endif
