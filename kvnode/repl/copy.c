/* Head, then payload. Of the form with a mark the last 39 bytes are kept back, because the
 * mark may be coming in pieces. */
#include "kvnode/repl/copy.h"

#include "common/base/num.h"

#include <string.h>

#define HEAD_MAX 256

static enum copy_answer take_head(struct copy *c, struct buf *in, struct err *e)
{
    int64_t n;

    while (buf_len(in) > 0 && buf_data(in)[0] == '\n')
        buf_consume(in, 1);            /* the primary is still at it */
    const char *p = buf_data(in);
    const char *end = buf_len(in) ? memchr(p, '\n', buf_len(in)) : NULL;
    if (end == NULL) {
        if (buf_len(in) > HEAD_MAX)
            goto bad;
        return COPY_MORE;
    }
    size_t len = (size_t)(end - p);
    if (len > 0 && p[len - 1] == '\r')
        len--;
    if (len > 0 && p[0] == '-') {
        err_set(e, ERR_REFUSED, "the primary could not make a copy: %.*s", (int)(len < 200 ? len : 200), p);
        return COPY_BAD;
    }
    if (len == 5 + COPY_MARK && memcmp(p, "$EOF:", 5) == 0) {
        memcpy(c->mark, p + 5, COPY_MARK);
        c->form = COPY_BY_MARK;
    } else if (len > 1 && p[0] == '$' && num_i64_in(p + 1, len - 1, 1, INT64_MAX, &n)) {
        c->left = c->total = (uint64_t)n;
        c->form = COPY_BY_LENGTH;
    } else {
        goto bad;
    }
    buf_consume(in, (size_t)(end + 1 - p));
    return COPY_DONE;
bad:
    err_set(e, ERR_FORMAT, "the primary announces a copy in a form that is not known");
    return COPY_BAD;
}

/* How many bytes at the front are payload for sure; *last: and then it ends, with `behind` bytes to be dropped. */
static size_t payload(const struct copy *c, const struct buf *in, bool *last, size_t *behind)
{
    const char *p = buf_data(in);
    size_t n = buf_len(in);

    *behind = 0;
    if (c->form == COPY_BY_LENGTH) {
        *last = n >= c->left;
        return *last ? (size_t)c->left : n;
    }
    const char *found = n >= COPY_MARK ? memmem(p, n, c->mark, COPY_MARK) : NULL;
    *last = found != NULL;
    if (found) {
        *behind = COPY_MARK;
        return (size_t)(found - p);
    }
    return n < COPY_MARK ? 0 : n - (COPY_MARK - 1);
}

enum copy_answer copy_take(struct copy *c, struct buf *in, struct load *(*start)(void *arg), void *arg, struct err *e)
{
    bool last;
    size_t behind;

    if (c->form == COPY_HEAD) {
        enum copy_answer a = take_head(c, in, e);
        if (a != COPY_DONE)
            return a;
        c->load = start(arg);
    }
    if (c->form == COPY_COMPLETE)
        return COPY_DONE;
    size_t n = payload(c, in, &last, &behind);
    size_t took = n ? load_push(c->load, buf_data(in), n) : 0;
    buf_consume(in, took);
    c->taken += took;
    if (c->form == COPY_BY_LENGTH)
        c->left -= took;
    if (took < n)
        return COPY_FULL;
    if (!last)
        return COPY_MORE;
    buf_consume(in, behind);
    c->form = COPY_COMPLETE;
    load_eof(c->load);
    return COPY_DONE;
}
