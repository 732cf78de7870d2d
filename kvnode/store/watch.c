/* A list of those who want to know, told one after the other. Nothing is remembered here. */
#include "kvnode/store/watch.h"

void watch_init(struct watch *w) { list_init(&w->watchers); }

void watch_add(struct watch *w, struct watcher *who, void (*fn)(void *, enum watch_kind, int, struct slice), void *arg)
{
    who->fn = fn;
    who->arg = arg;
    list_append(&w->watchers, &who->link);
}

void watch_remove(struct watcher *who) { list_remove(&who->link); }

void watch_tell(struct watch *w, enum watch_kind kind, int db, struct slice key)
{
    list_each_safe(struct watcher, who, &w->watchers, link)
        who->fn(who->arg, kind, db, key);
}
