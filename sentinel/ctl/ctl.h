/* What every verb is given: who to ask, how to print, and the table of verbs. */
#ifndef KV_CTL_CTL_H
#define KV_CTL_CTL_H

#include "sentinel/ctl/call.h"
#include "sentinel/ctl/table.h"

#include <stdbool.h>

#define CTL_SENTINELS_MAX 16
#define CTL_ADDRS_MAX 16
#define CTL_WORDS_MAX 20
#define CTL_PATIENCE_MS 60000      /* what several decide together takes so long at most */

/* Exit codes: documented in --help, relied upon by scripts. */
enum ctl_exit {
    EXIT_OK_ = 0,
    EXIT_FAILED = 1,         /* it was tried and did not work */
    EXIT_USAGE = 2,
    EXIT_NO_SENTINEL = 3,    /* none of the sentinels given could be asked */
    EXIT_REFUSED = 4,        /* a sentinel or node said no */
    EXIT_TIMEOUT = 5,        /* asked for, not seen to happen in time */
    EXIT_UNHEALTHY = 6       /* status: at least one group is not well */
};

struct ctl {
    struct loop *loop;
    struct resolver *resolver;
    struct addr sentinels[CTL_SENTINELS_MAX];
    size_t nsentinels;
    const char *user, *password;              /* for sentinels */
    const char *node_user, *node_password;    /* for data nodes */
    const char *directory;                    /* group that holds config:*, or host:port of its primary; NULL = find it */
    int64_t timeout_ms;
    enum ctl_output output;
    bool json;                                /* output is OUT_JSON */
    bool no_wait;
    int64_t watch_ms;                         /* 0 = once */
    bool wait, yes;
    int64_t wait_ms;
    const char *if_sha, *by;
    struct conn *sentinel;                    /* the one that answered */
    struct addr sentinel_addr;
};

struct verb {
    const char *name;
    const char *syntax;
    const char *summary;
    const char *help;          /* paragraphs; exit codes that are special to it */
    int min_args, max_args;    /* words after the name */
    int (*run)(struct ctl *c, int argc, char **argv);
    bool tables;               /* its output may also be jsonl and tsv */
};
extern const struct verb verbs[];
extern const size_t verbs_n;
/* what a failover needs and what it left: failing.c */
int run_explain(struct ctl *c, int argc, char **argv);
int run_journal(struct ctl *c, int argc, char **argv);
int run_peers(struct ctl *c, int argc, char **argv);
int run_tail(struct ctl *c, int argc, char **argv);
/* switching.c */
int run_failover(struct ctl *c, int argc, char **argv);
int run_switchover(struct ctl *c, int argc, char **argv);
/* form.c */
int run_form(struct ctl *c, int argc, char **argv);
/* any.c */
int run_any(struct ctl *c, int argc, char **argv);
/* what the directory holds: config.c, fleet.c */
int run_config(struct ctl *c, int argc, char **argv);
int run_nodes(struct ctl *c, int argc, char **argv);
int run_services(struct ctl *c, int argc, char **argv);
int run_resolve(struct ctl *c, int argc, char **argv);

/* The first sentinel that answers; EXIT_NO_SENTINEL (and a sentence on stderr) if none does. */
int  ctl_find_sentinel(struct ctl *c);
/* To this one from now on, one of several: false, and a sentence on stderr, when it cannot be asked. */
bool ctl_turn_to(struct ctl *c, const struct addr *a);
/* SENTINEL <sub> [arg]; an error reply becomes a sentence on stderr. */
int  ctl_ask(struct ctl *c, const char *sub, const char *arg, struct val **out);
/* A connection to the primary of a group, checked by ROLE. */
int  ctl_open_primary(struct ctl *c, const char *group, struct conn **out, struct addr *at);
/* Any command, words as they are. */
int  ctl_tell(struct ctl *c, int argc, const struct slice *argv, struct val **out);
/* SENTINEL <words>, once; fewer than CTL_WORDS_MAX. */
int  ctl_words(struct ctl *c, int n, const char *const *words, struct val **out);
/* A link to a data node, with its user and password; each answer may take timeout_ms. */
int  ctl_open_node(struct ctl *c, const struct addr *at, int64_t timeout_ms, struct conn **out, struct err *e);
/* The other sentinels of a group, as this one knows them; addresses, at most cap. */
size_t ctl_other_sentinels(struct ctl *c, const char *group, struct addr *out, size_t cap);
/* Where clients of the group are told to write. */
bool ctl_primary_addr(struct ctl *c, const char *group, struct addr *out);
int  ctl_directory_group(struct ctl *c, char out[256]);
void ctl_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));    /* to stderr, with the program's name */

#endif
