/* Signals become events of the turn: libev's handler only writes to its own wake-up. */
#include "common/io/signals.h"

#include <signal.h>

void signals_ignore_pipe(void)
{
    signal(SIGPIPE, SIG_IGN);
}

static void on_signal(struct ev_loop *ev, ev_signal *s, int revents)
{
    struct signal_watch *w = s->data;

    (void)ev, (void)revents;
    w->fn(s->signum, w->arg);
}

void signal_watch_start(struct signal_watch *w, struct loop *l, int signum, void (*fn)(int, void *), void *arg)
{
    w->fn = fn;
    w->arg = arg;
    w->loop = l;
    ev_signal_init(&w->ev, on_signal, signum);
    w->ev.data = w;
    ev_signal_start(loop_ev(l), &w->ev);
}

void signal_watch_stop(struct signal_watch *w)
{
    if (w->loop)
        ev_signal_stop(loop_ev(w->loop), &w->ev);
    w->loop = NULL;
}
