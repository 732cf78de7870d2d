/* May this user run this? Asked for every request: users that may do everything are
 * answered by one flag, the others selector by selector. */
#include "common/text/acl_inside.h"

#include "common/base/glob.h"
#include "common/base/mem.h"

#include <string.h>

#define KEYS_INLINE 64

static bool command_ok(const struct acl *a, const struct acl_selector *s, const struct command *cmd, int argc,
                       const struct slice *argv)
{
    int id;

    if (s->all_commands || (cmd->flags & CMD_NO_AUTH))
        return true;
    id = acl_id(a, cmd);
    if (id < 0)
        return false;
    if (acl_bit(s, id))
        return true;
    for (size_t i = 0; argc > 1 && i < s->first_args.n; i++) {
        int at = a->rows.at[id].parent ? 2 : 1;

        if (s->first_args.at[i].id == id && at < argc && slice_is_nocase(argv[at], s->first_args.at[i].text))
            return true;
    }
    return false;
}

static bool key_ok(const struct acl_selector *s, struct slice key, unsigned access)
{
    for (size_t i = 0; i < s->keys.n; i++) {
        const struct acl_pattern *p = &s->keys.at[i];

        if ((p->access & access) == access && glob_match(p->text, p->len, key.p, key.len, false))
            return true;
    }
    return false;
}

/* A pattern is only allowed word for word: what it matches nobody can tell. */
static bool channel_ok(const struct acl_selector *s, struct slice channel, bool pattern)
{
    if (s->all_channels)
        return true;
    for (size_t i = 0; i < s->channels.n; i++) {
        const struct acl_pattern *p = &s->channels.at[i];

        if (pattern ? p->len == channel.len && memcmp(p->text, channel.p, p->len) == 0
                    : glob_match(p->text, p->len, channel.p, channel.len, false))
            return true;
    }
    return false;
}

/* Index of the first key that is refused, 0: none. */
static int bad_key(const struct acl_selector *s, const struct command *cmd, int argc, const struct slice *argv)
{
    int few[KEYS_INLINE], *at = few, n, bad = 0;

    if (s->all_keys || (cmd->first_key <= 0 && !cmd->get_keys))
        return 0;
    if (argc > KEYS_INLINE)
        at = mem_alloc((size_t)argc * sizeof *at);
    n = command_keys(cmd, argc, argv, at, argc);       /* -1: arguments without sense, which the command will say */
    for (int i = 0; i < n && !bad; i++)
        if (!key_ok(s, argv[at[i]], command_key_access(cmd, argc, argv, i)))
            bad = at[i];
    if (at != few)
        mem_free(at);
    return bad;
}

static int bad_channel(const struct acl_selector *s, const struct command *cmd, int argc, const struct slice *argv)
{
    int last = cmd->channels == CHANNELS_PUBLISH ? 1 : argc - 1;

    if (s->all_channels || cmd->channels == CHANNELS_NONE)
        return 0;
    for (int i = 1; i <= last && i < argc; i++)
        if (!channel_ok(s, argv[i], cmd->channels == CHANNELS_PATTERNS))
            return i;
    return 0;
}

static enum acl_verdict check(const struct acl *a, const struct acl_selector *s, const struct command *cmd, int argc,
                              const struct slice *argv, int *at)
{
    if (!command_ok(a, s, cmd, argc, argv))
        return ACL_NO_COMMAND;
    if ((*at = bad_key(s, cmd, argc, argv)) > 0)
        return ACL_NO_KEY;
    if ((*at = bad_channel(s, cmd, argc, argv)) > 0)
        return ACL_NO_CHANNEL;
    return ACL_OK;
}

/* Of several refusals the one is told that came furthest. */
enum acl_verdict acl_check(const struct acl_user *u, const struct command *cmd, int argc, const struct slice *argv, int *at)
{
    enum acl_verdict worst = ACL_NO_COMMAND;
    int where = 0;

    if (u->unlimited)
        return ACL_OK;
    for (size_t i = 0; i < u->selectors.n; i++) {
        int k = 0;
        enum acl_verdict v = check(u->acl, u->selectors.at[i], cmd, argc, argv, &k);

        if (v == ACL_OK)
            return ACL_OK;
        if (v > worst || (v == worst && k > where)) {
            worst = v;
            where = k;
        }
    }
    if (at)
        *at = where;
    return worst;
}

bool acl_may_listen(const struct acl_user *u, struct slice channel, bool pattern)
{
    for (size_t i = 0; i < u->selectors.n; i++)
        if (channel_ok(u->selectors.at[i], channel, pattern))
            return true;
    return false;
}
