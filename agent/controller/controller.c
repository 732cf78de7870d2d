/* The role: asking for it, keeping it, losing it; and writes that are carried out only while it
 * is ours.
 *
 * Who has no role asks when the lease that it saw would run out, and a moment at random later.
 * Who has it renews it by a write like any other. Belief counts from the moment a renewal was
 * sent, so that ours ends before the directory's. */
#include "agent/controller/controller.h"

#include "agent/shell/events.h"
#include "common/base/list.h"
#include "common/base/mem.h"
#include "common/base/num.h"
#include "common/base/rng.h"
#include "common/base/timeval.h"
#include "common/io/log.h"
#include "common/text/reply_walk.h"

#include <hiredis/hiredis.h>
#include <string.h>

#define AGAIN_MS 250            /* a renewal that is overdue is tried again so soon */
#define FREE_MS 250             /* a key that nobody holds is left to its last holder for so long */
#define REFUSED_MS 60000        /* the directory's user may not write the key: ask again that seldom */
#define JOBS_MAX 4096

struct words {
    int argc;
    struct slice *argv;         /* one allocation: slices, then bytes */
};

struct job {
    struct list_link link;
    VEC(struct words) reads;    /* WATCHed and compared first */
    VEC(struct words) wanted;   /* of each read, the one value, or argc 0: missing */
    VEC(struct words) writes;
    size_t answered;            /* replies to the reads */
    bool differs;
    char refused[200];          /* the first error */
    void (*fn)(void *arg, const char *why);
    void *arg;
};

struct duty {
    struct controller *c;
    struct controller_duty is;
    struct timer due;
};

struct controller {
    struct controller_opts o;
    struct rng rng;
    struct directory_follower follower;
    struct timer look, ask;     /* look: the lease is half over, or ends; or the directory moved */
    char *key_holder;           /* as read last */
    bool free;                  /* nobody had it at the last look */
    bool taking_back, was_ours;
    bool had_it, other_seen;    /* since it was ours last */
    int64_t lost_at_ms;
    bool unbroken;
    int64_t looked_at_ms;
    bool asking, held, begun, leaving, complained;
    int64_t asked_at_ms, sure_until_ms;
    struct resp_link *link;     /* while it is held */
    struct list_link jobs;      /* the first one is under way when `busy` */
    size_t njobs;
    bool busy;
    struct duty duties[CONTROLLER_DUTIES];
    size_t nduties;
    void (*left)(void *arg);
    void *left_arg;
};

static int64_t now_ms(const struct controller *c) { return loop_now_ms(c->o.loop); }
bool controller_is_ours(const struct controller *c) { return c->begun; }
bool controller_is_unbroken(const struct controller *c) { return c->unbroken; }
const char *controller_holder(const struct controller *c) { return c->key_holder; }

static void set_holder(struct controller *c, struct slice who)
{
    c->other_seen = c->other_seen || (who.len && !slice_is(who, c->o.node));
    if (slice_is(who, c->key_holder))
        return;
    mem_free(c->key_holder);
    c->key_holder = mem_strndup(who.p, who.len);
}

/* --- words --- */

static struct words words_copy(int argc, const struct slice *argv)
{
    struct words w = {.argc = argc};
    size_t bytes = 0, at = (size_t)argc * sizeof *argv;
    char *p;

    for (int i = 0; i < argc; i++)
        bytes += argv[i].len;
    p = mem_alloc(at + bytes + 1);
    w.argv = (struct slice *)(void *)p;
    for (int i = 0; i < argc; i++) {
        if (argv[i].len)
            memcpy(p + at, argv[i].p, argv[i].len);
        w.argv[i] = (struct slice){p + at, argv[i].len};
        at += argv[i].len;
    }
    return w;
}

static void job_free(struct job *j)
{
    for (size_t i = 0; i < j->reads.n; i++)
        mem_free(j->reads.at[i].argv);
    for (size_t i = 0; i < j->wanted.n; i++)
        mem_free(j->wanted.at[i].argv);
    for (size_t i = 0; i < j->writes.n; i++)
        mem_free(j->writes.at[i].argv);
    vec_fini(&j->reads);
    vec_fini(&j->wanted);
    vec_fini(&j->writes);
    mem_free(j);
}

/* --- the queue of writes --- */

static void run_next(struct controller *c);

static void job_ended(struct controller *c, const char *why)
{
    struct job *j = list_first(&c->jobs, struct job, link);

    list_remove(&j->link);
    c->njobs--;
    c->busy = false;
    if (j->fn)
        j->fn(j->arg, why);
    job_free(j);
    run_next(c);
}

