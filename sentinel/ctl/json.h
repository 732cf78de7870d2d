/* What is printed for programs: objects that say first what they are. */
#ifndef KV_CTL_JSON_H
#define KV_CTL_JSON_H

#include <stdbool.h>

struct cJSON;

/* {"apiVersion":"kvorum/v1","kind":<kind>}: yours. */
struct cJSON *json_object(const char *kind);
/* To stdout, with a line's end; as one line, or for eyes too. Frees it. */
void json_print(struct cJSON *o, bool one_line);

#endif
