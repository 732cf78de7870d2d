/* A plain ring: `end` is where the next byte goes, `first` the offset of the oldest. */
#include "kvnode/repl/backlog.h"

#include "common/base/check.h"
#include "common/base/mem.h"

#include <string.h>

void backlog_init(struct backlog *b) { memset(b, 0, sizeof *b); }

void backlog_fini(struct backlog *b) { backlog_release(b); }

bool backlog_active(const struct backlog *b) { return b->mem != NULL; }

void backlog_create(struct backlog *b, size_t size, int64_t first)
{
    CHECK(size > 0);
    backlog_release(b);
    b->mem = mem_alloc(size);
    b->size = size;
    b->first = first;
}

void backlog_release(struct backlog *b)
{
    mem_free(b->mem);
    memset(b, 0, sizeof *b);
}

void backlog_append(struct backlog *b, const void *p, size_t n)
{
    const char *src = p;
    size_t kept = b->len + n;

    CHECK(b->mem != NULL);
    if (n == 0)
        return;
    if (n > b->size) {
        src += n - b->size;
        b->end = 0;
        b->len = 0;
        b->first += (int64_t)(kept - b->size);
        kept = n = b->size;
    } else if (kept > b->size) {
        b->first += (int64_t)(kept - b->size);
        kept = b->size;
    }
    size_t head = b->size - b->end < n ? b->size - b->end : n;
    memcpy(b->mem + b->end, src, head);
    memcpy(b->mem, src + head, n - head);
    b->end = (b->end + n) % b->size;
    b->len = kept;
}

bool backlog_copy(const struct backlog *b, int64_t from, struct buf *out)
{
    if (b->mem == NULL || from < b->first || from > b->first + (int64_t)b->len)
        return false;
    size_t skip = (size_t)(from - b->first);
    size_t n = b->len - skip;
    size_t at = (b->end + b->size - b->len + skip) % b->size;
    size_t head = b->size - at < n ? b->size - at : n;
    buf_append(out, b->mem + at, head);
    buf_append(out, b->mem, n - head);
    return true;
}

void backlog_resize(struct backlog *b, size_t size)
{
    struct buf all = {0};
    int64_t first = b->first;

    CHECK(size > 0);
    if (b->mem == NULL || b->size == size)
        return;
    bool had = backlog_copy(b, first, &all);
    CHECK(had);
    if (buf_len(&all) > size) {
        first += (int64_t)(buf_len(&all) - size);
        buf_consume(&all, buf_len(&all) - size);
    }
    backlog_create(b, size, first);
    backlog_append(b, buf_data(&all), buf_len(&all));
    buf_fini(&all);
}
