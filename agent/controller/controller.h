/* The role that one agent of many holds, by a lease in the directory
 * (SET kvorum:controller <node id> NX PX ttl, renewed by its holder at a third of it): the
 * history of documents, the mirror of the service registry, the reaping of dead instances,
 * scale events. Nothing that keeps a node running waits for it.
 *
 * The lease is the directory's own clock and a failover may lose it, so two agents may
 * believe in it for a moment: a duty writes only what is right whoever writes it, and what
 * must not be written by a late one goes through controller_write. */
#ifndef KV_AGENT_CONTROLLER_H
#define KV_AGENT_CONTROLLER_H

#include "agent/source/directory.h"

#define CONTROLLER_KEY "kvorum:controller"

struct controller_opts {
    struct loop *loop;
    struct directory *directory;
    const char *node;                    /* borrowed */
    int64_t ttl_ms;                      /* of the lease; 4000 when 0 */
    uint64_t seed;
};

/* What a duty does while the role is ours. begin: it became ours (read what stands there). turn: each every_ms. end:
 * it is no longer ours, or the agent stops: forget. All but turn may be NULL. */
struct controller_duty {
    const char *name;
    int64_t every_ms;
    void (*begin)(void *arg);
    void (*turn)(void *arg);
    void (*end)(void *arg);
    void *arg;
};

/* At most CONTROLLER_DUTIES. */
#define CONTROLLER_DUTIES 8

struct controller;
struct controller *controller_new(const struct controller_opts *o);
void controller_free(struct controller *c);          /* before the directory; ends the duties; the lease runs out by itself */
/* Gives the role back and never asks for it again. false: there is nothing to give back, or no way to. Else fn is called
 * once, when it is done or cannot be. */
bool controller_leave(struct controller *c, void (*fn)(void *arg), void *arg);
void controller_add(struct controller *c, const struct controller_duty *d);      /* copied; before the loop runs */
/* Ours, and the duties have begun: the connection that controller_write needs was there. */
bool controller_is_ours(const struct controller *c);
/* In a duty's begin: the role was ours until less than CONTROLLER_GAP_MS ago and nobody else was seen to have it since (the
 * directory failed over, say), so what is remembered is still the last that any controller knew. */
#define CONTROLLER_GAP_MS 10000
bool controller_is_unbroken(const struct controller *c);
const char *controller_holder(const struct controller *c);       /* node id as read last, "" = nobody */
/* Commands that are carried out only while the directory itself says that the role is ours (WATCH, GET, MULTI), and only
 * while each of what is expected holds when they run. field.p NULL: a string key; value.p NULL: there must be no such key
 * or field.
 * fn: why is NULL when done; "" when the role was not ours, an expectation did not hold, something was written meanwhile, or
 * the connection ended; else the server's words. They run one after the other on a connection of their own. false: not
 * ours, or too many wait; fn is not called. */
struct controller_command { int argc; const struct slice *argv; };
struct controller_expect { struct slice key, field, value; };
bool controller_write_if(struct controller *c, const struct controller_expect *expect, size_t nexpect,
                         const struct controller_command *at, size_t n, void (*fn)(void *arg, const char *why), void *arg);
/* With one string key that must hold just these bytes. */
struct controller_guard { struct slice key, value; };
bool controller_write_over(struct controller *c, const struct controller_guard *g, const struct controller_command *at,
                           size_t n, void (*fn)(void *arg, const char *why), void *arg);

#endif
