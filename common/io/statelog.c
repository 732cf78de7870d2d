/* The folder as a whole: opening and reading it, appending, committing. New generations
 * are made in statelog_snapshot.c, the thread is in statelog_later.c. */
#include "common/io/statelog_inside.h"

#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/io/born.h"
#include "common/io/clock.h"
#include "common/io/fault.h"
#include "common/io/file.h"
#include "common/io/log.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define LOG_SMALL (64u << 10)

void statelog_path(const struct statelog *l, const char *name, char out[PATH_MAX])
{
    snprintf(out, PATH_MAX, "%s/%s", l->dir, name);
}

void statelog_log_path(const struct statelog *l, uint64_t generation, char out[PATH_MAX])
{
    char name[32];

    snprintf(name, sizeof name, "log.%llu", (unsigned long long)generation);
    statelog_path(l, name, out);
}

int statelog_break(struct statelog *l, int rc, struct err *e)
{
    mem_free(l->trouble);
    l->trouble = mem_strdup(e->text);
    l->trouble_code = rc;
    str_clear(&l->pending);
    l->next_seq = l->durable_seq;
    return rc;
}

/* ---- reading --------------------------------------------------------------------------- */

static int hand_back(void *arg, uint64_t seq, uint8_t type, struct slice bytes, struct err *e)
{
    struct statelog *l = arg;

    (void)seq;
    return l->spec.record ? l->spec.record(l->spec.arg, type, bytes, e) : 0;
}

static int header_of(struct statelog *l, struct slice file, enum log_kind kind, struct log_header *h, struct err *e)
{
    int rc = log_header_get(file, h, e);

    if (rc == 0 && h->kind != kind)
        rc = err_set(e, ERR_FORMAT, "it is a file of the other kind");
    if (rc == 0 && strcmp(h->owner, l->spec.owner) != 0)
        rc = err_set(e, ERR_REFUSED, "it is the state of a %s, not of a %s", h->owner, l->spec.owner);
    return rc;
}

/* Records of a snapshot are numbered so that the log's go on behind them. */
static int read_snapshot(struct statelog *l, struct slice file, struct err *e)
{
    struct log_walk w = {.record = hand_back, .arg = l};
    struct log_header h;
    int rc = header_of(l, file, LOG_KIND_SNAPSHOT, &h, e);

    if (rc == 0 && h.bytes != file.len - LOG_HEADER_BYTES)
        rc = err_set(e, ERR_VERIFY, "it has %zu bytes, and should have %llu", file.len, (unsigned long long)h.bytes + LOG_HEADER_BYTES);
    if (rc == 0)
        rc = log_walk(file, &h, 1, true, &w, e);
    if (rc != 0)
        return rc;
    l->generation = h.generation;
    l->snapshot_bytes = file.len;
    l->next_seq = w.next_seq;
    return 0;
}

/* Without the zeros at the end, which wait for what is to be appended. A batch may end in some of its own. */
static size_t written(struct slice file, size_t good)
{
    size_t n = file.len;

    while (n > good && file.p[n - 1] == '\0')
        n--;
    return n;
}

static int read_log(struct statelog *l, const char *path, struct slice file, struct err *e)
{
    struct log_walk w = {.record = hand_back, .arg = l};
    int rc = header_of(l, file, LOG_KIND_LOG, &l->header, e);

    if (rc == 0 && l->header.generation != l->generation)
        rc = err_set(e, ERR_VERIFY, "it says that it is of generation %llu", (unsigned long long)l->header.generation);
    if (rc == 0)
        rc = log_walk(file, &l->header, l->next_seq, false, &w, e);
    if (rc != 0)
        return rc;
    l->next_seq = w.next_seq;
    l->log_bytes = w.good;
    l->torn_bytes = written(file, w.good) - w.good;
    if (l->torn_bytes)
        log_warning("%s: the last %zu bytes, from byte %zu, are an unfinished record that nobody relied on: cut off", path,
                    l->torn_bytes, w.good);
    return 0;
}

static uint64_t log_number(const char *name)
{
    unsigned long long g;
    int used = 0;

    return sscanf(name, "log.%19llu%n", &g, &used) == 1 && name[used] == '\0' ? g : 0;
}

