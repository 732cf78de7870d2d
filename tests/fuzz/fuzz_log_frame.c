/* A state file as the disk gives it. The first byte chooses: rubbish as it is, or rubbish behind a good
 * header (a stranger does not know the key, but a bad disk may bring back true batches). */
#include "common/text/log_frame.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct seen {
    uint64_t next, records;
    size_t bytes;
};

static int see(void *arg, uint64_t seq, uint8_t type, struct slice bytes, struct err *e)
{
    struct seen *s = arg;

    (void)type;
    (void)e;
    if (seq != s->next)
        abort();
    s->next++;
    s->records++;
    s->bytes += bytes.len;
    return 0;
}

static void walk(struct slice file)
{
    struct seen s = {.next = 1};
    struct log_walk w = {.record = see, .arg = &s};
    struct log_header h;
    struct err e;

    if (log_header_get(file, &h, &e) != 0)
        return;
    if (log_walk(file, &h, 1, false, &w, &e) == 0 && (w.good > file.len || w.records != s.records || w.next_seq != s.next))
        abort();
    if (s.bytes > file.len)
        abort();
}

/* The input is a list of deeds: make a batch, cut, flip, repeat. */
static void play(const uint8_t *data, size_t size)
{
    struct log_header h = {.kind = LOG_KIND_LOG, .owner = "fuzz", .generation = 1};
    struct str file = {0}, body = {0};
    uint64_t seq = 1;

    log_header_put(&h, &file);
    for (size_t i = 0; i + 1 < size && file.len < 65536; i += 2) {
        size_t n = data[i + 1];

        switch (data[i] % 4) {
        case 0:
            str_clear(&body);
            log_record_put(&body, data[i], (struct slice){(const char *)data, n < size ? n : size});
            log_batch_put(h.key, seq++, (struct slice){body.p, body.len}, &file);
            break;
        case 1: file.p[n * file.len / 256] ^= (char)(data[i] | 1); break;
        case 2:
            if (file.len > LOG_HEADER_BYTES + n)
                str_cut(&file, file.len - n);
            break;
        case 3: str_append(&file, data, n < size ? n : size); break;
        }
    }
    walk((struct slice){file.p, file.len});
    str_fini(&file);
    str_fini(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] & 1)
        walk((struct slice){(const char *)data + 1, size - 1});
    else
        play(data + 1, size - 1);
    return 0;
}
