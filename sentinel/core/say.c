/* The list of actions: its memory, and one verb for each thing that can be said. The
 * payloads of operator events are put together here, so that nobody else has to know
 * how a client expects them to read. */
#include "sentinel/core/inside.h"

#include <stdarg.h>

void actions_init(struct actions *a)
{
    memset(a, 0, sizeof *a);
}

void actions_clear(struct actions *a)
{
    for (size_t i = 0; i < a->kept.n; i++)
        mem_free(a->kept.at[i]);
    vec_clear(&a->kept);
    vec_clear(&a->list);
}

void actions_fini(struct actions *a)
{
    actions_clear(a);
    vec_fini(&a->kept);
    vec_fini(&a->list);
}

static struct action *add(struct core *c, enum action_kind k)
{
    struct action *a = vec_add(&c->out->list);

    a->kind = k;
    return a;
}

static void keep(struct core *c, void *p)
{
    vec_push(&c->out->kept, p);
}

static const char *keep_text(struct core *c, struct str *s)
{
    char *text;

    str_append_z(s, "");
    text = s->p ? str_take(s) : mem_strdup("");
    keep(c, text);
    return text;
}

void say_save(struct core *c)
{
    add(c, ACT_SAVE);
    c->saving = true;
}

void say_save_must(struct core *c)
{
    add(c, ACT_SAVE)->must = true;
    c->saving = true;
    c->must_saved = true;
}

void say_open(struct core *c, struct link_ref l, const struct addr *to)
{
    struct action *a = add(c, ACT_LINK_OPEN);

    a->link = l;
    a->to = *to;
}

void say_link(struct core *c, enum action_kind k, struct link_ref l)
{
    add(c, k)->link = l;
}

void say_hello(struct core *c, const struct group *g, struct link_ref l)
{
    struct action *a = add(c, ACT_HELLO);
    struct hello *h = mem_zalloc(sizeof *h);

    keep(c, h);
    h->from = c->self;
    memcpy(h->id, c->my_id, sizeof h->id);
    h->current_epoch = c->current_epoch;
    memcpy(h->group, g->name, sizeof h->group);
    h->primary = group_primary(c, g)->addr;
    h->config_epoch = g->config_epoch;
    a->link = l;
    a->group = g->id;
    a->hello = h;
}

void say_ask(struct core *c, const struct group *g, const struct peer *p, uint64_t epoch, const char *candidate)
{
    struct action *a = add(c, ACT_ASK);

    a->link = link_peer(p);
    a->group = g->id;
    a->to = group_primary(c, g)->addr;
    a->epoch = epoch;
    slice_copy_z(slice_z(candidate), a->id, sizeof a->id);
}

static struct action *order(struct core *c, enum action_kind k, const struct node *n)
{
    struct action *a = add(c, k);

    a->link = link_cmd(n);
    a->group = n->group;
    a->node = n->id;
    return a;
}

void say_promote(struct core *c, const struct node *n)
{
    order(c, ACT_PROMOTE, n);
}

void say_repoint(struct core *c, const struct node *n, const struct addr *to)
{
    order(c, ACT_REPOINT, n)->to = *to;
}

void say_seal(struct core *c, const struct node *n)
{
    order(c, ACT_SEAL, n)->to = *seal_hole();
}

void say_hand_over(struct core *c, const struct node *primary, const struct addr *to, int64_t ms)
{
    struct action *a = order(c, ACT_HAND_OVER, primary);

    a->to = *to;
    a->ms = ms;
}

void say_call_back(struct core *c, const struct node *primary)
{
    order(c, ACT_CALL_BACK, primary);
}

void say_keep(struct core *c, const struct node *n)
{
    order(c, ACT_KEEP, n);
}

void say_answer(struct core *c, uint64_t ticket, bool down, const char *leader, uint64_t epoch)
{
    struct action *a = add(c, ACT_ANSWER);

    a->ticket = ticket;
    a->down = down;
    a->epoch = epoch;
    slice_copy_z(slice_z(leader), a->id, sizeof a->id);
}

