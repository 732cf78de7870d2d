/* `config` and what its parts share. */
#ifndef KV_CTL_CONFIG_H
#define KV_CTL_CONFIG_H

#include "sentinel/ctl/directory.h"
#include "sentinel/ctl/document.h"

/* Who has acknowledged a document, and in which version: config_acks.c. */
int run_config_status(struct ctl *c, struct conn *k, const char *name);
/* Until every live agent that applies the document has acknowledged these bytes, or the time is up; prints who did and
 * who did not. EXIT_OK_: all ok. EXIT_FAILED: some refused. EXIT_TIMEOUT. */
int config_wait(struct ctl *c, struct conn *k, const char *name, const char *sha);
/* "ok/all" of the acknowledgements. */
int config_ack_counts(struct conn *k, const char *name, const char *sha, char out[32]);

/* Prints each change of the documents (name NULL: of all of them) until it is interrupted: config_watch.c. */
int run_config_watch(struct ctl *c, const char *name);

#endif
