#include "sentinel/shell/outage.h"

#include "common/base/str.h"
#include "sentinel/shell/formed_groups.h"
#include "sentinel/shell/publish.h"
#include "sentinel/shell/shell.h"

#include <string.h>

void outage_init(struct outage *o)
{
    memset(o, 0, sizeof *o);
    o->last_ms = -1;
}

void outage_proof(struct outage *o, int64_t at_ms)
{
    o->since_ms = ms_max(o->since_ms, at_ms);
}

void outage_end(struct outage *o, struct shell *sh, const struct group *g, int64_t at_ms)
{
    struct str text = {0};

    o->epoch = 0;
    if (o->since_ms != 0) {
        o->last_ms = ms_max(at_ms - o->since_ms, 0);
        o->sum_ms += o->last_ms;
        o->told++;
        str_printf(&text, "%s %lld #nobody took writes for %lld ms, from the last proof of the old primary to the first of the new one",
                   g->name, (long long)o->last_ms, (long long)o->last_ms);
    } else {
        str_printf(&text, "%s unknown #this sentinel never saw the old primary take writes", g->name);
    }
    o->since_ms = 0;
    formed_groups_note(sh->formed, g->id, "outage: %s", strchr(str_c(&text), '#') + 1);
    publish_event(sh, "+failover-outage", str_c(&text), g->name);
    str_fini(&text);
}

void outage_look(struct outage *o, struct shell *sh, const struct group *g, const struct formed *f, int64_t now_ms)
{
    const struct ha_record *r = &formed_voter(f)->f.rec;

    for (size_t i = 0; o->epoch != 0 && i < formed_node_count(f); i++) {
        const struct formed_node *n = formed_node_at(f, i);

        if (r->epoch == o->epoch && strcmp(n->id, r->primary) == 0 && n->status.kind == HA_STATUS && n->status.state == HA_PRIMARY &&
            n->status.epoch == o->epoch && (n->status.flags & HA_F_MARKER))
            outage_end(o, sh, g, now_ms);
    }
}
