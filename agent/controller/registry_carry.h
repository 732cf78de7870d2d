/* The registry's acts as conditional writes: a reap only while its lease is still gone, a mirror only while both hashes
 * still say what was read. */
#ifndef KV_AGENT_CONTROLLER_REGISTRY_CARRY_H
#define KV_AGENT_CONTROLLER_REGISTRY_CARRY_H

#include "agent/controller/registry.h"

#define SERVICE_LINES_KEY "svcs:"

/* Appends "lease:<service>:<id>". */
void registry_lease_key(const char *service, const char *id, struct str *out);
/* REG_REAP, REG_MIRROR or REG_UNMIRROR. false: it cannot be written now, fn is not called. Keeps nothing of a. */
bool registry_carry(struct controller *c, const struct registry_act *a, void (*fn)(void *arg, const char *why), void *arg);

#endif
