/* The ring of recent bytes of the replication stream, for replicas that come back. */
#ifndef KV_REPL_BACKLOG_H
#define KV_REPL_BACKLOG_H

#include "common/base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct backlog {
    char *mem;                     /* NULL: none kept */
    size_t size;
    size_t len;                    /* bytes kept, at most size */
    size_t end;                    /* where the next byte goes */
    int64_t first;                 /* offset of the oldest byte kept (of the next one while empty) */
};

void backlog_init(struct backlog *b);                                /* none kept */
void backlog_fini(struct backlog *b);
bool backlog_active(const struct backlog *b);
void backlog_create(struct backlog *b, size_t size, int64_t first);  /* empty; replaces an old one */
void backlog_release(struct backlog *b);
void backlog_resize(struct backlog *b, size_t size);                 /* keeps the newest bytes that fit */
void backlog_append(struct backlog *b, const void *p, size_t n);
/* Bytes from offset `from` to the end; false when they are not all there. */
bool backlog_copy(const struct backlog *b, int64_t from, struct buf *out);

#endif
