/* kvnode: boot, run, stop. */
#include "common/io/boot.h"
#include "kvnode/commands.h"
#include "kvnode/events.h"
#include "kvnode/metrics.h"
#include "kvnode/server.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct server server;

/* redis-server is also the sentinel when it is called so, or told --sentinel: that is the program beside this one. */
static bool is_sentinel(int argc, char **argv)
{
    const char *name = argc > 0 ? strrchr(argv[0], '/') : NULL;

    if (argc > 0 && strstr(name ? name : argv[0], "-sentinel") != NULL)
        return true;
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--sentinel") == 0)
            return true;
    return false;
}

static int become_sentinel(char **argv)
{
    char path[PATH_MAX], dir[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", dir, sizeof dir - 1);

    dir[n > 0 ? n : 0] = '\0';
    if (snprintf(path, sizeof path, "%s/kvorum-sentinel", dirname(dir)) < (int)sizeof path)
        execv(path, argv);
    fprintf(stderr, "kvnode: asked to be a sentinel, which is another program: %s cannot be run: %s\n", path, strerror(errno));
    return 1;
}

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

    if (is_sentinel(argc, argv))
        return become_sentinel(argv);

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
