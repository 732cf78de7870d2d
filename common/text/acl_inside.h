/* Between the acl files; not for others. */
#ifndef KV_TEXT_ACL_INSIDE_H
#define KV_TEXT_ACL_INSIDE_H

#include "common/base/vec.h"
#include "common/text/acl.h"

#define ACL_COMMANDS 1024                /* rows, subcommands included; the last bit stands for those still to come */
#define ACL_HASH_HEX 64
#define ACL_PATTERNS_MAX 10000           /* of one selector */
#define ACL_SELECTORS_MAX 1000

struct acl_pattern {
    char *text;
    size_t len;
    unsigned access;                     /* of keys: enum key_access */
};

struct acl_first_arg {
    int id;                              /* of the command */
    char *text;
};

struct acl_selector {
    uint64_t commands[ACL_COMMANDS / 64];
    bool all_commands, all_keys, all_channels;
    VEC(struct acl_pattern) keys;
    VEC(struct acl_pattern) channels;
    VEC(struct acl_first_arg) first_args;    /* "+select|0": allowed with this first argument only */
};

struct acl_user {
    char *name;
    size_t name_len;
    const struct acl *acl;
    bool on, nopass;
    enum { SANITIZE_UNSAID, SANITIZE, SANITIZE_SKIP } sanitize;     /* what was said of it is shown, no more */
    bool unlimited;                      /* root allows everything: the short way through acl_check */
    bool from_line;                      /* acl_line set it since acl_begin_lines */
    VEC(char *) hashes;                  /* ACL_HASH_HEX digits each */
    VEC(struct acl_selector *) selectors;    /* [0] is the root */
};

struct acl_row {
    const struct command *cmd, *parent;
    char *name;                          /* "config|get" */
};

struct acl {
    VEC(struct acl_row) rows;            /* by id, containers before their subcommands, otherwise in the order of names */
    struct dict id_of;                   /* address of a row -> id + 1 */
    struct dict by_name;                 /* "config|get" -> id + 1 */
    VEC(struct acl_user *) users;        /* sorted by name */
    struct acl_user *dflt;
    bool channels_default;
};

int acl_id(const struct acl *a, const struct command *cmd);                  /* -1: not of this table */
static inline bool acl_bit(const struct acl_selector *s, int id)
{
    return s->commands[id / 64] >> (id % 64) & 1;
}

struct acl_selector *acl_selector_new(const struct acl *a);
struct acl_selector *acl_selector_copy(const struct acl_selector *s);
void acl_selector_free(struct acl_selector *s);
/* One rule that is not about the user as a whole. */
int  acl_selector_rule(const struct acl *a, struct acl_selector *s, struct slice rule, struct err *e);
/* "+@all -debug", "~a %R~b", "&x": as GETUSER and LIST show them. */
void acl_put_commands(const struct acl *a, const struct acl_selector *s, struct str *out);
void acl_put_keys(const struct acl_selector *s, struct str *out);
void acl_put_channels(const struct acl_selector *s, struct str *out);

#endif
