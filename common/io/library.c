/* dlopen and dlsym. Everything is bound at once, so that what is missing is missed here and not in the middle
 * of a request. Nothing is ever closed: such libraries keep threads, handlers and memory of their own. */
#include "common/io/library.h"

#include <dlfcn.h>
#include <stddef.h>

static int fail(const struct library *lib, struct err *e)
{
    const char *why = dlerror();

    return err_set(e, ERR_MISSING, "cannot load %s (%s); in Debian it is in the package %s", lib->soname,
                   why ? why : "no reason given", lib->package);
}

int library_load(struct library *lib, struct err *e)
{
    void *handle;

    if (lib->loaded)
        return 0;
    handle = dlopen(lib->soname, RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        return fail(lib, e);
    for (size_t i = 0; lib->calls[i]; i++) {
        lib->at[i] = dlsym(handle, lib->calls[i]);
        if (!lib->at[i])
            return fail(lib, e);
    }
    lib->loaded = true;
    return 0;
}
