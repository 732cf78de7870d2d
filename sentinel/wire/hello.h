/* The hello: one line with eight fields, published by every sentinel on each node's
 * channel `__sentinel__:hello`, and to each other directly. Knows nothing of pub/sub. */
#ifndef KV_SENTINEL_HELLO_H
#define KV_SENTINEL_HELLO_H

#include "common/base/err.h"
#include "common/base/str.h"
#include "sentinel/core/event.h"

/* "ip,port,id,current-epoch,group,primary-ip,primary-port,config-epoch"; *out untouched on failure. */
int  hello_read(struct slice line, struct hello *out, struct err *e);
void hello_write(const struct hello *h, struct str *out);

#endif