static void fail_jobs(struct controller *c)
{
    struct list_link failed;

    /* What their owners ask for now is for later. */
    list_init(&failed);
    while (!list_empty(&c->jobs)) {
        struct list_link *first = c->jobs.next;

        list_remove(first);
        list_append(&failed, first);
    }
    c->njobs = 0;
    c->busy = false;
    while (!list_empty(&failed)) {
        struct job *j = list_first(&failed, struct job, link);

        list_remove(&j->link);
        if (j->fn)
            j->fn(j->arg, "");
        job_free(j);
    }
}

static struct job *current(struct controller *c, const struct redisReply *r)
{
    return r && c->busy ? list_first(&c->jobs, struct job, link) : NULL;
}

static void note_refusal(struct job *j, const struct redisReply *r)
{
    struct slice said = reply_text(r);

    if (reply_is_error(r) && !j->refused[0])
        slice_copy_z((struct slice){said.p, said.len > 190 ? 190 : said.len}, j->refused, sizeof j->refused);
}

static void on_queued(void *arg, const struct redisReply *r)
{
    struct controller *c = arg;
    struct job *j = current(c, r);

    if (j)
        note_refusal(j, r);
}

static void on_exec(void *arg, const struct redisReply *r)
{
    struct controller *c = arg;
    struct job *j = current(c, r);
    char why[sizeof j->refused];

    if (!j)
        return;
    note_refusal(j, r);
    for (size_t i = 0; i < reply_len(r); i++)
        note_refusal(j, reply_at(r, i));
    memcpy(why, j->refused, sizeof why);
    job_ended(c, why[0] || reply_is_nil(r) ? why : NULL);
}

static void write_job(struct controller *c, struct job *j)
{
    resp_link_sendz(c->link, on_queued, c, "MULTI", NULL);
    for (size_t i = 0; i < j->writes.n; i++)
        resp_link_send(c->link, on_queued, c, j->writes.at[i].argc, j->writes.at[i].argv);
    resp_link_sendz(c->link, on_exec, c, "EXEC", NULL);
}

static void lose(struct controller *c, const char *why);
static bool take_back(struct controller *c);

static void on_value(void *arg, const struct redisReply *r)
{
    struct controller *c = arg;
    struct job *j = current(c, r);
    const struct words *want;
    struct slice said = reply_text(r);
    char why[sizeof j->refused];
    bool same, role;

    if (!j)
        return;
    want = &j->wanted.at[j->answered];
    role = j->answered++ == 0;
    note_refusal(j, r);
    same = !reply_is_error(r) &&
           (want->argc ? r->type == REDIS_REPLY_STRING && slice_eq(said, want->argv[0]) : reply_is_nil(r));
    if (role && !same && !reply_is_error(r)) {
        set_holder(c, said);
        if (!reply_is_nil(r) || !take_back(c)) {
            lose(c, "another agent has it");
            return;
        }
    }
    j->differs = j->differs || !same;
    if (j->answered < j->reads.n)
        return;
    if (!j->differs) {
        write_job(c, j);
        return;
    }
    resp_link_sendz(c->link, NULL, NULL, "UNWATCH", NULL);
    memcpy(why, j->refused, sizeof why);
    job_ended(c, why);
}

static void on_watched(void *arg, const struct redisReply *r)
{
    struct controller *c = arg;
    struct job *j = current(c, r);

    if (j && reply_is_error(r)) {
        note_refusal(j, r);
        j->differs = true;
    }
}

static void run_next(struct controller *c)
{
    struct job *j = list_first(&c->jobs, struct job, link);
    VEC(struct slice) watch = {0};
    struct slice word = slice_z("WATCH");

    if (c->busy || !j || !c->link || !resp_link_is_up(c->link))
        return;
    c->busy = true;
    vec_push(&watch, word);
    for (size_t i = 0; i < j->reads.n; i++)
        vec_push(&watch, j->reads.at[i].argv[1]);
    resp_link_send(c->link, on_watched, c, (int)watch.n, watch.at);
    for (size_t i = 0; i < j->reads.n; i++)
        resp_link_send(c->link, on_value, c, j->reads.at[i].argc, j->reads.at[i].argv);
    vec_fini(&watch);
}

