/* Paths and folders; what stands in the files is known to those who write them. */
#include "agent/source/docfile.h"

#include "common/base/vec.h"

#include <dirent.h>
#include <unistd.h>

void docfile_path(const char *state, const char *kind, const struct docname *doc, struct str *out)
{
    str_printf(out, "%s/%s/%s%s%s", state, kind, doc->type, doc->component[0] ? "/" : "", doc->component);
}

void docfile_forget(const char *state, const char *kind, const struct docname *doc)
{
    struct str path = {0};

    docfile_path(state, kind, doc, &path);
    unlink(str_c(&path));
    str_fini(&path);
}

static void each_of_type(const char *folder, const char *type, void (*fn)(void *, const struct docname *), void *arg)
{
    VEC(struct docname) found = {0};
    struct str path = {0};
    struct dirent *d;
    DIR *dir;

    str_printf(&path, "%s/%s", folder, type);
    dir = opendir(str_c(&path));
    while (dir && (d = readdir(dir)) != NULL) {
        struct docname name;

        if (docname_make(&name, slice_z(type), slice_z(d->d_name)))
            vec_push(&found, name);
    }
    if (dir)
        closedir(dir);
    for (size_t i = 0; i < found.n; i++)
        fn(arg, &found.at[i]);
    vec_fini(&found);
    str_fini(&path);
}

void docfile_each(const char *state, const char *kind, const char *type, void (*fn)(void *, const struct docname *), void *arg)
{
    struct str folder = {0};
    struct dirent *d;
    DIR *dir;

    str_printf(&folder, "%s/%s", state, kind);
    dir = type ? NULL : opendir(str_c(&folder));
    while (dir && (d = readdir(dir)) != NULL)
        if (d->d_name[0] != '.')
            each_of_type(str_c(&folder), d->d_name, fn, arg);
    if (dir)
        closedir(dir);
    if (type)
        each_of_type(str_c(&folder), type, fn, arg);
    str_fini(&folder);
}
