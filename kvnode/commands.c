/* The command table of this daemon: each family brings its rows. */
#include "kvnode/commands.h"

#include "kvnode/cmd/cmd.h"
#include "kvnode/cmd/cmd_client.h"

#define ADD(name) command_table_add(t, name##_commands, name##_commands_n)

void kv_commands(struct command_table *t)
{
    command_table_init(t);
    ADD(session);
    ADD(pubsub);
    command_table_add(t, client_command(), 1);
    ADD(conn);
    ADD(string);
    ADD(key);
    ADD(expire);
    ADD(hash);
    ADD(txn);
    ADD(kv_pubsub);
    ADD(server);
    ADD(config);
    ADD(debug);
    ADD(persist);
    ADD(repl);
    ADD(ha);
}
