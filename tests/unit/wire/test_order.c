/* Orders as transactions, and what counts as carried out. */
#include "sentinel/wire/order.h"
#include "tests/support/suite.h"

#include <hiredis/hiredis.h>
#include <string.h>

static void told(const struct order_text *t, char *out, size_t cap)
{
    size_t n = 0;

    out[0] = '\0';
    for (int i = 0; i < t->n; i++)
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
    ck_assert_str_eq(text, "MULTI; SLAVEOF NO ONE; CLIENT KILL TYPE normal; CLIENT KILL TYPE pubsub; EXEC");
    ck_assert(addr_set(&a, "10.0.0.9", 8, 6400));
    order_write(ORDER_REPOINT, &a, renamed, NULL, &t);
    told(&t, text, sizeof text);
    ck_assert_str_eq(text, "MULTI; follow-x 10.0.0.9 6400; cfg-x REWRITE; CLIENT KILL TYPE normal; CLIENT KILL TYPE pubsub; EXEC");
}
END_TEST

/* What the answers to the six commands come to; EXEC's last. */
static struct order_result heard(enum order what, const char *resp)
{
    int n = what == ORDER_PROMOTE ? ORDER_COMMANDS - 1 : ORDER_COMMANDS;
    struct order_result out = {0};
    redisReader *rd = redisReaderCreate();
    void *r = NULL;

    ck_assert_int_eq(redisReaderFeed(rd, resp, strlen(resp)), REDIS_OK);
    for (int at = 0; at < n; at++) {
        ck_assert_int_eq(redisReaderGetReply(rd, &r), REDIS_OK);
        order_heard(what, at, r, &out);
        freeReplyObject(r);
    }
    redisReaderFree(rd);
    return out;
}

#define QUEUED "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n"

START_TEST(test_heard)
{
    static const struct {
        const char *resp;
        bool done, kept;
        const char *why;
    } cases[] = {
        {QUEUED "*4\r\n+OK\r\n+OK\r\n:1\r\n:0\r\n", true, true, ""},
        {QUEUED "*4\r\n+OK\r\n-ERR no file\r\n:1\r\n:0\r\n", true, false, "CONFIG REWRITE: ERR no file"},
        {QUEUED "*4\r\n+OK\r\n+OK\r\n-ERR syntax\r\n-ERR syntax\r\n", true, true,
         "CLIENT KILL: ERR syntax, CLIENT KILL: ERR syntax"},
        {QUEUED "*4\r\n-ERR nope\r\n+OK\r\n:1\r\n:0\r\n", false, false, "SLAVEOF: ERR nope"},
        {"+OK\r\n+QUEUED\r\n-NOPERM no\r\n+QUEUED\r\n+QUEUED\r\n-EXECABORT Transaction discarded\r\n", false, false,
         "CONFIG REWRITE: NOPERM no"},
        {"-NOAUTH x\r\n-NOAUTH x\r\n-NOAUTH x\r\n-NOAUTH x\r\n-NOAUTH x\r\n-NOAUTH x\r\n", false, false, NULL},
        {QUEUED "-EXECABORT Transaction discarded\r\n", false, false, "EXEC: EXECABORT Transaction discarded"},
        {QUEUED "*-1\r\n", false, false, "the transaction was not carried out"},
        {QUEUED "$-1\r\n", false, false, "the transaction was not carried out"},
        {QUEUED "*2\r\n+OK\r\n+OK\r\n", false, false, "the transaction was not carried out"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct order_result r = heard(ORDER_REPOINT, cases[i].resp);

        ck_assert_msg(r.done == cases[i].done && r.kept == cases[i].kept, "%s", cases[i].resp);
        if (cases[i].why)
            ck_assert_str_eq(r.why, cases[i].why);
    }
    ck_assert(heard(ORDER_PROMOTE, "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n+OK\r\n:1\r\n-ERR syntax\r\n").done);
    ck_assert_str_eq(heard(ORDER_PROMOTE, "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n-ERR no\r\n:1\r\n:0\r\n").why, "SLAVEOF: ERR no");
    ck_assert(!heard(ORDER_PROMOTE, "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*4\r\n+OK\r\n+OK\r\n:1\r\n:0\r\n").done);
}
END_TEST

START_TEST(test_link_ended)
{
    struct order_result out = {0};

    for (int at = 0; at < ORDER_COMMANDS; at++)
        order_heard(ORDER_REPOINT, at, NULL, &out);
    ck_assert(!out.done && !out.kept && out.why[0] != '\0');
}
END_TEST

SUITE(order, test_words, test_heard, test_link_ended)
