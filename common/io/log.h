/* One line, one fact. Sinks: stderr, a file, syslog. The line's form follows the
 * operator's choice:
 *   redis  "<pid>:<role> 21 Nov 2026 12:04:31.207 # text"   (default: scripts look for it)
 *   plain  "12:04:31.207 notice text"
 *   journal "<5>text" when stderr is the journal.
 * Secrets never reach a formatter. Not for signal handlers. */
#ifndef KV_IO_LOG_H
#define KV_IO_LOG_H

#include "common/base/err.h"

enum log_form { LOG_FORM_AUTO, LOG_FORM_REDIS, LOG_FORM_PLAIN, LOG_FORM_JOURNAL };   /* AUTO: journal or redis */
enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_VERBOSE, LOG_LEVEL_NOTICE, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };

void log_set_level(enum log_level min);
void log_set_form(enum log_form form);
void log_set_role(char role);                        /* M primary, S replica, X sentinel, A agent, C child */
int  log_open_file(const char *path, struct err *e); /* NULL or "" = standard output */
void log_open_syslog(const char *ident, int facility);
void log_reopen(void);                               /* after rotation (SIGUSR1 / SIGHUP) */

void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_verbose(...) log_line(LOG_LEVEL_VERBOSE, __VA_ARGS__)
#define log_notice(...) log_line(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)

#endif
