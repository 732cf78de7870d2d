/* Telling a torn end from a damaged middle: after a bad batch every later offset is tried
 * for a good one with a higher sequence number. The key makes a chance hit out of the question. */
#include "common/text/log_frame.h"

#include "common/base/check.h"
#include "common/base/hash.h"

#include <string.h>

#define MAGIC "KVSTATE1"
#define BATCH "kvB1"

static void put_le(struct str *out, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++)
        str_append_c(out, (char)(v >> (8 * i)));
}

static uint64_t get_le(const char *p, int bytes)
{
    uint64_t v = 0;

    for (int i = bytes; i-- > 0;)
        v = v << 8 | (unsigned char)p[i];
    return v;
}

void log_header_put(const struct log_header *h, struct str *out)
{
    size_t from = out->len;

    str_append(out, MAGIC, 8);
    str_append_c(out, (char)h->kind);
    str_append(out, "\0\0\0", 3);
    str_append(out, h->owner, LOG_OWNER_MAX);
    put_le(out, h->generation, 8);
    put_le(out, h->bytes, 8);
    str_append(out, h->key, 16);
    put_le(out, hash_with(h->key, out->p + from, LOG_HEADER_BYTES - 8), 8);
}

int log_header_get(struct slice file, struct log_header *h, struct err *e)
{
    if (file.len < 8 || memcmp(file.p, MAGIC, 8) != 0)
        return err_set(e, ERR_FORMAT, "it does not begin like a state file");
    if (file.len < LOG_HEADER_BYTES)
        return err_set(e, ERR_VERIFY, "its header is cut off at byte %zu", file.len);
    memset(h, 0, sizeof *h);
    h->kind = file.p[8] == LOG_KIND_SNAPSHOT ? LOG_KIND_SNAPSHOT : LOG_KIND_LOG;
    memcpy(h->owner, file.p + 12, LOG_OWNER_MAX);
    h->generation = get_le(file.p + 24, 8);
    h->bytes = get_le(file.p + 32, 8);
    memcpy(h->key, file.p + 40, 16);
    if (get_le(file.p + 56, 8) != hash_with(h->key, file.p, LOG_HEADER_BYTES - 8) || file.p[8] != (char)h->kind ||
        h->owner[LOG_OWNER_MAX - 1] != '\0')
        return err_set(e, ERR_VERIFY, "its header is damaged");
    return 0;
}

void log_record_put(struct str *body, uint8_t type, struct slice bytes)
{
    CHECK(bytes.len <= LOG_RECORD_MAX);
    put_le(body, (uint64_t)bytes.len << 8 | type, 4);
    str_append(body, bytes.p, bytes.len);
}

static uint64_t batch_check(const uint8_t key[16], const char *batch, size_t body)
{
    uint8_t second[16];
    uint64_t head = hash_with(key, batch, 16);

    memcpy(second, key, 16);
    for (int i = 0; i < 8; i++)
        second[8 + i] ^= (uint8_t)(head >> (8 * i));
    return hash_with(second, batch + LOG_BATCH_HEAD_BYTES, body);
}

void log_batch_put(const uint8_t key[16], uint64_t seq, struct slice body, struct str *out)
{
    size_t from = out->len;

    CHECK(body.len > 0 && body.len <= LOG_BATCH_MAX);
    str_append(out, BATCH, 4);
    put_le(out, body.len, 4);
    put_le(out, seq, 8);
    put_le(out, 0, 8);
    str_append(out, body.p, body.len);
    uint64_t check = batch_check(key, out->p + from, body.len);
    for (int i = 0; i < 8; i++)
        out->p[from + 16 + (size_t)i] = (char)(check >> (8 * i));
}

/* Bytes of the good batch at `at`, or 0. */
static size_t batch_at(struct slice file, const uint8_t key[16], size_t at, uint64_t *seq)
{
    size_t room = file.len - at, body;

    if (room <= LOG_BATCH_HEAD_BYTES || memcmp(file.p + at, BATCH, 4) != 0)
        return 0;
    body = (size_t)get_le(file.p + at + 4, 4);
    if (body == 0 || body > LOG_BATCH_MAX || body > room - LOG_BATCH_HEAD_BYTES)
        return 0;
    if (get_le(file.p + at + 16, 8) != batch_check(key, file.p + at, body))
        return 0;
    *seq = get_le(file.p + at + 8, 8);
    return LOG_BATCH_HEAD_BYTES + body;
}

static bool good_one_later(struct slice file, const uint8_t key[16], size_t from, size_t *where)
{
    const char *p = file.p + from;
    const char *end = file.p + file.len;
    uint64_t seq;

    while (p < end && (p = memmem(p, (size_t)(end - p), BATCH, 4)) != NULL) {
        if (batch_at(file, key, (size_t)(p - file.p), &seq)) {
            *where = (size_t)(p - file.p);
            return true;
        }
        p++;
    }
    return false;
}

static int records(struct slice body, size_t at, struct log_walk *w, struct err *e)
{
    for (size_t i = 0; i < body.len;) {
        size_t head, len;
        int rc;

        if (body.len - i < 4)
            return err_set(e, ERR_VERIFY, "the batch at byte %zu holds a broken record", at);
        head = (size_t)get_le(body.p + i, 4);
        len = head >> 8;
        i += 4;
        if (len > LOG_RECORD_MAX || len > body.len - i)
            return err_set(e, ERR_VERIFY, "the batch at byte %zu holds a broken record", at);
        rc = w->record ? w->record(w->arg, w->next_seq, (uint8_t)head, (struct slice){body.p + i, len}, e) : 0;
        if (rc != 0)
            return err_wrap(e, "byte %zu", at + LOG_BATCH_HEAD_BYTES + i);
        w->next_seq++;
        w->records++;
        i += len;
    }
    return 0;
}

int log_walk(struct slice file, const struct log_header *h, uint64_t seq, bool strict, struct log_walk *w, struct err *e)
{
    size_t at = LOG_HEADER_BYTES, later;
    uint64_t first;

    CHECK(file.len >= LOG_HEADER_BYTES);
    w->good = at;
    w->next_seq = seq;
    w->records = 0;
    while (at < file.len) {
        size_t n = batch_at(file, h->key, at, &first);
        int rc;

        if (n == 0 && strict)
            return err_set(e, ERR_VERIFY, "it is damaged at byte %zu", at);
        if (n == 0 && good_one_later(file, h->key, at, &later))
            return err_set(e, ERR_VERIFY, "it is damaged at byte %zu (good again from byte %zu)", at, later);
        if (n == 0 && file.len - at > LOG_BATCH_HEAD_BYTES + LOG_BATCH_MAX)
            return err_set(e, ERR_VERIFY, "it is damaged at byte %zu: more follows than one batch can be", at);
        if (n == 0)
            return 0;
        if (first != w->next_seq)
            return err_set(e, ERR_VERIFY, "at byte %zu record %llu follows where %llu is wanted", at,
                           (unsigned long long)first, (unsigned long long)w->next_seq);
        rc = records((struct slice){file.p + at + LOG_BATCH_HEAD_BYTES, n - LOG_BATCH_HEAD_BYTES}, at, w, e);
        if (rc != 0)
            return rc;
        at += n;
        w->good = at;
    }
    return 0;
}
