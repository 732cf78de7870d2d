/* One link to the primary. Its life is a row of states; each way out of it is told to the
 * role, which says what comes next.
 *
 *   CONNECTING -> HANDSHAKE -> (PSYNC) -> TRANSFER -> CONNECTED
 *                                  └──────────────────┘ partial                        */
#include "kvnode/repl/follow_inside.h"

#include "common/base/mem.h"
#include "common/base/num.h"
#include "common/io/log.h"
#include "common/text/resp_request.h"
#include "kvnode/disk/load.h"
#include "kvnode/ha/ha_repl.h"
#include "kvnode/repl/feed.h"
#include "kvnode/repl/roles.h"
#include "kvnode/server.h"

#include <stdio.h>
#include <string.h>

#define APPLY_BUDGET_US 20000
#define CONNECT_TIMEOUT_MS 5000
#define FETCH_SILENCE_MS 5000      /* a source of a tail that says nothing for so long has none */

static void on_up(struct stream *s, void *owner);
static void on_end(struct stream *s, enum stream_end how, int sys_errno, void *owner);
static const struct stream_events events = {on_up, follow_on_data, on_end, NULL};

static void fetch_over(struct follow *f, bool yes, const char *why)
{
    char text[ERR_TEXT_MAX];

    snprintf(text, sizeof text, "%s", why);
    follow_drop(f);
    ha_repl_fetched(f->srv, yes, text);
}

void follow_lost(struct follow *f, const char *why)
{
    if (f->fetches) {
        fetch_over(f, false, why);
        return;
    }
    bool again = strncmp(f->why, why, sizeof f->why - 1) == 0;    /* every attempt ends alike: once is enough */

    snprintf(f->why, sizeof f->why, "%s", why);
    log_line(again ? LOG_LEVEL_VERBOSE : LOG_LEVEL_WARNING, "MASTER <-> REPLICA sync: %s", f->why);
    roles_tell(f->srv, &(struct role_event){.kind = ROLE_EV_LINK_LOST, .link = f->link});
}

void follow_stuck(struct follow *f, const struct err *e)
{
    if (f->fetches) {
        fetch_over(f, false, e->text);
        return;
    }
    snprintf(f->why, sizeof f->why, "%s", e->text);
    log_error("== CRITICAL == the stream of the primary cannot be followed any further: %s. The data stays as it is; "
              "REPLICAOF starts again.", f->why);
    roles_tell(f->srv, &(struct role_event){.kind = ROLE_EV_UNAPPLICABLE, .link = f->link});
}

void follow_send_ack(struct follow *f, int64_t offset)
{
    char text[NUM_I64_MAX];

    num_put_i64(text, offset);
    resp_put_request_z(stream_out(f->stream), "REPLCONF", "ACK", text, NULL);
    stream_flush_later(f->stream);
    f->acked_at_ms = server_now_ms(f->srv);
}

void follow_ack_now(struct follow *f)
{
    if (f->stream && f->state == FOLLOW_CONNECTED)
        follow_send_ack(f, feed_offset(f->srv->feed));
}

void follow_ack(struct follow *f, int64_t offset, uint64_t epoch, uint64_t life)
{
    char text[3][NUM_I64_MAX];

    if (f->stream == NULL || f->state != FOLLOW_CONNECTED)
        return;
    num_put_i64(text[0], offset);
    snprintf(text[1], sizeof text[1], "%llu", (unsigned long long)epoch);
    snprintf(text[2], sizeof text[2], "%llu", (unsigned long long)life);
    resp_put_request_z(stream_out(f->stream), "REPLCONF", "ACK", text[0], "ha-epoch", text[1], "ha-life", text[2], NULL);
    stream_flush_later(f->stream);
    f->acked_at_ms = server_now_ms(f->srv);
}

/* The tail is as long as it was to be? Then it is over. */
void follow_look_at_fetch(struct follow *f)
{
    if (f->fetches && f->state == FOLLOW_CONNECTED && feed_offset(f->srv->feed) >= f->fetch_upto)
        fetch_over(f, true, "");
}

/* Asked before bytes of this link change the log. */
bool follow_may_take(struct follow *f)
{
    if (ha_repl_may_take(f->srv))
        return true;
    follow_lost(f, "the primary's stream may not be taken any more");
    return false;
}

/* --- the stream --- */

