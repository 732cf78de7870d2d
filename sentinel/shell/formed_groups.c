/* Groups of this sentinel that are formed, or about to be. Events come in here; what comes
 * of them is carried out in formed_deeds.c. While a step of either room is being carried
 * out nothing is stepped: what changed meanwhile is looked at when it is over. */
#include "sentinel/shell/formed_inside.h"

#include "common/io/clock.h"
#include "common/io/log.h"
#include "common/io/session.h"
#include "common/text/ha_text.h"
#include "sentinel/shell/ha_links.h"
#include "sentinel/shell/links.h"
#include "sentinel/shell/publish.h"
#include "sentinel/shell/save.h"
#include "sentinel/wire/formed_text.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

struct formed_groups *formed_groups_new(struct shell *sh)
{
    struct formed_groups *all = mem_zalloc(sizeof *all);

    all->sh = sh;
    dict_init(&all->by_id);
    formed_deeds_init(all);
    return all;
}

static void fgroup_free(struct fgroup *g)
{
    dict_del(&g->all->by_id, &g->id, sizeof g->id, NULL);
    timer_clear(&g->due);
    formed_free(g->f);
    formed_out_fini(&g->out);
    vec_fini(&g->known);
    vec_fini(&g->own_data);
    for (size_t i = 0; i < g->journal_n; i++)
        mem_free(g->journal[i].text);
    mem_free(g);
}

void formed_groups_free(struct formed_groups *all)
{
    struct dict_iter it;
    struct dict_entry *e;

    if (!all)
        return;
    dict_iter_init(&it, &all->by_id);
    while ((e = dict_iter_next(&it)))
        fgroup_free(e->v.p);
    dict_iter_fini(&it);
    dict_fini(&all->by_id, NULL);
    vec_fini(&all->changed);
    formed_deeds_fini(all);
    journal_file_close(all->journal);
    mem_free(all);
}

/* ---- groups -------------------------------------------------------------------------------- */

struct fgroup *fgroup_find(const struct formed_groups *all, core_id group)
{
    return dict_get(&all->by_id, &group, sizeof group);
}

const struct ha_record *fgroup_record(const struct fgroup *g)
{
    const struct ha_record *r = g->f ? &formed_facts(g->f)->rec : NULL;

    return r && r->gid != 0 && !r->dissolved ? r : NULL;
}

static void due(struct timer *t, void *arg)
{
    struct fgroup *g = arg;
    struct formed_event ev = {.kind = FV_TICK};

    (void)t;
    fgroup_step(g, &ev);
}

struct fgroup *fgroup_get(struct formed_groups *all, core_id group)
{
    const struct group *known = core_group(all->sh->core, group);
    struct fgroup *g = fgroup_find(all, group);

    if (g || !known)
        return g;
    g = mem_zalloc(sizeof *g);
    g->all = all;
    g->id = group;
    memcpy(g->name, known->name, sizeof g->name);
    formed_out_init(&g->out);
    timer_init(&g->due, all->sh->loop, due, g);
    dict_put(&all->by_id, &group, sizeof group, NULL)->v.p = g;
    return g;
}

static uint64_t random_number(void)
{
    uint64_t n = 0;

    while (n == 0)
        CHECK(getrandom(&n, sizeof n, 0) == (ssize_t)sizeof n);
    return n;
}

static struct formed_self self_of(const struct shell *sh)
{
    const struct sentinel_options *o = sh->opt;
    const struct sentinel_conf *c = &o->sentinel;
    struct formed_self s;
    char ip[ADDR_HOST_MAX] = "";
    const char *host = c->announce_ip ? c->announce_ip
                     : o->bind.n > 0 && addr_is_ip(o->bind.at[0]) && strcmp(o->bind.at[0], "0.0.0.0") != 0 ? o->bind.at[0]
                     : links_local_ip(sh->links, ip)                                                       ? ip
                                                                                                            : "127.0.0.1";

