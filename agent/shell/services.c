/* Steps carried out: checks, lines, leases. */
#include "agent/shell/services.h"

#include "agent/core/service_entry.h"
#include "agent/shell/allow.h"
#include "agent/shell/events.h"
#include "common/base/list.h"
#include "common/base/mem.h"
#include "common/base/num.h"
#include "common/io/log.h"
#include "common/text/reply_walk.h"

#include <hiredis/hiredis.h>
#include <string.h>

#define CHECK_FOR_MS 2000

struct registration {
    struct list_link link;
    struct services *all;
    struct docname doc;
    struct plan plan;            /* service: what is wanted; probe: its check, asked once */
    char *key, *lease, *id;
    struct service machine;
    struct probe *probe;
    struct timer due;
    enum service_word told;      /* what the last event said */
    uint64_t beats;
    size_t pending;              /* replies to come */
    bool over;                   /* freed with the last of them */
    bool complained;
    char why[ERR_TEXT_MAX];      /* the last bad check, "" = it was good */
};

struct services {
    struct services_opts o;
    struct rng rng;
    struct list_link at;
    bool leaving;
    void (*left)(void *arg);
    void *left_arg;
    struct services_counts counts;
};

static int64_t now_ms(const struct registration *r) { return loop_now_ms(r->all->o.means->loop); }
static bool is_live(const struct services *s) { return s->o.directory && directory_state(s->o.directory) == DIR_LIVE; }
static void feed(struct registration *r, enum service_event_kind kind);

/* --- what stands in the directory --- */

static void entry_text(struct registration *r, struct str *out)
{
    const struct plan_service *p = r->plan.service;
    struct service_entry s = {.zone = slice_z(p->zone ? p->zone : ""), .weight = p->weight, .ttl_ms = p->ttl_ms,
                              .drain = service_says(&r->machine) == SAYS_DRAIN};
    char ip[ADDR_HOST_MAX] = "";
    const char *host = p->host ? p->host : r->all->o.announce_host;
    struct str tags = {0};

    if (!host && r->all->o.directory && directory_local_ip(r->all->o.directory, ip))
        host = ip;
    addr_set(&s.at, host ? host : "127.0.0.1", strlen(host ? host : "127.0.0.1"), p->port);
    for (size_t i = 0; i < p->tags.n; i++)
        str_printf(&tags, "%s%s", i ? "," : "", p->tags.at[i]);
    s.tags = (struct slice){tags.p, tags.len};
    service_entry_put(&s, out);
    str_fini(&tags);
}

static bool complain(struct registration *r, const struct redisReply *reply)
{
    struct slice said = reply_text(reply);

    if (!reply_is_error(reply))
        return false;
    r->all->counts.refused++;
    if (!r->complained)
        log_warning("service %s: the directory refuses its line or its lease: %.*s", r->plan.service->name,
                    (int)(said.len > 190 ? 190 : said.len), said.p);
    r->complained = true;
    return true;
}

static void registration_free(struct registration *r)
{
    list_remove(&r->link);
    timer_clear(&r->due);
    probe_free(r->probe);
    plan_fini(&r->plan);
    mem_free(r->key);
    mem_free(r->lease);
    mem_free(r->id);
    loop_park(r->all->o.means->loop, r, mem_free);
}

static void let_go(struct registration *r)
{
    struct services *s = r->all;
    void (*fn)(void *arg) = s->left;

    if (!r->over || r->pending)
        return;
    registration_free(r);
    if (!s->leaving || !list_empty(&s->at) || !fn)
        return;
    s->left = NULL;
    fn(s->left_arg);
}

/* The reply is in; false when it says nothing or the directory refused. */
static bool arrived(struct registration *r, const struct redisReply *reply)
{
    r->pending--;
    if (reply && !complain(r, reply)) {
        r->complained = false;
        return true;
    }
    return false;
}

