/* A client over a real socket, in the loop of the server that it talks to: what has come in is gathered. */
#ifndef KV_TESTS_CLIENT_H
#define KV_TESTS_CLIENT_H

#include "common/base/str.h"
#include "common/io/stream.h"
#include "tests/support/suite.h"
#include "tests/support/turns.h"

#include <string.h>

struct cl {
    struct stream *s;
    struct str got;
    bool up, ended;
};

static inline void cl_up(struct stream *s, void *o)
{
    (void)s;
    ((struct cl *)o)->up = true;
}

static inline void cl_data(struct stream *s, void *o)
{
    struct buf *in = stream_in(s);

    str_append(&((struct cl *)o)->got, buf_data(in), buf_len(in));
    buf_consume(in, buf_len(in));
}

static inline void cl_end(struct stream *s, enum stream_end how, int why, void *o)
{
    (void)how, (void)why;
    ((struct cl *)o)->ended = true;
    stream_close(s);
}

/* Connected when it returns. */
static inline void cl_open_at(struct cl *c, struct loop *l, int port)
{
    static const struct stream_events events = {cl_up, cl_data, cl_end, NULL};
    struct addr to;

    memset(c, 0, sizeof *c);
    addr_set(&to, "127.0.0.1", 9, port);
    c->s = stream_connect(l, &to, NULL, 1000, &events, c);
    turn_until(l, c->up);
}

static inline void cl_send(struct cl *c, const char *text) { stream_write(c->s, text, strlen(text)); }

static inline void cl_close(struct cl *c)
{
    if (!c->ended)
        stream_close(c->s);
    str_fini(&c->got);
}

#endif
