/* The client's own record: made when a session is admitted, taken apart when it goes. */
#include "kvnode/client/client.h"

#include "common/base/check.h"
#include "common/base/mem.h"
#include "kvnode/client/tracking.h"
#include "kvnode/client/txn.h"
#include "kvnode/ha/ha.h"
#include "kvnode/server.h"

struct client *client_new(struct server *srv, struct session *s)
{
    struct client *c = mem_zalloc(sizeof *c);

    c->srv = srv;
    c->session = s;
    c->came_under = srv->ha_bound ? ha_member_of(srv)->follow_epoch : 0;
    list_init(&c->monitor_link);
    list_init(&c->held);
    c->owed_from = STREAM_ALL;
    return c;
}

bool client_is_left_over(const struct client *c)
{
    const struct member *m = ha_member_of(c->srv);

    return c->session && c->srv->ha_bound && m->phase == MP_FOLLOWER && m->follow_epoch != c->came_under;
}

void client_reset(struct client *c)
{
    txn_discard(c);
    tracking_stop(c);
    list_remove(&c->monitor_link);
    if (c->session)
        c->session->is_monitor = false;
    c->db = 0;
    c->readonly_ok = false;
}

void client_free(struct client *c)
{
    if (!c)
        return;
    if (c->waiting_gone)
        c->waiting_gone(c);
    client_reset(c);
    vec_fini(&c->queue);
    vec_fini(&c->watching);
    vec_fini(&c->track_prefixes);
    mem_free(c);
}

void client_facts(const struct session *s, struct session_facts *f)
{
    const struct client *c = client_of(s);
    char *p = f->flags;

    if (!c)
        return;
    f->db = c->db;
    f->multi = c->txn == TXN_NONE ? -1 : (int)c->queue.n;
    f->in_exec = c->in_exec;
    f->multi_bytes = c->queue_bytes;
    f->redir = c->tracking ? (int64_t)c->track_redirect : -1;
    if (c->txn != TXN_NONE)
        *p++ = 'x';
    if (c->waiting)
        *p++ = 'b';
    if (c->tracking)
        *p++ = 't';
    if (c->track_broken)
        *p++ = 'R';
    if (c->track_bcast)
        *p++ = 'B';
    if (c->watch_broken)
        *p++ = 'd';
    *p = '\0';
}
