/* One job per group. A round is: WATCH both keys, read the document and the epoch, then
 * MULTI, SET, HSET, EXEC; or stop when the epoch there is newer. Any failure (the link,
 * READONLY, somebody else's write in between) begins the round again, later. */
#include "sentinel/shell/directory.h"

#include "common/io/log.h"
#include "common/io/resp_link.h"
#include "common/text/reply_walk.h"
#include "sentinel/shell/directory_doc.h"
#include "sentinel/shell/publish.h"
#include "sentinel/shell/shell.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <string.h>

#define AGAIN_MIN_MS 20
#define AGAIN_MAX_MS 5000
#define LOOK_AFTER_MS 3000       /* how long the leader has before others look whether it was written */

struct job {
    struct list_link link;
    struct directory *d;
    char *group, *where;
    char key[300], meta[300];
    struct addr to;
    uint64_t epoch;
    struct resp_link *k;
    struct timer again;
    int64_t wait_ms;
    bool asked, told;
    bool led;                    /* we led the failover; else we only look after it */
    struct str document;         /* as read; what is written is made of it */
    bool missing;
};

struct directory {
    struct shell *sh;
    struct list_link jobs;
    size_t n;
};

static void round_begin(struct job *j);

struct directory *directory_new(struct shell *sh)
{
    struct directory *d = mem_zalloc(sizeof *d);

    d->sh = sh;
    list_init(&d->jobs);
    return d;
}

static void drop_link(struct job *j)
{
    resp_link_free(j->k);
    j->k = NULL;
    j->asked = false;
}

static void job_free(struct job *j)
{
    list_remove(&j->link);
    j->d->n--;
    timer_clear(&j->again);
    drop_link(j);
    str_fini(&j->document);
    mem_free(j->group);
    mem_free(j->where);
    loop_park(j->d->sh->loop, j, mem_free);
}

void directory_free(struct directory *d)
{
    if (!d)
        return;
    list_each_safe(struct job, j, &d->jobs, link) job_free(j);
    mem_free(d);
}

void directory_forget(struct directory *d, const char *group)
{
    list_each_safe(struct job, j, &d->jobs, link) {
        if (strcmp(j->group, group) == 0)
            job_free(j);
    }
}

static void say(struct job *j, const char *event, const char *why)
{
    struct str text = {0};

    if (why)
        str_printf(&text, "%s %s #%s", j->group, j->key, why);
    else
        str_printf(&text, "%s %s %s %u epoch %llu", j->group, j->key, j->to.host, j->to.port, (unsigned long long)j->epoch);
    publish_event(j->d->sh, event, str_c(&text), j->group);
    str_fini(&text);
}

static void later(struct job *j, const char *why)
{
    drop_link(j);
    if (!j->told && j->wait_ms > 500) {
        j->told = true;
        say(j, "-directory", why);
    }
    timer_set(&j->again, j->wait_ms);
    j->wait_ms = ms_min(j->wait_ms * 2, AGAIN_MAX_MS);
}

static void later_text(struct job *j, const struct redisReply *r, const char *otherwise)
{
    struct slice t = reply_text(r);
    char why[160];

    if (reply_is_error(r) && slice_copy_z((struct slice){t.p, t.len < 150 ? t.len : 150}, why, sizeof why))
        later(j, why);
    else
        later(j, otherwise);
}

static void on_exec(void *arg, const struct redisReply *r)
{
    struct job *j = arg;

    if (!r || reply_is_error(r))
        later_text(j, r, "the link ended before the write was confirmed");
    else if (reply_is_nil(r) || reply_len(r) == 0)
        later(j, "somebody else wrote at the same moment");
    else if (reply_is_error(reply_at(r, 0)) || reply_is_error(reply_at(r, 1)))
        later_text(j, reply_is_error(reply_at(r, 0)) ? reply_at(r, 0) : reply_at(r, 1), "");
    else {
        say(j, "+directory", NULL);
        job_free(j);
    }
}

static void write_it(struct job *j)
{
    struct str doc = {0};
    struct err e = {0};
    char epoch[24], when[24];
    struct slice set[] = {slice_z("SET"), slice_z(j->key), {"", 0}};

    if (directory_doc_edit((struct slice){str_c(&j->document), j->missing ? 0 : j->document.len}, &j->to, &doc, &e) != 0) {
        say(j, "-directory", e.text);       /* left as it is: repairing it would destroy what its writer meant */
        str_fini(&doc);
        job_free(j);
        return;
    }
    set[2] = (struct slice){str_c(&doc), doc.len};
    snprintf(epoch, sizeof epoch, "%llu", (unsigned long long)j->epoch);
    snprintf(when, sizeof when, "%lld", (long long)(loop_wall_ms(j->d->sh->loop) / 1000));
    resp_link_sendz(j->k, NULL, NULL, "MULTI", NULL);
    resp_link_send(j->k, NULL, NULL, 3, set);
    resp_link_sendz(j->k, NULL, NULL, "HSET", j->meta, "epoch", epoch, "by", core_my_id(j->d->sh->core), "t", when, NULL);
    if (!resp_link_sendz(j->k, on_exec, j, "EXEC", NULL))
        later(j, "the link is down");
    str_fini(&doc);
}

