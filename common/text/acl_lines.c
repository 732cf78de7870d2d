/* Words in memory. A line is tried when it is read, so that an error names its file and line. */
#include "common/text/acl_lines.h"

#include "common/base/mem.h"
#include "common/base/vec.h"

#include <string.h>

static void drop_last(struct acl_lines *l)
{
    struct acl_words *w = &l->at[--l->n];

    for (int k = 0; k < w->argc; k++)
        mem_free(w->argv[k]);
    mem_free(w->argv);
}

void acl_lines_clear(struct acl_lines *l)
{
    while (l->n > 0)
        drop_last(l);
    mem_free(l->at);
    l->at = NULL;
}

int acl_lines_apply(const struct acl_lines *l, struct acl *a, struct err *e)
{
    int rc = 0;

    acl_begin_lines(a);
    for (size_t i = 0; rc == 0 && i < l->n; i++) {
        VEC(struct slice) words = {0};

        for (int k = 0; k < l->at[i].argc; k++)
            vec_push(&words, slice_z(l->at[i].argv[k]));
        rc = acl_line(a, (int)words.n, words.at, e);
        vec_fini(&words);
    }
    return rc;
}

static int try(const struct acl_lines *l, void (*commands)(struct command_table *t), struct err *e)
{
    struct command_table t;
    struct acl *a;
    int rc;

    command_table_init(&t);
    commands(&t);
    a = acl_new(&t);
    rc = acl_lines_apply(l, a, e);
    acl_free(a);
    command_table_fini(&t);
    return rc;
}

int acl_lines_add(struct acl_lines *l, int argc, const struct slice *argv, void (*commands)(struct command_table *t), struct err *e)
{
    struct acl_words *w;
    int rc;

    if (argc < 1)
        return err_set(e, ERR_FORMAT, "a name and rules are wanted");
    for (int i = 0; i < argc; i++)
        if (memchr(argv[i].p, '\0', argv[i].len))
            return err_set(e, ERR_FORMAT, "a NUL byte in word %d", i + 1);
    l->at = mem_realloc(l->at, (l->n + 1) * sizeof *l->at);
    w = &l->at[l->n++];
    w->argc = argc;
    w->argv = mem_alloc((size_t)argc * sizeof *w->argv);
    for (int i = 0; i < argc; i++)
        w->argv[i] = mem_strndup(argv[i].p, argv[i].len);
    rc = try(l, commands, e);
    if (rc != 0)
        drop_last(l);
    return rc;
}
