/* PUBLISH as a data node does it: to its own clients and down the replication stream. The other
 * pub/sub commands are common/io's. */
#include "kvnode/cmd/cmd.h"

static void cmd_publish(struct call *c)
{
    size_t n = pubsub_publish(&call_server(c)->pubsub, c->argv[1], c->argv[2]);

    call_also(c);
    reply_int(c->reply, (int64_t)n);
}

const struct command kv_pubsub_commands[] = {
    {"publish", 3, CMD_PUBSUB | CMD_LOADING | CMD_STALE | CMD_FAST | CMD_MAY_REPLICATE, cmd_publish, 0, 0, 0, "pubsub",
     "channel message", "Send a message to those who listen.", "2.0.0", .channels = CHANNELS_PUBLISH},
};
ROWS(kv_pubsub);
