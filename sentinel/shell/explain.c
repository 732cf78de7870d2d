#include "sentinel/shell/explain.h"

#include "common/io/clock.h"
#include "sentinel/core/names.h"
#include "sentinel/shell/formed_groups.h"
#include "sentinel/shell/ha_links.h"
#include "sentinel/shell/links.h"
#include "sentinel/shell/save.h"
#include "sentinel/shell/shell.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static struct lack *add(struct explanation *x, const char *what, const char *who, const char *why, bool blocks)
{
    struct lack *l = vec_add(&x->lacks);

    snprintf(l->what, sizeof l->what, "%s", what);
    snprintf(l->who, sizeof l->who, "%s", who && *who ? who : "-");
    snprintf(l->why, sizeof l->why, "%s", why);
    l->blocks = blocks;
    return l;
}

static void text(struct lack *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void text(struct lack *l, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(l->text, sizeof l->text, fmt, ap);
    va_end(ap);
}

/* --- both kinds ----------------------------------------------------------------------------------- */

static void about_me(struct shell *sh, struct explanation *x)
{
    if (save_trouble(sh->save))
        text(add(x, "sentinel", core_my_id(sh->core), "observer", false), "this sentinel does not vote: %s", save_trouble(sh->save));
    if (core_in_tilt(sh->core))
        text(add(x, "sentinel", core_my_id(sh->core), "tilt", false),
             "the clock jumped or this process stood still: what it sees does not count for a while");
}

static void about_rights(struct shell *sh, const struct group *g, struct explanation *x)
{
    for (size_t i = 0; i < g->nodes.n; i++) {
        const struct node *n = g->nodes.at[i];
        const char *denied = links_denied(sh->links, n->id), *rights = links_rights(sh->links, n->id);
        struct lack *l;

        if (*rights && strcmp(rights, "ok") != 0) {
            l = add(x, n->id == g->primary ? "primary" : "node", n->run_id, "rights", false);
            l->addr = n->addr;
            text(l, "this sentinel may not do there what a failover needs: %s", rights);
        }
        if (!denied)
            continue;
        l = add(x, n->id == g->primary ? "primary" : "node", n->run_id, "misconfigured", false);
        l->addr = n->addr;
        text(l, "it lives and refuses this sentinel: %s", denied);
    }
}

/* --- plain ------------------------------------------------------------------------------------------ */

static const char *refusal_text(enum refusal r)
{
    switch (r) {
    case REFUSED_DOWN: return "it is down";
    case REFUSED_DISCONNECTED: return "this sentinel has no link to it";
    case REFUSED_PRIORITY_ZERO: return "its priority is 0: it is never to lead";
    case REFUSED_SILENT: return "it does not answer PING";
    case REFUSED_STALE_INFO: return "its last INFO is too old; it is asked anew when a failover begins";
    case REFUSED_OUT_OF_SYNC: return "its link to the primary was down long before the primary went";
    case REFUSED_NOT_REPLICA: return "it does not say that it is a replica, or it loads";
    case REFUSED_ORDER: return "it refused the order to become primary";
    case REFUSED_LINEAGE: return "its data is another's, or none, or less than that of the primary that it follows and that follows it";
    default: return "it is not fit";
    }
}

static void about_sentinels(struct shell *sh, const struct group *g, struct explanation *x)
{
    struct quorum_view q = core_quorum(sh->core, g);
    int majority = q.voters / 2 + 1, quorum = (int)g->opt[GOPT_QUORUM];
    bool observer = save_trouble(sh->save) != NULL;

    x->voters = q.voters;
    x->voters_usable = q.usable - observer;
    x->voters_needed = quorum > majority ? quorum : majority;
    if (x->voters_usable < quorum)
        text(add(x, "quorum", "-", q.voters < quorum ? "unreachable-quorum" : "too-few-sentinels", true),
             "%d of %d sentinels can be counted on, the quorum is %d", x->voters_usable, q.voters, quorum);
    if (x->voters_usable < majority)
        text(add(x, "majority", "-", "too-few-sentinels", true), "%d of %d sentinels can be counted on, %d authorize a failover",
             x->voters_usable, q.voters, majority);
    for (size_t i = 0; i < g->seats.n; i++) {
        const struct seat *s = &g->seats.at[i];
        const struct peer *p = core_peer(sh->core, s->peer);
        struct lack *l;

        if (p->w.up && !s->sdown)
            continue;
        l = add(x, "sentinel", p->run_id, s->sdown ? "down" : "disconnected", false);
        l->addr = p->addr;
        text(l, "%s", s->sdown ? "it is silent" : "this sentinel has no link to it");
    }
}

static void about_replica(struct shell *sh, const struct group *g, const struct node *n, bool blocks, struct explanation *x)
{
    enum refusal r = core_refusal(sh->core, n);
    const struct node *p = core_primary(sh->core, g);
    struct lack *l = NULL;

    if (r == REFUSED_DISCONNECTED && n->sdown)
        r = REFUSED_DOWN;
    if (r != REFUSED_NOT) {
        l = add(x, "replica", n->run_id, refusal_name(r), blocks);
        text(l, "%s", links_denied(sh->links, n->id) ? "it refuses this sentinel" : refusal_text(r));
    } else if (core_is_sealed(n)) {
        l = add(x, "replica", n->run_id, "sealed", false);
        text(l, "it was drawn off for a failover and follows nobody: it is pointed to the primary when one is there");
    } else if (core_lineage(sh->core, n) == LINEAGE_OLDER) {
        l = add(x, "replica", n->run_id, "older-history", false);
        text(l, "it has a history of this group from before the present primary's: it leads only if nobody has that");
    } else if (n->said_role == ROLE_REPLICA && !addr_equal(&n->follows, &p->addr)) {
        l = add(x, "replica", n->run_id, "follows-another", false);
        text(l, "it follows %s:%u", n->follows.host[0] ? n->follows.host : "nobody", (unsigned)n->follows.port);
    } else if (!n->follows_up && !p->sdown) {
        l = add(x, "replica", n->run_id, "link-down", false);
        text(l, "its link to the primary is down for %lld ms: it may lack what was written since",
             (long long)(n->follows_down_ms == NEVER_MS ? 0 : n->follows_down_ms));
    } else if (p->crashed && n->w.up && n->follows_up) {
        l = add(x, "replica", n->run_id, "still-linked", false);
        text(l, "it is still linked to the primary: what looks like a crash does not count yet");
    }
    if (l)
        l->addr = n->addr;
}

/* Who refuses this sentinel would refuse its order too. */
static bool refuses_us(struct shell *sh, const struct node *n) { return links_forbid_order(sh->links, n->id); }

static const struct node *would_lead(struct shell *sh, const struct group *g)
{
    const struct node *best = core_would_promote(sh->core, g);

    for (size_t i = 0; best && refuses_us(sh, best) && i < g->nodes.n; i++)
        if (core_refusal(sh->core, g->nodes.at[i]) == REFUSED_NOT && !refuses_us(sh, g->nodes.at[i]))
            best = g->nodes.at[i];
    return best && refuses_us(sh, best) ? NULL : best;
}

static void about_kept(const struct group *g, struct explanation *x)
{
    for (size_t i = 0; i < g->nodes.n; i++) {
        const struct node *n = g->nodes.at[i];
        struct lack *l;

        if (!n->loose)
            continue;
        l = add(x, n->id == g->primary ? "primary" : "node", n->run_id, "not-kept", false);
        l->addr = n->addr;
        text(l, "its CONFIG REWRITE failed: after a restart it is what its configuration file says, not what it was told");
    }
}

static void about_replicas(struct shell *sh, const struct group *g, struct explanation *x)
{
    const struct node *best = would_lead(sh, g);

    if (best) {
        snprintf(x->to, sizeof x->to, "%s", best->run_id);
        x->to_addr = best->addr;
    } else
        text(add(x, "replicas", "-", g->nodes.n < 2 ? "none" : "no-good-replica", true), "%s",
             g->nodes.n < 2 ? "no replica is known" : "no replica is fit to lead");
    for (size_t i = 0; i < g->nodes.n; i++)
        if (g->nodes.at[i]->id != g->primary)
            about_replica(sh, g, g->nodes.at[i], best == NULL, x);
}

static void about_failover(struct shell *sh, const struct group *g, struct explanation *x)
{
    const struct node *p = core_primary(sh->core, g);
    int64_t now_ms = clock_mono_ms();
    struct lack *l;

    if (g->odown || p->sdown) {
        l = add(x, "primary", p->run_id, g->odown ? "objectively-down" : "down", false);
        l->addr = p->addr;
        text(l, "%s", g->odown ? "a quorum sees it down" : "this sentinel sees it down, the quorum does not yet");
    }
    if (g->fo.state != FO_IDLE)
        text(add(x, "failover", "-", fo_state_name(g->fo.state), false), "a failover is under way, epoch %llu",
             (unsigned long long)g->fo.epoch);
    if (g->fo.not_before_ms > now_ms)
        text(add(x, "failover", "-", "backing-off", false), "this sentinel does not try again for %lld ms",
             (long long)(g->fo.not_before_ms - now_ms));
}

/* What a group without a record can be held to: its nodes keep no epochs and refuse no order. */
static const char *plain_promises(const struct group *g)
{
    return g->opt[GOPT_SEAL]
               ? "as redis-sentinel: what no replica had when the primary went is lost, and until an old primary is reached again "
                 "it may take writes; replicas are sealed before one is promoted, which any later order or a restart undoes"
               : "as redis-sentinel: what no replica had when the primary went is lost, and until an old primary is reached again "
                 "it may take writes; replicas are not sealed (seal-replicas no)";
}

static const char *formed_promises(const struct formed *f)
{
    const struct ha_record *r = &formed_voter(f)->f.rec;

    if (r->mode == HA_ASYNC)
        return "one primary at a time; acknowledged writes up to the replication lag can be lost";
    return "one primary at a time; no acknowledged write is lost without an operator's FORCE";
}

static void plain(struct shell *sh, const struct group *g, struct explanation *x)
{
    about_sentinels(sh, g, x);
    about_replicas(sh, g, x);
    about_failover(sh, g, x);
    about_kept(g, x);
    x->promises = plain_promises(g);
    x->can = x->voters_usable >= x->voters_needed && addr_is_set(&x->to_addr);
}

/* --- formed ------------------------------------------------------------------------------------------- */

struct telling {
    struct explanation *x;
    const struct formed *f;
};

static const struct formed_node *node_named(const struct formed *f, const char *id)
{
    for (size_t i = 0; i < formed_node_count(f); i++)
        if (strcmp(formed_node_at(f, i)->id, id) == 0)
            return formed_node_at(f, i);
    return NULL;
}

static struct addr addr_of(const struct formed *f, const char *id)
{
    const struct ha_record *r = &formed_voter(f)->f.rec;
    const struct ha_member *m = r->gid ? ha_member(r, id) : NULL;
    const struct ha_voter *v = r->gid ? ha_voter(r, id) : NULL;

    if (node_named(f, id))
        return node_named(f, id)->addr;
    for (size_t i = 0; i < formed_peer_count(f); i++)
        if (strcmp(formed_peer_at(f, i)->id, id) == 0)
            return formed_peer_at(f, i)->addr;
    return m ? m->addr : v ? v->addr : (struct addr){{0}, 0};
}

/* "not-at-hand: the sentence" -> the word and the sentence; without a word `what` stands for it. */
static void said(void *ctx, const char *what, const char *who, const char *why)
{
    struct telling *t = ctx;
    const struct formed_node *p = node_named(t->f, formed_voter(t->f)->f.rec.primary);
    size_t word = strspn(why, "abcdefghijklmnopqrstuvwxyz-");
    bool has_word = word > 0 && word < sizeof t->x->lacks.at[0].why && why[word] == ':' && why[word + 1] == ' ';
    struct lack *l;

    if (strcmp(what, "promise") == 0 && p && p->up)
        return;                            /* the lease of a primary that lives: nothing lacks */
    l = add(t->x, what, who, has_word ? "" : what,
            strcmp(what, "record") == 0 || strcmp(what, "votes") == 0 || strcmp(what, "seals") == 0);

    if (has_word)
        memcpy(l->why, why, word);
    text(l, "%s", has_word ? why + word + 2 : why);
    if (who && strcmp(who, "-") != 0)
        l->addr = addr_of(t->f, who);
}

static void figures(struct shell *sh, const struct formed *f, struct explanation *x)
{
    const struct voter *v = formed_voter(f);
    const struct ha_record *r = &v->f.rec;

    if (!r->gid)
        return;
    x->voters = r->n_voters;
    x->voters_needed = ha_majority(r->n_voters);
    x->members = r->n_members;
    x->seals_needed = ha_seals_needed(r);
    for (int i = 0; i < r->n_voters; i++) {
        if (strcmp(r->voter[i].id, core_my_id(sh->core)) == 0) {
            x->voters_usable += r->voter[i].life == v->f.life && !save_trouble(sh->save);
            continue;
        }
        for (size_t k = 0; k < formed_peer_count(f); k++) {
            const struct formed_peer *p = formed_peer_at(f, k);
            x->voters_usable += strcmp(p->id, r->voter[i].id) == 0 && p->up && p->alive.kind == HA_ALIVE && p->alive.life == r->voter[i].life;
        }
    }
    for (int i = 0; i < r->n_members; i++)
        for (size_t k = 0; k < formed_node_count(f); k++) {
            const struct formed_node *n = formed_node_at(f, k);
            x->members_usable += strcmp(r->member[i].id, r->primary) != 0 && strcmp(n->id, r->member[i].id) == 0 && n->up &&
                                 n->status.kind == HA_STATUS && n->status.life == r->member[i].life;
        }
}

/* What would do it all the same, and what that costs. Not while the primary lives: then nothing has to be done. */
static void way_out(const struct formed *f, struct explanation *x)
{
    const struct formed_node *p = node_named(f, formed_voter(f)->f.rec.primary);

    for (size_t i = 0; i < x->lacks.n && !(p && p->up && p->status.state == HA_PRIMARY); i++) {
        struct lack *l = &x->lacks.at[i];
        size_t n = strlen(l->text);

        if (strcmp(l->what, "seals") == 0)
            snprintf(l->text + n, sizeof l->text - n, "; SENTINEL FAILOVER <group> FORCE %d %s promotes one of those there, and "
                     "confirmed writes may be lost", x->members_usable, x->members_usable ? "[TO host port]" : "TO host port");
    }
}

/* Nobody orders a node to throw away what it has: a disk that was put back, a node of somebody else. */
static void about_strays(const struct group *g, struct explanation *x)
{
    for (size_t i = 0; i < g->nodes.n; i++) {
        const struct node *n = g->nodes.at[i];
        struct lack *l;

        if (n->id == g->primary || !n->w.up || n->bound || n->said_role != ROLE_PRIMARY || !n->has_data)
            continue;
        l = add(x, "node", n->run_id, "own-data", false);
        l->addr = n->addr;
        text(l, "it belongs to no group and has data of its own: REPLICAOF the primary by hand throws that away and lets it in");
    }
}

static void formed(struct shell *sh, const struct formed *f, struct explanation *x)
{
    struct telling t = {x, f};

    x->formed = true;
    x->promises = formed_promises(f);
    formed_explain(f, clock_mono_ms(), &x->can, x->to, said, &t);
    if (x->to[0])
        x->to_addr = addr_of(f, x->to);
    figures(sh, f, x);
    way_out(f, x);
}

/* A mode is asked for and there is no record yet: what the forming waits for is said with what a plain group lacks. */
static void forming(struct shell *sh, const struct group *g, const struct formed *f, struct explanation *x)
{
    struct formed_want want;
    const char *wrong = NULL;
    size_t lack_at;
    bool choice = false;

    if (!formed_groups_want(sh->formed, g->id, &want, &wrong))
        return;
    if (wrong)
        text(add(x, "forming", "-", "timing", false), "%s", wrong);
    else {
        lack_at = x->lacks.n;
        text(add(x, "forming", "-", "not-yet", false), "mode %s is asked for: every node and %d sentinels must be at hand at once",
             ha_mode_name(want.mode), want.voters);
        if (formed_forming_lacks(f, &choice))
            text(&x->lacks.at[lack_at], "mode %s is asked for: %s", ha_mode_name(want.mode), formed_forming_lacks(f, &choice));
        if (choice)
            snprintf(x->lacks.at[lack_at].why, sizeof x->lacks.at[lack_at].why, "name-the-primary");
        if (formed_peer_count(f) + 1 < (size_t)want.voters) {
            snprintf(x->lacks.at[lack_at].why, sizeof x->lacks.at[lack_at].why, "too-few-sentinels");
            text(&x->lacks.at[lack_at], "mode %s is asked for: %zu sentinels are known, %d voters are wanted", ha_mode_name(want.mode),
                 formed_peer_count(f) + 1, want.voters);
        }
    }
    for (size_t i = 0; choice && i < formed_node_count(f); i++) {
        const struct formed_node *n = formed_node_at(f, i);
        struct lack *l;

        if (!(n->status.flags & HA_F_HAS_DATA))
            continue;
        l = add(x, "forming", n->id, "has-data", false);
        l->addr = n->addr;
        text(l, "it waits for the group and has data, up to offset %lld of epoch %llu: a copy of the primary that is named replaces it",
             (long long)n->status.pos.offset, (unsigned long long)n->status.pos.epoch);
    }
    for (size_t i = 0; i < g->nodes.n; i++) {
        const struct node *n = g->nodes.at[i];
        struct lack *l;

        if (ha_links_up(sh->ha_links, n->id))
            continue;
        l = add(x, "forming", n->run_id, "no-control-link", false);
        l->addr = n->addr;
        text(l, "there is no control link to it: it is down, it is no kvnode, or its ha-port cannot be reached");
    }
}

/* The group was dissolved by force while these were not heard. */
static void about_left_out(const struct formed *f, struct explanation *x)
{
    const struct ha_record *r = &formed_voter(f)->f.rec;

    for (size_t i = 0; r->gid && r->dissolved && i < formed_node_count(f); i++) {
        const struct formed_node *n = formed_node_at(f, i);
        struct lack *l;

        if (n->status.kind != HA_STATUS || n->status.gid != r->gid || ha_member(r, n->id))
            continue;
        l = add(x, "node", n->id, "left-out", false);
        l->addr = n->addr;
        text(l, "it was not heard when the group was dissolved by force and stays fenced: SENTINEL DISSOLVE <group> FORCE lets it go");
    }
}

void explain_group(struct shell *sh, const struct group *g, struct explanation *out)
{
    const struct formed *f = formed_groups_find(sh->formed, g->id);

    memset(out, 0, sizeof *out);
    if (formed_groups_is_formed(sh->formed, g->id)) {
        formed(sh, f, out);
        about_strays(g, out);
    } else {
        plain(sh, g, out);
        if (f) {
            forming(sh, g, f, out);
            about_left_out(f, out);
        }
    }
    about_me(sh, out);
    about_rights(sh, g, out);
}

void explain_fini(struct explanation *x)
{
    vec_fini(&x->lacks);
}

bool explain_can(struct shell *sh, const struct group *g)
{
    struct explanation x;
    bool can;

    explain_group(sh, g, &x);
    can = x.can;
    explain_fini(&x);
    return can;
}
