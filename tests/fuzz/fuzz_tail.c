/* Any bytes as a saved tail: read or refused, and what was read says the same again. */
#include "common/base/check.h"
#include "common/text/tail_text.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *p = (const char *)data;
    struct str out = {0};
    struct tail_counts c, again;
    struct err e = {0};
    struct tail_head h, back;
    size_t used, at;

    if (tail_text_head(p, size, &h, &used, &e) == 0) {
        tail_text_put_head(&out, &h);
        CHECK(tail_text_head(str_c(&out), out.len, &back, &used, &e) == 0 && memcmp(&h, &back, sizeof h) == 0);
        str_clear(&out);
    }
    (void)tail_text_print(p, size, &out, &e);
    (void)tail_text_walk(p, size, NULL, NULL, &c, &e);
    CHECK(c.bytes <= size);
    at = tail_text_begin(p, size);
    CHECK(at <= size);
    if (at < size)
        CHECK(tail_text_walk(p + at, size - at, NULL, NULL, &again, &e) == 0 && again.bytes == size - at);
    str_fini(&out);
    return 0;
}
