/* The greeting is ours, not the link's: a node that wants no password, or another one,
 * answers with an error, and that is the business of PING (an answer that is not good),
 * not a reason to close the link. */
#include "sentinel/shell/links.h"

#include "common/base/num.h"
#include "common/io/clock.h"
#include "common/io/log.h"
#include "common/io/resp_link.h"
#include "common/text/reply_walk.h"
#include "sentinel/shell/ha_links.h"
#include "sentinel/shell/nudge.h"
#include "sentinel/shell/publish.h"
#include "sentinel/shell/rights.h"
#include "sentinel/shell/shell.h"
#include "sentinel/wire/hello.h"
#include "sentinel/wire/node_info.h"
#include "sentinel/wire/order.h"
#include "sentinel/wire/vote.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <string.h>

#define PENDING_MAX 1000         /* commands on their way on one link; beyond it nothing more is sent */

/* A primary that was replaced takes writes from the moment when it is back until it is told. So while connects to a node
 * are refused it is tried 50 times in the first second, 12 in the second, 5 in the fifth, once in the 25th. */
#define NODE_BACKOFF_MIN_MS 20
#define NODE_REFUSED_PART 25

struct slink {
    struct links *all;
    struct link_ref ref;
    core_id group;               /* of a node; 0 for a peer */
    struct resp_link *k;
    bool up;
    struct list_link waiting;    /* struct wait: what is told when an answer comes */
    struct str info;             /* the last INFO text */
    int64_t info_at_ms;
    struct rights *rights;       /* of LINK_NODE_CMD */
    struct nudge *nudge;         /* of a primary that hands over: its replica is asked to acknowledge; else NULL */
    struct str denied;           /* of a node: the error that says it lives and does not let us in; empty: it does */
};

/* A question whose answer needs more than the link to be understood. */
struct wait {
    struct list_link link;
    struct slink *l;
    core_id group;
    uint64_t epoch;
    enum order order;
    int heard, commands;         /* of an order: how many of its commands were answered, how many there are */
    struct order_result result;
};

struct links {
    struct shell *sh;
    struct dict by_ref;          /* kind and id -> struct slink */
    struct node_info_text info;  /* memory for reading one INFO */
};

struct ref_key { int32_t kind, id; };

static struct ref_key key_of(struct link_ref r)
{
    return (struct ref_key){(int32_t)r.kind, r.id};
}

static struct slink *find(const struct links *all, struct link_ref r)
{
    struct ref_key k = key_of(r);

    return dict_get(&all->by_ref, &k, sizeof k);
}

struct links *links_new(struct shell *sh)
{
    struct links *all = mem_zalloc(sizeof *all);

    all->sh = sh;
    dict_init(&all->by_ref);
    node_info_init(&all->info);
    return all;
}

static void wait_end(struct wait *w)
{
    list_remove(&w->link);
    mem_free(w);
}

static void slink_free(struct slink *l)
{
    struct ref_key k = key_of(l->ref);

    if (l->ref.kind == LINK_NODE_CMD && l->all->sh->ha_links)
        ha_links_close(l->all->sh->ha_links, l->ref.id);
    dict_del(&l->all->by_ref, &k, sizeof k, NULL);
    resp_link_free(l->k);
    list_each_safe(struct wait, w, &l->waiting, link) wait_end(w);
    str_fini(&l->info);
    str_fini(&l->denied);
    rights_free(l->rights);
    nudge_free(l->nudge);
    loop_park(l->all->sh->loop, l, mem_free);
}

void links_free(struct links *all)
{
    struct dict_iter it;
    struct dict_entry *e;

    if (!all)
        return;
    dict_iter_init(&it, &all->by_ref);
    while ((e = dict_iter_next(&it)))
        slink_free(e->v.p);
    dict_iter_fini(&it);
    dict_fini(&all->by_ref, NULL);
    node_info_fini(&all->info);
    mem_free(all);
}

/* ---- names, passwords ------------------------------------------------------------------- */

static const struct conf_group *conf_of(const struct slink *l)
{
    return l->ref.kind == LINK_PEER ? NULL : shell_group_conf(l->all->sh, l->group);
}

static const char *renamed(void *arg, const char *command)
{
    const struct conf_group *g = conf_of(arg);

    return g ? group_options_renamed(&g->opt, command) : command;
}

