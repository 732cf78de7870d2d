/* Signals as loop events (never in handlers). SIGPIPE is ignored. */
#ifndef KV_IO_SIGNALS_H
#define KV_IO_SIGNALS_H

#include "common/io/loop.h"

struct signal_watch {
    ev_signal ev;
    void (*fn)(int signum, void *arg);
    void *arg;
    struct loop *loop;
};
void signals_ignore_pipe(void);
void signal_watch_start(struct signal_watch *w, struct loop *l, int signum, void (*fn)(int, void *), void *arg);
void signal_watch_stop(struct signal_watch *w);

#endif