static void on_said(void *arg, const struct redisReply *reply)
{
    struct registration *r = arg;

    if (arrived(r, reply)) {
        r->all->counts.said++;
        feed(r, VE_DONE);
    }
    let_go(r);
}

static void on_beat(void *arg, const struct redisReply *reply)
{
    struct registration *r = arg;

    arrived(r, reply);
    let_go(r);
}

static void say(struct registration *r)
{
    struct str text = {0};
    struct slice argv[4] = {slice_z("HSET"), slice_z(r->key), slice_z(r->id)};

    entry_text(r, &text);
    argv[3] = (struct slice){text.p, text.len};
    r->pending += directory_command(r->all->o.directory, 4, argv, on_said, r);
    str_fini(&text);
}

/* What stands there, compared with what should. */
static void on_compared(void *arg, const struct redisReply *reply)
{
    struct registration *r = arg;
    struct str text = {0};

    if (arrived(r, reply) && service_says(&r->machine) != SAYS_NOTHING) {
        entry_text(r, &text);
        if (!slice_eq(reply_text(reply), (struct slice){text.p, text.len})) {
            r->all->counts.said_again++;
            say(r);
        }
        str_fini(&text);
    }
    let_go(r);
}

static void renew(struct registration *r)
{
    char ttl[NUM_I64_MAX], beats[NUM_I64_MAX];
    struct slice set[5] = {slice_z("SET"), slice_z(r->lease), {beats, num_put_i64(beats, (int64_t)++r->beats)}, slice_z("PX"),
                           {ttl, num_put_i64(ttl, r->plan.service->ttl_ms)}};
    struct slice hget[3] = {slice_z("HGET"), slice_z(r->key), slice_z(r->id)};

    r->pending += directory_command(r->all->o.directory, 5, set, on_beat, r);
    r->pending += directory_peek(r->all->o.directory, 3, hget, on_compared, r);
}

static void withdraw(struct registration *r)
{
    struct slice del[2] = {slice_z("DEL"), slice_z(r->lease)};
    struct slice hdel[3] = {slice_z("HDEL"), slice_z(r->key), slice_z(r->id)};

    r->pending += directory_command(r->all->o.directory, 2, del, on_beat, r);
    r->pending += directory_command(r->all->o.directory, 3, hdel, on_said, r);
}

/* --- checks --- */

static void on_checked(void *arg, const char *why)
{
    struct registration *r = arg;

    probe_free(r->probe);
    r->probe = NULL;
    slice_copy_z(slice_z(why ? why : ""), r->why, sizeof r->why);
    r->all->counts.checks_good += why == NULL;
    r->all->counts.checks_bad += why != NULL;
    feed(r, why ? VE_BAD : VE_GOOD);
}

static void drop_check(struct registration *r)
{
    probe_free(r->probe);
    r->probe = NULL;
}

/* --- events in, steps out --- */

static void tell(struct registration *r, const char *because)
{
    enum service_word word = service_says(&r->machine);
    struct str text = {0};

    if (word == r->told)
        return;
    r->told = word;
    entry_text(r, &text);
    agent_event(word == SAYS_UP ? "+service" : "-service", "%s instance=%s state=%s line=\"%s\" why=\"%s%s%s\"",
                r->plan.service->name, r->id, service_state_name(r->machine.state), str_c(&text),
                because ? because : "", r->why[0] && word != SAYS_UP ? ": " : "", word != SAYS_UP ? r->why : "");
    str_fini(&text);
}

