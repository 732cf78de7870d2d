/* Lines of svcs:* and entries of cfglog: what anybody may have written there. */
#include "agent/core/doclog.h"
#include "agent/core/service_entry.h"
#include "common/base/check.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = {(const char *)data, size};
    struct service_entry s, again;
    struct doclog_entry e, back;
    struct str out = {0};

    if (service_entry_parse(text, &s)) {
        service_entry_put(&s, &out);
        CHECK(service_entry_parse((struct slice){out.p, out.len}, &again));
        CHECK(addr_equal(&s.at, &again.at) && s.weight == again.weight && s.drain == again.drain && s.ttl_ms == again.ttl_ms);
        str_clear(&out);
    }
    if (doclog_parse(text, &e)) {
        doclog_put(&e, &out);
        CHECK(doclog_parse((struct slice){out.p, out.len}, &back) && slice_eq(e.bytes, back.bytes) && e.t_ms == back.t_ms);
    }
    str_fini(&out);
    return 0;
}
