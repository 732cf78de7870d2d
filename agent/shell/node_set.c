/* Exchanges with the data node. */
#include "agent/shell/node_set.h"

#include "agent/core/type_node.h"
#include "common/base/mem.h"
#include "common/text/reply_walk.h"

#include <hiredis/hiredis.h>
#include <string.h>

enum job_kind { JOB_ASK_OLD, JOB_SET_NEW, JOB_SET_OLD, JOB_REWRITE, JOB_ASK_AGAIN };

struct node_job {
    struct loop *loop;
    struct local_node *node;
    struct node_values *v;
    node_end_fn *fn;
    void *arg;
    enum job_kind kind;
    bool undone;                     /* JOB_ASK_AGAIN */
    bool one_by_one;                 /* the node takes no more than one parameter in a CONFIG SET */
    size_t at;                       /* the value whose reply is next */
    size_t sent, set;                /* parameters of the CONFIG SET under way; that were set so far */
    enum node_end end;
    struct str why;
    struct timer soon;
};

/* --- values --- */

void node_values_fini(struct node_values *v)
{
    for (size_t i = 0; i < v->at.n; i++) {
        mem_free(v->at.at[i].name);
        mem_free(v->at.at[i].want);
        mem_free(v->at.at[i].old);
        mem_free(v->at.at[i].now);
    }
    vec_fini(&v->at);
}

struct node_value *node_values_add(struct node_values *v, const char *name, const char *want)
{
    struct node_value *n = vec_add(&v->at);

    n->name = mem_strdup(name);
    n->want = mem_strdup(want);
    n->secret = node_setting_is_secret(name);
    return n;
}

void node_values_of(struct node_values *v, const struct plan_node *p)
{
    node_values_fini(v);
    for (size_t i = 0; i < p->set.n; i++)
        node_values_add(v, p->set.at[i].name, p->set.at[i].value);
}

void node_values_pending(const struct node_values *v, struct str *out)
{
    for (size_t i = 0; i < v->at.n; i++) {
        const struct node_value *n = &v->at.at[i];

        if (!n->pending)
            continue;
        str_printf(out, "%s%s", out->len ? "; " : "", n->name);
        if (!n->secret)
            str_printf(out, ": %.100s -> %.100s", n->old ? n->old : "?", n->want);
    }
}

static bool is_set(const struct node_value *n) { return n->differs && !n->pending; }

size_t node_values_changes(const struct node_values *v)
{
    size_t n = 0;

    for (size_t i = 0; i < v->at.n; i++)
        n += is_set(&v->at.at[i]);
    return n;
}

/* --- ends --- */

static void on_soon(struct timer *t, void *arg)
{
    struct node_job *j = arg;

    (void)t;
    j->fn(j->arg, j->end, str_c(&j->why));
}

static void end(struct node_job *j, enum node_end how)
{
    j->end = how;
    timer_set(&j->soon, 0);
}

static void lost(struct node_job *j)
{
    char at[ADDR_TEXT_MAX];

    if (!j->why.len)
        str_printf(&j->why, "the data node %s answers no more", addr_text(local_node_addr(j->node), at));
    end(j, NODE_LOST);
}

/* What the node said, less the secrets that it may have repeated. */
static void quote(struct node_job *j, struct slice said)
{
    struct str s = {0};

    str_append(&s, said.p, said.len > 300 ? 300 : said.len);
    for (size_t i = 0; i < j->v->at.n; i++) {
        const struct node_value *n = &j->v->at.at[i];
        const char *both[] = {n->want, n->old};

        for (size_t k = 0; n->secret && k < 2; k++)
            if (both[k] && both[k][0] && strstr(str_c(&s), both[k]))
                str_set_z(&s, "(what it said holds a secret)");
    }
    str_append_z(&j->why, str_c(&s));
    str_fini(&s);
}

static bool says(struct slice said, const char *words)
{
    return said.len && memmem(said.p, said.len, words, strlen(words)) != NULL;
}

/* --- asking --- */

static bool send3(struct node_job *j, const char *sub, const char *name, link_reply_fn *fn)
{
    struct slice argv[3] = {slice_z("CONFIG"), slice_z(sub), slice_z(name)};

    return local_node_ask(j->node, name[0] ? 3 : 2, argv, fn, j);
}

