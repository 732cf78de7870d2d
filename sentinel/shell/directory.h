/* After a promotion that we led: host and port of `config:redis:<group>` in the group that
 * is the directory. Written under WATCH; the epoch in `cfgmeta:redis:<group>` keeps an older
 * leader from overwriting a newer one. Tried again until it is done or overtaken. Sentinels
 * that followed (the leader may have died, or be a stock one) look a little later whether
 * the epoch is there, and write it if not. */
#ifndef KV_SENTINEL_DIRECTORY_H
#define KV_SENTINEL_DIRECTORY_H

#include "common/base/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct shell;
struct directory;

struct directory *directory_new(struct shell *sh);
void directory_free(struct directory *d);
void directory_want(struct directory *d, const char *group, const char *where, const struct addr *to, uint64_t epoch, bool led);
void directory_forget(struct directory *d, const char *group);
size_t directory_waiting(const struct directory *d);      /* documents not written yet */

#endif
