/* Filling in struct err. All of these work on a NULL e, which only loses the sentence. */
#include "common/base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int err_set(struct err *e, int code, const char *fmt, ...)
{
    va_list ap;

    if (!e)
        return code;
    e->code = code;
    e->sys_errno = 0;
    va_start(ap, fmt);
    vsnprintf(e->text, sizeof e->text, fmt, ap);
    va_end(ap);
    return code;
}

int err_sys(struct err *e, const char *fmt, ...)
{
    int saved = errno;
    char why[128];
    size_t n;
    va_list ap;

    if (!e)
        return ERR_SYS;
    e->code = ERR_SYS;
    e->sys_errno = saved;
    va_start(ap, fmt);
    vsnprintf(e->text, sizeof e->text, fmt, ap);
    va_end(ap);
    n = strlen(e->text);
    snprintf(e->text + n, sizeof e->text - n, ": %s", strerror_r(saved, why, sizeof why));   /* GNU's form */
    errno = saved;
    return ERR_SYS;
}

int err_wrap(struct err *e, const char *fmt, ...)
{
    char before[ERR_TEXT_MAX];
    size_t n;
    va_list ap;

    if (!e)
        return ERR_SYS;
    memcpy(before, e->text, sizeof before);
    before[sizeof before - 1] = '\0';
    va_start(ap, fmt);
    vsnprintf(e->text, sizeof e->text, fmt, ap);
    va_end(ap);
    n = strlen(e->text);
    snprintf(e->text + n, sizeof e->text - n, ": %s", before);
    return e->code;
}

const char *err_code_name(int code)
{
    static const struct {
        int code;
        const char *name;
    } names[] = {
        {ERR_OK, "ok"},           {ERR_SYS, "system"},       {ERR_FORMAT, "format"},   {ERR_RANGE, "range"},
        {ERR_UNKNOWN, "unknown"}, {ERR_LIMIT, "limit"},      {ERR_STALE, "stale"},     {ERR_BUSY, "busy"},
        {ERR_REFUSED, "refused"}, {ERR_MISSING, "missing"},  {ERR_TIMEOUT, "timeout"}, {ERR_CLOSED, "closed"},
        {ERR_VERIFY, "verify"},
    };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].code == code)
            return names[i].name;
    return "?";
}