static void greeted(void *arg, const struct redisReply *r)
{
    const struct slink *l = arg;
    struct slice text = reply_text(r);
    char at[ADDR_TEXT_MAX];

    if (reply_is_error(r))
        log_warning("%s does not accept our AUTH: %.*s", addr_text(resp_link_addr(l->k), at),
                    (int)(text.len < 200 ? text.len : 200), text.p);
}

void links_greet(struct shell *sh, core_id group, struct resp_link *k, const char *what, link_reply_fn *answered, void *arg)
{
    const struct conf_group *g = group ? shell_group_conf(sh, group) : NULL;
    const struct sentinel_conf *ours = &sh->opt->sentinel;
    const char *pass = g ? g->opt.auth_pass : group ? NULL : ours->pass ? ours->pass : sh->opt->password;
    const char *user = g ? g->opt.auth_user : group || !ours->pass ? NULL : ours->user;
    const char *auth = g ? group_options_renamed(&g->opt, "AUTH") : "AUTH";
    char name[64];

    if (pass && user)
        resp_link_sendz(k, answered, arg, auth, user, pass, NULL);
    else if (pass)
        resp_link_sendz(k, answered, arg, auth, pass, NULL);
    snprintf(name, sizeof name, "sentinel-%.8s-%s", core_my_id(sh->core), what);
    resp_link_sendz(k, NULL, NULL, g ? group_options_renamed(&g->opt, "CLIENT") : "CLIENT", "SETNAME", name, NULL);
}

/* ---- what comes -------------------------------------------------------------------------- */

static void tell(struct slink *l, enum event_kind kind)
{
    struct event ev = {.kind = kind, .link = l->ref, .group = l->group};

    shell_step(l->all->sh, &ev);
}

/* A subscription that is refused (no password, no right) leaves a link that is good for nothing. */
static void on_subscribed(void *arg, const struct redisReply *r)
{
    struct slink *l = arg;

    if (reply_is_error(r))
        resp_link_drop(l->k, "subscription refused");
}

static void on_up(struct resp_link *k, void *owner)
{
    struct slink *l = owner, *cmd;

    links_greet(l->all->sh, l->group, k, l->ref.kind == LINK_NODE_SUB ? "pubsub" : "cmd", greeted, l);
    l->up = true;
    if (l->rights)
        rights_soon(l->rights);
    if (l->ref.kind != LINK_NODE_SUB) {
        tell(l, EV_LINK_UP);
        return;
    }
    cmd = find(l->all, (struct link_ref){LINK_NODE_CMD, l->ref.id});
    if (cmd && !cmd->up)
        resp_link_retry_now(cmd->k);       /* it is back: orders go over the other one */
    resp_link_subscribe_mode(l->k, true);
    resp_link_sendz(l->k, on_subscribed, l, renamed(l, "SUBSCRIBE"), HELLO_CHANNEL, NULL);
}

static void on_end(struct resp_link *k, enum link_end how, const char *why, void *owner)
{
    static const enum link_how as[] = {
        [LINK_CLOSED] = HOW_CLOSED, [LINK_REFUSED] = HOW_REFUSED, [LINK_UNREACHABLE] = HOW_UNREACHABLE,
        [LINK_TIMEOUT] = HOW_TIMEOUT, [LINK_PROTOCOL] = HOW_GARBAGE, [LINK_AUTH] = HOW_DENIED, [LINK_BY_US] = HOW_BY_US,
    };
    struct slink *l = owner;
    struct event ev = {.kind = EV_LINK_DOWN, .link = l->ref, .group = l->group};
    char at[ADDR_TEXT_MAX];

    if (l->up || how == LINK_PROTOCOL)
        log_verbose("link to %s (%s) ended: %s%s%s", addr_text(resp_link_addr(k), at),
                    l->ref.kind == LINK_PEER ? "sentinel" : l->ref.kind == LINK_NODE_CMD ? "commands" : "pub/sub",
                    link_end_name(how), why && *why ? ", " : "", why ? why : "");
    l->up = false;
    ev.u.how = as[how];
    shell_step(l->all->sh, &ev);
}

static void on_push(void *owner, const struct redisReply *r)
{
    struct slink *l = owner;
    struct slice kind, text;
    struct hello h;
    struct event ev = {.kind = EV_HELLO, .link = l->ref, .group = l->group};

    if (!reply_text_at(r, 0, &kind))
        return;
    if (slice_is(kind, "subscribe")) {
        tell(l, EV_LINK_UP);
        return;
    }
    if (!slice_is(kind, "message") || !reply_text_at(r, 2, &text) || hello_read(text, &h, NULL) != 0)
        return;
    if (!shell_same_addr(l->all->sh, &h.primary) || !shell_same_addr(l->all->sh, &h.from))
        return;
    ev.u.hello = &h;
    shell_step(l->all->sh, &ev);
}