/* Logs of other generations, and what a broken-off snapshot left. Only once ours is known to be good. */
void statelog_sweep(struct statelog *l)
{
    DIR *d = opendir(l->dir);
    struct dirent *x;
    char path[PATH_MAX];

    while (d && (x = readdir(d)) != NULL) {
        uint64_t g = log_number(x->d_name);

        if ((g != 0 && g != l->generation) || strcmp(x->d_name, "snapshot.tmp") == 0) {
            statelog_path(l, x->d_name, path);
            (void)unlink(path);
        }
    }
    if (d)
        closedir(d);
}

/* Without a snapshot: nothing was ever promised here, unless a log holds records. */
static int no_snapshot(struct statelog *l, struct err *e)
{
    DIR *d = opendir(l->dir);
    struct dirent *x;
    int rc = 0;

    if (!d)
        return err_sys(e, "read the folder %s", l->dir);
    while (rc == 0 && (x = readdir(d)) != NULL) {
        struct str file = {0};
        char path[PATH_MAX];
        bool holds;

        if (!log_number(x->d_name))
            continue;
        statelog_path(l, x->d_name, path);
        holds = file_slurp(path, 0, &file, NULL) == 0 && written((struct slice){str_c(&file), file.len}, 0) > LOG_HEADER_BYTES;
        str_fini(&file);
        if (holds)
            rc = err_set(e, ERR_VERIFY, "%s/snapshot is missing, and %s is there", l->dir, x->d_name);
    }
    closedir(d);
    l->fresh = rc == 0;
    return rc;
}

static int read_all(struct statelog *l, struct err *e)
{
    struct str file = {0};
    char path[PATH_MAX];
    int rc;

    statelog_path(l, "snapshot", path);
    rc = file_slurp(path, STATELOG_SNAPSHOT_MAX + (1u << 20), &file, e);
    if (rc == ERR_SYS && e->sys_errno == ENOENT)
        return no_snapshot(l, e);
    if (rc == 0 && (rc = read_snapshot(l, (struct slice){str_c(&file), file.len}, e)) != 0)
        err_wrap(e, "%s", path);
    str_fini(&file);
    if (rc != 0)
        return rc;
    statelog_log_path(l, l->generation, path);
    rc = file_slurp(path, STATELOG_LOG_MAX + STATELOG_BATCH_MAX + 4096, &file, e);
    if (rc == ERR_SYS && e->sys_errno == ENOENT)
        return err_set(e, ERR_VERIFY, "%s is missing: what was recorded since the snapshot is not there", path);
    if (rc == 0 && (rc = read_log(l, path, (struct slice){str_c(&file), file.len}, e)) != 0)
        err_wrap(e, "%s", path);
    str_fini(&file);
    return rc;
}

/* ---- opening ---------------------------------------------------------------------------- */

int statelog_lock(struct statelog *l, struct err *e)
{
    char path[PATH_MAX];

    if (l->lock_fd >= 0)
        return 0;
    statelog_path(l, "lock", path);
    return file_lock(path, &l->lock_fd, e);
}

/* Ours to append to: the torn end goes, and what was read is synced before anybody relies on it (it may have
 * been in the machine's memory only when the process before us ended). */
static int open_log(struct statelog *l, struct err *e)
{
    char path[PATH_MAX];

    statelog_log_path(l, l->generation, path);
    l->fd = fault_open(path, O_WRONLY | O_CLOEXEC, 0);
    if (l->fd < 0)
        return err_sys(e, "open %s", path);
    if (l->torn_bytes && fault_ftruncate(l->fd, (off_t)l->log_bytes) != 0)
        return err_sys(e, "cut %s", path);
    if (fault_fdatasync(l->fd) != 0)
        return err_sys(e, "sync %s", path);
    return file_sync_dir(path, e);
}

static int know_the_place(struct statelog *l, struct err *e)
{
    struct err missing = {0};
    int rc = born_read(l->dir, &l->born, &missing);

    if (rc == ERR_MISSING) {
        rc = born_make(l->dir, &l->born, e);
        if (rc == 0) {
            l->born.fresh = l->fresh;
            l->born.reborn = !l->fresh;
        }
        return rc;
    }
    if (rc != 0 && e)
        *e = missing;
    else if (l->born.copied)
        rc = err_set(e, ERR_REFUSED, "%s", l->born.why);
    else
        l->born.fresh = l->fresh;
    return rc;
}