static void feed(struct registration *r, enum service_event_kind kind)
{
    struct service_steps steps;

    if (kind == VE_STOP || kind == VE_MOVED)
        drop_check(r);
    service_step(&r->machine, kind, now_ms(r), &steps);
    for (size_t i = 0; i < steps.n; i++)
        switch (steps.at[i]) {
        case STEP_CHECK_RUN:
            r->probe = probe_start(r->all->o.means, &r->plan, on_checked, r);
            break;
        case STEP_SAY:
            say(r);
            break;
        case STEP_WITHDRAW:
            withdraw(r);
            break;
        case STEP_RENEW:
            renew(r);
            break;
        }
    tell(r, steps.because);
    timer_set_at(&r->due, service_deadline_ms(&r->machine));
    r->over = service_is_over(&r->machine);
    if (r->over)
        timer_set(&r->due, 0);       /* let go of it outside of what may still be using it */
}

static void on_due(struct timer *t, void *arg)
{
    struct registration *r = arg;

    (void)t;
    if (r->over)
        let_go(r);
    else
        feed(r, VE_DUE);
}

void services_directory(struct services *s, bool live)
{
    list_each_safe(struct registration, r, &s->at, link)
        feed(r, live ? VE_BACK : VE_LOST);
}

/* --- what is wanted --- */

static char *dup_or_null(const char *z) { return z ? mem_strdup(z) : NULL; }
static bool same_text(const char *a, const char *b) { return strcmp(a ? a : "", b ? b : "") == 0; }

static void copy_check(const struct plan_probe *from, struct plan_probe *to)
{
    *to = *from;
    to->url = dup_or_null(from->url);
    to->send = dup_or_null(from->send);
    to->want = dup_or_null(from->want);
    to->unit = dup_or_null(from->unit);
}

static void copy_plan(const struct plan_service *p, struct plan *out)
{
    struct plan_service *s = mem_zalloc(sizeof *s);

    plan_init(out);
    *s = *p;
    s->name = mem_strdup(p->name);
    s->host = dup_or_null(p->host);
    s->zone = dup_or_null(p->zone);
    copy_check(&p->check, &s->check);
    memset(&s->tags, 0, sizeof s->tags);
    for (size_t i = 0; i < p->tags.n; i++) {
        char *tag = mem_strdup(p->tags.at[i]);

        vec_push(&s->tags, tag);
    }
    out->service = s;
    copy_check(&p->check, &out->probe);
    out->probe.ok = 1;
    out->probe.for_ms = out->probe.interval_ms = CHECK_FOR_MS;       /* asked once */
}

static bool same_check(const struct plan_probe *a, const struct plan_probe *b)
{
    return a->kind == b->kind && addr_equal(&a->to, &b->to) && same_text(a->url, b->url) && a->status == b->status &&
           same_text(a->send, b->send) && same_text(a->want, b->want) && same_text(a->unit, b->unit);
}

static bool same_place(const struct plan_service *a, const struct plan_service *b)
{
    return a->port == b->port && same_text(a->host, b->host) && same_check(&a->check, &b->check);
}

static bool same_else(const struct plan_service *a, const struct plan_service *b)
{
    bool same = same_text(a->zone, b->zone) && a->weight == b->weight && a->ttl_ms == b->ttl_ms &&
                a->interval_ms == b->interval_ms && a->rise == b->rise && a->fall == b->fall && a->tags.n == b->tags.n;

    for (size_t i = 0; same && i < a->tags.n; i++)
        same = same_text(a->tags.at[i], b->tags.at[i]);
    return same;
}

static struct service_terms terms_of(const struct plan_service *p)
{
    return (struct service_terms){.checked = p->check.kind != PROBE_NONE, .rise = p->rise, .fall = p->fall,
                                  .interval_ms = p->interval_ms, .ttl_ms = p->ttl_ms};
}

