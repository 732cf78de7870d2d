/* What the tables of verbs and options say to people: --help, the manual page, completion
 * for bash. One source, so that they agree. */
#ifndef KV_CTL_MANUAL_H
#define KV_CTL_MANUAL_H

#include "sentinel/ctl/ctl.h"

#include <stdio.h>

void manual_usage(FILE *f, const struct verb *only);     /* only NULL: all verbs, a line each */
/* Is the word a question about the program itself (--print-man, --print-completion)? Then it is answered on stdout. */
bool manual_asked(const char *word);

#endif
