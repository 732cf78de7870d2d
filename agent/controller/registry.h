/* Duty of the controller: lines of dead instances leave svcs:*, and the hash `services` names one
 * healthy instance of each service for old clients. What is decided how: core/registry.h. Every
 * line and both hashes are read when the duty begins and when they change, the leases each turn.
 *
 * A reap is carried out only while its lease is still gone, a mirror only while both hashes still
 * say what was read; so a second controller, or an old client in the same moment, cannot be hurt. */
#ifndef KV_AGENT_CONTROLLER_REGISTRY_H
#define KV_AGENT_CONTROLLER_REGISTRY_H

#include "agent/controller/controller.h"
#include "agent/core/registry.h"

#define SERVICES_KEY "services"
#define SERVICES_OWNER_KEY "svcs.owner"

struct registry_duty;
/* Adds itself to the controller. Free it after the controller and before the directory. */
struct registry_duty *registry_duty_new(struct loop *l, struct directory *d, struct controller *c);
void registry_duty_free(struct registry_duty *d);

struct registry_duty_stats {
    struct registry_counts counts;       /* zero while the role is not ours */
    uint64_t reaped, mirrored, overwritten, refused;
    bool preserving;
};
void registry_duty_stats(struct registry_duty *d, struct registry_duty_stats *out);

#endif
