/* Children: exec a program with a time limit, or fork to do long work (a snapshot).
 * Their end is an event. Descriptors of ours are not inherited (close-on-exec). */
#ifndef KV_IO_CHILD_H
#define KV_IO_CHILD_H

#include "common/base/err.h"
#include "common/base/str.h"
#include "common/io/loop.h"

#include <sys/types.h>

struct child;
struct child_end {
    bool timed_out;
    int  exit_code;            /* -1 when ended by a signal */
    int  signal;
    struct slice output;       /* stdout and stderr together, at most output_max (exec only) */
};
typedef void child_fn(void *arg, const struct child_end *end);

struct child_exec {
    const char *const *argv;       /* argv[0] is a path; NULL-terminated; no shell, PATH not searched unless search_path */
    bool search_path;
    const char *const *env;        /* NULL = ours */
    const char *dir;
    int64_t timeout_ms;            /* 0 = none; SIGTERM, then SIGKILL 1 s later, to its process group */
    size_t  output_max;            /* 0 = output goes to /dev/null */
};
int  child_exec(struct loop *l, const struct child_exec *x, child_fn *fn, void *arg, struct child **out, struct err *e);
/* fork: run(arg) in the child, its return is the exit code. read_fd (may be NULL): the parent's end of a pipe whose
 * other end the child finds in child_pipe_fd(). */
int  child_fork(struct loop *l, int (*run)(void *arg), void *run_arg, child_fn *fn, void *arg, int *read_fd,
                struct child **out, struct err *e);
int  child_pipe_fd(void);
void child_kill(struct child *c, int signum);    /* its end is still told */
void child_forget(struct child *c);              /* fn will not be called; it is reaped */
pid_t child_pid(const struct child *c);

#endif
