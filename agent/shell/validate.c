/* One command at a time, each with its own limit. */
#include "agent/shell/validate.h"

#include "common/base/mem.h"
#include "common/io/child.h"

#include <signal.h>
#include <string.h>

struct validate {
    struct loop *loop;
    const struct plan *plan;
    const struct stage *stage;
    const struct roots *roots;
    const struct allow *allow;
    void (*fn)(void *arg, const char *why);
    void *arg;
    struct child *child;
    struct timer soon;           /* for answers that need no child */
    size_t next;
    char *said;
};

static void answer_soon(struct validate *v, const char *why)
{
    mem_free(v->said);
    v->said = mem_strdup(why);
    timer_set(&v->soon, 0);
}

static void on_soon(struct timer *t, void *arg)
{
    struct validate *v = arg;

    (void)t;
    v->fn(v->arg, v->said);
}

int validate_allowed(const struct plan *p, const struct allow *a, struct err *e)
{
    for (size_t i = 0; i < p->checks.n; i++) {
        const struct plan_argv *x = &p->checks.at[i];

        if (!allow_command(a, x->at[0], e))
            return err_wrap(e, "check[%zu]", i);
        for (size_t k = 1; k < x->n; k++) {
            struct slice path;
            size_t from = 0;

            while (plan_staged_hole(x->at[k], from, &path, &from) >= 0) {
                bool found = false;

                for (size_t f = 0; f < p->files.n; f++)
                    found = found || slice_is(path, p->files.at[f].path);
                if (!found)
                    return err_set(e, ERR_MISSING, "check[%zu]: {{staged:%.*s}} names no file of this document", i,
                                   (int)path.len, path.p);
            }
        }
    }
    return 0;
}

static int fill_word(struct validate *v, const char *word, char **out, struct err *e)
{
    struct str s = {0};
    struct slice path;
    size_t from = 0, end;
    int at, rc = 0;

    while (rc == 0 && (at = plan_staged_hole(word, from, &path, &end)) >= 0) {
        str_append(&s, word + from, (size_t)at - from);
        rc = stage_path(v->stage, v->plan, v->roots, path, &s, e);
        from = end;
    }
    str_append_z(&s, word + from);
    if (rc == 0)
        *out = str_take(&s);
    str_fini(&s);
    return rc;
}

static void run_next(struct validate *v);

static void on_end(void *arg, const struct child_end *end)
{
    struct validate *v = arg;
    const char *name = v->plan->checks.at[v->next].at[0];
    struct str why = {0};
    struct slice said = end->output;

    v->child = NULL;
    while (said.len && (said.p[said.len - 1] == '\n' || said.p[said.len - 1] == ' '))
        said.len--;
    if (end->timed_out)
        str_printf(&why, "%s did not end within %lldms", name, (long long)v->plan->check_timeout_ms);
    else if (end->exit_code < 0)
        str_printf(&why, "%s was ended by signal %d", name, end->signal);
    else if (end->exit_code > 0)
        str_printf(&why, "%s ended with %d", name, end->exit_code);
    if (why.len && said.len)
        str_printf(&why, ": %.*s", (int)said.len, said.p);
    if (why.len) {
        v->fn(v->arg, str_c(&why));
    } else {
        v->next++;
        run_next(v);
    }
    str_fini(&why);
}

static void run_next(struct validate *v)
{
    const struct plan_argv *x;
    struct child_exec c = {.timeout_ms = v->plan->check_timeout_ms, .output_max = VALIDATE_OUTPUT_MAX, .dir = "/"};
    const char **argv;
    char **made;
    struct err e = {0};
    int rc = 0;

    if (v->next == v->plan->checks.n) {
        answer_soon(v, NULL);
        return;
    }
    x = &v->plan->checks.at[v->next];
    argv = mem_zalloc((x->n + 1) * sizeof *argv);
    made = mem_zalloc((x->n + 1) * sizeof *made);
    argv[0] = allow_command(v->allow, x->at[0], &e);
    if (!argv[0])
        rc = e.code;
    for (size_t k = 1; rc == 0 && k < x->n; k++) {
        rc = fill_word(v, x->at[k], &made[k], &e);
        argv[k] = made[k];
    }
    c.argv = argv;
    if (rc == 0)
        rc = child_exec(v->loop, &c, on_end, v, &v->child, &e);
    if (rc != 0)
        answer_soon(v, e.text);
    for (size_t k = 0; k < x->n; k++)
        mem_free(made[k]);
    mem_free(made);
    mem_free(argv);
}

struct validate *validate_start(struct loop *l, const struct plan *p, const struct stage *s, const struct roots *r,
                                const struct allow *a, void (*fn)(void *arg, const char *why), void *arg)
{
    struct validate *v = mem_zalloc(sizeof *v);

    v->loop = l;
    v->plan = p;
    v->stage = s;
    v->roots = r;
    v->allow = a;
    v->fn = fn;
    v->arg = arg;
    timer_init(&v->soon, l, on_soon, v);
    run_next(v);
    return v;
}

void validate_free(struct validate *v)
{
    if (!v)
        return;
    timer_clear(&v->soon);
    if (v->child) {
        child_kill(v->child, SIGKILL);
        child_forget(v->child);
    }
    if (v->said)
        loop_park(v->loop, v->said, mem_free);      /* its reader may still hold it */
    loop_park(v->loop, v, mem_free);
}
