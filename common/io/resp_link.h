/* One outgoing RESP2 connection that keeps itself alive: connect, greet (AUTH, CLIENT
 * SETNAME), send commands, hand each reply to who asked; when it ends say *how*, and
 * connect again after a back-off that the owner may cut short.
 *
 * While connects are refused (the host lives, the process is gone) the pause is at most a
 * tenth (refused_part) of the time since the link was up, so that one who is restarted is found quickly.
 *
 * Replies are parsed by hiredis' reader; a peer that sends one reply of more than
 * reply_max bytes, or nests deeper than hiredis reads (7), ends the link. */
#ifndef KV_IO_RESP_LINK_H
#define KV_IO_RESP_LINK_H

#include "common/base/addr.h"
#include "common/base/str.h"
#include "common/io/loop.h"
#include "common/io/resolve.h"
#include "common/io/stream.h"

struct redisReply;
struct resp_link;

enum link_end {
    LINK_CLOSED,          /* an established link ended (EOF, reset) */
    LINK_REFUSED,         /* connect refused: no process listens there, the host answered */
    LINK_UNREACHABLE,     /* connect failed in another way, or the name did not resolve */
    LINK_TIMEOUT,         /* connect took too long */
    LINK_PROTOCOL,        /* the peer sent what is no RESP, or too much of it */
    LINK_AUTH,            /* greeting refused; sentence in `why` */
    LINK_BY_US            /* link_drop */
};
const char *link_end_name(enum link_end how);

/* r == NULL: the link ended before the reply came. Borrowed until it returns. */
typedef void link_reply_fn(void *arg, const struct redisReply *r);

struct resp_link_opts {
    struct addr to;                  /* may be a name: resolved off the loop */
    const char *unix_path;           /* instead of `to`, or NULL */
    const char *source_ip;
    const char *user, *password;     /* NULL = none; copied */
    const char *client_name;         /* CLIENT SETNAME, NULL = none; copied */
    int64_t connect_timeout_ms;      /* default 1000 */
    int64_t backoff_min_ms;          /* default 50: first pause after a failed connect */
    int64_t backoff_max_ms;          /* default 1000; decorrelated jitter between; shorter while refused */
    int     refused_part;            /* default 10: see above */
    bool    reconnect_at_once;       /* after LINK_CLOSED try again in the same turn (crash evidence) */
    size_t  reply_max;               /* default 64 MiB */
    struct resolver *resolver;       /* NULL = only literal addresses */
    void (*on_up)(struct resp_link *l, void *owner);                       /* greeted, ready; may be NULL */
    /* Also for each failed connect. The link then waits and tries again by itself. may be NULL */
    void (*on_end)(struct resp_link *l, enum link_end how, const char *why, void *owner);
    /* Pub/sub messages (arrays that begin with message/pmessage/subscribe/..., after link_subscribe_mode). */
    link_reply_fn *on_push;
    void *owner;
};

struct resp_link *resp_link_new(struct loop *l, const struct resp_link_opts *o);
void resp_link_free(struct resp_link *k);          /* deferred; no callback afterwards, pending replies are not told */
bool resp_link_is_up(const struct resp_link *k);
void resp_link_drop(struct resp_link *k, const char *why);   /* close and reconnect */
void resp_link_retry_now(struct resp_link *k);               /* cut the back-off short */
void resp_link_set_addr(struct resp_link *k, const struct addr *to);     /* takes effect with a reconnect */
void resp_link_set_auth(struct resp_link *k, const char *user, const char *password);
const struct addr *resp_link_addr(const struct resp_link *k);
/* The literal address it is connected to (or last was), our own end's address. */
bool resp_link_peer_ip(const struct resp_link *k, char ip[ADDR_HOST_MAX]);
bool resp_link_local_ip(const struct resp_link *k, char ip[ADDR_HOST_MAX]);

/* Send. fn may be NULL. false (and fn not called) when the link is not up. Commands are queued in order. */
bool resp_link_send(struct resp_link *k, link_reply_fn *fn, void *arg, int argc, const struct slice *argv);
void resp_link_hurry(struct resp_link *k);       /* what was sent leaves now, not at the end of the turn; calls nobody back */
bool resp_link_sendz(struct resp_link *k, link_reply_fn *fn, void *arg, const char *first, ...) __attribute__((sentinel));
/* From now on (until the link ends) arrays that look like pub/sub messages go to on_push, not to the oldest waiting
 * reply. Sending a (P)(UN)SUBSCRIBE switches it on by itself: its confirmations go to on_push, its fn is
 * called only with an error, or with NULL when the link ends first. */
void resp_link_subscribe_mode(struct resp_link *k, bool on);
size_t  resp_link_pending(const struct resp_link *k);
int64_t resp_link_up_since_ms(const struct resp_link *k);     /* NEVER_MS when down */

#endif
