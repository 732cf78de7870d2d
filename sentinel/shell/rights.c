/* One check is one short connection. Its two halves: first MULTI and the wrong command, and only
 * when these were answered as they must be, everything else. An answer that says nothing about
 * rights (LOADING, BUSY) leaves what was known and is tried again soon. */
#include "sentinel/shell/rights.h"

#include "common/io/log.h"
#include "common/io/resp_link.h"
#include "common/text/reply_walk.h"
#include "sentinel/shell/links.h"
#include "sentinel/shell/publish.h"
#include "sentinel/shell/shell.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <string.h>

#define AGAIN_MS 10000                 /* when an answer said nothing */
#define PATIENCE_MS 10000              /* a check that takes longer is given up */
#define WRONG_COMMAND "KVORUM-ASKS-FOR-ITS-RIGHTS"

int64_t rights_period_ms = 300000;
int64_t rights_delay_ms = 1000;

static const struct need {
    const char *name;                  /* as it is told */
    const char *words[4];              /* the first goes through rename-command */
    bool may_lack;                     /* older servers do not have it: only a refusal counts */
    bool extra;                        /* a node can be made the primary without */
} needs[] = {
    {"SLAVEOF",         {"SLAVEOF", "NO", "ONE"}, false},
    {"CONFIG REWRITE",  {"CONFIG", "REWRITE"}, false},
    {"CLIENT KILL",     {"CLIENT", "KILL", "TYPE", "normal"}, false},
    {"PUBLISH",         {"PUBLISH", HELLO_CHANNEL, ""}, false},
    {"INFO",            {"INFO"}, false},
    {"SCRIPT KILL",     {"SCRIPT", "KILL"}, true, true},
    {"FAILOVER",        {"FAILOVER", "ABORT"}, true, true},
};
#define NEEDS ((int)(sizeof needs / sizeof needs[0]))
#define NEED_TEXT_MAX 90               /* of the node's words */

struct rights {
    struct shell *sh;
    core_id group, node;
    struct timer timer;
    struct resp_link *k;               /* NULL: no check runs */
    bool began;                        /* MULTI was accepted */
    int at;                            /* the next need to be answered */
    bool unclear;
    bool forbids, forbids_known;       /* what is missing is no extra: of the check that runs, of the last one that was clear */
    struct str found;                  /* of the check that runs: what is missing */
    struct str known;                  /* of the last one that was clear: "ok" or what is missing */
};

static const struct conf_group *conf_of(const struct rights *r) { return shell_group_conf(r->sh, r->group); }

static const char *renamed(const struct rights *r, const char *command)
{
    const struct conf_group *g = conf_of(r);

    return g ? group_options_renamed(&g->opt, command) : command;
}

static void over(struct rights *r, int64_t next_ms)
{
    if (r->k)
        resp_link_free(r->k);
    r->k = NULL;
    timer_set(&r->timer, next_ms);
}

/* --- what was found ---------------------------------------------------------------------- */

static void tell(struct rights *r, bool fine)
{
    const struct group *g = core_group(r->sh->core, r->group);
    const struct node *n = core_node(r->sh->core, r->node);
    struct str text = {0};

    if (!g || !n)
        return;
    shell_describe(r->sh, g, n, &text);
    if (!fine)
        str_printf(&text, " #rights: %s", str_c(&r->known));
    publish_event(r->sh, fine ? "-misconfigured" : "+misconfigured", str_c(&text), g->name);
    str_fini(&text);
}

static void conclude(struct rights *r)
{
    bool fine = r->found.len == 0, was_fine = r->known.len == 0 || strcmp(str_c(&r->known), "ok") == 0;
    const char *now = fine ? "ok" : str_c(&r->found);
    bool news = strcmp(str_c(&r->known), now) != 0 && !(fine && was_fine);

    str_set(&r->known, now, strlen(now));
    r->forbids_known = r->forbids;
    if (news)
        tell(r, fine);
    over(r, rights_period_ms);
}

static void add(struct rights *r, const char *name, bool extra, const struct redisReply *reply)
{
    struct slice said = reply_text(reply);

    r->forbids |= !extra;
    str_printf(&r->found, "%s%s (%.*s)", r->found.len > 0 ? ", " : "", name,
               (int)(said.len < NEED_TEXT_MAX ? said.len : NEED_TEXT_MAX), said.p);
}

/* A refusal for who we are, or because there is no such command; other errors are about the moment. */
static bool is_lacking(const struct redisReply *reply)
{
    struct slice said = reply_text(reply);

    return reply_error_is(reply, "NOPERM") || (said.len >= 19 && memcmp(said.p, "ERR unknown command", 19) == 0) ||
           (said.len >= 22 && memcmp(said.p, "ERR unknown subcommand", 22) == 0);
}

/* --- the second half ----------------------------------------------------------------------- */

