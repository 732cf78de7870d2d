/* Shared libraries that are loaded when they are first needed: libcurl and libmicrohttpd bring some forty others with
 * them, libsystemd seven, whose pages an agent that asks no URL and has no status port would hold for nothing.
 *
 * Who needs one lists its calls, and gets a table of pointers of the types that the library's own header declares:
 *
 *   #define CURL_CALLS(X) X(init, curl_easy_init) X(setopt, curl_easy_setopt)
 *   LIBRARY(curl, LIBCURL, CURL_CALLS);
 *
 *   rc = library_load(&curl_library, e);      then      easy = curl.init()
 *
 * LIBCURL_SONAME and LIBCURL_PACKAGE come from the build, which looks at the library that it would have linked. A call
 * that goes around the table does not link. */
#ifndef KV_IO_LIBRARY_H
#define KV_IO_LIBRARY_H

#include "common/base/err.h"

#include <stdbool.h>

struct library {
    const char *soname;              /* what the dynamic linker is asked for */
    const char *package;             /* Debian's, for who must install it */
    const char *const *calls;        /* ends with NULL */
    void **at;                       /* the table: a pointer for each of them */
    bool loaded;
};

/* Loads it unless it is there, and fills the table; it stays as long as the process. ERR_MISSING says which library, what
 * is wrong with it and what to install: then nothing of the table may be called, and the next time it is tried again. It
 * reads files, for some 10 ms: a loop that may not stop so long begins with what it will need. */
int library_load(struct library *lib, struct err *e);

#define LIBRARY_POINTER(call, symbol) __typeof__(&(symbol)) call;
#define LIBRARY_NAME(call, symbol) #symbol,
#define LIBRARY(table, NAME, CALLS)                                                                                 \
    static struct { CALLS(LIBRARY_POINTER) } table;                                                                 \
    static const char *const table##_calls[] = {CALLS(LIBRARY_NAME) NULL};                                          \
    static struct library table##_library = {NAME##_SONAME, NAME##_PACKAGE, table##_calls, (void **)(void *)&table, \
                                             false}

#endif
