/* What the files behind formed_groups.h share.
 *
 *   formed_groups.c   the door: groups made and forgotten, orders, what others say
 *   formed_known.c    whom a group knows: its nodes, peers and the odown of its primary, as events
 *   formed_deeds.c    a step and its list carried out; peers' lines, waiting sessions
 *   formed_journal.c  the last lines of each group, and where they outlive the process */
#ifndef KV_SENTINEL_FORMED_INSIDE_SHELL_H
#define KV_SENTINEL_FORMED_INSIDE_SHELL_H

#include "common/io/loop.h"
#include "sentinel/shell/formed_groups.h"
#include "sentinel/shell/journal_file.h"
#include "sentinel/shell/shell.h"

/* One that the quiet room was told of. */
struct known {
    bool is_node;
    char id[ID_MAX];
    core_id at;                    /* node or peer; 0 = only the record knows it */
    struct addr addr;
    bool up, refused;
    bool seen;                     /* in this round of looking */
};

struct journal_line {
    int64_t wall_ms;
    char *text;
};

struct fgroup {
    struct formed_groups *all;
    core_id id;
    char name[GROUP_NAME_MAX];
    struct formed *f;              /* NULL: only a journal so far */
    struct formed_out out;
    struct timer due;
    VEC(struct known) known;
    VEC(core_id) own_data;         /* nodes of which it was said that they have data of their own */
    bool changed;                  /* in all->changed */
    bool odown, formed;            /* as it was told */
    uint64_t odown_epoch;          /* ... of the primary of this epoch */
    bool stranger;                 /* the record names another life of ours: said once */
    uint64_t gid, ballot;          /* the record that the settings follow */
    uint32_t change;
    struct journal_line journal[JOURNAL_LINES];
    size_t journal_n, journal_first;
};

struct waiter {
    uint64_t ticket, session;
    core_id group;
    int64_t until_ms, limit_ms;
    enum formed_event_kind asked;
};

/* What goes to one peer at the end of the turn: group, line, group, line ... */
struct peer_words {
    core_id peer;
    VEC(char *) words;
};

struct formed_groups {
    struct shell *sh;
    struct dict by_id;             /* core_id -> struct fgroup */
    VEC(core_id) changed;          /* groups to look at when the present step is over */
    bool busy;                     /* a list is being carried out */
    bool turning;
    VEC(struct peer_words) peers;
    struct loop_hook flush;
    bool hurry;                    /* flush writes at once */
    VEC(struct waiter) waiting;
    struct timer patience;
    uint64_t last_ticket;
    struct journal_file *journal;  /* NULL: no state folder, or it is not ours to write in */
    uint64_t journal_lost;         /* lines that it could not keep, as far as that was said */
    uint64_t strangers;            /* SENTINEL HA of somebody a group does not know, or that means nothing */
};

struct fgroup *fgroup_find(const struct formed_groups *all, core_id group);
struct fgroup *fgroup_get(struct formed_groups *all, core_id group);       /* made if there is none; NULL: no such group */
const struct ha_record *fgroup_record(const struct fgroup *g);             /* NULL: none, or of a dissolved group */

/* --- formed_known.c --- */
void fgroup_look(struct fgroup *g);                                        /* who is there, who is up, is it down */
void fgroup_look_odown(struct fgroup *g);
const struct known *fgroup_known(const struct fgroup *g, bool node, const char *id);

/* --- formed_deeds.c --- */
void fgroup_step(struct fgroup *g, struct formed_event *ev);
void fgroup_news(struct fgroup *g, const char *text);
void formed_deeds_init(struct formed_groups *all);
void formed_deeds_fini(struct formed_groups *all);
/* Holds the session; its ticket. */
uint64_t formed_wait(struct formed_groups *all, const struct fgroup *g, enum formed_event_kind asked, struct session *who);

/* --- formed_journal.c --- */
void formed_journal_start(struct formed_groups *all);                      /* reads what an earlier process wrote, goes on writing */
void fgroup_journal(struct fgroup *g, const char *text);

#endif
