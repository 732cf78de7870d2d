/* An operator event goes to the log, to subscribers and to the counters, from one call. */
#ifndef KV_SENTINEL_PUBLISH_H
#define KV_SENTINEL_PUBLISH_H

struct shell;

/* group: whose notification-script hears of warnings; NULL = nobody's. */
void publish_event(struct shell *sh, const char *name, const char *payload, const char *group);

#endif
