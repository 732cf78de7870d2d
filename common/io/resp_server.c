/* RESP clients: accepting them and running their requests. A client gets a bounded
 * number of requests per turn; what is left waits in `ready` for the next one, and it
 * is not read from meanwhile. During CLIENT PAUSE sessions wait in `waiting`, each with
 * its next request unread in its input, so that nothing about it has to be kept. */
#include "common/io/resp_server.h"

#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/base/timeval.h"
#include "common/io/acl_log.h"
#include "common/io/log.h"
#include "common/io/session.h"
#include "common/io/session_inner.h"
#include "common/text/acl.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUESTS_PER_TURN 1024
#define OUTPUT_PER_TURN (2u << 20)       /* what one client's requests may answer before others have their turn */
#define SWEEP_MS 1000

struct server_listener {
    struct list_link link;
    struct resp_server *srv;
    struct listener *li;
    bool is_unix;
};

static void run_requests(struct session *s);

/* CLIENT REPLY OFF and SKIP: what the request wrote is taken back. */
static void apply_reply_mode(struct session *s, uint64_t at)
{
    struct buf *o = stream_out(s->stream);
    uint64_t sent = stream_bytes_out(s->stream);

    if (s->reply_mode == REPLY_ON)
        return;
    buf_cut(o, at > sent ? (size_t)(at - sent) : 0);
    if (s->reply_mode == REPLY_SKIPPING)
        s->reply_mode = REPLY_ON;
}

/* --- one request --- */

bool resp_server_may_run(struct call *c)
{
    struct session *s = c->session;

    if (!s)
        return true;
    if (session_is_guest(s) && !(c->cmd->flags & CMD_NO_AUTH)) {
        reply_error(c->reply, "NOAUTH Authentication required.");
        return false;
    }
    if (!session_acl_ok(c))
        return false;
    if (s->resp == 2 && s->nchannels + s->npatterns > 0 && !(c->cmd->flags & CMD_SUB_OK)) {
        char name[64];
        reply_errorf(c->reply,
                     "ERR Can't execute '%s': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are "
                     "allowed in this context",
                     command_full_name(c->cmd, s->srv->commands, name));
        return false;
    }
    return true;
}

static bool must_wait(struct session *s, const struct command *cmd)
{
    struct resp_server *srv = s->srv;

    if (srv->paused_until_ms == 0 || s->class == SESSION_REPLICA || !resp_server_is_paused(srv))
        return false;
    if (!srv->pause_writes_only)
        return strcmp(cmd->name, "unpause") != 0;
    if (srv->hooks.is_write)
        return srv->hooks.is_write(s, cmd);
    return (cmd->flags & (CMD_WRITE | CMD_MAY_REPLICATE)) != 0;
}

static void reject(struct session *s, struct str *text)
{
    reply_error(&s->reply, str_c(text));
    if (s->srv->hooks.rejected)
        s->srv->hooks.rejected(s, str_c(text));
    str_fini(text);
}

/* false: it has to wait, nothing was done. */
static bool run_one(struct session *s, int argc, const struct slice *argv)
{
    struct resp_server *srv = s->srv;
    const struct command *cmd = command_find(srv->commands, argc, argv);
    struct call c = {.cmd = cmd, .argc = argc, .argv = argv, .reply = &s->reply, .session = s, .user = s->user};
    uint64_t at = s->request_at = stream_out_end(s->stream);
    struct str text = {0};

    if (cmd && must_wait(s, cmd))
        return false;
    if (s->reply_mode == REPLY_SKIP_NEXT)
        s->reply_mode = REPLY_SKIPPING;
    s->last_used_at_ms = loop_now_ms(srv->loop);
    s->last_row = cmd;
    if (!cmd) {
        command_unknown_text(argc, argv, srv->commands, &text);
        reject(s, &text);
    } else if (!command_arity_ok(cmd, argc)) {
        command_arity_text(cmd, srv->commands, &text);
        reject(s, &text);
    } else {
        s->last_command = cmd->name;
        s->ncommands++;
        srv->stats.commands++;
        if (srv->hooks.run)
            srv->hooks.run(&c);
        else if (resp_server_may_run(&c))
            cmd->run(&c);
    }
    apply_reply_mode(s, at);
    if (buf_len(&s->side) > 0) {
        buf_append(s->reply.out, buf_data(&s->side), buf_len(&s->side));
        buf_fini(&s->side);
    }
    return true;
}

