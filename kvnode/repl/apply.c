/* One request after the other out of the link's buffer. */
#include "kvnode/repl/apply.h"

#include "common/io/clock.h"
#include "kvnode/call.h"
#include "kvnode/client/ahead.h"
#include "kvnode/client/txn.h"
#include "kvnode/repl/feed.h"
#include "kvnode/server.h"

#include <string.h>

static const struct resp_limits no_limits = {1u << 20, 64 << 20, 1LL << 40};

void apply_init(struct apply *a, struct server *srv)
{
    memset(a, 0, sizeof *a);
    a->srv = srv;
    a->client = client_new(srv, NULL);
    a->client->is_primary = true;
    srv->primary_client = a->client;
    resp_parser_init(&a->parser);
}

void apply_fini(struct apply *a)
{
    a->srv->primary_client = NULL;
    client_free(a->client);
    resp_parser_fini(&a->parser);
    buf_fini(&a->replies);
}

void apply_reset(struct apply *a, int db)
{
    txn_discard(a->client);
    a->client->db = db >= 0 && db < a->srv->ks->ndbs ? db : 0;
    resp_parser_reset(&a->parser);
    a->open = 0;
}

static int run_one(struct apply *a, int argc, const struct slice *argv, bool *asked_ack, struct err *e)
{
    struct reply r;

    if (argc == 0)
        return 0;
    if (slice_is_nocase(argv[0], "replconf")) {
        if (argc > 1 && slice_is_nocase(argv[1], "getack"))
            *asked_ack = true;
        return 0;
    }
    if (slice_is_nocase(argv[0], "ping"))
        return 0;
    reply_init(&r, &a->replies, 2);
    int rc = call_apply(a->client, argc, argv, &r, e);
    if (rc == 0 && r.errors > 0) {
        const char *p = memchr(buf_data(&a->replies), '-', buf_len(&a->replies));
        size_t n = p ? buf_len(&a->replies) - (size_t)(p - buf_data(&a->replies)) : 0;
        const char *end = n ? memchr(p, '\r', n) : NULL;
        n = end ? (size_t)(end - p) : 0;
        rc = err_set(e, ERR_REFUSED, "'%.*s' failed here: %.*s", (int)(argv[0].len < 64 ? argv[0].len : 64), argv[0].p,
                     (int)(n < 200 ? n : 200), p ? p : "");
    }
    buf_clear(&a->replies);
    return rc;
}

enum apply_answer apply_run(struct apply *a, struct buf *in, int64_t budget_us, bool *asked_ack, struct err *e)
{
    int64_t until_us = clock_mono_us() + budget_us;
    unsigned runs = 0;

    for (;;) {
        const struct slice *argv = NULL;
        int argc = 0;
        size_t used = 0;
        enum resp_result got = RESP_MORE;

        if (buf_len(in) > a->open)
            got = resp_parse(&a->parser, &no_limits, buf_data(in) + a->open, buf_len(in) - a->open, &argv, &argc, &used, e);
        if (got == RESP_MORE)
            return APPLY_MORE;
        if (got == RESP_BAD) {
            err_wrap(e, "the stream is no longer one");
            return APPLY_STOP;
        }
        ahead_look(a->client, in, argc, argv);
        if (run_one(a, argc, argv, asked_ack, e) != 0)
            return APPLY_STOP;
        a->open += used;
        if (a->client->txn == TXN_NONE) {
            feed_set_stream_db(a->srv->feed, a->client->db);
            feed_verbatim(a->srv->feed, buf_data(in), a->open);
            buf_consume(in, a->open);
            a->open = 0;
        }
        if (++runs % 16 == 0 && clock_mono_us() > until_us)
            return APPLY_AGAIN;
    }
}
