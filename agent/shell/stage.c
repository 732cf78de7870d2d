/* Plain file work, none of it in place. */
#include "agent/shell/stage.h"

#include "common/base/mem.h"
#include "common/io/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TARGET_MAX ((size_t)64 * 1024 * 1024)

void stage_init(struct stage *s) { memset(s, 0, sizeof *s); }

void stage_fini(struct stage *s)
{
    for (size_t i = 0; i < s->files.n; i++)
        mem_free(s->files.at[i].tmp);
    vec_fini(&s->files);
    mem_free(s->keep_dir);
    memset(s, 0, sizeof *s);
}

static int root_of(const struct plan_file *f, const struct roots *r, const struct root **out, struct err *e)
{
    *out = roots_find(r, f->root);
    return *out ? 0 : err_set(e, ERR_REFUSED, "root '%s' is not named here (root in the agent's configuration)", f->root);
}

static int open_dir(const struct plan_file *f, const struct roots *r, bool make, int *dirfd, const char **base,
                    struct err *e)
{
    const struct root *root;
    int rc = root_of(f, r, &root, e);

    return rc != 0 ? rc : roots_open_dir(root, f->path, make, dirfd, base, e);
}

static int owner_ids(const struct plan_file *f, struct stage_file *s, struct err *e)
{
    s->uid = s->gid = -1;
    if (f->owner) {
        struct passwd *pw = getpwnam(f->owner);

        if (!pw)
            return err_set(e, ERR_UNKNOWN, "%s: there is no user '%s' here", f->path, f->owner);
        s->uid = (long)pw->pw_uid;
    }
    if (f->group) {
        struct group *gr = getgrnam(f->group);

        if (!gr)
            return err_set(e, ERR_UNKNOWN, "%s: there is no group '%s' here", f->path, f->group);
        s->gid = (long)gr->gr_gid;
    }
    return 0;
}

/* A regular file opened for reading, or *fd -1 when there is none. */
static int open_regular(int dirfd, const char *name, int *fd, struct stat *st, struct err *e)
{
    *fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (*fd < 0 && errno == ENOENT)
        return 0;
    if (*fd < 0 && errno == ELOOP)
        return err_set(e, ERR_REFUSED, "'%s' is a symbolic link; links are not replaced", name);
    if (*fd < 0)
        return err_sys(e, "open '%s'", name);
    if (fstat(*fd, st) != 0 || !S_ISREG(st->st_mode)) {
        close(*fd);
        *fd = -1;
        return err_set(e, ERR_REFUSED, "'%s' is not a regular file", name);
    }
    return 0;
}

static int slurp_fd(int fd, size_t size, struct str *out, struct err *e)
{
    size_t at = 0;

    if (size > TARGET_MAX)
        return err_set(e, ERR_LIMIT, "larger than 64 MiB");
    str_reserve(out, size + 1);
    for (;;) {
        char block[65536];
        ssize_t n = pread(fd, block, sizeof block, (off_t)at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(e, "read");
        if (n == 0)
            return 0;
        str_append(out, block, (size_t)n);
        at += (size_t)n;
        if (at > TARGET_MAX)
            return err_set(e, ERR_LIMIT, "larger than 64 MiB");
    }
}

static int look_one(struct stage_file *s, const struct plan_file *f, const struct roots *r, struct err *e)
{
    struct file_wish want = {{str_c(&f->bytes), f->bytes.len}, f->mode, s->uid, s->gid};
    struct file_fact is = {0};
    struct str bytes = {0};
    struct stat st;
    const char *base;
    int dirfd = -1, fd = -1, rc;
    struct err why = {0};

    rc = open_dir(f, r, false, &dirfd, &base, &why);
    if (rc == ERR_SYS && why.sys_errno == ENOENT)
        rc = 0;         /* the folder comes with the file */
    else if (rc == 0)
        rc = open_regular(dirfd, base, &fd, &st, &why);
    if (rc == 0 && fd >= 0) {
        rc = slurp_fd(fd, (size_t)st.st_size, &bytes, &why);
        is = (struct file_fact){true, {str_c(&bytes), bytes.len}, (int)(st.st_mode & 07777), (long)st.st_uid,
                                (long)st.st_gid};
        s->had = true;
        sha_bytes(str_c(&bytes), bytes.len, s->sha_old);
    }
    if (rc == 0)
        s->differs = diff_file(&want, &is, &s->diff);
    else if (e)
        *e = why;
    if (fd >= 0)
        close(fd);
    if (dirfd >= 0)
        close(dirfd);
    str_fini(&bytes);
    return rc;
}

int stage_look(struct stage *s, const struct plan *p, const struct roots *r, const char *id, struct err *e)
{
    for (size_t i = 0; i < p->files.n; i++) {
        const struct plan_file *f = &p->files.at[i];
        struct stage_file *sf = vec_add(&s->files);
        const char *slash = strrchr(f->path, '/');
        struct str tmp = {0};
        int rc = owner_ids(f, sf, e);

        str_printf(&tmp, ".%s.agent-%s", slash ? slash + 1 : f->path, id);
        sf->tmp = str_take(&tmp);
        sf->mode = f->mode;
        sha_bytes(str_c(&f->bytes), f->bytes.len, sf->sha_new);
        if (rc == 0)
            rc = look_one(sf, f, r, e);
        if (rc != 0)
            return err_wrap(e, "%s/%s", f->root, f->path);
        if (sf->differs)
            s->changes++;
        s->lines_added += sf->diff.lines_added;
        s->lines_removed += sf->diff.lines_removed;
    }
    return 0;
}

static int write_new(int dirfd, const struct stage_file *s, const struct plan_file *f, struct err *e)
{
    int fd = openat(dirfd, s->tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600), rc;

    if (fd < 0)
        return err_sys(e, "create '%s'", s->tmp);
    rc = file_write_all(fd, str_c(&f->bytes), f->bytes.len, e);
    if (rc == 0 && (s->uid >= 0 || s->gid >= 0) && fchown(fd, (uid_t)s->uid, (gid_t)s->gid) != 0)
        rc = err_sys(e, "give '%s' to %s:%s", f->path, f->owner ? f->owner : "-", f->group ? f->group : "-");
    if (rc == 0 && fchmod(fd, (mode_t)s->mode) != 0)
        rc = err_sys(e, "set the mode of '%s'", s->tmp);
    if (rc == 0)
        sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);      /* only begun: the disk is waited for once, in stage_sync */
    close(fd);
    return rc;
}

