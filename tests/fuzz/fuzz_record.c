/* Any bytes as what a node keeps about itself, and as the table of epochs that comes with a data file or a
 * copy: read or refused, and what was read says the same again. */
#include "kvnode/disk/record_text.h"
#include "kvnode/repl/epochs.h"

#include "common/base/check.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void record(struct slice text)
{
    struct member_facts f, back;
    struct err e = {0};
    struct str out = {0};
    int rc = record_text_get(text, &f, &e);

    if (rc != 0) {
        CHECK(e.code == rc && e.text[0]);
        return;
    }
    record_text_put(&f, &out);
    rc = record_text_get((struct slice){out.p, out.len}, &back, &e);
    CHECK(rc == 0 && memcmp(&f, &back, sizeof f) == 0);
    str_fini(&out);
}

static void table(struct slice text)
{
    static struct epochs t, back;
    struct ha_position p;
    struct str out = {0};

    if (!epochs_get(&t, text)) {
        CHECK(t.n == 0);
        return;
    }
    for (size_t i = 0; i < t.n; i++)
        CHECK(epochs_contain(&t, INT64_MAX / 2, (struct ha_position){t.at[i].epoch, t.at[i].first - 1}));
    epochs_put(&t, &out);
    CHECK(epochs_get(&back, (struct slice){str_c(&out), out.len}) && back.n == t.n && memcmp(back.at, t.at, t.n * sizeof t.at[0]) == 0);
    if (t.n > 0)
        CHECK(epochs_common(&t, INT64_MAX / 2, &back, INT64_MAX / 2, &p) && p.epoch == t.at[t.n - 1].epoch);
    epochs_cut(&t, 100);
    CHECK(t.n == 0 || t.at[t.n - 1].first <= 100);
    str_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = {(const char *)data, size};

    record(text);
    table(text);
    return 0;
}
