/* Folders and files for tests. */
#include "tests/unit/agent/agent_support.h"

#include "common/base/mem.h"
#include "common/io/file.h"
#include "tests/support/folder.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

void scene_init(struct scene *s)
{
    struct err e = {0};

    memset(s, 0, sizeof *s);
    folder_make(s->folder);
    snprintf(s->root, sizeof s->root, "%s/root", s->folder);
    snprintf(s->state, sizeof s->state, "%s/state", s->folder);
    ck_assert_int_eq(mkdir(s->root, 0755), 0);
    for (const char **k = (const char *[]){"cache", "journal", "applied", "ackq", "override", NULL}; *k; k++) {
        char path[128];

        snprintf(path, sizeof path, "%s/%s/files", s->state, *k);
        ck_assert_int_eq(file_make_dirs(path, 0700, &e), 0);
    }
    ck_assert_int_eq(roots_add(&s->roots, "r", s->root, &e), 0);
}

void scene_fini(struct scene *s)
{
    roots_fini(&s->roots);
    folder_remove(s->folder);
}

static void full(const struct scene *s, const char *path, char out[512]) { snprintf(out, 512, "%s/%s", s->folder, path); }

void scene_write(const struct scene *s, const char *path, const char *text)
{
    char at[512];
    FILE *f;

    full(s, path, at);
    f = fopen(at, "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

const char *scene_read(const struct scene *s, const char *path)
{
    static struct str text;
    char at[512];

    str_clear(&text);
    full(s, path, at);
    file_slurp(at, 0, &text, NULL);
    return str_c(&text);
}

bool scene_has(const struct scene *s, const char *path)
{
    char at[512];
    struct stat st;

    full(s, path, at);
    return lstat(at, &st) == 0;
}

const char *scene_list(const struct scene *s, const char *path)
{
    static char text[4096];
    struct dirent **names = NULL;
    char at[512];
    int n;

    full(s, path, at);
    text[0] = 0;
    n = scandir(at, &names, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        if (strcmp(names[i]->d_name, ".") != 0 && strcmp(names[i]->d_name, "..") != 0)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", text[0] ? " " : "", names[i]->d_name);
        free(names[i]);
    }
    free(names);
    return text;
}

struct plan *scene_plan(const char *path, ...)
{
    struct plan *p = mem_zalloc(sizeof *p);
    va_list ap;

    va_start(ap, path);
    for (; path; path = va_arg(ap, const char *)) {
        struct plan_file *f = vec_add(&p->files);

        f->root = mem_strdup("r");
        f->path = mem_strdup(path);
        f->mode = 0640;
        str_set_z(&f->bytes, va_arg(ap, const char *));
    }
    va_end(ap);
    return p;
}
