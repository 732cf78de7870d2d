/* From a message to a document. */
#include "agent/controller/scale.h"

#include "agent/core/docname.h"
#include "agent/core/scale.h"
#include "common/base/dict.h"
#include "common/base/mem.h"
#include "common/base/timeval.h"
#include "common/io/log.h"

#include <hiredis/hiredis.h>
#include <string.h>

#define TRIES_MAX 5            /* a document that others change at the same moment */

enum ask_state {
    ASK_READING,               /* the document is on its way to us */
    ASK_WRITING,               /* the changed one is on its way back */
    ASK_COOLING                /* written; a further wish waits until this is over */
};

/* One service that somebody wants scaled. */
struct ask {
    struct list_link link;
    struct scale_duty *duty;   /* NULL: the role is gone, whatever still comes back is nobody's */
    char service[SCALE_SERVICE_MAX + 1], key[DOC_KEY_MAX];
    enum ask_state state;
    int wanted, tries;
    bool again;                /* another wish came meanwhile */
    int64_t until_ms;          /* ASK_COOLING */
    struct str was, is;        /* the document's bytes */
    struct scale_edit edit;
};

struct scale_duty {
    struct loop *loop;
    struct directory *directory;
    struct controller *controller;
    struct dict by_service;
    struct list_link all;      /* those that were given up, too */
    struct timer timer;        /* the next end of a cooldown */
    struct scale_duty_stats stats;
    int64_t complained_at_ms;
};

static void read_document(struct ask *a);

/* --- asks --- */

static void ask_free(struct ask *a)
{
    list_remove(&a->link);
    str_fini(&a->was);
    str_fini(&a->is);
    mem_free(a);
}

static void ask_end(struct ask *a)
{
    dict_del(&a->duty->by_service, a->service, strlen(a->service), NULL);
    ask_free(a);
}

/* A flood of the same trouble is one line a second. */
static bool may_complain(struct scale_duty *s)
{
    int64_t now = loop_now_ms(s->loop);

    if (s->complained_at_ms != 0 && now - s->complained_at_ms < 1000)
        return false;
    s->complained_at_ms = now;
    return true;
}

static void set_timer(struct scale_duty *s)
{
    int64_t next = NEVER_MS;

    list_each(struct ask, a, &s->all, link)
        if (a->duty && a->state == ASK_COOLING && a->until_ms < next)
            next = a->until_ms;
    timer_set_at(&s->timer, next);
}

static void cool(struct ask *a)
{
    a->state = ASK_COOLING;
    a->until_ms = loop_now_ms(a->duty->loop) + a->edit.cooldown_ms;
    set_timer(a->duty);
}

static void on_timer(struct timer *t, void *arg)
{
    struct scale_duty *s = arg;
    int64_t now = loop_now_ms(s->loop);

    (void)t;
    list_each_safe(struct ask, a, &s->all, link) {
        if (!a->duty || a->state != ASK_COOLING || a->until_ms > now)
            continue;
        if (a->again)
            read_document(a);
        else
            ask_end(a);
    }
    set_timer(s);
}

/* --- writing --- */

static void on_written(void *arg, const char *why)
{
    struct ask *a = arg;
    struct scale_duty *s = a->duty;

    if (!s) {
        ask_free(a);
    } else if (!why) {
        s->stats.changed++;
        log_notice("scale service=%s instances=%d->%d", a->service, a->edit.was, a->edit.is);
        cool(a);
    } else if (!*why && a->tries < TRIES_MAX) {
        read_document(a);              /* it changed under our hands, or the role did */
    } else {
        if (may_complain(s))
            log_warning("scale service=%s why=\"%s\"", a->service, *why ? why : "the document changes all the time");
        s->stats.refused++;
        ask_end(a);
    }
}

static void write_document(struct ask *a)
{
    struct slice argv[] = {slice_z("SET"), slice_z(a->key), {str_c(&a->is), a->is.len}};
    struct controller_command c = {3, argv};
    struct controller_guard still = {slice_z(a->key), {str_c(&a->was), a->was.len}};

    a->state = ASK_WRITING;
    if (!controller_write_over(a->duty->controller, &still, &c, 1, on_written, a))
        ask_end(a);                    /* not live: whoever is controller next hears the next message */
}

