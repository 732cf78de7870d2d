/* How often: the first is said when the connection is up, then in twice the time each, up to EVERY_MAX_MS, as it is not known
 * when the replica will have taken in all. One that refuses is not asked again. */
#include "sentinel/shell/nudge.h"

#include "common/io/log.h"
#include "common/io/resp_link.h"
#include "common/text/reply_walk.h"
#include "sentinel/shell/links.h"
#include "sentinel/shell/shell.h"

#define EVERY_MIN_MS 1
#define EVERY_MAX_MS 20

struct nudge {
    struct shell *sh;
    core_id group;
    struct resp_link *k;               /* NULL: over */
    struct timer timer;
    int64_t every_ms, until_ms;
};

static void over(struct nudge *n)
{
    timer_clear(&n->timer);
    if (n->k)
        resp_link_free(n->k);
    n->k = NULL;
}

static void refused(void *arg, const struct redisReply *reply)
{
    struct nudge *n = arg;
    char at[ADDR_TEXT_MAX];

    if (!reply_is_error(reply) || !n->k)
        return;
    log_notice("the replica %s cannot be asked to acknowledge, so the hand-over may take a second: %.*s",
               addr_text(resp_link_addr(n->k), at), (int)(reply_text(reply).len < 200 ? reply_text(reply).len : 200),
               reply_text(reply).p);
    over(n);
}

static void say(struct nudge *n)
{
    const struct conf_group *g = shell_group_conf(n->sh, n->group);

    if (loop_now_ms(n->sh->loop) >= n->until_ms || !g) {
        over(n);
        return;
    }
    resp_link_sendz(n->k, refused, n, group_options_renamed(&g->opt, "REPLCONF"), "GETACK", "*", NULL);
    timer_set(&n->timer, n->every_ms);
    n->every_ms = n->every_ms * 2 < EVERY_MAX_MS ? n->every_ms * 2 : EVERY_MAX_MS;
}

static void on_timer(struct timer *t, void *arg)
{
    (void)t;
    say(arg);
}

static void on_up(struct resp_link *k, void *owner)
{
    struct nudge *n = owner;

    links_greet(n->sh, n->group, k, "nudge", NULL, NULL);
    n->every_ms = EVERY_MIN_MS;
    say(n);
}

struct nudge *nudge_new(struct shell *sh, core_id group, const struct addr *replica, int64_t for_ms)
{
    struct nudge *n = mem_zalloc(sizeof *n);
    struct resp_link_opts o = {.on_up = on_up, .owner = n};

    n->sh = sh;
    n->group = group;
    n->every_ms = EVERY_MAX_MS;
    n->until_ms = loop_now_ms(sh->loop) + for_ms;
    timer_init(&n->timer, sh->loop, on_timer, n);
    timer_set(&n->timer, EVERY_MAX_MS);
    links_dial(sh->links, replica, &o);
    o.reply_max = 1u << 16;
    n->k = resp_link_new(sh->loop, &o);
    return n;
}

void nudge_free(struct nudge *n)
{
    if (!n)
        return;
    over(n);
    loop_park(n->sh->loop, n, mem_free);
}
