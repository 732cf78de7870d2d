/* The CLIENT row, made of common/io's subcommands and a data node's. */
#ifndef KV_CMD_CMD_CLIENT_H
#define KV_CMD_CMD_CLIENT_H

struct command;
const struct command *client_command(void);

#endif
