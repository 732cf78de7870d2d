/* One row for each keeper. */
#include "agent/shell/keep.h"

#include "agent/shell/applied.h"
#include "agent/shell/services.h"
#include "agent/shell/shell.h"
#include "common/io/log.h"

#include <string.h>

static int want_service(struct agent *a, const struct docname *name, const struct plan *p, struct err *e)
{
    return services_want(a->services, name, p ? p->service : NULL, e);
}

static int want_scale(struct agent *a, const struct docname *name, const struct plan *p, struct err *e)
{
    return scale_want(a->scale, name, p ? p->scale : NULL, e);
}

static const struct keeper {
    const char *type;
    /* p NULL: no longer wanted. 0: taken. */
    int (*want)(struct agent *a, const struct docname *name, const struct plan *p, struct err *e);
    bool later;                      /* what comes of it is said later, by applier_kept */
} keepers[] = {
    {"service", want_service, false},
    {"scale", want_scale, true},
};

static const struct keeper *find(const char *type)
{
    for (size_t i = 0; i < sizeof keepers / sizeof keepers[0]; i++)
        if (strcmp(keepers[i].type, type) == 0)
            return &keepers[i];
    return NULL;
}

bool keep_knows(const char *type) { return find(type) != NULL; }

enum ack_status keep_want(void *owner, const struct docname *name, const struct plan *p, struct err *why)
{
    const struct keeper *k = find(name->type);

    if (!k) {
        err_set(why, ERR_REFUSED, "nobody here keeps documents of type '%s'", name->type);
        return ACK_INVALID;
    }
    if (k->want(owner, name, p, why) != 0)
        return ACK_INVALID;
    return k->later ? ACK_STATUSES : ACK_OK;
}

void keep_let_go(struct agent *a, const struct docname *name)
{
    const struct keeper *k = find(name->type);
    struct err e = {0};

    if (!k)
        return;
    if (k->want(a, name, NULL, &e) != 0)
        log_warning("%s:%s: %s", name->type, name->component, e.text);
    applied_forget(a->options->state_dir, name);
}

void keep_each_left(struct agent *a, void (*fn)(void *arg, const struct docname *name), void *arg)
{
    for (size_t i = 0; i < sizeof keepers / sizeof keepers[0]; i++)
        applied_each(a->options->state_dir, keepers[i].type, fn, arg);
}
