/* One detached thread per load. The mutex guards the queue of pushed bytes and the flags at
 * the end; the keyspace belongs to the thread until `finished`, then to the loop. */
#include "kvnode/disk/load.h"

#include "common/base/buf.h"
#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/io/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define QUEUE_MAX (8u << 20)
#define CHUNK (256u << 10)

struct load {
    struct loop *loop;
    struct load_opts o;
    struct rdb_progress progress;
    uint64_t total;
    load_done_fn *done;
    void (*room)(void *arg);
    void *arg;
    int fd;                        /* file, or -1: bytes are pushed */
    int wake_fd;                   /* thread -> loop */
    struct fd_watch wake;

    pthread_mutex_t lock;
    pthread_cond_t more;
    struct buf queue;              /* pushed, not yet taken */
    bool eof, wants_room, finished, orphan;
    char cut[200];

    struct buf mine;               /* the thread's own: what it reads from */
    uint64_t delayed_keys;
    struct str epochs;             /* the AUX field */
    struct str expired;            /* database, length, bytes of each key left out */
    struct keyspace *ks;
    struct rdb_read_result result;
    struct err e;
    int rc;
};

static void release(struct load *ld)
{
    if (ld->ks)
        keyspace_free(ld->ks);
    if (ld->fd >= 0)
        close(ld->fd);
    close(ld->wake_fd);
    buf_fini(&ld->queue);
    buf_fini(&ld->mine);
    str_fini(&ld->expired);
    str_fini(&ld->epochs);
    pthread_cond_destroy(&ld->more);
    pthread_mutex_destroy(&ld->lock);
    mem_free(ld);
}

static void wake_loop(struct load *ld)
{
    uint64_t one = 1;
    ssize_t n;

    do
        n = write(ld->wake_fd, &one, sizeof one);
    while (n < 0 && errno == EINTR);
}

/* --- the thread --- */

static int refill_from_file(struct load *ld, struct err *e)
{
    ssize_t n;

    buf_clear(&ld->mine);
    do
        n = read(ld->fd, buf_tail(&ld->mine, CHUNK), CHUNK);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_sys(e, "read");
    if (n == 0)
        return err_set(e, ERR_CLOSED, "the file ends here, in the middle of its contents");
    buf_added(&ld->mine, (size_t)n);
    return 0;
}

static int refill_from_queue(struct load *ld, struct err *e)
{
    int rc = 0;

    buf_clear(&ld->mine);
    pthread_mutex_lock(&ld->lock);
    while (buf_len(&ld->queue) == 0 && !ld->eof && ld->cut[0] == '\0' && !atomic_load(&ld->progress.cancel))
        pthread_cond_wait(&ld->more, &ld->lock);
    if (buf_len(&ld->queue) > 0)
        buf_swap(&ld->mine, &ld->queue);
    else if (ld->cut[0])
        rc = err_set(e, ERR_CLOSED, "%s", ld->cut);
    else
        rc = err_set(e, ERR_CLOSED, "the transfer ends here, in the middle of its contents");
    bool tell = ld->wants_room;
    ld->wants_room = false;
    pthread_mutex_unlock(&ld->lock);
    if (tell)
        wake_loop(ld);
    return rc;
}

static int source_get(void *arg, void *p, size_t n, struct err *e)
{
    struct load *ld = arg;
    char *to = p;

    if (ld->o.key_delay_us > 0 && atomic_load(&ld->progress.keys) != ld->delayed_keys) {
        ld->delayed_keys = atomic_load(&ld->progress.keys);
        usleep((useconds_t)ld->o.key_delay_us);
    }
    while (n > 0) {
        size_t have = buf_len(&ld->mine);
        if (have == 0) {
            int rc = ld->fd >= 0 ? refill_from_file(ld, e) : refill_from_queue(ld, e);
            if (rc != 0)
                return rc;
            continue;
        }
        size_t step = have < n ? have : n;
        memcpy(to, buf_data(&ld->mine), step);
        buf_consume(&ld->mine, step);
        to += step;
        n -= step;
    }
    return 0;
}

