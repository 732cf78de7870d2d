/* All commands of this daemon. */
#ifndef KV_COMMANDS_H
#define KV_COMMANDS_H

#include "common/text/command.h"

void kv_commands(struct command_table *t);      /* t is initialized here */

#endif
