/* The sentinel's whole turn: something happened -> core_step -> carry out what it says,
 * in that order -> sleep until the deadline. This is the one place that hands events to
 * the quiet room; the files around it make events and do deeds. */
#ifndef KV_SENTINEL_SHELL_H
#define KV_SENTINEL_SHELL_H

#include "common/io/loop.h"
#include "common/io/pubsub.h"
#include "common/io/resolve.h"
#include "common/io/resp_server.h"
#include "sentinel/core/core.h"
#include "sentinel/shell/options.h"

struct links;
struct save;
struct hooks;
struct directory;
struct status;
struct accounts;
struct ha_links;
struct formed_groups;

/* A question of a client to the quiet room: answered within the same step. */
struct shell_answer {
    uint64_t ticket;
    bool answered;
    bool ok;                     /* ACT_REPLY */
    char text[256];
    bool down;                   /* ACT_ANSWER */
    char leader[ID_MAX];
    uint64_t leader_epoch;
};

struct shell {
    struct loop *loop;
    struct resolver *resolver;
    struct sentinel_options *opt;
    const char *config_path;     /* NULL: none */
    struct core *core;
    struct actions actions;
    struct timer deadline;
    bool busy;                   /* a step is being carried out */
    VEC(struct event) later;     /* events that came meanwhile: only those without pointers */
    struct shell_answer *asking;
    uint64_t last_ticket;
    struct links *links;
    struct save *save;
    struct hooks *hooks;
    struct directory *directory;
    struct status *status;
    struct accounts *accounts;
    struct ha_links *ha_links;
    struct formed_groups *formed;
    struct resp_server server;
    struct command_table commands;
    struct pubsub pubsub;
    struct dict switched;        /* replay.c: group -> payload of its last +switch-master */
    uint64_t *event_counts;      /* one per row of sentinel_events */
    int64_t started_at_ms, started_wall_ms;
    char run_id[ID_MAX];         /* of this process; my id as a sentinel is core_my_id */
    int exit_code;
};

struct shell *shell_new(struct loop *l, struct sentinel_options *o, const char *config_path);
void shell_free(struct shell *sh);
/* Everything up: state read, groups known, listening. */
int  shell_start(struct shell *sh, struct err *e);
void shell_stop(struct shell *sh, int code);

/* Hand one event in; now_ms is filled in here. */
void shell_step(struct shell *sh, struct event *ev);
/* The same, and wait for the answer (it comes within the step). */
void shell_ask(struct shell *sh, struct event *ev, struct shell_answer *a);
struct conf_group *shell_group_conf(struct shell *sh, core_id group);
/* Hand in a group that conf knows (EV_GROUP_ADD and its settings); restored: it is no news. */
bool shell_add_group(struct shell *sh, struct conf_group *g, bool restored, struct shell_answer *a);
void shell_set_group(struct shell *sh, core_id group, const struct conf_group *g);
void shell_announce(struct shell *sh);           /* EV_SELF from the options */
/* "master mymaster 127.0.0.1 6379" / "slave ip:port ip port @ mymaster ip port" */
void shell_describe(const struct shell *sh, const struct group *g, const struct node *n, struct str *out);
/* One text per node: what a name or an address from outside is called here. false: it cannot be used
 * (yet); a look-up may have been started. */
bool shell_same_addr(struct shell *sh, struct addr *a);
/* As clients, nodes and other sentinels are told it: a name only with announce-hostnames. */
struct addr shell_shown(const struct shell *sh, const struct addr *a);

#endif