static void read_stream(struct follow *f)
{
    struct err e = {0};
    bool asked = false;

    f->more_to_apply = false;
    if (!follow_may_take(f))
        return;
    switch (apply_run(&f->apply, stream_in(f->stream), APPLY_BUDGET_US, &asked, &e)) {
    case APPLY_AGAIN:
        f->more_to_apply = true;
        loop_again(f->srv->loop);
        break;
    case APPLY_MORE: break;
    case APPLY_STOP: follow_stuck(f, &e); return;
    }
    if (asked)
        follow_send_ack(f, feed_offset(f->srv->feed));
    follow_look_at_fetch(f);
}

static void on_turn(void *arg)
{
    struct follow *f = arg;

    if (f->more_to_apply && !f->srv->over && f->stream && f->state == FOLLOW_CONNECTED)
        read_stream(f);
}

/* --- the link --- */

static void on_up(struct stream *s, void *owner)
{
    struct follow *f = owner;

    f->last_io_at_ms = server_now_ms(f->srv);
    f->state = FOLLOW_HANDSHAKE;
    stream_set_keepalive(s, 60);
    greet_say(&f->greeting, f->srv, stream_out(s));
    stream_flush_later(s);
}

void follow_on_data(struct stream *s, void *owner)
{
    struct follow *f = owner;

    if (f->srv->over)
        return;
    f->last_io_at_ms = server_now_ms(f->srv);
    if (f->state == FOLLOW_HANDSHAKE && !follow_read_lines(f))
        return;
    if (f->stream == s && f->state == FOLLOW_TRANSFER)
        follow_read_copy(f);
    if (f->stream == s && f->state == FOLLOW_CONNECTED)
        read_stream(f);
}

static void on_end(struct stream *s, enum stream_end how, int sys_errno, void *owner)
{
    struct follow *f = owner;
    char text[ERR_TEXT_MAX], to[ADDR_TEXT_MAX];
    bool was_up = f->state != FOLLOW_CONNECTING, streamed = f->state == FOLLOW_CONNECTED && !f->fetches;
    struct addr primary = f->to;

    (void)s;
    snprintf(text, sizeof text, "%s to %s %s%s%s", was_up ? "Connection with master lost: link" : "Error condition on socket for SYNC: connect",
             addr_text(&f->to, to), stream_end_name(how), sys_errno ? ": " : "", sys_errno ? strerror(sys_errno) : "");
    follow_lost(f, text);
    /* A primary that begins an epoch sends us away to greet again: its writes wait until we are back. */
    if (streamed && f->srv->ha_bound && f->srv->role->state == ROLE_WAITING && addr_equal(&primary, &f->srv->role->primary))
        roles_tell(f->srv, &(struct role_event){.kind = ROLE_EV_FOLLOW, .to = primary});
}

static void connect_ip(void *arg, const char *ip, const char *why)
{
    struct follow *f = arg;
    struct addr at = f->to;

    f->job = NULL;
    if (ip == NULL || ip[0] == '\0' || !addr_set(&at, ip, strlen(ip), f->to.port)) {
        char text[ERR_TEXT_MAX];
        snprintf(text, sizeof text, "cannot resolve %s: %s", f->to.host, why ? why : "no address");
        follow_lost(f, text);
        return;
    }
    f->stream = stream_connect(f->srv->loop, &at, f->srv->opt.bind_source_addr, CONNECT_TIMEOUT_MS, &events, f);
}

static void start(struct follow *f)
{
    char text[ADDR_TEXT_MAX];

    f->waits_for_loading = false;
    f->began_at_ms = f->last_io_at_ms = server_now_ms(f->srv);
    log_line(f->why[0] ? LOG_LEVEL_VERBOSE : LOG_LEVEL_NOTICE, "Connecting to MASTER %s", addr_text(&f->to, text));
    if (addr_is_ip(f->to.host))
        connect_ip(f, f->to.host, NULL);
    else
        f->job = resolve_start(f->resolver, f->to.host, connect_ip, f);
}

void follow_fetch(struct follow *f, const struct addr *from, int64_t upto)
{
    follow_drop(f);
    f->fetches = true;
    f->fetch_upto = upto;
    f->to = *from;
    f->state = FOLLOW_CONNECTING;
    start(f);
}

