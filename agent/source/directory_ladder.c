/* The ladder: what the server offers to tell us of changes, asked for after it said that it is a primary. */
#include "agent/source/directory_inside.h"

#include "common/base/words.h"
#include "common/io/log.h"
#include "common/text/reply_walk.h"

#include <hiredis/hiredis.h>
#include <string.h>

void directory_heard(void *arg, const struct redisReply *r)
{
    struct directory *d = arg;
    struct slice word, channel = {0}, message = {0};

    if (!reply_text_at(r, 0, &word) || !slice_is(word, "message"))
        return;
    reply_text_at(r, 1, &channel);
    for (size_t i = 0; i < d->nchannels; i++)
        if (slice_is(channel, d->channels[i].name)) {
            reply_text_at(r, 2, &message);
            d->channels[i].fn(d->channels[i].arg, message);
            return;
        }
    d->stats.pushes++;
    directory_mark_dirty(d);
}

static void on_subscribed(void *arg, const struct redisReply *r)
{
    struct slice said = reply_text(r);

    (void)arg;
    if (reply_is_error(r))
        log_warning("directory: a channel was refused: %.*s", (int)(said.len > 190 ? 190 : said.len), said.p);
}

void directory_subscribe(struct directory *d, const char *channel)
{
    resp_link_sendz(d->push, on_subscribed, d, "SUBSCRIBE", channel, NULL);
}

static void on_rung(struct directory *d, enum dir_rung rung)
{
    d->rung = rung;
    d->greeting = false;
    timer_clear(&d->overdue);
    timer_set(&d->ping, d->o.ping_ms);
    for (size_t i = 0; i < d->nchannels; i++)
        directory_subscribe(d, d->channels[i].name);
    if (rung == RUNG_POLLING)
        log_warning("directory: %s:%u offers neither CLIENT TRACKING nor keyspace events; reading it every %lldms",
                    d->addr.host, d->addr.port, (long long)d->o.poll_ms);
    directory_read(d);
}

static bool keyspace_events_do(struct slice flags)
{
    bool all = memchr(flags.p, 'A', flags.len) != NULL;

    return flags.len && memchr(flags.p, 'K', flags.len) &&
           (all || (memchr(flags.p, 'g', flags.len) && memchr(flags.p, '$', flags.len) &&
                    memchr(flags.p, 'h', flags.len) && memchr(flags.p, 'x', flags.len)));
}

static void on_events_config(void *arg, const struct redisReply *r)
{
    struct directory *d = arg;
    struct slice flags;

    if (!r || !d->greeting)
        return;
    on_rung(d, reply_text_at(r, 1, &flags) && keyspace_events_do(flags) ? RUNG_KEYSPACE : RUNG_POLLING);
}

static void on_tracking(void *arg, const struct redisReply *r)
{
    struct directory *d = arg;

    if (!r || !d->greeting || directory_is_wrong(d, r))
        return;
    if (reply_is_status(r, "OK"))
        on_rung(d, RUNG_TRACKING);
    else
        resp_link_sendz(d->data, on_events_config, d, "CONFIG", "GET", "notify-keyspace-events", NULL);
}

static void ask_for_tracking(struct directory *d)
{
    char id[24];
    struct slice argv[6] = {slice_z("CLIENT"), slice_z("TRACKING"), slice_z("ON"), slice_z("REDIRECT"), {id, 0},
                            slice_z("OPTOUT")};
    struct str text = {0};

    if (d->push_id < 0 || !d->role_ok)
        return;
    resp_link_subscribe_mode(d->push, true);
    resp_link_sendz(d->push, NULL, NULL, "SUBSCRIBE", TRACKING_CHANNEL, NULL);
    str_printf(&text, "%lld", (long long)d->push_id);
    slice_copy_z((struct slice){text.p, text.len}, id, sizeof id);
    argv[4].len = text.len;
    str_fini(&text);
    resp_link_send(d->data, on_tracking, d, 6, argv);
}

static void on_role(void *arg, const struct redisReply *r)
{
    struct directory *d = arg;
    struct slice role;

    if (!r || !d->greeting || directory_is_wrong(d, r))
        return;
    if (!reply_text_at(r, 0, &role) && reply_is_error(r))
        role = reply_text(r);
    if (!slice_is(role, WORD_MASTER)) {
        char why[200];
        struct str text = {0};

        str_printf(&text, "its role is '%.*s', not '" WORD_MASTER "'", (int)(role.len > 100 ? 100 : role.len), role.p);
        slice_copy_z((struct slice){text.p, text.len}, why, sizeof why);
        str_fini(&text);
        directory_leave(d, why);
        return;
    }
    d->role_ok = true;
    ask_for_tracking(d);
}

static void on_id(void *arg, const struct redisReply *r)
{
    struct directory *d = arg;

    if (!r || !d->greeting)
        return;
    if (!reply_i64(r, &d->push_id))
        d->push_id = 0;         /* a server without CLIENT ID: tracking will be refused, the ladder goes on */
    ask_for_tracking(d);
}

void directory_greet(struct directory *d)
{
    directory_forget_greeting(d);
    d->greeting = true;
    directory_set_state(d, DIR_GREETING, "connected");
    timer_set(&d->overdue, d->o.ping_timeout_ms);
    resp_link_sendz(d->push, on_id, d, "CLIENT", "ID", NULL);
    resp_link_sendz(d->data, on_role, d, "ROLE", NULL);
}
