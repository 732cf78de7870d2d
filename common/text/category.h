/* ACL categories of commands: which there are, and which command is in which. A category
 * follows from a flag, from a group, or is named in the row. A container of subcommands
 * does nothing itself, so flags and groups say nothing about it. */
#ifndef KV_TEXT_CATEGORY_H
#define KV_TEXT_CATEGORY_H

#include "common/text/command.h"

size_t      category_count(void);
const char *category_name(size_t i);                  /* without '@' */
bool        category_find(struct slice name, size_t *i);    /* case ignored */
bool        category_has(size_t i, const struct command *cmd);

#endif
