/* What the agent has to say about each document: one answer per document, kept on disk
 * until the directory took it, repeated after each reconnect (a failover may have lost the
 * last one). In the directory: HSET cfgack:<type>:<component> <node> <json>.
 *
 *   {"sha":"<of the document>","st":"ok","t":<wall ms>,"ms":143,"seq":88,"err":"","diff":{"+":3,"-":1}} */
#ifndef KV_AGENT_ACKS_H
#define KV_AGENT_ACKS_H

#include "agent/core/apply.h"
#include "agent/core/docname.h"
#include "agent/source/directory.h"

struct acks;

struct ack {
    const char *sha;                 /* "" when there is no document */
    enum ack_status status;
    const char *why;                 /* "" when all is well */
    int64_t took_ms, wall_ms;
    size_t lines_added, lines_removed;
};

/* Reads what was not delivered before. state and node are borrowed for its life. */
struct acks *acks_new(const char *state, const char *node);
void acks_free(struct acks *a);         /* after directory_free: answers under way refer to it */
/* Keeps it and sends it when the directory is live. The same answer again (sha, status, why) is kept quiet. */
void acks_put(struct acks *a, const struct docname *doc, const struct ack *k, struct directory *d);
void acks_deliver(struct acks *a, struct directory *d, bool all_again);
/* The document is no longer ours: nothing more is said about it. */
void acks_forget(struct acks *a, const struct docname *doc);
size_t acks_waiting(const struct acks *a);
uint64_t acks_delivered(const struct acks *a);

#endif
