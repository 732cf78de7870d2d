/* A new generation. Order: the new log, empty, is on disk; then the snapshot that names it
 * takes the old one's place; then the old log goes. A crash in between leaves either the
 * old pair or the new one. */
#include "common/io/statelog_inside.h"

#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/io/fault.h"
#include "common/io/file.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

static void flush_body(struct statelog *l, const uint8_t key[16])
{
    if (l->snap_body.len > 0)
        log_batch_put(key, l->snap_seq, (struct slice){l->snap_body.p, l->snap_body.len}, &l->snap);
    str_clear(&l->snap_body);
}

static void new_header(struct statelog *l, enum log_kind kind, uint64_t bytes, struct log_header *h)
{
    memset(h, 0, sizeof *h);
    h->kind = kind;
    memcpy(h->owner, l->spec.owner, strlen(l->spec.owner));
    h->generation = l->generation + 1;
    h->bytes = bytes;
    if (getrandom(h->key, sizeof h->key, 0) != (ssize_t)sizeof h->key)
        memcpy(h->key, &(uint64_t[2]){(uint64_t)clock_wall_us(), (uint64_t)getpid()}, sizeof h->key);
}

void statelog_snapshot_begin(struct statelog *l)
{
    str_clear(&l->snap);
    str_clear(&l->snap_body);
    l->snap_seq = 0;
    l->snap_too_big = false;
}

void statelog_snapshot_add(struct statelog *l, uint8_t type, struct slice bytes)
{
    if (bytes.len > STATELOG_RECORD_MAX || l->snap_body.len + bytes.len + 4 > STATELOG_SNAPSHOT_MAX) {
        l->snap_too_big = true;
        return;
    }
    log_record_put(&l->snap_body, type, bytes);
}

static int create(const char *path, const struct str *bytes, int *keep_fd, struct err *e)
{
    int fd = fault_open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
    size_t at = 0;
    int rc = 0;

    if (fd < 0)
        return err_sys(e, "create %s", path);
    while (rc == 0 && at < bytes->len) {
        ssize_t put = fault_write(fd, bytes->p + at, bytes->len - at);

        if (put < 0 && errno != EINTR)
            rc = err_sys(e, "write %s", path);
        at += put > 0 ? (size_t)put : 0;
    }
    if (rc == 0 && fault_fsync(fd) != 0)
        rc = err_sys(e, "sync %s", path);
    if (rc == 0 && keep_fd)
        *keep_fd = fd;
    else
        close(fd);
    if (rc != 0)
        (void)unlink(path);
    return rc;
}

/* With room for what will be appended; on a disk that has none it grows as it must. */
static int create_log(const char *path, const struct str *head, int *fd, struct err *e)
{
    struct str file = {0};
    int rc;

    str_append(&file, head->p, head->len);
    while (file.len < STATELOG_ROOM)
        str_append(&file, (const char[LOG_HEADER_BYTES]){0}, LOG_HEADER_BYTES);
    rc = create(path, &file, fd, e);
    str_fini(&file);
    return rc == ERR_SYS && (e->sys_errno == ENOSPC || e->sys_errno == EDQUOT) ? create(path, head, fd, e) : rc;
}

/* Batches of at most half of what one may hold, cut where records end. */
static void put_batches(struct statelog *l, const uint8_t key[16])
{
    struct str all = l->snap_body;
    uint64_t seq = 1;

    memset(&l->snap_body, 0, sizeof l->snap_body);
    l->snap_seq = 1;
    for (size_t at = 0; at < all.len;) {
        const unsigned char *p = (const unsigned char *)all.p + at;
        size_t n = 4 + ((size_t)p[1] | (size_t)p[2] << 8 | (size_t)p[3] << 16);

        if (l->snap_body.len + n > LOG_BATCH_MAX / 2) {
            flush_body(l, key);
            l->snap_seq = seq;
        }
        str_append(&l->snap_body, all.p + at, n);
        seq++;
        at += n;
    }
    flush_body(l, key);
    l->snap_seq = seq;
    str_fini(&all);
}

/* A new generation on disk: an empty log, and the snapshot before it. */
struct pair {
    struct log_header log;
    int fd;                      /* of the log; -1 until it is made */
    size_t snapshot_bytes;
};

/* Makes both; with the snapshot's rename, the last thing, they are what is read. */
static int write_pair(struct statelog *l, const char *path, struct pair *p, struct err *e)
{
    char log_path[PATH_MAX], temp[PATH_MAX];
    struct str head = {0}, file = {0};
    struct log_header snap;
    int rc;

    new_header(l, LOG_KIND_SNAPSHOT, 0, &snap);
    str_clear(&l->snap);
    put_batches(l, snap.key);
    snap.bytes = l->snap.len;
    log_header_put(&snap, &file);
    str_append(&file, l->snap.p, l->snap.len);
    p->snapshot_bytes = file.len;
    new_header(l, LOG_KIND_LOG, 0, &p->log);
    log_header_put(&p->log, &head);
    statelog_log_path(l, p->log.generation, log_path);
    statelog_path(l, "snapshot.tmp", temp);
    rc = create_log(log_path, &head, &p->fd, e);
    if (rc == 0)
        rc = file_sync_dir(log_path, e);
    if (rc == 0)
        rc = create(temp, &file, NULL, e);
    if (rc == 0 && fault_rename(temp, path) != 0)
        rc = err_sys(e, "put %s in its place", path);
    str_fini(&head);
    str_fini(&file);
    return rc;
}

static void go_over_to(struct statelog *l, struct pair *p)
{
    if (l->fd >= 0)
        close(l->fd);
    l->fd = p->fd;
    p->fd = -1;
    l->header = p->log;
    l->generation = p->log.generation;
    l->log_bytes = LOG_HEADER_BYTES;
    l->snapshot_bytes = p->snapshot_bytes;
    l->next_seq = l->durable_seq = l->snap_seq;
    str_clear(&l->pending);
}

int statelog_snapshot_end(struct statelog *l, struct err *caller)
{
    struct err why = {0}, *e = caller ? caller : &why;
    char path[PATH_MAX], old[PATH_MAX];
    int64_t began_us = clock_mono_us();
    struct pair p = {.fd = -1};
    int rc;

    statelog_later_wait(l);
    rc = l->snap_too_big ? err_set(e, ERR_LIMIT, "%s: the state is more than %u bytes", l->dir, STATELOG_SNAPSHOT_MAX)
                         : statelog_become_writer(l, e);
    if (rc != 0)
        goto out;
    statelog_path(l, "snapshot", path);
    statelog_log_path(l, l->generation, old);
    rc = write_pair(l, path, &p, e);
    if (rc != 0)
        goto out;
    /* From here on the new pair is the one that is read: there is no way back, only an unproved one. */
    go_over_to(l, &p);
    rc = file_sync_dir(path, e);
    if (rc != 0) {
        statelog_break(l, rc, e);
        goto out;
    }
    (void)unlink(old);
    mem_free(l->trouble);
    l->trouble = NULL;
    l->trouble_code = 0;
    l->fresh = false;
    l->torn_bytes = 0;
    l->snapshots++;
    l->last_us = clock_mono_us() - began_us;
    statelog_later_settle(l, 0, NULL);
out:
    if (p.fd >= 0)
        close(p.fd);
    str_fini(&l->snap);
    str_fini(&l->snap_body);
    return rc;
}