void follow_connect(struct follow *f, const struct addr *primary, uint64_t link)
{
    follow_drop(f);
    f->to = *primary;
    f->link = link;
    f->state = FOLLOW_CONNECTING;
    f->waits_for_loading = !f->srv->ready;
    if (!f->waits_for_loading)
        start(f);
}

void follow_resume(struct follow *f)
{
    if (f->waits_for_loading)
        start(f);
}

void follow_drop(struct follow *f)
{
    if (f->job)
        resolve_cancel(f->job);
    f->job = NULL;
    if (f->stream)
        stream_close(f->stream);
    f->stream = NULL;
    if (f->copy.load) {
        load_cancel(f->copy.load);
        f->srv->loading.on = false;
    }
    memset(&f->copy, 0, sizeof f->copy);
    apply_reset(&f->apply, f->apply.client->db);
    f->state = FOLLOW_NONE;
    f->fetches = false;
    ha_repl_link_down(f->srv);
    f->waits_for_loading = f->asked_psync = f->more_to_apply = false;
}

bool follow_kill(struct follow *f, struct slice addr)
{
    char text[ADDR_TEXT_MAX];

    if (f->stream == NULL || f->state == FOLLOW_CONNECTING)
        return false;
    struct addr peer = stream_peer(f->stream);
    if (addr.p && !slice_is(addr, addr_text(&peer, text)) && !slice_is(addr, addr_text(&f->to, text)))
        return false;
    follow_lost(f, "Connection with master lost: killed by a client");
    return true;
}

struct follow *follow_new(struct server *s)
{
    struct follow *f = mem_zalloc(sizeof *f);

    f->srv = s;
    f->resolver = resolver_new(s->loop);
    apply_init(&f->apply, s);
    loop_hook_add(s->loop, &f->turn, on_turn, f);
    return f;
}

void follow_free(struct follow *f)
{
    if (f == NULL)
        return;
    follow_drop(f);
    loop_hook_remove(&f->turn);
    apply_fini(&f->apply);
    resolver_free(f->resolver);
    mem_free(f);
}

static int64_t ack_period_ms(const struct follow *f)
{
    int64_t silence_ms = ha_repl_silence_ms(f->srv);

    if (!ha_repl_acks_each_turn(f->srv))
        return 1000;
    return silence_ms == 0 ? 250 : ms_min(silence_ms / 4, 1000);
}

void follow_tick(struct follow *f, int64_t now_ms)
{
    if (f->copy.load) {
        f->srv->loading.done_bytes = load_bytes_done(f->copy.load);
        f->srv->loading.keys = load_keys_done(f->copy.load);
    }
    if (f->stream == NULL)
        return;
    bool loading = f->state == FOLLOW_TRANSFER && f->copy.form == COPY_COMPLETE;
    if (f->fetches && now_ms - f->last_io_at_ms > FETCH_SILENCE_MS) {
        follow_lost(f, "its source says nothing");
        return;
    }
    if (!loading && now_ms - f->last_io_at_ms > f->srv->opt.repl_timeout_s * 1000) {
        follow_lost(f, f->state == FOLLOW_CONNECTED  ? "MASTER timeout: no data nor PING received..."
                : f->state == FOLLOW_TRANSFER ? "Timeout receiving bulk data from MASTER..."
                                              : "Timeout connecting to the MASTER...");
        return;
    }
    if (now_ms - f->acked_at_ms < ack_period_ms(f))
        return;
    if (f->state == FOLLOW_CONNECTED) {
        follow_send_ack(f, feed_offset(f->srv->feed));
    } else if (loading) {
        follow_send_ack(f, 0);                /* we are alive, and have acknowledged nothing */
    } else if (f->state == FOLLOW_TRANSFER) {
        stream_write(f->stream, "\n", 1);
        f->acked_at_ms = now_ms;
    }
}

enum follow_state follow_state(const struct follow *f) { return f->state; }
int64_t follow_last_io_at_ms(const struct follow *f) { return f->last_io_at_ms; }
const char *follow_why_down(const struct follow *f) { return f->why; }
bool follow_loading(const struct follow *f) { return f->state == FOLLOW_TRANSFER; }

uint64_t follow_copy_bytes(const struct follow *f, uint64_t *total)
{
    *total = f->copy.total;
    return f->copy.taken;
}

const char *follow_state_word(const struct follow *f)
{
    static const char *const words[] = {"connect", "connecting", "handshake", "sync", "connected"};

    return words[f->state];
}