/* --- a client's requests, in order --- */

static void over_query_limit(struct session *s)
{
    struct str line = {0};

    session_line(s, &line);
    log_warning("Closing client that reached max query buffer length: %s", str_c(&line));
    str_fini(&line);
    s->close_after_run = true;
}

static void protocol_error(struct session *s, const struct err *e)
{
    log_verbose("Protocol error (%s) from client id=%llu", e->text, (unsigned long long)s->id);
    reply_errorf(&s->reply, "ERR %s", e->text);
    s->closing = true;
}

/* One step; false when there is nothing more to do now. */
static bool run_next(struct session *s)
{
    struct resp_server *srv = s->srv;
    bool guest = session_is_guest(s);
    struct resp_limits lim = guest ? resp_limits_guest : resp_limits_default;
    struct buf *in = stream_in(s->stream);
    const struct slice *argv;
    size_t used = 0, was = buf_len(in);
    int argc = 0;
    struct err e;

    if (s->held > 0 || s->closing || s->close_after_run || s->queue != SESSION_QUEUE_NONE || was == 0)
        return false;
    if (!guest)
        lim.bulk_bytes = srv->proto_max_bulk;
    switch (resp_parse(&s->parser, &lim, buf_data(in), was, &argv, &argc, &used, &e)) {
    case RESP_MORE:
        stream_expect(s->stream, resp_parser_wants(&s->parser, was));
        if (srv->query_max_bytes && was > srv->query_max_bytes)
            over_query_limit(s);
        return false;
    case RESP_BAD:
        protocol_error(s, &e);
        return false;
    case RESP_READY:
        break;
    }
    if (argc > 0 && !run_one(s, argc, argv)) {
        resp_parser_reset(&s->parser);
        session_enqueue(s, SESSION_QUEUE_WAITING);
        return false;
    }
    buf_consume(in, used);
    return true;
}

static void run_requests(struct session *s)
{
    int left = REQUESTS_PER_TURN;

    if (s->running || s->gone || s->queue != SESSION_QUEUE_NONE)
        return;
    s->running = true;
    while (left > 0 && run_next(s)) {
        left = buf_len(stream_out(s->stream)) < OUTPUT_PER_TURN ? left - 1 : 0;
        session_check_out(s);
    }
    s->running = false;
    if (s->close_after_run) {
        session_end(s, false);
        return;
    }
    if (s->closing) {
        session_leave(s);
        if (s->gone)
            return;
    }
    if (left == 0 && s->held == 0 && buf_len(stream_in(s->stream)) > 0)
        session_enqueue(s, SESSION_QUEUE_READY);
    session_check_out(s);
    session_update_reading(s);
    if (buf_len(stream_out(s->stream)) > 0)
        stream_flush_later(s->stream);
}

static void on_data(struct stream *st, void *owner)
{
    struct session *s = owner;

    (void)st;
    session_count_bytes(s);
    run_requests(s);
    if (!s->gone)
        session_update_reading(s);
}

static void on_end(struct stream *st, enum stream_end how, int sys_errno, void *owner)
{
    struct session *s = owner;

    (void)st, (void)how, (void)sys_errno;
    session_close(s);
}

static void on_drained(struct stream *st, void *owner)
{
    struct session *s = owner;

    (void)st;
    s->soft_over_since_ms = 0;
}

static const struct stream_events session_events = {NULL, on_data, on_end, on_drained};

static void on_kick(struct timer *t, void *arg)
{
    struct resp_server *srv = arg;
    size_t n = 0;

    (void)t;
    list_each(struct session, s, &srv->ready, turn_link)
        n++;
    for (; n > 0 && !list_empty(&srv->ready); n--) {   /* those that come back wait for the next turn */
        struct session *s = list_first(&srv->ready, struct session, turn_link);
        session_enqueue(s, SESSION_QUEUE_NONE);
        run_requests(s);
    }
    if (!list_empty(&srv->ready) && !timer_is_set(&srv->kick))
        timer_set(&srv->kick, 0);
}

/* --- clients coming in --- */

