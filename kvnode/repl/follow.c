/* One link to the primary. Its life is a row of states; each way out of it is told to the
 * role, which says what comes next.
 *
 *   CONNECTING -> HANDSHAKE -> (PSYNC) -> TRANSFER -> CONNECTED
 *                                  └──────────────────┘ partial                        */
#include "kvnode/repl/follow.h"

#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/base/num.h"
#include "common/io/log.h"
#include "common/io/resolve.h"
#include "common/io/stream.h"
#include "common/text/resp_request.h"
#include "kvnode/disk/load.h"
#include "kvnode/disk/snapshot.h"
#include "kvnode/ha/ha_repl.h"
#include "kvnode/repl/apply.h"
#include "kvnode/repl/copy.h"
#include "kvnode/repl/feed.h"
#include "kvnode/repl/greet.h"
#include "kvnode/repl/handover.h"
#include "kvnode/repl/roles.h"
#include "kvnode/server.h"

#include <stdio.h>
#include <string.h>

#define APPLY_BUDGET_US 20000
#define CONNECT_TIMEOUT_MS 5000
#define LINE_MAX_BYTES 4096
#define FETCH_SILENCE_MS 5000      /* a source of a tail that says nothing for so long has none */
#define AHEAD_MAX (64u << 20)      /* stream that may gather behind a copy which is being loaded */

struct follow {
    struct server *srv;
    struct resolver *resolver;
    struct resolve_job *job;
    struct stream *stream;
    enum follow_state state;
    struct addr to;
    uint64_t link;
    bool fetches;                  /* a tail, for ha_repl: not the role's link */
    int64_t fetch_upto;
    bool waits_for_loading;
    struct greeting greeting;
    bool asked_psync;
    struct copy copy;
    char copy_id[ID_MAX];          /* history of the copy that comes in */
    int64_t copy_offset;
    struct apply apply;
    struct loop_hook turn;
    bool more_to_apply;
    int64_t began_at_ms, last_io_at_ms, acked_at_ms;
    char why[ERR_TEXT_MAX];
};

static void on_up(struct stream *s, void *owner);
static void on_data(struct stream *s, void *owner);
static void on_end(struct stream *s, enum stream_end how, int sys_errno, void *owner);
static const struct stream_events events = {on_up, on_data, on_end, NULL};

static void fetch_over(struct follow *f, bool yes, const char *why)
{
    char text[ERR_TEXT_MAX];

    snprintf(text, sizeof text, "%s", why);
    follow_drop(f);
    ha_repl_fetched(f->srv, yes, text);
}

static void lost(struct follow *f, const char *why)
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

static void stuck(struct follow *f, const struct err *e)
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

/* --- PSYNC and its answer --- */

static void ask_psync(struct follow *f)
{
    struct history *h = feed_history(f->srv->feed);
    char offset[NUM_I64_MAX];
    bool known = feed_has_history(f->srv->feed);

    num_put_i64(offset, known ? h->offset + 1 : -1);
    resp_put_request_z(stream_out(f->stream), "PSYNC", known ? h->id : "?", offset,
                       handover_asks(f->srv->handover) ? "FAILOVER" : NULL, NULL);
    stream_flush_later(f->stream);
    f->asked_psync = true;
    if (known)
        log_notice("Trying a partial resynchronization (request %s:%s).", h->id, offset);
    else
        log_notice("Partial resynchronization not possible (no shared history)");
}

static bool greeting_answer(struct follow *f, struct slice line)
{
    struct err e = {0};
    uint64_t link = f->link;

    if (greet_answer(&f->greeting, line, &e) != 0) {
        lost(f, e.text);
        return false;
    }
    if (f->link != link || f->stream == NULL)
        return false;
    if (greet_done(&f->greeting))
        ask_psync(f);
    return true;
}

