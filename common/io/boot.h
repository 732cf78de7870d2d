/* What the mains share: arguments, configuration, log, limits, --check-config, --print-docs,
 * --version, --help. Order: `PROGRAM [FILE] [--directive value ...]`; FILE "-" is standard input. */
#ifndef KV_IO_BOOT_H
#define KV_IO_BOOT_H

#include "common/base/err.h"
#include "common/base/str.h"
#include "common/io/loop.h"
#include "common/text/command.h"
#include "common/text/conf_edit.h"
#include "common/text/event.h"
#include "common/text/metric.h"

struct boot_spec {
    const char *program;                     /* "kvnode" */
    const char *summary;                     /* one line for --help */
    char log_role;
    const struct option_table *options;
    void *base;                              /* options struct, zeroed */
    /* Further checks of the whole (after file and arguments), or NULL. */
    int (*check)(void *base, struct err *e);
    /* For --print-docs: the four tables. commands is filled by this when not NULL. */
    void (*commands)(struct command_table *t);
    const struct metric *metrics;  size_t nmetrics;
    const struct op_event *events; size_t nevents;
    /* Further tables of settings for --print-docs, each under its title; ends with {NULL}. */
    struct { const char *title; const struct option_table *options; } more[4];
    /* Further sections of --print-docs, as Markdown that begins with "\n## "; NULL: none. */
    void (*more_docs)(struct str *out);
    /* Offsets into base of what boot itself acts on; SIZE_MAX = has none. */
    size_t dir, logfile, loglevel, pidfile, daemonize, syslog_enabled, syslog_ident;
    bool needs_file;                         /* refuse to start without FILE */
    const char *words_before;                /* a first word that is not a file ("--sentinel" handling), or NULL */
};

struct boot {
    char *config_path;                       /* absolute, NULL when there is no file (or "-") */
    int argc; char **argv;                   /* as started, for restarts */
};

/* Returns true to go on. Otherwise the program ends with *exit_code: the answer (or the one-line error on
 * stderr: "kvnode: file.conf:12: 'port': ...") has been printed. On true: options are set, `dir` is
 * entered, the log is open, file limits are raised, SIGPIPE is ignored, the hash is seeded. */
bool boot(const struct boot_spec *spec, int argc, char **argv, struct boot *out, int *exit_code);
void boot_fini(struct boot *b);              /* removes the pidfile */

/* It cannot start after all (a port in use, a broken data file): one line to the log, and to
 * a terminal as well when the log goes elsewhere. */
void boot_failed(const struct boot_spec *spec, const struct err *e);

#endif
