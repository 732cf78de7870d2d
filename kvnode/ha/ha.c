/* The one place that steps the member and carries its orders out, in their order, before the
 * next event. What comes up meanwhile waits. An order MO_SAVE that fails drops the rest of its
 * list, and the member hears of it first. */
#include "kvnode/ha/ha_inside.h"

#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/io/log.h"
#include "kvnode/client/held.h"
#include "kvnode/disk/record.h"
#include "kvnode/disk/snapshot.h"
#include "kvnode/ha/ha_repl.h"
#include "kvnode/role/role.h"
#include "kvnode/server.h"

#include <stdatomic.h>
#include <string.h>

static bool is_plain(enum member_phase p) { return p == MP_PLAIN || p == MP_BOUND; }

/* --- orders -------------------------------------------------------------------------------------- */

static bool save_facts(struct server *srv)
{
    struct err e = {0};

    if (record_save(srv->record, &srv->ha->m.f, &e) == 0)
        return true;
    log_warning("this node's record cannot be written: %s. It answers its group nothing that rests on it", e.text);
    return false;
}

static void fetch(struct server *srv, const struct member_order *o)
{
    char text[ADDR_TEXT_MAX];

    log_notice("formed group: takes the tail up to %llu:%lld from %s", (unsigned long long)o->pos.epoch,
               (long long)o->pos.offset, addr_text(&o->addr, text));
    ha_repl_fetch(srv, &o->addr, o->pos);
}

/* false: it could not be saved. */
static bool carry_out(struct server *srv, const struct member_order *o)
{
    struct ha *h = srv->ha;
    uint64_t way;

    switch (o->kind) {
    case MO_SAVE: return save_facts(srv);
    case MO_SEND:
        if (ha_repl_send(srv, o->link, &o->msg))
            return true;
        way = ha_way(h, o);
        if (way != 0)
            control_send(h->control, way, &o->msg);
        else
            ha_repl_send(srv, o->link, &o->msg);
        return true;
    case MO_FENCE:
        held_give_up(srv, "demoted");  /* a primary of before; nobody else has any */
        ha_repl_fence(srv);
        return true;
    case MO_FOLLOW: ha_repl_follow(srv, &o->addr, o->epoch); return true;
    case MO_LEAD: ha_repl_lead(srv, o->epoch); return true;
    case MO_FETCH: fetch(srv, o); return true;
    case MO_SAVE_TAIL: ha_repl_save_tail(srv); return true;
    case MO_CONFIRMED: held_confirmed(srv, o->pos.offset); return true;
    case MO_GIVE_UP_WAITERS: held_give_up(srv, "demoted"); return true;
    case MO_RELEASED: ha_repl_released(srv); return true;
    case MO_KINDS: break;
    }
    CHECK(!"an order that can be carried out");
    return true;
}

/* --- steps ------------------------------------------------------------------------------------------ */

void ha_note_state(struct ha *h)
{
    atomic_store(&h->phase, (int)(h->over && h->m.phase != MP_PLAIN ? MP_FENCED : h->m.phase));
    atomic_store(&h->lease_until_ms, member_lease_until_ms(&h->m));
    atomic_store(&h->deadline_ms, member_deadline_ms(&h->m));
    atomic_store(&h->down_after_ms, h->m.rec.gid != 0 ? h->m.rec.timing.down_after_ms : 0);
}

/* T9: a writer on a connection that is dead on the way is cut as soon as this node may be replaced. */
static void cut_dead_writers(struct server *srv)
{
    server_set_keepalive(srv);
    list_each(struct session, s, &srv->resp.sessions, link)
        stream_set_keepalive(s->stream, srv->resp.keepalive_s);
}

/* What others read of the member besides ha_note_state; main thread. */
static void note_phase(struct server *srv)
{
    struct ha *h = srv->ha;
    enum member_phase was = h->seen, is = h->m.phase;

    srv->ha_bound = is != MP_PLAIN;
    h->holds = member_holds_replies(&h->m);
    h->stirred = true;
    if (was == is)
        return;
    h->seen = is;
    if (is == MP_OPEN || was == MP_OPEN)
        cut_dead_writers(srv);
    log_notice("formed group %llu: %s -> %s: %s", (unsigned long long)h->m.f.gid, member_phase_name(was), member_phase_name(is),
               h->out.because ? h->out.because : "");
    if (!is_plain(is))
        h->told_role = false;
    if (is == MP_STOPPING)
        srv->ks->expired_keys = HIDE_EXPIRED;      /* the target must get to the end of the log */
    else if (was == MP_STOPPING && is == MP_OPEN)
        srv->ks->expired_keys = DROP_EXPIRED;
}

