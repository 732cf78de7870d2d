/* The log of a member: its table of epochs, the markers that begin them, and the orders that
 * change who writes to it. The table stands beside the data: what a file or a copy brings
 * replaces it, a marker in the stream adds a row. */
#include "kvnode/ha/ha_repl_inside.h"

#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/base/num.h"
#include "common/io/log.h"
#include "kvnode/call.h"
#include "kvnode/disk/record.h"
#include "kvnode/repl/feed.h"
#include "kvnode/repl/follow.h"
#include "kvnode/repl/roles.h"
#include "kvnode/repl/tail.h"
#include "kvnode/server.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void ha_repl_init(struct server *srv)
{
    srv->ha_repl = mem_zalloc(sizeof *srv->ha_repl);
    ha_repl_links_init(srv);
}

void ha_repl_fini(struct server *srv)
{
    ha_repl_links_fini(srv);
    mem_free(srv->ha_repl);
    srv->ha_repl = NULL;
}

/* --- the log ----------------------------------------------------------------------------------- */

struct ha_position ha_repl_end(const struct server *srv)
{
    uint64_t gid = record_facts(srv->record)->gid;

    return (struct ha_position){gid && srv->ha_repl ? epochs_last(&srv->ha_repl->table, gid) : 0, srv->history->offset};
}

/* The table stands beside the data: a process that comes back takes it out of the file that it loads, whatever else it
 * knew. The record's copy is for whoever looks at a node that stands still, so neither a marker nor its acknowledgement
 * waits for it. */
void ha_repl_tick(struct server *srv)
{
    struct ha_repl *r = srv->ha_repl;
    const struct record_epoch *kept;
    size_t n;

    if (!r->keep_due)
        return;
    r->keep_due = false;
    kept = record_epochs(srv->record, &n);
    if (n == r->table.n && memcmp(kept, r->table.at, n * sizeof *kept) == 0)
        return;
    record_set_epochs(srv->record, r->table.at, r->table.n, srv->loop);
}

static void begin_epoch(struct server *srv, uint64_t gid, uint64_t epoch)
{
    epochs_begin(&srv->ha_repl->table, gid, epoch, srv->history->offset + 1);
    srv->ha_repl->keep_due = true;
}

/* What was written while nobody counted has no offset. A log that has data must not look like an empty one. */
static void count_from_here(struct server *srv)
{
    if (!feed_has_history(srv->feed))
        feed_begin_history(srv->feed, keyspace_count(srv->ks) > 0 ? 1 : 0);
    feed_keep_backlog(srv->feed);
}

/* --- orders ------------------------------------------------------------------------------------- */

static void append_marker(struct server *srv, uint64_t epoch)
{
    const struct member *m = ha_member_of(srv);
    char gid[24], number[24], incarnation[24];
    struct slice words[5] = {{"HA", 2}, {"MARKER", 6}};

    words[2] = (struct slice){gid, (size_t)snprintf(gid, sizeof gid, "%" PRIu64, m->f.gid)};
    words[3] = (struct slice){number, (size_t)snprintf(number, sizeof number, "%" PRIu64, epoch)};
    words[4] = (struct slice){incarnation, (size_t)snprintf(incarnation, sizeof incarnation, "%" PRIu64, m->incarnation)};
    begin_epoch(srv, m->f.gid, epoch);
    feed_command(srv->feed, -1, 5, words);
}

void ha_repl_lead(struct server *srv, uint64_t epoch)
{
    count_from_here(srv);
    roles_settings(srv);               /* a longer backlog */
    memset(&srv->opt.replicaof, 0, sizeof srv->opt.replicaof);
    if (srv->role->state == ROLE_PRIMARY) {    /* its group is being formed: it goes on without a gap */
        feed_shift_id(srv->feed);
        feed_drop_replicas(srv->feed, "An epoch begins, sending away to greet again:");
    } else {
        roles_tell(srv, &(struct role_event){.kind = ROLE_EV_LEAD});
    }
    CHECK(srv->role->state == ROLE_PRIMARY);
    ha_primary_gone(srv);
    append_marker(srv, epoch);
    ha_repl_answer_held(srv);
    log_notice("Epoch %" PRIu64 " begins here at offset %lld", epoch, (long long)srv->history->offset);
}

/* The member has judged the epoch; the role, which outlives groups, is told of none. */
void ha_repl_follow(struct server *srv, const struct addr *to, uint64_t epoch)
{
    char text[ADDR_TEXT_MAX];

    log_notice("Following %s, the primary of epoch %" PRIu64, addr_text(to, text), epoch);
    srv->opt.replicaof = *to;
    srv->ha_repl->fetching = false;
    roles_settings(srv);               /* how soon it tries again */
    roles_tell(srv, &(struct role_event){.kind = ROLE_EV_FOLLOW, .to = *to});
}

void ha_repl_fence(struct server *srv)
{
    srv->ha_repl->fetching = false;
    roles_tell(srv, &(struct role_event){.kind = ROLE_EV_SEAL});
    ha_primary_gone(srv);
    count_from_here(srv);              /* where it stands still has a number */
    roles_settings(srv);
}

void ha_repl_fetch(struct server *srv, const struct addr *from, struct ha_position upto)
{
    struct ha_repl *r = srv->ha_repl;
    char text[ADDR_TEXT_MAX];

    log_notice("Fetching the tail of the log from %s, up to epoch %" PRIu64 " offset %lld", addr_text(from, text),
               upto.epoch, (long long)upto.offset);
    r->fetching = true;
    r->fetch_upto = upto;
    count_from_here(srv);
    follow_fetch(srv->follow, from, upto.offset);
}

