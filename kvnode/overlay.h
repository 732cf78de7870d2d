/* `state-dir`: the configuration file is read only, and what CONFIG REWRITE has to write goes into
 * the node's record as an overlay, read after the file and the command line: each setting that
 * is not what they say, and users. Whether it was REPLICAOF, CONFIG SET or ACL SETUSER that
 * changed it makes no difference, so a role survives a restart.
 *
 * Who wins: the overlay, unless the file or the command line says something else about this very
 * setting than it did when the overlay was written (somebody edited it): then they do, and the log says so. */
#ifndef KV_OVERLAY_H
#define KV_OVERLAY_H

#include "kvnode/disk/record.h"

struct server;

/* At the start: open the record (srv->record), note what file and command line say, apply the overlay.
 * Fails when the folder is another process's, or damaged. */
int  overlay_start(struct server *srv, struct err *e);
/* CONFIG REWRITE with state-dir: as record_set_overlay. */
int  overlay_write(struct server *srv, record_done_fn *done, void *arg, struct err *e);
void overlay_fini(struct server *srv);

#endif
