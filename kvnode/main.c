/* kvnode: boot, run, stop. */
#include "common/io/boot.h"
#include "common/io/log.h"
#include "kvnode/commands.h"
#include "kvnode/events.h"
#include "kvnode/metrics.h"
#include "kvnode/server.h"

#include <stddef.h>

static struct server server;

int main(int argc, char **argv)
{
    struct boot_spec spec = {
        .program = "kvnode",
        .summary = "a RESP data node: Redis commands, replication, persistence",
        .log_role = 'M',
        .options = &kv_option_table,
        .base = &server.opt,
        .commands = kv_commands,
        .metrics = kv_metrics,
        .nmetrics = kv_metrics_n,
        .events = kv_events,
        .nevents = kv_events_n,
        .dir = offsetof(struct kv_options, dir),
        .logfile = offsetof(struct kv_options, logfile),
        .loglevel = offsetof(struct kv_options, loglevel),
        .pidfile = offsetof(struct kv_options, pidfile),
        .daemonize = offsetof(struct kv_options, daemonize),
        .syslog_enabled = offsetof(struct kv_options, syslog_enabled),
        .syslog_ident = offsetof(struct kv_options, syslog_ident),
    };
    struct err e = {0};
    int code = 1;

    if (!boot(&spec, argc, argv, &server.boot, &code)) {
        kv_options_free(&server.opt);
        return code;
    }
    if (server_init(&server, &e) == 0) {
        code = server_run(&server);
    } else {
        boot_failed(&spec, &e);
        code = 1;
    }
    server_fini(&server);
    boot_fini(&server.boot);
    kv_options_free(&server.opt);
    return code;
}
