/* Any bytes as a copy that a primary sends, in pieces of any size, to a load that has room for a little now and
 * then: all that it is pushed is the payload, byte for byte, and what stands behind that stays. The first two bytes say
 * how large the pieces and the room are. */
#include "kvnode/repl/copy.h"

#include "common/base/check.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In the place of disk/load. */
struct load {
    size_t room, pushed;
    struct str got;
    bool eof;
};

size_t load_push(struct load *ld, const void *p, size_t n)
{
    size_t take = n < ld->room ? n : ld->room;

    CHECK(!ld->eof);
    str_append(&ld->got, p, take);
    ld->pushed += take;
    return take;
}

void load_eof(struct load *ld)
{
    CHECK(!ld->eof);
    ld->eof = true;
}

static struct load *start(void *arg) { return arg; }

static void judge(const struct copy *c, const struct load *ld, const char *from, size_t n, const struct buf *in)
{
    size_t mark = c->form == COPY_COMPLETE && c->left == 0 && c->total == 0 ? COPY_MARK : 0;
    size_t head = n - buf_len(in) - mark - ld->got.len;

    CHECK(c->taken == ld->pushed && n >= buf_len(in) + mark + ld->got.len);
    CHECK(ld->got.len == 0 || memcmp(from + head, ld->got.p, ld->got.len) == 0);
    CHECK(buf_len(in) == 0 || memcmp(from + n - buf_len(in), buf_data(in), buf_len(in)) == 0);
    CHECK(c->total == 0 || c->left + ld->got.len == c->total);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct load ld = {.room = size > 1 ? 1u + data[1] : 1};
    struct copy c = {0};
    struct buf in = {0};
    struct err e = {0};
    size_t step = size > 0 ? 1u + data[0] : 1;
    enum copy_answer got = COPY_MORE;

    for (size_t at = 2; at < size && got != COPY_BAD && got != COPY_DONE; at += step) {
        buf_append(&in, data + at, size - at < step ? size - at : step);
        do
            got = copy_take(&c, &in, start, &ld, &e);
        while (got == COPY_FULL);
        CHECK(got != COPY_BAD || e.text[0]);
        CHECK((got == COPY_DONE) == ld.eof && (c.form == COPY_COMPLETE) == ld.eof);
        if (got != COPY_BAD)
            judge(&c, &ld, (const char *)data + 2, (at + step < size ? at + step : size) - 2, &in);
    }
    buf_fini(&in);
    str_fini(&ld.got);
    return 0;
}
