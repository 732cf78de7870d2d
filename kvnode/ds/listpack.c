/* An element is: head byte(s) telling kind and length, the payload, and the length of both once
 * more, written so that it can be read from its right end.
 *
 *   0xxxxxxx            number 0..127
 *   10xxxxxx            bytes, 6-bit length
 *   110xxxxx +1         number of 13 bits, signed
 *   1110xxxx +1         bytes, 12-bit length
 *   11110000 +4         bytes, 32-bit length (little endian)
 *   11110001..11110100  number of 16, 24, 32, 64 bits (little endian, signed)
 *   11111111            the end
 *
 * This room knows bytes only; what the elements mean (field, value, score) is the types' business. */
#include "kvnode/ds/listpack.h"

#include "common/base/check.h"
#include "common/base/mem.h"

#include <string.h>

#define LP_END 0xFF
#define LP_COUNT_UNKNOWN 65535u
#define LP_INT_TEXT_MAX 20          /* longer text is never a number */

static uint32_t get_u32(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void put_u32(unsigned char *p, uint32_t v)
{
    p[0] = (unsigned char)v;
    p[1] = (unsigned char)(v >> 8);
    p[2] = (unsigned char)(v >> 16);
    p[3] = (unsigned char)(v >> 24);
}

static void set_bytes(unsigned char *lp, size_t n) { put_u32(lp, (uint32_t)n); }

static void set_count(unsigned char *lp, size_t n)
{
    if (n > LP_COUNT_UNKNOWN)
        n = LP_COUNT_UNKNOWN;
    lp[4] = (unsigned char)n;
    lp[5] = (unsigned char)(n >> 8);
}

static size_t raw_count(const unsigned char *lp) { return (size_t)lp[4] | (size_t)lp[5] << 8; }

unsigned char *lp_new(size_t reserve)
{
    unsigned char *lp = mem_alloc(reserve > LP_HEADER + 1 ? reserve : LP_HEADER + 1);

    set_bytes(lp, LP_HEADER + 1);
    set_count(lp, 0);
    lp[LP_HEADER] = LP_END;
    return lp;
}

size_t lp_bytes(const unsigned char *lp) { return get_u32(lp); }

/* --- one element --- */

struct head {
    size_t head;         /* bytes before the payload */
    size_t payload;
    bool is_int;
    int64_t i;
};

static int64_t sign_extend(uint64_t v, unsigned bits)
{
    uint64_t top = 1ull << (bits - 1);

    return (int64_t)((v ^ top) - top);
}

static uint64_t get_le(const unsigned char *p, unsigned n)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < n; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

/* How many bytes tell the length; 0: no such kind. */
static size_t head_size(unsigned char b)
{
    if ((b & 0x80) == 0 || (b & 0xC0) == 0x80)
        return 1;
    if ((b & 0xE0) == 0xC0 || (b & 0xF0) == 0xE0)
        return 2;
    if (b == 0xF0)
        return 5;
    if (b >= 0xF1 && b <= 0xF4)
        return 1;
    return 0;
}

static struct head read_head(const unsigned char *p)
{
    struct head h = {0};
    unsigned char b = p[0];

    if ((b & 0x80) == 0) {
        h = (struct head){.head = 1, .is_int = true, .i = b};
    } else if ((b & 0xC0) == 0x80) {
        h = (struct head){.head = 1, .payload = b & 0x3F};
    } else if ((b & 0xE0) == 0xC0) {
        h = (struct head){.head = 2, .is_int = true, .i = sign_extend((uint64_t)(b & 0x1F) << 8 | p[1], 13)};
    } else if ((b & 0xF0) == 0xE0) {
        h = (struct head){.head = 2, .payload = (size_t)(b & 0x0F) << 8 | p[1]};
    } else if (b == 0xF0) {
        h = (struct head){.head = 5, .payload = get_u32(p + 1)};
    } else {
        static const unsigned width[] = {2, 3, 4, 8};
        CHECK(b >= 0xF1 && b <= 0xF4);
        unsigned n = width[b - 0xF1];
        uint64_t v = get_le(p + 1, n);
        h = (struct head){.head = 1, .payload = n, .is_int = true, .i = n == 8 ? (int64_t)v : sign_extend(v, n * 8)};
    }
    return h;
}

static size_t back_size(size_t n)
{
    if (n <= 127)
        return 1;
    if (n < 16383)
        return 2;
    if (n < 2097151)
        return 3;
    if (n < 268435455)
        return 4;
    return 5;
}

static void put_back(unsigned char *p, size_t n)
{
    size_t size = back_size(n);

    for (size_t i = size; i-- > 0;) {
        p[i] = (unsigned char)((n & 127) | (i > 0 ? 128 : 0));
        n >>= 7;
    }
}

/* Length told by the back length that ends right before p. */
static size_t read_back(const unsigned char *p)
{
    size_t n = 0;
    unsigned shift = 0;

    for (;;) {
        p--;
        n |= (size_t)(*p & 127) << shift;
        if (!(*p & 128))
            return n;
        shift += 7;
        if (shift > 28)
            return SIZE_MAX;
    }
}

static size_t whole_size(const unsigned char *p)
{
    struct head h = read_head(p);

    return h.head + h.payload + back_size(h.head + h.payload);
}

/* An element ready to be written. */
struct element {
    unsigned char head[9];
    size_t head_len;
    struct slice payload;
    size_t total;               /* with back length */
};

static void encode_int(struct element *e, int64_t v)
{
    uint64_t u = (uint64_t)v;
    unsigned n;

    if (v >= 0 && v <= 127) {
        e->head[0] = (unsigned char)v;
        e->head_len = 1;
        return;
    }
    if (v >= -4096 && v <= 4095) {
        e->head[0] = (unsigned char)(0xC0 | ((u >> 8) & 0x1F));
        e->head[1] = (unsigned char)u;
        e->head_len = 2;
        return;
    }
    if (v >= INT16_MIN && v <= INT16_MAX) {
        e->head[0] = 0xF1;
        n = 2;
    } else if (v >= -8388608 && v <= 8388607) {
        e->head[0] = 0xF2;
        n = 3;
    } else if (v >= INT32_MIN && v <= INT32_MAX) {
        e->head[0] = 0xF3;
        n = 4;
    } else {
        e->head[0] = 0xF4;
        n = 8;
    }
    for (unsigned i = 0; i < n; i++)
        e->head[1 + i] = (unsigned char)(u >> (8 * i));
    e->head_len = 1 + n;
}

static struct element encode(struct slice s)
{
    struct element e = {.head_len = 0};
    int64_t v;

    if (s.len > 0 && s.len <= LP_INT_TEXT_MAX && num_i64(s.p, s.len, &v)) {
        encode_int(&e, v);
    } else {
        if (s.len < 64) {
            e.head[0] = (unsigned char)(0x80 | s.len);
            e.head_len = 1;
        } else if (s.len < 4096) {
            e.head[0] = (unsigned char)(0xE0 | s.len >> 8);
            e.head[1] = (unsigned char)s.len;
            e.head_len = 2;
        } else {
            e.head[0] = 0xF0;
            put_u32(e.head + 1, (uint32_t)s.len);
            e.head_len = 5;
        }
        e.payload = s;
    }
    e.total = e.head_len + e.payload.len;
    e.total += back_size(e.total);
    return e;
}

static void write_element(unsigned char *p, const struct element *e)
{
    size_t n = e->head_len + e->payload.len;

    memcpy(p, e->head, e->head_len);
    if (e->payload.len > 0)
        memcpy(p + e->head_len, e->payload.p, e->payload.len);
    put_back(p + n, n);
}

/* --- looking --- */

size_t lp_count(const unsigned char *lp)
{
    size_t n = raw_count(lp);

    if (n != LP_COUNT_UNKNOWN)
        return n;
    n = 0;
    for (unsigned char *p = lp_first(lp); p; p = lp_next(lp, p))
        n++;
    return n;
}

unsigned char *lp_first(const unsigned char *lp)
{
    unsigned char *p = (unsigned char *)lp + LP_HEADER;

    return *p == LP_END ? NULL : p;
}

unsigned char *lp_next(const unsigned char *lp, const unsigned char *at)
{
    unsigned char *p = (unsigned char *)at + whole_size(at);

    CHECK(p < lp + lp_bytes(lp));
    return *p == LP_END ? NULL : p;
}

unsigned char *lp_prev(const unsigned char *lp, const unsigned char *at)
{
    size_t n;

    if (at <= lp + LP_HEADER)
        return NULL;
    n = read_back(at);
    CHECK(n != SIZE_MAX && (size_t)(at - lp) >= LP_HEADER + n + back_size(n));
    return (unsigned char *)at - n - back_size(n);
}

unsigned char *lp_at(const unsigned char *lp, size_t index)
{
    unsigned char *p = lp_first(lp);
    size_t n = raw_count(lp);

    if (n != LP_COUNT_UNKNOWN) {
        if (index >= n)
            return NULL;
        if (index > n / 2) {           /* nearer to the end */
            p = (unsigned char *)lp + lp_bytes(lp) - 1;
            for (size_t i = n; i > index; i--)
                p = lp_prev(lp, p);
            return p;
        }
    }
    while (p && index-- > 0)
        p = lp_next(lp, p);
    return p;
}

struct slice lp_get(const unsigned char *at, char num[NUM_I64_MAX])
{
    struct head h = read_head(at);

    if (h.is_int)
        return (struct slice){num, num_put_i64(num, h.i)};
    return (struct slice){(const char *)at + h.head, h.payload};
}

bool lp_is(const unsigned char *at, struct slice s)
{
    char num[NUM_I64_MAX];
    struct head h = read_head(at);
    struct slice own;

    if (!h.is_int)
        return h.payload == s.len && memcmp(at + h.head, s.p, s.len) == 0;
    own = lp_get(at, num);
    return own.len == s.len && memcmp(own.p, s.p, s.len) == 0;
}

unsigned char *lp_find(const unsigned char *lp, unsigned char *at, struct slice s, unsigned skip)
{
    const unsigned char *end = lp + lp_bytes(lp) - 1;
    int64_t v = 0;
    bool is_int = s.len > 0 && s.len <= LP_INT_TEXT_MAX && num_i64(s.p, s.len, &v);

    while (at && at < end) {
        struct head h = read_head(at);

        if (h.is_int ? is_int && h.i == v : !is_int && h.payload == s.len && memcmp(at + h.head, s.p, s.len) == 0)
            return at;
        at += h.head + h.payload + back_size(h.head + h.payload);
        for (unsigned i = 0; i < skip && at < end; i++)
            at += whole_size(at);
    }
    return NULL;
}

/* --- changing --- */

/* Replace `drop` bytes at offset by e (or nothing); the count changes by delta. */
static unsigned char *splice(unsigned char *lp, size_t offset, size_t drop, const struct element *e, int64_t delta)
{
    size_t old = lp_bytes(lp);
    size_t add = e ? e->total : 0;
    size_t now = old - drop + add;

    CHECK(now <= LP_MAX_BYTES);
    if (now > old && mem_size(lp) < now)
        lp = mem_realloc(lp, now + now / 8);
    memmove(lp + offset + add, lp + offset + drop, old - offset - drop);
    if (e)
        write_element(lp + offset, e);
    set_bytes(lp, now);
    if (now < old && mem_size(lp) > now * 2 + 64)
        lp = mem_realloc(lp, now);
    if (delta != 0) {
        size_t n = raw_count(lp);

        if (n != LP_COUNT_UNKNOWN)
            set_count(lp, (size_t)((int64_t)n + delta));
        else if (delta < 0) {
            set_count(lp, LP_COUNT_UNKNOWN);
            set_count(lp, lp_count(lp));
        }
    }
    return lp;
}

unsigned char *lp_append(unsigned char *lp, struct slice s)
{
    struct element e = encode(s);

    return splice(lp, lp_bytes(lp) - 1, 0, &e, 1);
}

unsigned char *lp_insert(unsigned char *lp, unsigned char *before, struct slice s)
{
    struct element e = encode(s);

    return splice(lp, before ? (size_t)(before - lp) : lp_bytes(lp) - 1, 0, &e, 1);
}

unsigned char *lp_replace(unsigned char *lp, unsigned char **at, struct slice s)
{
    struct element e = encode(s);
    size_t offset = (size_t)(*at - lp);

    lp = splice(lp, offset, whole_size(*at), &e, 0);
    *at = lp + offset;
    return lp;
}

unsigned char *lp_delete(unsigned char *lp, unsigned char **at, size_t n)
{
    size_t offset = (size_t)(*at - lp);
    size_t bytes = 0, k = 0;

    while (k < n && lp[offset + bytes] != LP_END) {
        bytes += whole_size(lp + offset + bytes);
        k++;
    }
    lp = splice(lp, offset, bytes, NULL, -(int64_t)k);
    *at = lp[offset] == LP_END ? NULL : lp + offset;
    return lp;
}

bool lp_valid(const unsigned char *lp, size_t len)
{
    const unsigned char *end, *p;
    size_t n = 0;

    if (len < LP_HEADER + 1 || len > LP_MAX_BYTES || get_u32(lp) != len || lp[len - 1] != LP_END)
        return false;
    end = lp + len - 1;
    for (p = lp + LP_HEADER; p < end; n++) {
        size_t room = (size_t)(end - p);
        size_t hs = head_size(*p);
        struct head h;
        size_t body, back;

        if (hs == 0 || hs > room || (*p >= 0xF1 && *p <= 0xF4 && room < 9 && room < 1 + (size_t[]){2, 3, 4, 8}[*p - 0xF1]))
            return false;
        h = read_head(p);
        body = h.head + h.payload;
        if (h.payload > room || body > room)
            return false;
        back = back_size(body);
        if (back > room - body || read_back(p + body + back) != body)
            return false;
        p += body + back;
    }
    return p == end && (raw_count(lp) == LP_COUNT_UNKNOWN || raw_count(lp) == n);
}
