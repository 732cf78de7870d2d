/* The links of replication: what a replica says when it greets and acknowledges, what our
 * primary answered to our own greeting, and what both mean to the member. */
#include "kvnode/ha/ha_repl_inside.h"

#include "common/base/mem.h"
#include "common/base/num.h"
#include "common/io/log.h"
#include "common/text/ha_text.h"
#include "common/text/resp_request.h"
#include "kvnode/call.h"
#include "kvnode/disk/record.h"
#include "kvnode/repl/feed_inside.h"
#include "kvnode/repl/follow.h"
#include "kvnode/role/role.h"
#include "kvnode/server.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* --- our replicas ----------------------------------------------------------------------------------- */

/* The epoch that whoever greets now is told; 0 = none. */
static uint64_t epoch_told(const struct server *srv)
{
    return srv->ha_bound && ha_feeds(srv, 0) && member_marker_out(ha_member_of(srv)) ? ha_member_of(srv)->epoch : 0;
}

static bool get_u64(struct slice s, uint64_t *out) { return num_u64(s.p, s.len, out); }

static bool get_id(struct slice s, char out[ID_MAX])
{
    bool ok = s.len == ID_HEX;

    for (size_t i = 0; ok && i < s.len; i++)
        ok = (s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f');
    return ok && slice_copy_z(s, out, ID_MAX);
}

static void answer_greeting(struct client *cl, struct reply *r, struct feed_greeted *g)
{
    struct server *srv = cl->srv;
    const struct member_facts *f = record_facts(srv->record);
    struct str text = {0};

    g->yes = true;
    g->told = epoch_told(srv);
    if (g->fetch_ballot == 0)
        g->link = ha_new_link(srv);
    cl->replica->ha = *g;
    str_printf(&text, "HA %s %u", f->id, (unsigned)ha_port(srv));
    if (g->told != 0) {
        struct ha_msg msg = {.kind = HA_STREAM, .life = f->life, .gid = f->gid, .epoch = g->told,
                             .incarnation = ha_member_of(srv)->incarnation};
        memcpy(msg.from, f->id, ID_MAX);
        str_append_c(&text, ' ');
        ha_text_put_msg(&text, &msg);
    }
    reply_simple(r, str_c(&text));
    str_fini(&text);
    if (g->link != 0)
        ha_tell(srv, &(struct member_event){.kind = ME_REPLICA_UP, .link = g->link, .id = g->id, .life = g->life});
}

/* --- greetings that wait for us to be opened --- */

struct held_greeting {
    struct list_link link;
    struct client *client;
    struct feed_greeted said;
    int64_t until_ms;
};

/* Members are told whom to follow as soon as the record is stored; that one may not have been opened yet. */
static bool may_soon_lead(const struct server *srv, const struct feed_greeted *g)
{
    const struct member *m = ha_member_of(srv);

    return srv->ha_bound && g->fetch_ballot == 0 && g->gid != 0 && g->gid == m->f.gid &&
           (m->phase == MP_FENCED || m->phase == MP_FETCHING || m->phase == MP_UNPROVED);
}

static void forget(struct held_greeting *h)
{
    list_remove(&h->link);
    h->client->waiting = NULL;
    h->client->waiting_gone = NULL;
    mem_free(h);
}

static void held_gone(struct client *c) { forget(c->waiting); }

static void hold(struct client *cl, const struct feed_greeted *g)
{
    struct ha_repl *r = cl->srv->ha_repl;
    struct held_greeting *h = mem_zalloc(sizeof *h);

    h->client = cl;
    h->said = *g;
    h->until_ms = server_now_ms(cl->srv) + HA_REPL_HOLD_MS;
    list_append(&r->held, &h->link);
    cl->waiting = h;
    cl->waiting_gone = held_gone;
    session_hold(cl->session);
    if (!timer_is_set(&r->held_timer))
        timer_set_at(&r->held_timer, h->until_ms);
}

static void answer_held(struct server *srv, int64_t before_ms)
{
    struct ha_repl *r = srv->ha_repl;

    list_each_safe(struct held_greeting, h, &r->held, link) {
        struct feed_greeted g = h->said;
        struct client *cl = h->client;
        struct session *se = cl->session;

        if (h->until_ms > before_ms) {
            timer_set_at(&r->held_timer, h->until_ms);
            return;
        }
        forget(h);
        answer_greeting(cl, session_reply(se), &g);
        session_release(se);
    }
}

void ha_repl_answer_held(struct server *srv) { answer_held(srv, NEVER_MS); }

static void on_held_timer(struct timer *t, void *arg)
{
    (void)t;
    answer_held(arg, server_now_ms(arg));
}

void ha_repl_links_init(struct server *srv)
{
    list_init(&srv->ha_repl->held);
    timer_init(&srv->ha_repl->held_timer, srv->loop, on_held_timer, srv);
}

void ha_repl_links_fini(struct server *srv)
{
    list_each_safe(struct held_greeting, h, &srv->ha_repl->held, link)
        forget(h);
    timer_clear(&srv->ha_repl->held_timer);
}

void ha_repl_greeted(struct call *c)
{
    struct server *srv = call_server(c);
    struct client *cl = call_client(c);
    struct feed_greeted g = {0};

    if (c->argc != 7 || !get_id(c->argv[2], g.id) || !get_u64(c->argv[3], &g.life) || !get_u64(c->argv[4], &g.gid) ||
        !get_u64(c->argv[5], &g.epoch) || !get_u64(c->argv[6], &g.fetch_ballot)) {
        reply_error(c->reply, "ERR REPLCONF ha-member <id> <life> <group> <epoch> <ballot>");
        return;
    }
    if (cl->replica->state != FEED_NEW) {
        reply_error(c->reply, "ERR REPLCONF ha-member comes before PSYNC");
        return;
    }
    ha_repl_gone(cl);                  /* greeted twice: the last word counts */
    if (may_soon_lead(srv, &g) && !cl->in_exec)
        hold(cl, &g);
    else
        answer_greeting(cl, c->reply, &g);
}

const char *ha_repl_refuses(struct client *replica, bool *full)
{
    struct server *srv = replica->srv;
    const struct feed_greeted *g = &replica->replica->ha;

    *full = true;
    if (g->fetch_ballot != 0) {
        *full = false;
        return ha_feeds(srv, g->fetch_ballot) ? NULL : "NOMASTERLINK this node is not sealed in that ballot: no tail to fetch here";
    }
    if (!srv->ha_bound)
        return NULL;
    if (!ha_feeds(srv, 0))
        return "NOMASTERLINK this node is a member of a formed group and not its primary";
    return g->yes && g->told != epoch_told(srv) ? "NOMASTERLINK an epoch began or ended since you greeted" : NULL;
}

enum ha_repl_continue ha_repl_continues(struct client *replica, int64_t want)
{
    struct server *srv = replica->srv;
    const struct feed_greeted *g = &replica->replica->ha;

    if (!srv->ha_bound || !g->yes || g->epoch == 0 || g->gid != ha_member_of(srv)->f.gid)
        return HA_REPL_BY_ID;
    return epochs_contain(&srv->ha_repl->table, srv->history->offset, (struct ha_position){g->epoch, want - 1})
               ? HA_REPL_IN_HISTORY : HA_REPL_OUT_OF_HISTORY;
}

void ha_repl_acked(struct client *replica, int64_t offset, uint64_t epoch, uint64_t life)
{
    struct server *srv = replica->srv;
    const struct feed_greeted *g = &replica->replica->ha;
    struct ha_msg ack = {.kind = HA_ACK, .life = life, .epoch = epoch};

    if (!srv->ha_bound || g->link == 0)
        return;
    memcpy(ack.from, g->id, ID_MAX);
    ack.gid = ha_member_of(srv)->f.gid;
    ack.pos = (struct ha_position){epoch, offset};
    ha_tell(srv, &(struct member_event){.kind = ME_MSG, .msg = &ack, .link = g->link});
}

void ha_repl_gone(struct client *replica)
{
    struct feed_greeted *g = &replica->replica->ha;
    uint64_t link = g->link;

    g->link = 0;
    if (link != 0 && replica->srv->ha)
        ha_tell(replica->srv, &(struct member_event){.kind = ME_LINK_GONE, .link = link});
}

/* --- our primary -------------------------------------------------------------------------------------- */

void ha_repl_greet(struct server *srv, struct buf *out)
{
    const struct member_facts *f = record_facts(srv->record);
    char text[4][24];

    snprintf(text[0], sizeof text[0], "%" PRIu64, f->life);
    snprintf(text[1], sizeof text[1], "%" PRIu64, f->gid);
    snprintf(text[2], sizeof text[2], "%" PRIu64, ha_repl_end(srv).epoch);
    snprintf(text[3], sizeof text[3], "%" PRIu64, srv->ha_repl->fetching ? f->sealed : 0);
    resp_put_request_z(out, "REPLCONF", "ha-member", f->id, text[0], text[1], text[2], text[3], NULL);
}

/* "+HA <id> <ha-port> [<line>]". *line.len == 0: there is none. false: it is no such answer. */
static bool read_answer(struct slice s, char id[ID_MAX], uint16_t *port, struct slice *line)
{
    const char *end = s.p + s.len, *blank;
    int64_t n;

    if (s.len < 4 + ID_HEX + 2 || memcmp(s.p, "+HA ", 4) != 0 || s.p[4 + ID_HEX] != ' ' ||
        !get_id((struct slice){s.p + 4, ID_HEX}, id))
        return false;
    s.p += 4 + ID_HEX + 1;
    blank = memchr(s.p, ' ', (size_t)(end - s.p));
    if (!num_i64_in(s.p, (size_t)((blank ? blank : end) - s.p), 0, 65535, &n))
        return false;
    *port = (uint16_t)n;
    *line = blank ? (struct slice){blank + 1, (size_t)(end - blank - 1)} : (struct slice){end, 0};
    return true;
}

static int take_stream(struct server *srv, struct slice line, struct err *e)
{
    struct ha_repl *r = srv->ha_repl;
    struct ha_record rec;
    struct ha_msg msg;
    const char *wrong;

    if (!ha_text_msg_line(line.p, line.len, &msg, &rec, &wrong) || msg.kind != HA_STREAM)
        return err_set(e, ERR_FORMAT, "the primary says of its stream something that is none: %s",
                       msg.kind == HA_STREAM ? wrong : "another message");
    if (ha_tell(srv, &(struct member_event){.kind = ME_STREAM, .link = r->link, .id = msg.from, .msg = &msg}))
        return err_set(e, ERR_REFUSED, "its stream is of epoch %" PRIu64 " of group %" PRIu64 ", which this node does not take",
                       msg.epoch, msg.gid);
    r->stream_epoch = msg.epoch;
    return 0;
}

int ha_repl_answered(struct server *srv, struct slice line, struct err *e)
{
    struct ha_repl *r = srv->ha_repl;
    char id[ID_MAX] = "";
    struct slice stream = {"", 0};
    uint16_t port = 0;
    bool speaks = read_answer(line, id, &port, &stream);

    if (!speaks)
        log_debug("the primary does not know REPLCONF ha-member: %.*s", (int)(line.len < 200 ? line.len : 200), line.p);
    if (r->fetching)
        return 0;
    r->link = ha_new_link(srv);
    r->stream_epoch = 0;
    ha_primary_is(srv, id, port);
    if (stream.len > 0) {
        int rc = take_stream(srv, stream, e);
        if (rc != 0)
            return rc;
    }
    if (!ha_repl_may_take(srv))
        return err_set(e, ERR_REFUSED, "it is not the primary of an epoch of this node's group");
    return 0;
}

bool ha_repl_may_take(const struct server *srv)
{
    const struct ha_repl *r = srv->ha_repl;

    if (!srv->ha_bound)
        return true;
    return r->fetching ? ha_member_of(srv)->phase == MP_FETCHING : member_may_take(ha_member_of(srv), r->link);
}

void ha_repl_synced(struct server *srv)
{
    struct ha_repl *r = srv->ha_repl;

    r->tail_due = false;
    r->follows_told = true;
    ha_log_moved(srv);
    ha_tell(srv, &(struct member_event){.kind = ME_FOLLOWS, .yes = true, .link = r->link});
}

void ha_repl_link_down(struct server *srv)
{
    struct ha_repl *r = srv->ha_repl;
    uint64_t link;
    bool told;

    if (r == NULL)
        return;
    link = r->link;
    told = r->follows_told;
    r->link = r->stream_epoch = 0;
    r->follows_told = false;
    if (link != 0)
        ha_tell(srv, &(struct member_event){.kind = ME_LINK_GONE, .link = link});
    if (told)
        ha_tell(srv, &(struct member_event){.kind = ME_FOLLOWS, .yes = false, .link = link});
}

int64_t ha_repl_silence_ms(const struct server *srv)
{
    return srv->ha_bound && ha_member_of(srv)->rec.gid != 0 ? ha_member_of(srv)->rec.timing.down_after_ms : 0;
}

bool ha_repl_acks_each_turn(const struct server *srv) { return srv->ha_repl->stream_epoch != 0; }

bool ha_repl_send(struct server *srv, uint64_t link, const struct ha_msg *m)
{
    if (m->kind == HA_STREAM)
        return true;
    if (m->kind != HA_ACK || srv->ha_repl->link != link)
        return false;
    follow_ack(srv->follow, m->pos.offset, m->epoch, m->life);
    return true;
}
