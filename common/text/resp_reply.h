/* Writes replies into a buf, in RESP2 or RESP3. What RESP2 lacks is written in its
 * RESP2 form (map -> flat array, double -> bulk, null -> $-1, bool -> integer).
 * https://github.com/redis/redis-specifications (RESP3). */
#ifndef KV_TEXT_RESP_REPLY_H
#define KV_TEXT_RESP_REPLY_H

#include "common/base/buf.h"
#include "common/base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct reply {
    struct buf *out;
    int resp;              /* 2 or 3 */
    uint64_t errors;       /* how many error replies were written through this */
    /* Told the code ("ERR", "WRONGTYPE") of each of them; may be NULL. */
    void (*on_error)(void *arg, const char *code, size_t n);
    void *on_error_arg;
};

void reply_init(struct reply *r, struct buf *out, int resp);
void reply_ok(struct reply *r);
void reply_simple(struct reply *r, const char *z);                    /* +z */
/* An error. The text starts with its code ("ERR ...", "WRONGTYPE ..."); line breaks become blanks. */
void reply_error(struct reply *r, const char *z);
void reply_errorf(struct reply *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void reply_int(struct reply *r, int64_t v);
void reply_bulk(struct reply *r, const void *p, size_t n);
void reply_bulk_z(struct reply *r, const char *z);
void reply_bulk_slice(struct reply *r, struct slice s);
void reply_bulk_i64(struct reply *r, int64_t v);                      /* the number as a bulk string */
void reply_bulkf(struct reply *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void reply_double(struct reply *r, double v);
void reply_bool(struct reply *r, bool v);
void reply_null(struct reply *r);
void reply_null_array(struct reply *r);
void reply_verbatim(struct reply *r, const char *ext3, const void *p, size_t n);   /* "txt", "mkd" */
void reply_big_number(struct reply *r, const char *digits);
void reply_array(struct reply *r, size_t n);                          /* n elements follow */
void reply_map(struct reply *r, size_t pairs);                        /* pairs key, value follow */
void reply_set(struct reply *r, size_t n);
void reply_push(struct reply *r, size_t n);
void reply_attribute(struct reply *r, size_t pairs);                  /* RESP3 only */

/* When the length is known only afterwards: remember where, write the elements,
 * then close with the count. Nesting is fine, inner first. */
struct reply_hole { size_t at; };
struct reply_hole reply_hole(struct reply *r);
void reply_fill_array(struct reply *r, struct reply_hole h, size_t n);
void reply_fill_map(struct reply *r, struct reply_hole h, size_t pairs);
void reply_fill_set(struct reply *r, struct reply_hole h, size_t n);

/* Bytes that are already RESP. */
void reply_raw(struct reply *r, const void *p, size_t n);

#endif