static bool is_denial(const struct redisReply *r)
{
    return reply_error_is(r, "NOAUTH") || reply_error_is(r, "WRONGPASS") || reply_error_is(r, "NOPERM");
}

/* Said once when it begins and once when it is over. */
static void note_denial(struct slink *l, const struct redisReply *r)
{
    struct shell *sh = l->all->sh;
    const struct group *g = core_group(sh->core, l->group);
    bool denied = is_denial(r);
    struct str text = {0};

    if (!g || l->ref.kind == LINK_PEER || denied == (l->denied.len > 0))
        return;
    str_clear(&l->denied);
    if (denied)
        str_append(&l->denied, reply_text(r).p, reply_text(r).len < 200 ? reply_text(r).len : 200);
    shell_describe(sh, g, core_node(sh->core, l->ref.id), &text);
    if (denied)
        str_printf(&text, " #%s (sentinel auth-user, auth-pass of this group)", str_c(&l->denied));
    publish_event(sh, denied ? "+misconfigured" : "-misconfigured", str_c(&text), g->name);
    str_fini(&text);
}

enum pong links_pong(const struct redisReply *r)
{
    return reply_is_status(r, "PONG")       ? PONG_OK
         : reply_error_is(r, "LOADING")     ? PONG_LOADING
         : reply_error_is(r, "MASTERDOWN")  ? PONG_MASTERDOWN
         : reply_error_is(r, "BUSY")        ? PONG_BUSY
                                            : PONG_ERROR;
}

static void on_pong(void *arg, const struct redisReply *r)
{
    struct slink *l = arg;
    struct event ev = {.kind = EV_PONG, .link = l->ref, .group = l->group};

    if (!r)
        return;
    note_denial(l, r);
    /* who refuses us for a wrong password or a missing right lives: that is for the operator, not for a failover */
    ev.u.pong = l->denied.len > 0 ? PONG_MASTERDOWN : links_pong(r);
    shell_step(l->all->sh, &ev);
}

static void same_addrs(struct shell *sh, struct node_info_text *t)
{
    size_t kept = 0;

    if (t->info.primary.host[0] && !shell_same_addr(sh, &t->info.primary))
        memset(&t->info.primary, 0, sizeof t->info.primary);
    for (size_t i = 0; i < t->replicas.n; i++) {
        struct info_replica r = t->replicas.at[i];

        if (shell_same_addr(sh, &r.addr))
            t->replicas.at[kept++] = r;
    }
    t->replicas.n = t->info.n_replicas = kept;
}

/* A kvnode says where its control links are; a stock node does not. */
static void want_control(struct slink *l, uint16_t ha_port)
{
    struct shell *sh = l->all->sh;
    const struct node *n = core_node(sh->core, l->ref.id);
    struct addr to;

    if (!n)
        return;
    to = n->addr;
    to.port = ha_port;
    ha_links_want(sh->ha_links, n->id, ha_port ? &to : NULL);
}

static void on_info(void *arg, const struct redisReply *r)
{
    struct slink *l = arg;
    struct node_info_text *t = &l->all->info;
    struct event ev = {.kind = EV_INFO, .link = l->ref, .group = l->group};

    if (!r)
        return;
    if (ha_links_up(l->all->sh->ha_links, l->ref.id))      /* PING goes there: this link shows here whether it is let in */
        note_denial(l, r);
    if (!reply_is_error(r) && reply_text(r).len > 0) {     /* else: answered, but with nothing */
        str_set(&l->info, reply_text(r).p, reply_text(r).len);
        l->info_at_ms = clock_mono_ms();
        node_info_read(reply_text(r), t);
        same_addrs(l->all->sh, t);
        ev.u.info = &t->info;
        want_control(l, t->info.ha_port);
    }
    shell_step(l->all->sh, &ev);
}

static void on_answer(void *arg, const struct redisReply *r)
{
    struct wait *w = arg;
    struct slink *l = w->l;
    struct vote_answer a;
    struct event ev = {.kind = EV_ANSWER, .link = l->ref, .group = w->group};
    bool good = vote_answer_read(r, &a);

    ev.u.answer.asked_epoch = w->epoch;
    wait_end(w);
    if (!good)
        return;
    ev.u.answer.down = a.down;
    ev.u.answer.leader = a.leader;
    ev.u.answer.leader_epoch = a.leader_epoch;
    shell_step(l->all->sh, &ev);
}

