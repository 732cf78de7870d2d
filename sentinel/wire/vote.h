/* SENTINEL IS-MASTER-DOWN-BY-ADDR ip port epoch id|*: the question "do you see it down?"
 * and, with an id, the request for a vote; and the three-part answer. */
#ifndef KV_SENTINEL_VOTE_H
#define KV_SENTINEL_VOTE_H

#include "common/base/addr.h"
#include "common/base/err.h"
#include "common/base/str.h"
#include "common/base/words.h"
#include "common/text/resp_reply.h"

#include <stdint.h>

struct redisReply;

struct vote_request {
    struct addr primary;
    uint64_t epoch;
    char candidate[ID_MAX];      /* "" for `*` */
};
struct vote_answer {
    bool down;
    char leader[ID_MAX];         /* "" for `*` */
    uint64_t leader_epoch;
};

/* argv: the four words after the subcommand's name. */
int  vote_request_read(const struct slice argv[4], struct vote_request *out, struct err *e);
/* The same four words; they live in text. */
void vote_request_write(const struct vote_request *q, struct str text[4]);
bool vote_answer_read(const struct redisReply *r, struct vote_answer *out);    /* false: no such answer (an error, say) */
void vote_answer_write(const struct vote_answer *a, struct reply *r);

#endif
