/* A control link is up when the node took our HA ATTACH and has said who it is. What is to
 * be said gathers until the end of the turn and leaves as one command. */
#include "sentinel/shell/ha_links.h"

#include "common/io/log.h"
#include "common/io/resp_link.h"
#include "common/text/ha_text.h"
#include "common/text/reply_walk.h"
#include "sentinel/shell/formed_groups.h"
#include "sentinel/shell/links.h"
#include "sentinel/shell/shell.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <string.h>

#define BATCH_MAX (48 * 1024)      /* bytes of one HA MSG; a node takes 64 kB */
#define PENDING_MAX 256            /* commands without an answer: it hangs, and old words are worth nothing */

struct hlink {
    struct ha_links *all;
    core_id node, group;
    struct resp_link *k;
    bool attached;                 /* it took HA ATTACH */
    bool up;                       /* ... and has said who it is */
    bool closed, refused;          /* how it was left since it was up */
    char id[ID_MAX];               /* the member's, "" until it said so */
    VEC(char *) lines;             /* to be sent at the end of the turn */
    size_t bytes;
};

struct ha_links {
    struct shell *sh;
    struct dict by_node;           /* core_id -> struct hlink */
    VEC(core_id) talking;          /* whose `lines` are not empty */
    struct loop_hook flush;
};

static struct hlink *find(const struct ha_links *all, core_id node)
{
    return dict_get(&all->by_node, &node, sizeof node);
}

static const struct conf_group *conf_of(const struct hlink *h)
{
    return shell_group_conf(h->all->sh, h->group);
}

static const char *renamed(const struct hlink *h, const char *command)
{
    const struct conf_group *g = conf_of(h);

    return g ? group_options_renamed(&g->opt, command) : command;
}

static void forget_lines(struct hlink *h)
{
    for (size_t i = 0; i < h->lines.n; i++)
        mem_free(h->lines.at[i]);
    vec_clear(&h->lines);
    h->bytes = 0;
}

static void tell(struct hlink *h)
{
    formed_groups_node_link(h->all->sh->formed, h->node);
}

/* ---- what comes ---------------------------------------------------------------------------- */

static void on_attached(void *arg, const struct redisReply *r)
{
    struct hlink *h = arg;
    char at[ADDR_TEXT_MAX];

    if (!r)
        return;
    if (reply_is_error(r)) {
        log_verbose("%s does not take a control link: %.*s", addr_text(resp_link_addr(h->k), at),
                    (int)(reply_text(r).len < 200 ? reply_text(r).len : 200), reply_text(r).p);
        resp_link_drop(h->k, "HA ATTACH refused");
        return;
    }
    h->attached = true;
}

static void on_up(struct resp_link *k, void *owner)
{
    struct hlink *h = owner;
    struct shell *sh = h->all->sh;
    const struct conf_group *g = conf_of(h);
    const struct formed *f = formed_groups_find(sh->formed, h->group);
    char life[24];

    if (!g)
        return;
    links_greet(sh, h->group, k, "ha", NULL, NULL);
    snprintf(life, sizeof life, "%llu", (unsigned long long)(f ? formed_facts(f)->life : 0));
    resp_link_subscribe_mode(k, true);
    resp_link_sendz(k, on_attached, h, renamed(h, "HA"), "ATTACH", g->name, "VOTER", core_my_id(sh->core), life, NULL);
}

static void on_end(struct resp_link *k, enum link_end how, const char *why, void *owner)
{
    struct hlink *h = owner;
    char at[ADDR_TEXT_MAX];
    bool was_up = h->up, was_refused = h->refused;

    if (was_up)
        log_verbose("control link to %s ended: %s%s%s", addr_text(resp_link_addr(k), at), link_end_name(how),
                    why && *why ? ", " : "", why ? why : "");
    h->attached = h->up = false;
    forget_lines(h);
    if (was_up)
        h->closed = how == LINK_CLOSED;
    if (how == LINK_REFUSED && h->closed)
        h->refused = true;
    if (was_up || h->refused != was_refused)
        tell(h);
}

