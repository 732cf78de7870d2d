/* The node's half from the start of the process to its end: made, begun when the data is loaded
 * and the life is proved, told that the process is to go, over. */
#include "kvnode/ha/ha_inside.h"

#include "common/base/mem.h"
#include "common/base/timeval.h"
#include "common/io/clock.h"
#include "common/io/log.h"
#include "kvnode/client/held.h"
#include "kvnode/disk/record.h"
#include "kvnode/ha/ha_repl.h"
#include "kvnode/server.h"

#include <stdatomic.h>
#include <unistd.h>

#define RECORD_AGAIN_MS 1000           /* a bound node whose record cannot be written asks its disk again so often */

void ha_init(struct server *srv)
{
    struct ha *h = mem_zalloc(sizeof *h);

    h->srv = srv;
    pthread_mutex_init(&h->lock, NULL);
    timer_init(&h->deadline, srv->loop, ha_on_deadline, srv);
    srv->ha = h;
    srv->ha_bound = record_facts(srv->record)->gid != 0 || srv->opt.ha_group != NULL;
    h->phase = srv->ha_bound ? MP_FENCED : MP_PLAIN;
    h->deadline_ms = NEVER_MS;
    ha_repl_init(srv);
    held_init(srv);
}

/* A life that could not be made durable answers nobody: the disk is asked again. */
static bool record_is_good(struct server *srv)
{
    struct ha *h = srv->ha;
    struct err e = {0};

    if (!record_trouble(srv->record) || !srv->ha_bound)
        return true;
    if (record_save(srv->record, record_facts(srv->record), &e) == 0) {
        log_notice("this node's record is written again: it takes part in its group");
        return true;
    }
    h->waits = true;
    timer_set(&h->deadline, RECORD_AGAIN_MS);
    return false;
}

int ha_start(struct server *srv, struct err *e)
{
    struct ha *h = srv->ha;
    struct member_facts f;
    int rc;

    if (srv->ha_bound && !h->waits)
        ha_repl_fence(srv);
    if (!record_is_good(srv))
        return 0;
    h->waits = false;
    rc = control_start(srv, &h->control, e);
    if (rc != 0)
        return rc;
    f = *record_facts(srv->record);
    f.waits_for_group = srv->opt.ha_group != NULL;
    member_init(&h->m, &f, record_random(), clock_mono_ms());
    ha_note_state(h);
    h->started = h->well = true;
    h->seen = h->m.phase;
    srv->ha_bound = h->m.phase != MP_PLAIN;
    atomic_store(&srv->turned_us, clock_mono_us());
    loop_hook_add(srv->loop, &h->turn, ha_on_turn, srv);
    if (srv->ha_bound)
        log_notice("this node %s: it starts fenced, until its sentinels open it or say whom it follows",
                   f.gid ? "belongs to a formed group" : "waits for a formed group (ha-group)");
    ha_log_moved(srv);
    return 0;
}

void ha_fini(struct server *srv)
{
    struct ha *h = srv->ha;

    if (!h)
        return;
    h->started = false;
    control_stop(h->control);
    loop_hook_remove(&h->turn);
    timer_clear(&h->deadline);
    held_fini(srv);
    ha_repl_fini(srv);
    for (size_t i = 0; i < h->later.n; i++)
        mem_free(h->later.at[i]);
    vec_fini(&h->later);
    vec_fini(&h->owed);
    for (size_t i = 0; i < h->links.n; i++)
        close(h->links.at[i].fd);
    vec_fini(&h->links);
    mem_free(h->dialed_as);
    pthread_mutex_destroy(&h->lock);
    mem_free(h);
    srv->ha = NULL;
}

/* A primary that was told to stop asks its group to take over. */
bool ha_leave(struct server *srv)
{
    struct ha *h = srv->ha;
    bool somebody = false;

    if (!h || !h->started || !ha_is_primary(srv) || h->m.rec.n_members < 2)
        return false;
    for (size_t i = 0; i < h->links.n; i++)
        somebody |= h->links.at[i].voter;
    if (!somebody)
        return false;
    ha_tell(srv, &(struct member_event){.kind = ME_LEAVE});
    return true;
}

void ha_stay(struct server *srv)
{
    if (srv->ha->started && srv->ha->m.leaving)
        ha_tell(srv, &(struct member_event){.kind = ME_LEAVE, .yes = true});
}

void ha_over(struct server *srv)
{
    struct ha *h = srv->ha;

    pthread_mutex_lock(&h->lock);
    h->over = true;
    if (h->started)
        ha_note_state(h);
    pthread_mutex_unlock(&h->lock);
}

int64_t ha_keepalive_s(const struct server *srv, int64_t configured_s)
{
    const struct ha *h = srv->ha;
    int64_t most_s;

    if (!h || !h->started || (h->seen != MP_OPEN && h->seen != MP_STOPPING))
        return configured_s;
    most_s = ms_max(h->m.rec.timing.down_after_ms / 2000, 1);      /* TCP_USER_TIMEOUT is twice that */
    return configured_s == 0 ? most_s : ms_min(configured_s, most_s);
}
