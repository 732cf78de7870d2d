/* "This key changed": WATCH, tracking, keyspace events and replication listen here. The
 * keyspace tells what happens by itself (expiry, flush, swap); commands tell what they
 * changed (watch_changed), because only they know when they are done. */
#ifndef KV_STORE_WATCH_H
#define KV_STORE_WATCH_H

#include "common/base/list.h"
#include "common/base/str.h"

enum watch_kind {
    WATCH_CHANGED,      /* a command changed, made or deleted the key */
    WATCH_EXPIRED,      /* its deadline passed; the key is already gone */
    WATCH_FLUSHED,      /* database db is about to be emptied; db = -1: all of them. key is empty */
    WATCH_SWAPPED       /* the whole keyspace is replaced; db = -1, key is empty */
};

struct watcher {
    struct list_link link;
    void (*fn)(void *arg, enum watch_kind kind, int db, struct slice key);
    void *arg;
};

struct watch {
    struct list_link watchers;
};

void watch_init(struct watch *w);
void watch_add(struct watch *w, struct watcher *who, void (*fn)(void *, enum watch_kind, int, struct slice), void *arg);
void watch_remove(struct watcher *who);
/* In the order in which they were added. key is copied by nobody and need not outlive the call. */
void watch_tell(struct watch *w, enum watch_kind kind, int db, struct slice key);

#endif