    memset(&s, 0, sizeof s);
    memcpy(s.id, core_my_id(sh->core), sizeof s.id);
    (void)addr_set(&s.addr, host, strlen(host), c->announce_port ? c->announce_port : o->port);
    return s;
}

/* Facts that do not parse are no facts: what they promised cannot be kept, so it was promised by another life. */
static bool facts_of(struct fgroup *g, struct voter_facts *facts)
{
    const char *text = save_formed_text(g->all->sh->save, g->name);
    struct str why = {0};
    struct err e = {0};

    if (!text)
        return false;
    if (formed_text_read(slice_z(text), facts, &e) == 0) {
        if (!formed_facts_check(facts))
            return true;
        err_set(&e, ERR_FORMAT, "%s", formed_facts_check(facts));
    }
    str_printf(&why, "%s what this sentinel promised cannot be read (%s): it begins a new life and is not counted in this "
                     "group until SENTINEL PEERS %s REPLACE puts it in its own place", g->name, e.text, g->name);
    publish_event(g->all->sh, "+formed", str_c(&why), g->name);
    fgroup_journal(g, str_c(&why) + strlen(g->name) + 1);
    str_fini(&why);
    return false;
}

static void make(struct fgroup *g)
{
    struct shell *sh = g->all->sh;
    struct formed_self self = self_of(sh);
    struct voter_facts facts;
    bool known = facts_of(g, &facts);
    struct formed_event ev = {.kind = FV_TICK};

    g->f = formed_new(&self, known ? &facts : NULL, random_number(), random_number(), clock_mono_ms());
    ha_links_attach_again(sh->ha_links, g->id);
    fgroup_step(g, &ev);
    fgroup_look(g);
}

static struct fgroup *made(struct formed_groups *all, core_id group)
{
    struct fgroup *g = fgroup_get(all, group);

    if (g && !g->f)
        make(g);
    return g;
}

void formed_groups_start(struct formed_groups *all)
{
    formed_journal_start(all);
    for (size_t i = 0; i < core_group_count(all->sh->core); i++) {
        core_id id = core_group_at(all->sh->core, i)->id;

        if (save_formed_text(all->sh->save, core_group_at(all->sh->core, i)->name))
            (void)made(all, id);
        if (!formed_groups_is_formed(all, id))     /* else the record says what it is, and SENTINEL SET changes it */
            formed_groups_wish(all, id, NULL, NULL);
    }
}

const struct formed *formed_groups_find(const struct formed_groups *all, core_id group)
{
    const struct fgroup *g = all ? fgroup_find(all, group) : NULL;

    return g ? g->f : NULL;
}

bool formed_groups_is_formed(const struct formed_groups *all, core_id group)
{
    const struct fgroup *g = fgroup_find(all, group);

    return g && fgroup_record(g) != NULL;
}

void formed_groups_gone(struct formed_groups *all, core_id group)
{
    struct fgroup *g = fgroup_find(all, group);

    if (g)
        fgroup_free(g);
}

/* ---- orders ---------------------------------------------------------------------------------- */

void formed_groups_order(struct formed_groups *all, core_id group, struct formed_event *ev, struct session *who)
{
    struct fgroup *g = made(all, group);

    if (!g) {
        if (who)
            reply_error(session_reply(who), "ERR No such master with that name");
        return;
    }
    fgroup_look(g);
    ev->ticket = who ? formed_wait(all, g, ev->kind, who) : 0;
    fgroup_step(g, ev);
}

bool formed_groups_want(const struct formed_groups *all, core_id group, struct formed_want *out, const char **wrong)
{
    const struct conf_group *c = shell_group_conf(all->sh, group);

    *wrong = NULL;
    return c && group_options_want(&c->opt, out, wrong);
}

