/* The last +switch-master of each group, told once more to whoever begins to listen for it:
 * a client that was away while the primary changed need not ask. Since this process started. */
#ifndef KV_SENTINEL_REPLAY_H
#define KV_SENTINEL_REPLAY_H

struct shell;

void replay_init(struct shell *sh);
void replay_fini(struct shell *sh);
/* An event is published; those that matter here are kept or forgotten. group may be NULL. */
void replay_note(struct shell *sh, const char *event, const char *payload, const char *group);

#endif
