/* Scaling, decided: what a message on the channel asks for, what the document is after it,
 * and what to do about the instances that were seen. */
#ifndef KV_AGENT_CORE_SCALE_H
#define KV_AGENT_CORE_SCALE_H

#include "common/base/err.h"
#include "common/base/str.h"
#include "common/base/vec.h"

#include <stdbool.h>
#include <stdint.h>

#define SCALE_SERVICE_MAX 63

/* "web:7": [a-z0-9._-]{1,63}, ':', [0-9]{1,4}, nothing else. false: not a scale event; out untouched. */
struct scale_event {
    char service[SCALE_SERVICE_MAX + 1];
    int instances;
};
bool scale_event_parse(struct slice message, struct scale_event *out);

/* A scale document's bytes with another number of instances; every other byte stays as it is, whatever the order and
 * spacing. ERR_FORMAT: not a scale document (e says how). *changed: the number differs from the one that stood
 * there, after it was brought within min and max. */
struct scale_edit {
    int was, is;
    int64_t cooldown_ms;
};
int scale_document_edit(struct slice bytes, int instances, struct str *out, struct scale_edit *how, struct err *e);

/* --- instances of a unit on this node --- */

enum instance_state {
    INSTANCE_DOWN,           /* inactive */
    INSTANCE_UP,             /* active, reloading */
    INSTANCE_STARTING,       /* activating */
    INSTANCE_STOPPING,       /* deactivating */
    INSTANCE_FAILED
};

struct instance {
    int number;
    enum instance_state state;
    char result[32];         /* systemd's word for how it failed: "exit-code"; "" = nothing to say */
};

struct instances {
    VEC(struct instance) at;
};

/* What `systemctl show -p Id -p ActiveState -p SubState -p Result <name>@*.service` says; unit is the template. Numbered
 * instances of this template only; those of other names are nobody's business. */
void instances_read(struct slice text, const char *unit, struct instances *out);
void instances_fini(struct instances *s);
const struct instance *instances_find(const struct instances *s, int number);     /* NULL: not loaded = down */
/* "web@.service", 3 -> "web@3.service" */
void instance_unit(const char *unit, int number, struct str *out);

enum scale_deed {
    SCALE_RIGHT,             /* 1..want are up, nothing else is */
    SCALE_START,             /* `start` are down and should be up */
    SCALE_STOP,              /* `stop` is up and should not be; the highest of them */
    SCALE_WAIT,              /* something is on its way */
    SCALE_FAILED             /* `failed` was started and is not up */
};

struct scale_answer {
    enum scale_deed deed;
    VEC(int) start;          /* ascending */
    VEC(int) surplus;        /* all that are up and should not be, descending */
    int failed;              /* lowest of them */
    int waiting;             /* some number that is on its way */
};

/* Level-triggered: only what is there counts. started: those that were started since the document last changed and
 * need not be started again at once when they failed. Starting comes before stopping, and one is stopped after the other;
 * what is stuck in its start keeps nobody from being stopped. */
void scale_decide(const struct instances *seen, int want, bool (*started)(void *arg, int number), void *arg,
                  struct scale_answer *out);
void scale_answer_fini(struct scale_answer *a);

#endif