struct expired_head {
    int db;
    size_t len;
};

static void note_expired(void *arg, int db, struct slice key)
{
    struct load *ld = arg;
    struct expired_head h = {db, key.len};

    str_append(&ld->expired, &h, sizeof h);
    str_append(&ld->expired, key.p, key.len);
}

bool load_next_expired(const struct load *ld, size_t *at, int *db, struct slice *key)
{
    struct expired_head h;

    if (*at >= ld->expired.len)
        return false;
    memcpy(&h, ld->expired.p + *at, sizeof h);
    *db = h.db;
    *key = (struct slice){ld->expired.p + *at + sizeof h, h.len};
    *at += sizeof h + h.len;
    return true;
}

/* NULL on failure; ld->rc and ld->e say why. */
static struct keyspace *read_all(struct load *ld)
{
    struct rdb_source from = {source_get, ld};
    struct rdb_read_opts ro = {.verify = ld->o.verify, .drop_expired_ms = ld->o.drop_expired_ms, .expired = note_expired,
                               .expired_arg = ld, .epochs = &ld->epochs, .bulk_max = ld->o.bulk_max, .progress = &ld->progress};
    struct keyspace *ks = keyspace_new(ld->o.databases);

    ks->expired_keys = KEEP_EXPIRED;
    ks->limits = ld->o.limits;
    ks->now_ms = clock_wall_ms();
    ld->rc = rdb_read(ks, &ro, &from, &ld->result, &ld->e);
    if (ld->rc == 0)
        return ks;
    keyspace_free(ks);
    return NULL;
}

static void *run(void *arg)
{
    struct load *ld = arg;
    struct keyspace *ks = read_all(ld);

    pthread_mutex_lock(&ld->lock);
    ld->ks = ks;
    ld->finished = true;
    bool orphan = ld->orphan;
    if (!orphan)
        wake_loop(ld);
    pthread_mutex_unlock(&ld->lock);
    if (orphan)
        release(ld);
    return NULL;
}

static void run_detached(void *(*fn)(void *), void *arg)
{
    pthread_attr_t attr;
    pthread_t t;
    int rc = pthread_attr_init(&attr);

    CHECK(rc == 0);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    rc = pthread_create(&t, &attr, fn, arg);
    CHECK(rc == 0);
    pthread_attr_destroy(&attr);
}

/* --- the loop's side --- */

static void finish(struct load *ld)
{
    struct keyspace *ks = ld->ks;

    ld->ks = NULL;
    fd_watch_stop(&ld->wake);
    ld->done(ld->arg, ks, &ld->result, ld->rc == 0 ? NULL : &ld->e);
    release(ld);
}

static void on_wake(struct fd_watch *w, int events, void *arg)
{
    struct load *ld = arg;
    uint64_t n;

    (void)w;
    (void)events;
    if (read(ld->wake_fd, &n, sizeof n) < 0)
        return;
    pthread_mutex_lock(&ld->lock);
    bool finished = ld->finished;
    pthread_mutex_unlock(&ld->lock);
    if (finished)
        finish(ld);
    else if (ld->room)
        ld->room(ld->arg);
}

static struct load *load_new(struct loop *l, const struct load_opts *o, int fd, load_done_fn *done, void *arg)
{
    struct load *ld = mem_zalloc(sizeof *ld);

    ld->loop = l;
    ld->o = *o;
    ld->fd = fd;
    ld->done = done;
    ld->arg = arg;
    ld->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    CHECK(ld->wake_fd >= 0);
    pthread_mutex_init(&ld->lock, NULL);
    pthread_cond_init(&ld->more, NULL);
    fd_watch_init(&ld->wake, l, on_wake, ld);
    fd_watch_set(&ld->wake, ld->wake_fd, EV_READ);
    return ld;
}

