/* Head and walk; the requests themselves are resp_request's. */
#include "common/text/tail_text.h"

#include "common/base/num.h"
#include "common/text/resp_request.h"

#include <inttypes.h>
#include <string.h>

#define HEAD_MAX 512
#define TRIES_MAX 256                  /* beginnings that are tried in bytes that were cut */

static const struct resp_limits limits = {64 << 10, 64 << 20, 1LL << 40};

/* --- the line ------------------------------------------------------------------------------ */

void tail_text_put_head(struct str *out, const struct tail_head *h)
{
    str_printf(out, TAIL_TEXT_WORD " group %" PRIu64 " epoch %" PRIu64 " fork %" PRId64 " first %" PRId64 " end %" PRId64
               " commands %" PRIu64 " made %" PRId64 "\n", h->gid, h->epoch, h->fork, h->first, h->end, h->commands, h->made_ms);
}

static struct slice next_word(struct slice *s)
{
    const char *blank = s->len ? memchr(s->p, ' ', s->len) : NULL;
    struct slice w = {s->p, blank ? (size_t)(blank - s->p) : s->len};

    s->p += w.len + (blank != NULL);
    s->len -= w.len + (blank != NULL);
    return w;
}

int tail_text_head(const char *p, size_t n, struct tail_head *h, size_t *used, struct err *e)
{
    const char *end = n ? memchr(p, '\n', n < HEAD_MAX ? n : HEAD_MAX) : NULL;
    struct slice line = {p, end ? (size_t)(end - p) : 0};
    struct { const char *name; uint64_t *u; int64_t *i; } fields[] = {
        {"group", &h->gid, NULL}, {"epoch", &h->epoch, NULL}, {"fork", NULL, &h->fork}, {"first", NULL, &h->first},
        {"end", NULL, &h->end}, {"commands", &h->commands, NULL}, {"made", NULL, &h->made_ms},
    };

    if (!end || !slice_is(next_word(&line), TAIL_TEXT_WORD))
        return err_set(e, ERR_FORMAT, "it does not begin as a saved tail does");
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        struct slice name = next_word(&line), v = next_word(&line);
        bool ok = slice_is(name, fields[i].name) &&
                  (fields[i].u ? num_u64(v.p, v.len, fields[i].u) : num_i64(v.p, v.len, fields[i].i));
        if (!ok)
            return err_set(e, ERR_FORMAT, "its first line says no '%s'", fields[i].name);
    }
    if (h->fork < -1 || h->first < 0 || h->end < h->first - 1)
        return err_set(e, ERR_FORMAT, "its first line names offsets that cannot be");
    *used = (size_t)(end - p) + 1;
    return 0;
}

/* --- requests -------------------------------------------------------------------------------- */

static bool is_write(struct slice name)
{
    static const char *const none[] = {"select", "ping", "multi", "exec", "replconf", "ha"};

    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        if (slice_is_nocase(name, none[i]))
            return false;
    return true;
}

int tail_text_walk(const char *p, size_t n, tail_one_fn *one, void *arg, struct tail_counts *counts, struct err *e)
{
    struct resp_parser parser;
    const struct slice *argv;
    enum resp_result got = RESP_READY;
    size_t used;
    int argc;

    *counts = (struct tail_counts){0};
    resp_parser_init(&parser);
    while (counts->bytes < n && got == RESP_READY) {
        if (p[counts->bytes] != '*') {
            got = RESP_BAD;
            err_set(e, ERR_FORMAT, "no request begins here");
            break;
        }
        got = resp_parse(&parser, &limits, p + counts->bytes, n - counts->bytes, &argv, &argc, &used, e);
        if (got != RESP_READY)
            break;
        if (argc > 0) {
            counts->commands += is_write(argv[0]);
            if (one)
                one(arg, counts->bytes, argc, argv);
        }
        counts->bytes += used;
    }
    resp_parser_fini(&parser);
    return got == RESP_BAD ? err_set(e, ERR_FORMAT, "not a request, %zu bytes from the front", counts->bytes) : 0;
}

size_t tail_text_begin(const char *p, size_t n)
{
    size_t at = 0;

    for (int tries = 0; at < n && tries < TRIES_MAX; tries++, at++) {
        struct tail_counts c;
        struct err e = {0};
        const char *star = memchr(p + at, '*', n - at);

        if (!star)
            break;
        at = (size_t)(star - p);
        if ((at == 0 || p[at - 1] == '\n') && tail_text_walk(star, n - at, NULL, NULL, &c, &e) == 0 && c.bytes == n - at)
            return at;
    }
    return n;
}

/* --- for people -------------------------------------------------------------------------------- */

struct printing {
    struct str *out;
    int64_t first;
};

static bool is_plain_word(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.p[i] <= ' ' || (unsigned char)s.p[i] > '~' || s.p[i] == '"' || s.p[i] == '\\')
            return false;
    return s.len > 0;
}

static void print_one(void *arg, size_t at, int argc, const struct slice *argv)
{
    struct printing *pr = arg;

    str_printf(pr->out, "%" PRId64, pr->first + (int64_t)at);
    for (int i = 0; i < argc; i++) {
        str_append_c(pr->out, ' ');
        if (is_plain_word(argv[i]))
            str_append(pr->out, argv[i].p, argv[i].len);
        else
            str_append_quoted(pr->out, argv[i].p, argv[i].len);
    }
    str_append_c(pr->out, '\n');
}

int tail_text_print(const char *p, size_t n, struct str *out, struct err *e)
{
    struct tail_head h;
    struct tail_counts c;
    struct printing pr = {out, 0};
    size_t used = 0;
    int rc = tail_text_head(p, n, &h, &used, e);

    if (rc != 0)
        return rc;
    str_printf(out, "# a discarded tail: group %" PRIu64 ", epoch %" PRIu64 ", made at %" PRId64 " ms\n", h.gid, h.epoch, h.made_ms);
    if (h.fork < 0)
        str_printf(out, "# where the histories parted is not known; offsets %" PRId64 " to %" PRId64 " are here, some of them may not be lost\n",
                   h.first, h.end);
    else
        str_printf(out, "# the histories parted after offset %" PRId64 "; offsets %" PRId64 " to %" PRId64 " are here%s\n", h.fork, h.first,
                   h.end, h.first > h.fork + 1 ? ", what stood before them is not" : "");
    str_printf(out, "# %" PRIu64 " commands that wrote; <offset of its first byte> <command>\n", h.commands);
    pr.first = h.first;
    rc = tail_text_walk(p + used, n - used, print_one, &pr, &c, e);
    if (rc == 0 && c.bytes < n - used)
        str_printf(out, "# the last %zu bytes are no whole command\n", n - used - c.bytes);
    return rc;
}
