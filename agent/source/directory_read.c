/* Reading: a quiet time after what was heard, one snapshot, and more of them until all that it names is in it.
 *
 * A trap of per-key tracking: after a key was reported it is not reported again until it is
 * read again, and a report may come before, between or after the replies of a read. So a
 * report that comes while a read is under way makes another read follow. */
#include "agent/source/directory_inside.h"

#include "agent/source/snapshot.h"
#include "common/base/timeval.h"
#include "common/io/log.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <string.h>

#define TOO_MUCH_MOST_MS 60000  /* what was too much is tried again no later than this */
#define READ_ROUNDS_MAX 6       /* agent document, documents, sources, and some more for changes in between */

static int64_t jittered(struct directory *d, int64_t ms)
{
    return ms - ms / 4 + rng_between(&d->rng, 0, ms / 2);
}

/* What is read first: the agent documents. What they name is known then. */
void directory_want_afresh(struct directory *d)
{
    struct inputs nothing;

    inputs_init(&nothing);
    sources_fini(&d->want);
    sources_init(&d->want);
    desired_sources(&nothing, &d->o.who, NULL, &d->want);
    inputs_fini(&nothing);
}

/* The same answer would come again at once, for ever. */
void directory_too_much(struct directory *d, const char *why)
{
    char text[sizeof d->complaint];

    snprintf(text, sizeof text, "the keys that this agent reads are not taken: %.80s, 64 MiB for all of them together. What is in force "
             "stays; it is tried again within 75 s, and by AGENT RESYNC", why);
    if (strcmp(d->complaint, text) != 0)
        log_warning("directory: %s:%u: %s", d->addr.host, d->addr.port, text);
    slice_copy_z(slice_z(text), d->complaint, sizeof d->complaint);
    d->too_much_until_ms = loop_now_ms(d->o.loop) + jittered(d, ms_min(d->o.resync_ms, TOO_MUCH_MOST_MS));
    directory_want_afresh(d);
}

static void arm_resync(struct directory *d)
{
    timer_set(&d->resync, d->rung == RUNG_POLLING ? d->o.poll_ms : jittered(d, d->o.resync_ms));
}

void directory_mark_dirty(struct directory *d)
{
    int64_t now = loop_now_ms(d->o.loop);

    d->by_resync = false;
    if (d->reading) {
        d->again = true;
        return;
    }
    if (!d->dirty) {
        d->dirty = true;
        d->dirty_since_ms = now;
    }
    timer_set_at(&d->quiet, ms_min(now + d->o.quiesce_ms, d->dirty_since_ms + d->o.quiesce_max_ms));
}

static void on_read(void *arg, const struct redisReply *r)
{
    struct directory *d = arg;
    struct inputs in;
    struct sources next;
    struct err e = {0};

    if (!r || !d->reading || directory_is_wrong(d, r))
        return;
    d->reading = false;
    inputs_init(&in);
    sources_init(&next);
    if (snapshot_take(r, &d->want, &in, &e) != 0) {
        log_warning("directory: read failed: %s", e.text);
        timer_set(&d->retry, 1000);
        goto out;
    }
    desired_sources(&in, &d->o.who, d->o.in_force(d->o.owner), &next);
    if (!sources_all_in(&next, &in) && ++d->rounds < READ_ROUNDS_MAX) {
        sources_fini(&d->want);
        d->want = next;
        sources_init(&next);
        directory_read(d);
        goto out;
    }
    sources_fini(&d->want);
    d->want = next;
    sources_init(&next);
    d->stats.snapshots++;
    d->rounds = 0;
    d->too_much_until_ms = 0;
    directory_set_state(d, DIR_LIVE, "read");
    d->o.on_snapshot(d->o.owner, &in, d->by_resync);
    d->by_resync = false;
    arm_resync(d);
    if (d->again) {
        d->again = false;
        directory_mark_dirty(d);
    }
out:
    sources_fini(&next);
    inputs_fini(&in);
}

static void read_now(struct directory *d)
{
    d->reading = snapshot_ask(d->data, &d->want, on_read, d);
}

static void on_listening(void *arg, const struct redisReply *r)
{
    struct directory *d = arg;

    if (r && d->reading)
        read_now(d);
}

/* Events of keys that are not subscribed to yet are, before they are read. */
static bool listen_to_keys(struct directory *d)
{
    VEC(struct slice) words = {0};
    VEC(char *) channels = {0};
    struct slice word = slice_z("SUBSCRIBE");
    bool more;

    vec_push(&words, word);
    for (size_t i = 0; i < d->want.at.n; i++) {
        struct slice key = source_key(slice_z(d->want.at.at[i]));
        struct str channel = {0};

        if (!sources_add(&d->told, d->want.at.at[i]))
            continue;
        str_printf(&channel, "__keyspace@0__:%.*s", (int)key.len, key.p);
        vec_push(&channels, str_take(&channel));
    }
    for (size_t i = 0; i < channels.n; i++) {
        struct slice c = slice_z(channels.at[i]);

        vec_push(&words, c);
    }
    more = channels.n > 0;
    if (more) {
        resp_link_send(d->push, NULL, NULL, (int)words.n, words.at);
        resp_link_sendz(d->push, on_listening, d, "PING", NULL);
    }
    for (size_t i = 0; i < channels.n; i++)
        mem_free(channels.at[i]);
    vec_fini(&channels);
    vec_fini(&words);
    return more;
}

void directory_read(struct directory *d)
{
    if (d->too_much_until_ms > loop_now_ms(d->o.loop)) {
        timer_set_at(&d->retry, d->too_much_until_ms);
        return;
    }
    d->dirty = false;
    d->again = false;
    d->reading = true;
    timer_clear(&d->quiet);
    timer_clear(&d->retry);
    if (d->rung == RUNG_KEYSPACE && listen_to_keys(d))
        return;
    read_now(d);
}

void directory_resync(struct directory *d)
{
    d->too_much_until_ms = 0;
    if (d->rung == RUNG_NONE)
        return;
    if (d->reading)
        d->again = true;
    else
        directory_read(d);
}

void directory_on_quiet(struct timer *t, void *arg)
{
    struct directory *d = arg;

    (void)t;
    if (d->dirty && d->rung != RUNG_NONE)
        directory_read(d);
}

void directory_on_resync(struct timer *t, void *arg)
{
    struct directory *d = arg;

    (void)t;
    d->stats.resyncs++;
    d->by_resync = d->rung != RUNG_POLLING;
    if (!d->reading && d->rung != RUNG_NONE)
        directory_read(d);
}

void directory_on_retry(struct timer *t, void *arg)
{
    struct directory *d = arg;

    (void)t;
    if (!d->reading && d->rung != RUNG_NONE)
        directory_read(d);
}