static void set_busy(struct ha *h, bool busy)
{
    pthread_mutex_lock(&h->lock);
    h->busy = busy;
    pthread_mutex_unlock(&h->lock);
}

/* false: an order to save failed, the rest of the list was dropped. */
static bool step_once(struct server *srv, const struct member_event *ev)
{
    struct ha *h = srv->ha;
    bool saved = true;

    pthread_mutex_lock(&h->lock);
    member_step(&h->m, ev, clock_mono_ms(), &h->out);
    h->busy = true;
    ha_note_state(h);
    pthread_mutex_unlock(&h->lock);
    note_phase(srv);
    for (int i = 0; i < h->out.n && saved; i++)
        saved = carry_out(srv, &h->out.at[i]);
    set_busy(h, false);
    return saved;
}

/* true: refused. */
static bool step(struct server *srv, const struct member_event *ev)
{
    struct ha *h = srv->ha;
    bool refused, saved;

    saved = step_once(srv, ev);
    refused = h->out.refused || !saved;
    for (int i = 0; i < 4 && !saved; i++)          /* what was owed to somebody may come due with it, and fail as well */
        saved = step_once(srv, &(struct member_event){.kind = ME_SAVE_FAILED});
    return refused;
}

static void keep_for_later(struct ha *h, const struct member_event *ev)
{
    struct ha_later *k = mem_zalloc(sizeof *k);

    k->ev = *ev;
    if (ev->id) {
        memcpy(k->id, ev->id, strnlen(ev->id, ID_MAX - 1));
        k->ev.id = k->id;
    }
    if (ev->msg) {
        k->msg = *ev->msg;
        k->ev.msg = &k->msg;
        if (k->msg.rec) {
            k->rec = *k->msg.rec;
            k->msg.rec = &k->rec;
        }
    }
    vec_push(&h->later, k);
}

static void tell_kept(struct server *srv)
{
    struct ha *h = srv->ha;

    for (size_t i = 0; i < h->later.n; i++) {
        struct ha_later *k = h->later.at[i];
        step(srv, &k->ev);
        mem_free(k);
    }
    vec_clear(&h->later);
}

/* --- what is told of the node itself ----------------------------------------------------------------- */

static void look_at_log(struct server *srv)
{
    struct ha *h = srv->ha;
    struct ha_position end = ha_repl_end(srv);
    bool keys = keyspace_count(srv->ks) > 0;

    if (h->told_log && end.offset == h->told.offset && end.epoch == h->told.epoch && keys == h->told_keys)
        return;
    h->told_log = true;
    h->told = end;
    h->told_keys = keys;
    /* nothing here is as durable as fsync asks: such a group confirms nothing with this node */
    step(srv, &(struct member_event){.kind = ME_LOG, .pos = end, .yes = keys,
                                         .durable = h->m.rec.gid != 0 && h->m.rec.fsync ? 0 : end.offset});
}

/* By hand, or from the configuration; in a formed group's phases the member knows better. */
static void look_at_role(struct server *srv)
{
    struct ha *h = srv->ha;
    struct addr to = {0};

    if (!is_plain(h->m.phase))
        return;
    if (role_is_replica(srv->role))
        to = srv->role->primary;
    if (h->told_role && addr_equal(&to, &h->follows))
        return;
    h->told_role = true;
    h->follows = to;
    step(srv, &(struct member_event){.kind = ME_ROLE, .id = addr_equal(&to, &h->greeted_by) ? h->greeted_id : "", .addr = to});
}

static bool is_well(const struct server *srv)
{
    if (srv->loading.on && !srv->loading.serve)
        return false;
    return server_is_replica(srv) || !snapshot_refuses_writes(srv->snapshot);
}

static void look_at_health(struct server *srv)
{
    struct ha *h = srv->ha;
    bool well = is_well(srv);

    if (well == h->well)
        return;
    h->well = well;
    control_alive(h->control, well);
    step(srv, &(struct member_event){.kind = ME_HEALTH, .yes = well});
}

static void settle(struct server *srv)
{
    struct ha *h = srv->ha;

    tell_kept(srv);
    look_at_log(srv);
    look_at_role(srv);
    tell_kept(srv);
    h->telling = false;
    timer_set_at(&h->deadline, atomic_load(&h->deadline_ms));
}

/* --- the door ------------------------------------------------------------------------------------------- */

