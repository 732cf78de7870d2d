/* Scale events from the channel, documents they change, and what systemctl shows. */
#include "agent/core/document.h"
#include "agent/core/scale.h"
#include "agent/core/type_scale.h"
#include "common/base/check.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice bytes = {(const char *)data, n};
    struct scale_event ev = {{0}, 0};
    struct instances seen = {0};
    struct str out = {0}, again = {0};
    struct scale_edit how, twice;

    if (scale_event_parse(bytes, &ev))
        CHECK(ev.instances >= 0 && ev.instances <= SCALE_INSTANCES_MAX && strlen(ev.service) + 2 <= n);
    instances_read(bytes, "web@.service", &seen);
    for (size_t i = 1; i < seen.at.n; i++)
        CHECK(seen.at.at[i - 1].number <= seen.at.at[i].number);
    instances_fini(&seen);
    if (scale_document_edit(bytes, 7, &out, &how, NULL) == 0) {
        /* what comes out is a document again, and has the number */
        CHECK(scale_document_edit((struct slice){str_c(&out), out.len}, 7, &again, &twice, NULL) == 0);
        CHECK(twice.was == how.is && twice.is == how.is);
        CHECK(again.len == out.len && memcmp(again.p, out.p, out.len) == 0);
    }
    str_fini(&out);
    str_fini(&again);
    return 0;
}
