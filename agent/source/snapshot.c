/* Question and answer of a snapshot. Strings come first, in the order of the list; then
 * the hashes. */
#include "agent/source/snapshot.h"

#include "common/base/vec.h"
#include "common/text/reply_walk.h"

#include <hiredis/hiredis.h>

static size_t hashes_in(const struct sources *want)
{
    size_t n = 0;

    for (size_t i = 0; i < want->at.n; i++)
        n += source_is_hash(slice_z(want->at.at[i]));
    return n;
}

bool snapshot_ask(struct resp_link *k, const struct sources *want, link_reply_fn *fn, void *arg)
{
    VEC(struct slice) mget = {0};
    bool multi = hashes_in(want) > 0, sent = true;
    struct slice word = slice_z("MGET");

    vec_push(&mget, word);
    for (size_t i = 0; i < want->at.n; i++) {
        struct slice s = slice_z(want->at.at[i]);

        if (!source_is_hash(s))
            vec_push(&mget, s);
    }
    if (multi)
        sent = resp_link_sendz(k, NULL, NULL, "MULTI", NULL);
    if (sent && mget.n > 1)
        sent = resp_link_send(k, multi ? NULL : fn, arg, (int)mget.n, mget.at);
    for (size_t i = 0; sent && multi && i < want->at.n; i++) {
        struct slice s = slice_z(want->at.at[i]);
        struct slice argv[2] = {slice_z("HGETALL"), source_key(s)};

        if (source_is_hash(s))
            sent = resp_link_send(k, NULL, NULL, 2, argv);
    }
    if (sent && multi)
        sent = resp_link_sendz(k, fn, arg, "EXEC", NULL);
    vec_fini(&mget);
    return sent;
}

static void take_string(struct input *i, const struct redisReply *r)
{
    struct slice s = reply_text(r);

    if (!r || reply_is_nil(r))
        return;
    i->kind = r->type == REDIS_REPLY_STRING ? INPUT_STRING : INPUT_WRONG;
    if (i->kind == INPUT_STRING)
        str_set(&i->bytes, s.p, s.len);
}

static void take_hash(struct input *i, const struct redisReply *r)
{
    if (!r || r->type != REDIS_REPLY_ARRAY || r->elements % 2 != 0) {
        i->kind = INPUT_WRONG;
        return;
    }
    for (size_t k = 0; k < r->elements; k += 2) {
        struct slice name = reply_text(r->element[k]), value = reply_text(r->element[k + 1]);

        input_add_field(i, name.p, name.len, value.p, value.len);
    }
}

int snapshot_take(const struct redisReply *r, const struct sources *want, struct inputs *out, struct err *e)
{
    size_t hashes = hashes_in(want), strings = want->at.n - hashes, h = strings ? 1 : 0, s = 0;
    const struct redisReply *mget = hashes ? reply_at(r, 0) : r;

    if (reply_is_error(r)) {
        struct slice said = reply_text(r);

        return err_set(e, ERR_REFUSED, "%.*s", (int)said.len, said.p);
    }
    if (strings && reply_is_error(mget)) {
        struct slice said = reply_text(mget);

        return err_set(e, ERR_REFUSED, "%.*s", (int)said.len, said.p);
    }
    if (hashes && reply_len(r) != hashes + (strings ? 1 : 0))
        return err_set(e, ERR_FORMAT, "EXEC answered with %zu replies", reply_len(r));
    if (strings && reply_len(mget) != strings)
        return err_set(e, ERR_FORMAT, "MGET of %zu keys answered with %zu values", strings, reply_len(mget));
    for (size_t i = 0; i < want->at.n; i++) {
        struct slice source = slice_z(want->at.at[i]);
        struct input *in = inputs_put(out, source);

        if (source_is_hash(source))
            take_hash(in, reply_at(r, h++));
        else
            take_string(in, reply_at(mget, s++));
    }
    return 0;
}
