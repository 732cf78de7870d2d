/* How a link comes to stream: the greeting's answers, PSYNC and what may come back, and a copy
 * that is loaded beside the data and takes its place when it is whole. */
#include "kvnode/repl/follow_inside.h"

#include "common/base/num.h"
#include "common/io/log.h"
#include "common/text/resp_request.h"
#include "kvnode/disk/load.h"
#include "kvnode/disk/snapshot.h"
#include "kvnode/ha/ha_repl.h"
#include "kvnode/repl/feed.h"
#include "kvnode/repl/handover.h"
#include "kvnode/repl/roles.h"
#include "kvnode/server.h"

#include <stdio.h>
#include <string.h>

#define LINE_MAX_BYTES 4096
#define AHEAD_MAX (64u << 20)      /* stream that may gather behind a copy which is being loaded */

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
        follow_lost(f, e.text);
        return false;
    }
    if (f->link != link || f->stream == NULL)
        return false;
    if (greet_done(&f->greeting))
        ask_psync(f);
    return true;
}

static void up(struct follow *f, bool new_history)
{
    uint64_t link = f->link;

    f->state = FOLLOW_CONNECTED;
    if (f->fetches) {
        follow_look_at_fetch(f);
        return;
    }
    f->why[0] = '\0';
    roles_tell(f->srv, &(struct role_event){.kind = ROLE_EV_SYNCED, .link = f->link, .new_history = new_history});
    if (f->link != link || f->stream == NULL)
        return;
    follow_send_ack(f, feed_offset(f->srv->feed));
    ha_repl_synced(f->srv);
}

static bool continue_as(struct follow *f, struct slice id)
{
    struct history *h = feed_history(f->srv->feed);
    char text[ID_MAX];
    bool renewed = false;

    if (!follow_may_take(f))
        return false;
    if (id.len == ID_HEX && slice_copy_z(id, text, sizeof text) && strlen(text) == ID_HEX) {
        renewed = strcmp(text, h->id) != 0;
        history_continue_as(h, text);
        if (renewed)
            log_notice("Master replication ID changed to %s", h->id);
    } else if (id.len != 0) {
        follow_lost(f, "the primary continues under something that is no replication id");
        return false;
    }
    feed_keep_backlog(f->srv->feed);
    apply_reset(&f->apply, feed_stream_db(f->srv->feed));
    log_notice("Successful partial resynchronization with master.");
    up(f, renewed);
    return f->stream != NULL;
}

static bool full_announced(struct follow *f, struct slice rest)
{
    const char *blank = rest.len ? memchr(rest.p, ' ', rest.len) : NULL;
    size_t idlen = blank ? (size_t)(blank - rest.p) : 0;

    if (idlen != ID_HEX || memchr(rest.p, '\0', idlen) ||
        !num_i64_in(blank + 1, rest.len - idlen - 1, 0, INT64_MAX / 2, &f->copy_offset)) {
        follow_lost(f, "the primary answers PSYNC with a FULLRESYNC that is none");
        return false;
    }
    if (f->fetches) {
        follow_lost(f, "it would need a full copy");
        return false;
    }
    if (!follow_may_take(f))
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
    follow_lost(f, text);
    handover_refused(f->srv->handover, text);
    return false;
}

/* Lines until a copy or the stream begins. false: the link changed under us. */
bool follow_read_lines(struct follow *f)
{
    struct buf *in = stream_in(f->stream);
    uint64_t link = f->link;

    while (f->state == FOLLOW_HANDSHAKE && buf_len(in) > 0) {
        const char *p = buf_data(in);
        const char *end = memchr(p, '\n', buf_len(in));
        if (end == NULL) {
            if (buf_len(in) > LINE_MAX_BYTES)
                follow_lost(f, "the primary sends no line end");
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
        follow_on_data(f->stream, f);
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
    if (srv->over) {
        load_discard(ks);
        return;
    }
    if (ks == NULL) {
        struct err told = *e;
        err_wrap(&told, "the copy of the primary cannot be used");
        log_warning("Internal error in RDB: %s", e->text);
        if (told.code == ERR_REFUSED)
            follow_stuck(f, &told);
        else
            follow_lost(f, told.text);
        return;
    }
    struct ha_repl_copy copy = {load_epochs(ld), f->copy_id, r->facts.repl_id2, r->facts.repl_until, f->copy_offset};
    if (!follow_may_take(f) || !ha_repl_may_full_copy(srv, &copy, &refused)) {
        load_discard(ks);
        if (refused.code != 0)
            follow_lost(f, refused.text);
        return;
    }
    log_notice("MASTER <-> REPLICA sync: Loading DB in memory: %llu keys", (unsigned long long)r->keys_loaded);
    keyspace_swap(srv->ks, ks);
    load_discard(ks);
    feed_replace_history(srv->feed, f->copy_id, f->copy_offset);
    feed_set_stream_db(srv->feed, r->facts.stream_db);
    ha_repl_load_aux(srv, load_epochs(ld), f->copy_offset);
    apply_reset(&f->apply, r->facts.stream_db);
    snapshot_loaded(srv->snapshot, r->keys_loaded, r->keys_expired);
    log_notice("MASTER <-> REPLICA sync: Finished with success");
    up(f, true);
    if (f->stream) {
        stream_pause_reading(f->stream, false);
        follow_on_data(f->stream, f);
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

void follow_read_copy(struct follow *f)
{
    struct buf *in = stream_in(f->stream);
    struct err e = {0};

    switch (copy_take(&f->copy, in, start_load, f, &e)) {
    case COPY_MORE: return;
    case COPY_FULL: stream_pause_reading(f->stream, true); return;
    case COPY_BAD: follow_lost(f, e.text); return;
    case COPY_DONE:
        if (buf_len(in) > AHEAD_MAX)
            stream_pause_reading(f->stream, true);
        return;
    }
}
