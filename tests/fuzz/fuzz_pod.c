/* What the Kubernetes API answers: a pod, a status, or anything else. What was read can be sent again. */
#include "agent/core/pod.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice in = {(const char *)data, n};
    struct pod p;
    struct err e = {0};
    char said[64];

    if (pod_read(in, "kvorum.io/role", &p, &e) == 0) {
        struct pod_patch patch = {.uid = p.uid, .version = p.version, .label_key = "kvorum.io/role", .label = p.labelled ? p.label : NULL,
                                  .note_key = "n", .note = p.uid};
        struct str out = {0};

        pod_patch_text(&patch, &out);
        if (!out.len || strlen(out.p) != out.len)
            abort();
        str_fini(&out);
    } else if (!e.text[0]) {
        abort();
    }
    pod_status_text(in, said, sizeof said);
    if (strlen(said) >= sizeof said)
        abort();
    (void)(pod_name_ok(in) + pod_label_ok(in) + pod_key_ok(in));
    return 0;
}