static void order_over(struct wait *w, const struct redisReply *r, bool ok, bool kept, const char *why)
{
    struct slink *l = w->l;
    struct event ev = {.kind = EV_ORDER_DONE, .link = l->ref, .group = l->group,
                       .u.order = {.what = w->order, .ok = ok, .kept = kept, .why = why}};

    if (r)                       /* else EV_LINK_DOWN says it */
        shell_step(l->all->sh, &ev);
    wait_end(w);
}

static void on_order(void *arg, const struct redisReply *r)
{
    struct wait *w = arg;

    order_heard(w->order, w->heard++, r, &w->result);
    if (w->heard < w->commands)
        return;
    list_remove(&w->link);       /* a step may close the link and end all who wait on it */
    list_init(&w->link);
    order_over(w, r, w->result.done, w->result.kept, w->result.why);
}

static void on_one_word(void *arg, const struct redisReply *r)
{
    struct wait *w = arg;
    char why[128];
    bool ok = order_taken(r, why, sizeof why);

    list_remove(&w->link);
    list_init(&w->link);
    order_over(w, r, ok, ok, why);
}

/* ---- what goes ---------------------------------------------------------------------------- */

void links_dial(const struct links *all, const struct addr *to, struct resp_link_opts *o)
{
    const struct sentinel_options *opt = all->sh->opt;

    o->to = *to;
    o->connect_timeout_ms = 1000;
    o->backoff_min_ms = 50;
    o->backoff_max_ms = 1000;
    o->reconnect_at_once = true;
    o->reply_max = 16u << 20;
    o->resolver = all->sh->resolver;
    if (opt->bind.n > 0 && addr_is_ip(opt->bind.at[0]) && addr_is_ip(to->host) && !strchr(opt->bind.at[0], ':') &&
        !strchr(to->host, ':') && strcmp(opt->bind.at[0], "0.0.0.0") != 0)
        o->source_ip = opt->bind.at[0];
}

static void open_link(struct links *all, const struct action *a)
{
    struct slink *l = find(all, a->link);
    struct ref_key key = key_of(a->link);
    const struct node *n = a->link.kind == LINK_PEER ? NULL : core_node(all->sh->core, a->link.id);
    struct resp_link_opts o = {.on_up = on_up, .on_end = on_end, .on_push = on_push};

    if (l && addr_equal(resp_link_addr(l->k), &a->to))
        return;
    if (l) {
        bool was_up = l->up;
        l->up = false;
        resp_link_set_addr(l->k, &a->to);
        resp_link_drop(l->k, "another address");
        if (was_up)
            resp_link_retry_now(l->k);
        return;
    }
    if (a->link.kind != LINK_PEER && !n)
        return;
    l = mem_zalloc(sizeof *l);
    l->all = all;
    l->ref = a->link;
    l->group = n ? n->group : 0;
    if (a->link.kind == LINK_NODE_CMD)
        l->rights = rights_new(all->sh, l->group, a->link.id);
    list_init(&l->waiting);
    links_dial(all, &a->to, &o);
    if (a->link.kind == LINK_NODE_CMD) {
        o.backoff_min_ms = NODE_BACKOFF_MIN_MS;
        o.refused_part = NODE_REFUSED_PART;
    }
    o.owner = l;
    l->k = resp_link_new(all->sh->loop, &o);
    dict_put(&all->by_ref, &key, sizeof key, NULL)->v.p = l;
}

static struct wait *wait_new(struct slink *l, const struct action *a)
{
    struct wait *w = mem_zalloc(sizeof *w);

    w->l = l;
    w->group = a->group;
    w->epoch = a->epoch;
    w->order = a->kind == ACT_PROMOTE     ? ORDER_PROMOTE
               : a->kind == ACT_HAND_OVER ? ORDER_HAND_OVER
               : a->kind == ACT_CALL_BACK ? ORDER_CALL_BACK
               : a->kind == ACT_SEAL      ? ORDER_SEAL
               : a->kind == ACT_KEEP      ? ORDER_KEEP
                                          : ORDER_REPOINT;
    list_append(&l->waiting, &w->link);
    return w;
}

