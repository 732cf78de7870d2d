/* What each sentinel says about the primary of one group: asked every every_ms and when somebody
 * wants to know. The finder believes the newest; here every voice counts for itself, so that
 * "a majority names us" can be asked. */
#ifndef KV_AGENT_WITNESS_H
#define KV_AGENT_WITNESS_H

#include "common/base/addr.h"
#include "common/io/loop.h"
#include "common/io/resolve.h"

struct witness_said {
    struct addr sentinel;
    int64_t at_ms;                   /* when it said so; 0 = nothing that still counts */
    struct addr primary;
    char run_id[48];                 /* of the primary; "" = it does not know */
};

struct witness_opts {
    struct loop *loop;
    struct resolver *resolver;
    const struct addr *sentinels;    /* copied; each is one voice */
    size_t n;
    const char *group;               /* copied */
    const char *user, *password;     /* at the sentinels; copied */
    int64_t every_ms;                /* 1000 when 0; what was said counts for three times that */
    void *owner;
    void (*on_said)(void *owner);    /* a sentinel answered, or what it said does not count any more */
};

struct witness;
struct witness *witness_new(const struct witness_opts *o);
void witness_free(struct witness *w);
void witness_ask(struct witness *w);         /* now */
size_t witness_count(const struct witness *w);
const struct witness_said *witness_at(const struct witness *w, size_t i);

#endif
