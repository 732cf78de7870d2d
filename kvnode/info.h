/* INFO: what the node says about itself, in Redis' sections and field names. */
#ifndef KV_INFO_H
#define KV_INFO_H

#include "common/base/str.h"
#include "kvnode/server.h"

/* The sections that argv names ("default", "all", "everything" are sets of them); none = default. */
void info_text(struct server *srv, int argc, const struct slice *argv, struct str *out);
size_t info_rss_bytes(void);

#endif