static void send_ack(struct follow *f, int64_t offset)
{
    char text[NUM_I64_MAX];

    num_put_i64(text, offset);
    resp_put_request_z(stream_out(f->stream), "REPLCONF", "ACK", text, NULL);
    stream_flush_later(f->stream);
    f->acked_at_ms = server_now_ms(f->srv);
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
static void look_at_fetch(struct follow *f)
{
    if (f->fetches && f->state == FOLLOW_CONNECTED && feed_offset(f->srv->feed) >= f->fetch_upto)
        fetch_over(f, true, "");
}

static void up(struct follow *f, bool new_history, bool full)
{
    uint64_t link = f->link;

    f->state = FOLLOW_CONNECTED;
    if (f->fetches) {
        look_at_fetch(f);
        return;
    }
    f->why[0] = '\0';
    roles_tell(f->srv, &(struct role_event){.kind = ROLE_EV_SYNCED, .link = f->link, .new_history = new_history});
    if (f->link != link || f->stream == NULL)
        return;
    send_ack(f, feed_offset(f->srv->feed));
    ha_repl_synced(f->srv, full);
}

/* Asked before bytes of this link change the log. */
static bool may_take(struct follow *f)
{
    if (ha_repl_may_take(f->srv))
        return true;
    lost(f, "the primary's stream may not be taken any more");
    return false;
}

static bool continue_as(struct follow *f, struct slice id)
{
    struct history *h = feed_history(f->srv->feed);
    char text[ID_MAX];
    bool renewed = false;

    if (!may_take(f))
        return false;
    if (id.len == ID_HEX && slice_copy_z(id, text, sizeof text) && strlen(text) == ID_HEX) {
        renewed = strcmp(text, h->id) != 0;
        history_continue_as(h, text);
        if (renewed)
            log_notice("Master replication ID changed to %s", h->id);
    } else if (id.len != 0) {
        lost(f, "the primary continues under something that is no replication id");
        return false;
    }
    feed_keep_backlog(f->srv->feed);
    apply_reset(&f->apply, feed_stream_db(f->srv->feed));
    log_notice("Successful partial resynchronization with master.");
    up(f, renewed, false);
    return f->stream != NULL;
}

static bool full_announced(struct follow *f, struct slice rest)
{
    const char *blank = rest.len ? memchr(rest.p, ' ', rest.len) : NULL;
    size_t idlen = blank ? (size_t)(blank - rest.p) : 0;

    if (idlen != ID_HEX || memchr(rest.p, '\0', idlen) ||
        !num_i64_in(blank + 1, rest.len - idlen - 1, 0, INT64_MAX / 2, &f->copy_offset)) {
        lost(f, "the primary answers PSYNC with a FULLRESYNC that is none");
        return false;
    }
    if (f->fetches) {
        lost(f, "it would need a full copy");
        return false;
    }
    if (!may_take(f))
        return false;
    memcpy(f->copy_id, rest.p, ID_HEX);
    f->copy_id[ID_HEX] = '\0';
    memset(&f->copy, 0, sizeof f->copy);
    f->state = FOLLOW_TRANSFER;
    log_notice("Full resync from master: %s:%lld", f->copy_id, (long long)f->copy_offset);
    roles_tell(f->srv, &(struct role_event){.kind = ROLE_EV_SYNC_STARTED, .link = f->link});
    return true;
}

static struct slice behind(struct slice line, size_t n)
{
    while (n < line.len && line.p[n] == ' ')
        n++;
    return (struct slice){line.p + n, line.len - n};
}

static bool psync_answer(struct follow *f, struct slice line)
{
    char text[ERR_TEXT_MAX];

    if (line.len >= 12 && memcmp(line.p, "+FULLRESYNC ", 12) == 0) {
        handover_taken(f->srv->handover);
        return full_announced(f, behind(line, 12));
    }
    if (line.len >= 9 && memcmp(line.p, "+CONTINUE", 9) == 0) {
        handover_taken(f->srv->handover);
        return continue_as(f, behind(line, 9));
    }
    snprintf(text, sizeof text, "the primary answers PSYNC with: %.*s", (int)(line.len < 300 ? line.len : 300), line.p);
    lost(f, text);
    handover_refused(f->srv->handover, text);
    return false;
}

/* Lines until a copy or the stream begins. false: the link changed under us. */
static bool read_lines(struct follow *f)
{
    struct buf *in = stream_in(f->stream);
    uint64_t link = f->link;

    while (f->state == FOLLOW_HANDSHAKE && buf_len(in) > 0) {
        const char *p = buf_data(in);
        const char *end = memchr(p, '\n', buf_len(in));
        if (end == NULL) {
            if (buf_len(in) > LINE_MAX_BYTES)
                lost(f, "the primary sends no line end");
            return false;
        }
        size_t used = (size_t)(end - p) + 1, len = used - 1;
        if (len > 0 && p[len - 1] == '\r')
            len--;
        char line[LINE_MAX_BYTES + 1];
        memcpy(line, p, len < LINE_MAX_BYTES ? len : LINE_MAX_BYTES);
        buf_consume(in, used);
        struct slice s = {line, len < LINE_MAX_BYTES ? len : LINE_MAX_BYTES};
        if (s.len == 0)
            continue;                  /* "we are still at it" */
        if (!(f->asked_psync ? psync_answer(f, s) : greeting_answer(f, s)))
            return false;
        if (f->link != link || f->stream == NULL)
            return false;
    }
    return true;
}

/* --- full copy --- */

static void on_room(void *arg)
{
    struct follow *f = arg;

    if (f->stream) {
        stream_pause_reading(f->stream, false);
        on_data(f->stream, f);
    }
}

static void on_loaded(void *arg, struct keyspace *ks, const struct rdb_read_result *r, const struct err *e)
{
    struct follow *f = arg;
    struct server *srv = f->srv;
    const struct load *ld = f->copy.load;
    struct err refused = {0};

    f->copy.load = NULL;
    srv->loading.on = false;
    if (ks == NULL) {
        struct err told = *e;
        err_wrap(&told, "the copy of the primary cannot be used");
        log_warning("Internal error in RDB: %s", e->text);
        if (told.code == ERR_REFUSED)
            stuck(f, &told);
        else
            lost(f, told.text);
        return;
    }
    struct ha_repl_copy copy = {load_epochs(ld), f->copy_id, r->facts.repl_id2, r->facts.repl_until, f->copy_offset};
    if (!may_take(f) || !ha_repl_may_full_copy(srv, &copy, &refused)) {
        load_discard(ks);
        if (refused.code != 0)
            lost(f, refused.text);
        return;
    }
    log_notice("MASTER <-> REPLICA sync: Loading DB in memory: %llu keys", (unsigned long long)r->keys_loaded);
    keyspace_swap(srv->ks, ks);
    load_discard(ks);
    feed_replace_history(srv->feed, f->copy_id, f->copy_offset);
    feed_set_stream_db(srv->feed, r->facts.stream_db);
    ha_repl_load_aux(srv, load_epochs(ld));
    apply_reset(&f->apply, r->facts.stream_db);
    snapshot_loaded(srv->snapshot, r->keys_loaded, r->keys_expired);
    log_notice("MASTER <-> REPLICA sync: Finished with success");
    up(f, true, true);
    if (f->stream) {
        stream_pause_reading(f->stream, false);
        on_data(f->stream, f);
    }
}

static struct load *start_load(void *arg)
{
    struct follow *f = arg;
    struct server *srv = f->srv;
    struct load_opts o = {.verify = srv->opt.rdbchecksum, .bulk_max = srv->opt.proto_max_bulk_len,
                          .databases = srv->ks->ndbs, .limits = srv->ks->limits,
                          .key_delay_us = (int)srv->opt.key_load_delay_us};

    if (f->copy.form == COPY_BY_LENGTH)
        log_notice("MASTER <-> REPLICA sync: receiving %llu bytes from master to parser", (unsigned long long)f->copy.total);
    else
        log_notice("MASTER <-> REPLICA sync: receiving streamed RDB from master with EOF to parser");
    srv->loading = (struct loading){.on = true, .serve = true, .started_at_ms = server_wall_ms(srv),
                                    .total_bytes = f->copy.total};
    return load_bytes(srv->loop, &o, on_room, on_loaded, f);
}

static void read_copy(struct follow *f)
{
    struct buf *in = stream_in(f->stream);
    struct err e = {0};

    switch (copy_take(&f->copy, in, start_load, f, &e)) {
    case COPY_MORE: return;
    case COPY_FULL: stream_pause_reading(f->stream, true); return;
    case COPY_BAD: lost(f, e.text); return;
    case COPY_DONE:
        if (buf_len(in) > AHEAD_MAX)
            stream_pause_reading(f->stream, true);
        return;
    }
}

/* --- the stream --- */

static void read_stream(struct follow *f)
{
    struct err e = {0};
    bool asked = false;

    f->more_to_apply = false;
    if (!may_take(f))
        return;
    switch (apply_run(&f->apply, stream_in(f->stream), APPLY_BUDGET_US, &asked, &e)) {
    case APPLY_AGAIN:
        f->more_to_apply = true;
        loop_again(f->srv->loop);
        break;
    case APPLY_MORE: break;
    case APPLY_STOP: stuck(f, &e); return;
    }
    if (asked)
        send_ack(f, feed_offset(f->srv->feed));
    look_at_fetch(f);
}

static void on_turn(void *arg)
{
    struct follow *f = arg;

    if (f->more_to_apply && f->stream && f->state == FOLLOW_CONNECTED)
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

static void on_data(struct stream *s, void *owner)
{
    struct follow *f = owner;

    f->last_io_at_ms = server_now_ms(f->srv);
    if (f->state == FOLLOW_HANDSHAKE && !read_lines(f))
        return;
    if (f->stream == s && f->state == FOLLOW_TRANSFER)
        read_copy(f);
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
    lost(f, text);
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
        lost(f, text);
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
    lost(f, "Connection with master lost: killed by a client");
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
    int64_t silence_ms = ha_repl_acks_each_turn(f->srv) ? ha_repl_silence_ms(f->srv) : 0;

    return silence_ms && silence_ms < 4000 ? silence_ms / 4 : 1000;
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
        lost(f, "its source says nothing");
        return;
    }
    if (!loading && now_ms - f->last_io_at_ms > f->srv->opt.repl_timeout_s * 1000) {
        lost(f, f->state == FOLLOW_CONNECTED  ? "MASTER timeout: no data nor PING received..."
                : f->state == FOLLOW_TRANSFER ? "Timeout receiving bulk data from MASTER..."
                                              : "Timeout connecting to the MASTER...");
        return;
    }
    if (now_ms - f->acked_at_ms < ack_period_ms(f))
        return;
    if (f->state == FOLLOW_CONNECTED) {
        send_ack(f, feed_offset(f->srv->feed));
    } else if (loading) {
        send_ack(f, 0);                /* we are alive, and have acknowledged nothing */
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