int stage_write(struct stage *s, const struct plan *p, const struct roots *r, struct err *e)
{
    for (size_t i = 0; i < s->files.n; i++) {
        const struct plan_file *f = &p->files.at[i];
        const char *base;
        int dirfd, rc;

        if (!s->files.at[i].differs)
            continue;
        rc = open_dir(f, r, true, &dirfd, &base, e);
        if (rc == 0) {
            rc = write_new(dirfd, &s->files.at[i], f, e);
            close(dirfd);
        }
        if (rc != 0)
            return err_wrap(e, "%s/%s", f->root, f->path);
    }
    return 0;
}

/* The file `from` of one folder also as `to` of another: a hard link, or a copy where links do not reach. */
static int link_or_copy(int fromdir, const char *from, int todir, const char *to, struct err *e)
{
    struct str bytes = {0};
    struct stat st;
    int fd = -1, out = -1, rc;

    if (unlinkat(todir, to, 0) != 0 && errno != ENOENT)
        return err_sys(e, "remove '%s'", to);
    if (linkat(fromdir, from, todir, to, 0) == 0)
        return 0;
    if (errno != EXDEV && errno != EPERM && errno != EMLINK && errno != EOPNOTSUPP && errno != EACCES)
        return err_sys(e, "link '%s'", from);
    rc = open_regular(fromdir, from, &fd, &st, e);
    if (rc == 0 && fd < 0)
        rc = err_set(e, ERR_MISSING, "'%s' is gone", from);
    if (rc == 0)
        rc = slurp_fd(fd, (size_t)st.st_size, &bytes, e);
    if (rc == 0 && (out = openat(todir, to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)) < 0)
        rc = err_sys(e, "create '%s'", to);
    if (rc == 0)
        rc = file_write_all(out, str_c(&bytes), bytes.len, e);
    /* Owner first: changing it clears bits of the mode. Only root may give files away; others keep what they may. */
    if (rc == 0 && fchown(out, st.st_uid, st.st_gid) != 0 && geteuid() == 0)
        rc = err_sys(e, "give '%s' its owner", to);
    if (rc == 0 && (fchmod(out, st.st_mode & 07777) != 0 || fsync(out) != 0))
        rc = err_sys(e, "finish '%s'", to);
    if (fd >= 0)
        close(fd);
    if (out >= 0)
        close(out);
    str_fini(&bytes);
    return rc;
}

