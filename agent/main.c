/* kvorum-agent: boot, run, stop. */
#include "agent/core/doctype_docs.h"
#include "agent/shell/commands.h"
#include "agent/shell/events.h"
#include "agent/shell/metrics.h"
#include "agent/shell/options.h"
#include "agent/shell/shell.h"
#include "common/base/mem.h"
#include "common/base/words.h"
#include "common/io/boot.h"
#include "common/io/log.h"
#include "common/io/notify.h"
#include "common/io/signals.h"

#include <signal.h>
#include <stddef.h>

static void on_left(void *arg)
{
    struct agent *a = arg;

    loop_stop(a->loop, 0);
}

/* A second signal does not wait. */
static void on_stop(int signum, void *arg)
{
    static bool asked;
    struct agent *a = arg;

    log_notice("stopping (signal %d)", signum);
    notify_stopping();
    if (asked)
        loop_stop(a->loop, 0);
    else
        agent_leave(a, on_left, a);
    asked = true;
}

static void on_hangup(int signum, void *arg)
{
    (void)signum;
    log_reopen();
    agent_resync(arg);
}

static int run(const struct boot_spec *spec, struct agent_options *o)
{
    struct agent *a = mem_zalloc(sizeof *a);
    struct loop *l = loop_new();
    struct signal_watch term = {0}, intr = {0}, hup = {0};
    struct err e = {0};
    int code = 1;

    if (agent_start(a, o, l, &e) != 0) {
        boot_failed(spec, &e);
        goto out;
    }
    signal_watch_start(&term, l, SIGTERM, on_stop, a);
    signal_watch_start(&intr, l, SIGINT, on_stop, a);
    signal_watch_start(&hup, l, SIGHUP, on_hangup, a);
    notify_watchdog_start(l);
    notify_ready();
    log_notice("kvorum-agent " KVORUM_VERSION " is ready: node %s, %zu roots", o->node_id, o->roots.at.n);
    code = loop_run(l);
    signal_watch_stop(&term);
    signal_watch_stop(&intr);
    signal_watch_stop(&hup);
    agent_stop(a);
out:
    loop_free(l);
    mem_free(a);
    return code;
}

int main(int argc, char **argv)
{
    static struct agent_options options;
    struct boot_spec spec = {
        .program = "kvorum-agent",
        .summary = "Applies what the directory holds for this node: renders, checks, swaps, reloads, probes, rolls back.",
        .log_role = 'A', .options = &agent_option_table, .base = &options, .check = agent_options_check,
        .commands = agent_commands_fill, .metrics = agent_metrics, .nmetrics = agent_metrics_n, .events = agent_events,
        .nevents = agent_events_n, .more_docs = doctype_markdown, .dir = offsetof(struct agent_options, dir),
        .logfile = offsetof(struct agent_options, logfile), .loglevel = offsetof(struct agent_options, loglevel),
        .pidfile = offsetof(struct agent_options, pidfile), .daemonize = offsetof(struct agent_options, daemonize),
        .syslog_enabled = offsetof(struct agent_options, syslog_enabled),
        .syslog_ident = offsetof(struct agent_options, syslog_ident)};
    struct boot b = {0};
    int code;

    if (boot(&spec, argc, argv, &b, &code)) {
        code = run(&spec, &options);
        boot_fini(&b);
    }
    agent_options_free(&options);
    return code;
}
