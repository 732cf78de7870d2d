/* Non-blocking bytes over TCP or a unix socket. Reading fills `in`, writing drains
 * `out`; what is put into `out` leaves in one write at the end of the turn.
 *
 * Close is deferred: stream_close unhooks and parks it; its callbacks are not called
 * again and its memory goes at the end of the turn, so no callback has to ask whether
 * it is still alive. The owner is told of an end once, by on_end, and must then (or any
 * time) call stream_close.
 *
 * Output may be kept back: every byte that was ever put into `out` has a number, and
 * bytes from `stream_allow`'s number on wait until a higher one is said. */
#ifndef KV_IO_STREAM_H
#define KV_IO_STREAM_H

#include "common/base/addr.h"
#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/io/loop.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum stream_end {
    STREAM_EOF,              /* the other side closed in order */
    STREAM_RESET,            /* connection lost (ECONNRESET, EPIPE, ...) */
    STREAM_REFUSED,          /* connect: nobody listens there (ECONNREFUSED) */
    STREAM_UNREACHABLE,      /* connect: any other failure */
    STREAM_TIMEOUT,          /* connect took too long */
    STREAM_LIMIT             /* more unread output than out_max */
};
const char *stream_end_name(enum stream_end how);

struct stream;

struct stream_events {
    void (*on_up)(struct stream *s, void *owner);                          /* outgoing: connected. May be NULL */
    void (*on_data)(struct stream *s, void *owner);                        /* new bytes in stream_in(s) */
    void (*on_end)(struct stream *s, enum stream_end how, int sys_errno, void *owner);
    void (*on_drained)(struct stream *s, void *owner);                     /* out became empty. May be NULL */
};

/* Takes fd (already connected and accepted). */
struct stream *stream_from_fd(struct loop *l, int fd, const struct stream_events *ev, void *owner);
/* host must be a literal address (names go through io/resolve). source_ip may be NULL.
 * Never fails at once: what goes wrong is an on_end in a later turn. */
struct stream *stream_connect(struct loop *l, const struct addr *to, const char *source_ip, int64_t timeout_ms,
                              const struct stream_events *ev, void *owner);
struct stream *stream_connect_unix(struct loop *l, const char *path, int64_t timeout_ms,
                                   const struct stream_events *ev, void *owner);
void stream_close(struct stream *s);                 /* drops unread and unsent bytes */
void stream_close_when_sent(struct stream *s);       /* sends what is left first (at most 5 s), reads no more; no callbacks.
                                                        What waits then is not sent */

struct buf *stream_in(struct stream *s);
struct buf *stream_out(struct stream *s);            /* append here, then stream_flush_later */
void stream_flush_later(struct stream *s);           /* write at the end of this turn */
bool stream_flush_now(struct stream *s);             /* write now; true if everything left */
void stream_flush_some(struct stream *s);            /* write what the socket takes now; calls nobody back (an error is told later) */
void stream_flush_all(struct loop *l);               /* everything that would be written at the end of this turn, now */
void stream_write(struct stream *s, const void *p, size_t n);   /* append + flush_later */
/* Numbers of bytes of the output, from 0 at the beginning: the one that the next byte appended will have. */
uint64_t stream_out_end(const struct stream *s);
/* Bytes below this number may leave, the rest waits (it stays in stream_out, and counts for its limit).
 * STREAM_ALL (as it begins): nothing waits. What has left cannot be kept back. The other side's EOF is told when what
 * waits has left. */
#define STREAM_ALL UINT64_MAX
void stream_allow(struct stream *s, uint64_t below);
uint64_t stream_allowed(const struct stream *s);
size_t stream_waits(const struct stream *s);         /* bytes in stream_out that may not leave yet */
void stream_drop_waiting(struct stream *s);          /* forget them, and allow what comes after */
void stream_pause_reading(struct stream *s, bool paused);
/* This many more bytes are wanted next: the next read makes room for them at once (a hint; bounded). */
void stream_expect(struct stream *s, size_t bytes);
/* Bytes of memory its two buffers hold. */
size_t stream_memory(const struct stream *s);
void stream_limit_out(struct stream *s, size_t max_bytes);      /* 0 = none: beyond it the stream ends with STREAM_LIMIT */
void stream_set_keepalive(struct stream *s, int idle_s);        /* and TCP_USER_TIMEOUT of twice that */

int  stream_fd(const struct stream *s);
/* Take the descriptor away (for a blocking child or thread); the stream is closed without closing it. */
int  stream_detach_fd(struct stream *s);
bool stream_is_up(const struct stream *s);
struct addr stream_peer(const struct stream *s);     /* unix: host = path, port 0 */
struct addr stream_local(const struct stream *s);
bool stream_is_unix(const struct stream *s);
uint64_t stream_bytes_in(const struct stream *s);
uint64_t stream_bytes_out(const struct stream *s);

#endif
