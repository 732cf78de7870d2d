/* The child writes and tells how far it is through a pipe; the parent only waits. Bytes go
 * to temp-<pid>.rdb and get their name when they are on disk. */
#include "kvnode/disk/snapshot.h"

#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/io/child.h"
#include "common/io/clock.h"
#include "common/io/file.h"
#include "common/io/log.h"
#include "kvnode/format/rdb_write.h"
#include "kvnode/ha/ha_repl.h"
#include "kvnode/repl/feed.h"
#include "kvnode/server.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define RETRY_MS 5000              /* after a failed background save */
#define SYNC_EVERY (4u << 20)      /* incremental fsync, so that the last one is short */
#define TELL_EVERY 4096            /* keys between two progress reports */

struct report {
    uint64_t keys;
    uint64_t cow_bytes;
};

struct snapshot {
    struct server *srv;
    struct child *child;
    bool killed;                   /* its result is not wanted */
    bool scheduled;
    int pipe_fd;
    struct fd_watch pipe;
    struct report last;
    uint64_t keys_total;
    char temp[PATH_MAX], path[PATH_MAX];    /* of the child, absolute: 'dir' and 'dbfilename' may change while it writes */
    int64_t fork_offset;
    uint64_t dirty_at_fork, dirty_base;
    int64_t fork_at_ms, last_try_at_ms;     /* boot clock */
    int64_t last_good_s, last_took_s;
    bool last_failed;
    uint64_t saves, forks;
    int64_t last_fork_us;
    uint64_t last_cow, loaded, loaded_expired;
    snapshot_done_fn *done;
    void *done_arg;
};

struct snapshot *snapshot_new(struct server *s)
{
    struct snapshot *sn = mem_zalloc(sizeof *sn);

    sn->srv = s;
    sn->pipe_fd = -1;
    sn->last_good_s = clock_wall_ms() / 1000;
    sn->last_took_s = -1;
    return sn;
}

/* --- writing a file --- */

struct file_sink {
    int fd;
    size_t unsynced;
    bool incremental;
};

static int put_in_file(void *arg, const void *p, size_t n, struct err *e)
{
    struct file_sink *f = arg;
    int rc = file_write_all(f->fd, p, n, e);

    f->unsynced += n;
    if (rc == 0 && f->incremental && f->unsynced >= SYNC_EVERY) {
        f->unsynced = 0;
        if (fdatasync(f->fd) != 0)
            rc = err_sys(e, "fdatasync");
    }
    return rc;
}

struct telling {
    int fd;                        /* -1: nobody listens */
    int64_t delay_us;
};

static void tell_progress(void *arg, uint64_t keys)
{
    struct telling *t = arg;

    if (t->delay_us > 0)
        usleep((useconds_t)t->delay_us);
    if (t->fd < 0 || (keys % TELL_EVERY != 0 && t->delay_us == 0))
        return;
    struct report r = {keys, 0};
    if (write(t->fd, &r, sizeof r) < 0)
        return;                    /* full, or the parent went away: it is only for showing */
}

static void fill_options(struct snapshot *sn, struct rdb_write_opts *o, struct telling *t, struct str *epochs)
{
    struct server *srv = sn->srv;
    const struct history *h = feed_history(srv->feed);

    memset(o, 0, sizeof *o);
    o->facts.made_at_s = clock_wall_ms() / 1000;
    o->facts.used_bytes = (int64_t)mem_used();
    if (feed_has_history(srv->feed)) {
        o->facts.has_history = true;
        memcpy(o->facts.repl_id, h->id, sizeof o->facts.repl_id);
        o->facts.repl_offset = h->offset;
        o->facts.stream_db = feed_stream_db(srv->feed);
        if (h->id2_until >= 0) {
            memcpy(o->facts.repl_id2, h->id2, sizeof o->facts.repl_id2);
            o->facts.repl_until = h->id2_until;
        }
    }
    ha_repl_save_aux(srv, epochs);
    o->epochs = epochs->len ? str_c(epochs) : NULL;
    o->compress = srv->opt.rdbcompression;
    o->checksum = srv->opt.rdbchecksum;
    o->progress = tell_progress;
    o->progress_arg = t;
}

/* temp -> written, synced, renamed. On failure the temporary file is gone again. */
static int write_file(struct snapshot *sn, const char *temp, const char *path, struct telling *t, struct err *e)
{
    struct file_sink f = {.incremental = sn->srv->opt.rdb_save_incremental_fsync};
    struct rdb_sink sink = {put_in_file, &f};
    struct rdb_write_opts o;
    struct str epochs = {0};

    f.fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (f.fd < 0)
        return err_sys(e, "create %s in %s", temp, sn->srv->opt.dir ? sn->srv->opt.dir : ".");
    fill_options(sn, &o, t, &epochs);
    int rc = rdb_write(sn->srv->ks, &o, &sink, e);
    str_fini(&epochs);
    if (rc == 0 && fsync(f.fd) != 0)
        rc = err_sys(e, "fsync %s", temp);
    if (close(f.fd) != 0 && rc == 0)
        rc = err_sys(e, "close %s", temp);
    if (rc == 0 && rename(temp, path) != 0)
        rc = err_sys(e, "rename %s to %s", temp, path);
    if (rc != 0) {
        unlink(temp);
        return rc;
    }
    return file_sync_dir(path, e);
}

