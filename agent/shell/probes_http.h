/* /startupz, /livez and /readyz: what a kubelet or a load balancer asks. 200 or 503, one line that says why.
 *
 *   livez      the agent's loop turns. Says nothing of the node, its role or its peers: ending a process heals none of that
 *   startupz   the local node answers and has loaded its data (fenced or following counts: it waits for others)
 *   readyz     route clients to it: a primary that takes writes, or a replica in sync that heard its primary within
 *              ready-max-lag
 *
 * Without `node` in the configuration the last two say 200: there is nothing to wait for. */
#ifndef KV_AGENT_PROBES_HTTP_H
#define KV_AGENT_PROBES_HTTP_H

#include "agent/source/local_node.h"
#include "common/io/http_server.h"

void page_startupz(void *owner, const char *query, struct http_answer *out);
void page_livez(void *owner, const char *query, struct http_answer *out);
void page_readyz(void *owner, const char *query, struct http_answer *out);

/* The judgement alone: true and a reason, or false and a reason. max_lag_ms 0: any. */
bool probe_started(const struct local_node_state *s, struct str *why);
bool probe_ready(const struct local_node_state *s, int64_t max_lag_ms, struct str *why);

#endif