void say_reply(struct core *c, uint64_t ticket, const char *error)
{
    struct action *a;
    struct str s = {0};

    if (ticket == 0)
        return;
    if (error != NULL)
        str_append_z(&s, error);
    a = add(c, ACT_REPLY);
    a->ticket = ticket;
    a->ok = error == NULL;
    a->text = keep_text(c, &s);
}

void say_client_reconfig(struct core *c, const struct group *g, bool leader, const struct addr *from,
                         const struct addr *to)
{
    struct action *a = add(c, ACT_CLIENT_RECONFIG);

    a->group = g->id;
    a->leader = leader;
    a->from = *from;
    a->to = *to;
}

void say_directory(struct core *c, const struct group *g)
{
    struct action *a = add(c, ACT_DIRECTORY);

    a->group = g->id;
    a->to = group_primary(c, g)->addr;
    a->epoch = g->config_epoch;
}

/* --- events ------------------------------------------------------------------------ */

static void say_event(struct core *c, enum news n, core_id group, core_id node, struct str *text)
{
    struct action *a = add(c, ACT_EVENT);

    a->news = n;
    a->group = group;
    a->node = node;
    a->text = keep_text(c, text);
}

static void put_addr(struct str *s, const struct addr *a)
{
    str_printf(s, "%s %u", a->host, (unsigned)a->port);
}

static void put_at_group(struct core *c, struct str *s, const struct group *g)
{
    str_printf(s, " @ %s ", g->name);
    put_addr(s, &group_primary(c, g)->addr);
}

#define PUT_MORE(s, more)                      \
    do {                                       \
        va_list ap_;                           \
        if ((more) != NULL) {                  \
            va_start(ap_, more);               \
            str_append_c((s), ' ');            \
            str_vprintf((s), (more), ap_);     \
            va_end(ap_);                       \
        }                                      \
    } while (0)

void say_news(struct core *c, enum news n, const struct group *g, const char *more, ...)
{
    struct str s = {0};

    str_printf(&s, "master %s ", g->name);
    put_addr(&s, &group_primary(c, g)->addr);
    PUT_MORE(&s, more);
    say_event(c, n, g->id, g->primary, &s);
}

void say_news_node(struct core *c, enum news w, const struct node *n, const char *more, ...)
{
    const struct group *g = node_group(c, n);
    char text[ADDR_TEXT_MAX];
    struct str s = {0};

    if (n->id == g->primary) {
        str_printf(&s, "master %s ", g->name);
        put_addr(&s, &n->addr);
    } else {
        str_printf(&s, "slave %s ", addr_text(&n->addr, text));
        put_addr(&s, &n->addr);
        put_at_group(c, &s, g);
    }
    PUT_MORE(&s, more);
    say_event(c, w, g->id, n->id, &s);
}

void say_news_peer(struct core *c, enum news w, const struct group *g, const struct peer *p, const char *more, ...)
{
    struct str s = {0};

    str_printf(&s, "sentinel %s ", p->run_id);
    put_addr(&s, &p->addr);
    put_at_group(c, &s, g);
    PUT_MORE(&s, more);
    say_event(c, w, g->id, 0, &s);
}

void say_news_bare(struct core *c, enum news n, const struct group *g, const char *text, ...)
{
    struct str s = {0};
    va_list ap;

    va_start(ap, text);
    str_vprintf(&s, text, ap);
    va_end(ap);
    say_event(c, n, g ? g->id : 0, 0, &s);
}

void say_trace(struct core *c, const struct group *g, const char *fmt, ...)
{
    struct action *a = add(c, ACT_TRACE);
    struct str s = {0};
    va_list ap;

    va_start(ap, fmt);
    str_vprintf(&s, fmt, ap);
    va_end(ap);
    a->group = g ? g->id : 0;
    a->text = keep_text(c, &s);
}