static const char *path_of(const struct snapshot *sn)
{
    return sn->srv->opt.dbfilename ? sn->srv->opt.dbfilename : "dump.rdb";
}

static void saved(struct snapshot *sn, uint64_t dirty_then)
{
    sn->dirty_base = dirty_then;
    sn->last_good_s = clock_wall_ms() / 1000;
    sn->last_failed = false;
    sn->saves++;
}

int snapshot_save(struct snapshot *sn, struct err *e)
{
    struct telling t = {-1, sn->srv->opt.rdb_key_save_delay_us};
    char temp[64];

    if (sn->child)
        return err_set(e, ERR_BUSY, "Background save already in progress");
    snprintf(temp, sizeof temp, "temp-%d.rdb", (int)getpid());
    int rc = write_file(sn, temp, path_of(sn), &t, e);
    if (rc == 0) {
        saved(sn, sn->srv->ks->dirty);
        log_notice("DB saved on disk");
    }
    return rc;
}

/* --- in the background --- */

static uint64_t private_dirty_bytes(void)
{
    char line[256];
    unsigned long long kb = 0, total = 0;
    FILE *f = fopen("/proc/self/smaps_rollup", "re");

    if (f == NULL)
        return 0;
    while (fgets(line, sizeof line, f))
        if (sscanf(line, "Private_Dirty: %llu", &kb) == 1)
            total += kb * 1024;
    fclose(f);
    return total;
}

static int run_child(void *arg)
{
    struct snapshot *sn = arg;
    struct telling t = {child_pipe_fd(), sn->srv->opt.rdb_key_save_delay_us};
    struct err e = {0};
    char temp[64];

    log_set_role('C');
    if (t.fd >= 0)
        fcntl(t.fd, F_SETFL, O_NONBLOCK);
    snprintf(temp, sizeof temp, "temp-%d.rdb", (int)getpid());
    if (write_file(sn, temp, path_of(sn), &t, &e) != 0) {
        log_warning("Background saving error: %s", e.text);
        return 1;
    }
    struct report r = {sn->keys_total, private_dirty_bytes()};
    if (t.fd >= 0 && write(t.fd, &r, sizeof r) < 0)
        log_debug("the parent does not listen to progress");
    log_notice("DB saved on disk");
    return 0;
}

/* false: the other end is closed. */
static bool read_reports(struct snapshot *sn)
{
    struct report r[64];
    ssize_t n = 1;

    while (sn->pipe_fd >= 0 && (n = read(sn->pipe_fd, r, sizeof r)) > 0)
        if ((size_t)n >= sizeof r[0])
            sn->last = r[(size_t)n / sizeof r[0] - 1];
    return n != 0;
}

static void on_report(struct fd_watch *w, int events, void *arg)
{
    (void)events;
    if (!read_reports(arg))
        fd_watch_stop(w);
}

static void close_pipe(struct snapshot *sn)
{
    if (sn->pipe_fd < 0)
        return;
    fd_watch_stop(&sn->pipe);
    close(sn->pipe_fd);
    sn->pipe_fd = -1;
}

static void child_over(struct snapshot *sn, const struct child_end *end)
{
    struct err e = {0};

    read_reports(sn);
    close_pipe(sn);
    sn->child = NULL;
    sn->last_took_s = (server_now_ms(sn->srv) - sn->fork_at_ms) / 1000;
    sn->last_cow = sn->last.cow_bytes;
    if (end->exit_code == 0) {
        saved(sn, sn->dirty_at_fork);
        log_notice("Background saving terminated with success");
    } else {
        unlink(sn->temp);
        if (sn->killed) {
            err_set(&e, ERR_CLOSED, "background save was given up");
            log_notice("Background saving given up");
        } else if (end->exit_code < 0) {
            err_set(&e, ERR_SYS, "background save was ended by signal %d", end->signal);
            log_warning("Background saving terminated by signal %d", end->signal);
        } else {
            err_set(&e, ERR_SYS, "background save failed, the log says why");
            log_warning("Background saving error");
        }
        sn->last_failed = sn->last_failed || !sn->killed;
    }
    sn->killed = false;
    if (sn->done)
        sn->done(sn->done_arg, sn->path, e.code ? &e : NULL);
}

