/* A place in a tree, as the fragment of a URI says it: "" is the tree itself, "/items/0/a~1b"
 * the member "a/b" of the first item; %41 is a letter, ~0 is '~', ~1 is '/'. */
#ifndef KV_AGENT_JSON_POINTER_H
#define KV_AGENT_JSON_POINTER_H

#include <cjson/cJSON.h>
#include <stdbool.h>

/* false: not a pointer. true: *out is what stands there, NULL when nothing does. Borrowed from the tree. */
bool json_pointer(const cJSON *tree, const char *text, const cJSON **out);

#endif