static int first_generation(struct statelog *l, struct err *e)
{
    statelog_snapshot_begin(l);
    return statelog_snapshot_end(l, e);
}

static void note_place(struct statelog *l)
{
    char path[PATH_MAX];
    struct stat st;

    statelog_path(l, "snapshot", path);
    l->read_inode = stat(path, &st) == 0 ? (uint64_t)st.st_ino : 0;
    statelog_log_path(l, l->generation, path);
    memset(&st, 0, sizeof st);
    l->read_bytes = stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
    l->read_at_ns = (uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec;
}

bool statelog_changed_since_read(struct statelog *l)
{
    uint64_t inode = l->read_inode, bytes = l->read_bytes, at_ns = l->read_at_ns;

    note_place(l);
    return inode != l->read_inode || bytes != l->read_bytes || at_ns != l->read_at_ns;
}

/* The folder that we hold the lock of is the one at that path. */
static int still_there(struct statelog *l, struct err *e)
{
    struct stat ours, there;
    char path[PATH_MAX];

    statelog_path(l, "lock", path);
    if (fstat(l->lock_fd, &ours) != 0 || stat(path, &there) != 0 || ours.st_ino != there.st_ino)
        return err_set(e, ERR_MISSING, "%s was moved away or replaced", l->dir);
    return 0;
}

int statelog_become_writer(struct statelog *l, struct err *e)
{
    int rc = l->lock_fd < 0 ? file_make_dirs(l->dir, 0750, e) : still_there(l, e);

    if (rc == 0 && l->lock_fd < 0) {
        rc = statelog_lock(l, e);
        if (rc == 0 && statelog_changed_since_read(l)) {
            l->stale = true;
            rc = ERR_STALE;
        }
    }
    if (rc == 0 && !l->born.id[0])
        rc = know_the_place(l, e);
    if (l->stale)
        return err_set(e, ERR_STALE, "%s was written by another process since it was read here: start again", l->dir);
    if (rc == 0 && l->born.copied)
        return err_set(e, ERR_REFUSED, "%s", l->born.why);
    return rc;
}

int statelog_open(const struct statelog_spec *spec, struct statelog **out, struct err *e)
{
    struct statelog *l = mem_zalloc(sizeof *l);
    struct err why = {0};
    char dir[PATH_MAX - 64];
    int rc, lock_rc;

    CHECK(strlen(spec->owner) > 0 && strlen(spec->owner) < LOG_OWNER_MAX);
    l->spec = *spec;
    l->fd = l->lock_fd = -1;
    l->next_seq = 1;
    rc = file_absolute(spec->dir, dir, sizeof dir, e);
    if (rc != 0)
        goto failed;
    l->dir = mem_strdup(dir);
    l->spec.dir = l->dir;
    lock_rc = file_make_dirs(l->dir, 0750, &why);
    if (lock_rc == 0)
        lock_rc = statelog_lock(l, &why);
    if (lock_rc == ERR_BUSY) {
        rc = err_set(e, ERR_BUSY, "%s", why.text);
        goto failed;
    }
    if (lock_rc != 0 && why.sys_errno != EROFS && why.sys_errno != EACCES && why.sys_errno != ENOSPC && why.sys_errno != EDQUOT &&
        why.sys_errno != EIO) {
        rc = err_set(e, ERR_SYS, "%s", why.text);
        goto failed;
    }
    if (lock_rc != 0 && !file_exists(l->dir))
        l->fresh = true;
    else
        rc = read_all(l, e);
    if (rc != 0)
        goto failed;
    l->durable_seq = l->next_seq;
    note_place(l);
    rc = lock_rc;
    if (rc == 0)
        rc = know_the_place(l, &why);
    else if (born_read(l->dir, &l->born, &(struct err){0}) != 0)
        memset(&l->born, 0, sizeof l->born);
    if (rc == 0)
        rc = l->fresh ? first_generation(l, &why) : open_log(l, &why);
    if (rc != 0)
        statelog_break(l, rc, &why);
    else
        statelog_sweep(l);
    *out = l;
    return 0;
failed:
    statelog_close(l);
    return rc;
}

void statelog_close(struct statelog *l)
{
    if (!l)
        return;
    statelog_later_stop(l);
    if (l->fd >= 0)
        close(l->fd);
    if (l->lock_fd >= 0)
        close(l->lock_fd);
    str_fini(&l->pending);
    str_fini(&l->snap);
    str_fini(&l->snap_body);
    mem_free(l->trouble);
    mem_free(l->dir);
    mem_free(l);
}

/* ---- writing ---------------------------------------------------------------------------- */

int statelog_append(struct statelog *l, uint8_t type, struct slice bytes, struct err *e)
{
    if (bytes.len > STATELOG_RECORD_MAX)
        return err_set(e, ERR_LIMIT, "a record of %zu bytes, and %u are allowed", bytes.len, STATELOG_RECORD_MAX);
    if (l->pending.len + bytes.len + 4 > STATELOG_BATCH_MAX)
        return err_set(e, ERR_LIMIT, "more than %u bytes before a commit", STATELOG_BATCH_MAX);
    log_record_put(&l->pending, type, bytes);
    l->next_seq++;
    return 0;
}

int statelog_write_batch(int fd, const char *path, const struct log_header *h, uint64_t seq, struct slice body, size_t at, size_t *bytes,
                         struct err *e)
{
    struct str batch = {0};
    struct stat st, at_path;
    const char *p;
    size_t left;
    int rc = 0;

    log_batch_put(h->key, seq, body, &batch);
    p = batch.p;
    left = batch.len;
    if (lseek(fd, (off_t)at, SEEK_SET) < 0)
        rc = err_sys(e, "find the end of the state");
    while (rc == 0 && left > 0) {
        ssize_t put = fault_write(fd, p, left);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0) {
            rc = err_sys(e, "write the state");
            break;
        }
        p += put;
        left -= (size_t)put;
    }
    if (rc == 0 && fault_fdatasync(fd) != 0)
        rc = err_sys(e, "sync the state");
    /* A folder that was moved away is not where the next process looks. */
    if (rc == 0 && (fstat(fd, &st) != 0 || stat(path, &at_path) != 0 || st.st_ino != at_path.st_ino))
        rc = err_set(e, ERR_MISSING, "%s is not there any more", path);
    *bytes = batch.len;
    str_fini(&batch);
    return rc;
}

