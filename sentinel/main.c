/* kvorum-sentinel: boot, run, stop. */
#include "common/io/boot.h"
#include "common/io/log.h"
#include "common/io/notify.h"
#include "common/io/signals.h"
#include "sentinel/shell/commands.h"
#include "sentinel/shell/events.h"
#include "sentinel/shell/metrics.h"
#include "sentinel/shell/shell.h"

#include <stddef.h>
#include <signal.h>
#include <unistd.h>

static void stop(int signum, void *arg)
{
    (void)signum;
    shell_stop(arg, 0);
}

static void reopen(int signum, void *arg)
{
    (void)signum;
    (void)arg;
    log_reopen();
}

int main(int argc, char **argv)
{
    static struct sentinel_options o = {.bind_is_default = true};
    struct boot_spec spec = {
        .program = "kvorum-sentinel",
        .summary = "Watches groups of RESP data nodes, votes with other sentinels, promotes a replica when a primary is gone.",
        .log_role = 'X', .options = &sentinel_option_table, .base = &o, .check = sentinel_options_check,
        .commands = sentinel_commands, .metrics = sentinel_metrics, .nmetrics = sentinel_metrics_n,
        .events = sentinel_events, .nevents = sentinel_events_n,
        .more = {{"Settings of a group: sentinel <setting> <group> <value>, SENTINEL SET <group> <setting> <value>", &group_option_table},
                 {"Settings of the sentinel itself: sentinel <setting> <value>, SENTINEL CONFIG SET", &sentinel_global_table}},
        .dir = offsetof(struct sentinel_options, dir), .logfile = offsetof(struct sentinel_options, logfile),
        .loglevel = offsetof(struct sentinel_options, loglevel), .pidfile = offsetof(struct sentinel_options, pidfile),
        .daemonize = offsetof(struct sentinel_options, daemonize),
        .syslog_enabled = offsetof(struct sentinel_options, syslog_enabled),
        .syslog_ident = offsetof(struct sentinel_options, syslog_ident), .words_before = "--sentinel",
    };
    struct signal_watch term = {0}, intr = {0}, usr1 = {0}, hup = {0};
    struct boot b;
    struct loop *loop;
    struct shell *sh;
    struct err e = {0};
    int code = 0;

    if (!boot(&spec, argc, argv, &b, &code)) {
        sentinel_options_fini(&o);
        return code;
    }
    loop = loop_new();
    sh = shell_new(loop, &o, b.config_path);
    if (shell_start(sh, &e) != 0) {
        boot_failed(&spec, &e);
        code = 1;
    } else {
        signal_watch_start(&term, loop, SIGTERM, stop, sh);
        signal_watch_start(&intr, loop, SIGINT, stop, sh);
        signal_watch_start(&usr1, loop, SIGUSR1, reopen, NULL);
        signal_watch_start(&hup, loop, SIGHUP, reopen, NULL);
        log_notice("Kvorum sentinel is up. PID: %ld", (long)getpid());
        log_notice("Ready to accept connections");
        notify_ready();
        notify_watchdog_start(loop);
        code = loop_run(loop);
        signal_watch_stop(&term);
        signal_watch_stop(&intr);
        signal_watch_stop(&usr1);
        signal_watch_stop(&hup);
    }
    shell_free(sh);
    loop_run_once(loop, false);      /* last words leave */
    loop_run_once(loop, false);
    loop_free(loop);
    boot_fini(&b);
    sentinel_options_fini(&o);
    return code;
}
