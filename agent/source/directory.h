/* The directory as the agent sees it: found through the sentinels (or at a fixed address),
 * read in whole snapshots, and listened to.
 *
 * Two connections, both kept alive by PING: one reads, one listens. What is heard is only
 * a hint that something changed; after a short quiet time everything of interest is read
 * again in one snapshot. Rungs of the ladder, the best the server offers:
 *
 *   tracking   CLIENT TRACKING with REDIRECT to the listening connection
 *   keyspace   keyspace events, where the server has them switched on
 *   polling    a read every poll_ms
 *
 * Whatever the rung, a jittered full read every resync_ms is the safety net. */
#ifndef KV_AGENT_DIRECTORY_H
#define KV_AGENT_DIRECTORY_H

#include "agent/core/desired.h"
#include "common/base/addr.h"
#include "common/base/list.h"
#include "common/io/loop.h"
#include "common/io/resolve.h"
#include "common/io/resp_link.h"

enum dir_state {
    DIR_SEEKING,         /* no address yet */
    DIR_CONNECTING,      /* both connections are not up yet */
    DIR_GREETING,        /* asking who it is, and arranging to be told */
    DIR_LIVE             /* a snapshot was read, changes will be heard of */
};

enum dir_rung { RUNG_NONE, RUNG_TRACKING, RUNG_KEYSPACE, RUNG_POLLING };

struct directory_opts {
    struct loop *loop;
    struct resolver *resolver;
    const struct addr *sentinels;       /* none: fixed is used */
    size_t nsentinels;
    const char *group;
    const char *sentinel_user, *sentinel_password;
    struct addr fixed;
    const char *user, *password;
    struct whoami who;
    int64_t quiesce_ms, quiesce_max_ms, resync_ms, ping_ms, ping_timeout_ms, poll_ms;
    uint64_t seed;                      /* of the jitter */
    void *owner;
    /* The agent document in force, for when the one in the directory is missing or wrong; NULL: none. */
    const struct agent_doc *(*in_force)(void *owner);
    /* A snapshot. The callee may swap its contents away. by_resync: nobody had told of a change. */
    void (*on_snapshot)(void *owner, struct inputs *in, bool by_resync);
    void (*on_state)(void *owner, enum dir_state state, const char *why);
};

struct directory_stats {
    uint64_t pushes, snapshots, resyncs, connects, finds;
};

struct directory;
struct directory *directory_new(const struct directory_opts *o);
void directory_free(struct directory *d);
void directory_resync(struct directory *d);           /* read everything now */
enum dir_state directory_state(const struct directory *d);
enum dir_rung directory_rung(const struct directory *d);
int64_t directory_state_since_ms(const struct directory *d);
bool directory_address(const struct directory *d, struct addr *out);
const struct directory_stats *directory_stats(const struct directory *d);
const char *dir_state_name(enum dir_state s);
const char *dir_rung_name(enum dir_rung r);

/* Any command on the reading connection, in the order asked. fn: never NULL; r is NULL when the connection ended first (whether it
 * was carried out is not known); borrowed until it returns; not called any more once the directory is freed. No MULTI and no
 * WATCH: snapshots use them here. false: not live, fn is not called. Keys that are
 * tracked come back as a push to ourselves: what beats must not be one of the sources (agent documents' rule). */
bool directory_command(struct directory *d, int argc, const struct slice *argv, link_reply_fn *fn, void *arg);
/* The same for a read whose keys shall not be tracked (where the server's user may say CLIENT CACHING; else they are,
 * and a change of them makes one more reading). */
bool directory_peek(struct directory *d, int argc, const struct slice *argv, link_reply_fn *fn, void *arg);
bool directory_local_ip(const struct directory *d, char ip[ADDR_HOST_MAX]);      /* our end, as the directory sees it */
/* What a further connection to the same place needs (transactions, tracking of one's own); borrowed strings, no
 * callbacks set. false: not live now, so do not open one, and close what was opened to another address. */
bool directory_link_opts(const struct directory *d, struct resp_link_opts *o);
/* Whoever holds such a connection is told when the answer to that may have changed (state, address). From inside: set a
 * timer to 0 and look then. The struct is the caller's, who takes it away before the directory is freed. */
struct directory_follower {
    struct list_link link;
    void (*fn)(void *arg);
    void *arg;
};
void directory_follow(struct directory *d, struct directory_follower *f, void (*fn)(void *arg), void *arg);
void directory_unfollow(struct directory_follower *f);
/* Messages of this channel, for as long as the directory lives; subscribed anew after each reconnect. What was said
 * while the connection was down is lost. At most DIRECTORY_CHANNELS. false: too many. fn may not free the directory. */
#define DIRECTORY_CHANNELS 8
bool directory_listen(struct directory *d, const char *channel, void (*fn)(void *arg, struct slice message), void *arg);

/* HSET key field value. fn: why is NULL when it was taken; "" when the connection ended first (try again when
 * live); else the server's words. false: not live, fn is not called. */
bool directory_hset(struct directory *d, const char *key, const char *field, const char *value,
                    void (*fn)(void *arg, const char *why), void *arg);

#endif
