/* Opening beneath a root, one folder at a time. */
#include "agent/shell/roots.h"

#include "common/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

void roots_fini(struct roots *r)
{
    for (size_t i = 0; i < r->at.n; i++) {
        mem_free(r->at.at[i].name);
        mem_free(r->at.at[i].path);
    }
    vec_fini(&r->at);
}

int roots_add(struct roots *r, const char *name, const char *path, struct err *e)
{
    struct root *root;
    size_t n = strlen(path);

    if (roots_find(r, name))
        return err_set(e, ERR_BUSY, "root '%s' stands twice", name);
    if (path[0] != '/')
        return err_set(e, ERR_RANGE, "root '%s': '%s' must be an absolute path", name, path);
    root = vec_add(&r->at);
    root->name = mem_strdup(name);
    while (n > 1 && path[n - 1] == '/')
        n--;
    root->path = mem_strndup(path, n);
    return 0;
}

const struct root *roots_find(const struct roots *r, const char *name)
{
    for (size_t i = 0; i < r->at.n; i++)
        if (strcmp(r->at.at[i].name, name) == 0)
            return &r->at.at[i];
    return NULL;
}

static int open_beneath(int dirfd, const char *path, int flags)
{
    struct open_how how = {.flags = (unsigned long long)flags | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};

    return (int)syscall(SYS_openat2, dirfd, path, &how, sizeof how);
}

static int open_failed(const struct root *root, const char *path, struct err *e)
{
    if (errno == EXDEV || errno == ELOOP)
        return err_set(e, ERR_REFUSED, "'%s' leaves root '%s'", path, root->name);
    return err_sys(e, "open '%s' in root '%s' (%s)", path, root->name, root->path);
}

static int open_root(const struct root *root, int *fd, struct err *e)
{
    *fd = open(root->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return *fd >= 0 ? 0 : err_sys(e, "root '%s' (%s)", root->name, root->path);
}

int roots_open_dir(const struct root *root, const char *path, bool make, int *dirfd, const char **base, struct err *e)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? mem_strndup(path, (size_t)(slash - path)) : mem_strdup(".");
    int rootfd = -1, fd = -1, rc = open_root(root, &rootfd, e);

    if (rc != 0)
        goto out;
    fd = open_beneath(rootfd, folder, O_RDONLY | O_DIRECTORY);
    for (char *p = folder; fd < 0 && errno == ENOENT && make && p; ) {
        char *next = strchr(p, '/');
        const char *name;
        int up;

        if (next)
            *next = 0;
        name = strrchr(folder, '/');
        if (name) {
            char *parent = mem_strndup(folder, (size_t)(name - folder));

            up = open_beneath(rootfd, parent, O_RDONLY | O_DIRECTORY);
            mem_free(parent);
        } else {
            up = open_beneath(rootfd, ".", O_RDONLY | O_DIRECTORY);
        }
        if (up < 0 || (mkdirat(up, name ? name + 1 : folder, 0755) != 0 && errno != EEXIST)) {
            int saved = errno;

            if (up >= 0)
                close(up);
            errno = saved;
            rc = open_failed(root, folder, e);
            goto out;
        }
        fsync(up);
        close(up);
        if (next)
            *next = '/';
        p = next ? next + 1 : NULL;
        fd = open_beneath(rootfd, folder, O_RDONLY | O_DIRECTORY);
    }
    if (fd < 0) {
        rc = open_failed(root, folder, e);
        goto out;
    }
    *dirfd = fd;
    *base = slash ? slash + 1 : path;
out:
    if (rootfd >= 0)
        close(rootfd);
    mem_free(folder);
    return rc;
}

int roots_open_file(const struct roots *r, const char *absolute, int *fd, struct err *e)
{
    for (size_t i = 0; i < r->at.n; i++) {
        const struct root *root = &r->at.at[i];
        size_t n = strlen(root->path);
        int rootfd, rc;

        if (strncmp(absolute, root->path, n) != 0 || (absolute[n] != '/' && n > 1))
            continue;
        rc = open_root(root, &rootfd, e);
        if (rc != 0)
            return rc;
        *fd = open_beneath(rootfd, absolute + n + (n > 1), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
        if (*fd < 0)
            rc = open_failed(root, absolute, e);
        close(rootfd);
        return rc;
    }
    return err_set(e, ERR_REFUSED, "'%s' lies beneath no named root", absolute);
}
