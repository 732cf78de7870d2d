/* Asking a parsed reply without ever tripping over its shape. */
#include "common/text/reply_walk.h"

#include "common/base/num.h"

#include <hiredis/hiredis.h>
#include <string.h>

static bool is_array(const struct redisReply *r)
{
    return r && r->type == REDIS_REPLY_ARRAY;
}

bool reply_is_error(const struct redisReply *r)
{
    return r && r->type == REDIS_REPLY_ERROR;
}

bool reply_error_is(const struct redisReply *r, const char *code)
{
    struct slice text = reply_text(r);
    size_t n = strlen(code);

    return reply_is_error(r) && text.len >= n && memcmp(text.p, code, n) == 0 &&
           (text.len == n || text.p[n] == ' ');
}

bool reply_is_status(const struct redisReply *r, const char *z)
{
    return r && r->type == REDIS_REPLY_STATUS && slice_is(reply_text(r), z);
}

bool reply_is_nil(const struct redisReply *r)
{
    return r && r->type == REDIS_REPLY_NIL;
}

size_t reply_len(const struct redisReply *r)
{
    return is_array(r) ? r->elements : 0;
}

const struct redisReply *reply_at(const struct redisReply *r, size_t i)
{
    return i < reply_len(r) ? r->element[i] : NULL;
}

struct slice reply_text(const struct redisReply *r)
{
    if (r && r->str &&
        (r->type == REDIS_REPLY_STRING || r->type == REDIS_REPLY_STATUS || r->type == REDIS_REPLY_ERROR))
        return (struct slice){r->str, (size_t)r->len};
    return (struct slice){"", 0};
}

bool reply_text_at(const struct redisReply *r, size_t i, struct slice *out)
{
    const struct redisReply *x = reply_at(r, i);

    if (!x || (x->type != REDIS_REPLY_STRING && x->type != REDIS_REPLY_STATUS))
        return false;
    *out = reply_text(x);
    return true;
}

bool reply_i64(const struct redisReply *r, int64_t *out)
{
    struct slice text;

    if (!r || reply_is_error(r))
        return false;
    if (r->type == REDIS_REPLY_INTEGER) {
        *out = r->integer;
        return true;
    }
    text = reply_text(r);
    return num_i64(text.p, text.len, out);
}

bool reply_i64_at(const struct redisReply *r, size_t i, int64_t *out)
{
    return reply_i64(reply_at(r, i), out);
}

const struct redisReply *reply_field(const struct redisReply *r, const char *name)
{
    for (size_t i = 0; i + 1 < reply_len(r); i += 2) {
        struct slice text;

        if (reply_text_at(r, i, &text) && slice_is(text, name))
            return reply_at(r, i + 1);
    }
    return NULL;
}
