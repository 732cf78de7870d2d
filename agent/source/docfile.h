/* Where the agent keeps what it has to remember about single documents: one file for each,
 * <state>/<kind>/<type>/<component>, a kind being one user's folder ("cache", "applied", ...). */
#ifndef KV_AGENT_DOCFILE_H
#define KV_AGENT_DOCFILE_H

#include "agent/core/docname.h"

/* Appends the path. A component "" gives the folder of the type. */
void docfile_path(const char *state, const char *kind, const struct docname *doc, struct str *out);
/* Removes the file, or does nothing when there is none (or it cannot be removed). */
void docfile_forget(const char *state, const char *kind, const struct docname *doc);
/* Calls fn for each document of this type that has a file; type NULL: of all types. fn may remove and make files: the
 * names of a type are read before the first call. */
void docfile_each(const char *state, const char *kind, const char *type, void (*fn)(void *arg, const struct docname *doc),
                  void *arg);

#endif
