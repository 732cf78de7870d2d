/* One client from hello to good-bye: making it, writing to it, holding it, closing it.
 * A session that is inside one of its own requests is never taken apart under the
 * command's feet: closing is noted and done when the request is over. */
#include "common/io/session.h"

#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/base/timeval.h"
#include "common/io/log.h"
#include "common/io/pubsub.h"
#include "common/io/session_inner.h"

#include <string.h>

#define FIRST_BUF ((size_t)16 << 10)     /* CLIENT LIST tells output in pieces: a first buffer, then a list of more */
#define HELD_INPUT_BYTES (1u << 20)      /* a held client may pile up this much before we stop reading */

void (*session_facts_hook)(const struct session *s, struct session_facts *f);
void (*session_line_extra)(const struct session *s, struct str *out);
void (*session_reset_hook)(struct session *s);

static void on_error_reply(void *arg, const char *code, size_t n)
{
    struct resp_server *srv = arg;

    srv->stats.error_replies++;
    if (srv->hooks.error_seen)
        srv->hooks.error_seen(srv, code, n);
}

struct session *session_make(struct resp_server *srv, int fd, const struct stream_events *ev)
{
    struct session *s = mem_zalloc(sizeof *s);
    bool is_new;

    s->srv = srv;
    s->id = ++srv->next_id;
    s->stream = stream_from_fd(srv->loop, fd, ev, s);
    stream_set_keepalive(s->stream, srv->keepalive_s);
    resp_parser_init(&s->parser);
    s->resp = 2;
    reply_init(&s->reply, stream_out(s->stream), s->resp);
    reply_init(&s->side_reply, &s->side, s->resp);
    s->reply.on_error = s->side_reply.on_error = on_error_reply;
    s->reply.on_error_arg = s->side_reply.on_error_arg = srv;
    session_as_default(s);
    s->created_at_ms = s->last_used_at_ms = loop_now_ms(srv->loop);
    list_init(&s->turn_link);
    list_append(&srv->sessions, &s->link);
    srv->nsessions++;
    dict_put(&srv->by_id, &s->id, sizeof s->id, &is_new)->v.p = s;
    CHECK(is_new);
    return s;
}

static void session_free(void *arg)
{
    struct session *s = arg;

    resp_parser_fini(&s->parser);
    buf_fini(&s->side);
    mem_free(s->name);
    mem_free(s->lib_name);
    mem_free(s->lib_ver);
    mem_free(s);
}

void session_enqueue(struct session *s, enum session_queue q)
{
    struct resp_server *srv = s->srv;
    struct list_link *const heads[] = {NULL, &srv->ready, &srv->waiting, &srv->doomed};

    if (s->queue == q || (s->queue == SESSION_QUEUE_DOOMED && q != SESSION_QUEUE_NONE))
        return;
    list_remove(&s->turn_link);
    srv->nwaiting -= s->queue == SESSION_QUEUE_WAITING;
    srv->nwaiting += q == SESSION_QUEUE_WAITING;
    s->queue = q;
    if (q != SESSION_QUEUE_NONE)
        list_append(heads[q], &s->turn_link);
    if (q == SESSION_QUEUE_READY && !timer_is_set(&srv->kick))
        timer_set(&srv->kick, 0);
    if (q == SESSION_QUEUE_DOOMED)
        loop_again(srv->loop);
}

void session_count_bytes(struct session *s)
{
    uint64_t in = stream_bytes_in(s->stream), out = stream_bytes_out(s->stream);

    s->srv->stats.bytes_in += in - s->counted_in;
    s->srv->stats.bytes_out += out - s->counted_out;
    s->counted_in = in;
    s->counted_out = out;
}

void session_update_reading(struct session *s)
{
    bool wait = s->queue != SESSION_QUEUE_NONE || s->close_after_run || s->closing ||
                (s->held > 0 && buf_len(stream_in(s->stream)) > HELD_INPUT_BYTES);

    stream_pause_reading(s->stream, wait);
}

