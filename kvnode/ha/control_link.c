/* Control links: those that sentinels and replicas hold to us, and the one that we hold to our
 * primary. Requests in, answers in their order; a PONG that may not be said yet holds back all
 * answers behind it. */
#include "kvnode/ha/control_inside.h"

#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/text/ha_text.h"

#include <hiredis/hiredis.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define OUT_MAX (4u << 20)             /* a link that reads no faster is closed */
#define HELD_MAX (256u << 10)          /* answers that wait while the main thread is stuck */
#define ARGS_MAX 256
#define KEEPALIVE_S 15

/* --- one link: answers ---------------------------------------------------------------------------------------- */

static void link_end(struct link *l)
{
    if (l->ended)
        return;
    l->ended = true;
    list_remove(&l->link);
    atomic_fetch_sub(&l->c->n_links, 1);
    control_tell_gone(l->c, l->number);
}

static void link_free(void *arg)
{
    struct link *l = arg;

    resp_parser_fini(&l->parser);
    buf_fini(&l->held);
    mem_free(l);
}

void control_link_close(struct link *l, bool linger)
{
    if (l->ended)
        return;
    link_end(l);
    if (!linger && stream_fd(l->stream) >= 0)
        shutdown(stream_fd(l->stream), SHUT_RDWR);     /* the main thread still has it open, and may be stuck */
    if (linger)
        stream_close_when_sent(l->stream);
    else
        stream_close(l->stream);
    loop_park(l->c->loop, l, link_free);
}

static void answer(struct link *l, const char *text)
{
    if (buf_len(&l->held) > 0) {
        buf_append(&l->held, text, strlen(text));
        if (buf_len(&l->held) > HELD_MAX)
            control_link_close(l, false);
        return;
    }
    stream_write(l->stream, text, strlen(text));
}

static void answer_error(struct link *l, const char *why)
{
    struct str text = {0};

    str_printf(&text, "-ERR %s\r\n", why);
    answer(l, str_c(&text));
    str_fini(&text);
}

void control_link_on_look(struct timer *t, void *arg)
{
    struct control *c = arg;
    bool any = false;

    list_each_safe(struct link, l, &c->links, link) {
        if (buf_len(&l->held) == 0)
            continue;
        any = true;
        if (!control_main_is_well(c))
            continue;
        stream_write(l->stream, buf_data(&l->held), buf_len(&l->held));
        buf_clear(&l->held);
    }
    if (any)
        timer_set(t, LOOK_MS);
}

static void pong(struct link *l)
{
    if (control_main_is_well(l->c) || buf_len(&l->held) > 0) {
        answer(l, "+PONG\r\n");
        return;
    }
    buf_append(&l->held, "+PONG\r\n", 7);
    if (!timer_is_set(&l->c->look))
        timer_set(&l->c->look, LOOK_MS);
}

/* --- one link: requests ------------------------------------------------------------------------------------------ */

/* Who may say what. */
enum speaker { BY_VOTER = 1, BY_REPLICA = 2, BY_PRIMARY = 4 };

static const unsigned speakers[HA_KINDS] = {
    [HA_LOOK] = BY_VOTER, [HA_BIND] = BY_VOTER, [HA_SEAL] = BY_VOTER, [HA_FETCH] = BY_VOTER, [HA_OPEN] = BY_VOTER,
    [HA_LEASE] = BY_VOTER | BY_REPLICA, [HA_JOINT] = BY_VOTER, [HA_COMMITTED] = BY_VOTER, [HA_STOP] = BY_VOTER,
    [HA_RESUME] = BY_VOTER, [HA_FINISH] = BY_VOTER, [HA_FOLLOW] = BY_VOTER, [HA_END] = BY_VOTER | BY_PRIMARY,
    [HA_RENEW] = BY_PRIMARY,
};

/* Words that mean nothing without the number of an election. */
static bool needs_ballot(enum ha_kind k)
{
    return k == HA_BIND || k == HA_SEAL || k == HA_FETCH || k == HA_STOP || k == HA_RESUME || k == HA_FINISH;
}

/* NULL, or what is wrong with it. */
static const char *take_line(struct control *c, uint64_t link, enum speaker who, const char *id, struct slice line)
{
    const char *why = NULL;
    struct heard *x;

    if (!ha_text_msg_line(line.p, line.len, &c->msg, &c->rec, &why))
        return why;
    if ((unsigned)c->msg.kind >= HA_KINDS || !(speakers[c->msg.kind] & who))
        return "that is not yours to say to a node";
    if (id && strcmp(id, c->msg.from) != 0)
        return "it is not from whom attached this link";
    if (needs_ballot(c->msg.kind) && c->msg.ballot == 0)
        return "it names no ballot";
    if (c->msg.rec && c->msg.rec->fsync)
        return "this node keeps its log in memory: it cannot confirm what fsync asks for";
    x = mem_zalloc(sizeof *x);
    x->link = link;
    x->at_ms = clock_mono_ms();
    x->msg = c->msg;
    if (c->msg.rec) {
        x->rec = c->rec;
        x->msg.rec = &x->rec;
    }
    control_tell_main(c, x);
    if (c->msg.kind == HA_LEASE && !timer_is_set(&c->late))
        timer_set(&c->late, GRACE_MS + 1);
    return NULL;
}

