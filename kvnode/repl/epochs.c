/* A short rising table; every question is a walk from its end. */
#include "kvnode/repl/epochs.h"

#include "common/base/check.h"
#include "common/base/num.h"

#include <string.h>

void epochs_begin(struct epochs *t, uint64_t gid, uint64_t epoch, int64_t first)
{
    CHECK(epoch != 0 && gid != 0);
    if (t->gid != gid)
        t->n = 0;
    t->gid = gid;
    while (t->n > 0 && (t->at[t->n - 1].epoch >= epoch || t->at[t->n - 1].first > first))
        t->n--;
    if (t->n == RECORD_EPOCHS_MAX)
        memmove(t->at, t->at + 1, --t->n * sizeof t->at[0]);
    t->at[t->n++] = (struct record_epoch){epoch, first};
}

void epochs_cut(struct epochs *t, int64_t end)
{
    while (t->n > 0 && t->at[t->n - 1].first > end)
        t->n--;
}

uint64_t epochs_last(const struct epochs *t, uint64_t gid)
{
    return t->n && t->gid == gid ? t->at[t->n - 1].epoch : 0;
}

int64_t epochs_end_of(const struct epochs *t, int64_t end, uint64_t epoch)
{
    for (size_t i = t->n; i-- > 0;)
        if (t->at[i].epoch == epoch)
            return i + 1 < t->n ? t->at[i + 1].first - 1 : end;
    return -1;
}

bool epochs_contain(const struct epochs *t, int64_t end, struct ha_position p)
{
    return p.epoch != 0 && p.offset <= epochs_end_of(t, end, p.epoch);
}

bool epochs_common(const struct epochs *ours, int64_t our_end, const struct epochs *theirs, int64_t their_end,
                   struct ha_position *out)
{
    for (size_t i = ours->gid == theirs->gid ? ours->n : 0; i-- > 0;) {
        uint64_t e = ours->at[i].epoch;
        int64_t here = epochs_end_of(ours, our_end, e), there = epochs_end_of(theirs, their_end, e);

        if (there < 0)
            continue;
        *out = (struct ha_position){e, here < there ? here : there};
        return true;
    }
    return false;
}

void epochs_put(const struct epochs *t, struct str *out)
{
    if (t->n > 0)
        str_printf(out, "%llu", (unsigned long long)t->gid);
    for (size_t i = 0; i < t->n; i++)
        str_printf(out, " %llu:%lld", (unsigned long long)t->at[i].epoch, (long long)t->at[i].first);
}

static bool get_row(struct slice word, struct record_epoch *out)
{
    const char *colon = word.len ? memchr(word.p, ':', word.len) : NULL;

    return colon && num_u64(word.p, (size_t)(colon - word.p), &out->epoch) && out->epoch != 0 &&
           num_i64_in(colon + 1, word.len - (size_t)(colon - word.p) - 1, 0, INT64_MAX / 2, &out->first);
}

/* Without the blank behind it. *more: there was one. */
static struct slice next_word(struct slice *text, bool *more)
{
    const char *blank = text->len ? memchr(text->p, ' ', text->len) : NULL;
    struct slice word = {text->p, blank ? (size_t)(blank - text->p) : text->len};

    *more = blank != NULL;
    text->p += word.len + *more;
    text->len -= word.len + *more;
    return word;
}

static bool get_rows(struct epochs *t, struct slice text)
{
    bool more;
    struct slice word = next_word(&text, &more);

    if (!more || !num_u64(word.p, word.len, &t->gid) || t->gid == 0)
        return false;
    while (more) {
        struct record_epoch row;

        word = next_word(&text, &more);
        if (t->n == RECORD_EPOCHS_MAX || !get_row(word, &row))
            return false;
        if (t->n > 0 && (row.epoch <= t->at[t->n - 1].epoch || row.first < t->at[t->n - 1].first))
            return false;
        t->at[t->n++] = row;
    }
    return true;
}

bool epochs_get(struct epochs *t, struct slice text)
{
    t->n = 0;
    if (text.len == 0 || get_rows(t, text))
        return true;
    t->n = 0;
    return false;
}
