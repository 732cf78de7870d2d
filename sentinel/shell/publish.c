#include "sentinel/shell/publish.h"

#include "common/io/log.h"
#include "sentinel/shell/accounts.h"
#include "sentinel/shell/crash.h"
#include "sentinel/shell/events.h"
#include "sentinel/shell/hooks.h"
#include "sentinel/shell/replay.h"
#include "sentinel/shell/shell.h"

void publish_event(struct shell *sh, const char *name, const char *payload, const char *group)
{
    const struct op_event *row = op_event_find(sentinel_events, sentinel_events_n, name);
    int level = row ? row->level : LOG_LEVEL_NOTICE;
    struct conf_group *g;

    log_line((enum log_level)level, "%s %s", name, payload);
    if (row)
        sh->event_counts[row - sentinel_events]++;
    if (level == LOG_LEVEL_DEBUG)
        return;
    replay_note(sh, name, payload, group);
    pubsub_publish(&sh->pubsub, slice_z(name), slice_z(payload));
    g = group && level >= LOG_LEVEL_WARNING ? sentinel_conf_find(&sh->opt->sentinel, group) : NULL;
    if (g && g->opt.notification_script)
        hooks_notify(sh->hooks, g->opt.notification_script, name, payload);
    accounts_event(sh->accounts, name, payload, group);
    crash_note(name);
}
