/* What follow.c (the link, the stream) and follow_sync.c (greeting, PSYNC, the copy) share. */
#ifndef KV_REPL_FOLLOW_INSIDE_H
#define KV_REPL_FOLLOW_INSIDE_H

#include "common/base/err.h"
#include "common/io/loop.h"
#include "common/io/resolve.h"
#include "common/io/stream.h"
#include "kvnode/repl/apply.h"
#include "kvnode/repl/copy.h"
#include "kvnode/repl/follow.h"
#include "kvnode/repl/greet.h"

struct follow {
    struct server *srv;
    struct resolver *resolver;
    struct resolve_job *job;
    struct stream *stream;
    enum follow_state state;
    struct addr to;
    uint64_t link;
    bool fetches;                  /* a tail, for ha_repl: not the role's link */
    int64_t fetch_upto;
    bool waits_for_loading;
    struct greeting greeting;
    bool asked_psync;
    struct copy copy;
    char copy_id[ID_MAX];          /* history of the copy that comes in */
    int64_t copy_offset;
    struct apply apply;
    struct loop_hook turn;
    bool more_to_apply;
    int64_t began_at_ms, last_io_at_ms, acked_at_ms;
    char why[ERR_TEXT_MAX];
};

/* --- follow.c: after these the link may be another, or none --- */
void follow_lost(struct follow *f, const char *why);
void follow_stuck(struct follow *f, const struct err *e);      /* what came cannot be applied here */
bool follow_may_take(struct follow *f);            /* asked before bytes of this link change the log; false: it is lost */
void follow_look_at_fetch(struct follow *f);       /* a tail that is long enough is over */
void follow_on_data(struct stream *s, void *owner);
void follow_send_ack(struct follow *f, int64_t offset);

/* --- follow_sync.c --- */
bool follow_read_lines(struct follow *f);          /* until a copy or the stream begins; false: not yet, or another link */
void follow_read_copy(struct follow *f);

#endif