void session_end(struct session *s, bool linger)
{
    struct resp_server *srv = s->srv;

    if (s->gone)
        return;
    s->gone = true;
    s->closing = true;
    if (srv->hooks.gone)
        srv->hooks.gone(s);
    if (srv->pubsub)
        pubsub_unsubscribe_all(srv->pubsub, s, false);
    session_count_bytes(s);
    session_enqueue(s, SESSION_QUEUE_NONE);
    dict_del(&srv->by_id, &s->id, sizeof s->id, NULL);
    list_leave(&s->link);                /* its end may be the end of others, in the middle of a walk over all */
    srv->nsessions--;
    if (linger)
        stream_close_when_sent(s->stream);
    else
        stream_close(s->stream);
    loop_park(srv->loop, s, session_free);
}

void session_close(struct session *s)
{
    if (s->gone)
        return;
    if (s->running) {
        s->close_after_run = true;
        return;
    }
    session_end(s, false);
}

void session_close_when_sent(struct session *s)
{
    if (s->gone)
        return;
    s->closing = true;
    if (!s->running)
        session_leave(s);
}

void session_leave(struct session *s)
{
    if (stream_waits(s->stream) == 0)
        session_end(s, true);
    else
        session_update_reading(s);
}

void session_allow(struct session *s, uint64_t below)
{
    stream_allow(s->stream, below);
    if (s->closing && !s->running && !s->gone)
        session_leave(s);
}

void session_give_up(struct session *s, const char *error)
{
    if (s->gone)
        return;
    stream_drop_waiting(s->stream);
    reply_error(&s->reply, error);
    s->reply_mode = REPLY_ON;
    s->reply.out = &s->srv->sink;        /* (the request that it may be running says no more) */
    session_close_when_sent(s);
}

static void doom(struct session *s, const char *which)
{
    struct str line = {0};

    if (s->queue == SESSION_QUEUE_DOOMED || s->gone)
        return;
    session_line(s, &line);
    log_warning("Client %s scheduled to be closed ASAP for overcoming of output buffer limits (%s).", str_c(&line),
                which);
    str_fini(&line);
    s->reply.out = &s->srv->sink;
    s->side_reply.out = &s->srv->sink;
    session_enqueue(s, SESSION_QUEUE_DOOMED);
}

void session_check_out(struct session *s)
{
    struct resp_server *srv = s->srv;
    size_t have = buf_len(stream_out(s->stream));
    size_t hard = srv->out_limit[s->class].hard, soft = srv->out_limit[s->class].soft;
    int64_t now = loop_now_ms(srv->loop);

    if (hard && have > hard) {
        doom(s, "hard");
        return;
    }
    if (!soft || have <= soft) {
        s->soft_over_since_ms = 0;
        return;
    }
    if (s->soft_over_since_ms == 0)
        s->soft_over_since_ms = now;
    else if (now - s->soft_over_since_ms >= srv->out_limit[s->class].soft_ms)
        doom(s, "soft");
}

struct reply *session_reply(struct session *s)
{
    if (s->queue == SESSION_QUEUE_DOOMED || s->gone) {
        buf_clear(&s->srv->sink);
        s->reply.out = &s->srv->sink;
        return &s->reply;
    }
    if (s->running) {
        s->side_reply.resp = s->resp;
        return &s->side_reply;
    }
    session_check_out(s);
    stream_flush_later(s->stream);
    return &s->reply;
}

void session_hold(struct session *s)
{
    s->held++;
}

void session_release(struct session *s)
{
    CHECK(s->held > 0);
    if (--s->held > 0 || s->gone)
        return;
    if (buf_len(stream_in(s->stream)) > 0)
        session_enqueue(s, SESSION_QUEUE_READY);
    session_update_reading(s);
}

struct session *session_by_id(struct resp_server *srv, uint64_t id)
{
    return dict_get(&srv->by_id, &id, sizeof id);
}

bool session_has_password(const struct resp_server *srv)
{
    return acl_user_needs_password(acl_default_user(srv->acl));
}

bool session_is_guest(const struct session *s)
{
    return !s->authenticated && (session_has_password(s->srv) || !acl_user_is_on(acl_default_user(s->srv->acl)));
}

void session_as_default(struct session *s)
{
    s->acl_user = acl_default_user(s->srv->acl);
    s->authenticated = acl_user_is_on(s->acl_user) && !acl_user_needs_password(s->acl_user);
}

