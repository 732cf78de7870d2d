/* The list of categories, in the order in which they are shown. */
#include "common/text/category.h"

#include <string.h>

static const struct {
    const char *name;
    uint32_t flag;
    const char *group;
} categories[] = {
    {"keyspace", 0, "generic"},
    {"read", CMD_READ, NULL},
    {"write", CMD_WRITE, NULL},
    {"set", 0, "set"},
    {"sortedset", 0, "sorted-set"},
    {"list", 0, "list"},
    {"hash", 0, "hash"},
    {"string", 0, "string"},
    {"bitmap", 0, "bitmap"},
    {"hyperloglog", 0, "hyperloglog"},
    {"geo", 0, "geo"},
    {"stream", 0, "stream"},
    {"pubsub", CMD_PUBSUB, NULL},
    {"admin", CMD_ADMIN, NULL},
    {"fast", CMD_FAST, NULL},
    {"slow", 0, NULL},
    {"blocking", CMD_BLOCKING, NULL},
    {"dangerous", CMD_ADMIN | CMD_DANGEROUS, NULL},
    {"connection", 0, "connection"},
    {"transaction", 0, "transactions"},
    {"scripting", 0, "scripting"},
};
#define NCATEGORIES (sizeof categories / sizeof categories[0])

size_t category_count(void) { return NCATEGORIES; }
const char *category_name(size_t i) { return categories[i].name; }

bool category_find(struct slice name, size_t *i)
{
    for (*i = 0; *i < NCATEGORIES; ++*i)
        if (slice_is_nocase(name, categories[*i].name))
            return true;
    return false;
}

static bool named_in_row(const struct command *cmd, const char *name)
{
    size_t n = strlen(name);

    for (const char *at = cmd->categories; at && (at = strchr(at, '@')); at++)
        if (strncmp(at + 1, name, n) == 0 && (at[n + 1] == '\0' || at[n + 1] == ' '))
            return true;
    return false;
}

bool category_has(size_t i, const struct command *cmd)
{
    bool container = cmd->nsubs > 0 && (cmd->flags & CMD_CONTAINER);

    if (strcmp(categories[i].name, "slow") == 0)
        return container || !(cmd->flags & CMD_FAST);
    if (named_in_row(cmd, categories[i].name))
        return true;
    if (container)
        return false;
    if (cmd->flags & categories[i].flag)
        return true;
    if (cmd->categories && cmd->categories[0] == '=')
        return false;
    return categories[i].group && cmd->group && strcmp(cmd->group, categories[i].group) == 0;
}
