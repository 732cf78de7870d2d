/* Only in builds that are made for tests. */
#include "common/io/fault.h"

#ifdef KV_FAULTS
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum what { NOTHING, KILL, SHORT, LOSE, FAIL, WAIT };

static struct {
    bool read;
    const char *plan;
    unsigned n;
    bool on;                     /* and all later ones */
    enum what what;
    int error;
    char while_file[256];
} plan;
static atomic_uint count;
static bool free_sync;
void (*fault_instead_of_death)(void);

/* What of each file is safely on disk. -1 = not known: all that was there before the first write. */
#define FDS 1024
static off_t synced[FDS];
static bool tracked[FDS];
static off_t over[FDS], over_end[FDS];      /* written among what was there, and not synced; over == over_end: nothing */

static const struct { const char *name; int error; } errors[] = {
    {"EIO", EIO}, {"ENOSPC", ENOSPC}, {"EROFS", EROFS}, {"EDQUOT", EDQUOT},
};

static enum what what_named(const char *s, int *error)
{
    if (strncmp(s, "kill", 4) == 0)
        return KILL;
    if (strncmp(s, "short", 5) == 0)
        return SHORT;
    if (strncmp(s, "lose", 4) == 0)
        return LOSE;
    if (strncmp(s, "wait", 4) == 0)
        return WAIT;
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
        if (strncmp(s, errors[i].name, strlen(errors[i].name)) == 0) {
            *error = errors[i].error;
            return FAIL;
        }
    fprintf(stderr, "KVORUM_FAULT: '%s' is not known\n", s);
    abort();
}

void fault_plan(const char *text)
{
    char *end;

    memset(&plan, 0, sizeof plan);
    plan.read = true;
    count = 0;
    if (!text || !*text)
        return;
    if (*text == '@') {
        snprintf(plan.while_file, sizeof plan.while_file, "%s", text + 1);
        return;
    }
    plan.n = (unsigned)strtoul(text, &end, 10);
    plan.on = *end == '+';
    end += plan.on;
    plan.what = what_named(*end == ':' ? end + 1 : end, &plan.error);
}

unsigned fault_count(void) { return count; }
void fault_sync_is_free(void) { free_sync = true; }

static enum what while_file(int *error)
{
    char text[32] = "";
    int fd = open(plan.while_file, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return NOTHING;
    if (read(fd, text, sizeof text - 1) < 0)
        text[0] = '\0';
    close(fd);
    if (what_named(text, error) != WAIT)
        return what_named(text, error);
    while (access(plan.while_file, F_OK) == 0)
        usleep(2000);
    return NOTHING;
}

static enum what now(int *error)
{
    unsigned n;

    if (!plan.read)
        fault_plan(getenv("KVORUM_FAULT"));
    n = ++count;
    if (plan.while_file[0])
        return while_file(error);
    if (plan.what == NOTHING || n < plan.n || (n > plan.n && !plan.on))
        return NOTHING;
    *error = plan.error;
    return plan.what;
}

static void die(void)
{
    if (fault_instead_of_death)
        fault_instead_of_death();
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

static void lose(void)
{
    for (int fd = 0; fd < FDS; fd++) {
        for (; tracked[fd] && over[fd] < over_end[fd]; over[fd]++)       /* zeros were there */
            if (pwrite(fd, "", 1, over[fd]) != 1)
                over[fd] = over_end[fd];
        if (tracked[fd] && ftruncate(fd, synced[fd]) != 0)
            tracked[fd] = false;
    }
    die();
}

static bool refused(int fd)
{
    int error = EIO;

    (void)fd;
    switch (now(&error)) {
    case WAIT:
    case NOTHING: return false;
    case LOSE: lose(); break;
    case KILL:
    case SHORT: die(); break;
    case FAIL: errno = error; return true;
    }
    return true;
}

static void track(int fd)
{
    struct stat st;

    if (fd < FDS && !tracked[fd] && fstat(fd, &st) == 0) {
        tracked[fd] = true;
        synced[fd] = st.st_size;
        over[fd] = over_end[fd] = 0;
    }
}

/* From where the next write goes, if that is not the end. */
static void track_over(int fd, size_t n)
{
    bool appends = fd < 0 || fd >= FDS || !tracked[fd] || (fcntl(fd, F_GETFL) & O_APPEND) != 0;
    off_t at = appends ? -1 : lseek(fd, 0, SEEK_CUR);

    if (at < 0 || at >= synced[fd])
        return;
    if (over[fd] == over_end[fd])
        over[fd] = at;
    over_end[fd] = at + (off_t)n < synced[fd] ? at + (off_t)n : synced[fd];
}

static void is_synced(int fd)
{
    struct stat st;

    if (fd < FDS && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        tracked[fd] = true;
        synced[fd] = st.st_size;
        over[fd] = over_end[fd] = 0;
    }
}

ssize_t fault_write(int fd, const void *p, size_t n)
{
    int error = EIO;
    ssize_t put;

    track(fd);
    track_over(fd, n);
    switch (now(&error)) {
    case WAIT:
    case NOTHING: break;
    case KILL: die(); break;
    case SHORT:
        put = write(fd, p, n / 2);
        (void)put;
        die();
        break;
    case LOSE:
        put = write(fd, p, n / 2);
        (void)put;
        lose();
        break;
    case FAIL: errno = error; return -1;
    }
    return write(fd, p, n);
}

int fault_open(const char *path, int flags, mode_t mode)
{
    int fd;

    if (refused(-1))
        return -1;
    fd = open(path, flags, mode);
    if (fd >= 0 && fd < FDS)
        tracked[fd] = false;     /* a number that was another file's */
    return fd;
}

int fault_fsync(int fd)
{
    int rc = refused(fd) ? -1 : free_sync ? 0 : fsync(fd);

    if (rc == 0)
        is_synced(fd);
    return rc;
}

int fault_fdatasync(int fd)
{
    int rc = refused(fd) ? -1 : free_sync ? 0 : fdatasync(fd);

    if (rc == 0)
        is_synced(fd);
    return rc;
}

int fault_rename(const char *from, const char *to) { return refused(-1) ? -1 : rename(from, to); }

int fault_ftruncate(int fd, off_t bytes) { return refused(fd) ? -1 : ftruncate(fd, bytes); }
#else
typedef int fault_is_not_in_this_build;
#endif
