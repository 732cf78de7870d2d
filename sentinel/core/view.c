/* The read-only view: what SENTINEL commands, metrics and the simulator look at, and the
 * snapshot that goes to disk. Nothing here changes anything. */
#include "sentinel/core/inside.h"

const char *core_my_id(const struct core *c) { return c->my_id; }
uint64_t core_current_epoch(const struct core *c) { return c->current_epoch; }
bool core_in_tilt(const struct core *c) { return c->tilt_since_ms != 0; }
int64_t core_tilt_since_ms(const struct core *c) { return c->tilt_since_ms; }
bool core_save_broken(const struct core *c) { return c->save_broken; }
const struct core_timing *core_timing_now(const struct core *c) { return &c->timing; }
const struct core_counts *core_counts(const struct core *c) { return &c->counts; }
size_t core_touched_count(const struct core *c) { return c->was_touched.n; }
core_id core_touched_at(const struct core *c, size_t i) { return c->was_touched.at[i]; }
size_t core_group_count(const struct core *c) { return c->groups.n; }
const struct group *core_group(const struct core *c, core_id id) { return model_group(c, id); }
const struct group *core_group_named(const struct core *c, const char *name) { return model_group_named(c, name); }
const struct node *core_node(const struct core *c, core_id id) { return model_node(c, id); }
const struct peer *core_peer(const struct core *c, core_id id) { return model_peer(c, id); }
const struct node *core_primary(const struct core *c, const struct group *g) { return group_primary(c, g); }
const struct seat *core_seat(const struct group *g, core_id peer) { return group_seat(g, peer); }

const struct group *core_group_at(const struct core *c, size_t i)
{
    return i < c->groups.n ? c->groups.at[i] : NULL;
}

const struct addr *core_client_addr(const struct core *c, const struct group *g)
{
    return &group_primary(c, g)->addr;
}

struct quorum_view core_quorum(const struct core *c, const struct group *g)
{
    struct quorum_view q = {.usable = election_usable(c, g), .voters = (int)g->seats.n + 1};

    q.quorum_ok = q.usable >= g->opt[GOPT_QUORUM];
    q.majority_ok = q.usable >= q.voters / 2 + 1;
    return q;
}

/* --- flags --------------------------------------------------------------------------------------- */

static void flag(char out[FLAGS_MAX], bool on, const char *word)
{
    size_t len = strlen(out);

    if (!on)
        return;
    CHECK(len + strlen(word) + 2 < FLAGS_MAX);
    if (len > 0)
        out[len++] = ',';
    memcpy(out + len, word, strlen(word) + 1);
}

const char *core_node_flags(const struct core *c, const struct node *n, char out[FLAGS_MAX])
{
    const struct group *g = node_group(c, n);
    bool primary = n->id == g->primary;

    out[0] = '\0';
    flag(out, n->sdown, "s_down");
    flag(out, primary && g->odown, "o_down");
    flag(out, primary, "master");
    flag(out, !primary, "slave");
    flag(out, !n->w.up || !n->sub_up, "disconnected");
    flag(out, primary && failover_running(g), "failover_in_progress");
    flag(out, g->fo.state == FO_PROMOTING && n->id == g->fo.promoted, "promoted");
    flag(out, n->reconf == RECONF_SENT, "reconf_sent");
    flag(out, n->reconf == RECONF_IN_PROGRESS, "reconf_inprog");
    flag(out, n->reconf == RECONF_DONE, "reconf_done");
    flag(out, primary && failover_running(g) && g->fo.forced, "force_failover");
    return out;
}

const char *core_seat_flags(const struct core *c, const struct seat *s, char out[FLAGS_MAX])
{
    out[0] = '\0';
    flag(out, s->sdown, "s_down");
    flag(out, true, "sentinel");
    flag(out, !model_peer(c, s->peer)->w.up, "disconnected");
    flag(out, s->says_down, "master_down");
    return out;
}

/* --- the snapshot --------------------------------------------------------------------------------- */

void saved_init(struct saved *s)
{
    memset(s, 0, sizeof *s);
}

void saved_fini(struct saved *s)
{
    for (size_t i = 0; i < s->groups.n; i++) {
        vec_fini(&s->groups.at[i].replicas);
        vec_fini(&s->groups.at[i].peers);
    }
    vec_fini(&s->groups);
}

static void save_group(const struct core *c, const struct group *g, struct saved_group *out)
{
    memcpy(out->name, g->name, sizeof out->name);
    out->primary = group_primary(c, g)->addr;
    out->config_epoch = g->config_epoch;
    out->leader_epoch = g->leader_epoch;
    memcpy(out->leader, g->leader, sizeof out->leader);
    for (size_t i = 0; i < g->nodes.n; i++)
        if (g->nodes.at[i]->id != g->primary)
            vec_push(&out->replicas, g->nodes.at[i]->addr);
    for (size_t i = 0; i < g->seats.n; i++) {
        const struct peer *p = model_peer(c, g->seats.at[i].peer);
        struct saved_peer *sp = vec_add(&out->peers);

        memcpy(sp->run_id, p->run_id, sizeof sp->run_id);
        sp->addr = p->addr;
    }
}

void core_saved(const struct core *c, struct saved *out)
{
    memcpy(out->id, c->my_id, sizeof out->id);
    out->current_epoch = c->current_epoch;
    for (size_t i = 0; i < c->groups.n; i++)
        save_group(c, c->groups.at[i], vec_add(&out->groups));
}
