/* The file says its own inode number and moment of birth. Copying a file makes another
 * inode at another moment; moving the folder within its file system, a reboot, or a new
 * device number change neither. */
#include "common/io/born.h"

#include "common/io/fault.h"
#include "common/io/file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define FORM "kvorum-born 1\nid %32[0-9a-f]\ninode %llu\nmade %lld.%u\n"

struct place {
    unsigned long long inode;
    long long made_s;                /* 0.0: this file system does not keep it */
    unsigned made_ns;
};

static int place_of(int fd, struct place *p, struct err *e)
{
    struct statx st;

    if (statx(fd, "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &st) != 0)
        return err_sys(e, "look at the state folder's 'born'");
    memset(p, 0, sizeof *p);
    p->inode = st.stx_ino;
    if (st.stx_mask & STATX_BTIME) {
        p->made_s = st.stx_btime.tv_sec;
        p->made_ns = st.stx_btime.tv_nsec;
    }
    return 0;
}

int born_read(const char *dir, struct statelog_born *out, struct err *e)
{
    char path[PATH_MAX], text[256] = "";
    struct place here, then = {0};
    int fd, rc;
    ssize_t n;

    memset(out, 0, sizeof *out);
    if ((size_t)snprintf(path, sizeof path, "%s/born", dir) >= sizeof path)
        return err_set(e, ERR_RANGE, "the path %s is too long", dir);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return err_set(e, ERR_MISSING, "%s is missing", path);
    if (fd < 0)
        return err_sys(e, "open %s", path);
    n = read(fd, text, sizeof text - 1);
    rc = n < 0 ? err_sys(e, "read %s", path) : place_of(fd, &here, e);
    close(fd);
    if (rc != 0)
        return rc;
    if (sscanf(text, FORM, out->id, &then.inode, &then.made_s, &then.made_ns) != 4 || strlen(out->id) != 32)
        return err_set(e, ERR_FORMAT, "%s is damaged", path);
    if (then.inode != here.inode || then.made_s != here.made_s || then.made_ns != here.made_ns) {
        out->copied = true;
        snprintf(out->why, sizeof out->why, "%.150s is a copy (or came back from a backup): it was not made here. If the "
                 "one it was copied from is gone for good, remove its file 'born'; else empty it", dir);
    }
    return 0;
}

static void random_hex(char out[STATELOG_ID_MAX])
{
    unsigned char raw[16];

    if (getrandom(raw, sizeof raw, 0) != (ssize_t)sizeof raw)
        memset(raw, 0, sizeof raw);
    for (size_t i = 0; i < sizeof raw; i++)
        snprintf(out + 2 * i, 3, "%02x", raw[i]);
}

int born_make(const char *dir, struct statelog_born *out, struct err *e)
{
    char path[PATH_MAX], temp[PATH_MAX], text[256];
    struct statelog_born made = {.fresh = true};
    struct place here;
    int fd, rc, n;

    if ((size_t)snprintf(path, sizeof path, "%s/born", dir) >= sizeof path - 4)
        return err_set(e, ERR_RANGE, "the path %s is too long", dir);
    snprintf(temp, sizeof temp, "%.*s.tmp", (int)sizeof temp - 5, path);
    unlink(temp);
    fd = fault_open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0)
        return err_sys(e, "create %s", temp);
    random_hex(made.id);
    rc = place_of(fd, &here, e);
    if (rc == 0) {
        n = snprintf(text, sizeof text, "kvorum-born 1\nid %s\ninode %llu\nmade %lld.%u\n", made.id, here.inode, here.made_s,
                     here.made_ns);
        if (fault_write(fd, text, (size_t)n) != n)
            rc = err_sys(e, "write %s", temp);
    }
    if (rc == 0 && fault_fsync(fd) != 0)
        rc = err_sys(e, "sync %s", temp);
    if (rc == 0 && fault_rename(temp, path) != 0)
        rc = err_sys(e, "put %s in its place", path);
    close(fd);
    if (rc == 0)
        rc = file_sync_dir(path, e);
    else
        unlink(temp);
    if (rc == 0)
        *out = made;
    return rc;
}
