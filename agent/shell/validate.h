/* The check commands of a document, one after the other, on the new files before they are
 * swapped in. `{{staged:<path>}}` in a word becomes the path of the new file. */
#ifndef KV_AGENT_VALIDATE_H
#define KV_AGENT_VALIDATE_H

#include "agent/shell/allow.h"
#include "agent/shell/stage.h"
#include "common/io/loop.h"

struct validate;

#define VALIDATE_OUTPUT_MAX ((size_t)8 * 1024)

/* Are all programs allowed, all staged files named? Asks without running. */
int  validate_allowed(const struct plan *p, const struct allow *a, struct err *e);
/* plan, stage, roots and allow are borrowed until fn was called or validate_free. why is NULL when every
 * command ended with 0; else a sentence with what the command printed. fn is never called from inside. */
struct validate *validate_start(struct loop *l, const struct plan *p, const struct stage *s, const struct roots *r,
                                const struct allow *a, void (*fn)(void *arg, const char *why), void *arg);
void validate_free(struct validate *v);      /* kills what still runs; NULL is fine */

#endif
