/* Lines for the operator: format, where they go, opening again after rotation.
 * A line is put together on the stack and leaves in one write, so that lines of a
 * forked child and of its parent do not mix. */
#include "common/io/log.h"

#include "common/base/mem.h"
#include "common/io/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4096

static struct {
    enum log_level min;
    char role;
    enum log_form form;
    int fd;              /* -1: standard output */
    char *path;          /* of fd, for reopening */
    bool use_syslog;
    char *ident;
} lg = {LOG_LEVEL_NOTICE, 'M', LOG_FORM_AUTO, -1, NULL, false, NULL};

static const char *const level_name[] = {"debug", "verbose", "notice", "warning", "error"};
static const char level_mark[] = {'.', '-', '*', '#', '#'};
static const int level_syslog[] = {LOG_DEBUG, LOG_INFO, LOG_NOTICE, LOG_WARNING, LOG_ERR};

void log_set_level(enum log_level min)
{
    lg.min = min;
}

void log_set_role(char role)
{
    lg.role = role;
}

void log_set_form(enum log_form form)
{
    lg.form = form;
}

static int open_path(const char *path)
{
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
}

int log_open_file(const char *path, struct err *e)
{
    int fd = -1;

    if (path && path[0]) {
        fd = open_path(path);
        if (fd < 0)
            return err_sys(e, "open the log file %s", path);
    }
    if (lg.fd >= 0)
        close(lg.fd);
    mem_free(lg.path);
    lg.fd = fd;
    lg.path = fd >= 0 ? mem_strdup(path) : NULL;
    return 0;
}

void log_open_syslog(const char *ident, int facility)
{
    mem_free(lg.ident);
    lg.ident = mem_strdup(ident ? ident : "kvorum");
    openlog(lg.ident, LOG_PID | LOG_NDELAY | LOG_NOWAIT, facility);
    lg.use_syslog = true;
}

void log_reopen(void)
{
    int fd;

    if (!lg.path)
        return;
    fd = open_path(lg.path);
    if (fd < 0) {
        log_line(LOG_LEVEL_WARNING, "cannot reopen the log file %s: %s (going on with the old one)", lg.path,
                 strerror(errno));
        return;
    }
    close(lg.fd);
    lg.fd = fd;
}

/* Is this descriptor what systemd connected to the journal? */
static bool is_journal(int fd)
{
    const char *said = getenv("JOURNAL_STREAM");
    unsigned long long dev, ino;
    struct stat st;

    return said && sscanf(said, "%llu:%llu", &dev, &ino) == 2 && fstat(fd, &st) == 0 && st.st_dev == dev &&
           st.st_ino == ino;
}

static enum log_form form_of(int fd)
{
    static int journal = -1;

    if (lg.form != LOG_FORM_AUTO)
        return lg.form;
    if (fd != STDOUT_FILENO)
        return LOG_FORM_REDIS;
    if (journal < 0)
        journal = is_journal(fd);
    return journal ? LOG_FORM_JOURNAL : LOG_FORM_REDIS;
}

static int put_head(char *out, size_t cap, enum log_form form, enum log_level level)
{
    char day[40], hour[16];
    int64_t wall_ms;
    time_t sec;
    struct tm tm;

    if (form == LOG_FORM_JOURNAL)
        return snprintf(out, cap, "<%d>", level_syslog[level]);
    wall_ms = clock_wall_ms();
    sec = (time_t)(wall_ms / 1000);
    localtime_r(&sec, &tm);
    strftime(hour, sizeof hour, "%H:%M:%S", &tm);
    if (form == LOG_FORM_PLAIN)
        return snprintf(out, cap, "%s.%03d %s ", hour, (int)(wall_ms % 1000), level_name[level]);
    strftime(day, sizeof day, "%d %b %Y", &tm);
    return snprintf(out, cap, "%d:%c %s %s.%03d %c ", (int)getpid(), lg.role, day, hour, (int)(wall_ms % 1000),
                    level_mark[level]);
}

void log_line(enum log_level level, const char *fmt, ...)
{
    char line[LINE_MAX_BYTES];
    int fd = lg.fd >= 0 ? lg.fd : STDOUT_FILENO;
    size_t n, head;
    va_list ap;
    int put;

    if (level < lg.min)
        return;
    head = n = (size_t)put_head(line, sizeof line, form_of(fd), level);
    va_start(ap, fmt);
    put = vsnprintf(line + n, sizeof line - n - 1, fmt, ap);
    va_end(ap);
    if (put < 0)
        return;
    n += (size_t)put < sizeof line - n - 1 ? (size_t)put : sizeof line - n - 2;
    for (size_t i = head; i < n; i++)    /* one line, one fact */
        if (line[i] == '\n' || line[i] == '\r')
            line[i] = ' ';
    if (lg.use_syslog)
        syslog(level_syslog[level], "%.*s", (int)(n - head), line + head);
    line[n++] = '\n';
    if (write(fd, line, n) < 0)
        return;                          /* nowhere left to say it */
}
