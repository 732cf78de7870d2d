/* What the parts of the directory share: directory.c (the pair of connections), directory_ladder.c (how changes are heard
 * of), directory_read.c (snapshots). For them alone. */
#ifndef KV_AGENT_DIRECTORY_INSIDE_H
#define KV_AGENT_DIRECTORY_INSIDE_H

#include "agent/source/directory.h"
#include "common/base/rng.h"
#include "common/io/finder.h"

struct directory {
    struct directory_opts o;
    struct finder *finder;
    struct addr addr;
    struct resp_link *data, *push;
    char *client_name, *side_name;
    enum dir_state state;
    enum dir_rung rung;
    int64_t since_ms;
    int64_t push_id;            /* CLIENT ID of the listening connection, -1: not known yet */
    bool role_ok;
    bool greeting;
    /* reading */
    bool reading, dirty, again, by_resync;
    int rounds;
    int64_t dirty_since_ms;
    int64_t too_much_until_ms;  /* the last answer was more than a link takes: it is not asked for before then */
    struct sources want;
    struct sources told;        /* RUNG_KEYSPACE: whose events are subscribed to */
    struct timer quiet, resync, ping, overdue, retry, late;
    char complaint[300];        /* why it could not be reached last, said once for each reason */
    bool pong_data, pong_push;
    struct list_link hsets;     /* struct hset under way */
    struct list_link asked;     /* struct asked under way */
    struct list_link followers;
    struct channel {
        char *name;
        void (*fn)(void *arg, struct slice message);
        void *arg;
    } channels[DIRECTORY_CHANNELS];
    size_t nchannels;
    struct rng rng;
    struct directory_stats stats;
};

/* --- directory.c --- */
void directory_set_state(struct directory *d, enum dir_state s, const char *why);
void directory_forget_greeting(struct directory *d);
void directory_leave(struct directory *d, const char *why);     /* it is not what we look for: come back a moment later */
bool directory_is_wrong(struct directory *d, const struct redisReply *r);      /* its answer says so; we have left */

/* --- directory_ladder.c --- */
void directory_greet(struct directory *d);       /* both connections are up; ends in a rung and a first read, or we leave */
link_reply_fn directory_heard;                   /* a message on the listening connection */
void directory_subscribe(struct directory *d, const char *channel);

/* --- directory_read.c --- */
void directory_read(struct directory *d);        /* now, or when what was too much may be asked for again */
void directory_mark_dirty(struct directory *d);  /* something changed: read after a quiet time */
void directory_too_much(struct directory *d, const char *why);  /* the answer would be too large again at once, for ever */
void directory_want_afresh(struct directory *d); /* what is wanted is the agent documents, and then what they name */
void directory_on_quiet(struct timer *t, void *arg);
void directory_on_resync(struct timer *t, void *arg);
void directory_on_retry(struct timer *t, void *arg);

#endif
