/* Given sentinels and a group's name: who is the primary, and tell me when that
 * changes. Asks all sentinels at once, subscribes to +switch-master where it can;
 * a message is a hint to ask again, never a command. */
#ifndef KV_IO_FINDER_H
#define KV_IO_FINDER_H

#include "common/io/resp_link.h"

struct finder;
struct finder_opts {
    const struct addr *sentinels;    /* copied */
    size_t nsentinels;
    const char *group;               /* copied */
    const char *user, *password;     /* for the sentinels */
    const char *client_name;
    int64_t ask_every_ms;            /* default 1000 while unknown, 10000 while known */
    struct resolver *resolver;
    /* The primary's address as the newest configuration epoch among the answers has it; called on every change. */
    void (*on_primary)(void *owner, const struct addr *primary);
    void *owner;
};
struct finder *finder_new(struct loop *l, const struct finder_opts *o);
void finder_free(struct finder *f);
const struct addr *finder_primary(const struct finder *f);   /* NULL: not known */
void finder_ask_now(struct finder *f);                       /* the primary looks wrong (READONLY, link lost) */
/* Sentinels known: those given and those learned from SENTINEL SENTINELS. */
size_t finder_sentinels(const struct finder *f, const struct addr **out);
size_t finder_links_up(const struct finder *f);

#endif
