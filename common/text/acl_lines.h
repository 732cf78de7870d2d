/* The `user NAME rules...` lines of a configuration, kept as words until a server is there
 * to apply them to. */
#ifndef KV_TEXT_ACL_LINES_H
#define KV_TEXT_ACL_LINES_H

#include "common/text/acl.h"

struct acl_words {
    int argc;
    char **argv;                     /* name and rules; no NUL inside */
};

struct acl_lines {
    struct acl_words *at;
    size_t n;
};

/* One more line, without its first word. Refused (and not kept) when it is wrong, or with the lines before it is; commands
 * fills a table as the daemon has it. */
int  acl_lines_add(struct acl_lines *l, int argc, const struct slice *argv, void (*commands)(struct command_table *t), struct err *e);
void acl_lines_clear(struct acl_lines *l);
int  acl_lines_apply(const struct acl_lines *l, struct acl *a, struct err *e);

#endif