static void make(struct services *s, const struct docname *doc, const struct plan_service *p)
{
    struct registration *r = mem_zalloc(sizeof *r);
    struct service_terms terms = terms_of(p);
    struct str text = {0};

    r->all = s;
    r->doc = *doc;
    copy_plan(p, &r->plan);
    str_printf(&text, "%s%s%s", s->o.node, strcmp(doc->component, p->name) ? ":" : "",
               strcmp(doc->component, p->name) ? doc->component : "");
    r->id = str_take(&text);
    str_printf(&text, "svcs:%s", p->name);
    r->key = str_take(&text);
    str_printf(&text, "lease:%s:%s", p->name, r->id);
    r->lease = str_take(&text);
    service_init(&r->machine, &terms, is_live(s), rng_u64(&s->rng), now_ms(r));
    timer_init(&r->due, s->o.means->loop, on_due, r);
    timer_set(&r->due, 0);
    list_append(&s->at, &r->link);
}

static void change(struct registration *r, const struct plan_service *p)
{
    bool stays = same_place(r->plan.service, p), leaving = r->machine.state == SV_LEAVING || r->machine.state == SV_GONE;

    if (stays && same_else(r->plan.service, p) && !leaving)
        return;
    drop_check(r);
    plan_fini(&r->plan);
    copy_plan(p, &r->plan);
    r->machine.terms = terms_of(p);
    r->machine.checking = false;
    feed(r, stays ? VE_CHANGED : VE_MOVED);
}

int services_want(struct services *s, const struct docname *doc, const struct plan_service *p, struct err *e)
{
    struct registration *found = NULL;
    int rc;

    if (s->leaving)
        return 0;
    if (p && p->check.kind == PROBE_UNIT && (rc = allow_unit(s->o.means->allow, p->check.unit, e)) != 0)
        return rc;
    list_each_safe(struct registration, r, &s->at, link)
    {
        if (!docname_equal(&r->doc, doc))
            continue;
        if (p && !r->over && strcmp(r->plan.service->name, p->name) == 0)
            found = r;
        else
            feed(r, VE_STOP);
    }
    if (found)
        change(found, p);
    else if (p)
        make(s, doc, p);
    return 0;
}

int64_t services_drain_unit(struct services *s, const char *unit, bool on)
{
    int64_t left = 0;

    list_each_safe(struct registration, r, &s->at, link)
    {
        const struct plan_probe *check = &r->plan.service->check;

        if (check->kind != PROBE_UNIT || strcmp(check->unit, unit) != 0)
            continue;
        feed(r, on ? VE_HOLD : VE_RELEASE);
        if (on)
            left = ms_max(left, service_drain_left_ms(&r->machine, now_ms(r)));
    }
    return left;
}

bool services_leave(struct services *s, void (*fn)(void *arg), void *arg)
{
    if (list_empty(&s->at) || !is_live(s))
        return false;
    s->leaving = true;
    s->left = fn;
    s->left_arg = arg;
    list_each_safe(struct registration, r, &s->at, link)
        feed(r, VE_STOP);
    return true;
}

/* --- counting --- */

const struct services_counts *services_count(struct services *s)
{
    memset(s->counts.in, 0, sizeof s->counts.in);
    list_each(struct registration, r, &s->at, link)
        s->counts.in[r->machine.state]++;
    return &s->counts;
}

void services_list(struct services *s, void (*fn)(void *arg, const char *service, const char *instance,
                                                  const char *state, const char *at, int64_t since_ms, const char *why),
                   void *arg)
{
    list_each(struct registration, r, &s->at, link)
    {
        struct str text = {0};

        entry_text(r, &text);
        fn(arg, r->plan.service->name, r->id, service_state_name(r->machine.state), str_c(&text),
           now_ms(r) - r->machine.changed_at_ms, r->why);
        str_fini(&text);
    }
}

struct services *services_new(const struct services_opts *o)
{
    struct services *s = mem_zalloc(sizeof *s);

    s->o = *o;
    rng_seed(&s->rng, o->seed);
    list_init(&s->at);
    return s;
}

void services_use(struct services *s, struct directory *d) { s->o.directory = d; }

void services_free(struct services *s)
{
    if (!s)
        return;
    list_each_safe(struct registration, r, &s->at, link)
        registration_free(r);
    mem_free(s);
}
