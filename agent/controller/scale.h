/* Duty of the controller: messages on the channel scale_events become stored wishes.
 *
 * "web:7" changes `instances` of config:scale:web to 7, within the document's min and max, and
 * not a byte besides; the document must be there already. Agents act on the document, not on
 * the message: who slept comes to the same end. Of several messages for one service within
 * its cooldown the last one counts. What is no scale event, names a service without a
 * document, or one whose document is wrong, is counted and changes nothing.
 *
 * A message is heard only by those who listen in that moment: what is published while no
 * agent holds the controller's role (at most the lease's time after its holder died, or while
 * the directory fails over) is lost. Who must not lose it writes the document instead
 * (kvorumctl config set), or publishes again. */
#ifndef KV_AGENT_CONTROLLER_SCALE_H
#define KV_AGENT_CONTROLLER_SCALE_H

#include "agent/controller/controller.h"

#define SCALE_CHANNEL "scale_events"
#define SCALE_WAITING_MAX 4096             /* services that are dealt with at one time */

struct scale_duty_stats {
    uint64_t messages;                     /* heard while the role was ours */
    uint64_t junk;                         /* no scale event */
    uint64_t unknown;                      /* no config:scale:<service> */
    uint64_t refused;                      /* the document is wrong */
    uint64_t dropped;                      /* more than SCALE_WAITING_MAX services at one time */
    uint64_t same;                         /* nothing to change */
    uint64_t changed;                      /* documents written */
};

struct scale_duty;
/* Adds itself to the controller and listens; both must outlive it. */
struct scale_duty *scale_duty_new(struct loop *l, struct directory *d, struct controller *c);
void scale_duty_free(struct scale_duty *s);
const struct scale_duty_stats *scale_duty_stats(const struct scale_duty *s);

#endif