static bool is_asked(const struct node_job *j, const struct node_value *n)
{
    return j->kind == JOB_ASK_OLD || (j->kind == JOB_ASK_AGAIN ? n->differs && (j->undone ? n->old : n->now) : is_set(n));
}

static size_t next_asked(const struct node_job *j, size_t from)
{
    while (from < j->v->at.n && !is_asked(j, &j->v->at.at[from]))
        from++;
    return from;
}

static void take_value(struct node_job *j, struct node_value *n, struct slice is)
{
    char **where = j->kind == JOB_ASK_OLD ? &n->old : &n->now;
    const char *was = j->undone ? n->old : n->now;

    if (j->kind != JOB_ASK_AGAIN) {
        mem_free(*where);
        *where = mem_strndup(is.p, is.len);
        return;
    }
    if (slice_is(is, was) || j->why.len)
        return;
    str_printf(&j->why, "%s did not stay as it was set", n->name);
    if (!n->secret)
        str_printf(&j->why, ": it was '%.100s' and is '%.*s'", was, (int)(is.len > 100 ? 100 : is.len), is.p);
}

static void on_value(void *arg, const struct redisReply *r)
{
    struct node_job *j = arg;
    struct node_value *n = &j->v->at.at[j->at];
    struct slice is;

    if (!r) {
        if (!timer_is_set(&j->soon))
            lost(j);
        return;
    }
    if (reply_error_is(r, "LOADING")) {
        lost(j);
    } else if (reply_is_error(r)) {
        if (!j->why.len) {
            str_printf(&j->why, "CONFIG GET %s: ", n->name);
            quote(j, reply_text(r));
        }
    } else if (!reply_text_at(r, 1, &is)) {
        if (!j->why.len)
            str_printf(&j->why, "set.%s: the data node knows no such setting", n->name);
    } else {
        take_value(j, n, is);
    }
    j->at = next_asked(j, j->at + 1);
    if (j->at == j->v->at.n && !timer_is_set(&j->soon))
        end(j, !j->why.len ? NODE_DONE : j->set ? NODE_PARTLY : NODE_REFUSED);
}

static void ask_all(struct node_job *j)
{
    j->at = next_asked(j, 0);
    if (j->at == j->v->at.n) {
        end(j, NODE_DONE);
        return;
    }
    for (size_t i = j->at; i < j->v->at.n; i = next_asked(j, i + 1))
        if (!send3(j, "GET", j->v->at.at[i].name, on_value)) {
            lost(j);
            return;
        }
}

/* --- setting --- */

static void set_next(struct node_job *j);

/* Which of those under way the node complains of: it names it in quotes. */
static struct node_value *complained_of(struct node_job *j, struct slice said)
{
    if (j->one_by_one)
        return &j->v->at.at[j->at];
    for (size_t i = 0; i < j->v->at.n; i++) {
        struct node_value *n = &j->v->at.at[i];
        struct str quoted = {0};
        bool hit;

        if (!is_set(n))
            continue;
        str_printf(&quoted, "'%s'", n->name);
        hit = says(said, str_c(&quoted));
        str_fini(&quoted);
        if (hit || j->sent == 1)
            return n;
    }
    return NULL;
}

static void refused(struct node_job *j, struct slice said)
{
    struct node_value *n = complained_of(j, said);

    if (j->kind == JOB_SET_NEW && n && (says(said, "immutable") || says(said, "Unsupported CONFIG parameter"))) {
        n->pending = true;
        set_next(j);
        return;
    }
    if (!j->one_by_one && j->sent > 1 && (says(said, "wrong number of arguments") || says(said, "Wrong number of arguments"))) {
        j->one_by_one = true;
        set_next(j);
        return;
    }
    if (j->why.len)
        str_append_z(&j->why, "; ");
    if (n)
        str_printf(&j->why, "%s: ", n->name);
    quote(j, said);
    if (j->kind == JOB_SET_OLD && !j->one_by_one && j->sent > 1) {      /* bring back at least the others */
        j->one_by_one = true;
        set_next(j);
    } else if (j->kind == JOB_SET_OLD && j->one_by_one) {
        j->at++;
        set_next(j);
    } else {
        end(j, j->set ? NODE_PARTLY : NODE_REFUSED);
    }
}