static void add_expectation(struct job *j, const struct controller_expect *x)
{
    struct slice get[2] = {slice_z("GET"), x->key}, hget[3] = {slice_z("HGET"), x->key, x->field};
    struct words read = x->field.p ? words_copy(3, hget) : words_copy(2, get);
    struct words want = words_copy(x->value.p ? 1 : 0, &x->value);

    vec_push(&j->reads, read);
    vec_push(&j->wanted, want);
}

static bool enqueue(struct controller *c, const struct controller_expect *expect, size_t nexpect,
                    const struct controller_command *at, size_t n, void (*fn)(void *arg, const char *why), void *arg)
{
    struct controller_expect role = {slice_z(CONTROLLER_KEY), {NULL, 0}, slice_z(c->o.node)};
    struct job *j;

    if (c->njobs >= JOBS_MAX)
        return false;
    j = mem_zalloc(sizeof *j);
    list_init(&j->link);
    j->fn = fn;
    j->arg = arg;
    add_expectation(j, &role);
    for (size_t i = 0; i < nexpect; i++)
        add_expectation(j, &expect[i]);
    for (size_t i = 0; i < n; i++) {
        struct words w = words_copy(at[i].argc, at[i].argv);

        vec_push(&j->writes, w);
    }
    list_append(&c->jobs, &j->link);
    c->njobs++;
    run_next(c);
    return true;
}

bool controller_write_if(struct controller *c, const struct controller_expect *expect, size_t nexpect,
                         const struct controller_command *at, size_t n, void (*fn)(void *arg, const char *why), void *arg)
{
    return c->begun && enqueue(c, expect, nexpect, at, n, fn, arg);
}

bool controller_write_over(struct controller *c, const struct controller_guard *g, const struct controller_command *at,
                           size_t n, void (*fn)(void *arg, const char *why), void *arg)
{
    struct controller_expect x = {g->key, {NULL, 0}, g->value};

    return controller_write_if(c, &x, 1, at, n, fn, arg);
}

/* --- the role --- */

static void on_duty(struct timer *t, void *arg)
{
    struct duty *d = arg;

    (void)t;
    timer_set(&d->due, d->is.every_ms);
    d->is.turn(d->is.arg);
}

static void begin(struct controller *c)
{
    c->begun = true;
    c->unbroken = c->had_it && !c->other_seen && now_ms(c) - c->lost_at_ms < CONTROLLER_GAP_MS;
    agent_event("+controller", "node=%s", c->o.node);
    for (size_t i = 0; i < c->nduties && c->begun; i++) {
        struct duty *d = &c->duties[i];

        if (d->is.begin)
            d->is.begin(d->is.arg);
        timer_set(&d->due, 0);
    }
}

static void lose(struct controller *c, const char *why)
{
    bool begun = c->begun;

    c->held = c->begun = false;
    timer_clear(&c->look);
    if (begun) {
        c->had_it = true;
        c->other_seen = c->key_holder[0] && strcmp(c->key_holder, c->o.node) != 0;
        c->lost_at_ms = now_ms(c);
    }
    fail_jobs(c);
    if (c->link)
        resp_link_free(c->link);
    c->link = NULL;
    if (begun)
        agent_event("-controller", "node=%s why=\"%s\"", c->o.node, why);
    for (size_t i = 0; begun && i < c->nduties; i++) {
        timer_clear(&c->duties[i].due);
        if (c->duties[i].is.end)
            c->duties[i].is.end(c->duties[i].is.arg);
    }
    timer_set(&c->ask, rng_between(&c->rng, 20, 200));
}

static void renew(struct controller *c);

/* Renewals come each third of it: none when less than half is left means trouble. */
static int64_t half_over_at_ms(const struct controller *c) { return c->sure_until_ms - c->o.ttl_ms / 2; }

static void on_link_up(struct resp_link *k, void *owner)
{
    struct controller *c = owner;

    (void)k;
    if (!c->held)
        return;
    if (!c->begun && !c->leaving)
        begin(c);
    if (now_ms(c) > half_over_at_ms(c))
        renew(c);
    run_next(c);
}

static void on_link_end(struct resp_link *k, enum link_end how, const char *why, void *owner)
{
    struct controller *c = owner;

    (void)k;
    (void)why;
    if (how != LINK_BY_US)
        fail_jobs(c);
}

static bool open_link(struct controller *c)
{
    struct resp_link_opts o;

    if (!directory_link_opts(c->o.directory, &o))
        return false;
    if (c->link && !addr_equal(resp_link_addr(c->link), &o.to)) {
        resp_link_free(c->link);
        c->link = NULL;
        fail_jobs(c);
    }
    if (!c->link) {
        o.on_up = on_link_up;
        o.on_end = on_link_end;
        o.owner = c;
        c->link = resp_link_new(c->o.loop, &o);
    }
    return true;
}