static void request(struct link *l, int argc, const struct slice *argv)
{
    const char *why = NULL;

    if (argc == 1 && slice_is_nocase(argv[0], "ping")) {
        pong(l);
    } else if (argc == 1 && slice_is_nocase(argv[0], "quit")) {
        answer(l, "+OK\r\n");
        control_link_close(l, true);
    } else if (argc >= 3 && slice_is_nocase(argv[0], "ha") && slice_is_nocase(argv[1], "msg")) {
        for (int i = 2; i < argc && !why; i++)
            why = take_line(l->c, l->number, l->voter ? BY_VOTER : BY_REPLICA, l->id, argv[i]);
        if (why)
            answer_error(l, why);
        else
            answer(l, "+OK\r\n");
    } else {
        answer_error(l, "a control link knows PING, HA MSG and QUIT");
        control_link_close(l, true);
    }
}

static void read_requests(struct link *l)
{
    static const struct resp_limits limits = {.inline_bytes = CONTROL_LINE_MAX, .args = ARGS_MAX, .bulk_bytes = CONTROL_LINE_MAX};
    struct buf *in = stream_in(l->stream);
    const struct slice *argv;
    struct err e = {0};
    size_t used;
    int argc;

    while (!l->ended && buf_len(in) > 0) {
        switch (resp_parse(&l->parser, &limits, buf_data(in), buf_len(in), &argv, &argc, &used, &e)) {
        case RESP_MORE:
            if (buf_len(in) > CONTROL_LINE_MAX) {
                answer_error(l, "the request is too long for a control link");
                control_link_close(l, true);
            }
            return;
        case RESP_BAD:
            answer_error(l, e.text);
            control_link_close(l, true);
            return;
        case RESP_READY:
            break;
        }
        if (used > CONTROL_LINE_MAX) {
            answer_error(l, "the request is too long for a control link");
            control_link_close(l, true);
            return;
        }
        if (argc > 0)
            request(l, argc, argv);
        buf_consume(in, used);
    }
}

static void on_data(struct stream *s, void *owner)
{
    (void)s;
    read_requests(owner);
}

static void on_end(struct stream *s, enum stream_end how, int sys_errno, void *owner)
{
    (void)s, (void)how, (void)sys_errno;
    control_link_close(owner, false);
}

static const struct stream_events events = {.on_data = on_data, .on_end = on_end};

void control_link_adopt(struct control *c, struct say *s)
{
    struct link *l = mem_zalloc(sizeof *l);

    l->c = c;
    l->number = s->link;
    l->voter = s->voter;
    memcpy(l->id, s->id, ID_MAX);
    resp_parser_init(&l->parser);
    list_append(&c->links, &l->link);
    l->stream = stream_from_fd(c->loop, s->fd, &events, l);
    s->fd = -1;
    stream_limit_out(l->stream, OUT_MAX);
    stream_set_keepalive(l->stream, KEEPALIVE_S);
    buf_append(stream_in(l->stream), str_c(&s->bytes), s->bytes.len);
    read_requests(l);
}

struct link *control_link_of(struct control *c, uint64_t number)
{
    list_each(struct link, l, &c->links, link)
        if (l->number == number)
            return l;
    return NULL;
}

/* --- our own link to the primary's control port ---------------------------------------------------------------------- */

static void on_attached(void *arg, const struct redisReply *r)
{
    struct control *c = arg;

    if (r && r->type == REDIS_REPLY_ERROR)
        resp_link_drop(c->primary, "refused as a control link");
}

static void on_up(struct resp_link *k, void *owner)
{
    struct control *c = owner;
    char gid[24], life[24];

    snprintf(gid, sizeof gid, "%llu", (unsigned long long)c->gid);
    snprintf(life, sizeof life, "%llu", (unsigned long long)c->life);
    resp_link_subscribe_mode(k, true);
    resp_link_sendz(k, on_attached, c, "HA", "ATTACH", gid, "NODE", c->id, life, NULL);
}

static void on_push(void *arg, const struct redisReply *r)
{
    struct control *c = arg;

    if (r && r->type == REDIS_REPLY_ARRAY && r->elements == 3 && r->element[2]->type == REDIS_REPLY_STRING)
        take_line(c, c->primary_link, BY_PRIMARY, NULL, (struct slice){r->element[2]->str, r->element[2]->len});
}

void control_link_dial(struct control *c, const struct say *s)
{
    struct resp_link_opts o = {.to = s->to, .user = s->user, .password = s->password, .source_ip = s->source, .on_up = on_up,
                               .on_push = on_push, .owner = c, .reply_max = CONTROL_LINE_MAX};

    resp_link_free(c->primary);
    c->primary = NULL;
    c->primary_link = 0;
    if (!addr_is_set(&s->to))
        return;
    c->primary_link = s->link;
    c->gid = s->gid;
    c->life = s->life;
    memcpy(c->id, s->id, ID_MAX);
    if (!c->resolver)
        c->resolver = resolver_new(c->loop);
    o.resolver = c->resolver;
    c->primary = resp_link_new(c->loop, &o);
}

/* --- what the node says ---------------------------------------------------------------------------------------------------- */

void control_link_say(struct control *c, uint64_t number, struct slice line)
{
    struct link *l = control_link_of(c, number);
    struct slice words[3] = {{"message", 7}, {"ha", 2}, line};

    if (l) {
        resp_put_request(stream_out(l->stream), 3, words);
        stream_flush_later(l->stream);
    } else if (c->primary && number == c->primary_link) {
        words[0] = (struct slice){"HA", 2};
        words[1] = (struct slice){"MSG", 3};
        resp_link_send(c->primary, NULL, NULL, 3, words);
    }
}
