/* What went wrong with the world (disk, peer, configuration): a code and one
 * sentence. Functions that can fail return 0 or a negative code and fill the
 * struct err they were given; e may be NULL when the caller does not care. */
#ifndef KV_BASE_ERR_H
#define KV_BASE_ERR_H

#include <stddef.h>

enum err_code {
    ERR_OK = 0,
    ERR_SYS = -1,          /* a system call failed; err.sys_errno says which way */
    ERR_FORMAT = -2,       /* bytes that do not follow their format */
    ERR_RANGE = -3,        /* a value outside its range */
    ERR_UNKNOWN = -4,      /* a name nobody knows */
    ERR_LIMIT = -5,        /* more than we are willing to hold */
    ERR_STALE = -6,        /* overtaken by something newer */
    ERR_BUSY = -7,         /* already being done, or in use */
    ERR_REFUSED = -8,      /* not allowed, or not supported */
    ERR_MISSING = -9,      /* something that must be there is not */
    ERR_TIMEOUT = -10,
    ERR_CLOSED = -11,      /* the other side went away */
    ERR_VERIFY = -12       /* checksum or signature does not match */
};

#define ERR_TEXT_MAX 512

struct err {
    int code;
    int sys_errno;
    char text[ERR_TEXT_MAX];
};

/* All three return the code, so that `return err_set(...)` reads well. */
int err_set(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* "<sentence>: <strerror(errno)>", code ERR_SYS */
int err_sys(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Put where we were in front: "<sentence>: <what it said before>"; keeps the code. */
int err_wrap(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

const char *err_code_name(int code);

#endif
