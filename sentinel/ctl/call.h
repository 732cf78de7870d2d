/* One question after the other: a link is opened, a command is sent, the loop turns
 * until its answer is there or the time is up. */
#ifndef KV_CTL_CALL_H
#define KV_CTL_CALL_H

#include "common/base/addr.h"
#include "common/base/err.h"
#include "common/io/loop.h"
#include "common/io/resolve.h"
#include "sentinel/ctl/val.h"

#include <stdarg.h>

struct conn;

struct conn_opts {
    struct loop *loop;
    struct resolver *resolver;
    struct addr to;
    const char *user, *password;     /* NULL = none */
    int64_t timeout_ms;              /* for connecting, and for each answer */
};

int  conn_open(const struct conn_opts *o, struct conn **out, struct err *e);
void conn_close(struct conn *c);
/* The answer (an error reply is an answer: val_is_error), or a negative code when none came. */
int  conn_call(struct conn *c, int argc, const struct slice *argv, struct val **out, struct err *e);
#define CALL_WORDS_MAX 16
/* The words of a call that ends with NULL; how many. */
int  call_words(struct slice argv[CALL_WORDS_MAX], const char *first, va_list ap);
int  conn_callz(struct conn *c, struct val **out, struct err *e, const char *first, ...) __attribute__((sentinel));
/* From now on each answer may take so long: what is decided by several takes longer than a question. */
void conn_be_patient(struct conn *c, int64_t timeout_ms);
void conn_set_timeout(struct conn *c, int64_t timeout_ms);      /* back to this, whatever patience was asked for before */
/* Turn the loop for a while. */
void conn_sleep(struct loop *l, int64_t ms);

#endif
