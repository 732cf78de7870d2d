/* Questions that are asked of the node's half: by each command, by replication, by INFO and
 * HA STATUS. What each command asks is answered from three numbers that stand beside the
 * member, so that nobody waits for the lock; the clock is read anew each time (T6). */
#include "kvnode/ha/ha_inside.h"

#include "common/base/timeval.h"
#include "common/io/clock.h"
#include "common/text/resp_reply.h"
#include "kvnode/client/held.h"
#include "kvnode/disk/record.h"
#include "kvnode/server.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>

/* --- may it? ------------------------------------------------------------------------------------------- */

static enum member_phase phase_of(const struct ha *h) { return (enum member_phase)atomic_load_explicit(&h->phase, memory_order_relaxed); }

static const char *const no_write[MP_PHASES] = {
    [MP_FENCED] = "NOREPLICAS this node is fenced, the write was not executed: its group has not opened it. HA STATUS tells how it stands",
    [MP_FETCHING] = "NOREPLICAS this node is fenced and takes the tail of another, the write was not executed",
    [MP_FOLLOWER] = "READONLY You can't write against a read only replica.",
    [MP_UNPROVED] = "NOREPLICAS this primary waits for its first lease, the write was not executed",
    [MP_OPEN] = "NOREPLICAS this primary has no lease of its group, the write was not executed",
    [MP_STOPPING] = "NOREPLICAS this primary hands over to another node, the write was not executed",
};
#define NO_READ "MASTERDOWN this node holds no lease of its group: what it has may be old. 'ha-read dirty' would answer"

const char *ha_refusal(struct server *srv, bool write)
{
    struct ha *h = srv->ha;
    enum member_phase p;

    ha_pay_owed(srv);
    p = phase_of(h);
    if (p == MP_PLAIN || p == MP_BOUND)
        return NULL;
    if (!write && (p == MP_FOLLOWER || srv->opt.ha_read == HA_READ_DIRTY))
        return NULL;
    if (write ? p == MP_OPEN : p == MP_OPEN || p == MP_STOPPING)
        if (ha_lease_valid(srv))
            return NULL;
    return write ? no_write[p] : NO_READ;
}

bool ha_lease_valid(struct server *srv)
{
    struct ha *h = srv->ha;
    enum member_phase p = phase_of(h);

    if (p == MP_PLAIN || p == MP_BOUND)
        return true;
    return (p == MP_OPEN || p == MP_STOPPING) && clock_mono_ms() < atomic_load_explicit(&h->lease_until_ms, memory_order_relaxed);
}

bool ha_may_append(const struct server *srv)
{
    enum member_phase p = phase_of(srv->ha);

    return p == MP_PLAIN || p == MP_BOUND || p == MP_OPEN || p == MP_STOPPING;
}

bool ha_bound(const struct server *srv) { return srv->ha_bound; }
bool ha_holds_replies(const struct server *srv) { return srv->ha->holds; }
const struct member *ha_member_of(const struct server *srv) { return &srv->ha->m; }

bool ha_takes_plain_orders(const struct server *srv)
{
    return !srv->ha_bound || (srv->ha->started && member_takes_plain_orders(&srv->ha->m));
}

bool ha_feeds(const struct server *srv, uint64_t fetch_ballot)
{
    return srv->ha->started ? member_feeds(&srv->ha->m, fetch_ballot) : !srv->ha_bound && fetch_ballot == 0;
}

bool ha_is_primary(const struct server *srv)
{
    enum member_phase p = phase_of(srv->ha);

    return p == MP_UNPROVED || p == MP_OPEN || p == MP_STOPPING;
}

uint16_t ha_port(const struct server *srv)
{
    return (uint16_t)(srv->opt.ha_port ? srv->opt.ha_port : srv->opt.port);
}

/* --- INFO ------------------------------------------------------------------------------------------------ */

/* -1: none; 0 is a lease that ran out this moment. */
static int64_t lease_left_ms(const struct ha *h)
{
    int64_t until_ms = atomic_load(&h->lease_until_ms), left;

    if (until_ms == 0)
        return -1;
    if (until_ms == NEVER_MS)
        return NEVER_MS;
    left = until_ms - clock_mono_ms();
    return left > 0 ? left : -1;
}

static const char *lease_word(const struct ha *h, char out[32])
{
    int64_t left = lease_left_ms(h);

    if (left == NEVER_MS)
        return "alone";                /* nobody can be promoted without sealing us: needs none */
    if (left < 0)
        return "none";
    snprintf(out, 32, "%" PRId64, left);
    return out;
}

enum member_phase ha_phase(const struct server *srv) { return phase_of(srv->ha); }
int64_t ha_confirmed(const struct server *srv) { return ha_is_primary(srv) ? srv->ha->m.commit.confirmed : -1; }
size_t ha_control_links(const struct server *srv) { return control_links(srv->ha->control); }

int64_t ha_lease_left_ms(const struct server *srv)
{
    int64_t left = lease_left_ms(srv->ha);

    return left < 0 || left == NEVER_MS ? -1000 : left;
}

static void line_u(struct str *out, const char *name, uint64_t v) { str_printf(out, "%s:%" PRIu64 "\r\n", name, v); }

static const char *phase_word(const struct ha *h)
{
    return h->started ? member_phase_name(phase_of(h)) : "starting";
}

