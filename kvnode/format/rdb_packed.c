/* Ziplist:  bytes u32 | offset of last u32 | count u16 | entry* | 0xFF      (little-endian)
 *           entry = length of previous (1 byte, or 0xFE + u32) | tag [length] | bytes
 * Zipmap:   count u8 | ( field length | field | value length | slack u8 | value | slack bytes )* | 0xFF
 *           length = one byte below 254, or 0xFE + u32 */
#include "kvnode/format/rdb_packed.h"

#include <stdint.h>
#include <string.h>

#define ZL_HEADER 10
#define END 0xff
#define BIG 0xfe

static uint64_t le(const unsigned char *p, unsigned bytes)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < bytes; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

static int64_t le_signed(const unsigned char *p, unsigned bytes)
{
    unsigned shift = 64 - 8 * bytes;

    return (int64_t)(le(p, bytes) << shift) >> shift;
}

/* What stands at p: its header length, and either bytes (is_num false) or a number with nothing behind the header. */
struct zl_entry {
    size_t head;
    size_t len;
    bool is_num;
    int64_t num;
};

static bool zl_tag(const unsigned char *p, size_t room, struct zl_entry *out)
{
    static const struct { unsigned char tag; unsigned bytes; } ints[] = {
        {0xc0, 2}, {0xd0, 4}, {0xe0, 8}, {0xf0, 3}, {0xfe, 1},
    };

    memset(out, 0, sizeof *out);
    if (room < 1)
        return false;
    switch (p[0] >> 6) {
    case 0:
        out->head = 1;
        out->len = p[0] & 0x3f;
        return true;
    case 1:
        if (room < 2)
            return false;
        out->head = 2;
        out->len = (size_t)(p[0] & 0x3f) << 8 | p[1];
        return true;
    case 2:
        if (p[0] != 0x80 || room < 5)
            return false;
        out->head = 5;
        out->len = (size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | p[4];
        return true;
    default:
        break;
    }
    out->is_num = true;
    if (p[0] >= 0xf1 && p[0] <= 0xfd) {
        out->head = 1;
        out->num = p[0] - 0xf1;
        return true;
    }
    for (size_t i = 0; i < sizeof ints / sizeof ints[0]; i++) {
        if (p[0] != ints[i].tag)
            continue;
        if (room < 1 + ints[i].bytes)
            return false;
        out->head = 1 + ints[i].bytes;
        out->num = le_signed(p + 1, ints[i].bytes);
        return true;
    }
    return false;
}

int ziplist_walk(const unsigned char *p, size_t n, packed_fn *fn, void *arg, struct err *e)
{
    size_t at = ZL_HEADER, count = 0, before = 0;

    if (n < ZL_HEADER + 1 || le(p, 4) != n || p[n - 1] != END)
        return err_set(e, ERR_FORMAT, "ziplist with a wrong header or end");
    while (p[at] != END) {
        struct zl_entry z;
        char num[NUM_I64_MAX];
        size_t start = at, prev_bytes = p[at] == BIG ? 5 : 1;
        if (n - 1 - at < prev_bytes)
            return err_set(e, ERR_FORMAT, "ziplist cut off in entry %zu", count);
        size_t prev = prev_bytes == 1 ? p[at] : (size_t)le(p + at + 1, 4);
        if (prev != before)
            return err_set(e, ERR_FORMAT, "ziplist entry %zu has a wrong back length", count);
        at += prev_bytes;
        if (!zl_tag(p + at, n - 1 - at, &z) || n - 1 - at - z.head < z.len)
            return err_set(e, ERR_FORMAT, "ziplist entry %zu is not one", count);
        struct slice s = {(const char *)p + at + z.head, z.len};
        if (z.is_num)
            s = (struct slice){num, num_put_i64(num, z.num)};
        int rc = fn(arg, s);
        if (rc < 0)
            return rc;
        at += z.head + z.len;
        before = at - start;
        count++;
    }
    if (at != n - 1)
        return err_set(e, ERR_FORMAT, "ziplist ends early");
    if (le(p + 8, 2) != UINT16_MAX && le(p + 8, 2) != count)
        return err_set(e, ERR_FORMAT, "ziplist says it has %u entries, there are %zu", (unsigned)le(p + 8, 2), count);
    return 0;
}

static bool zm_len(const unsigned char *p, size_t n, size_t *at, size_t *len)
{
    if (*at >= n || p[*at] == END)
        return false;
    if (p[*at] != BIG) {
        *len = p[(*at)++];
        return true;
    }
    if (n - *at < 5)
        return false;
    *len = (size_t)le(p + *at + 1, 4);
    *at += 5;
    return true;
}

int zipmap_walk(const unsigned char *p, size_t n, packed_fn *fn, void *arg, struct err *e)
{
    size_t at = 1, len = 0, pairs = 0;
    int rc;

    if (n < 2)
        return err_set(e, ERR_FORMAT, "zipmap of %zu bytes", n);
    while (at < n && p[at] != END) {
        if (!zm_len(p, n, &at, &len) || n - at < len)
            return err_set(e, ERR_FORMAT, "zipmap cut off in field %zu", pairs);
        rc = fn(arg, (struct slice){(const char *)p + at, len});
        if (rc < 0)
            return rc;
        at += len;
        if (!zm_len(p, n, &at, &len) || at >= n || n - at - 1 < len)
            return err_set(e, ERR_FORMAT, "zipmap cut off in value %zu", pairs);
        size_t slack = p[at++];
        if (n - at - len < slack)
            return err_set(e, ERR_FORMAT, "zipmap cut off behind value %zu", pairs);
        rc = fn(arg, (struct slice){(const char *)p + at, len});
        if (rc < 0)
            return rc;
        at += len + slack;
        pairs++;
    }
    if (at != n - 1)
        return err_set(e, ERR_FORMAT, "zipmap without an end, or with bytes behind it");
    if (p[0] < BIG && p[0] != pairs)
        return err_set(e, ERR_FORMAT, "zipmap says it has %u pairs, there are %zu", p[0], pairs);
    return 0;
}
