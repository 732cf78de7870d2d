/* Control links: a client's connection becomes one, who holds which, where a message goes and
 * what one that came is told as. The member knows links of voters by their own number and
 * links of replicas by that of the replication link; a replica's control link is found by id. */
#include "kvnode/ha/ha_inside.h"

#include "common/base/mem.h"
#include "common/io/log.h"
#include "common/io/session.h"
#include "kvnode/role/role.h"
#include "kvnode/server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* --- a client becomes a link ------------------------------------------------------------------------ */

struct leaving {
    struct server *srv;
    uint64_t session;
    bool voter;
    char id[ID_MAX];
    uint64_t life;
};

static void send_status(struct server *srv, uint64_t link)
{
    struct ha_msg m;

    ha_status(srv, &m);
    control_send(srv->ha->control, link, &m);
}

static void known(struct server *srv, const struct leaving *w, uint64_t link, int fd)
{
    struct ha *h = srv->ha;
    struct ha_link *l;

    pthread_mutex_lock(&h->lock);
    l = vec_add(&h->links);
    l->link = link;
    l->voter = w->voter;
    l->fd = fd;
    memcpy(l->id, w->id, ID_MAX);
    pthread_mutex_unlock(&h->lock);
    if (!w->voter)
        return;
    ha_log_moved(srv);
    send_status(srv, link);
    ha_tell(srv, &(struct member_event){.kind = ME_VOTER_UP, .link = link, .id = w->id, .life = w->life});
}

/* The end of the turn in which HA ATTACH was answered: +OK has left. The control thread gets a duplicate of the descriptor:
 * each thread closes its own, and none closes what the other's epoll set may still hold (libev takes a descriptor out only
 * when it fires again). */
static void take_over(void *arg)
{
    struct leaving *w = arg;
    struct server *srv = w->srv;
    struct session *s = srv->ha && srv->ha->started ? session_by_id(&srv->resp, w->session) : NULL;
    struct buf *in = s ? stream_in(s->stream) : NULL;
    uint64_t link;
    int fd, theirs;

    if (s && !s->gone && stream_is_up(s->stream) && buf_len(stream_out(s->stream)) == 0) {
        struct str rest = {0};

        link = ha_new_link(srv);

        str_append(&rest, buf_data(in), buf_len(in));
        fd = stream_detach_fd(s->stream);
        session_close(s);
        theirs = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        if (theirs >= 0) {
            control_adopt(srv->ha->control, theirs, link, w->voter, w->id, str_c(&rest), rest.len);
            known(srv, w, link, fd);
        } else {
            log_warning("no descriptor is left for a control link: %s", strerror(errno));
            close(fd);
        }
        str_fini(&rest);
    } else if (s) {
        session_close(s);
    }
    mem_free(w);
}

static bool is_our_group(const struct ha *h, struct slice group)
{
    char gid[24];

    snprintf(gid, sizeof gid, "%llu", (unsigned long long)h->m.f.gid);
    return h->m.f.gid != 0 && slice_is(group, gid);
}

static bool in_record(const struct ha *h, const char *id, bool voter)
{
    return voter ? ha_voter(&h->m.rec, id) != NULL : ha_member(&h->m.rec, id) != NULL;
}

/* Whoever stands in the record finds a place: the oldest link of somebody who does not goes. */
static bool has_room(struct ha *h, const char *id, bool voter)
{
    if (h->links.n < CONTROL_LINKS_MAX)
        return true;
    if (h->m.rec.gid == 0 || !in_record(h, id, voter))
        return false;
    for (size_t i = 0; i < h->links.n; i++)
        if (!in_record(h, h->links.at[i].id, h->links.at[i].voter)) {
            control_close(h->control, h->links.at[i].link);
            return true;
        }
    return false;
}

const char *ha_attach(struct server *srv, struct session *s, struct slice group, bool voter, const char *id, uint64_t life)
{
    struct ha *h = srv->ha;
    const char *wanted = srv->opt.ha_group;
    struct leaving *w;

    if (!h->started)
        return h->waits ? "ERR this node's record cannot be written: it takes no part in its group until its disk takes it"
                        : "LOADING Redis is loading the dataset in memory";
    if (voter && wanted && strcasecmp(wanted, "yes") != 0 && !slice_is(group, wanted))
        return "ERR this node waits for another group: see its option ha-group";
    if (!voter && !is_our_group(h, group))
        return "ERR this node is not of that group";
    if (!has_room(h, id, voter))
        return "ERR this node holds as many control links as it can";
    w = mem_zalloc(sizeof *w);
    w->srv = srv;
    w->session = s->id;
    w->voter = voter;
    w->life = life;
    snprintf(w->id, sizeof w->id, "%s", id);
    session_hold(s);
    loop_park(srv->loop, w, take_over);
    return NULL;
}

/* --- where to, and from whom ------------------------------------------------------------------------------ */

static const struct ha_link *link_of(const struct ha *h, uint64_t link)
{
    for (size_t i = 0; i < h->links.n; i++)
        if (h->links.at[i].link == link)
            return &h->links.at[i];
    return NULL;
}

bool ha_is_voter_link(const struct ha *h, uint64_t link)
{
    const struct ha_link *l = link_of(h, link);

    return l && l->voter;
}

/* The newest control link of this node: an older one may be half dead. */
static uint64_t node_link(const struct ha *h, const char *id)
{
    for (size_t i = h->links.n; i-- > 0;)
        if (!h->links.at[i].voter && strcmp(h->links.at[i].id, id) == 0)
            return h->links.at[i].link;
    return 0;
}

