/* A step of a formed group and what comes of it, in order. A list behind a save that failed
 * is dropped, and the step that says so follows. */
#include "sentinel/shell/formed_inside.h"

#include "common/io/clock.h"
#include "common/io/log.h"
#include "common/io/session.h"
#include "common/text/ha_text.h"
#include "sentinel/shell/accounts.h"
#include "sentinel/shell/ha_links.h"
#include "sentinel/shell/links.h"
#include "sentinel/shell/publish.h"
#include "sentinel/shell/save.h"
#include "sentinel/wire/formed_text.h"

#include <string.h>

#define WAIT_MIN_MS 10000

/* ---- words to peers, gathered over a turn ------------------------------------------------------- */

static void to_peer(struct fgroup *g, const char *id, const struct ha_msg *m)
{
    struct formed_groups *all = g->all;
    const struct known *k = fgroup_known(g, false, id);
    struct peer_words *p = NULL;
    struct str line = {0};

    if (!k || k->at == 0)
        return;
    for (size_t i = 0; i < all->peers.n && !p; i++)
        p = all->peers.at[i].peer == k->at ? &all->peers.at[i] : NULL;
    if (!p) {
        p = vec_add(&all->peers);
        p->peer = k->at;
    }
    ha_text_put_msg(&line, m);
    vec_push(&p->words, mem_strdup(g->name));
    vec_push(&p->words, str_take(&line));
}

static void flush(void *arg)
{
    struct formed_groups *all = arg;

    for (size_t i = 0; i < all->peers.n; i++) {
        struct peer_words *p = &all->peers.at[i];
        struct slice *argv = mem_alloc((p->words.n + 3) * sizeof *argv);

        argv[0] = slice_z("SENTINEL");
        argv[1] = slice_z("HA");
        argv[2] = slice_z(core_my_id(all->sh->core));
        for (size_t k = 0; k < p->words.n; k++)
            argv[k + 3] = slice_z(p->words.at[k]);
        if (links_to_peer(all->sh->links, p->peer, (int)p->words.n + 3, argv) && all->hurry)
            links_hurry_peer(all->sh->links, p->peer);
        mem_free(argv);
        for (size_t k = 0; k < p->words.n; k++)
            mem_free(p->words.at[k]);
        vec_fini(&p->words);
    }
    vec_clear(&all->peers);
}

/* ---- who waits ------------------------------------------------------------------------------------- */

static void answer(struct formed_groups *all, uint64_t ticket, bool ok, const char *text)
{
    for (size_t i = 0; i < all->waiting.n; i++) {
        struct session *s;
        bool is_setting;

        if (all->waiting.at[i].ticket != ticket)
            continue;
        is_setting = all->waiting.at[i].asked == FV_FORM || all->waiting.at[i].asked == FV_SET;
        s = session_by_id(&all->sh->server, all->waiting.at[i].session);
        vec_remove(&all->waiting, i);
        if (s && ok)
            reply_ok(session_reply(s));
        else if (s)
            reply_errorf(session_reply(s), "%s%s", text, is_setting ? " (the setting stays, and goes on being tried)" : "");
        if (s)
            session_release(s);
        return;
    }
}

static void wake_at_first(struct formed_groups *all)
{
    int64_t at = NEVER_MS;

    for (size_t i = 0; i < all->waiting.n; i++)
        at = ms_min(at, all->waiting.at[i].until_ms);
    timer_set_at(&all->patience, at);
}

uint64_t formed_wait(struct formed_groups *all, const struct fgroup *g, enum formed_event_kind asked, struct session *who)
{
    const struct conf_group *c = shell_group_conf(all->sh, g->id);
    struct waiter w = {.ticket = ++all->last_ticket, .session = who->id, .group = g->id, .limit_ms = WAIT_MIN_MS, .asked = asked};

    if (c)
        w.limit_ms = ms_max(w.limit_ms, 4 * group_options_down_after(&c->opt));
    w.until_ms = clock_mono_ms() + w.limit_ms;
    session_hold(who);
    vec_push(&all->waiting, w);
    wake_at_first(all);
    return w.ticket;
}

