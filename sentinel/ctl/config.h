/* `config` and what its parts share. The words after the document are argc, argv; where a sentence
 * is printed, an exit code is returned. */
#ifndef KV_CTL_CONFIG_H
#define KV_CTL_CONFIG_H

#include "sentinel/ctl/directory.h"
#include "sentinel/ctl/document.h"

/* The bytes of config:<name>: yours. None: a sentence and EXIT_FAILED. */
int config_bytes(struct conn *k, const char *name, struct val **out);

/* config_push.c */
int config_set(struct ctl *c, struct conn *k, const char *name, int argc, char **argv);
int config_retire(struct ctl *c, struct conn *k, const char *name, int argc, char **argv);
/* Stores these bytes and says so; only while the document has the digest if_sha (its first 8 digits at least; "absent":
 * only while there is none; NULL: always). With --wait also until the agents answered. */
int config_push(struct ctl *c, struct conn *k, const char *name, const struct str *doc, const char *if_sha);

/* config_versions.c */
int config_history(struct ctl *c, struct conn *k, const char *name, int argc, char **argv);
int config_diff(struct ctl *c, struct conn *k, const char *name, int argc, char **argv);
int config_rollback(struct ctl *c, struct conn *k, const char *name, int argc, char **argv);

/* Who has acknowledged a document, and in which version: config_acks.c. */
int config_status(struct ctl *c, struct conn *k, const char *name, int argc, char **argv);
/* Until every live agent that applies the document has acknowledged these bytes, or the time is up; prints who did and
 * who did not. EXIT_OK_: all ok. EXIT_FAILED: some refused. EXIT_TIMEOUT. */
int config_wait(struct ctl *c, struct conn *k, const char *name, const char *sha);
/* "ok/all" of the acknowledgements. */
int config_ack_counts(struct conn *k, const char *name, const char *sha, char out[32]);

/* Prints each change of the documents (name NULL: of all of them) until it is interrupted: config_watch.c. */
int run_config_watch(struct ctl *c, const char *name);

#endif
