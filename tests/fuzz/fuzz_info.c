/* Any bytes as an INFO reply: the struct holds what its contract says. */
#include "sentinel/wire/node_info.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct node_info_text t;

    node_info_init(&t);
    for (int round = 0; round < 2; round++) {        /* the second must not see the first */
        node_info_read((struct slice){(const char *)data, size}, &t);
        if (strlen(t.info.run_id) > ID_HEX || strlen(t.info.replid) > ID_HEX || t.info.n_replicas > GROUP_NODES_MAX ||
            t.info.link_down_ms < 0)
            abort();
        for (size_t i = 0; i < t.info.n_replicas; i++)
            if (!addr_is_set(&t.info.replicas[i].addr) || t.info.replicas[i].addr.port == 0)
                abort();
    }
    node_info_fini(&t);
    return 0;
}
