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
    bool seal_replicas;
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
#define DOWN_AFTER_UNSET_MS 30000      /* the default of down-after-milliseconds: a profile's own counts instead */

struct formed_want;
struct ha_record;

extern const struct option_table group_option_table;

void group_options_init(struct group_options *g);
void group_options_fini(struct group_options *g);
/* Is this the row of a script path (SENTINEL SET may be forbidden to touch it)? */
bool group_option_is_script(const struct option *o);
/* Is this a row that says how a group is formed (down-after-milliseconds and crash-evidence are among them)? */
bool group_option_is_formed(const struct option *o);
/* How long a node may be silent, a profile's own value counted in. */
int64_t group_options_down_after(const struct group_options *g);
/* What these options ask for; false: no mode. *wrong: the line of T1-T8 that they violate (good until the next
 * call), or NULL. */
bool group_options_want(const struct group_options *g, struct formed_want *out, const char **wrong);
/* The record says it: mode, sync-acks (unless left to the default), voters, timing, member-drop-after as there; true = something changed.
 * A dissolved one: plain. */
bool group_options_follow(struct group_options *g, const struct ha_record *r);
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
