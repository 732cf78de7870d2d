/* Whose history a node has. A primary begins a new replication id when it is promoted, or when it
 * starts without one, and names the id it went on from; replicas carry the id of what they
 * copied. So the ids that the primaries of a group had are the names of the group's own history,
 * and who carries none of them has the data of somebody else, or none:
 *
 *     known: A, B     n1 (primary)  A, went on from B
 *                     n2            A        the same
 *                     n3            B        an older one, however long: n1 left it behind
 *                     n4            X        another: it came back empty, or never was ours
 *
 * What a sentinel did not see is no reason to refuse: whoever followed the primary may have an id that
 * the primary began while we could not reach it. */
#include "sentinel/core/inside.h"

static bool is_id(const char *id)
{
    return id[0] != '\0' && strspn(id, "0") != strlen(id);
}

static bool is_known(const struct group *g, const char *id)
{
    for (int i = 0; i < LINEAGE_MAX && is_id(id); i++)
        if (strcmp(g->lineage[i], id) == 0)
            return true;
    return false;
}

static void put_first(struct group *g, const char *id)
{
    int at = 0;

    if (!is_id(id))
        return;
    while (at < LINEAGE_MAX - 1 && strcmp(g->lineage[at], id) != 0)
        at++;
    memmove(g->lineage[1], g->lineage[0], (size_t)at * sizeof g->lineage[0]);
    memcpy(g->lineage[0], id, sizeof g->lineage[0]);
}

void lineage_note(struct group *g, const struct node *primary)
{
    if (strcmp(g->lineage[0], primary->replid) == 0)
        return;
    if (!is_known(g, primary->replid2))
        put_first(g, primary->replid2);
    put_first(g, primary->replid);
}

/* How much of the present history it has: what it went on to by itself is none of it. */
int64_t lineage_place(const struct group *g, const struct node *n)
{
    if (strcmp(n->replid, g->lineage[0]) != 0 && is_id(n->replid2) && strcmp(n->replid2, g->lineage[0]) == 0 && n->second_offset > 0)
        return ms_min(n->offset, n->second_offset - 1);
    return n->offset;
}

/* Another node leads, or led, this very history, and has no office: whoever has it was drawn off from that one. */
static bool is_led_by_another(const struct group *g, const struct node *n)
{
    for (size_t i = 0; i < g->nodes.n; i++) {
        const struct node *o = g->nodes.at[i];

        if (o != n && o->id != g->primary && o->said_role == ROLE_PRIMARY && strcmp(o->replid, n->replid) == 0)
            return true;
    }
    return false;
}

enum lineage core_lineage(const struct core *c, const struct node *n)
{
    const struct group *g = node_group(c, n);
    const struct node *p = group_primary(c, g);
    const char *now = g->lineage[0];

    if (!is_id(n->replid) || now[0] == '\0')
        return LINEAGE_SAME;
    if (strcmp(n->replid, now) == 0 || strcmp(n->replid2, now) == 0)
        return LINEAGE_SAME;
    if (is_known(g, n->replid) || is_known(g, n->replid2))
        return LINEAGE_OLDER;
    if (n->said_role == ROLE_REPLICA && (addr_equal(&n->follows, &p->addr) || (seal_stands(n) && !is_led_by_another(g, n))))
        return LINEAGE_UNSEEN;
    return LINEAGE_OTHER;
}
