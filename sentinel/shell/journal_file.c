#include "sentinel/shell/journal_file.h"

#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/io/file.h"
#include "sentinel/wire/journal_text.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct journal_file {
    char path[PATH_MAX], old_path[PATH_MAX];
    size_t max;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    /* under the mutex */
    struct str waiting;
    uint64_t waiting_lines, lost;
    bool stop;
    struct err why, shown;
    /* the thread's */
    int fd;
    size_t bytes;
};

/* ---- reading -------------------------------------------------------------------------------------- */

static void read_one(const char *path, void (*line)(void *, int64_t, const char *, const char *), void *arg, uint64_t *bad)
{
    struct str bytes = {0};
    struct journal_entry e = {0};
    struct err err = {0};
    struct slice rest;

    if (file_slurp(path, 2 * JOURNAL_FILE_MAX + JOURNAL_WAITING_MAX, &bytes, &err) == 0) {
        rest = (struct slice){str_c(&bytes), bytes.len};
        while (journal_text_next(&rest, &e, bad))
            line(arg, e.wall_ms, str_c(&e.group), str_c(&e.text));
        *bad += rest.len > 0;
    }
    str_fini(&e.group);
    str_fini(&e.text);
    str_fini(&bytes);
}

static bool path_of(char out[PATH_MAX], const char *dir, const char *name)
{
    return snprintf(out, PATH_MAX, "%s/%s", dir, name) < PATH_MAX;
}

void journal_file_read(const char *dir, void (*line)(void *arg, int64_t wall_ms, const char *group, const char *text), void *arg,
                       uint64_t *bad)
{
    char path[PATH_MAX];

    *bad = 0;
    if (path_of(path, dir, "journal.1"))
        read_one(path, line, arg, bad);
    if (path_of(path, dir, "journal"))
        read_one(path, line, arg, bad);
}

/* ---- the thread ----------------------------------------------------------------------------------------- */

/* The next line must begin on a line of its own. */
static int cut_torn_end(int fd, size_t *bytes, struct err *e)
{
    off_t end = lseek(fd, 0, SEEK_END), at = end;
    char c = '\n';

    while (at > 0 && pread(fd, &c, 1, at - 1) == 1 && c != '\n')
        at--;
    if (end < 0 || (at != end && ftruncate(fd, at) != 0))
        return err_sys(e, "cut the end of the journal");
    *bytes = (size_t)at;
    return 0;
}

static int open_it(struct journal_file *j, struct err *e)
{
    if (j->fd >= 0)
        return 0;
    j->fd = open(j->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    if (j->fd < 0)
        return err_sys(e, "open %s", j->path);
    return cut_torn_end(j->fd, &j->bytes, e);
}

static int make_room(struct journal_file *j, struct err *e)
{
    if (j->bytes < j->max)
        return 0;
    close(j->fd);
    j->fd = -1;
    if (rename(j->path, j->old_path) != 0)
        return err_sys(e, "rename %s", j->path);
    return open_it(j, e);
}

static int write_out(struct journal_file *j, struct slice bytes, struct err *e)
{
    int rc = open_it(j, e);

    if (rc == 0)
        rc = make_room(j, e);
    if (rc == 0)
        rc = file_write_all(j->fd, bytes.p, bytes.len, e);
    if (rc == 0)
        j->bytes += bytes.len;
    else if (j->fd >= 0) {
        close(j->fd);                      /* what reached it is looked at when it is opened again */
        j->fd = -1;
    }
    return rc;
}

static void *run(void *arg)
{
    struct journal_file *j = arg;
    struct str bytes = {0};

    pthread_mutex_lock(&j->mutex);
    for (;;) {
        struct err e = {0};
        uint64_t lines;
        int rc;

        while (j->waiting.len == 0 && !j->stop)
            pthread_cond_wait(&j->changed, &j->mutex);
        if (j->waiting.len == 0)
            break;
        str_fini(&bytes);
        bytes = j->waiting;
        lines = j->waiting_lines;
        memset(&j->waiting, 0, sizeof j->waiting);
        j->waiting_lines = 0;
        pthread_mutex_unlock(&j->mutex);
        rc = write_out(j, (struct slice){str_c(&bytes), bytes.len}, &e);
        pthread_mutex_lock(&j->mutex);
        j->lost += rc == 0 ? 0 : lines;
        j->why = e;
    }
    pthread_mutex_unlock(&j->mutex);
    str_fini(&bytes);
    return NULL;
}

/* ---- the door ---------------------------------------------------------------------------------------------- */

struct journal_file *journal_file_open(const char *dir, size_t max)
{
    struct journal_file *j = mem_zalloc(sizeof *j);
    sigset_t all, was;

    j->fd = -1;
    j->max = max;
    if (!path_of(j->path, dir, "journal") || !path_of(j->old_path, dir, "journal.1")) {
        mem_free(j);
        return NULL;
    }
    CHECK(pthread_mutex_init(&j->mutex, NULL) == 0 && pthread_cond_init(&j->changed, NULL) == 0);
    sigfillset(&all);                      /* signals are the main thread's */
    pthread_sigmask(SIG_SETMASK, &all, &was);
    CHECK(pthread_create(&j->thread, NULL, run, j) == 0);
    pthread_sigmask(SIG_SETMASK, &was, NULL);
    return j;
}

void journal_file_add(struct journal_file *j, int64_t wall_ms, const char *group, const char *text)
{
    pthread_mutex_lock(&j->mutex);
    if (j->waiting.len < JOURNAL_WAITING_MAX) {
        journal_text_put(&j->waiting, wall_ms, group, text);
        j->waiting_lines++;
        pthread_cond_signal(&j->changed);
    } else {
        j->lost++;
        err_set(&j->why, ERR_LIMIT, "the disk does not keep up");
    }
    pthread_mutex_unlock(&j->mutex);
}

uint64_t journal_file_lost(struct journal_file *j, const char **why)
{
    uint64_t lost;

    pthread_mutex_lock(&j->mutex);
    lost = j->lost;
    j->shown = j->why;
    pthread_mutex_unlock(&j->mutex);
    *why = j->shown.text;
    return lost;
}

void journal_file_close(struct journal_file *j)
{
    if (!j)
        return;
    pthread_mutex_lock(&j->mutex);
    j->stop = true;
    pthread_cond_signal(&j->changed);
    pthread_mutex_unlock(&j->mutex);
    CHECK(pthread_join(j->thread, NULL) == 0);
    if (j->fd >= 0)
        close(j->fd);
    str_fini(&j->waiting);
    pthread_mutex_destroy(&j->mutex);
    pthread_cond_destroy(&j->changed);
    mem_free(j);
}
