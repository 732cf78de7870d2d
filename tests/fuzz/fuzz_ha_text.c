/* Messages of a formed group from anybody. What is taken is within its limits, and what we
 * write of it reads back as the same. */
#include "common/base/check.h"
#include "common/text/ha_text.h"

#include <stddef.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct ha_msg m, back;
    struct ha_record rec, rec_back;
    struct str s = {0}, again = {0};
    const char *error = NULL, *text = size > 0 ? (const char *)data : "";

    if (ha_text_record_line(text, size, &rec, &error))
        CHECK(ha_record_check(&rec) == NULL);
    else
        CHECK(error != NULL);
    error = NULL;
    if (!ha_text_msg_line(text, size, &m, &rec, &error)) {
        CHECK(error != NULL);
        return 0;
    }
    CHECK(m.kind > HA_NOTHING && m.kind < HA_KINDS && strlen(m.from) == ID_HEX && m.ballot <= HA_TEXT_BALLOT_MAX);
    CHECK(m.rec == NULL || (m.rec == &rec && ha_record_check(&rec) == NULL));
    ha_text_put_msg(&s, &m);
    CHECK(ha_text_msg_line(s.p, s.len, &back, &rec_back, &error));
    ha_text_put_msg(&again, &back);
    CHECK(s.len == again.len && memcmp(s.p, again.p, s.len) == 0);
    str_fini(&s);
    str_fini(&again);
    return 0;
}