static void on_child_end(void *arg, const struct child_end *end) { child_over(arg, end); }

static int name_files(struct snapshot *sn, struct err *e)
{
    int rc = file_absolute(path_of(sn), sn->path, sizeof sn->path, e);

    return rc == 0 ? file_absolute("temp-2147483647.rdb", sn->temp, sizeof sn->temp, e) : rc;
}

int snapshot_start(struct snapshot *sn, struct err *e)
{
    if (sn->child)
        return err_set(e, ERR_BUSY, "Background save already in progress");
    if (sn->srv->loading.on && !sn->srv->loading.serve)
        return err_set(e, ERR_BUSY, "the dataset is being loaded");
    sn->last_try_at_ms = server_now_ms(sn->srv);
    sn->keys_total = keyspace_count(sn->srv->ks);
    memset(&sn->last, 0, sizeof sn->last);
    int64_t from_us = clock_mono_us();
    if (name_files(sn, e) != 0 ||
        child_fork(sn->srv->loop, run_child, sn, on_child_end, sn, &sn->pipe_fd, &sn->child, e) != 0) {
        sn->pipe_fd = -1;
        sn->last_failed = true;
        log_warning("Can't save in background: %s", e ? e->text : "fork failed");
        return ERR_SYS;
    }
    sn->last_fork_us = clock_mono_us() - from_us;
    sn->forks++;
    sn->scheduled = false;
    sn->killed = false;
    sn->fork_at_ms = server_now_ms(sn->srv);
    sn->fork_offset = feed_offset(sn->srv->feed);
    sn->dirty_at_fork = sn->srv->ks->dirty;
    snprintf(strrchr(sn->temp, '/') + 1, sizeof "temp-2147483647.rdb", "temp-%d.rdb", (int)child_pid(sn->child));
    if (sn->pipe_fd >= 0) {
        fcntl(sn->pipe_fd, F_SETFL, O_NONBLOCK);
        fd_watch_init(&sn->pipe, sn->srv->loop, on_report, sn);
        fd_watch_set(&sn->pipe, sn->pipe_fd, EV_READ);
    }
    log_notice("Background saving started by pid %d", (int)child_pid(sn->child));
    return 0;
}

void snapshot_schedule(struct snapshot *sn) { sn->scheduled = true; }
bool snapshot_running(const struct snapshot *sn) { return sn->child != NULL; }
int64_t snapshot_fork_offset(const struct snapshot *sn) { return sn->fork_offset; }

void snapshot_kill(struct snapshot *sn)
{
    if (sn->child == NULL)
        return;
    sn->killed = true;
    child_kill(sn->child, SIGKILL);
}

/* What is killed may still be inside of its last call; without its file that call can rename nothing. */
void snapshot_abandon(struct snapshot *sn)
{
    static const struct child_end killed = {.exit_code = -1, .signal = SIGKILL};

    while (sn->child) {                /* (replicas that waited for it to end may have begun another) */
        sn->killed = true;
        child_kill(sn->child, SIGKILL);
        child_forget(sn->child);
        child_over(sn, &killed);
    }
}

void snapshot_flushed(struct snapshot *sn)
{
    if (!feed_wants_file(sn->srv->feed))
        snapshot_kill(sn);
    if (server_has_save_points(sn->srv))
        snapshot_schedule(sn);
}

void snapshot_free(struct snapshot *sn)
{
    if (sn == NULL)
        return;
    if (sn->child) {
        child_kill(sn->child, SIGKILL);
        child_forget(sn->child);
        unlink(sn->temp);
    }
    close_pipe(sn);
    mem_free(sn);
}

static bool save_point_reached(const struct snapshot *sn, int64_t wall_s)
{
    uint64_t dirty = snapshot_dirty(sn);

    for (size_t i = 0; i < sn->srv->opt.save.n; i++) {
        const struct save_point *p = &sn->srv->opt.save.at[i];
        if (dirty >= (uint64_t)p->changes && wall_s - sn->last_good_s > p->seconds) {
            log_notice("%lld changes in %lld seconds. Saving...", (long long)p->changes, (long long)p->seconds);
            return true;
        }
    }
    return false;
}

void snapshot_tick(struct snapshot *sn, int64_t now_ms)
{
    bool wait = sn->last_failed && now_ms - sn->last_try_at_ms < RETRY_MS;

    if (sn->child || sn->srv->loading.on || wait)
        return;
    if (sn->scheduled || save_point_reached(sn, server_wall_ms(sn->srv) / 1000))
        snapshot_start(sn, NULL);
}

uint64_t snapshot_dirty(const struct snapshot *sn) { return sn->srv->ks->dirty - sn->dirty_base; }
int64_t snapshot_last_good_s(const struct snapshot *sn) { return sn->last_good_s; }
void snapshot_reset_dirty(struct snapshot *sn) { sn->dirty_base = sn->srv->ks->dirty; }
uint64_t snapshot_forks(const struct snapshot *sn) { return sn->forks; }
int64_t snapshot_last_fork_us(const struct snapshot *sn) { return sn->last_fork_us; }

