/* What should be true on this node: which agent document is ours, which documents it
 * names, which keys must be read to know them, and the plan of each. All of it out of one
 * snapshot, without asking the machine. */
#ifndef KV_AGENT_DESIRED_H
#define KV_AGENT_DESIRED_H

#include "agent/core/docname.h"
#include "agent/core/doctype.h"
#include "agent/core/json_schema.h"

#define AGENT_MAX_DOCUMENTS 64

struct whoami {
    const char *node;            /* component of our own document: config:agent:<node> */
    const char *group;           /* "" = none: config:agent:<group> */
    const struct json_patterns *patterns;    /* for cfgschema:<type>; NULL: schemas with regular expressions are refused */
};

/* A checked agent document: config:agent:<node>, else <group>, else default. */
struct agent_doc {
    struct docname name;
    VEC(struct docname) apply;
    cJSON *tree;                 /* vars and labels live in it */
};

extern const struct shape agent_doc_shape;

struct agent_doc *agent_doc_free(struct agent_doc *a);      /* returns NULL */
/* The first of the three that exists. ERR_MISSING: none does (name untouched). Another error: the one
 * that exists, named by *name, is wrong; e says how. */
int agent_doc_find(const struct inputs *in, const struct whoami *who, struct docname *name, struct agent_doc **out,
                   struct err *e);

/* Every source that must be read: the three agent documents, the schemas of all types among what follows, the documents that the agent document in `in`
 * names (or that `last` names, when the one in `in` is missing or wrong), and what these read in turn. Sources that
 * are not in the snapshot yet lead nowhere: ask again when they have been read, until the list grows no more. */
void desired_sources(const struct inputs *in, const struct whoami *who, const struct agent_doc *last,
                     struct sources *out);
/* The sources of one document, its own key first, the schemas last. */
void desired_sources_of(const struct docname *doc, const struct inputs *in, struct sources *out);

/* One document's plan. ERR_MISSING with *absent set: the document or one of its sources does not exist (e says
 * which). Any other error: it is wrong, by its shape or by what cfgschema:<type> asks besides; e says where. */
int desired_plan(const struct docname *doc, const struct inputs *in, const struct whoami *who,
                 const struct agent_doc *agent, struct plan **out, bool *absent, struct err *e);
/* Only the actions and the names of the files, from the bytes of a document (for what a crash left behind). */
int desired_read(const struct docname *doc, const char *p, size_t n, struct plan **out, struct err *e);

#endif