static bool is_loopback(const struct addr *a)
{
    return !strncmp(a->host, "127.", 4) || !strcmp(a->host, "::1") || !strncmp(a->host, "::ffff:127.", 11);
}

static const char *refusal(const struct resp_server *srv, const struct addr *peer, bool is_unix)
{
    if ((int64_t)srv->nsessions >= srv->max_clients)
        return "ERR max number of clients reached";
    if (srv->protected_mode && !session_has_password(srv) && !is_unix && !is_loopback(peer))
        return "DENIED protected mode is on and no password is set, so only clients of this machine are served. To "
               "let others in, set a password ('requirepass <password>' in the configuration file, or from this "
               "machine CONFIG SET requirepass <password>); if the network is trusted, 'protected-mode no' or "
               "CONFIG SET protected-mode no switches this check off.";
    return NULL;
}

static void refuse_fd(struct resp_server *srv, int fd, const char *why)
{
    char text[768];
    size_t n = strlen(why);

    CHECK(n + 3 < sizeof text);
    text[0] = '-';
    memcpy(text + 1, why, n);
    memcpy(text + 1 + n, "\r\n", 2);
    if (send(fd, text, n + 3, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        n = 0;      /* it will find the connection closed */
    close(fd);
    srv->stats.rejected++;
}

struct session *resp_server_adopt(struct resp_server *srv, int fd, const struct addr *peer, bool is_unix)
{
    const char *why = refusal(srv, peer, is_unix);
    struct session *s;

    srv->stats.connections++;
    if (why) {
        refuse_fd(srv, fd, why);
        return NULL;
    }
    s = session_make(srv, fd, &session_events);
    if (!timer_is_set(&srv->sweep))
        timer_set(&srv->sweep, SWEEP_MS);
    why = srv->hooks.admit ? srv->hooks.admit(srv, s) : NULL;
    if (why) {
        reply_error(&s->reply, why);
        srv->stats.rejected++;
        session_close_when_sent(s);
        return NULL;
    }
    return s;
}

static void on_accept(int fd, const struct addr *peer, bool is_unix, void *arg)
{
    struct server_listener *sl = arg;

    resp_server_adopt(sl->srv, fd, peer, is_unix);
}

static struct server_listener *listener_make(struct resp_server *srv, bool is_unix)
{
    struct server_listener *sl = mem_zalloc(sizeof *sl);

    sl->srv = srv;
    sl->is_unix = is_unix;
    list_append(&srv->listeners, &sl->link);
    return sl;
}

static void listener_drop(struct server_listener *sl)
{
    listener_close(sl->li);
    list_remove(&sl->link);
    loop_park(sl->srv->loop, sl, mem_free);
}

int resp_server_listen(struct resp_server *srv, const char *host, uint16_t port, int backlog, struct err *e)
{
    struct server_listener *sl = listener_make(srv, false);
    int rc = listener_open(srv->loop, host, port, backlog, on_accept, sl, &sl->li, e);

    if (rc != 0 || !sl->li) {
        list_remove(&sl->link);
        mem_free(sl);
    }
    return rc;
}

int resp_server_listen_unix(struct resp_server *srv, const char *path, unsigned mode, struct err *e)
{
    struct server_listener *sl = listener_make(srv, true);
    int rc = listener_open_unix(srv->loop, path, mode, on_accept, sl, &sl->li, e);

    if (rc != 0) {
        list_remove(&sl->link);
        mem_free(sl);
    }
    return rc;
}

void resp_server_stop_listening(struct resp_server *srv)
{
    list_each_safe(struct server_listener, sl, &srv->listeners, link)
        listener_drop(sl);
}

uint16_t resp_server_port(const struct resp_server *srv)
{
    list_each(struct server_listener, sl, &srv->listeners, link)
        if (!sl->is_unix)
            return listener_port(sl->li);
    return 0;
}

/* --- now and then --- */

static void on_sweep(struct timer *t, void *arg)
{
    struct resp_server *srv = arg;
    int64_t now = loop_now_ms(srv->loop);

    list_each_safe(struct session, s, &srv->sessions, link) {
        if (s->gone)
            continue;
        session_count_bytes(s);
        if (buf_len(stream_out(s->stream)) > 0)
            session_check_out(s);
        else
            s->soft_over_since_ms = 0;
        if (srv->idle_timeout_ms > 0 && s->class == SESSION_NORMAL && !s->exempt_idle && s->held == 0 &&
            !s->is_monitor && stream_waits(s->stream) == 0 && now - s->last_used_at_ms > srv->idle_timeout_ms) {
            log_verbose("Closing idle client id=%llu", (unsigned long long)s->id);
            session_close(s);
        }
    }
    if (srv->nsessions > 0)
        timer_set(t, SWEEP_MS);
}

static void on_turn_end(void *arg)
{
    struct resp_server *srv = arg;

    while (!list_empty(&srv->doomed)) {
        struct session *s = list_first(&srv->doomed, struct session, turn_link);
        session_enqueue(s, SESSION_QUEUE_NONE);
        session_close(s);
    }
    if (buf_len(&srv->sink) > 0)
        buf_fini(&srv->sink);
}

/* --- CLIENT PAUSE --- */

static void wake_waiting(struct resp_server *srv)
{
    while (!list_empty(&srv->waiting))
        session_enqueue(list_first(&srv->waiting, struct session, turn_link), SESSION_QUEUE_READY);
}

static void on_pause_end(struct timer *t, void *arg)
{
    (void)t;
    resp_server_unpause(arg);
}

void resp_server_pause(struct resp_server *srv, int64_t until_ms, bool writes_only)
{
    if (!resp_server_is_paused(srv)) {
        srv->paused_until_ms = until_ms;
        srv->pause_writes_only = writes_only;
    } else {        /* two pauses: the stricter and the longer of both */
        srv->paused_until_ms = ms_max(srv->paused_until_ms, until_ms);
        srv->pause_writes_only = srv->pause_writes_only && writes_only;
    }
    timer_set_at(&srv->pause_end, srv->paused_until_ms);
}

void resp_server_unpause(struct resp_server *srv)
{
    srv->paused_until_ms = 0;
    timer_clear(&srv->pause_end);
    wake_waiting(srv);
}

bool resp_server_is_paused(const struct resp_server *srv)
{
    return srv->paused_until_ms > 0 && loop_now_ms(srv->loop) < srv->paused_until_ms;
}

/* --- beginning and end --- */

void resp_server_init(struct resp_server *srv, struct loop *l, const struct command_table *commands,
                      const struct resp_server_hooks *hooks, void *owner)
{
    memset(srv, 0, sizeof *srv);
    srv->loop = l;
    srv->commands = commands;
    if (hooks)
        srv->hooks = *hooks;
    srv->owner = owner;
    srv->max_clients = 10000;
    srv->keepalive_s = 300;
    srv->query_max_bytes = 1u << 30;
    srv->proto_max_bulk = 512 << 20;
    srv->server_name = "redis";
    srv->mode = "standalone";
    list_init(&srv->sessions);
    list_init(&srv->listeners);
    list_init(&srv->ready);
    list_init(&srv->waiting);
    list_init(&srv->doomed);
    dict_init(&srv->by_id);
    srv->acl = acl_new(commands);
    srv->acl_log = acl_log_new();
    loop_hook_add(l, &srv->turn, on_turn_end, srv);
    timer_init(&srv->sweep, l, on_sweep, srv);
    timer_init(&srv->kick, l, on_kick, srv);
    timer_init(&srv->pause_end, l, on_pause_end, srv);
}

void resp_server_fini(struct resp_server *srv)
{
    resp_server_stop_listening(srv);
    list_each_safe(struct session, s, &srv->sessions, link)
        session_end(s, false);
    timer_clear(&srv->sweep);
    timer_clear(&srv->kick);
    timer_clear(&srv->pause_end);
    loop_hook_remove(&srv->turn);
    dict_fini(&srv->by_id, NULL);
    buf_fini(&srv->sink);
    mem_free(srv->password);
    srv->password = NULL;
    acl_log_free(srv->acl_log);
    acl_free(srv->acl);
}

void resp_server_set_password(struct resp_server *srv, const char *password)
{
    mem_free(srv->password);
    srv->password = password && password[0] ? mem_strdup(password) : NULL;
    acl_default_password(srv->acl, srv->password);
}
