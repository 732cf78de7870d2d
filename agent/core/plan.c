/* Memory of plans, and the holes in check commands. */
#include "agent/core/plan.h"

#include "common/base/mem.h"

#include <string.h>

void plan_init(struct plan *p) { memset(p, 0, sizeof *p); }

static void argv_fini(struct plan_argv *a)
{
    for (size_t i = 0; i < a->n; i++)
        mem_free(a->at[i]);
    mem_free(a->at);
}

static void probe_fini(struct plan_probe *p)
{
    mem_free(p->url);
    mem_free(p->send);
    mem_free(p->want);
    mem_free(p->unit);
}

static void node_fini(struct plan_node *n)
{
    for (size_t i = 0; i < n->set.n; i++) {
        mem_free(n->set.at[i].name);
        mem_free(n->set.at[i].value);
    }
    vec_fini(&n->set);
}

static void service_free(struct plan_service *s)
{
    if (!s)
        return;
    mem_free(s->name);
    mem_free(s->host);
    mem_free(s->zone);
    probe_fini(&s->check);
    for (size_t i = 0; i < s->tags.n; i++)
        mem_free(s->tags.at[i]);
    vec_fini(&s->tags);
    mem_free(s);
}

static void scale_free(struct plan_scale *s)
{
    if (!s)
        return;
    mem_free(s->unit);
    mem_free(s->statefulset);
    for (size_t i = 0; i < s->assign.n; i++)
        mem_free(s->assign.at[i].node);
    vec_fini(&s->assign);
    mem_free(s);
}

void plan_fini(struct plan *p)
{
    node_fini(&p->node);
    service_free(p->service);
    scale_free(p->scale);
    for (size_t i = 0; i < p->files.n; i++) {
        mem_free(p->files.at[i].root);
        mem_free(p->files.at[i].path);
        mem_free(p->files.at[i].owner);
        mem_free(p->files.at[i].group);
        str_fini(&p->files.at[i].bytes);
    }
    vec_fini(&p->files);
    for (size_t i = 0; i < p->checks.n; i++)
        argv_fini(&p->checks.at[i]);
    vec_fini(&p->checks);
    mem_free(p->reload.signal);
    mem_free(p->reload.pidfile);
    argv_fini(&p->reload.exec);
    mem_free(p->reload.unit);
    mem_free(p->reload.how);
    probe_fini(&p->probe);
    memset(p, 0, sizeof *p);
}

struct plan *plan_free(struct plan *p)
{
    if (p)
        plan_fini(p);
    mem_free(p);
    return NULL;
}

int plan_staged_hole(const char *word, size_t from, struct slice *path, size_t *end)
{
    static const char open[] = "{{staged:";
    const char *a = strstr(word + from, open);
    const char *b = a ? strstr(a, "}}") : NULL;

    if (!b)
        return -1;
    path->p = a + sizeof open - 1;
    path->len = (size_t)(b - path->p);
    *end = (size_t)(b + 2 - word);
    return (int)(a - word);
}
