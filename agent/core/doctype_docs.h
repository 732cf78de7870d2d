/* The types of documents read aloud, out of their rows and shapes, for --print-docs. */
#ifndef KV_AGENT_DOCTYPE_DOCS_H
#define KV_AGENT_DOCTYPE_DOCS_H

#include "common/base/str.h"

/* Appends a section of Markdown: each type with what its documents may hold. */
void doctype_markdown(struct str *out);

#endif
