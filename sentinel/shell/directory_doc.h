/* A directory document (`config:redis:<group>`) with host and port put in. Only the two
 * values change; every other byte stays as its writer left it, since the bytes are the
 * document's identity and numbers must not pass through a double. */
#ifndef KV_SENTINEL_DIRECTORY_DOC_H
#define KV_SENTINEL_DIRECTORY_DOC_H

#include "common/base/addr.h"
#include "common/base/err.h"
#include "common/base/str.h"

/* old may be empty: a document with just the two is made. ERR_FORMAT: old is no JSON object (or has one of
 * the two names twice), nothing is written. */
int directory_doc_edit(struct slice old, const struct addr *to, struct str *out, struct err *e);

#endif