/* Two nodes that say the same id: a copied folder. The first one that said it keeps it while it is there. */
static bool is_taken(const struct hlink *h, const char *id)
{
    struct dict_iter it;
    struct dict_entry *e;
    bool taken = false;

    dict_iter_init(&it, (struct dict *)&h->all->by_node);
    while ((e = dict_iter_next(&it))) {
        const struct hlink *o = e->v.p;

        taken |= o != h && o->up && o->group == h->group && strcmp(o->id, id) == 0;
    }
    dict_iter_fini(&it);
    return taken;
}

static bool introduced(struct hlink *h, const char *id)
{
    char at[ADDR_TEXT_MAX];

    if (h->up && strcmp(h->id, id) == 0)
        return true;
    if (is_taken(h, id)) {
        log_warning("%s says that it is the member %s, and so does another node of this group: one is a copy of the other",
                    addr_text(resp_link_addr(h->k), at), id);
        resp_link_drop(h->k, "an id that another node has");
        return false;
    }
    (void)slice_copy_z(slice_z(id), h->id, sizeof h->id);
    h->up = true;
    h->closed = h->refused = false;
    tell(h);
    return true;
}

static void on_push(void *owner, const struct redisReply *r)
{
    struct hlink *h = owner;
    struct slice kind, channel, line;
    struct ha_record rec;
    struct ha_msg m;
    const char *wrong;
    char at[ADDR_TEXT_MAX];

    if (!reply_text_at(r, 0, &kind) || !slice_is(kind, "message") || !reply_text_at(r, 1, &channel) ||
        !slice_is(channel, "ha") || !reply_text_at(r, 2, &line))
        return;
    if (!ha_text_msg_line(line.p, line.len, &m, &rec, &wrong)) {
        log_verbose("%s says what means nothing: %s", addr_text(resp_link_addr(h->k), at), wrong);
        return;
    }
    if (!h->up && m.kind != HA_STATUS)
        return;
    if (introduced(h, m.from))
        formed_groups_node_said(h->all->sh->formed, h->node, &m);
}

static void on_pong(void *arg, const struct redisReply *r)
{
    struct hlink *h = arg;
    struct event ev = {.kind = EV_PONG, .link = {LINK_NODE_CMD, h->node}, .group = h->group};

    if (!r)
        return;
    ev.u.pong = links_pong(r);
    shell_step(h->all->sh, &ev);
}

static void on_said(void *arg, const struct redisReply *r)
{
    const struct hlink *h = arg;
    char at[ADDR_TEXT_MAX];

    if (r && reply_is_error(r))
        log_verbose("%s refuses a message: %.*s", addr_text(resp_link_addr(h->k), at),
                    (int)(reply_text(r).len < 200 ? reply_text(r).len : 200), reply_text(r).p);
}

/* ---- what goes ------------------------------------------------------------------------------ */

static void say_some(struct hlink *h, size_t from, size_t n)
{
    struct slice *argv = mem_alloc((n + 2) * sizeof *argv);

    argv[0] = slice_z(renamed(h, "HA"));
    argv[1] = slice_z("MSG");
    for (size_t i = 0; i < n; i++)
        argv[i + 2] = slice_z(h->lines.at[from + i]);
    (void)resp_link_send(h->k, on_said, h, (int)n + 2, argv);
    mem_free(argv);
}

static void say_all(struct hlink *h)
{
    size_t from = 0, bytes = 0;

    for (size_t i = 0; h->attached && i < h->lines.n; i++) {
        size_t len = strlen(h->lines.at[i]) + 32;

        if (i > from && bytes + len > BATCH_MAX) {
            say_some(h, from, i - from);
            from = i;
            bytes = 0;
        }
        bytes += len;
    }
    if (h->attached && from < h->lines.n && resp_link_pending(h->k) < PENDING_MAX)
        say_some(h, from, h->lines.n - from);
    forget_lines(h);
}

static void flush(void *arg)
{
    struct ha_links *all = arg;

    for (size_t i = 0; i < all->talking.n; i++) {
        struct hlink *h = find(all, all->talking.at[i]);

        if (h)
            say_all(h);
    }
    vec_clear(&all->talking);
}