void snapshot_loaded(struct snapshot *sn, uint64_t keys, uint64_t expired)
{
    sn->loaded = keys;
    sn->loaded_expired = expired;
}

bool snapshot_refuses_writes(const struct snapshot *sn)
{
    return sn->last_failed && sn->srv->opt.stop_writes_on_bgsave_error && sn->srv->opt.save.n > 0;
}

void snapshot_on_done(struct snapshot *sn, snapshot_done_fn *fn, void *arg)
{
    sn->done = fn;
    sn->done_arg = arg;
}

/* --- INFO --- */

static void info_loading(const struct loading *l, int64_t wall_ms, struct str *out)
{
    int64_t took_s = (wall_ms - l->started_at_ms) / 1000;
    double part = l->total_bytes ? (double)l->done_bytes / (double)l->total_bytes : 0;
    int64_t eta = l->done_bytes && l->total_bytes > l->done_bytes
                      ? (int64_t)((double)took_s * (double)(l->total_bytes - l->done_bytes) / (double)l->done_bytes)
                      : 1;

    str_printf(out, "loading_start_time:%lld\r\n", (long long)(l->started_at_ms / 1000));
    str_printf(out, "loading_total_bytes:%llu\r\n", (unsigned long long)l->total_bytes);
    str_printf(out, "loading_rdb_used_mem:0\r\n");
    str_printf(out, "loading_loaded_bytes:%llu\r\n", (unsigned long long)l->done_bytes);
    str_printf(out, "loading_loaded_perc:%.2f\r\n", part * 100);
    str_printf(out, "loading_eta_seconds:%lld\r\n", (long long)eta);
}

void snapshot_info(const struct snapshot *sn, struct str *out)
{
    const struct loading *l = &sn->srv->loading;
    bool busy = sn->child != NULL;
    uint64_t cow = busy ? sn->last.cow_bytes : 0;
    const struct { const char *name; long long v; } fields[] = {
        {"loading", l->on && !l->serve},
        {"async_loading", l->on && l->serve},
        {"current_cow_peak", (long long)cow},
        {"current_cow_size", (long long)cow},
        {"current_cow_size_age", 0},
    };
    const struct { const char *name; long long v; } more[] = {
        {"current_save_keys_processed", busy ? (long long)sn->last.keys : 0},
        {"current_save_keys_total", busy ? (long long)sn->keys_total : 0},
        {"rdb_changes_since_last_save", (long long)snapshot_dirty(sn)},
        {"rdb_bgsave_in_progress", busy},
        {"rdb_last_save_time", sn->last_good_s},
    };
    double perc = busy && sn->keys_total ? 100.0 * (double)sn->last.keys / (double)sn->keys_total : 0;

    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        str_printf(out, "%s:%lld\r\n", fields[i].name, fields[i].v);
    str_printf(out, "current_fork_perc:%.2f\r\n", perc);
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++)
        str_printf(out, "%s:%lld\r\n", more[i].name, more[i].v);
    str_printf(out, "rdb_last_bgsave_status:%s\r\n", sn->last_failed ? "err" : "ok");
    str_printf(out, "rdb_last_bgsave_time_sec:%lld\r\n", (long long)sn->last_took_s);
    str_printf(out, "rdb_current_bgsave_time_sec:%lld\r\n",
               busy ? (long long)((server_now_ms(sn->srv) - sn->fork_at_ms) / 1000) : -1LL);
    str_printf(out, "rdb_saves:%llu\r\n", (unsigned long long)sn->saves);
    str_printf(out, "rdb_last_cow_size:%llu\r\n", (unsigned long long)sn->last_cow);
    str_printf(out, "rdb_last_load_keys_expired:%llu\r\n", (unsigned long long)sn->loaded_expired);
    str_printf(out, "rdb_last_load_keys_loaded:%llu\r\n", (unsigned long long)sn->loaded);
    str_append_z(out, "aof_enabled:0\r\naof_rewrite_in_progress:0\r\naof_rewrite_scheduled:0\r\n"
                      "aof_last_rewrite_time_sec:-1\r\naof_current_rewrite_time_sec:-1\r\n"
                      "aof_last_bgrewrite_status:ok\r\naof_rewrites:0\r\naof_rewrites_consecutive_failures:0\r\n"
                      "aof_last_write_status:ok\r\naof_last_cow_size:0\r\nmodule_fork_in_progress:0\r\n"
                      "module_fork_last_cow_size:0\r\n");
    if (l->on)
        info_loading(l, server_wall_ms(sn->srv), out);
}
