/* A byte queue in one piece of memory: append at the end, consume from the front.
 * The readable bytes are always contiguous. Pointers into it are good until the
 * next append or reserve. An empty one is all zeroes. */
#ifndef KV_BASE_BUF_H
#define KV_BASE_BUF_H

#include <stddef.h>

struct buf {
    char *mem;
    size_t start;      /* first readable byte */
    size_t end;        /* one past the last readable byte */
    size_t cap;
};

void buf_init(struct buf *b);
void buf_fini(struct buf *b);
static inline size_t buf_len(const struct buf *b) { return b->end - b->start; }
static inline char *buf_data(const struct buf *b) { return b->mem ? b->mem + b->start : b->mem; }
static inline size_t buf_room(const struct buf *b) { return b->cap - b->end; }
void  buf_reserve(struct buf *b, size_t more);      /* room for `more` bytes at the end */
char *buf_tail(struct buf *b, size_t more);         /* reserve, and where to write */
void  buf_added(struct buf *b, size_t n);           /* n bytes were written at the tail */
void  buf_append(struct buf *b, const void *p, size_t n);
void  buf_append_z(struct buf *b, const char *z);
void  buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void  buf_consume(struct buf *b, size_t n);         /* forget the first n bytes */
void  buf_clear(struct buf *b);                     /* forget everything, keep the room */
void  buf_cut(struct buf *b, size_t len);           /* shorten from the end to len bytes */
void  buf_swap(struct buf *a, struct buf *b);
void  buf_shrink(struct buf *b, size_t keep);       /* give memory back if more than keep is idle */

#endif
