/* Bytes in, counted and summed; lengths and strings out of them. Memory for a string is taken
 * as its bytes arrive, so that a length alone costs nothing. */
#include "kvnode/format/rdb_in.h"

#include "common/base/num.h"
#include "kvnode/format/crc64.h"
#include "kvnode/format/rdb_format.h"

#include <liblzf/lzf.h>

#define STEP (1u << 20)
#define LZF_RATIO 300              /* no LZF input grows more than this */

int rdb_get(struct rdb_in *r, void *p, size_t n)
{
    int rc = r->from->get(r->from->arg, p, n, r->e);

    if (rc != 0)
        return rc;
    r->bytes += n;
    if (r->verify)
        r->crc = crc64(r->crc, p, n);
    return 0;
}

int rdb_get_le(struct rdb_in *r, unsigned bytes, uint64_t *v)
{
    unsigned char b[8];
    int rc = rdb_get(r, b, bytes);

    if (rc != 0)
        return rc;
    *v = 0;
    for (unsigned i = 0; i < bytes; i++)
        *v |= (uint64_t)b[i] << (8 * i);
    return 0;
}

static int get_be(struct rdb_in *r, unsigned bytes, uint64_t *v)
{
    unsigned char b[8];
    int rc = rdb_get(r, b, bytes);

    if (rc != 0)
        return rc;
    *v = 0;
    for (unsigned i = 0; i < bytes; i++)
        *v = *v << 8 | b[i];
    return 0;
}

/* special: *v is the form of a string. */
static int get_len_or_form(struct rdb_in *r, uint64_t *v, bool *special)
{
    unsigned char b, more;
    int rc = rdb_get(r, &b, 1);

    *special = false;
    if (rc != 0)
        return rc;
    if (b >> 6 == RDB_LEN_6) {
        *v = b;
        return 0;
    }
    if (b >> 6 == RDB_LEN_14) {
        rc = rdb_get(r, &more, 1);
        if (rc == 0)
            *v = (uint64_t)(b & 0x3f) << 8 | more;
        return rc;
    }
    if (b == RDB_LEN_32)
        return get_be(r, 4, v);
    if (b == RDB_LEN_64)
        return get_be(r, 8, v);
    if (b >> 6 != RDB_LEN_SPECIAL)
        return err_set(r->e, ERR_FORMAT, "0x%02x does not begin a length", b);
    *special = true;
    *v = b & 0x3f;
    return 0;
}

int rdb_get_len(struct rdb_in *r, uint64_t *v)
{
    bool special;
    int rc = get_len_or_form(r, v, &special);

    if (rc == 0 && special)
        rc = err_set(r->e, ERR_FORMAT, "a length was expected, not a string form");
    return rc;
}

static int get_bytes(struct rdb_in *r, uint64_t n, struct str *out)
{
    if (n > (uint64_t)r->bulk_max)
        return err_set(r->e, ERR_LIMIT, "string of %llu bytes, the limit is %lld", (unsigned long long)n,
                       (long long)r->bulk_max);
    str_clear(out);
    while (out->len < n) {
        size_t step = n - out->len < STEP ? (size_t)n - out->len : STEP;
        str_reserve(out, step);
        int rc = rdb_get(r, out->p + out->len, step);
        if (rc != 0)
            return rc;
        out->len += step;
        out->p[out->len] = '\0';
    }
    return 0;
}

static int get_lzf(struct rdb_in *r, struct str *out)
{
    uint64_t packed, len;
    int rc = rdb_get_len(r, &packed);

    if (rc == 0)
        rc = rdb_get_len(r, &len);
    if (rc != 0)
        return rc;
    if (len == 0 || packed == 0 || len > (uint64_t)r->bulk_max || packed > (uint64_t)r->bulk_max ||
        len / LZF_RATIO > packed)
        return err_set(r->e, ERR_FORMAT, "compressed string of %llu bytes that claims to be %llu",
                       (unsigned long long)packed, (unsigned long long)len);
    rc = get_bytes(r, packed, &r->squeezed);
    if (rc != 0)
        return rc;
    str_clear(out);
    str_reserve(out, (size_t)len);
    if (lzf_decompress(r->squeezed.p, (unsigned)packed, out->p, (unsigned)len) != len)
        return err_set(r->e, ERR_FORMAT, "compressed string does not unpack to its %llu bytes",
                       (unsigned long long)len);
    out->len = (size_t)len;
    out->p[out->len] = '\0';
    return 0;
}

static int get_int_string(struct rdb_in *r, unsigned bytes, struct str *out)
{
    uint64_t v;
    unsigned shift = 64 - 8 * bytes;
    char text[NUM_I64_MAX];
    int rc = rdb_get_le(r, bytes, &v);

    if (rc == 0)
        str_set(out, text, num_put_i64(text, (int64_t)(v << shift) >> shift));
    return rc;
}

int rdb_get_string(struct rdb_in *r, struct str *out)
{
    uint64_t v;
    bool special;
    int rc = get_len_or_form(r, &v, &special);

    if (rc != 0)
        return rc;
    if (!special)
        return get_bytes(r, v, out);
    switch (v) {
    case RDB_STR_INT8: return get_int_string(r, 1, out);
    case RDB_STR_INT16: return get_int_string(r, 2, out);
    case RDB_STR_INT32: return get_int_string(r, 4, out);
    case RDB_STR_LZF: return get_lzf(r, out);
    default: return err_set(r->e, ERR_FORMAT, "unknown string form %u", (unsigned)v);
    }
}
