/* The status of all groups: gathered once, printed as a tree for people or as JSON for programs. */
#ifndef KV_CTL_PRINT_H
#define KV_CTL_PRINT_H

#include "sentinel/ctl/ctl.h"

struct cJSON;

/* {"apiVersion":"kvorum/v1","kind":"Status","sentinel":"host:port","groups":[...]}; names in this order, for ever. */
int  status_gather(struct ctl *c, struct cJSON **out, bool *healthy);
void status_print_tree(const struct cJSON *status, struct str *out, bool colour);

#endif
