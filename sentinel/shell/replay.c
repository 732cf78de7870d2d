/* Hangs on the pub/sub room's word that somebody subscribed; what is told goes to that one only,
 * behind the confirmation of its subscription. */
#include "sentinel/shell/replay.h"

#include "common/base/glob.h"
#include "common/base/mem.h"
#include "sentinel/shell/shell.h"

#include <string.h>

#define CHANNEL "+switch-master"

static void subscribed(void *arg, struct session *s, struct slice channel, bool is_pattern)
{
    struct shell *sh = arg;
    struct dict_iter it;

    if (!sh->opt->replay_switch_master ||
        !(is_pattern ? glob_match(channel.p, channel.len, CHANNEL, strlen(CHANNEL), false) : slice_is(channel, CHANNEL)))
        return;
    dict_iter_init(&it, &sh->switched);
    for (struct dict_entry *e; (e = dict_iter_next(&it));)
        pubsub_send_as(s, is_pattern ? &channel : NULL, slice_z(CHANNEL), slice_z(e->v.p));
    dict_iter_fini(&it);
}

void replay_init(struct shell *sh)
{
    dict_init(&sh->switched);
    sh->pubsub.subscribed = subscribed;
    sh->pubsub.arg = sh;
}

void replay_fini(struct shell *sh)
{
    dict_fini(&sh->switched, mem_free);
}

void replay_note(struct shell *sh, const char *event, const char *payload, const char *group)
{
    struct dict_entry *e;
    void *old = NULL;

    if (!group)
        return;
    if (strcmp(event, CHANNEL) == 0) {
        e = dict_put(&sh->switched, group, strlen(group), NULL);
        mem_free(e->v.p);
        e->v.p = mem_strdup(payload);
    } else if (strcmp(event, "-monitor") == 0 && dict_del(&sh->switched, group, strlen(group), &old)) {
        mem_free(old);
    }
}
