/* Messages that a story drops, or holds until it lets them go: between sentinels, between a
 * sentinel and a node, and what members say on a replication link (not its data: that is cut). */
#include "tests/sim/ha_sim.h"

static int add(struct hs_world *w, int from, int to, enum ha_kind kind, bool hold)
{
    struct hs_rule *r;

    CHECK(w->n_rules < HS_RULES_MAX);
    r = &w->rule[w->n_rules];
    r->from = from;
    r->to = to;
    r->kind = kind;
    r->on = true;
    r->hold = hold;
    return w->n_rules++;
}

int hs_drop(struct hs_world *w, int from, int to, enum ha_kind kind) { return add(w, from, to, kind, false); }
int hs_hold(struct hs_world *w, int from, int to, enum ha_kind kind) { return add(w, from, to, kind, true); }

void hs_let(struct hs_world *w, int rule)
{
    struct hs_rule *r = &w->rule[rule];

    r->on = false;
    for (size_t i = 0; i < r->held.n; i++)
        hs_due(w, 200 + (int64_t)i, (struct hs_item){.kind = HD_PACKET, .proc = r->held.at[i]->to, .pkt = r->held.at[i]});
    vec_clear(&r->held);
}

bool hs_ruled(struct hs_world *w, int from, int to, const struct ha_msg *m)
{
    for (int i = 0; i < w->n_rules; i++) {
        struct hs_rule *r = &w->rule[i];
        if (!r->on || (r->from >= 0 && r->from != from) || (r->to >= 0 && r->to != to) ||
            (r->kind != HA_NOTHING && r->kind != m->kind))
            continue;
        if (r->hold)
            vec_push(&r->held, hs_packet(PK_MSG, from, to, m));
        return true;
    }
    return false;
}

void hs_rules_end(struct hs_world *w)
{
    for (int i = 0; i < w->n_rules; i++) {
        for (size_t j = 0; j < w->rule[i].held.n; j++)
            hs_packet_free(w->rule[i].held.at[j]);
        vec_fini(&w->rule[i].held);
    }
}
