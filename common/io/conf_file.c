/* Configuration files: text from disk or standard input, included files, and writing
 * a changed text back in one piece. */
#include "common/io/conf_file.h"

#include "common/io/file.h"

#include <errno.h>
#include <glob.h>
#include <string.h>
#include <unistd.h>

#define INCLUDE_DEPTH 16

/* While a load runs, this stands in for the caller's `arg`. */
struct load {
    struct conf_source *s;
    int depth;
    void (*ignored)(void *arg, const char *name, const char *where);
    void *arg;
};

static int apply_path(struct load *ld, const char *path, struct err *e)
{
    struct str text = {0};
    int rc;

    rc = file_slurp(path, 0, &text, e);
    if (rc == 0)
        rc = conf_apply(ld->s, path, str_c(&text), text.len, e);
    str_fini(&text);
    return rc;
}

static int include(void *arg, const char *pattern, struct err *e)
{
    struct load *ld = arg;
    glob_t g;
    int rc = 0, how;

    if (ld->depth >= INCLUDE_DEPTH)
        return err_set(e, ERR_LIMIT, "include: %s: files include each other more than %d deep", pattern, INCLUDE_DEPTH);
    how = glob(pattern, 0, NULL, &g);
    if (how == GLOB_NOMATCH && !strpbrk(pattern, "*?["))
        return err_set(e, ERR_MISSING, "include: there is no file %s", pattern);
    if (how == GLOB_NOMATCH)
        return 0;
    if (how != 0)
        return err_set(e, ERR_SYS, "include: cannot look for %s", pattern);
    ld->depth++;
    for (size_t i = 0; i < g.gl_pathc && rc == 0; i++)
        rc = apply_path(ld, g.gl_pathv[i], e);
    ld->depth--;
    globfree(&g);
    return rc;
}

static int first_line(void *arg, const char *path, struct str *out, struct err *e)
{
    int rc = file_slurp(path, 65536, out, e);

    (void)arg;
    if (rc != 0)
        return err_wrap(e, "from-file");
    str_cut(out, strcspn(str_c(out), "\r\n"));
    return out->len ? 0 : err_set(e, ERR_FORMAT, "from-file: the first line of %s is empty", path);
}

static void ignored(void *arg, const char *name, const char *where)
{
    struct load *ld = arg;

    if (ld->ignored)
        ld->ignored(ld->arg, name, where);
}

static int apply_stdin(struct conf_source *s, struct err *e)
{
    struct str text = {0};
    int rc = 0;

    for (;;) {
        ssize_t n;
        str_reserve(&text, 4096);
        n = read(STDIN_FILENO, text.p + text.len, 4096);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            rc = err_sys(e, "read standard input");
        if (n <= 0)
            break;
        text.len += (size_t)n;
        text.p[text.len] = '\0';
        if (text.len > (64u << 20)) {
            rc = err_set(e, ERR_LIMIT, "standard input is larger than 64 MiB");
            break;
        }
    }
    if (rc == 0)
        rc = conf_apply(s, "standard input", str_c(&text), text.len, e);
    str_fini(&text);
    return rc;
}

int conf_file_load(const char *path, struct conf_source *s, struct err *e)
{
    struct load ld = {.s = s, .ignored = s->ignored, .arg = s->arg};
    int (*was_include)(void *, const char *, struct err *) = s->include;
    int (*was_first_line)(void *, const char *, struct str *, struct err *) = s->first_line;
    int rc;

    s->include = include;
    s->first_line = first_line;
    s->ignored = ignored;
    s->arg = &ld;
    rc = !strcmp(path, "-") ? apply_stdin(s, e) : apply_path(&ld, path, e);
    s->include = was_include;
    s->first_line = was_first_line;
    s->ignored = ld.ignored;
    s->arg = ld.arg;
    return rc;
}

int conf_file_rewrite(const char *path, struct conf_lines *want,
                      const char *(*key_of)(int argc, const struct slice *argv, char out[512]), struct err *e)
{
    struct str old = {0}, fresh = {0};
    struct err why;
    int rc;

    rc = file_slurp(path, 0, &old, &why);
    if (rc == ERR_SYS && why.sys_errno == ENOENT)
        rc = 0;
    if (rc != 0) {
        if (e)
            *e = why;
        return rc;
    }
    conf_rewrite(str_c(&old), old.len, want, key_of, &fresh);
    rc = file_replace(path, str_c(&fresh), fresh.len, 0644, e);
    str_fini(&old);
    str_fini(&fresh);
    return rc;
}
