/* The `arguments` of COMMAND DOCS, read out of a command's syntax text. */
#ifndef KV_TEXT_COMMAND_SYNTAX_H
#define KV_TEXT_COMMAND_SYNTAX_H

#include "common/text/resp_reply.h"

/* syntax: words; UPPER words are said literally, others stand for a value; [..] may be
 * left out, a|b is one of them, "..." repeats. "key seconds [NX|XX]", "key [key ...]",
 * "[EX seconds|PX milliseconds]". Appends one array of argument maps. */
void command_syntax_reply(struct reply *r, const char *syntax);

#endif