static void on_set(void *arg, const struct redisReply *r)
{
    struct node_job *j = arg;

    if (!r || reply_error_is(r, "LOADING")) {
        lost(j);
    } else if (reply_is_error(r)) {
        refused(j, reply_text(r));
    } else {
        j->set += j->sent;
        j->at++;
        set_next(j);
    }
}

static bool send_set(struct node_job *j)
{
    VEC(struct slice) argv = {0};
    struct slice word = slice_z("CONFIG");
    bool sent;

    vec_push(&argv, word);
    word = slice_z("SET");
    vec_push(&argv, word);
    j->sent = 0;
    for (size_t i = 0; i < j->v->at.n; i++) {
        const struct node_value *n = &j->v->at.at[i];

        if (!is_set(n) || (j->one_by_one && i != j->at))
            continue;
        word = slice_z(n->name);
        vec_push(&argv, word);
        word = slice_z(j->kind == JOB_SET_OLD ? n->old : n->want);
        vec_push(&argv, word);
        j->sent++;
    }
    sent = local_node_ask(j->node, (int)argv.n, argv.at, on_set, j);
    vec_fini(&argv);
    return sent;
}

static bool is_left(const struct node_job *j)
{
    if (!j->one_by_one)
        return j->set == 0 && node_values_changes(j->v) > 0;
    return j->at < j->v->at.n;
}

static void set_next(struct node_job *j)
{
    while (j->one_by_one && j->at < j->v->at.n && !is_set(&j->v->at.at[j->at]))
        j->at++;
    if (is_left(j)) {
        if (!send_set(j))
            lost(j);
    } else if (j->kind == JOB_SET_NEW) {
        ask_all(j);
    } else {
        end(j, j->why.len ? NODE_REFUSED : NODE_DONE);
    }
}

static void on_rewrite(void *arg, const struct redisReply *r)
{
    struct node_job *j = arg;

    if (!r) {
        lost(j);
    } else if (reply_is_error(r)) {
        str_append_z(&j->why, "CONFIG REWRITE: ");
        quote(j, reply_text(r));
        end(j, NODE_REFUSED);
    } else {
        end(j, NODE_DONE);
    }
}

/* --- jobs --- */

static struct node_job *start(enum job_kind kind, struct loop *l, struct local_node *n, struct node_values *v, node_end_fn *fn,
                              void *arg)
{
    struct node_job *j = mem_zalloc(sizeof *j);

    j->loop = l;
    j->node = n;
    j->v = v;
    j->fn = fn;
    j->arg = arg;
    j->kind = kind;
    timer_init(&j->soon, l, on_soon, j);
    return j;
}

struct node_job *node_ask_old(struct loop *l, struct local_node *n, struct node_values *v, node_end_fn *fn, void *arg)
{
    struct node_job *j = start(JOB_ASK_OLD, l, n, v, fn, arg);

    ask_all(j);
    return j;
}

struct node_job *node_set_new(struct loop *l, struct local_node *n, struct node_values *v, node_end_fn *fn, void *arg)
{
    struct node_job *j = start(JOB_SET_NEW, l, n, v, fn, arg);

    set_next(j);
    return j;
}

struct node_job *node_set_old(struct loop *l, struct local_node *n, struct node_values *v, node_end_fn *fn, void *arg)
{
    struct node_job *j = start(JOB_SET_OLD, l, n, v, fn, arg);

    set_next(j);
    return j;
}

struct node_job *node_rewrite(struct loop *l, struct local_node *n, struct node_values *v, node_end_fn *fn, void *arg)
{
    struct node_job *j = start(JOB_REWRITE, l, n, v, fn, arg);

    if (!send3(j, "REWRITE", "", on_rewrite))
        lost(j);
    return j;
}

struct node_job *node_ask_again(struct loop *l, struct local_node *n, struct node_values *v, bool undone, node_end_fn *fn,
                                void *arg)
{
    struct node_job *j = start(JOB_ASK_AGAIN, l, n, v, fn, arg);

    j->undone = undone;
    ask_all(j);
    return j;
}

static void job_fini(void *arg)
{
    struct node_job *j = arg;

    str_fini(&j->why);
    mem_free(j);
}

void node_job_free(struct node_job *j)
{
    if (!j)
        return;
    local_node_forget(j->node, j);
    timer_clear(&j->soon);
    loop_park(j->loop, j, job_fini);       /* its reader may still hold what it said */
}