/* Nobody waits any more. A try of our own that can be called off is; what was asked for as a state is not given up. */
static void give_up(struct formed_groups *all, const struct waiter *w)
{
    struct formed_event ev = {.kind = FV_CANCEL, .ticket = w->ticket};
    struct fgroup *g = fgroup_find(all, w->group);

    if (g && g->f && (w->asked == FV_SET || w->asked == FV_REPLACE_VOTER || formed_lead(g->f)->want.ticket == w->ticket))
        fgroup_step(g, &ev);
}

static void patience(struct timer *t, void *arg)
{
    struct formed_groups *all = arg;
    int64_t now = clock_mono_ms();

    (void)t;
    for (size_t i = all->waiting.n; i-- > 0;) {
        struct waiter w;
        struct str text = {0};

        if (i >= all->waiting.n || all->waiting.at[i].until_ms > now)
            continue;
        w = all->waiting.at[i];
        str_printf(&text, "TIMEOUT not decided in %lld s: SENTINEL EXPLAIN says what it waits for", (long long)w.limit_ms / 1000);
        answer(all, w.ticket, false, str_c(&text));
        str_fini(&text);
        give_up(all, &w);
    }
    wake_at_first(all);
}

void formed_deeds_init(struct formed_groups *all)
{
    loop_hook_add(all->sh->loop, &all->flush, flush, all);
    timer_init(&all->patience, all->sh->loop, patience, all);
}

void formed_deeds_fini(struct formed_groups *all)
{
    loop_hook_remove(&all->flush);
    timer_clear(&all->patience);
    for (size_t i = 0; i < all->peers.n; i++) {
        for (size_t k = 0; k < all->peers.at[i].words.n; k++)
            mem_free(all->peers.at[i].words.at[k]);
        vec_fini(&all->peers.at[i].words);
    }
    vec_fini(&all->peers);
    vec_fini(&all->waiting);
}

/* ---- deeds ---------------------------------------------------------------------------------------------- */

void fgroup_news(struct fgroup *g, const char *text)
{
    struct str payload = {0};

    str_printf(&payload, "%s %s", g->name, text);
    publish_event(g->all->sh, "+formed", str_c(&payload), g->name);
    str_fini(&payload);
}

/* What was said before a save does not rest on it, and does not wait for the disk. */
static void hurry(struct formed_groups *all)
{
    all->hurry = true;
    flush(all);
    all->hurry = false;
    ha_links_hurry(all->sh->ha_links);
}

static bool save(struct fgroup *g)
{
    struct str lines = {0};
    int rc;

    formed_text_put(&lines, formed_facts(g->f));
    rc = save_formed(g->all->sh->save, g->name, (struct slice){str_c(&lines), lines.len});
    str_fini(&lines);
    return rc == 0;
}

/* The plain half stops, or goes on, before anything else is said of the group. */
static void tell_formed(struct fgroup *g)
{
    struct event ev = {.kind = EV_GROUP_FORMED, .group = g->id};

    ev.u.formed = fgroup_record(g) != NULL;
    if (ev.u.formed == g->formed)
        return;
    g->formed = ev.u.formed;
    shell_step(g->all->sh, &ev);
}

static void primary(struct fgroup *g, const struct formed_action *a)
{
    struct event ev = {.kind = EV_SWITCH, .group = g->id};

    tell_formed(g);
    accounts_formed_primary(g->all->sh->accounts, g->id, a->epoch);
    ev.u.switched.addr = a->addr;
    (void)shell_same_addr(g->all->sh, &ev.u.switched.addr);        /* as it is called here */
    ev.u.switched.epoch = a->epoch;
    ev.u.switched.led = formed_lead(g->f)->ballot == a->epoch;
    shell_step(g->all->sh, &ev);
}