static void look_later(struct controller *c)
{
    int64_t again_at_ms = ms_min(now_ms(c) + AGAIN_MS, c->sure_until_ms);

    timer_set_at(&c->look, now_ms(c) <= half_over_at_ms(c) ? half_over_at_ms(c) + 1 : again_at_ms);
}

static void be_sure(struct controller *c)
{
    c->sure_until_ms = c->asked_at_ms + c->o.ttl_ms;
    look_later(c);
}

static void take(struct controller *c)
{
    set_holder(c, slice_z(c->o.node));
    c->held = true;
    c->complained = false;
    be_sure(c);
    timer_set(&c->ask, c->o.ttl_ms / 3);
    open_link(c);
}

static void on_renewed(void *arg, const char *why)
{
    struct controller *c = arg;

    c->asking = false;
    if (!why && c->held)
        be_sure(c);
    else if (c->held && why[0] && !c->complained) {
        c->complained = true;
        log_warning("controller: its lease cannot be renewed: %s", why);
    }
}

static void renew(struct controller *c)
{
    char ttl[NUM_I64_MAX];
    struct slice argv[3] = {slice_z("PEXPIRE"), slice_z(CONTROLLER_KEY), {ttl, num_put_i64(ttl, c->o.ttl_ms)}};
    struct controller_command one = {3, argv};

    if (!c->link || !resp_link_is_up(c->link) || c->asking)
        return;
    c->asked_at_ms = now_ms(c);
    c->asking = enqueue(c, NULL, 0, &one, 1, on_renewed, c);
}

/* The directory's user may not: this agent will not be it. Users change, so it asks again now and then. */
static void refused(struct controller *c, const struct redisReply *r)
{
    struct slice said = reply_text(r);

    if (!c->complained)
        log_notice("controller: this agent will not be it: %.*s", (int)(said.len > 190 ? 190 : said.len), said.p);
    c->complained = true;
    timer_set(&c->ask, REFUSED_MS);
}

static void ask(struct controller *c);

/* Somebody else has it: come back when their lease would run out. Nobody has it, at two looks a moment apart: it is asked
 * for. A moment, because a holder whose key was flushed with everything else knows what must be put back, and takes it
 * again at once. */
static void on_time_left(void *arg, const struct redisReply *r)
{
    struct controller *c = arg;
    int64_t left = 0;
    bool was_free = c->free;

    if (!r || c->held)
        return;
    if (reply_is_error(r)) {
        refused(c, r);
        return;
    }
    c->free = reply_i64(r, &left) && left == -2;
    if (c->free && was_free) {
        c->free = false;
        ask(c);
        return;
    }
    if (c->was_ours && left > 0) {       /* we had it before we were started again, and it has not run out */
        c->asked_at_ms = c->looked_at_ms - ms_max(c->o.ttl_ms - left, 0);
        take(c);
        return;
    }
    left = left > 0 && left < c->o.ttl_ms ? left + rng_between(&c->rng, 5, 5 + c->o.ttl_ms / 20) : c->o.ttl_ms;
    timer_set(&c->ask, c->free ? rng_between(&c->rng, FREE_MS, 2 * FREE_MS) : left);
}

static void on_holder(void *arg, const struct redisReply *r)
{
    struct controller *c = arg;

    if (!r || reply_is_error(r))
        return;
    set_holder(c, reply_text(r));
    if (c->held && !slice_is(reply_text(r), c->o.node))
        lose(c, "another agent has it");
    c->was_ours = !c->held && !c->leaving && slice_is(reply_text(r), c->o.node);
}

static void look_who(struct controller *c)
{
    struct slice get[2] = {slice_z("GET"), slice_z(CONTROLLER_KEY)}, left[2] = {slice_z("PTTL"), slice_z(CONTROLLER_KEY)};

    c->was_ours = false;
    c->looked_at_ms = now_ms(c);
    directory_peek(c->o.directory, 2, get, on_holder, c);
    directory_peek(c->o.directory, 2, left, on_time_left, c);
}

static void on_asked(void *arg, const struct redisReply *r)
{
    struct controller *c = arg;

    c->asking = c->taking_back = false;
    if (!r || c->leaving)
        return;
    if (reply_is_status(r, "OK")) {
        take(c);
    } else if (c->held) {
        look_who(c);
    } else if (reply_is_error(r)) {
        refused(c, r);
    } else {
        look_who(c);
    }
}

