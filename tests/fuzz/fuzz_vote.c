/* The first byte chooses: a vote request as four words, or an answer as RESP. */
#include "sentinel/wire/vote.h"

#include <hiredis/hiredis.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void request(const char *p, size_t n)
{
    struct slice argv[4] = {{"", 0}, {"", 0}, {"", 0}, {"", 0}};
    struct vote_request q, again;
    struct str w[4] = {{0}};
    struct err e;

    for (int i = 0; i < 4; i++) {
        const char *blank = memchr(p, ' ', n);
        size_t len = blank && i < 3 ? (size_t)(blank - p) : n;

        argv[i] = (struct slice){p, len};
        if (!blank || i == 3)
            break;
        p += len + 1;
        n -= len + 1;
    }
    if (vote_request_read(argv, &q, &e) != 0)
        return;
    vote_request_write(&q, w);
    for (int i = 0; i < 4; i++)
        argv[i] = (struct slice){w[i].p, w[i].len};
    if (vote_request_read(argv, &again, &e) != 0 || memcmp(&q, &again, sizeof q) != 0)
        abort();
    for (int i = 0; i < 4; i++)
        str_fini(&w[i]);
}

static void answer(const char *p, size_t n)
{
    redisReader *rd = redisReaderCreate();
    void *r = NULL;
    struct vote_answer a;

    if (redisReaderFeed(rd, p, n) == REDIS_OK && redisReaderGetReply(rd, &r) == REDIS_OK && r) {
        if (vote_answer_read(r, &a) && strlen(a.leader) != 0 && strlen(a.leader) != ID_HEX)
            abort();
        freeReplyObject(r);
    }
    redisReaderFree(rd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    (data[0] & 1 ? request : answer)((const char *)data + 1, size - 1);
    return 0;
}
