/* Whole files and folders. What the disk says goes into struct err with the path. */
#include "common/io/file.h"

#include "common/io/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SLURP_LIMIT (64u << 20)

static int read_some(int fd, const char *path, size_t limit, struct str *out, struct err *e)
{
    for (;;) {
        ssize_t n;

        str_reserve(out, 16384);
        n = read(fd, out->p + out->len, 16384);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(e, "read %s", path);
        if (n == 0)
            return 0;
        out->len += (size_t)n;
        out->p[out->len] = '\0';
        if (out->len > limit)
            return err_set(e, ERR_LIMIT, "%s is larger than %zu bytes", path, limit);
    }
}

int file_slurp(const char *path, size_t limit, struct str *out, struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct str got = {0};
    int rc;

    if (fd < 0)
        return err_sys(e, "open %s", path);
    rc = read_some(fd, path, limit ? limit : SLURP_LIMIT, &got, e);
    close(fd);
    if (rc == 0) {
        str_fini(out);
        *out = got;
    } else {
        str_fini(&got);
    }
    return rc;
}

int file_write_all(int fd, const void *p, size_t n, struct err *e)
{
    const char *at = p;

    while (n > 0) {
        ssize_t put = fault_write(fd, at, n);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return err_sys(e, "write");
        at += put;
        n -= (size_t)put;
    }
    return 0;
}

static void folder_of(const char *path, char out[PATH_MAX])
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        snprintf(out, PATH_MAX, ".");
    else if (slash == path)
        snprintf(out, PATH_MAX, "/");
    else
        snprintf(out, PATH_MAX, "%.*s", (int)(slash - path), path);
}

int file_sync_dir(const char *path_in_dir, struct err *e)
{
    char dir[PATH_MAX];
    int fd, rc = 0;

    folder_of(path_in_dir, dir);
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_sys(e, "open the folder %s", dir);
    /* some file systems cannot sync a folder and say EINVAL: nothing more can be done there */
    if (fault_fsync(fd) != 0 && errno != EINVAL)
        rc = err_sys(e, "sync the folder %s", dir);
    close(fd);
    return rc;
}

static int replace(const char *path, const void *p, size_t n, mode_t mode, bool sync_bytes, bool sync_folder, struct err *e)
{
    char real[PATH_MAX], temp[PATH_MAX + 32];
    struct stat st;
    bool existed;
    int fd, rc;

    if (!realpath(path, real))      /* through links, so that the link stays one */
        snprintf(real, sizeof real, "%s", path);
    existed = stat(real, &st) == 0;
    snprintf(temp, sizeof temp, "%s.tmp-%d", real, (int)getpid());
    fd = fault_open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_sys(e, "create %s", temp);
    if (existed && fchown(fd, st.st_uid, st.st_gid) != 0)
        errno = 0;                  /* not ours to give away: it stays ours */
    if (fchmod(fd, existed ? st.st_mode & 07777 : mode) != 0) {
        rc = err_sys(e, "set the mode of %s", temp);
        goto out;
    }
    rc = file_write_all(fd, p, n, e);
    if (rc != 0) {
        err_wrap(e, "%s", temp);
        goto out;
    }
    if (sync_bytes && fault_fsync(fd) != 0) {
        rc = err_sys(e, "sync %s", temp);
        goto out;
    }
    if (fault_rename(temp, real) != 0) {
        rc = err_sys(e, "put %s in its place", real);
        goto out;
    }
    temp[0] = '\0';
    rc = sync_folder ? file_sync_dir(real, e) : 0;
out:
    close(fd);
    if (rc != 0 && temp[0])
        unlink(temp);
    return rc;
}

int file_replace(const char *path, const void *p, size_t n, mode_t mode, struct err *e)
{
    return replace(path, p, n, mode, true, true, e);
}

int file_replace_soon(const char *path, const void *p, size_t n, mode_t mode, bool sync_bytes, struct err *e)
{
    return replace(path, p, n, mode, sync_bytes, false, e);
}

int file_make_dirs(const char *path, mode_t mode, struct err *e)
{
    char part[PATH_MAX];
    size_t n = strlen(path);

    if (n == 0 || n >= sizeof part)
        return err_set(e, ERR_RANGE, "a folder's path has 1 to %d bytes", PATH_MAX - 1);
    memcpy(part, path, n + 1);
    for (size_t i = 1; i <= n; i++) {
        if (part[i] != '/' && part[i] != '\0')
            continue;
        part[i] = '\0';
        if (mkdir(part, mode) != 0 && errno != EEXIST) {
            struct stat st;
            int why = errno;
            if (stat(part, &st) != 0 || !S_ISDIR(st.st_mode)) {
                errno = why;
                return err_sys(e, "make the folder %s", part);
            }
        }
        if (i < n)
            part[i] = '/';
    }
    return 0;
}

bool file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

/* A record lock: a forked child does not hold it on after its parent is gone, and the
 * kernel knows who holds it. */
int file_lock(const char *path, int *fd_out, struct err *e)
{
    struct flock want = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    struct flock has = want;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    int rc;

    if (fd < 0)
        return err_sys(e, "open the lock file %s", path);
    if (fcntl(fd, F_SETLK, &want) == 0) {
        *fd_out = fd;
        return 0;
    }
    if (errno != EACCES && errno != EAGAIN)
        rc = err_sys(e, "lock %s", path);
    else if (fcntl(fd, F_GETLK, &has) == 0 && has.l_type != F_UNLCK && has.l_pid > 0)
        rc = err_set(e, ERR_BUSY, "%s is held by process %d", path, (int)has.l_pid);
    else
        rc = err_set(e, ERR_BUSY, "%s is held by another process", path);
    close(fd);
    return rc;
}

int file_absolute(const char *path, char *out, size_t cap, struct err *e)
{
    char cwd[PATH_MAX];
    int n;

    if (path[0] == '/') {
        n = snprintf(out, cap, "%s", path);
    } else {
        if (!getcwd(cwd, sizeof cwd))
            return err_sys(e, "read the present folder");
        n = snprintf(out, cap, "%s%s%s", cwd, strcmp(cwd, "/") ? "/" : "", path);
    }
    if (n < 0 || (size_t)n >= cap)
        return err_set(e, ERR_RANGE, "the path %s is too long", path);
    return 0;
}