void ha_links_hurry(struct ha_links *all)
{
    for (size_t i = 0; i < all->talking.n; i++) {
        struct hlink *h = find(all, all->talking.at[i]);

        if (h && h->lines.n > 0) {
            say_all(h);
            resp_link_hurry(h->k);
        }
    }
    vec_clear(&all->talking);
}

void ha_links_send(struct ha_links *all, core_id node, const struct ha_msg *m)
{
    struct hlink *h = find(all, node);
    struct str line = {0};

    if (!h || !h->up)
        return;
    if (h->lines.n == 0)
        vec_push(&all->talking, node);
    ha_text_put_msg(&line, m);
    h->bytes += line.len;
    vec_push(&h->lines, str_take(&line));
}

bool ha_links_ping(struct ha_links *all, core_id node)
{
    struct hlink *h = find(all, node);

    return h && h->up && resp_link_pending(h->k) < PENDING_MAX && resp_link_sendz(h->k, on_pong, h, "PING", NULL);
}

/* ---- links ------------------------------------------------------------------------------------ */

struct ha_links *ha_links_new(struct shell *sh)
{
    struct ha_links *all = mem_zalloc(sizeof *all);

    all->sh = sh;
    dict_init(&all->by_node);
    loop_hook_add(sh->loop, &all->flush, flush, all);
    return all;
}

static void hlink_free(struct hlink *h)
{
    dict_del(&h->all->by_node, &h->node, sizeof h->node, NULL);
    resp_link_free(h->k);
    forget_lines(h);
    vec_fini(&h->lines);
    loop_park(h->all->sh->loop, h, mem_free);
}

void ha_links_free(struct ha_links *all)
{
    struct dict_iter it;
    struct dict_entry *e;

    if (!all)
        return;
    loop_hook_remove(&all->flush);
    dict_iter_init(&it, &all->by_node);
    while ((e = dict_iter_next(&it)))
        hlink_free(e->v.p);
    dict_iter_fini(&it);
    dict_fini(&all->by_node, NULL);
    vec_fini(&all->talking);
    mem_free(all);
}

void ha_links_close(struct ha_links *all, core_id node)
{
    struct hlink *h = find(all, node);
    bool was_up = h && h->up;

    if (!h)
        return;
    h->up = h->attached = h->refused = false;
    if (was_up)
        tell(h);
    hlink_free(h);
}

void ha_links_want(struct ha_links *all, core_id node, const struct addr *to)
{
    struct hlink *h = find(all, node);
    const struct node *n = core_node(all->sh->core, node);
    struct resp_link_opts o = {.on_up = on_up, .on_end = on_end, .on_push = on_push};

    if (!to || !n) {
        ha_links_close(all, node);
        return;
    }
    if (h && addr_equal(resp_link_addr(h->k), to))
        return;
    if (h)
        ha_links_close(all, node);
    h = mem_zalloc(sizeof *h);
    h->all = all;
    h->node = node;
    h->group = n->group;
    links_dial(all->sh->links, to, &o);
    o.owner = h;
    h->k = resp_link_new(all->sh->loop, &o);
    dict_put(&all->by_node, &node, sizeof node, NULL)->v.p = h;
}

void ha_links_attach_again(struct ha_links *all, core_id group)
{
    VEC(core_id) which = {0};
    struct dict_iter it;
    struct dict_entry *e;

    dict_iter_init(&it, &all->by_node);
    while ((e = dict_iter_next(&it)))
        if (((const struct hlink *)e->v.p)->group == group)
            vec_push(&which, ((const struct hlink *)e->v.p)->node);
    dict_iter_fini(&it);
    for (size_t i = 0; i < which.n; i++) {
        struct hlink *h = find(all, which.at[i]);

        if (h && resp_link_is_up(h->k)) {
            resp_link_drop(h->k, "to attach anew");
            resp_link_retry_now(h->k);
        }
    }
    vec_fini(&which);
}

bool ha_links_up(const struct ha_links *all, core_id node)
{
    const struct hlink *h = find(all, node);

    return h && h->up;
}

bool ha_links_refused(const struct ha_links *all, core_id node)
{
    const struct hlink *h = find(all, node);

    return h && h->refused;
}

const char *ha_links_member_id(const struct ha_links *all, core_id node)
{
    const struct hlink *h = find(all, node);

    return h ? h->id : "";
}
