/* What a client sends: RESP arrays of bulk strings, or inline lines. Incremental
 * and in place: arguments are slices of the caller's bytes, nothing is copied
 * (inline words excepted, which are unquoted into the parser's own memory).
 *
 * Use: keep unread bytes in one buffer. Call resp_parse with the *whole* unread
 * part each time more has arrived; the parser remembers how far it got, so
 * nothing is scanned twice. After RESP_READY run the request, then consume
 * `used` bytes and call again. After RESP_MORE consume nothing.
 *
 * Protocol: https://redis.io/docs/reference/protocol-spec (requests), inline form
 * with sdssplitargs' quoting. Errors carry Redis' own texts ("Protocol error: ..."). */
#ifndef KV_TEXT_RESP_REQUEST_H
#define KV_TEXT_RESP_REQUEST_H

#include "common/base/err.h"
#include "common/base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct resp_limits {
    size_t inline_bytes;      /* default 64 KiB */
    int    args;              /* default 1024*1024 */
    int64_t bulk_bytes;       /* default 512 MiB (proto-max-bulk-len) */
};
extern const struct resp_limits resp_limits_default;
extern const struct resp_limits resp_limits_guest;    /* before AUTH: 10 arguments of 16 KiB */

struct resp_parser {
    /* private */
    size_t pos;               /* how far into the unread bytes we are */
    size_t scan;              /* no line end between pos and here */
    int    want;              /* arguments of the array being read, -1: not inside one */
    int64_t bulk;             /* length of the bulk being read, -1: its header is next */
    struct { size_t off, len; } *spans;   /* offsets of the arguments so far */
    int    nspans, cap;
    struct slice *argv;
    int    argv_cap;
    struct str words;         /* unquoted inline words */
};

enum resp_result { RESP_MORE, RESP_READY, RESP_BAD };

void resp_parser_init(struct resp_parser *p);
void resp_parser_fini(struct resp_parser *p);
void resp_parser_reset(struct resp_parser *p);

/* RESP_READY: *argv has *argc slices (argc may be 0: an empty line or array, to be
 * skipped), good until the next call or until the bytes move; *used says how many
 * bytes the request took. RESP_BAD: e holds the sentence to send after "-ERR ". */
enum resp_result resp_parse(struct resp_parser *p, const struct resp_limits *lim, const char *data, size_t len,
                            const struct slice **argv, int *argc, size_t *used, struct err *e);

/* How many further bytes the argument being read needs (for sizing a read), 0 if unknown. */
size_t resp_parser_wants(const struct resp_parser *p, size_t have);

/* Append a request in RESP array form (for streams, AOF-like text and tests). */
struct buf;
void resp_put_request(struct buf *out, int argc, const struct slice *argv);
void resp_put_request_z(struct buf *out, const char *first, ...) __attribute__((sentinel));

#endif