static void on_epoch(void *arg, const struct redisReply *r)
{
    struct job *j = arg;
    int64_t there = 0;

    if (!r || (reply_is_error(r) && !reply_error_is(r, "WRONGTYPE"))) {
        later_text(j, r, "the link ended");
        return;
    }
    if (reply_i64(r, &there) && (uint64_t)there >= j->epoch + j->led) {
        if ((uint64_t)there > j->epoch)
            log_notice("directory: %s already carries epoch %lld, ours is %llu: left alone", j->key, (long long)there,
                       (unsigned long long)j->epoch);
        job_free(j);
        return;
    }
    write_it(j);
}

static void on_document(void *arg, const struct redisReply *r)
{
    struct job *j = arg;
    struct slice t = reply_text(r);

    if (!j->k || !r)
        return;                  /* on_epoch, which comes right behind, begins again */
    j->missing = reply_is_nil(r);
    str_set(&j->document, t.p, reply_is_error(r) ? 0 : t.len);
    if (reply_is_error(r))
        str_set_z(&j->document, "(not a string)");
}

static void on_role(void *arg, const struct redisReply *r)
{
    struct job *j = arg;
    struct slice role;

    if (!r || !reply_text_at(r, 0, &role) || !slice_is(role, WORD_MASTER)) {
        later_text(j, r, "it does not say that it is the primary");
        return;
    }
    resp_link_sendz(j->k, NULL, NULL, "WATCH", j->key, j->meta, NULL);
    resp_link_sendz(j->k, on_document, j, "GET", j->key, NULL);
    if (!resp_link_sendz(j->k, on_epoch, j, "HGET", j->meta, "epoch", NULL))
        later(j, "the link is down");
}

static void on_up(struct resp_link *k, void *owner)
{
    struct job *j = owner;
    const struct conf_group *g = sentinel_conf_find(&j->d->sh->opt->sentinel, j->where);

    (void)k;
    if (g && g->opt.auth_pass && g->opt.auth_user)
        resp_link_sendz(j->k, NULL, NULL, "AUTH", g->opt.auth_user, g->opt.auth_pass, NULL);
    else if (g && g->opt.auth_pass)
        resp_link_sendz(j->k, NULL, NULL, "AUTH", g->opt.auth_pass, NULL);
    j->asked = true;
    if (!resp_link_sendz(j->k, on_role, j, "ROLE", NULL))
        later(j, "the link is down");
}

static void on_end(struct resp_link *k, enum link_end how, const char *why, void *owner)
{
    struct job *j = owner;

    (void)k;
    (void)why;
    if (!j->asked || !timer_is_set(&j->again))
        later(j, link_end_name(how));
}

static void round_begin(struct job *j)
{
    struct shell *sh = j->d->sh;
    const struct group *g = core_group_named(sh->core, j->where);
    struct resp_link_opts o = {.client_name = "sentinel-directory", .connect_timeout_ms = 1000, .backoff_min_ms = AGAIN_MAX_MS,
                               .backoff_max_ms = AGAIN_MAX_MS, .resolver = sh->resolver, .on_up = on_up, .on_end = on_end};

    if (!g) {
        later(j, "its directory is a group that is not watched");
        return;
    }
    drop_link(j);
    o.to = *core_client_addr(sh->core, g);
    o.owner = j;
    j->k = resp_link_new(sh->loop, &o);
}

static void again(struct timer *t, void *arg)
{
    (void)t;
    round_begin(arg);
}

void directory_want(struct directory *d, const char *group, const char *where, const struct addr *to, uint64_t epoch, bool led)
{
    struct job *j = mem_zalloc(sizeof *j);

    directory_forget(d, group);          /* a newer epoch overtakes */
    j->d = d;
    j->group = mem_strdup(group);
    j->where = mem_strdup(where);
    snprintf(j->key, sizeof j->key, "config:redis:%s", group);
    snprintf(j->meta, sizeof j->meta, "cfgmeta:redis:%s", group);
    j->to = *to;
    j->epoch = epoch;
    j->led = led;
    j->wait_ms = AGAIN_MIN_MS;
    timer_init(&j->again, d->sh->loop, again, j);
    list_append(&d->jobs, &j->link);
    d->n++;
    timer_set(&j->again, led ? 0 : LOOK_AFTER_MS);     /* never inside the step that wanted it */
}

size_t directory_waiting(const struct directory *d)
{
    return d->n;
}
