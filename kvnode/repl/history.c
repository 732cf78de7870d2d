/* Replication ids and offsets: five ways to change them and one question. */
#include "kvnode/repl/history.h"

#include "common/base/check.h"

#include <string.h>

static const char no_id[] = "0000000000000000000000000000000000000000";

static void set_id(char dst[ID_MAX], const char *src)
{
    CHECK(strlen(src) == ID_HEX);
    memmove(dst, src, ID_MAX);
}

void history_init(struct history *h, const char id[ID_MAX])
{
    set_id(h->id, id);
    h->offset = 0;
    history_drop_id2(h);
}

void history_drop_id2(struct history *h)
{
    set_id(h->id2, no_id);
    h->id2_until = -1;
}

void history_shift(struct history *h, const char id[ID_MAX])
{
    set_id(h->id2, h->id);
    h->id2_until = h->offset + 1;
    set_id(h->id, id);
}

void history_continue_as(struct history *h, const char id[ID_MAX])
{
    if (strcmp(h->id, id) != 0)
        history_shift(h, id);
}

void history_replace(struct history *h, const char id[ID_MAX], int64_t offset)
{
    set_id(h->id, id);
    h->offset = offset;
    history_drop_id2(h);
}

void history_restart(struct history *h, const char id[ID_MAX])
{
    set_id(h->id, id);
    history_drop_id2(h);
}

enum history_answer history_can_continue(const struct history *h, struct slice id, int64_t want, int64_t first,
                                         int64_t len)
{
    bool ours = slice_is_nocase(id, h->id);

    if (!ours && (h->id2_until < 0 || !slice_is_nocase(id, h->id2)))
        return HISTORY_OTHER_ID;
    if (!ours && want > h->id2_until)
        return HISTORY_PAST_SHIFT;
    if (want > h->offset + 1)
        return HISTORY_AHEAD;
    if (want < first || want > first + len)
        return HISTORY_TOO_OLD;
    return HISTORY_CONTINUE;
}

const char *history_answer_name(enum history_answer a)
{
    switch (a) {
    case HISTORY_CONTINUE: return "can continue";
    case HISTORY_OTHER_ID: return "replication id mismatch";
    case HISTORY_PAST_SHIFT: return "it went further in the old history than we did";
    case HISTORY_TOO_OLD: return "the bytes it wants are no longer in the backlog";
    case HISTORY_AHEAD: return "it wants bytes that were never made here";
    }
    return "?";
}
