#include "tests/unit/format/rdb_bytes.h"

#include <string.h>

int gather(void *arg, const void *p, size_t n, struct err *e)
{
    (void)e;
    str_append(arg, p, n);
    return 0;
}

int give(void *arg, void *p, size_t n, struct err *e)
{
    struct bytes_source *s = arg;

    if (s->n - s->at < n)
        return err_set(e, ERR_CLOSED, "the bytes end here");
    memcpy(p, s->p + s->at, n);
    s->at += n;
    return 0;
}

struct keyspace *read_bytes(const char *p, size_t n, const struct rdb_read_opts *o, struct rdb_read_result *r, struct err *e)
{
    struct bytes_source s = {p, n, 0};
    struct keyspace *ks = keyspace_new(16);

    ks->expired_keys = KEEP_EXPIRED;
    ks->limits.hash_entries = 128;
    ks->limits.hash_value = 64;
    if (rdb_read(ks, o, &(struct rdb_source){give, &s}, r, e) == 0)
        return ks;
    keyspace_free(ks);
    return NULL;
}

struct keyspace *read_body(const char *body, size_t n, struct rdb_read_result *r, struct err *e)
{
    struct str file = {0};

    str_append(&file, "REDIS0010", 9);
    str_append(&file, body, n);
    str_append(&file, "\xff\0\0\0\0\0\0\0\0", 9);
    struct keyspace *ks = read_bytes(file.p, file.len, &(struct rdb_read_opts){.verify = true}, r, e);
    str_fini(&file);
    return ks;
}