int stage_keep(struct stage *s, const struct plan *p, const struct roots *r, struct err *e)
{
    int keepfd, rc = file_make_dirs(s->keep_dir, 0700, e);

    if (rc != 0)
        return rc;
    keepfd = open(s->keep_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (keepfd < 0)
        return err_sys(e, "open %s", s->keep_dir);
    for (size_t i = 0; rc == 0 && i < s->files.n; i++) {
        const struct plan_file *f = &p->files.at[i];
        char name[24];
        const char *base;
        int dirfd;

        if (!s->files.at[i].differs || !s->files.at[i].had)
            continue;
        snprintf(name, sizeof name, "%zu", i);
        rc = open_dir(f, r, false, &dirfd, &base, e);
        if (rc == 0) {
            rc = link_or_copy(dirfd, base, keepfd, name, e);
            close(dirfd);
        }
        if (rc != 0)
            err_wrap(e, "keep %s/%s in %s", f->root, f->path, s->keep_dir);
    }
    close(keepfd);
    return rc;
}

static int sync_at(int dirfd, const char *name, struct err *e)
{
    int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC), rc = 0;

    if (fd < 0)
        return err_sys(e, "open '%s'", name);
    if (fsync(fd) != 0)
        rc = err_sys(e, "sync '%s'", name);
    close(fd);
    return rc;
}

int stage_sync(const struct stage *s, const struct plan *p, const struct roots *r, struct err *e)
{
    for (size_t i = 0; i < s->files.n; i++) {
        const char *base;
        int dirfd, rc;

        if (!s->files.at[i].differs)
            continue;
        rc = open_dir(&p->files.at[i], r, false, &dirfd, &base, e);
        if (rc == 0) {
            rc = sync_at(dirfd, s->files.at[i].tmp, e);
            close(dirfd);
        }
        if (rc != 0)
            return err_wrap(e, "%s/%s", p->files.at[i].root, p->files.at[i].path);
    }
    return sync_at(AT_FDCWD, s->keep_dir, e);
}

/* The digest of a file in a folder; false when there is none that can be read. */
static bool sha_at(int dirfd, const char *name, char out[SHA_MAX])
{
    struct stat st;
    int fd = -1;
    bool ok = open_regular(dirfd, name, &fd, &st, NULL) == 0 && fd >= 0 && sha_fd(fd, out, NULL) == 0;

    if (fd >= 0)
        close(fd);
    return ok;
}

static bool is_in_place(int dirfd, const char *base, const struct stage_file *s)
{
    char sha[SHA_MAX];

    return faccessat(dirfd, s->tmp, F_OK, AT_SYMLINK_NOFOLLOW) != 0 && sha_at(dirfd, base, sha) &&
           strcmp(sha, s->sha_new) == 0;
}

static int swap_one(const struct stage_file *s, const struct plan_file *f, const struct roots *r, bool *renamed,
                    struct err *e)
{
    const char *base;
    int dirfd, rc = open_dir(f, r, false, &dirfd, &base, e);

    if (rc != 0)
        return rc;
    if (renameat(dirfd, s->tmp, dirfd, base) == 0)
        *renamed = true;
    else if (errno == ENOENT && is_in_place(dirfd, base, s))
        *renamed = true;
    else if (errno == EBUSY)
        rc = err_set(e, ERR_BUSY, "'%s' is a mount point of its own and cannot be replaced by a rename", f->path);
    else
        rc = err_sys(e, "rename over '%s'", f->path);
    if (rc == 0 && fsync(dirfd) != 0)
        rc = err_sys(e, "sync the folder of '%s'", f->path);
    close(dirfd);
    return rc;
}

int stage_swap(struct stage *s, const struct plan *p, const struct roots *r, size_t *renamed, struct err *e)
{
    *renamed = 0;
    for (size_t i = 0; i < s->files.n; i++) {
        bool done = false;
        int rc;

        if (!s->files.at[i].differs)
            continue;
        rc = swap_one(&s->files.at[i], &p->files.at[i], r, &done, e);
        if (done)
            ++*renamed;
        if (rc != 0)
            return err_wrap(e, "%s/%s", p->files.at[i].root, p->files.at[i].path);
    }
    return 0;
}

static int restore_one(const struct stage *s, size_t i, const struct plan_file *f, const struct roots *r, int keepfd,
                       struct err *e)
{
    const struct stage_file *sf = &s->files.at[i];
    char sha[SHA_MAX], name[24];
    const char *base;
    int dirfd, rc = open_dir(f, r, false, &dirfd, &base, e);
    bool there;