static void on_need(void *arg, const struct redisReply *reply)
{
    struct rights *r = arg;
    const struct need *n;

    if (!reply || r->at >= NEEDS)
        return;                        /* the link ended: on_end says so */
    n = &needs[r->at++];
    if (reply_is_status(reply, "QUEUED"))
        return;
    if (is_lacking(reply) && (!n->may_lack || reply_error_is(reply, "NOPERM")))
        add(r, n->name, n->extra, reply);
    else if (!is_lacking(reply) && !n->may_lack)
        r->unclear = true;
}

/* "EXECABORT Transaction discarded because of: NOPERM ...", where it is thrown away for that reason. */
static bool exec_is_denied(const struct redisReply *reply)
{
    struct slice said = reply_text(reply);

    return reply_error_is(reply, "EXECABORT") && memmem(said.p, said.len, ": NOPERM", 8) != NULL;
}

static void on_exec(void *arg, const struct redisReply *reply)
{
    struct rights *r = arg;

    if (!reply)
        return;
    if (!reply_is_error(reply))        /* cannot be: the wrong command was refused behind MULTI */
        log_error("a check of rights was carried out by the node, though its transaction was broken");
    else if (is_lacking(reply) || exec_is_denied(reply))
        add(r, "EXEC", false, reply);
    if (r->unclear)
        over(r, AGAIN_MS);
    else
        conclude(r);
}

static void ask_all(struct rights *r)
{
    for (int i = 0; i < NEEDS; i++) {
        struct slice words[4];
        int argc = 0;

        for (; argc < 4 && needs[i].words[argc]; argc++)
            words[argc] = slice_z(argc ? needs[i].words[argc] : renamed(r, needs[i].words[0]));
        resp_link_send(r->k, on_need, r, argc, words);
    }
    resp_link_sendz(r->k, on_exec, r, renamed(r, "EXEC"), NULL);
}

/* --- the first half --------------------------------------------------------------------------- */

static void on_multi(void *arg, const struct redisReply *reply)
{
    struct rights *r = arg;

    if (!reply)
        return;
    r->began = reply_is_status(reply, "OK");
    if (!r->began && is_lacking(reply))
        add(r, "MULTI", false, reply);
}

static void on_wrong(void *arg, const struct redisReply *reply)
{
    struct rights *r = arg;

    if (!reply)
        return;
    if (r->began && reply_is_error(reply))
        ask_all(r);
    else if (r->found.len > 0)
        conclude(r);                   /* no transaction for us: nothing else can be asked without doing it */
    else
        over(r, AGAIN_MS);             /* NOAUTH, LOADING: that is told elsewhere */
}

static void on_up(struct resp_link *k, void *owner)
{
    struct rights *r = owner;

    r->began = r->unclear = r->forbids = false;
    r->at = 0;
    str_clear(&r->found);
    links_greet(r->sh, r->group, k, "rights", NULL, NULL);
    resp_link_sendz(k, on_multi, r, renamed(r, "MULTI"), NULL);
    resp_link_sendz(k, on_wrong, r, WRONG_COMMAND, NULL);
}

static void on_end(struct resp_link *k, enum link_end how, const char *why, void *owner)
{
    (void)k, (void)how, (void)why;
    over(owner, AGAIN_MS);
}

/* --- when ---------------------------------------------------------------------------------------- */

static void on_timer(struct timer *t, void *arg)
{
    struct rights *r = arg;
    const struct node *n = core_node(r->sh->core, r->node);
    struct resp_link_opts o = {.connect_timeout_ms = 1000, .reply_max = 1u << 20, .resolver = r->sh->resolver,
                               .on_up = on_up, .on_end = on_end, .owner = r};

    (void)t;
    if (r->k || !n || !n->w.up) {
        over(r, AGAIN_MS);
        return;
    }
    o.to = n->addr;
    r->k = resp_link_new(r->sh->loop, &o);
    timer_set(&r->timer, PATIENCE_MS);
}

struct rights *rights_new(struct shell *sh, core_id group, core_id node)
{
    struct rights *r = mem_zalloc(sizeof *r);

    r->sh = sh;
    r->group = group;
    r->node = node;
    timer_init(&r->timer, sh->loop, on_timer, r);
    return r;
}

void rights_free(struct rights *r)
{
    if (!r)
        return;
    if (r->k)
        resp_link_free(r->k);
    timer_clear(&r->timer);
    str_fini(&r->found);
    str_fini(&r->known);
    loop_park(r->sh->loop, r, mem_free);
}

void rights_soon(struct rights *r)
{
    if (!r->k)
        timer_set(&r->timer, rights_delay_ms);
}

const char *rights_text(const struct rights *r) { return r ? str_c(&r->known) : ""; }

bool rights_forbid(const struct rights *r) { return r && r->forbids_known; }
