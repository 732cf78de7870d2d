/* What documents may have run: programs (`allow-command <path>`) and units
 * (`allow-unit <pattern>`). Nothing is allowed that the local configuration does not name:
 * who can write to the directory must not thereby own the hosts. */
#ifndef KV_AGENT_ALLOW_H
#define KV_AGENT_ALLOW_H

#include "common/base/err.h"
#include "common/base/vec.h"

struct allow {
    VEC(char *) commands;        /* absolute paths */
    VEC(char *) units;           /* glob patterns */
    char *systemctl;             /* the program that speaks to systemd; borrowed from the options */
};

void allow_fini(struct allow *a);
int  allow_add_command(struct allow *a, const char *path, struct err *e);
void allow_add_unit(struct allow *a, const char *pattern);
/* The path to run for what a document calls it: the full path, or the last part of an allowed one.
 * NULL: not allowed, e says what would allow it. */
const char *allow_command(const struct allow *a, const char *name, struct err *e);
int  allow_unit(const struct allow *a, const char *unit, struct err *e);

#endif