static void ask(struct controller *c)
{
    char ttl[NUM_I64_MAX];
    struct slice argv[6] = {slice_z("SET"), slice_z(CONTROLLER_KEY), slice_z(c->o.node),
                            slice_z("NX"),  slice_z("PX"),           {ttl, num_put_i64(ttl, c->o.ttl_ms)}};

    if (c->asking)
        return;
    c->asked_at_ms = now_ms(c);
    c->asking = directory_command(c->o.directory, 6, argv, on_asked, c);
}

/* The key is gone before its time (FLUSHALL, a directory that lost it) and nobody else has the role yet. */
static bool take_back(struct controller *c)
{
    if (!c->taking_back) {
        c->asking = false;
        ask(c);
        c->taking_back = c->asking;
    }
    return c->taking_back;
}

static void on_ask(struct timer *t, void *arg)
{
    struct controller *c = arg;

    (void)t;
    if (c->leaving)
        return;
    timer_set(&c->ask, c->held ? c->o.ttl_ms / 3 : c->o.ttl_ms / 2);
    if (c->held)
        renew(c);
    else
        look_who(c);
}

static void on_look(struct timer *t, void *arg)
{
    struct controller *c = arg;

    (void)t;
    if (!c->held)
        return;
    if (now_ms(c) >= c->sure_until_ms) {
        c->asking = false;
        lose(c, "the lease could not be renewed in time");
        return;
    }
    open_link(c);
    if (now_ms(c) > half_over_at_ms(c))
        renew(c);
    look_later(c);
}

static void on_moved(void *arg)
{
    struct controller *c = arg;

    if (c->held)
        timer_set(&c->look, 0);
}

/* --- coming and going --- */

static void on_left(void *arg, const char *why)
{
    struct controller *c = arg;
    void (*fn)(void *arg) = c->left;

    (void)why;
    c->left = NULL;
    if (fn)
        fn(c->left_arg);
}

bool controller_leave(struct controller *c, void (*fn)(void *arg), void *arg)
{
    struct slice argv[2] = {slice_z("DEL"), slice_z(CONTROLLER_KEY)};
    struct controller_command one = {2, argv};
    bool begun = c->begun;

    c->leaving = true;
    timer_clear(&c->ask);
    if (!begun)
        return false;
    /* The duties stop writing first; the queue is emptied before the key goes. */
    c->begun = false;
    for (size_t i = 0; i < c->nduties; i++) {
        timer_clear(&c->duties[i].due);
        if (c->duties[i].is.end)
            c->duties[i].is.end(c->duties[i].is.arg);
    }
    c->left = fn;
    c->left_arg = arg;
    if (enqueue(c, NULL, 0, &one, 1, on_left, c))
        return true;
    c->left = NULL;
    return false;
}

void controller_add(struct controller *c, const struct controller_duty *d)
{
    struct duty *mine = &c->duties[c->nduties];

    CHECK(c->nduties < CONTROLLER_DUTIES && d->every_ms > 0);
    c->nduties++;
    mine->c = c;
    mine->is = *d;
    timer_init(&mine->due, c->o.loop, on_duty, mine);
}

struct controller *controller_new(const struct controller_opts *o)
{
    struct controller *c = mem_zalloc(sizeof *c);

    c->o = *o;
    if (!c->o.ttl_ms)
        c->o.ttl_ms = 4000;
    c->key_holder = mem_strdup("");
    list_init(&c->jobs);
    rng_seed(&c->rng, o->seed);
    timer_init(&c->look, o->loop, on_look, c);
    timer_init(&c->ask, o->loop, on_ask, c);
    timer_set(&c->ask, rng_between(&c->rng, 100, 400));
    directory_follow(o->directory, &c->follower, on_moved, c);
    return c;
}

void controller_free(struct controller *c)
{
    if (!c)
        return;
    c->left = NULL;
    c->leaving = true;
    if (c->begun)
        lose(c, "the agent stops");
    fail_jobs(c);
    directory_unfollow(&c->follower);
    timer_clear(&c->look);
    timer_clear(&c->ask);
    for (size_t i = 0; i < c->nduties; i++)
        timer_clear(&c->duties[i].due);
    if (c->link)
        resp_link_free(c->link);
    mem_free(c->key_holder);
    loop_park(c->o.loop, c, mem_free);
}