void ha_pay_owed(struct server *srv)
{
    struct ha *h = srv->ha;
    VEC(struct member_order) owed = {0};
    bool saved = true;

    if (!atomic_load_explicit(&h->owes, memory_order_relaxed) || h->telling)
        return;
    h->telling = true;
    pthread_mutex_lock(&h->lock);
    for (size_t i = 0; i < h->owed.n; i++)
        vec_push(&owed, h->owed.at[i]);
    vec_clear(&h->owed);
    h->busy = true;
    atomic_store(&h->owes, false);
    pthread_mutex_unlock(&h->lock);
    for (size_t i = 0; i < owed.n && saved; i++)
        saved = carry_out(srv, &owed.at[i]);
    vec_fini(&owed);
    set_busy(h, false);
    if (!saved)
        step(srv, &(struct member_event){.kind = ME_SAVE_FAILED});
    note_phase(srv);
    settle(srv);
}

bool ha_tell(struct server *srv, const struct member_event *ev)
{
    struct ha *h = srv->ha;
    bool asks = ev->kind == ME_STREAM || ev->kind == ME_FULL_COPY, refused;

    if (!h->started || h->over)
        return asks && srv->ha_bound;
    if (h->telling) {
        if (!asks)
            keep_for_later(h, ev);
        return asks;
    }
    ha_pay_owed(srv);
    h->telling = true;
    if (srv->ha_bound || ev->kind == ME_MSG || ev->kind == ME_VOTER_UP) {      /* a plain node's: when somebody asks */
        look_at_role(srv);
        look_at_log(srv);
    }
    refused = step(srv, ev);
    settle(srv);
    return refused;
}

void ha_log_moved(struct server *srv)
{
    struct ha *h = srv->ha;

    if (!h->started || h->telling)
        return;
    h->telling = true;
    look_at_log(srv);
    settle(srv);
}

void ha_turn_over(struct server *srv)
{
    struct ha *h = srv->ha;

    ha_pay_owed(srv);
    if (h->seen != h->m.phase)         /* the control thread moved it */
        note_phase(srv);
    if (srv->ha_bound)
        ha_log_moved(srv);
    if (!h->telling) {
        h->telling = true;
        look_at_health(srv);
        settle(srv);
    }
}

void ha_on_turn(void *arg)
{
    struct server *srv = arg;
    struct ha *h = srv->ha;

    atomic_store_explicit(&srv->turned_us, clock_mono_us(), memory_order_relaxed);
    if (h->over)
        return;
    if (srv->ha_bound || is_well(srv) != h->well || atomic_load_explicit(&h->owes, memory_order_relaxed))
        ha_turn_over(srv);
    if (h->stirred) {
        h->stirred = false;
        ha_redial(srv);
        ha_push_status(srv);
    }
}

void ha_on_deadline(struct timer *t, void *arg)
{
    struct server *srv = arg;
    struct ha *h = srv->ha;

    (void)t;
    if (h->started)
        ha_tell(srv, &(struct member_event){.kind = ME_TICK});
    else if (ha_start(srv, NULL) != 0)
        log_error("the control thread did not start");
}

uint64_t ha_new_link(struct server *srv) { return ++srv->ha->next_link; }

/* --- while the main thread is stuck -------------------------------------------------------------------- */

static bool may_step_aside(const struct ha *h, const struct ha_msg *m, int64_t now_ms)
{
    if (h->busy || h->over || h->owed.n > 0)
        return false;
    if (h->m.phase != MP_OPEN && h->m.phase != MP_STOPPING && h->m.phase != MP_BOUND)
        return false;
    return m ? m->kind == HA_LEASE : member_deadline_ms(&h->m) <= now_ms;
}

bool ha_step_aside(struct server *srv, uint64_t link, const struct ha_msg *m)
{
    struct ha *h = srv->ha;
    struct member_event ev = {.kind = m ? ME_MSG : ME_TICK, .link = link, .msg = m};
    struct member_orders *out = &h->out_control;
    int64_t now_ms = clock_mono_ms();
    bool may;

    pthread_mutex_lock(&h->lock);
    may = may_step_aside(h, m, now_ms);
    if (may) {
        member_step(&h->m, &ev, now_ms, out);
        ha_note_state(h);
    }
    for (int i = 0; may && i < out->n; i++) {
        uint64_t way = out->at[i].kind == MO_SEND ? ha_way(h, &out->at[i]) : 0;

        if (out->at[i].kind == MO_SEND && h->owed.n == 0) {
            if (way != 0)
                control_send(h->control, way, &out->at[i].msg);
        } else {
            vec_push(&h->owed, out->at[i]);
            atomic_store(&h->owes, true);
        }
    }
    pthread_mutex_unlock(&h->lock);
    return may;
}
