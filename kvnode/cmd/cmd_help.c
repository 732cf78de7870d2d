/* Reading arguments, and answering when they are wrong. */
#include "kvnode/cmd/cmd.h"

#include "common/base/num.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

bool want_type(struct call *c, struct object *o, enum obj_type t)
{
    if (!o || o->type == t)
        return true;
    reply_error(c->reply, TEXT_WRONGTYPE);
    return false;
}

bool arg_i64(struct call *c, int i, int64_t *out)
{
    if (num_i64(c->argv[i].p, c->argv[i].len, out))
        return true;
    reply_error(c->reply, TEXT_NOT_INT);
    return false;
}

bool arg_f80(struct call *c, int i, long double *out)
{
    if (num_f80(c->argv[i].p, c->argv[i].len, out) && *out == *out)
        return true;
    reply_error(c->reply, TEXT_NOT_FLOAT);
    return false;
}

size_t put_f80(char out[F80_TEXT_MAX], long double v)
{
    int n = snprintf(out, F80_TEXT_MAX, "%.17Lf", v);

    while (n > 1 && out[n - 1] == '0')
        n--;
    if (n > 0 && out[n - 1] == '.')
        n--;
    if (n == 2 && out[0] == '-' && out[1] == '0') {
        out[0] = '0';
        n = 1;
    }
    return (size_t)n;
}

bool arg_is(const struct call *c, int i, const char *word) { return slice_is_nocase(c->argv[i], word); }

/* As strtoull reads it, negative numbers and all: clients hand back what they got, people try things. */
bool arg_cursor(struct call *c, int i, uint64_t *out)
{
    char text[32], *end;

    errno = 0;
    if (slice_copy_z(c->argv[i], text, sizeof text) && !isspace((unsigned char)text[0])) {
        *out = strtoull(text, &end, 10);
        if (*end == '\0' && errno == 0)
            return true;
    }
    reply_error(c->reply, "ERR invalid cursor");
    return false;
}

bool arg_scan(struct call *c, int at, bool may_type, struct scan_opts *o)
{
    o->count = 10;
    for (int i = at; i < c->argc; i += 2) {
        bool more = i + 1 < c->argc;

        if (more && arg_is(c, i, "count")) {
            if (!arg_i64(c, i + 1, &o->count))
                return false;
            if (o->count < 1) {
                reply_error(c->reply, TEXT_SYNTAX);
                return false;
            }
        } else if (more && arg_is(c, i, "match")) {
            o->pattern = c->argv[i + 1];
            o->match = !slice_is(o->pattern, "*");
        } else if (more && may_type && arg_is(c, i, "type")) {
            o->type = c->argv[i + 1];
            o->by_type = true;
        } else {
            reply_error(c->reply, TEXT_SYNTAX);
            return false;
        }
    }
    return true;
}

void scan_begin(struct reply *r, struct scan_reply *s) { s->at = buf_len(r->out); }

void scan_end(struct reply *r, struct scan_reply *s, uint64_t cursor, size_t n)
{
    struct str items = {0};

    str_append(&items, buf_data(r->out) + s->at, buf_len(r->out) - s->at);
    buf_cut(r->out, s->at);
    reply_array(r, 2);
    reply_bulkf(r, "%llu", (unsigned long long)cursor);
    reply_array(r, n);
    if (items.len > 0)
        reply_raw(r, items.p, items.len);
    str_fini(&items);
}
