/* Formed groups in the shell: one struct formed (core/formed.h) for each group that has a
 * record, is asked to have one, or is spoken to about one; its events are made here and its
 * actions carried out, in order. A group of which none of this is true costs nothing.
 *
 * What it stands between: the quiet core, which knows groups by core_id, nodes and peers by
 * address, and goes on watching them (health, hello, INFO) but neither fails a formed group
 * over nor re-points its nodes (EV_GROUP_FORMED); the links (control links to nodes,
 * ha_links.h; datagrams to peers over the peers' command links); the disk (save_formed).
 *
 *     on the wire, sentinel to sentinel:  SENTINEL HA <my id> <group> <line> [<group> <line> ...]   -> +OK
 *
 * <line> is a message as common/text/ha_text.h writes it. What gathers in one turn for one
 * peer goes in one command. */
#ifndef KV_SENTINEL_FORMED_GROUPS_H
#define KV_SENTINEL_FORMED_GROUPS_H

#include "common/base/str.h"
#include "sentinel/core/formed.h"
#include "sentinel/core/model.h"

struct shell;
struct session;
struct str;
struct formed_groups;

struct formed_groups *formed_groups_new(struct shell *sh);
void formed_groups_free(struct formed_groups *all);
/* After the core is restored: groups with facts on disk, and those whose configuration names a mode. Facts that cannot
 * be used make this sentinel an observer of that group, aloud. */
void formed_groups_start(struct formed_groups *all);

/* NULL: the group is plain and nobody spoke of forming it. */
const struct formed *formed_groups_find(const struct formed_groups *all, core_id group);
bool formed_groups_is_formed(const struct formed_groups *all, core_id group);     /* it has a record that is not dissolved */

/* An operator's event (FV_FORM, FV_SET, FV_HAND_OVER, FV_FORCE, FV_DISSOLVE, FV_REPLACE_VOTER, FV_DROP_MEMBER, FV_CANCEL):
 * the session is held and answered when FA_REPLY comes: +OK, or the error line. who NULL: nobody waits. */
void formed_groups_order(struct formed_groups *all, core_id group, struct formed_event *ev, struct session *who);
/* mode, sync-acks, voters, profile, member-drop-after of the group's configuration changed: FV_FORM or FV_SET if one is due.
 * primary: the id of the node that an operator says is to lead what is formed, or NULL. */
void formed_groups_wish(struct formed_groups *all, core_id group, const char *primary, struct session *who);
/* What the options ask for. false: no mode is asked for. *wrong (static or err text) if they violate T1-T8. */
bool formed_groups_want(const struct formed_groups *all, core_id group, struct formed_want *out, const char **wrong);

/* What happened. */
void formed_groups_peer_said(struct formed_groups *all, const char *from, const char *group, struct slice line);   /* SENTINEL HA */
void formed_groups_node_said(struct formed_groups *all, core_id node, const struct ha_msg *m);                     /* a control link */
void formed_groups_node_link(struct formed_groups *all, core_id node);     /* its control link came, went, or said who is there: ha_links knows */
void formed_groups_core_moved(struct formed_groups *all);          /* after each step of the core: its groups are to be looked at */
void formed_groups_turn(struct formed_groups *all);                /* nothing is being carried out any more: look at them */
void formed_groups_gone(struct formed_groups *all, core_id group); /* SENTINEL REMOVE */
void formed_groups_saves_again(struct formed_groups *all);         /* the disk works again */

uint64_t formed_groups_strangers(const struct formed_groups *all); /* messages that were ignored, for metrics */

/* The journal of a group: the last JOURNAL_LINES lines, oldest first; wall clock in ms. With a state folder they are kept
 * there, and those of earlier processes come first (journal_file.h). */
#define JOURNAL_LINES 512
size_t formed_groups_journal(const struct formed_groups *all, core_id group, size_t i, int64_t *wall_ms, const char **line);
/* A line of the plain path (failover steps of a plain group) goes into the same journal. */
void formed_groups_note(struct formed_groups *all, core_id group, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