static void send_hello(struct slink *l, const struct action *a)
{
    struct hello h = *a->hello;
    struct str text = {0};

    if (!h.from.host[0] && !resp_link_local_ip(l->k, h.from.host))
        return;
    h.primary = shell_shown(l->all->sh, &h.primary);
    hello_write(&h, &text);
    resp_link_sendz(l->k, NULL, NULL, renamed(l, "PUBLISH"), HELLO_CHANNEL, str_c(&text), NULL);
    str_fini(&text);
}

static void send_ask(struct slink *l, const struct action *a)
{
    struct vote_request q = {.primary = shell_shown(l->all->sh, &a->to), .epoch = a->epoch};
    struct str word[4] = {{0}};
    struct wait *w = wait_new(l, a);

    memcpy(q.candidate, a->id, sizeof q.candidate);
    vote_request_write(&q, word);
    if (!resp_link_sendz(l->k, on_answer, w, "SENTINEL", "is-master-down-by-addr", str_c(&word[0]), str_c(&word[1]),
                         str_c(&word[2]), str_c(&word[3]), NULL))
        wait_end(w);
    for (int i = 0; i < 4; i++)
        str_fini(&word[i]);
}

static void send_order(struct slink *l, const struct action *a)
{
    struct order_text t;
    struct wait *w = wait_new(l, a);
    struct addr to = shell_shown(l->all->sh, &a->to);
    bool sent = true;

    order_write(w->order, &to, renamed, l, &t);
    w->commands = t.n;
    for (int i = 0; sent && i < t.n; i++)
        sent = resp_link_send(l->k, on_order, w, t.cmd[i].argc, t.cmd[i].argv);
    if (!sent)                   /* the link is not up: not one of them was sent */
        wait_end(w);
}

static void send_seal(struct slink *l, const struct action *a)
{
    struct wait *w = wait_new(l, a);
    char port[8];

    snprintf(port, sizeof port, "%u", a->to.port);
    if (!resp_link_sendz(l->k, on_one_word, w, renamed(l, "SLAVEOF"), a->to.host, port, NULL))
        wait_end(w);
}

static void send_keep(struct slink *l, const struct action *a)
{
    struct wait *w = wait_new(l, a);

    if (!resp_link_sendz(l->k, on_one_word, w, renamed(l, "CONFIG"), "REWRITE", NULL))
        wait_end(w);
}

/* FAILOVER is one command, and its OK means that it has begun. A kvnode asks its replica itself where it is. */
static void send_hand_over(struct slink *l, const struct action *a)
{
    const struct node *n = core_node(l->all->sh->core, l->ref.id);
    struct wait *w = wait_new(l, a);
    struct addr to = shell_shown(l->all->sh, &a->to);
    char port[8], ms[NUM_I64_MAX];
    bool sent;

    snprintf(port, sizeof port, "%u", to.port);
    num_put_i64(ms, a->ms);
    if (a->kind == ACT_HAND_OVER)
        sent = resp_link_sendz(l->k, on_one_word, w, renamed(l, "FAILOVER"), "TO", to.host, port, "TIMEOUT", ms, NULL);
    else
        sent = resp_link_sendz(l->k, on_one_word, w, renamed(l, "FAILOVER"), "ABORT", NULL);
    if (!sent)
        wait_end(w);
    nudge_free(l->nudge);
    l->nudge = sent && a->kind == ACT_HAND_OVER && n && !n->kvnode ? nudge_new(l->all->sh, l->group, &a->to, a->ms) : NULL;
}

void links_do(struct links *all, const struct action *a)
{
    struct slink *l = find(all, a->link);

    if (a->kind == ACT_LINK_OPEN) {
        open_link(all, a);
        return;
    }
    if (!l)
        return;
    if (a->kind == ACT_LINK_CLOSE) {
        slink_free(l);
        return;
    }
    if (a->kind == ACT_LINK_DROP) {
        resp_link_drop(l->k, "no answer for too long");
        return;
    }
    if (!l->up || resp_link_pending(l->k) > PENDING_MAX)
        return;
    switch (a->kind) {
    case ACT_PING:             /* under another name it is a command of the node's table, not of its control links */
        if (l->ref.kind != LINK_NODE_CMD || strcmp(renamed(l, "PING"), "PING") != 0 || !ha_links_ping(all->sh->ha_links, l->ref.id))
            resp_link_sendz(l->k, on_pong, l, renamed(l, "PING"), NULL);
        break;
    case ACT_INFO: resp_link_sendz(l->k, on_info, l, renamed(l, "INFO"), NULL); break;
    case ACT_HELLO: send_hello(l, a); break;
    case ACT_ASK: send_ask(l, a); break;
    case ACT_PROMOTE:
    case ACT_REPOINT: send_order(l, a); break;
    case ACT_SEAL: send_seal(l, a); break;
    case ACT_HAND_OVER:
    case ACT_CALL_BACK: send_hand_over(l, a); break;
    case ACT_KEEP: send_keep(l, a); break;
    case ACT_SCRIPT_KILL: resp_link_sendz(l->k, NULL, NULL, renamed(l, "SCRIPT"), "KILL", NULL); break;
    default: CHECK(!"an action about a link");
    }
}

