/* Duty of the controller: every config:<type>:<component> that changes is logged (cfgmeta, cfglog;
 * core/doclog.h), and what is deleted, flushed or expires is put back at once, because clients that
 * find nothing there go to a default address; what went while nobody had the role, when somebody
 * takes it. An operator who wants one gone says so first: cfgmeta's state "retired" (kvorumctl
 * config retire).
 *
 * History has what was seen: of two SETs within a moment only the second. Who wrote is known when
 * the writer says so in the same MULTI (said_by and said_sha in cfgmeta); else it is "?". */
#ifndef KV_AGENT_CONTROLLER_HISTORY_H
#define KV_AGENT_CONTROLLER_HISTORY_H

#include "agent/controller/controller.h"

#define HISTORY_HELD_BYTES_MAX (64 << 20)        /* of documents remembered; the others are put back from cfglog */
#define HISTORY_KEYS_MAX 100000

struct history_duty;
/* Adds itself to the controller. Free it after the controller and before the directory. */
struct history_duty *history_duty_new(struct loop *l, struct directory *d, struct controller *c);
void history_duty_free(struct history_duty *h);

struct history_duty_stats {
    size_t documents, held_bytes;
    uint64_t logged, restored, republished, vanished, junk, refused;
};
void history_duty_stats(struct history_duty *h, struct history_duty_stats *out);

#endif
