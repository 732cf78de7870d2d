/* Whom a group knows. The core knows nodes by address and peers by link, the control links
 * say who a node is; here both become what the quiet room of formed groups is told, and only
 * when it is another thing than it was told before. */
#include "sentinel/shell/formed_inside.h"

#include "common/io/clock.h"
#include "sentinel/shell/ha_links.h"

#include <stdio.h>
#include <string.h>

const struct known *fgroup_known(const struct fgroup *g, bool node, const char *id)
{
    for (size_t i = 0; i < g->known.n; i++)
        if (g->known.at[i].is_node == node && strcmp(g->known.at[i].id, id) == 0)
            return &g->known.at[i];
    return NULL;
}

static void say(struct fgroup *g, const struct known *k)
{
    struct formed_event ev = {.kind = k->is_node ? FV_NODE : FV_PEER, .addr = k->addr, .yes = k->up, .refused = k->refused};
    char id[ID_MAX];

    memcpy(id, k->id, sizeof id);
    ev.id = id;
    fgroup_step(g, &ev);
}

static void note(struct fgroup *g, const struct known *now)
{
    struct known *k = (struct known *)fgroup_known(g, now->is_node, now->id);
    bool same = k && k->at == now->at && addr_equal(&k->addr, &now->addr) && k->up == now->up && k->refused == now->refused;

    if (!k)
        k = vec_add(&g->known);
    *k = *now;
    k->seen = true;
    if (!same)
        say(g, now);
}

/* A node that has not said who it is counts too before there is a record: nothing is formed without it. */
static void note_node(struct fgroup *g, const struct node *n)
{
    struct known now = {.is_node = true, .at = n->id, .addr = shell_shown(g->all->sh, &n->addr)};
    struct ha_links *links = g->all->sh->ha_links;
    const char *id = ha_links_member_id(links, n->id);

    if (!*id && fgroup_record(g))
        return;
    if (*id)
        memcpy(now.id, id, sizeof now.id);
    else
        snprintf(now.id, sizeof now.id, "%040x", (unsigned)n->id);
    now.up = *id && ha_links_up(links, n->id) && !n->sdown;        /* the link to a process that hangs stands */
    now.refused = !now.up && ha_links_refused(links, n->id);
    note(g, &now);
}

/* Nobody's replica, with data, and bound to nothing: following our primary would wipe it. Said once. */
static void note_own_data(struct fgroup *g, const struct group *known, const struct node *n)
{
    bool has = n->id != known->primary && n->w.up && !n->bound && n->said_role == ROLE_PRIMARY && n->has_data;
    char at[ADDR_TEXT_MAX];
    struct str text = {0};
    size_t i = 0;

    while (i < g->own_data.n && g->own_data.at[i] != n->id)
        i++;
    if (!has && i < g->own_data.n)
        vec_remove_fast(&g->own_data, i);
    if (!has || i < g->own_data.n)
        return;
    vec_push(&g->own_data, n->id);
    str_printf(&text, "node %s has data of its own and does not belong to the group: REPLICAOF by hand, or ha-group in its "
                      "configuration", addr_text(&n->addr, at));
    fgroup_news(g, str_c(&text));
    fgroup_journal(g, str_c(&text));
    str_fini(&text);
}

static void note_seat(struct fgroup *g, const struct seat *s)
{
    const struct peer *p = core_peer(g->all->sh->core, s->peer);
    struct known now = {.at = p->id, .addr = shell_shown(g->all->sh, &p->addr), .up = p->w.up && !s->sdown};

    memcpy(now.id, p->run_id, sizeof now.id);
    note(g, &now);
}

static void note_voter(struct fgroup *g, const struct ha_voter *v)
{
    struct known now = {.addr = v->addr};

    if (strcmp(v->id, core_my_id(g->all->sh->core)) == 0 || (fgroup_known(g, false, v->id) && fgroup_known(g, false, v->id)->seen))
        return;
    memcpy(now.id, v->id, sizeof now.id);
    note(g, &now);
}

static void forget_the_rest(struct fgroup *g)
{
    for (size_t i = g->known.n; i-- > 0;) {
        struct known k;
        struct formed_event ev = {.kind = FV_FORGET, .id = k.id};

        if (i >= g->known.n || g->known.at[i].seen)
            continue;
        k = g->known.at[i];
        vec_remove(&g->known, i);
        fgroup_step(g, &ev);
    }
}

void fgroup_look(struct fgroup *g)
{
    const struct group *known = core_group(g->all->sh->core, g->id);
    const struct ha_record *r;

    if (!known || !g->f)
        return;
    for (size_t i = 0; i < g->known.n; i++)
        g->known.at[i].seen = false;
    for (size_t i = 0; i < known->nodes.n; i++)
        note_node(g, known->nodes.at[i]);
    for (size_t i = 0; fgroup_record(g) && i < known->nodes.n; i++)
        note_own_data(g, known, known->nodes.at[i]);
    for (size_t i = 0; i < known->seats.n; i++)
        note_seat(g, &known->seats.at[i]);
    r = fgroup_record(g);
    for (int i = 0; r && i < r->n_voters; i++)
        note_voter(g, &r->voter[i]);
    forget_the_rest(g);
    fgroup_look_odown(g);
}

static bool follows(const struct formed_node *n, const struct ha_record *r)
{
    const struct ha_msg *s = &n->status;

    return n->up && ha_member(r, n->id) && s->kind == HA_STATUS && s->state == HA_FOLLOWER && s->epoch == r->epoch &&
           (s->flags & HA_F_LINK_UP) != 0;
}

/* R4: a member speaks against evidence of a crash as long as its link to the primary stands, and against silence when it
 * heard it lately: the link to a process that hangs stands as well. */
static bool somebody_objects(const struct fgroup *g, const struct ha_record *r, const struct node *primary)
{
    int64_t now = clock_mono_ms();

    for (size_t i = 0; i < formed_node_count(g->f); i++) {
        const struct formed_node *n = formed_node_at(g->f, i);
        int64_t ago = now - n->heard_at_ms;

        if (!follows(n, r) || ago >= 3 * r->timing.heartbeat_ms)
            continue;
        if (primary->crashed ? n->heard_at_ms >= primary->crashed_at_ms
                             : n->status.ms != 0 && n->status.ms + ago < r->timing.down_after_ms / 2)
            return true;
    }
    return false;
}

void fgroup_look_odown(struct fgroup *g)
{
    const struct group *known = core_group(g->all->sh->core, g->id);
    const struct ha_record *r = fgroup_record(g);
    const struct node *primary = known ? core_primary(g->all->sh->core, known) : NULL;
    struct formed_event ev = {.kind = FV_ODOWN};

    ev.yes = r && known->odown && strcmp(ha_links_member_id(g->all->sh->ha_links, primary->id), r->primary) == 0 &&
             !somebody_objects(g, r, primary);
    if (r && r->epoch != g->odown_epoch) {
        g->odown_epoch = r->epoch;
        g->odown = false;                  /* what was said of the primary of another epoch is forgotten there too */
    }
    if (ev.yes == g->odown)
        return;
    g->odown = ev.yes;
    ev.id = r ? r->primary : "";
    fgroup_step(g, &ev);
}