void formed_groups_wish(struct formed_groups *all, core_id group, const char *primary, struct session *who)
{
    struct formed_want want;
    const char *wrong;
    struct formed_event ev = {.want = &want, .id = primary};

    if (!formed_groups_want(all, group, &want, &wrong)) {
        if (who)
            reply_ok(session_reply(who));
        return;
    }
    if (wrong) {
        if (who)
            reply_errorf(session_reply(who), "ERR %s", wrong);
        else
            log_warning("group %lld cannot be formed: %s", (long long)group, wrong);
        return;
    }
    ev.kind = formed_groups_is_formed(all, group) ? FV_SET : FV_FORM;
    formed_groups_order(all, group, &ev, who);
}

/* ---- what happened ------------------------------------------------------------------------------ */

void formed_groups_peer_said(struct formed_groups *all, const char *from, const char *group, struct slice line)
{
    const struct group *known = core_group_named(all->sh->core, group);
    struct ha_record rec;
    struct ha_msg m;
    const char *wrong = "it is of nobody whom this group knows";
    struct fgroup *g = known ? fgroup_find(all, known->id) : NULL;
    const struct ha_record *own = g ? fgroup_record(g) : NULL;
    bool welcome = own && ha_voter(own, from);
    struct formed_event ev = {.kind = FV_MSG, .msg = &m};

    for (size_t i = 0; known && i < known->seats.n; i++)
        welcome |= strcmp(core_peer(all->sh->core, known->seats.at[i].peer)->run_id, from) == 0;
    if (!welcome || !ha_text_msg_line(line.p, line.len, &m, &rec, &wrong) || strcmp(m.from, from) != 0) {
        all->strangers++;
        log_verbose("a message of the sentinel %.40s about %.100s is ignored: %s", from, group, wrong);
        return;
    }
    g = made(all, known->id);
    fgroup_step(g, &ev);
}

void formed_groups_node_said(struct formed_groups *all, core_id node, const struct ha_msg *m)
{
    const struct node *n = core_node(all->sh->core, node);
    struct fgroup *g = n ? fgroup_find(all, n->group) : NULL;
    struct formed_event ev = {.kind = FV_MSG, .msg = m};

    if (g && g->f)
        fgroup_step(g, &ev);
}

static void mark(struct formed_groups *all, core_id group)
{
    struct fgroup *g = fgroup_find(all, group);

    if (!g || !g->f || g->changed)
        return;
    g->changed = true;
    vec_push(&all->changed, group);
}

void formed_groups_node_link(struct formed_groups *all, core_id node)
{
    const struct node *n = core_node(all->sh->core, node);

    if (!n)
        return;
    mark(all, n->group);
    formed_groups_turn(all);
}

void formed_groups_core_moved(struct formed_groups *all)
{
    if (!all)
        return;
    for (size_t i = 0; i < core_touched_count(all->sh->core); i++)
        mark(all, core_touched_at(all->sh->core, i));
}

void formed_groups_turn(struct formed_groups *all)
{
    if (!all || all->busy || all->sh->busy || all->turning)
        return;
    all->turning = true;
    for (size_t i = 0; i < all->changed.n; i++) {
        struct fgroup *g = fgroup_find(all, all->changed.at[i]);

        if (!g)
            continue;
        g->changed = false;
        fgroup_look(g);
    }
    vec_clear(&all->changed);
    all->turning = false;
}

void formed_groups_saves_again(struct formed_groups *all)
{
    struct formed_event ev = {.kind = FV_TICK};
    struct dict_iter it;
    struct dict_entry *e;

    if (!all || all->busy || all->sh->busy)
        return;                            /* each group tries again with its next heartbeat */
    dict_iter_init(&it, &all->by_id);
    while ((e = dict_iter_next(&it)))
        if (((struct fgroup *)e->v.p)->f)
            fgroup_step(e->v.p, &ev);
    dict_iter_fini(&it);
}

uint64_t formed_groups_strangers(const struct formed_groups *all)
{
    return all->strangers;
}