void ha_repl_fetched(struct server *srv, bool yes, const char *why)
{
    struct ha_repl *r = srv->ha_repl;

    if (!r->fetching)
        return;
    r->fetching = false;
    yes = yes && ha_position_cmp(ha_repl_end(srv), r->fetch_upto) >= 0;
    if (yes)
        log_notice("The tail is here: the log ends at offset %lld", (long long)srv->history->offset);
    else
        log_warning("The tail could not be fetched: %s", why);
    ha_log_moved(srv);
    ha_tell(srv, &(struct member_event){.kind = ME_FETCHED, .yes = yes});
}

void ha_repl_save_tail(struct server *srv) { srv->ha_repl->tail_due = true; }

void ha_repl_released(struct server *srv)
{
    struct ha_repl *r = srv->ha_repl;
    char text[ADDR_TEXT_MAX];

    r->table.n = 0;
    r->tail_due = r->fetching = false;
    r->keep_due = true;
    roles_settings(srv);
    if (srv->role->state == ROLE_SEALED)
        log_warning("This node belongs to no formed group any more and follows nobody: it waits for REPLICAOF");
    else if (role_is_replica(srv->role))
        log_notice("This node belongs to no formed group any more, and goes on following %s",
                   addr_text(&srv->role->primary, text));
}

/* --- markers ------------------------------------------------------------------------------------- */

void ha_repl_marker(struct call *c)
{
    struct server *srv = call_server(c);
    uint64_t gid, epoch, incarnation;

    if (!call_client(c)->is_primary) {
        reply_error(c->reply, "ERR HA MARKER is a word of the replication stream: it begins an epoch");
        return;
    }
    if (!num_u64(c->argv[2].p, c->argv[2].len, &gid) || gid == 0 || !num_u64(c->argv[3].p, c->argv[3].len, &epoch) || epoch == 0 ||
        !num_u64(c->argv[4].p, c->argv[4].len, &incarnation)) {
        reply_error(c->reply, "ERR HA MARKER <group> <epoch> <incarnation>: three numbers");
        return;
    }
    begin_epoch(srv, gid, epoch);      /* its bytes count when it is through */
    log_notice("Epoch %" PRIu64 " begins in the stream at offset %lld", epoch, (long long)srv->history->offset + 1);
    reply_ok(c->reply);
}

/* --- copies ---------------------------------------------------------------------------------------- */

void ha_repl_save_aux(const struct server *srv, struct str *out)
{
    if (srv->ha_repl)
        epochs_put(&srv->ha_repl->table, out);
}

void ha_repl_own_history(struct server *srv)
{
    struct ha_repl *r = srv->ha_repl;

    if (!r || srv->ha_bound || r->table.n == 0)
        return;
    r->table.n = 0;
    r->keep_due = true;
}

void ha_repl_load_aux(struct server *srv, struct slice text, int64_t end)
{
    struct ha_repl *r = srv->ha_repl;

    if (!epochs_get(&r->table, text))
        log_warning("The data's table of epochs is damaged: its history is that of no epoch");
    epochs_cut(&r->table, end);
    r->keep_due = true;
}

/* The last offset that is in both histories; -1: nothing tells. */
static int64_t fork_of(struct server *srv, const struct ha_repl_copy *c)
{
    struct ha_repl *r = srv->ha_repl;
    int64_t end = srv->history->offset, fork = -1;
    struct ha_position p;

    if (epochs_get(&r->theirs, c->epochs) && epochs_common(&r->table, end, &r->theirs, c->end, &p))
        return p.offset;
    if (!feed_has_history(srv->feed))
        return -1;
    if (strcmp(srv->history->id, c->id) == 0)
        fork = c->end;
    else if (strcmp(srv->history->id, c->id2) == 0)
        fork = c->until - 1;
    return fork < end ? fork : end;
}

/* What of ours is not in theirs, into a file. A member was told when to expect it; whoever is plain lost something only
 * if the histories were one. */
static void save_tail(struct server *srv, const struct ha_repl_copy *c)
{
    struct ha_repl *r = srv->ha_repl;
    const struct tail_lost *l = &r->last_tail;
    int64_t end = srv->history->offset, fork = fork_of(srv, c);
    struct err e = {0};
    int rc;

    if (end == 0 || fork >= end || (fork < 0 && !r->tail_due))
        return;
    r->tail_due = false;
    rc = tail_save(".", srv->backlog, record_facts(srv->record)->gid, ha_repl_end(srv).epoch, fork, end, &r->last_tail, &e);
    log_warning("The copy of the primary drops a tail of this node's log: %s%" PRIu64 " commands, %" PRIu64
                " bytes between offsets %lld and %lld", l->less ? "at least " : l->fork_known ? "" : "at most ", l->commands,
                l->bytes, (long long)l->from, (long long)l->to);
    if (rc == 0)
        log_warning("That tail is saved in %s; kvorumctl tail prints it", l->path);
    else
        log_warning("That tail could not be saved: %s", e.text);
}

const struct tail_lost *ha_repl_last_tail(const struct server *srv)
{
    const struct ha_repl *r = srv->ha_repl;

    return r && r->last_tail.at_ms != 0 ? &r->last_tail : NULL;
}

bool ha_repl_may_full_copy(struct server *srv, const struct ha_repl_copy *c, struct err *e)
{
    if (srv->ha_bound && ha_tell(srv, &(struct member_event){.kind = ME_FULL_COPY, .fresh_life = record_random()})) {
        err_set(e, ERR_REFUSED, "the member refuses a full copy now: its seal, its group, or its disk");
        return false;
    }
    save_tail(srv, c);
    return true;
}