    if (rc != 0)
        return rc;
    there = sha_at(dirfd, base, sha);
    unlinkat(dirfd, sf->tmp, 0);
    if (!sf->had) {
        if (there && strcmp(sha, sf->sha_new) == 0 && unlinkat(dirfd, base, 0) != 0)
            rc = err_sys(e, "remove '%s'", f->path);
    } else {
        /* Also when the bytes are the old ones: mode and owner come back with the kept file. */
        snprintf(name, sizeof name, "%zu", i);
        if (keepfd < 0 || faccessat(keepfd, name, F_OK, 0) != 0) {
            if (!there || strcmp(sha, sf->sha_old) != 0)
                rc = err_set(e, ERR_MISSING, "the kept copy of '%s' is gone (%s/%s)", f->path, s->keep_dir, name);
        } else {
            rc = link_or_copy(keepfd, name, dirfd, sf->tmp, e);
            if (rc == 0 && renameat(dirfd, sf->tmp, dirfd, base) != 0)
                rc = err_sys(e, "rename over '%s'", f->path);
            unlinkat(dirfd, sf->tmp, 0);      /* renaming a link over its twin leaves it there */
        }
    }
    if (rc == 0 && fsync(dirfd) != 0)
        rc = err_sys(e, "sync the folder of '%s'", f->path);
    close(dirfd);
    return rc;
}

int stage_restore(struct stage *s, const struct plan *p, const struct roots *r, struct err *e)
{
    int keepfd = s->keep_dir ? open(s->keep_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1, rc = 0;

    for (size_t i = s->files.n; i-- > 0;) {
        struct err why = {0};

        if (!s->files.at[i].differs)
            continue;
        if (restore_one(s, i, &p->files.at[i], r, keepfd, &why) != 0 && rc == 0) {   /* the others still come back */
            rc = why.code;
            if (e)
                *e = why;
            err_wrap(e, "%s/%s", p->files.at[i].root, p->files.at[i].path);
        }
    }
    if (keepfd >= 0)
        close(keepfd);
    return rc;
}

void stage_discard(struct stage *s, const struct plan *p, const struct roots *r)
{
    for (size_t i = 0; i < s->files.n; i++) {
        const char *base;
        int dirfd;

        if (!s->files.at[i].differs || open_dir(&p->files.at[i], r, false, &dirfd, &base, NULL) != 0)
            continue;
        unlinkat(dirfd, s->files.at[i].tmp, 0);
        close(dirfd);
    }
}

/* ".<base>.agent-" and 8 hex digits */
static bool is_leftover(const char *name, const char *base)
{
    size_t n = strlen(base);

    return name[0] == '.' && strncmp(name + 1, base, n) == 0 && strncmp(name + 1 + n, ".agent-", 7) == 0 &&
           strspn(name + n + 8, "0123456789abcdef") == 8 && strlen(name + n + 8) == 8;
}

void stage_sweep(const struct plan *p, const struct roots *r)
{
    for (size_t i = 0; i < p->files.n; i++) {
        struct dirent *d;
        const char *base;
        int folder = -1;
        DIR *dir;

        if (open_dir(&p->files.at[i], r, false, &folder, &base, NULL) != 0)
            continue;
        dir = fdopendir(folder);
        while (dir && (d = readdir(dir)) != NULL)
            if (is_leftover(d->d_name, base))
                unlinkat(folder, d->d_name, 0);
        if (dir)
            closedir(dir);
        else
            close(folder);
    }
}

bool stage_whole(const struct stage *s, const struct plan *p, const struct roots *r)
{
    for (size_t i = 0; i < s->files.n; i++) {
        const struct stage_file *sf = &s->files.at[i];
        char sha[SHA_MAX];
        const char *base;
        int dirfd;
        bool whole;

        if (!sf->differs)
            continue;
        if (open_dir(&p->files.at[i], r, false, &dirfd, &base, NULL) != 0)
            return false;
        whole = (sha_at(dirfd, sf->tmp, sha) && strcmp(sha, sf->sha_new) == 0) || is_in_place(dirfd, base, sf);
        close(dirfd);
        if (!whole)
            return false;
    }
    return true;
}

int stage_path(const struct stage *s, const struct plan *p, const struct roots *r, struct slice path, struct str *out,
               struct err *e)
{
    for (size_t i = 0; i < p->files.n; i++) {
        const struct plan_file *f = &p->files.at[i];
        const struct root *root;
        const char *base;
        int dirfd, rc;

        if (!slice_is(path, f->path))
            continue;
        rc = root_of(f, r, &root, e);
        if (rc == 0)
            rc = open_dir(f, r, false, &dirfd, &base, e);
        if (rc != 0)
            return rc;
        str_printf(out, "%s/%.*s", root->path, (int)(base - f->path), f->path);
        if (s->files.at[i].differs && !is_in_place(dirfd, base, &s->files.at[i]))
            str_append_z(out, s->files.at[i].tmp);
        else
            str_append_z(out, base);
        close(dirfd);
        return 0;
    }
    return err_set(e, ERR_MISSING, "{{staged:%.*s}} names no file of this document", (int)path.len, path.p);
}
