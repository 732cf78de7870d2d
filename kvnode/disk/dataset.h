/* What stands on disk becomes the data set: at start, and for DEBUG RELOAD. */
#ifndef KV_DISK_DATASET_H
#define KV_DISK_DATASET_H

#include "common/base/err.h"

#include <stdbool.h>

struct server;

/* Begin to read <dir>/<dbfilename> off the command thread; srv->loading is on meanwhile. No file: nothing to
 * do. When it is done (or there was nothing) server_ready() is called; a file that cannot be used is named in
 * the log, left where it is, and stops the loop with code 1. */
void dataset_load_at_start(struct server *srv);

/* DEBUG RELOAD: save (unless nosave), then read the file back in, waiting for it. */
int  dataset_reload(struct server *srv, bool save, struct err *e);

#endif