/* false: the rest of the list relied on a save that failed. */
static bool carry_out(struct fgroup *g, const struct formed_action *a)
{
    const struct known *k;

    switch (a->kind) {
    case FA_SAVE: hurry(g->all); return save(g);
    case FA_TO_PEER: to_peer(g, a->id, a->msg); break;
    case FA_TO_NODE:
        k = fgroup_known(g, true, a->id);
        if (k && k->at)
            ha_links_send(g->all->sh->ha_links, k->at, a->msg);
        break;
    case FA_REPLY:
        answer(g->all, a->ticket, a->ok, a->text);
        wake_at_first(g->all);
        break;
    case FA_PRIMARY: primary(g, a); break;
    case FA_NEWS: fgroup_news(g, a->text); break;
    case FA_JOURNAL:
        fgroup_journal(g, a->text);
        log_notice("%s: %s", g->name, a->text);
        break;
    case FA_TRACE: log_verbose("%s: %s", g->name, a->text); break;
    }
    return true;
}

static void one_step(struct fgroup *g, struct formed_event *ev);

/* What each sentinel goes by for itself: on a formed group FV_FORM takes crash-evidence, no more. */
static void own_settings(struct fgroup *g)
{
    struct formed_want want;
    const char *wrong;
    struct formed_event ev = {.kind = FV_FORM, .want = &want};

    if (formed_groups_want(g->all, g->id, &want, &wrong) && !wrong)
        one_step(g, &ev);
}

/* The record of others settles what the options say; and whether we are counted at all. */
static void follow_record(struct fgroup *g)
{
    struct shell *sh = g->all->sh;
    const struct ha_record *r = &formed_facts(g->f)->rec;
    const struct ha_voter *seat = ha_voter(r, core_my_id(sh->core));
    struct conf_group *c = shell_group_conf(sh, g->id);
    bool stranger = r->gid != 0 && !r->dissolved && seat && seat->life != formed_facts(g->f)->life;

    if (r->gid == g->gid && r->ballot == g->ballot && r->change == g->change)
        return;
    g->gid = r->gid;
    g->ballot = r->ballot;
    g->change = r->change;
    if (stranger && !g->stranger)
        fgroup_news(g, "the record names another life of this sentinel: it lost what it had promised and is not counted in this "
                "group. SENTINEL PEERS <group> REPLACE <id> <id> puts it in its own place");
    g->stranger = stranger;
    if (c && r->gid != 0 && group_options_follow(&c->opt, r)) {
        shell_set_group(sh, g->id, c);
        save_soon(sh->save);
    }
    if (r->gid != 0 && !r->dissolved)
        own_settings(g);
}

static void one_step(struct fgroup *g, struct formed_event *ev)
{
    bool fine = true, saved = false;

    formed_out_clear(&g->out);
    formed_step(g->f, ev, clock_mono_ms(), &g->out);
    for (size_t i = 0; fine && i < g->out.list.n; i++) {
        saved |= g->out.list.at[i].kind == FA_SAVE;
        fine = carry_out(g, &g->out.list.at[i]);
    }
    if (!fine && ev->kind != FV_SAVE_FAILED)
        one_step(g, &(struct formed_event){.kind = FV_SAVE_FAILED});
    else if (fine && saved)
        one_step(g, &(struct formed_event){.kind = FV_SAVED});
}

void fgroup_step(struct fgroup *g, struct formed_event *ev)
{
    CHECK(!g->all->busy && !g->all->sh->busy);
    g->all->busy = true;
    one_step(g, ev);
    tell_formed(g);
    follow_record(g);
    accounts_formed(g->all->sh->accounts, g->id, g->f);
    g->all->busy = false;
    timer_set_at(&g->due, formed_deadline_ms(g->f));
    fgroup_look_odown(g);
    formed_groups_turn(g->all);
}
