/* Every change of keys with certain prefixes, for the one who must see all of them: a pair of
 * connections of its own beside the directory's, with CLIENT TRACKING in broadcasting mode. They are
 * opened while the directory is live, and follow it.
 *
 * A change is a hint. on_ready says that from now on changes are heard: read everything then. A
 * server without tracking is read every poll_ms: on_ready comes again and again. */
#ifndef KV_AGENT_WATCH_H
#define KV_AGENT_WATCH_H

#include "agent/source/directory.h"

#define WATCH_PREFIXES 8

struct watch_opts {
    struct loop *loop;
    struct directory *directory;
    const char *prefixes[WATCH_PREFIXES];        /* ends with NULL unless full; none begins with another; borrowed */
    int64_t poll_ms;                             /* 5000 when 0 */
    void *owner;
    void (*on_ready)(void *owner);
    void (*on_key)(void *owner, struct slice key);
    void (*on_all)(void *owner);                 /* FLUSHALL, FLUSHDB or too many: anything may have changed */
    void (*on_end)(void *owner);                 /* replies to come are answered with NULL; may be NULL */
};

struct watch;
struct watch *watch_new(const struct watch_opts *o);
void watch_free(struct watch *w);                /* no callback afterwards; replies are not told */
/* A command on its reading connection; transactions are fine. false: not ready. */
bool watch_send(struct watch *w, link_reply_fn *fn, void *arg, int argc, const struct slice *argv);
bool watch_sendz(struct watch *w, link_reply_fn *fn, void *arg, const char *a, const char *b, const char *c);   /* NULL: no more */
bool watch_is_ready(const struct watch *w);
bool watch_polls(const struct watch *w);

#endif
