/* What the agent answers on its unix socket. */
#ifndef KV_AGENT_COMMANDS_H
#define KV_AGENT_COMMANDS_H

#include "common/text/command.h"

void agent_commands_fill(struct command_table *t);

#endif
