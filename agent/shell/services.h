/* The instances that this agent vouches for: their checks, their lines in svcs:<name>, their
 * leases. What follows from what is decided by core/service.h; a line is written when it changes,
 * only leases beat. An instance's id is the node's, or "<node>:<component>" where a document is not
 * called like its service. */
#ifndef KV_AGENT_SERVICES_H
#define KV_AGENT_SERVICES_H

#include "agent/core/docname.h"
#include "agent/core/plan.h"
#include "agent/core/service.h"
#include "agent/shell/probe.h"
#include "agent/source/directory.h"

struct services_opts {
    const struct probe_means *means;
    struct directory *directory;         /* may be NULL until services_use */
    const char *node;                    /* id; borrowed */
    const char *announce_host;           /* NULL: our end of the connection to the directory; borrowed */
    uint64_t seed;
};

struct services;
struct services *services_new(const struct services_opts *o);
void services_free(struct services *s);              /* before the directory */
void services_use(struct services *s, struct directory *d);
/* From now on this is so (NULL: no longer wanted; it drains, and goes). Copied. The same again changes nothing.
 * ERR_REFUSED: the check names a unit that the configuration does not allow. */
int services_want(struct services *s, const struct docname *doc, const struct plan_service *p, struct err *e);
void services_directory(struct services *s, bool live);
/* Every instance whose check is this unit drains (on), or is again as its checks say (off). Returns the milliseconds
 * until the unit may be stopped; 0: nothing is registered, or it has drained. To be called again and again. */
int64_t services_drain_unit(struct services *s, const char *unit, bool on);
/* The agent stops: all drain and go, then fn is called once; what is wanted from now on is not heard. false: there is nothing to wait for. */
bool services_leave(struct services *s, void (*fn)(void *arg), void *arg);

struct services_counts {
    size_t in[SV_STATES];
    uint64_t checks_good, checks_bad, said, said_again, refused;
};
const struct services_counts *services_count(struct services *s);
/* One line for each: service, instance, state, host:port, for how long, what the last check said. */
void services_list(struct services *s, void (*fn)(void *arg, const char *service, const char *instance,
                                                  const char *state, const char *at, int64_t since_ms, const char *why),
                   void *arg);

#endif
