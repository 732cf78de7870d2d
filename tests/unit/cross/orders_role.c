#include "tests/unit/cross/orders_role.h"

#include "kvnode/role/role.h"

#include <string.h>

static const struct {
    const char *order;             /* as the sentinel's room names it */
    enum role_event_kind event;
    enum role_state ends_in;       /* where it must lead from everywhere */
    const char *already;           /* states in which it is fulfilled already, or must not be taken */
} understood[] = {
    { "promote", ROLE_EV_LEAD, ROLE_PRIMARY, " primary fenced " },
    { "repoint", ROLE_EV_FOLLOW, ROLE_CONNECTING, "" },
};

/* No event of their own: FAILOVER ends in the two above, here and on its target; to a node a seal is a repoint at an address
 * where nobody is, and keeping is CONFIG REWRITE. */
static const char *const by_command[] = {"hand-over", "call-back", "seal", "keep"};

static const struct { enum role_event_kind event; bool local; } outside[] = {
    { ROLE_EV_FOLLOW, false },
    { ROLE_EV_LEAD, false },
    { ROLE_EV_FENCE, true },       /* SHUTDOWN waits for its replicas */
    { ROLE_EV_RELEASE, true },     /* SHUTDOWN ABORT */
    { ROLE_EV_SEAL, true },        /* the node's half of a formed group */
};

const char *role_event_of_order(const char *order)
{
    for (size_t i = 0; i < sizeof understood / sizeof understood[0]; i++)
        if (strcmp(understood[i].order, order) == 0)
            return role_event_name(understood[i].event);
    return NULL;
}

bool role_order_is_a_command(const char *order)
{
    for (size_t i = 0; i < sizeof by_command / sizeof by_command[0]; i++)
        if (strcmp(by_command[i], order) == 0)
            return true;
    return false;
}

int role_outside_orders(void) { return (int)(sizeof outside / sizeof outside[0]); }
const char *role_outside_order(int i) { return role_event_name(outside[i].event); }

bool role_order_is_local(const char *event)
{
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++)
        if (strcmp(role_event_name(outside[i].event), event) == 0)
            return outside[i].local;
    return false;
}

static struct addr at(const char *host)
{
    struct addr a;
    addr_set(&a, host, strlen(host), 6379);
    return a;
}

static void tell(struct role *r, struct role_event ev)
{
    struct role_orders out;
    ev.link = r->link;
    role_step(r, &ev, 1000, &out);
}

/* A node led into one of its states by events only. */
static void lead_into(struct role *r, enum role_state s)
{
    role_init(r, NULL);
    if (s == ROLE_PRIMARY)
        return;
    if (s == ROLE_FENCED) {
        tell(r, (struct role_event){.kind = ROLE_EV_FENCE});
        return;
    }
    if (s == ROLE_SEALED) {
        tell(r, (struct role_event){.kind = ROLE_EV_SEAL});
        return;
    }
    tell(r, (struct role_event){.kind = ROLE_EV_FOLLOW, .to = at("10.0.0.1")});
    if (s == ROLE_WAITING)
        tell(r, (struct role_event){.kind = ROLE_EV_LINK_LOST});
    if (s == ROLE_SYNCING || s == ROLE_STUCK)
        tell(r, (struct role_event){.kind = ROLE_EV_SYNC_STARTED});
    if (s == ROLE_FOLLOWING)
        tell(r, (struct role_event){.kind = ROLE_EV_SYNCED});
    if (s == ROLE_STUCK)
        tell(r, (struct role_event){.kind = ROLE_EV_UNAPPLICABLE});
}

static bool already(const char *states, enum role_state s)
{
    const char *at_name = strstr(states, role_state_name(s));
    size_t n = strlen(role_state_name(s));
    return at_name && at_name[-1] == ' ' && at_name[n] == ' ';
}

const char *role_order_fails_in(const char *order)
{
    for (size_t i = 0; i < sizeof understood / sizeof understood[0]; i++) {
        if (strcmp(understood[i].order, order) != 0)
            continue;
        for (int s = 0; s < ROLE_STATES; s++) {
            struct role r;
            struct role_orders out;
            lead_into(&r, (enum role_state)s);
            if (r.state != (enum role_state)s)
                return role_state_name((enum role_state)s);
            role_step(&r, &(struct role_event){.kind = understood[i].event, .to = at("10.0.0.9")}, 2000, &out);
            if (already(understood[i].already, (enum role_state)s) ? r.state != (enum role_state)s
                                                                  : r.state != understood[i].ends_in || !out.because)
                return role_state_name((enum role_state)s);
        }
        return NULL;
    }
    return "every state";
}