static int open_data(const char *path, int *fd, uint64_t *size, struct err *e)
{
    struct stat st;

    *fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0)
        return err_sys(e, "open %s", path);
    if (fstat(*fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(*fd);
        return err_set(e, ERR_REFUSED, "%s is not a regular file", path);
    }
    *size = (uint64_t)st.st_size;
    return 0;
}

int load_file_now(const char *path, const struct load_opts *o, struct keyspace **ks, struct rdb_read_result *r,
                  struct err *e)
{
    struct load ld = {.o = *o};
    int rc = open_data(path, &ld.fd, &ld.total, e);

    if (rc != 0)
        return rc;
    struct keyspace *got = read_all(&ld);
    close(ld.fd);
    buf_fini(&ld.mine);
    str_fini(&ld.expired);
    str_fini(&ld.epochs);
    if (got == NULL)
        return err_set(e, ld.e.code, "%s: %s", path, ld.e.text);
    *ks = got;
    *r = ld.result;
    return 0;
}

int load_file(struct loop *l, const char *path, const struct load_opts *o, load_done_fn *done, void *arg,
              struct load **out, struct err *e)
{
    uint64_t size;
    int fd;
    int rc = open_data(path, &fd, &size, e);

    if (rc != 0)
        return rc;
    struct load *ld = load_new(l, o, fd, done, arg);
    ld->total = size;
    *out = ld;
    run_detached(run, ld);
    return 0;
}

struct load *load_bytes(struct loop *l, const struct load_opts *o, void (*room)(void *arg), load_done_fn *done,
                        void *arg)
{
    struct load *ld = load_new(l, o, -1, done, arg);

    ld->room = room;
    run_detached(run, ld);
    return ld;
}

size_t load_push(struct load *ld, const void *p, size_t n)
{
    pthread_mutex_lock(&ld->lock);
    size_t have = buf_len(&ld->queue);
    size_t take = have >= QUEUE_MAX ? 0 : QUEUE_MAX - have;
    if (take > n)
        take = n;
    if (ld->finished)
        take = n;    /* it has all it wants, or failed: the end is on its way */
    else if (take > 0)
        buf_append(&ld->queue, p, take);
    ld->wants_room = take < n;
    pthread_cond_signal(&ld->more);
    pthread_mutex_unlock(&ld->lock);
    return take;
}

void load_eof(struct load *ld)
{
    pthread_mutex_lock(&ld->lock);
    ld->eof = true;
    pthread_cond_signal(&ld->more);
    pthread_mutex_unlock(&ld->lock);
}

void load_cut(struct load *ld, const char *why)
{
    pthread_mutex_lock(&ld->lock);
    snprintf(ld->cut, sizeof ld->cut, "%s", why[0] ? why : "the transfer broke off");
    pthread_cond_signal(&ld->more);
    pthread_mutex_unlock(&ld->lock);
}

void load_cancel(struct load *ld)
{
    fd_watch_stop(&ld->wake);
    atomic_store(&ld->progress.cancel, true);
    pthread_mutex_lock(&ld->lock);
    ld->orphan = true;
    bool finished = ld->finished;
    pthread_cond_signal(&ld->more);
    pthread_mutex_unlock(&ld->lock);
    if (!finished)
        return;
    load_discard(ld->ks);
    ld->ks = NULL;
    release(ld);
}

struct slice load_epochs(const struct load *ld) { return (struct slice){str_c(&ld->epochs), ld->epochs.len}; }
uint64_t load_bytes_done(const struct load *ld) { return atomic_load(&ld->progress.bytes); }
uint64_t load_keys_done(const struct load *ld) { return atomic_load(&ld->progress.keys); }
uint64_t load_bytes_total(const struct load *ld) { return ld->total; }

static void *discard(void *arg)
{
    keyspace_free(arg);
    return NULL;
}

void load_discard(struct keyspace *ks)
{
    if (ks == NULL)
        return;
    if (keyspace_count(ks) < 1000)
        keyspace_free(ks);
    else
        run_detached(discard, ks);
}
