/* The sentinel's RESP clients: who may come, what they are told about us. */
#ifndef KV_SENTINEL_CLIENTS_H
#define KV_SENTINEL_CLIENTS_H

#include "common/base/str.h"

struct shell;

void clients_init(struct shell *sh);
void clients_fini(struct shell *sh);
/* INFO of these sections (lower case names; n 0 = default). */
void info_write(struct shell *sh, const struct slice *names, size_t n, struct str *out);

#endif
