/* Schemas that the directory holds for types of documents: "cfgschema:<type>" may hold a JSON
 * Schema (core/json_schema.h), and documents of that type must satisfy it wherever an agent
 * reads them: named by its agent document, as data of another document, or the agent document
 * itself. It comes on top of the type's own shape, so it can only narrow. A key that does not exist
 * asks nothing (nor does one of another type than string: MGET does not tell them apart); one that is wrong
 * lets no document of its type through. */
#ifndef KV_AGENT_DOC_SCHEMA_H
#define KV_AGENT_DOC_SCHEMA_H

#include "agent/core/docname.h"
#include "agent/core/inputs.h"
#include "agent/core/json_schema.h"

/* The schemas of all documents in the list, behind them. */
void doc_schema_sources(struct sources *s);
/* e: "cfgschema:files is wrong: type: must be ..." or "against cfgschema:files: files[0].mode: violates ...".
 * A schema that nobody asked the directory for asks nothing. */
int doc_schema_check(const char *type, const cJSON *tree, const struct inputs *in, const struct json_patterns *patterns,
                     struct err *e);
/* The same for every document in the list; what is missing or no document is left to who reads it. e begins with
 * the document's key. */
int doc_schema_check_sources(const struct sources *s, const struct inputs *in, const struct json_patterns *patterns,
                             struct err *e);

#endif