void session_reset(struct session *s)
{
    if (session_reset_hook)
        session_reset_hook(s);
    if (s->srv->pubsub)
        pubsub_unsubscribe_all(s->srv->pubsub, s, false);
    s->is_monitor = false;
    s->no_evict = s->no_touch = false;
    s->reply_mode = REPLY_ON;
    s->resp = s->reply.resp = 2;
    mem_free(s->name);
    s->name = NULL;
    session_as_default(s);
}

/* --- CLIENT LIST --- */

static void put_flags(const struct session *s, const struct session_facts *f, struct str *out)
{
    size_t before = out->len;

    if (s->class == SESSION_REPLICA)
        str_append_c(out, s->is_monitor ? 'O' : 'S');
    else if (s->is_monitor)
        str_append_c(out, 'O');
    if (s->nchannels + s->npatterns > 0)
        str_append_c(out, 'P');
    str_append_z(out, f->flags);
    if (s->queue == SESSION_QUEUE_WAITING && !strchr(f->flags, 'b'))
        str_append_c(out, 'b');
    if (s->queue == SESSION_QUEUE_DOOMED)
        str_append_c(out, 'A');
    else if (s->closing)
        str_append_c(out, 'c');
    if (stream_is_unix(s->stream))
        str_append_c(out, 'U');
    if (s->no_evict)
        str_append_c(out, 'e');
    if (s->no_touch)
        str_append_c(out, 'T');
    if (out->len == before)
        str_append_c(out, 'N');
}

static void put_addr(const struct session *s, const struct addr *a, struct str *out)
{
    char text[ADDR_TEXT_MAX];

    if (stream_is_unix(s->stream))
        str_printf(out, "%s:0", a->host);
    else
        str_append_z(out, addr_text(a, text));
}

void session_line(const struct session *s, struct str *out)
{
    struct session_facts f = {.multi = -1, .redir = -1};
    struct addr peer = stream_peer(s->stream), local = stream_local(s->stream);
    const struct buf *in = stream_in(s->stream), *o = stream_out(s->stream);
    int64_t now = loop_now_ms(s->srv->loop);
    size_t argv_bytes = (size_t)s->parser.argv_cap * sizeof(struct slice) + (size_t)s->parser.cap * 16;
    size_t waits = s->running ? 0 : buf_len(o);        /* what it asks for now is not waiting yet */
    size_t more = waits > FIRST_BUF ? waits - FIRST_BUF : 0;
    char cmd[64];

    if (session_facts_hook)
        session_facts_hook(s, &f);
    str_printf(out, "id=%llu addr=", (unsigned long long)s->id);
    put_addr(s, &peer, out);
    str_append_z(out, " laddr=");
    put_addr(s, &local, out);
    str_printf(out, " fd=%d name=%s age=%lld idle=%lld flags=", stream_fd(s->stream), s->name ? s->name : "",
               (long long)((now - s->created_at_ms) / 1000), (long long)((now - s->last_used_at_ms) / 1000));
    put_flags(s, &f, out);
    if (session_line_extra && !session_facts_hook) {
        session_line_extra(s, out);
        str_printf(out, " sub=%zu psub=%zu ssub=%d", s->nchannels, s->npatterns, f.ssub);
    } else {
        str_printf(out, " db=%d sub=%zu psub=%zu ssub=%d multi=%d", f.db, s->nchannels, s->npatterns, f.ssub, f.multi);
    }
    str_printf(out,
               " qbuf=%zu qbuf-free=%zu argv-mem=%zu multi-mem=%zu rbs=%zu rbp=%zu obl=%zu oll=%zu omem=%zu tot-mem=%zu"
               " events=%s cmd=%s user=%s redir=%lld resp=%d",
               buf_len(in), buf_room(in), argv_bytes, f.multi_bytes, o->cap, o->cap,
               waits < FIRST_BUF ? waits : FIRST_BUF, (more + FIRST_BUF - 1) / FIRST_BUF, more, sizeof *s + stream_memory(s->stream) + argv_bytes + f.multi_bytes,
               buf_len(o) > 0 && !s->running ? "rw" : "r",
               s->last_row ? command_full_name(s->last_row, s->srv->commands, cmd) : "NULL", acl_user_name(s->acl_user),
               (long long)f.redir, s->resp);
    if (s->lib_name || s->lib_ver)
        str_printf(out, " lib-name=%s lib-ver=%s", s->lib_name ? s->lib_name : "", s->lib_ver ? s->lib_ver : "");
}