static void on_document(void *arg, const struct redisReply *r)
{
    struct ask *a = arg;
    struct scale_duty *s = a->duty;
    struct err e = {0};

    if (!s) {
        ask_free(a);
        return;
    }
    if (!r || r->type == REDIS_REPLY_NIL) {
        s->stats.unknown += r != NULL;
        ask_end(a);
        return;
    }
    if (r->type != REDIS_REPLY_STRING)
        err_set(&e, ERR_FORMAT, "%.200s", r->type == REDIS_REPLY_ERROR ? r->str : "the key holds another type of value");
    else {
        str_set(&a->was, r->str, (size_t)r->len);
        (void)scale_document_edit((struct slice){str_c(&a->was), a->was.len}, a->wanted, &a->is, &a->edit, &e);
    }
    if (e.code != 0) {
        s->stats.refused++;
        if (may_complain(s))
            log_warning("scale service=%s why=\"%s: %s\"", a->service, a->key, e.text);
        ask_end(a);
    } else if (a->edit.is == a->edit.was) {
        s->stats.same++;
        if (a->again)
            read_document(a);
        else
            ask_end(a);
    } else {
        write_document(a);
    }
}

static void read_document(struct ask *a)
{
    struct slice argv[] = {slice_z("GET"), slice_z(a->key)};

    a->tries = a->again ? 1 : a->tries + 1;
    a->again = false;
    a->state = ASK_READING;
    if (!directory_peek(a->duty->directory, 2, argv, on_document, a))
        ask_end(a);
}

/* --- messages --- */

static void on_message(void *arg, struct slice message)
{
    struct scale_duty *s = arg;
    struct scale_event ev;
    struct docname name;
    struct dict_entry *in;
    struct ask *a;
    bool is_new;

    if (!controller_is_ours(s->controller))
        return;
    s->stats.messages++;
    if (!scale_event_parse(message, &ev) || !docname_make(&name, slice_z("scale"), slice_z(ev.service))) {
        s->stats.junk++;
        return;
    }
    a = dict_get(&s->by_service, ev.service, strlen(ev.service));
    if (a) {
        a->again = true;
        a->wanted = ev.instances;
        return;
    }
    if (dict_count(&s->by_service) >= SCALE_WAITING_MAX) {
        s->stats.dropped++;
        if (may_complain(s))
            log_warning("scale service=%s why=\"more than %d services are asked for at one time\"", ev.service, SCALE_WAITING_MAX);
        return;
    }
    a = mem_zalloc(sizeof *a);
    a->duty = s;
    a->wanted = ev.instances;
    memcpy(a->service, ev.service, sizeof a->service);
    docname_key(&name, a->key);
    list_append(&s->all, &a->link);
    in = dict_put(&s->by_service, a->service, strlen(a->service), &is_new);
    in->v.p = a;
    read_document(a);
}

/* The role is gone: what is on its way comes back to nobody. */
static void on_end(void *arg)
{
    struct scale_duty *s = arg;

    timer_clear(&s->timer);
    list_each_safe(struct ask, a, &s->all, link) {
        if (a->state == ASK_COOLING)
            ask_free(a);
        else
            a->duty = NULL;
    }
    dict_clear(&s->by_service, NULL);
}

static void on_turn(void *arg) { (void)arg; }

struct scale_duty *scale_duty_new(struct loop *l, struct directory *d, struct controller *c)
{
    struct scale_duty *s = mem_zalloc(sizeof *s);
    struct controller_duty duty = {.name = "scale", .every_ms = 60000, .turn = on_turn, .end = on_end, .arg = s};

    s->loop = l;
    s->directory = d;
    s->controller = c;
    dict_init(&s->by_service);
    list_init(&s->all);
    timer_init(&s->timer, l, on_timer, s);
    CHECK(directory_listen(d, SCALE_CHANNEL, on_message, s));
    controller_add(c, &duty);
    return s;
}

void scale_duty_free(struct scale_duty *s)
{
    if (!s)
        return;
    timer_clear(&s->timer);
    dict_fini(&s->by_service, NULL);
    list_each_safe(struct ask, a, &s->all, link)
        ask_free(a);
    mem_free(s);
}

const struct scale_duty_stats *scale_duty_stats(const struct scale_duty *s) { return &s->stats; }
