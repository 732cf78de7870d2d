/* Requests from anybody. The first byte chooses the limits and the size of the pieces; whole
 * or in pieces, the same requests must come out, every argument must lie within its limits,
 * and what was read must read back the same when it is written again. */
#include "common/base/buf.h"
#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/text/resp_request.h"

#include <string.h>

static void read_back(int argc, const struct slice *argv)
{
    struct resp_limits lim = {resp_limits_default.inline_bytes, argc + 11, resp_limits_default.bulk_bytes};
    struct buf b = {0};
    struct resp_parser p;
    const struct slice *again = NULL;
    struct err e;
    size_t used = 0;
    int n = 0;

    resp_put_request(&b, argc, argv);
    resp_parser_init(&p);
    CHECK(resp_parse(&p, &lim, buf_data(&b), buf_len(&b), &again, &n, &used, &e) == RESP_READY);
    CHECK(n == argc && used == buf_len(&b));
    for (int i = 0; i < n; i++)
        CHECK(slice_eq(argv[i], again[i]));
    resp_parser_fini(&p);
    buf_fini(&b);
}

static void feed(const struct resp_limits *lim, const char *data, size_t len, size_t step, struct str *told)
{
    struct resp_parser p;
    size_t have = 0, start = 0;
    enum resp_result got = RESP_MORE;

    resp_parser_init(&p);
    while (got != RESP_BAD) {
        const struct slice *argv = NULL;
        struct err e = {0};
        size_t used = 0;
        int argc = 0;
        char *copy = mem_dup(data + start, have - start);    /* exact: reading beyond is seen */

        got = resp_parse(&p, lim, copy, have - start, &argv, &argc, &used, &e);
        if (got == RESP_READY) {
            CHECK(used > 0 && used <= have - start && argc <= (int)len && (copy[0] != '*' || argc <= lim->args));
            for (int i = 0; i < argc; i++) {
                str_printf(told, "%zu:", argv[i].len);
                str_append(told, argv[i].p, argv[i].len);
            }
            str_printf(told, ";%zu;", used);
            if (step == len)
                read_back(argc, argv);
            start += used;
        } else if (got == RESP_BAD) {
            CHECK(strncmp(e.text, "Protocol error: ", 16) == 0 && !strchr(e.text, '\n'));
            str_append_z(told, e.text);
        } else {
            CHECK(resp_parser_wants(&p, have - start) < ((size_t)1 << 40));
        }
        mem_free(copy);
        if (got == RESP_MORE) {
            if (have == len)
                break;
            have = len - have > step ? have + step : len;
        }
    }
    resp_parser_fini(&p);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    const struct resp_limits small = {40, 12, 100};
    struct str whole = {0}, pieces = {0};
    const struct resp_limits *lim;

    if (size < 2 || size > 4096)
        return 0;
    lim = data[0] % 3 == 0 ? &resp_limits_default : data[0] % 3 == 1 ? &resp_limits_guest : &small;
    feed(lim, (const char *)data + 1, size - 1, size - 1, &whole);
    feed(lim, (const char *)data + 1, size - 1, (size_t)(1 + data[0] / 3 % 16), &pieces);
    CHECK(whole.len == pieces.len && memcmp(str_c(&whole), str_c(&pieces), whole.len) == 0);
    str_fini(&whole);
    str_fini(&pieces);
    return 0;
}
