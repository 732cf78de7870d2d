/* A version of a document as the agents' controller wrote it down: a field of cfglog:<document>,
 * its number, with the value "<sha> <ms since 1970> <by>\n<bytes>". */
#ifndef KV_CTL_VERSION_H
#define KV_CTL_VERSION_H

#include "sentinel/ctl/document.h"
#include "sentinel/ctl/val.h"

struct version {
    int64_t number, at_ms;
    char sha[SHA_TEXT], by[64];
    struct slice bytes;          /* in the value: borrowed */
};

/* false: it is none, and *out is not to be used. */
bool version_read(const char *number, const struct val *v, struct version *out);
int  version_order(const void *a, const void *b);       /* for qsort: oldest first */

#endif
