/* What the controller makes of the service registry: which lines of dead instances go, and what
 * the mirror says, the hash `services` in which old clients look. Told what stands in the directory
 * and which leases are there, it answers with acts; it never asks the time or sends.
 *
 * An instance with a ttl is dead when its lease is gone. But leases lapse together when the
 * directory was away or everybody slept, and then nobody is dead: when more than 15 % of the
 * leased instances, and at least three, have lapsed or missed their renewal, or were reaped
 * within one ttl, nothing is reaped until that is over, and one ttl longer (self-preservation).
 * After an outage of the directory nothing is judged for one ttl.
 *
 * The mirror holds a name only if nobody else does: `owner` (the hash svcs.owner) says what was
 * written last by a controller, and a name without it is an old client's and is left alone. An
 * owned name that an old client overwrites is kept as it is if that is a healthy instance, else
 * put right. */
#ifndef KV_AGENT_REGISTRY_H
#define KV_AGENT_REGISTRY_H

#include "agent/core/service_entry.h"
#include "common/base/dict.h"
#include "common/base/timeval.h"
#include "common/base/vec.h"

#define REGISTRY_SHARE_PERCENT 15
#define REGISTRY_LAPSED_LEAST 3
#define REGISTRY_SERVICES_MAX 10000
#define REGISTRY_INSTANCES_MAX 10000     /* of one service; further ones are neither mirrored nor reaped */

struct reg_instance {
    char *id;
    struct addr at;
    int weight;
    bool drain;
    int64_t ttl_ms;              /* 0: no lease */
    bool looked;                 /* its lease was looked at since the line came */
    bool present;
    int64_t left_ms;             /* of a lease that is there; -1: not asked */
    bool going;                  /* an act to reap it is under way */
};

struct reg_service {
    char *name;
    VEC(struct reg_instance) at; /* by id */
    size_t junk;                 /* lines that are none */
    char *mirror, *owner;        /* what `services` and `svcs.owner` say; NULL: nothing */
    char *told;                  /* the foreign value of which was told last */
    bool busy;                   /* an act on the mirror is under way */
};

enum registry_act_kind {
    REG_REAP,                    /* HDEL svcs:<service> <id>, if the lease is still gone */
    REG_MIRROR,                  /* services and svcs.owner = value, if they are still mirror_was and owner_was */
    REG_UNMIRROR,                /* HDEL both, on the same terms */
    REG_OVERWRITTEN,             /* to tell: an old client wrote value over the owned mirror_was */
    REG_PRESERVING,              /* to tell: self-preservation began (on) or ended */
};

struct registry_act {
    enum registry_act_kind kind;
    const char *service, *id;                       /* borrowed until the registry hears more */
    char value[ADDR_TEXT_MAX];
    const char *mirror_was, *owner_was;             /* NULL: not there */
    bool on;
    size_t lapsed, of;
};
struct registry_acts { VEC(struct registry_act) at; };

struct reg_recent { int64_t at_ms, ttl_ms; };       /* reaped then; remembered for one ttl */

struct registry {
    struct dict services;        /* name -> struct reg_service *, owned */
    int64_t judge_from_ms;       /* of the last outage; a line is judged one ttl later */
    bool preserving, complete;
    VEC(struct reg_recent) recent;
    uint64_t reaped, mirrored, overwritten;
};

void registry_init(struct registry *r, int64_t now_ms);
void registry_fini(struct registry *r);
/* Everything is read anew: judged one ttl from now. */
void registry_outage(struct registry *r, int64_t now_ms);

/* What svcs:<name> holds now: begin, a line for each field, end. No lines: the service is gone. */
struct reg_service *registry_service(struct registry *r, struct slice name);      /* NULL: no name, or too many */
void registry_lines_begin(struct reg_service *s);
void registry_line(struct reg_service *s, struct slice id, struct slice value);
void registry_lines_end(struct reg_service *s);
/* What the mirror says of a name; NULL: nothing. Names without an owner count only where the service is known: read both
 * hashes again when one comes. */
void registry_mirror(struct registry *r, struct slice name, const struct slice *mirror, const struct slice *owner);
void registry_mirrors_begin(struct registry *r);                                  /* both hashes are read anew: empty now */
void registry_complete(struct registry *r);                                       /* all of it was read at least once */

/* The leases that must be looked at, as pairs; one MGET asks them. */
struct registry_lease { struct reg_service *service; struct reg_instance *instance; };
struct registry_leases { VEC(struct registry_lease) at; };
void registry_leases(struct registry *r, struct registry_leases *out);
bool registry_find(struct registry *r, struct slice service, struct slice id, struct registry_lease *out);
void registry_lease_is(struct registry_lease *l, bool present);
void registry_lease_left(struct registry_lease *l, int64_t left_ms);              /* PTTL: -2 gone */
/* Is one gone that would be reaped? Then ask PTTL of all before deciding. */
bool registry_needs_ages(const struct registry *r, int64_t now_ms);
void registry_decide(struct registry *r, int64_t now_ms, struct registry_acts *out);
/* An act under way ended; taken: it was carried out. */
void registry_act_ended(struct registry *r, struct slice service, struct slice id, bool taken);

struct registry_counts { size_t services, instances, up, draining, unleased, lapsed, junk, mirrored, foreign; };
void registry_count(const struct registry *r, struct registry_counts *out);

#endif
