/* Any bytes as an RDB: read into a keyspace or refused, never anything else. What could be
 * read is written and read again, and must be as many keys. */
#include "kvnode/format/rdb_read.h"

#include "common/base/check.h"
#include "common/base/str.h"
#include "kvnode/store/keyspace.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const char *p;
    size_t n;
};

static int give(void *arg, void *p, size_t n, struct err *e)
{
    struct input *in = arg;

    if (in->n < n)
        return err_set(e, ERR_CLOSED, "the end");
    memcpy(p, in->p, n);
    in->p += n;
    in->n -= n;
    return 0;
}

static int gather(void *arg, const void *p, size_t n, struct err *e)
{
    (void)e;
    str_append(arg, p, n);
    return 0;
}

static int read_in(struct keyspace *ks, const void *p, size_t n, struct rdb_read_result *r)
{
    struct input in = {p, n};
    struct err e = {0};
    struct rdb_read_opts o = {.bulk_max = 1 << 20};

    ks->expired_keys = KEEP_EXPIRED;
    ks->limits = (struct store_limits){128, 64};
    int rc = rdb_read(ks, &o, &(struct rdb_source){give, &in}, r, &e);
    CHECK(rc == 0 || (e.code == rc && e.text[0]));
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct keyspace *ks = keyspace_new(4), *again = keyspace_new(4);
    struct rdb_read_result r, r2;
    struct str with_head = {0}, out = {0};

    /* most inputs should get past the header */
    if (size < 9 || memcmp(data, "REDIS", 5) != 0)
        str_append(&with_head, "REDIS0010", 9);
    str_append(&with_head, data, size);
    if (read_in(ks, with_head.p, with_head.len, &r) == 0) {
        struct rdb_write_opts o = {.compress = true, .checksum = true, .facts = r.facts};
        int rc = rdb_write(ks, &o, &(struct rdb_sink){gather, &out}, NULL);
        CHECK(rc == 0);
        rc = read_in(again, out.p, out.len, &r2);
        CHECK(rc == 0);
        CHECK(keyspace_count(ks) == keyspace_count(again));
    }
    str_fini(&with_head);
    str_fini(&out);
    keyspace_free(ks);
    keyspace_free(again);
    return 0;
}
