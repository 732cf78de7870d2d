/* Any bytes as a copy that a primary sends, in pieces of any size: loaded or refused, and what stands behind
 * it stays. The first byte says how large the pieces are. */
#include "kvnode/repl/copy.h"

#include "common/base/check.h"
#include "kvnode/store/keyspace.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct scene {
    struct loop *loop;
    struct copy copy;
    bool ended;
};

static void loaded(void *arg, struct keyspace *ks, const struct rdb_read_result *r, const struct err *e)
{
    struct scene *s = arg;

    (void)r;
    CHECK((ks == NULL) == (e != NULL));
    s->ended = true;
    s->copy.load = NULL;
    load_discard(ks);
}

static void room(void *arg) { (void)arg; }

static struct load *start(void *arg)
{
    struct scene *s = arg;

    return load_bytes(s->loop, &(struct load_opts){.verify = true, .bulk_max = 1 << 20, .databases = 4, .limits = {128, 64}}, room, loaded, s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct scene s = {.loop = loop_new()};
    struct buf in = {0};
    struct err e = {0};
    size_t step = size ? 1u + data[0] : 1;
    enum copy_answer got = COPY_MORE;

    for (size_t at = 1; at < size && (got == COPY_MORE || got == COPY_FULL); at += step) {
        buf_append(&in, data + at, size - at < step ? size - at : step);
        got = copy_take(&s.copy, &in, start, &s, &e);
        CHECK(got != COPY_BAD || e.text[0]);
        CHECK(got != COPY_DONE || s.copy.form == COPY_COMPLETE);
    }
    if (s.copy.load && got != COPY_DONE)
        load_cut(s.copy.load, "the end");
    while (s.copy.load && !s.ended)
        loop_run_once(s.loop, true);
    buf_fini(&in);
    loop_free(s.loop);
    return 0;
}
