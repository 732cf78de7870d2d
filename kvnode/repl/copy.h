/* The payload of a full sync: "$<length>" or "$EOF:<mark>" and an RDB, pushed into a load as
 * it comes. What follows it in the buffer is left there: the stream. */
#ifndef KV_REPL_COPY_H
#define KV_REPL_COPY_H

#include "common/base/buf.h"
#include "kvnode/disk/load.h"

#define COPY_MARK 40

enum copy_form { COPY_HEAD, COPY_BY_LENGTH, COPY_BY_MARK, COPY_COMPLETE };

struct copy {
    enum copy_form form;
    uint64_t left;             /* BY_LENGTH */
    char mark[COPY_MARK];      /* BY_MARK */
    uint64_t total;            /* 0: not known */
    uint64_t taken;
    struct load *load;         /* NULL until the head is there, and again after its end was told */
};

enum copy_answer {
    COPY_MORE,                 /* everything that is there was taken */
    COPY_FULL,                 /* the load has no room now; it says when it has */
    COPY_DONE,                 /* the payload is complete, the load is told so */
    COPY_BAD                   /* e says why */
};

/* start: makes the load, once the head has come. */
enum copy_answer copy_take(struct copy *c, struct buf *in, struct load *(*start)(void *arg), void *arg, struct err *e);

#endif
