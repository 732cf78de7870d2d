/* The end of a process that found itself in the wrong. Only write and abort: the
 * heap and stdio may be what is broken. */
#include "common/base/check.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static size_t put(char *out, size_t at, size_t cap, const char *z)
{
    size_t n = strlen(z);

    if (n > cap - at)
        n = cap - at;
    memcpy(out + at, z, n);
    return at + n;
}

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    char text[512], digits[16];
    size_t n = 0, d = sizeof digits - 1;

    digits[d] = '\0';
    do {
        digits[--d] = (char)('0' + line % 10);
        line /= 10;
    } while (line > 0 && d > 0);
    n = put(text, n, sizeof text, file);
    n = put(text, n, sizeof text, ":");
    n = put(text, n, sizeof text, digits + d);
    n = put(text, n, sizeof text, ": this must hold: ");
    n = put(text, n, sizeof text, what);
    n = put(text, n, sizeof text, "\n");
    if (write(STDERR_FILENO, text, n) < 0)
        abort();
    abort();
}
