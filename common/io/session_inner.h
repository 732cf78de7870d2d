/* Between resp_server.c and the session files; not for daemons. */
#ifndef KV_IO_SESSION_INNER_H
#define KV_IO_SESSION_INNER_H

#include "common/io/session.h"

/* A session on fd, in the server's list; the stream's events are the server's. */
struct session *session_make(struct resp_server *srv, int fd, const struct stream_events *ev);
/* Ends it for good: the daemon is told, subscriptions go, memory is parked. linger: send what is left first. */
void session_end(struct session *s, bool linger);
/* It is closing: ends it, if nothing of its output waits to be allowed. */
void session_leave(struct session *s);
/* Put into one of the server's queues (leaving another). */
void session_enqueue(struct session *s, enum session_queue q);
/* Over its output limit? Then it is doomed. */
void session_check_out(struct session *s);
void session_count_bytes(struct session *s);
/* May we read from it now? */
void session_update_reading(struct session *s);
/* The default user's; logged in if that needs no password. */
void session_as_default(struct session *s);
/* Back to a fresh connection (RESET). */
void session_reset(struct session *s);

#endif
