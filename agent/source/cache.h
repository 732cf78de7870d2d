/* What the directory said last, on disk: one file per document with everything it was made
 * of, so that a boot without any network finds a consistent set. Also the operator's
 * overrides, plain document files that outrank the directory.
 *
 *   <state>/cache/<type>/<component>      "kvorum-cache 1 <sha256> <bytes> <wall ms>\n" + records
 *   <state>/override/<type>/<component>   the exact bytes of a document
 *
 * Records are requests in RESP form: "string" source bytes, "hash" source (field value)...,
 * "missing" source. */
#ifndef KV_AGENT_CACHE_H
#define KV_AGENT_CACHE_H

#include "agent/core/docname.h"
#include "agent/core/inputs.h"
#include "common/base/err.h"

/* The sources of one document, all of which must be in `in`. Writes only when it differs from what is there, and
 * does not wait for the disk: the checksum says whether it is whole. */
int  cache_save(const char *state, const struct docname *doc, const struct inputs *in, const struct sources *of,
                int64_t wall_ms, struct err *e);
void cache_forget(const char *state, const struct docname *doc);
/* Adds what was saved to `in`. ERR_SYS with ENOENT: nothing was. ERR_VERIFY, ERR_FORMAT: damaged, nothing added. */
int  cache_load(const char *state, const struct docname *doc, struct inputs *in, int64_t *saved_wall_ms, struct err *e);
/* The operator's file for this document; false when there is none. Unreadable or too long: e says so, false. */
bool override_load(const char *state, const struct docname *doc, struct str *out, struct err *e);

#endif
