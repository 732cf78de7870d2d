/* The lines of the log that somebody may wait for: name, level, what comes with it. */
#include "kvnode/events.h"

#include "common/io/log.h"

const struct op_event kv_events[] = {
    {"started", LOG_LEVEL_NOTICE, "version, port, pid", "The program is up; the data set is not loaded yet."},
    {"ready", LOG_LEVEL_NOTICE, "", "Ready to accept connections: loaded and listening."},
    {"loaded", LOG_LEVEL_NOTICE, "seconds, keys", "The data file was read."},
    {"load-failed", LOG_LEVEL_ERROR, "file, why", "The data file cannot be used; the program stops and leaves it as it is."},
    {"role", LOG_LEVEL_NOTICE, "from -> to on event: because", "The node became primary or replica, or its link changed."},
    {"epoch", LOG_LEVEL_NOTICE, "epoch, offset", "An epoch of a formed group begins here, or in the stream of the primary."},
    {"tail", LOG_LEVEL_WARNING, "commands, bytes, offsets, file", "A full copy of the primary drops what only this node had; a file keeps it."},
    {"save-failed", LOG_LEVEL_ERROR, "why", "A background save failed; writes are refused if stop-writes-on-bgsave-error says so."},
    {"stopping", LOG_LEVEL_NOTICE, "", "A shutdown was asked for."},
    {"stopped", LOG_LEVEL_NOTICE, "", "Ready to exit."},
};
const size_t kv_events_n = sizeof kv_events / sizeof kv_events[0];