void ha_info_replication(struct server *srv, struct str *out)
{
    struct ha *h = srv->ha;

    line_u(out, "ha_port", ha_port(srv));
    str_printf(out, "ha_state:%s\r\n", phase_word(h));
    if (h->started && h->m.f.gid != 0)
        line_u(out, "ha_group_id", h->m.f.gid);
}

void ha_info(struct server *srv, struct str *out)
{
    struct ha *h = srv->ha;
    const char *trouble = record_trouble(srv->record);
    struct ha_msg s;
    char text[32];

    str_printf(out, "ha_state:%s\r\n", phase_word(h));
    if (h->started) {
        ha_status(srv, &s);
        str_printf(out, "ha_id:%s\r\n", s.from);
        line_u(out, "ha_life", s.life);
        line_u(out, "ha_incarnation", s.incarnation);
        line_u(out, "ha_group_id", s.gid);
        line_u(out, "ha_bound_ballot", s.ballot);
        line_u(out, "ha_sealed", s.sealed);
        line_u(out, "ha_epoch", s.epoch);
        str_printf(out, "ha_position:%" PRIu64 ":%" PRId64 "\r\n", s.pos.epoch, s.pos.offset);
        str_printf(out, "ha_confirmed:%" PRId64 "\r\n", ha_is_primary(srv) ? s.acked : -1);
        str_printf(out, "ha_lease_ms:%s\r\n", lease_word(h, text));
        str_printf(out, "ha_mode:%s\r\n", h->m.rec.gid ? ha_mode_name(h->m.rec.mode) : "none");
        str_printf(out, "ha_control_links:%zu\r\n", control_links(h->control));
        if (srv->ha_bound)
            held_info(srv, out);
    }
    str_printf(out, "ha_record_trouble:%s\r\n", trouble ? trouble : "");
}

/* --- HA STATUS ----------------------------------------------------------------------------------------------- */

static void put_u(struct reply *r, const char *name, uint64_t v)
{
    reply_bulk_z(r, name);
    if (v <= INT64_MAX)
        reply_int(r, (int64_t)v);
    else
        reply_bulkf(r, "%" PRIu64, v);
}

static void put_text(struct reply *r, const char *name, const char *v)
{
    reply_bulk_z(r, name);
    reply_bulk_z(r, v);
}

/* Ids, lives and numbers of groups use all 64 bits: text, so that no client reads them as something else. */
static void put_id(struct reply *r, const char *name, uint64_t v)
{
    reply_bulk_z(r, name);
    reply_bulkf(r, "%" PRIu64, v);
}

static void put_flags(struct reply *r, unsigned flags)
{
    static const struct { unsigned bit; const char *name; } names[] = {
        {HA_F_JOINT, "joint"}, {HA_F_NEW_LIFE, "new-life"}, {HA_F_LOST_MEMBER, "lost-member"}, {HA_F_MARKER, "marker"},
        {HA_F_LINK_UP, "link-up"}, {HA_F_WANTS_OUT, "wants-out"}, {HA_F_HAS_DATA, "has-data"}, {HA_F_USED, "used"},
    };
    struct reply_hole hole;
    size_t n = 0;

    reply_bulk_z(r, "flags");
    hole = reply_hole(r);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (flags & names[i].bit) {
            reply_bulk_z(r, names[i].name);
            n++;
        }
    reply_fill_array(r, hole, n);
}

static void put_links(struct ha *h, struct reply *r)
{
    reply_bulk_z(r, "links");
    reply_array(r, h->links.n);
    for (size_t i = 0; i < h->links.n; i++)
        reply_bulkf(r, "%s %s", h->links.at[i].voter ? "voter" : "node", h->links.at[i].id);
}

void ha_put_status(struct server *srv, struct reply *r)
{
    struct ha *h = srv->ha;
    const char *trouble = record_trouble(srv->record);
    struct ha_msg s;
    char text[32], addr[ADDR_TEXT_MAX];

    if (!h->started) {
        reply_map(r, 2);
        put_text(r, "phase", "starting");
        put_text(r, "record-trouble", trouble ? trouble : "");
        return;
    }
    ha_log_moved(srv);
    ha_status(srv, &s);
    reply_map(r, 19);
    put_text(r, "id", s.from);
    put_id(r, "life", s.life);
    put_id(r, "incarnation", s.incarnation);
    put_id(r, "group", s.gid);
    put_text(r, "phase", phase_word(h));
    put_text(r, "state", ha_node_state_name(s.state));
    put_u(r, "bound-ballot", s.ballot);
    put_u(r, "sealed", s.sealed);
    put_u(r, "epoch", s.epoch);
    put_u(r, "position-epoch", s.pos.epoch);
    put_u(r, "position-offset", (uint64_t)s.pos.offset);
    reply_bulk_z(r, "confirmed");
    reply_int(r, ha_is_primary(srv) ? s.acked : -1);
    put_text(r, "lease-ms", lease_word(h, text));
    put_text(r, "mode", h->m.rec.gid ? ha_mode_name(h->m.rec.mode) : "none");
    put_text(r, "record", h->m.rec.gid ? "known" : "none");
    put_text(r, "follows", addr_is_set(&s.addr) ? addr_text(&s.addr, addr) : "");
    put_flags(r, s.flags);
    put_links(h, r);
    put_text(r, "record-trouble", trouble ? trouble : "");
}
