/* The file that holds the discarded tail of a node's log. A first line
 *
 *     kvorum-tail group <gid> epoch <epoch> fork <offset> first <offset> end <offset> commands <n> made <ms>
 *
 * and behind it requests as RESP arrays, as they stood in the stream. fork: the last offset in
 * both histories (-1: not known); the bytes behind the line are those of offsets first..end,
 * all of the tail when first = fork + 1 and the log of the node ended at `end`. made: wall clock.
 * commands: those that wrote; SELECT, PING, MULTI, EXEC, REPLCONF and HA are none. */
#ifndef KV_TEXT_TAIL_TEXT_H
#define KV_TEXT_TAIL_TEXT_H

#include "common/base/err.h"
#include "common/base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define TAIL_TEXT_WORD "kvorum-tail"

struct tail_head {
    uint64_t gid, epoch, commands;
    int64_t fork, first, end;
    int64_t made_ms;
};

void tail_text_put_head(struct str *out, const struct tail_head *h);       /* with its line end */
/* *used: bytes of the line. ERR_FORMAT. */
int  tail_text_head(const char *p, size_t n, struct tail_head *h, size_t *used, struct err *e);

struct tail_counts {
    uint64_t commands;                 /* that wrote */
    size_t bytes;                      /* of whole requests, from the front */
};
/* Walks over requests. one may be NULL; it is told of each, with the bytes in front of it. ERR_FORMAT: from counts->bytes
 * on it is no request; a last one that is not whole is no error. */
typedef void tail_one_fn(void *arg, size_t at, int argc, const struct slice *argv);
int  tail_text_walk(const char *p, size_t n, tail_one_fn *one, void *arg, struct tail_counts *counts, struct err *e);
/* Where requests begin in bytes that were cut somewhere: from there to the end they read as requests. n: nowhere. */
size_t tail_text_begin(const char *p, size_t n);

/* A whole file for people: "<offset> SET key \"a value\"" a line, the head as lines with # in front. */
int  tail_text_print(const char *p, size_t n, struct str *out, struct err *e);

#endif
