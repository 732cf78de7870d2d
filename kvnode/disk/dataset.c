/* The file at start: read beside the loop, swapped in, and with it the place in the
 * replication stream that it belongs to. */
#include "kvnode/disk/dataset.h"

#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/io/log.h"
#include "kvnode/disk/load.h"
#include "kvnode/disk/record.h"
#include "kvnode/disk/snapshot.h"
#include "kvnode/ha/ha_repl.h"
#include "kvnode/repl/feed.h"
#include "kvnode/repl/follow.h"
#include "kvnode/server.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static const char *path_of(const struct server *srv) { return srv->opt.dbfilename ? srv->opt.dbfilename : "dump.rdb"; }

static struct load_opts options(const struct server *srv)
{
    return (struct load_opts){.verify = srv->opt.rdbchecksum,
                              .drop_expired_ms = srv->ha_bound || server_is_replica(srv) ? 0 : clock_wall_ms(),
                              .bulk_max = srv->opt.proto_max_bulk_len,
                              .databases = srv->ks->ndbs,
                              .limits = srv->ks->limits,
                              .key_delay_us = (int)srv->opt.key_load_delay_us};
}

/* A replica's log, and that of a member that is not opened yet, is another's: nothing is added to it here. */
static bool log_stands(const struct server *srv) { return server_is_replica(srv) || srv->ha_bound; }

/* What is being read, for the while that it takes. */
struct reading {
    struct server *srv;
    struct load *load;
    struct timer progress;
};

static void on_progress(struct timer *t, void *arg)
{
    struct reading *r = arg;

    r->srv->loading.done_bytes = load_bytes_done(r->load);
    r->srv->loading.keys = load_keys_done(r->load);
    timer_set(t, 100);
}

static void put_in_place(struct server *srv, struct keyspace *ks, const struct rdb_read_result *r)
{
    keyspace_swap(srv->ks, ks);
    load_discard(ks);
    snapshot_loaded(srv->snapshot, r->keys_loaded, r->keys_expired);
    snapshot_reset_dirty(srv->snapshot);
}

/* A primary says DEL for what it left out: replicas that continue still have it. */
static void feed_expired(struct server *srv, const struct load *ld)
{
    size_t at = 0;
    int db;
    struct slice words[2] = {{"DEL", 3}};

    while (load_next_expired(ld, &at, &db, &words[1]))
        feed_command(srv->feed, db, 2, words);
}

/* Before anybody is answered: is this still the memory that it was? */
static void prove_life(struct server *srv, bool has, const char *id, int64_t offset)
{
    struct err e = {0};

    if (!record_prove(srv->record, has, id, offset, &e) && e.code != 0)
        log_warning("this node's record cannot be written: %s. It may serve as a plain node, and takes no part in a formed group", e.text);
}

static void on_loaded(void *arg, struct keyspace *ks, const struct rdb_read_result *r, const struct err *e)
{
    struct reading *rd = arg;
    struct server *srv = rd->srv;

    timer_clear(&rd->progress);
    const struct load *ld = rd->load;
    mem_free(rd);
    if (ks == NULL) {
        log_error("Fatal error loading the DB: %s/%s: %s. The file is left as it is; move it away to start empty, or "
                  "restore a good one.", srv->opt.dir ? srv->opt.dir : ".", path_of(srv), e->text);
        loop_stop(srv->loop, 1);
        return;
    }
    put_in_place(srv, ks, r);
    ha_repl_load_aux(srv, r->facts.has_history ? load_epochs(ld) : (struct slice){"", 0}, r->facts.repl_offset);
    if (r->facts.has_history) {
        feed_restore_history(srv->feed, r->facts.repl_id, r->facts.repl_offset, log_stands(srv));
        if (log_stands(srv))
            feed_set_stream_db(srv->feed, r->facts.stream_db);
        else
            feed_expired(srv, ld);
    }
    log_notice("DB loaded from disk: %.3f seconds, %llu keys, %llu expired ones left out",
               (double)(clock_wall_ms() - srv->loading.started_at_ms) / 1000, (unsigned long long)r->keys_loaded,
               (unsigned long long)r->keys_expired);
    srv->loading.on = false;
    prove_life(srv, r->facts.has_history, r->facts.repl_id, r->facts.repl_offset);
    server_ready(srv);
    follow_resume(srv->follow);
}

/* temp-<pid>.rdb of a process that was killed while it saved. */
static void remove_leftovers(void)
{
    DIR *d = opendir(".");
    struct dirent *x;
    int pid, used;

    while (d && (x = readdir(d)) != NULL) {
        used = 0;
        if (sscanf(x->d_name, "temp-%9d.rdb%n", &pid, &used) != 1 || used == 0 || x->d_name[used] != '\0' || pid <= 0)
            continue;
        if (kill(pid, 0) < 0 && errno == ESRCH && unlink(x->d_name) == 0)
            log_notice("Removed %s, which a save left behind when it was killed", x->d_name);
    }
    if (d)
        closedir(d);
}

void dataset_load_at_start(struct server *srv)
{
    struct load_opts o = options(srv);
    struct reading *rd = mem_zalloc(sizeof *rd);
    struct err e = {0};

    rd->srv = srv;
    remove_leftovers();
    if (load_file(srv->loop, path_of(srv), &o, on_loaded, rd, &rd->load, &e) != 0) {
        mem_free(rd);
        if (e.code == ERR_SYS && e.sys_errno == ENOENT) {
            ha_repl_load_aux(srv, (struct slice){"", 0}, 0);
            prove_life(srv, false, "", 0);
            server_ready(srv);
            follow_resume(srv->follow);
            return;
        }
        log_error("Fatal error loading the DB: %s", e.text);
        loop_stop(srv->loop, 1);
        return;
    }
    srv->loading = (struct loading){.on = true, .started_at_ms = clock_wall_ms(),
                                    .total_bytes = load_bytes_total(rd->load)};
    timer_init(&rd->progress, srv->loop, on_progress, rd);
    timer_set(&rd->progress, 100);
}

int dataset_reload(struct server *srv, bool save, struct err *e)
{
    struct load_opts o = options(srv);
    struct rdb_read_result r;
    struct keyspace *ks = NULL;
    int rc;

    if (!save && srv->ha_bound)
        return err_set(e, ERR_REFUSED, "a member of a formed group does not go back to an older file: it acknowledged what it has");
    rc = save ? snapshot_save(srv->snapshot, e) : 0;

    o.drop_expired_ms = 0;             /* replicas are attached: expiry as always says DEL */
    if (rc == 0)
        rc = load_file_now(path_of(srv), &o, &ks, &r, e);
    if (rc == 0)
        put_in_place(srv, ks, &r);
    return rc;
}
