/* How replication stands, in words: INFO's section and ROLE's answer, for both roles. */
#ifndef KV_REPL_REPORT_H
#define KV_REPL_REPORT_H

#include "common/base/str.h"

struct server;
struct call;

void report_replication(struct server *srv, struct str *out);    /* lines of INFO, without the headline */
void report_role(struct call *c);                                /* ROLE */

#endif
