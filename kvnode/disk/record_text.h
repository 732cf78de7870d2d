/* The facts of a node as lines, and back. No file here. */
#ifndef KV_DISK_RECORD_TEXT_H
#define KV_DISK_RECORD_TEXT_H

#include "common/base/err.h"
#include "common/base/str.h"
#include "kvnode/role/member.h"

void record_text_put(const struct member_facts *f, struct str *out);
/* All lines must be there, each once, and nothing else. ERR_FORMAT. */
int  record_text_get(struct slice text, struct member_facts *f, struct err *e);

#endif
