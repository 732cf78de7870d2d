/* Orders as transactions, and what counts as carried out. */
#include "sentinel/wire/order.h"
#include "tests/support/suite.h"

#include <hiredis/hiredis.h>
#include <string.h>

static void told(const struct order_text *t, char *out, size_t cap)
{
    size_t n = 0;

    out[0] = '\0';
    for (int i = 0; i < ORDER_COMMANDS; i++)
        for (int k = 0; k < t->cmd[i].argc; k++)
            n += (size_t)snprintf(out + n, cap - n, "%s%.*s", k ? " " : i ? "; " : "", (int)t->cmd[i].argv[k].len,
                                  t->cmd[i].argv[k].p);
}

static const char *renamed(void *arg, const char *command)
{
    (void)arg;
    return strcmp(command, "SLAVEOF") == 0 ? "follow-x" : strcmp(command, "CONFIG") == 0 ? "cfg-x" : command;
}

START_TEST(test_words)
{
    struct order_text t;
    struct addr a;
    char text[512];

    order_write(ORDER_PROMOTE, NULL, NULL, NULL, &t);
    told(&t, text, sizeof text);
    ck_assert_str_eq(text, "MULTI; SLAVEOF NO ONE; CONFIG REWRITE; CLIENT KILL TYPE normal; CLIENT KILL TYPE pubsub; EXEC");
    ck_assert(addr_set(&a, "10.0.0.9", 8, 6400));
    order_write(ORDER_REPOINT, &a, renamed, NULL, &t);
    told(&t, text, sizeof text);
    ck_assert_str_eq(text, "MULTI; follow-x 10.0.0.9 6400; cfg-x REWRITE; CLIENT KILL TYPE normal; CLIENT KILL TYPE pubsub; EXEC");
}
END_TEST

static bool done(const char *resp, char why[128])
{
    redisReader *rd = redisReaderCreate();
    void *r = NULL;
    bool ok;

    ck_assert_int_eq(redisReaderFeed(rd, resp, strlen(resp)), REDIS_OK);
    ck_assert_int_eq(redisReaderGetReply(rd, &r), REDIS_OK);
    ok = order_done(r, why, 128);
    freeReplyObject(r);
    redisReaderFree(rd);
    return ok;
}

START_TEST(test_done)
{
    char why[128];

    ck_assert(done("*4\r\n+OK\r\n+OK\r\n:1\r\n:0\r\n", why));
    ck_assert(done("*4\r\n+OK\r\n-ERR The server is running without a config file\r\n:1\r\n:0\r\n", why));
    ck_assert(!done("*4\r\n-ERR nope\r\n+OK\r\n:1\r\n:0\r\n", why));
    ck_assert_str_eq(why, "ERR nope");
    ck_assert(!done("-EXECABORT Transaction discarded\r\n", why));
    ck_assert(!done("-NOAUTH x\r\n", why));
    ck_assert(!done("$-1\r\n", why));
    ck_assert(!done("*-1\r\n", why));
    ck_assert(!done("*2\r\n+OK\r\n+OK\r\n", why));
    ck_assert(!order_done(NULL, why, 128));
}
END_TEST

SUITE(order, test_words, test_done)
