/* A dict and a budget. */
#include "agent/controller/remembered.h"

#include "common/base/mem.h"

#include <string.h>

static void held_free(void *v)
{
    struct held *m = v;

    str_fini(&m->bytes);
    mem_free(m);
}

void remembered_init(struct remembered *r, size_t keys_max, size_t bytes_max)
{
    dict_init(&r->by_key);
    r->held_bytes = 0;
    r->keys_max = keys_max;
    r->bytes_max = bytes_max;
}

void remembered_fini(struct remembered *r) { dict_fini(&r->by_key, held_free); }

void remembered_clear(struct remembered *r)
{
    dict_clear(&r->by_key, held_free);
    r->held_bytes = 0;
}

const struct held *remembered_get(const struct remembered *r, const char *key)
{
    return dict_get(&r->by_key, key, strlen(key));
}

void remembered_forget(struct remembered *r, const char *key)
{
    void *old = NULL;

    if (!dict_del(&r->by_key, key, strlen(key), &old))
        return;
    r->held_bytes -= ((struct held *)old)->bytes.len;
    held_free(old);
}

void remembered_put(struct remembered *r, const char *key, const struct held *what, struct slice bytes)
{
    struct held *m = dict_get(&r->by_key, key, strlen(key));

    if (!m && dict_count(&r->by_key) >= r->keys_max)
        return;
    if (!m) {
        m = mem_zalloc(sizeof *m);
        dict_put(&r->by_key, key, strlen(key), NULL)->v.p = m;
    }
    r->held_bytes -= m->bytes.len;
    m->ver = what->ver;
    m->t_ms = what->t_ms;
    m->live = what->live;
    memcpy(m->sha, what->sha, sizeof m->sha);
    memcpy(m->by, what->by, sizeof m->by);
    m->has_bytes = what->live && r->held_bytes + bytes.len <= r->bytes_max;
    str_fini(&m->bytes);
    if (m->has_bytes)
        str_set(&m->bytes, bytes.p, bytes.len);
    r->held_bytes += m->bytes.len;
}
