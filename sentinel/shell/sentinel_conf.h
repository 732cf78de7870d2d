/* What the `sentinel ...` lines say: about the sentinel itself, about groups (settings),
 * and what was learned (state). Lines of one group may come in any order: options before
 * the `monitor` line are fine, what counts is that it is there in the end. */
#ifndef KV_SENTINEL_CONF_H
#define KV_SENTINEL_CONF_H

#include "common/base/dict.h"
#include "common/base/err.h"
#include "common/text/conf_edit.h"
#include "sentinel/core/saved.h"
#include "sentinel/shell/group_options.h"

struct conf_group {
    char *name;
    bool monitored;                  /* a `monitor` line (or SENTINEL MONITOR) was seen */
    bool in_file;                    /* it stands in the configuration file */
    struct addr configured;          /* the primary as that line has it */
    struct group_options opt;
    char **in_file_text;             /* in_file: each row's value there; one per row of the table */
    char *where;                     /* first line that named it, for a message */
};

struct sentinel_conf {
    bool deny_scripts_reconfig;
    bool resolve_hostnames, announce_hostnames;
    char *announce_ip;               /* NULL = the local end of each link */
    int64_t announce_port;           /* 0 = port */
    char *user, *pass;               /* sentinel-user, sentinel-pass: for links to other sentinels */
    struct saved saved;              /* what was on disk; given to the quiet room once */
    VEC(struct conf_group *) groups;
    struct dict by_name;
    VEC(char *) removed;             /* groups of the file that SENTINEL REMOVE took off */
    struct dict formed;              /* group -> text (char *): what a formed group promised, opaque here */
    char **in_file_text;             /* of the global rows, as the file has them */
    struct dict file_was;            /* "<group> <setting>" -> check of what the file said when it was changed here */
    bool ready;                      /* defaults are set */
};

/* A line without its first word. */
int  sentinel_conf_line(struct sentinel_conf *c, int argc, const struct slice *argv, struct err *e);
/* After the whole configuration: every group has its `monitor` line. Remembers what stood in the file. */
int  sentinel_conf_check(struct sentinel_conf *c, struct err *e);
/* The lines of the state folder, after that.
 *
 * Who wins: the configuration file, where its own words changed since the state was written (somebody
 * edited it); else what was changed at run time, or learned. That holds for each setting of a group, for each
 * setting of the sentinel, and for the address in a `monitor` line. A group removed at run time stays away as long as
 * the file names it; one added at run time is kept in the state. */
int  sentinel_conf_state(struct sentinel_conf *c, struct slice body, struct err *e);
void sentinel_conf_fini(struct sentinel_conf *c);

struct conf_group *sentinel_conf_find(struct sentinel_conf *c, const char *name);
struct conf_group *sentinel_conf_add(struct sentinel_conf *c, const char *name);
void sentinel_conf_remove(struct sentinel_conf *c, const char *name);

/* resolve-hostnames, announce-ip, ...: CONFIG GET, CONFIG SET and the lines share a table. */
extern const struct option_table sentinel_global_table;

/* NULL: this group was never formed here. */
const char *sentinel_conf_formed(struct sentinel_conf *c, const char *group);
void sentinel_conf_set_formed(struct sentinel_conf *c, const char *group, struct slice lines);

/* Everything as lines: for sentinel.conf (with the keys that are to go), or the blocks of the state folder. */
void sentinel_conf_to_file(struct sentinel_conf *c, const struct saved *s, struct conf_lines *out);
void sentinel_conf_self_state(struct sentinel_conf *c, const struct saved *s, struct str *body);
void sentinel_conf_group_state(struct sentinel_conf *c, const struct saved_group *g, struct str *body);
/* key_of for conf_rewrite. */
const char *sentinel_conf_key(int argc, const struct slice *argv, char out[512]);

#endif
