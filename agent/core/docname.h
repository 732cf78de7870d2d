/* What a document is called: a type and a component. The directory keeps it under
 * "config:<type>:<component>", the answers of the agents under "cfgack:<type>:<component>".
 * Types are [a-z0-9_-]{1,32}, components [A-Za-z0-9_.-]{1,128} and neither "." nor "..",
 * because both become names of files. */
#ifndef KV_AGENT_DOCNAME_H
#define KV_AGENT_DOCNAME_H

#include "common/base/str.h"

#include <stdbool.h>

#define DOC_TYPE_MAX 32
#define DOC_COMPONENT_MAX 128
#define DOC_KEY_MAX (DOC_TYPE_MAX + DOC_COMPONENT_MAX + 16)    /* "config:" or "cfgack:", two names, ':' and '\0' */

struct docname {
    char type[DOC_TYPE_MAX + 1];
    char component[DOC_COMPONENT_MAX + 1];
};

bool docname_make(struct docname *out, struct slice type, struct slice component);    /* false: not a name */
bool docname_parse(struct slice text, struct docname *out);         /* "files:web" */
bool docname_from_key(struct slice key, struct docname *out);       /* "config:files:web" */
bool docname_equal(const struct docname *a, const struct docname *b);
const char *docname_key(const struct docname *d, char out[DOC_KEY_MAX]);       /* "config:files:web" */
const char *docname_ack_key(const struct docname *d, char out[DOC_KEY_MAX]);   /* "cfgack:files:web" */
const char *docname_text(const struct docname *d, char out[DOC_KEY_MAX]);      /* "files:web" */

#endif