/* ---- for others ---------------------------------------------------------------------------- */

static void peer_answered(void *arg, const struct redisReply *r)
{
    const struct slink *l = arg;
    char at[ADDR_TEXT_MAX];

    if (r && reply_is_error(r))
        log_verbose("the sentinel %s refuses a message: %.*s", addr_text(resp_link_addr(l->k), at),
                    (int)(reply_text(r).len < 200 ? reply_text(r).len : 200), reply_text(r).p);
}

bool links_to_peer(struct links *all, core_id peer, int argc, const struct slice *argv)
{
    struct slink *l = find(all, (struct link_ref){LINK_PEER, peer});

    return l && l->up && resp_link_pending(l->k) <= PENDING_MAX && resp_link_send(l->k, peer_answered, l, argc, argv);
}

void links_hurry_peer(struct links *all, core_id peer)
{
    struct slink *l = find(all, (struct link_ref){LINK_PEER, peer});

    if (l)
        resp_link_hurry(l->k);
}

bool links_local_ip(const struct links *all, char ip[ADDR_HOST_MAX])
{
    struct dict_iter it;
    struct dict_entry *e;
    bool found = false;

    dict_iter_init(&it, (struct dict *)&all->by_ref);
    while (!found && (e = dict_iter_next(&it)))
        found = ((const struct slink *)e->v.p)->up && resp_link_local_ip(((const struct slink *)e->v.p)->k, ip);
    dict_iter_fini(&it);
    return found;
}

void links_new_auth(struct links *all, core_id group)
{
    VEC(struct link_ref) which = {0};
    struct dict_iter it;
    struct dict_entry *e;

    dict_iter_init(&it, &all->by_ref);
    while ((e = dict_iter_next(&it))) {
        const struct slink *l = e->v.p;

        if (l->group == group && (group != 0 || l->ref.kind == LINK_PEER))
            vec_push(&which, l->ref);
    }
    dict_iter_fini(&it);
    for (size_t i = 0; i < which.n; i++) {     /* dropping one may open or close others */
        struct slink *l = find(all, which.at[i]);

        if (l) {
            resp_link_drop(l->k, "another password");
            resp_link_retry_now(l->k);
        }
    }
    vec_fini(&which);
}

size_t links_pending(const struct links *all, struct link_ref ref)
{
    const struct slink *l = find(all, ref);

    return l ? resp_link_pending(l->k) : 0;
}

struct slice links_info_text(const struct links *all, core_id node, int64_t *at_ms)
{
    const struct slink *l = find(all, (struct link_ref){LINK_NODE_CMD, node});

    *at_ms = l ? l->info_at_ms : 0;
    return l ? (struct slice){str_c(&l->info), l->info.len} : (struct slice){"", 0};
}

const char *links_rights(const struct links *all, core_id node)
{
    const struct slink *l = find(all, (struct link_ref){LINK_NODE_CMD, node});

    return l ? rights_text(l->rights) : "";
}

bool links_forbid_order(const struct links *all, core_id node)
{
    const struct slink *l = find(all, (struct link_ref){LINK_NODE_CMD, node});

    return l && (l->denied.len > 0 || rights_forbid(l->rights));
}

const char *links_denied(const struct links *all, core_id node)
{
    const struct slink *l = find(all, (struct link_ref){LINK_NODE_CMD, node});

    return l && l->denied.len > 0 ? str_c(&l->denied) : NULL;
}

size_t links_count(const struct links *all)
{
    return dict_count(&all->by_ref);
}

size_t links_up(const struct links *all)
{
    struct dict_iter it;
    struct dict_entry *e;
    size_t n = 0;

    dict_iter_init(&it, (struct dict *)&all->by_ref);
    while ((e = dict_iter_next(&it)))
        n += ((const struct slink *)e->v.p)->up;
    dict_iter_fini(&it);
    return n;
}