/* HA_STREAM is said by the greeting of replication, HA_ACK by its acknowledgements. */
uint64_t ha_way(const struct ha *h, const struct member_order *o)
{
    if (o->link == h->dialed || link_of(h, o->link))
        return o->link;
    if (o->msg.kind == HA_STREAM || o->msg.kind == HA_ACK)
        return 0;
    for (int i = 0; i < h->m.n_links; i++)
        if (h->m.link[i].link == o->link && !h->m.link[i].voter)
            return node_link(h, h->m.link[i].id);
    return 0;
}

/* A voter's message is told with its link; a replica's with that of its replication; our primary's with the one we hold. */
static uint64_t told_as(const struct ha *h, uint64_t link)
{
    const struct ha_link *l = link_of(h, link);

    if (link == h->dialed || (l && l->voter))
        return link;
    for (int i = 0; l && i < h->m.n_links; i++)
        if (!h->m.link[i].voter && strcmp(h->m.link[i].id, l->id) == 0)
            return h->m.link[i].link;
    return 0;
}

uint64_t ha_told_as(struct server *srv, uint64_t link)
{
    struct ha *h = srv->ha;
    uint64_t as;

    pthread_mutex_lock(&h->lock);
    as = told_as(h, link);
    pthread_mutex_unlock(&h->lock);
    return as;
}

void ha_heard(struct server *srv, uint64_t link, const struct ha_msg *m)
{
    uint64_t as = ha_told_as(srv, link);

    if (as != 0)
        ha_tell(srv, &(struct member_event){.kind = ME_MSG, .link = as, .id = m->from, .life = m->life, .msg = m});
}

void ha_heard_gone(struct server *srv, uint64_t link)
{
    struct ha *h = srv->ha;
    bool voter = ha_is_voter_link(h, link);

    pthread_mutex_lock(&h->lock);
    for (size_t i = 0; i < h->links.n; i++)
        if (h->links.at[i].link == link) {
            close(h->links.at[i].fd);
            vec_remove(&h->links, i);
            break;
        }
    pthread_mutex_unlock(&h->lock);
    if (voter)
        ha_tell(srv, &(struct member_event){.kind = ME_LINK_GONE, .link = link});
}

/* --- to our primary --------------------------------------------------------------------------------------------- */

void ha_primary_is(struct server *srv, const char *id, uint16_t port)
{
    struct ha *h = srv->ha;

    if (!h->started)
        return;
    h->greeted_by = h->primary_at = srv->role->primary;
    snprintf(h->greeted_id, sizeof h->greeted_id, "%s", id);
    if (port != 0)
        h->primary_at.port = port;
    h->stirred = true;
    if (h->m.phase != MP_PLAIN && h->m.phase != MP_BOUND)
        return;
    h->told_role = true;
    h->follows = srv->role->primary;
    ha_tell(srv, &(struct member_event){.kind = ME_ROLE, .id = id, .addr = srv->role->primary});
}

void ha_primary_gone(struct server *srv)
{
    memset(&srv->ha->primary_at, 0, sizeof srv->ha->primary_at);
    srv->ha->stirred = true;
}

static char *said_as(const struct server *srv)
{
    struct str s = {0};

    str_printf(&s, "%s %s", srv->opt.masteruser ? srv->opt.masteruser : "", srv->opt.masterauth ? srv->opt.masterauth : "");
    return str_take(&s);
}

void ha_redial(struct server *srv)
{
    struct ha *h = srv->ha;
    struct addr to = {0};
    bool wanted = h->m.f.gid != 0 && (h->m.phase == MP_FOLLOWER || h->m.phase == MP_BOUND) && role_is_replica(srv->role);
    uint64_t link = 0;
    char *as;

    if (wanted)
        to = h->primary_at;
    if (!addr_is_set(&to) && !addr_is_set(&h->dialed_to))
        return;
    as = said_as(srv);
    if (addr_equal(&to, &h->dialed_to) && h->dialed_life == h->m.f.life && strcmp(as, h->dialed_as ? h->dialed_as : "") == 0) {
        mem_free(as);
        return;
    }
    mem_free(h->dialed_as);
    h->dialed_as = as;
    if (addr_is_set(&to))
        link = ha_new_link(srv);
    pthread_mutex_lock(&h->lock);
    h->dialed = link;
    pthread_mutex_unlock(&h->lock);
    h->dialed_to = to;
    h->dialed_life = h->m.f.life;
    control_dial(h->control, link, &to, h->m.f.gid, h->m.f.id, h->m.f.life);
}

/* --- what sentinels should know ----------------------------------------------------------------------------------- */

void ha_status(struct server *srv, struct ha_msg *out)
{
    struct ha *h = srv->ha;

    pthread_mutex_lock(&h->lock);
    member_status(&h->m, loop_now_ms(srv->loop), out);
    pthread_mutex_unlock(&h->lock);
}

/* Positions move all the time: they come when asked for, and with renewals. */
void ha_push_status(struct server *srv)
{
    struct ha *h = srv->ha;
    struct ha_msg now, known_of;

    if (h->links.n == 0)
        return;
    ha_status(srv, &now);
    known_of = now;
    memset(&known_of.pos, 0, sizeof known_of.pos);
    known_of.acked = 0;
    if (memcmp(&known_of, &h->said, sizeof known_of) == 0)
        return;
    h->said = known_of;
    for (size_t i = 0; i < h->links.n; i++)
        if (h->links.at[i].voter)
            control_send(h->control, h->links.at[i].link, &now);
}
