/* Channels and patterns -> subscribers. Used by kvnode (clients' pub/sub, keyspace
 * events, tracking) and the sentinel (its events, hello). */
#ifndef KV_IO_PUBSUB_H
#define KV_IO_PUBSUB_H

#include "common/base/dict.h"
#include "common/io/session.h"

struct pubsub {
    struct dict channels;        /* name -> subscribers */
    struct dict patterns;
    /* Told after a change; may be NULL. */
    void (*subscribed)(void *arg, struct session *s, struct slice channel, bool is_pattern);
    void *arg;
};

void pubsub_init(struct pubsub *p);
void pubsub_fini(struct pubsub *p);
size_t pubsub_publish(struct pubsub *p, struct slice channel, struct slice message);   /* receivers */
void pubsub_unsubscribe_all(struct pubsub *p, struct session *s, bool tell);
/* To one session, as if on this channel (RESP3 push, RESP2 message), which it has by a pattern, or (NULL) by the
 * channel's name; it need not be subscribed. */
void pubsub_send_as(struct session *s, const struct slice *pattern, struct slice channel, struct slice message);
size_t pubsub_pattern_count(const struct pubsub *p);

/* SUBSCRIBE UNSUBSCRIBE PSUBSCRIBE PUNSUBSCRIBE PUBLISH PUBSUB; PUBLISH is meant to be replaced
 * where it does more. They use session->srv->pubsub. */
extern const struct command pubsub_commands[];
extern const size_t pubsub_commands_n;

/* Everything a session listens to. Nothing may be subscribed meanwhile. */
void pubsub_each(const struct session *s, void (*each)(void *arg, struct slice name, bool pattern), void *arg);

#endif
