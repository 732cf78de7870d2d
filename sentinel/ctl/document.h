/* Documents as an operator names, checks and compares them. What agents and clients would
 * refuse is refused here, before it is pushed to them. */
#ifndef KV_CTL_DOCUMENT_H
#define KV_CTL_DOCUMENT_H

#include "common/base/err.h"
#include "common/base/str.h"

#include <stdbool.h>

#define DOCUMENT_MAX (256 * 1024)
#define DOCUMENT_DEPTH_MAX 32
#define DOC_NAME_MAX (32 + 1 + 128 + 1)      /* "type:component" and '\0' */
#define DOC_KEY_ROOM (DOC_NAME_MAX + 8)      /* behind "config:", "cfgmeta:", "cfglog:", "cfgack:" */
#define SHA_TEXT 65

/* "files:web", or two words "files", "web". ERR_RANGE: not a name. */
int  doc_name(const char *word, const char *component, char out[DOC_NAME_MAX], struct err *e);
/* "config", "files:web" -> "config:files:web" */
const char *doc_key(char out[DOC_KEY_ROOM], const char *prefix, const char *name);
void doc_sha(const void *p, size_t n, char out[SHA_TEXT]);
/* Is it one: a JSON object, no name twice, not too long, not too deep? */
int  doc_check(const struct str *doc, struct err *e);
/* Two documents, value by value: lines "- a.b[0] = 1" and "+ a.b[0] = 2" in the order of the first. What is no JSON is
 * one value; values of passwords, tokens and secrets are not shown. Returns how many lines were put. */
size_t doc_diff(const char *was, const char *is, struct str *out);

#endif
