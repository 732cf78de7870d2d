/* Documents that are as they should be, in memory: what is deleted can be put back at once. All
 * are known by version and author; their bytes are held as long as there is room for them. */
#ifndef KV_AGENT_CONTROLLER_REMEMBERED_H
#define KV_AGENT_CONTROLLER_REMEMBERED_H

#include "agent/core/doclog.h"
#include "common/base/dict.h"

struct held {
    int64_t ver, t_ms;
    char sha[DOCLOG_SHA + 1], by[DOCLOG_BY_MAX + 1];
    bool live, has_bytes;
    struct str bytes;
};

struct remembered {
    struct dict by_key;          /* key -> struct held *, owned */
    size_t held_bytes;
    size_t keys_max, bytes_max;
};

void remembered_init(struct remembered *r, size_t keys_max, size_t bytes_max);
void remembered_fini(struct remembered *r);
void remembered_clear(struct remembered *r);
/* Borrowed until the next change; NULL: not known. */
const struct held *remembered_get(const struct remembered *r, const char *key);
/* In the place of what was known of it. Bytes are copied, those of a live document when they fit; what->bytes and
 * what->has_bytes do not count. A new key beyond keys_max is not taken. */
void remembered_put(struct remembered *r, const char *key, const struct held *what, struct slice bytes);
void remembered_forget(struct remembered *r, const char *key);

#endif