int statelog_commit(struct statelog *l, struct err *e)
{
    struct err why = {0};
    int64_t began_us = clock_mono_us();
    char path[PATH_MAX];
    size_t bytes = 0;
    int rc;

    statelog_later_wait(l);
    statelog_log_path(l, l->generation, path);
    if (l->trouble) {
        str_clear(&l->pending);
        l->next_seq = l->durable_seq;
        return err_set(e, l->trouble_code, "%s", l->trouble);
    }
    if (l->pending.len == 0)
        return 0;
    if (l->log_bytes > STATELOG_LOG_MAX)
        rc = err_set(&why, ERR_LIMIT, "the log has %zu bytes and no snapshot was made", l->log_bytes);
    else
        rc = statelog_write_batch(l->fd, path, &l->header, l->durable_seq, (struct slice){l->pending.p, l->pending.len}, l->log_bytes, &bytes,
                                  &why);
    if (rc != 0) {
        err_wrap(&why, "%s", l->dir);
        statelog_break(l, rc, &why);
        statelog_later_settle(l, rc, &why);
        return err_set(e, rc, "%s", why.text);
    }
    str_clear(&l->pending);
    l->durable_seq = l->next_seq;
    l->log_bytes += bytes;
    l->commits++;
    l->last_us = clock_mono_us() - began_us;
    statelog_later_settle(l, 0, NULL);
    return 0;
}

/* ---- questions -------------------------------------------------------------------------- */

bool statelog_wants_snapshot(const struct statelog *l)
{
    size_t limit = l->snapshot_bytes * 4 > LOG_SMALL ? l->snapshot_bytes * 4 : LOG_SMALL;

    return l->log_bytes >= limit;
}

const char *statelog_trouble(const struct statelog *l) { return l->trouble; }
const struct statelog_born *statelog_born(const struct statelog *l) { return &l->born; }

void statelog_stats(const struct statelog *l, struct statelog_stats *out)
{
    *out = (struct statelog_stats){l->generation, l->durable_seq - 1, l->log_bytes, l->snapshot_bytes, l->torn_bytes,
                                   l->commits, l->snapshots, l->last_us};
}
