/* Plans that somebody else keeps true from now on, and documents that are only looked at. */
#include "agent/shell/applier_inside.h"

static int keeper_allowed(struct applier *w, const struct plan *p, struct err *e)
{
    (void)p;
    return w->m->keep ? 0 : err_set(e, ERR_REFUSED, "nobody here keeps documents of type '%s'", w->name.type);
}

static void hand_over(struct applier *w)
{
    struct err e = {0};
    enum ack_status status = w->m->keep(w->m->owner, &w->name, w->plan, &e);

    if (status == ACK_STATUSES || ack_in_force(status))
        applier_is_so(w, status, e.text);
    else
        applier_refuse(w, status, e.text);
}

static void well_formed(struct applier *w) { applier_is_so(w, ACK_OK, ""); }

const struct carrier carrier_keep = {.allowed = keeper_allowed, .look = hand_over};
const struct carrier carrier_nothing = {.look = well_formed};
