/* Waiting clients hang in one list, each with its own deadline. */
#include "kvnode/repl/wait.h"

#include "common/base/mem.h"
#include "common/base/num.h"
#include "kvnode/call.h"
#include "kvnode/repl/feed.h"
#include "kvnode/server.h"

struct waiting {
    struct list_link link;
    struct client *client;
    int64_t offset;
    size_t wanted;
    struct timer deadline;
};

static struct list_link all = {&all, &all};

static void forget(struct waiting *w)
{
    timer_clear(&w->deadline);
    list_remove(&w->link);
    w->client->waiting = NULL;
    w->client->waiting_gone = NULL;
    mem_free(w);
}

static void gone(struct client *c) { forget(c->waiting); }

static void answer(struct waiting *w, size_t n)
{
    struct session *se = w->client->session;

    forget(w);
    reply_int(session_reply(se), (int64_t)n);
    session_release(se);
}

static void on_deadline(struct timer *t, void *arg)
{
    struct waiting *w = arg;

    (void)t;
    answer(w, feed_acked(w->client->srv->feed, w->offset));
}

void wait_check(struct server *srv)
{
    list_each_safe(struct waiting, w, &all, link) {
        if (w->client->srv != srv)
            continue;
        size_t n = feed_acked(srv->feed, w->offset);
        if (n >= w->wanted)
            answer(w, n);
    }
}

void wait_release_all(struct server *srv)
{
    list_each_safe(struct waiting, w, &all, link) {
        struct session *se = w->client->session;
        if (w->client->srv != srv)
            continue;
        forget(w);
        reply_error(session_reply(se),
                    "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)");
        session_release(se);
    }
}

void wait_command(struct call *c)
{
    struct client *cl = call_client(c);
    struct server *srv = cl->srv;
    int64_t wanted, timeout_ms;

    if (server_is_replica(srv)) {
        reply_error(c->reply, "ERR WAIT cannot be used with replica instances: what is written here is not propagated");
        return;
    }
    if (!num_i64(c->argv[1].p, c->argv[1].len, &wanted)) {
        reply_error(c->reply, TEXT_NOT_INT);
        return;
    }
    if (!num_i64(c->argv[2].p, c->argv[2].len, &timeout_ms)) {
        reply_error(c->reply, "ERR timeout is not an integer or out of range");
        return;
    }
    if (timeout_ms < 0) {
        reply_error(c->reply, "ERR timeout is negative");
        return;
    }
    size_t n = feed_acked(srv->feed, cl->last_write_offset);
    if ((wanted <= 0 || n >= (size_t)wanted) || cl->in_exec || cl->session == NULL) {
        reply_int(c->reply, (int64_t)n);
        return;
    }
    struct waiting *w = mem_zalloc(sizeof *w);
    w->client = cl;
    w->offset = cl->last_write_offset;
    w->wanted = (size_t)wanted;
    timer_init(&w->deadline, srv->loop, on_deadline, w);
    if (timeout_ms > 0)
        timer_set(&w->deadline, timeout_ms);
    list_append(&all, &w->link);
    cl->waiting = w;
    cl->waiting_gone = gone;
    session_hold(cl->session);
    feed_ask_acks(srv->feed);
}
