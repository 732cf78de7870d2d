/* What the registry decided, as commands and what must still hold when they run. */
#include "agent/controller/registry_carry.h"

#include <string.h>

void registry_lease_key(const char *service, const char *id, struct str *out) { str_printf(out, "lease:%s:%s", service, id); }

static struct slice or_nothing(const char *z) { return z ? slice_z(z) : (struct slice){NULL, 0}; }

/* Its line goes while its lease is gone. */
static bool reap(struct controller *c, const struct registry_act *a, void (*fn)(void *arg, const char *why), void *arg)
{
    struct str key = {0}, lease = {0};
    struct slice hdel[3] = {slice_z("HDEL"), {NULL, 0}, slice_z(a->id)};
    struct controller_command one = {3, hdel};
    struct controller_expect gone = {{NULL, 0}, {NULL, 0}, {NULL, 0}};
    bool sent;

    str_printf(&key, SERVICE_LINES_KEY "%s", a->service);
    registry_lease_key(a->service, a->id, &lease);
    hdel[1] = (struct slice){key.p, key.len};
    gone.key = (struct slice){lease.p, lease.len};
    sent = controller_write_if(c, &gone, 1, &one, 1, fn, arg);
    str_fini(&key);
    str_fini(&lease);
    return sent;
}

/* Both hashes change while both say what was read. */
static bool mirror(struct controller *c, const struct registry_act *a, void (*fn)(void *arg, const char *why), void *arg)
{
    struct slice name = slice_z(a->service), value = slice_z(a->value);
    struct controller_expect still[2] = {{slice_z(SERVICES_KEY), name, or_nothing(a->mirror_was)},
                                         {slice_z(SERVICES_OWNER_KEY), name, or_nothing(a->owner_was)}};
    struct slice set[2][4] = {{slice_z("HSET"), slice_z(SERVICES_KEY), name, value},
                              {slice_z("HSET"), slice_z(SERVICES_OWNER_KEY), name, value}};
    struct slice del[2][3] = {{slice_z("HDEL"), slice_z(SERVICES_KEY), name},
                              {slice_z("HDEL"), slice_z(SERVICES_OWNER_KEY), name}};
    struct controller_command sets[2] = {{4, set[0]}, {4, set[1]}}, dels[2] = {{3, del[0]}, {3, del[1]}};
    bool gone = a->kind == REG_UNMIRROR;
    /* An owned name that an old client rewrote is not ours to take away. */
    bool foreign = gone && a->mirror_was && strcmp(a->mirror_was, a->owner_was ? a->owner_was : "") != 0;

    return controller_write_if(c, still, 2, gone ? dels + foreign : sets, gone && foreign ? 1 : 2, fn, arg);
}

bool registry_carry(struct controller *c, const struct registry_act *a, void (*fn)(void *arg, const char *why), void *arg)
{
    return a->kind == REG_REAP ? reap(c, a, fn, arg) : mirror(c, a, fn, arg);
}
