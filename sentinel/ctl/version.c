/* What the controller wrote, read back. */
#include "sentinel/ctl/version.h"

#include "common/base/num.h"

#include <string.h>

bool version_read(const char *number, const struct val *v, struct version *out)
{
    const char *text = val_z(v, NULL), *end = text ? memchr(text, '\n', v->len) : NULL, *a, *b;

    if (!end || !num_i64_in(number, strlen(number), 1, INT64_MAX, &out->number))
        return false;
    a = memchr(text, ' ', (size_t)(end - text));
    b = a ? memchr(a + 1, ' ', (size_t)(end - a - 1)) : NULL;
    if (!b || !slice_copy_z((struct slice){text, (size_t)(a - text)}, out->sha, sizeof out->sha) ||
        !num_i64(a + 1, (size_t)(b - a - 1), &out->at_ms))
        return false;
    slice_copy_z((struct slice){b + 1, (size_t)(end - b - 1)}, out->by, sizeof out->by);
    out->bytes = (struct slice){end + 1, v->len - (size_t)(end + 1 - text)};
    return true;
}

int version_order(const void *a, const void *b)
{
    int64_t x = ((const struct version *)a)->number, y = ((const struct version *)b)->number;

    return x < y ? -1 : x > y;
}
