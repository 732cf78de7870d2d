/* The command table type. One row answers dispatch, arity, permissions, COMMAND,
 * COMMAND DOCS, HELP and the reference page.
 *
 *   { "expire", -3, CMD_WRITE | CMD_FAST, cmd_expire, 1, 1, 1, "generic",
 *     "key seconds [NX|XX|GT|LT]", "Drop a key after a number of seconds.", .since = "1.0.0" },
 *
 * Arity counts the name; negative is "at least". For subcommands arity counts the
 * container's name too, as Redis does. Keys: first argument index that is a key
 * (0 = none), last (negative counts from the end, -1 = last argument), step; or get_keys
 * for what does not fit. A table is put together from several arrays, so that each
 * room brings its own rows; a later row replaces an earlier one of the same name. */
#ifndef KV_TEXT_COMMAND_H
#define KV_TEXT_COMMAND_H

#include "common/base/dict.h"
#include "common/base/err.h"
#include "common/base/str.h"
#include "common/text/resp_reply.h"

#include <stdbool.h>
#include <stdint.h>

enum command_flag {
    CMD_WRITE      = 1 << 0,     /* may change data: refused on read-only replicas, propagated */
    CMD_READ       = 1 << 1,
    CMD_DENYOOM    = 1 << 2,     /* may use memory */
    CMD_ADMIN      = 1 << 3,
    CMD_PUBSUB     = 1 << 4,
    CMD_NOSCRIPT   = 1 << 5,
    CMD_BLOCKING   = 1 << 6,
    CMD_LOADING    = 1 << 7,     /* allowed while loading */
    CMD_STALE      = 1 << 8,     /* allowed on a replica that lost its primary */
    CMD_NO_AUTH    = 1 << 9,     /* allowed before AUTH */
    CMD_FAST       = 1 << 10,
    CMD_NO_MULTI   = 1 << 11,    /* refused inside MULTI */
    CMD_NO_MONITOR = 1 << 12,
    CMD_MAY_REPLICATE = 1 << 13, /* not a write, yet may be propagated (PUBLISH) */
    CMD_SUB_OK     = 1 << 14,    /* allowed for a RESP2 client that has subscriptions */
    CMD_NO_QUEUE   = 1 << 15,    /* runs at once inside MULTI (EXEC, DISCARD, WATCH, QUIT, RESET) */
    CMD_SENTINEL   = 1 << 16,
    CMD_CONTAINER  = 1 << 17,    /* only subcommands do something */
    CMD_MOVABLE    = 1 << 18,    /* keys cannot be told from first/last/step */
    CMD_NO_ASYNC_LOADING = 1 << 19,
    CMD_DANGEROUS  = 1 << 20,    /* ACL category only */
    CMD_PROTECTED  = 1 << 21,    /* DEBUG: switchable by enable-debug-command */
    CMD_HIDDEN     = 1 << 22,    /* works, and is not in COMMAND's lists and counts */
    CMD_HEALTH     = 1 << 23     /* PING: refused like a write while saving fails, so that whoever watches sees it */
};

/* Arguments that are channels. */
enum command_channels {
    CHANNELS_NONE,
    CHANNELS_PUBLISH,                /* the first argument */
    CHANNELS_SUBSCRIBE,              /* all */
    CHANNELS_PATTERNS                /* all, and they are patterns */
};

struct session;        /* common/io/session.h */
struct command;

/* One command being run. Borrowed by run() until it returns. */
struct call {
    const struct command *cmd;       /* the row, of the subcommand if there is one */
    int argc;
    const struct slice *argv;        /* argv[0] is the name as sent */
    struct reply *reply;             /* where the answer goes */
    struct session *session;         /* who asks; NULL when replayed by the program itself */
    void *user;                      /* the daemon's own thing for this session (kvnode: struct client) */
};

struct command {
    const char *name;                /* lower case */
    int arity;
    uint32_t flags;                  /* enum command_flag */
    void (*run)(struct call *c);
    int first_key, last_key, key_step;
    const char *group;               /* "generic", "string", "server", ... */
    const char *syntax;              /* arguments after the name, "" for none */
    const char *summary;             /* one sentence */
    const char *since;               /* Redis version, may be NULL */
    const struct command *subs;      /* subcommands, or NULL */
    size_t nsubs;
    /* Index of each key argument into out (cap entries); returns the count or -1. */
    int (*get_keys)(int argc, const struct slice *argv, int *out, int cap);
    const char *categories;          /* further ACL categories, "@keyspace @hash", or NULL; "=@connection": not that of the group */
    /* What happens to the keys, for ACLs: a word of R (its value is read), W (it is changed), RW or - (only
     * whether it is there) per key, the last one for all that follow. NULL: R for CMD_READ, RW for CMD_WRITE. */
    const char *access;
    const char *(*access_of)(int argc, const struct slice *argv);   /* where that hangs on the arguments */
    enum command_channels channels;
};

struct command_table {
    struct dict by_name;             /* lower-case name -> const struct command* */
    struct dict parents;             /* address of a subcommand's row -> its container's row */
};

void command_table_init(struct command_table *t);
void command_table_fini(struct command_table *t);
void command_table_add(struct command_table *t, const struct command *rows, size_t n);
bool command_table_remove(struct command_table *t, const char *name);                       /* rename-command X "" */
bool command_table_rename(struct command_table *t, const char *old_name, const char *new_name);
/* The row for argv[0] (and argv[1] for containers with that subcommand); NULL: unknown. A container
 * without subcommand is found itself: its arity, or its run, says what that means. A row with
 * subcommands that is no CMD_CONTAINER takes an unknown second word as an ordinary argument. */
const struct command *command_find(const struct command_table *t, int argc, const struct slice *argv);
const struct command *command_find_name(const struct command_table *t, struct slice name);  /* "config|get" too */
/* Is the count of arguments right for this row? */
bool command_arity_ok(const struct command *cmd, int argc);
/* Redis' own error texts for: unknown command (with the beginning of its arguments),
 * unknown subcommand, wrong number of arguments. Without the leading '-'. */
void command_unknown_text(int argc, const struct slice *argv, const struct command_table *t, struct str *out);
void command_arity_text(const struct command *cmd, const struct command_table *t, struct str *out);
const char *command_full_name(const struct command *cmd, const struct command_table *t, char out[64]);  /* "config|get" */
/* Positions of the keys in argv: how many, or -1 when the arguments make no sense or cap is too small
 * (argc entries always suffice). */
int  command_keys(const struct command *cmd, int argc, const struct slice *argv, int *out, int cap);
/* What is done to the i-th of those keys (counted from 0): KEY_READ, KEY_WRITE, both or none. */
enum key_access { KEY_READ = 1, KEY_WRITE = 2 };
unsigned command_key_access(const struct command *cmd, int argc, const struct slice *argv, int i);

/* COMMAND and its subcommands (COUNT, DOCS, GETKEYS, GETKEYSANDFLAGS, INFO, LIST [FILTERBY], HELP), for any daemon. */
void command_reply(struct reply *r, const struct command_table *t, int argc, const struct slice *argv);
/* "<CONTAINER> <subcommand> [<arg> ...]..." lines as Redis' HELP subcommands print them. */
void command_reply_help(struct reply *r, const struct command *container);
/* Reference page in Markdown, sorted by group and name. */
void command_markdown(const struct command_table *t, struct str *out);

#endif
