/* Reading, looking at leases, carrying out. */
#include "agent/controller/registry.h"

#include "agent/controller/registry_carry.h"
#include "agent/shell/events.h"
#include "agent/source/watch.h"
#include "common/base/list.h"
#include "common/base/mem.h"
#include "common/io/log.h"
#include "common/text/reply_walk.h"

#include <hiredis/hiredis.h>
#include <string.h>

#define TURN_MS 900              /* with the road there and back a lapsed lease is seen within a second */
#define SLOW_MS 1000             /* an answer that takes longer is an outage */
#define MISSED_TURN_MS 3000      /* we slept ourselves */
#define QUIET_MS 20
#define SCAN_COUNT "1000"

struct looked { char *service, *id; };

struct registry_duty {
    struct loop *loop;
    struct directory *directory;
    struct controller *controller;
    struct watch *watch;             /* while the role is ours */
    struct registry registry;
    bool begun, heard;               /* heard: on_ready came once */
    /* reading */
    struct dict dirty;               /* names of services to read */
    bool mirrors_dirty, scanning;
    size_t pending;                  /* replies to come */
    struct list_link readings;
    struct timer quiet;
    /* looking at leases */
    VEC(struct looked) looked;
    size_t answered, expected;
    bool ages;
    int64_t looked_at_ms, turned_at_ms;
    uint64_t reaped, mirrored, overwritten, refused;
    bool complained;
};

/* One act under way. */
struct carried {
    struct registry_duty *duty;
    enum registry_act_kind kind;
    char *service, *id, *value;
};

/* One reading under way. */
struct reading {
    struct list_link link;
    struct registry_duty *duty;
    char *name;                      /* of the service; NULL: the mirror's two hashes */
};

static int64_t now_ms(const struct registry_duty *d) { return loop_now_ms(d->loop); }

/* --- reading --- */

static void read_dirty(struct registry_duty *d);

static void read_later(struct registry_duty *d)
{
    if (!timer_is_set(&d->quiet))
        timer_set(&d->quiet, QUIET_MS);
}

static void on_quiet(struct timer *t, void *arg)
{
    (void)t;
    read_dirty(arg);
}

static void mark(struct registry_duty *d, struct slice key)
{
    size_t n = strlen(SERVICE_LINES_KEY);

    if (key.len > n && memcmp(key.p, SERVICE_LINES_KEY, n) == 0)
        dict_put(&d->dirty, key.p + n, key.len - n, NULL);
    else if (slice_is(key, SERVICES_KEY) || slice_is(key, SERVICES_OWNER_KEY))
        d->mirrors_dirty = true;
    else
        return;
    read_later(d);
}

static void one_read(struct registry_duty *d)
{
    d->pending--;
    if (!d->pending && !d->scanning && !dict_count(&d->dirty) && !d->mirrors_dirty)
        registry_complete(&d->registry);
}

static void reading_free(struct reading *q)
{
    list_remove(&q->link);
    mem_free(q->name);
    mem_free(q);
}

static void on_lines(void *arg, const struct redisReply *r)
{
    struct reading *q = arg;
    struct registry_duty *d = q->duty;
    struct reg_service *s = r ? registry_service(&d->registry, slice_z(q->name)) : NULL;

    if (s && !s->at.n && !s->mirror) {
        d->mirrors_dirty = true;
        read_later(d);
    }
    if (s) {                         /* no hash: there are no lines, and one piece of junk */
        registry_lines_begin(s);
        s->junk = reply_is_error(r);
        for (size_t i = 0; i + 1 < reply_len(r); i += 2)
            registry_line(s, reply_text(reply_at(r, i)), reply_text(reply_at(r, i + 1)));
        registry_lines_end(s);
    }
    reading_free(q);
    if (r)
        one_read(d);
}

static void on_mirrors(void *arg, const struct redisReply *r)
{
    struct registry_duty *d = arg;
    const struct redisReply *mirror = reply_at(r, 0), *owner = reply_at(r, 1);

    if (!r)
        return;
    if (!reply_is_error(r)) {
        registry_mirrors_begin(&d->registry);
        for (size_t i = 0; i + 1 < reply_len(mirror); i += 2) {
            struct slice value = reply_text(reply_at(mirror, i + 1));

            registry_mirror(&d->registry, reply_text(reply_at(mirror, i)), &value, NULL);
        }
        for (size_t i = 0; i + 1 < reply_len(owner); i += 2) {
            struct slice value = reply_text(reply_at(owner, i + 1));

            registry_mirror(&d->registry, reply_text(reply_at(owner, i)), NULL, &value);
        }
    }
    one_read(d);
}

static void read_mirrors(struct registry_duty *d)
{
    d->mirrors_dirty = false;
    watch_sendz(d->watch, NULL, NULL, "MULTI", NULL, NULL);
    watch_sendz(d->watch, NULL, NULL, "HGETALL", SERVICES_KEY, NULL);
    watch_sendz(d->watch, NULL, NULL, "HGETALL", SERVICES_OWNER_KEY, NULL);
    d->pending += watch_sendz(d->watch, on_mirrors, d, "EXEC", NULL, NULL);
}

static void read_dirty(struct registry_duty *d)
{
    struct dict_iter it;

    if (!d->watch || !watch_is_ready(d->watch))
        return;
    dict_iter_init(&it, &d->dirty);
    for (struct dict_entry *e; (e = dict_iter_next(&it));) {
        struct reading *q = mem_zalloc(sizeof *q);
        struct str key = {0};

        q->duty = d;
        list_append(&d->readings, &q->link);
        q->name = mem_strndup(e->key, e->klen);
        str_printf(&key, SERVICE_LINES_KEY "%s", q->name);
        if (watch_sendz(d->watch, on_lines, q, "HGETALL", str_c(&key), NULL)) {
            d->pending++;
        } else {
            reading_free(q);
        }
        str_fini(&key);
    }
    dict_iter_fini(&it);
    dict_clear(&d->dirty, NULL);
    if (d->mirrors_dirty)            /* behind the lines: a name matters where its service is known */
        read_mirrors(d);
}

static void scan(struct registry_duty *d, struct slice cursor);

static void on_scanned(void *arg, const struct redisReply *r)
{
    struct registry_duty *d = arg;
    const struct redisReply *keys = reply_at(r, 1);
    struct slice cursor = reply_text(reply_at(r, 0));

    if (!r)
        return;
    for (size_t i = 0; i < reply_len(keys); i++)
        mark(d, reply_text(reply_at(keys, i)));
    if (reply_is_error(r) && !d->complained) {
        struct slice said = reply_text(r);

        log_warning("registry: %.*s", (int)(said.len > 190 ? 190 : said.len), said.p);
        d->complained = true;
    }
    if (reply_is_error(r) || slice_is(cursor, "0"))
        d->scanning = false;
    else
        scan(d, cursor);
    read_later(d);
}

static void scan(struct registry_duty *d, struct slice cursor)
{
    struct slice argv[6] = {slice_z("SCAN"), cursor, slice_z("MATCH"), slice_z(SERVICE_LINES_KEY "*"), slice_z("COUNT"), slice_z(SCAN_COUNT)};

    d->scanning = watch_send(d->watch, on_scanned, d, 6, argv);
}

static void read_all(struct registry_duty *d)
{
    struct dict_iter it;

    dict_iter_init(&it, &d->registry.services);
    for (struct dict_entry *e; (e = dict_iter_next(&it));)
        dict_put(&d->dirty, e->key, e->klen, NULL);
    dict_iter_fini(&it);
    d->mirrors_dirty = true;
    if (!d->scanning)
        scan(d, slice_z("0"));
    read_later(d);
}

static void on_ready(void *owner)
{
    struct registry_duty *d = owner;

    if (d->heard && !watch_polls(d->watch))
        registry_outage(&d->registry, now_ms(d));
    d->heard = true;
    read_all(d);
}

static void on_key(void *owner, struct slice key) { mark(owner, key); }

static void on_all(void *owner)
{
    struct registry_duty *d = owner;

    registry_outage(&d->registry, now_ms(d));
    read_all(d);
}

static void on_watch_end(void *owner)
{
    struct registry_duty *d = owner;

    registry_outage(&d->registry, now_ms(d));
    d->scanning = false;
    d->pending = 0;
    d->expected = d->answered = 0;
    d->registry.complete = false;
}

/* --- acts --- */

static void carried_free(struct carried *k)
{
    mem_free(k->service);
    mem_free(k->id);
    mem_free(k->value);
    mem_free(k);
}

static void on_carried(void *arg, const char *why)
{
    struct carried *k = arg;
    struct registry_duty *d = k->duty;

    if (!why && k->kind == REG_REAP) {
        d->reaped++;
        agent_event("+reaped", "%s instance=%s", k->service, k->id);
    } else if (!why) {
        d->mirrored++;
        log_verbose("registry: services %s = %s", k->service, k->value);
    } else if (why[0]) {
        d->refused++;
        if (!d->complained)
            log_warning("registry: %s: %s", k->service, why);
        d->complained = true;
    }
    registry_act_ended(&d->registry, slice_z(k->service), slice_z(k->id), !why);
    /* What was read may be what no longer holds. */
    if (k->kind != REG_REAP) {
        d->mirrors_dirty = true;
        read_later(d);
    }
    carried_free(k);
}

static void carry_out(struct registry_duty *d, const struct registry_act *a)
{
    struct carried *k;

    if (a->kind == REG_PRESERVING) {
        agent_event(a->on ? "+self-preservation" : "-self-preservation", "lapsed=%zu of=%zu", a->lapsed, a->of);
        return;
    }
    if (a->kind == REG_OVERWRITTEN) {
        d->overwritten++;
        agent_event("+overwritten", "services %s is=%s was=%s", a->service, a->value, a->mirror_was);
        return;
    }
    k = mem_zalloc(sizeof *k);
    *k = (struct carried){.duty = d, .kind = a->kind, .service = mem_strdup(a->service), .id = mem_strdup(a->id),
                          .value = mem_strdup(a->value)};
    if (!registry_carry(d->controller, a, on_carried, k)) {
        registry_act_ended(&d->registry, slice_z(k->service), slice_z(k->id), false);
        carried_free(k);
    }
}

static void decide(struct registry_duty *d)
{
    struct registry_acts acts = {0};

    if (now_ms(d) - d->looked_at_ms > SLOW_MS)
        registry_outage(&d->registry, now_ms(d));
    registry_decide(&d->registry, now_ms(d), &acts);
    /* Acts borrow from the registry, which hears of none of them before the next turn: refusals at once only unmark. */
    for (size_t i = 0; i < acts.at.n; i++)
        carry_out(d, &acts.at.at[i]);
    vec_fini(&acts.at);
}

/* --- leases --- */

static void forget_looked(struct registry_duty *d)
{
    for (size_t i = 0; i < d->looked.n; i++) {
        mem_free(d->looked.at[i].service);
        mem_free(d->looked.at[i].id);
    }
    vec_clear(&d->looked);
}

static void on_age(void *arg, const struct redisReply *r)
{
    struct registry_duty *d = arg;
    const struct looked *l;
    struct registry_lease lease;
    int64_t left;

    if (!r || !d->expected)
        return;
    l = &d->looked.at[d->answered++];
    if (reply_i64(r, &left) && registry_find(&d->registry, slice_z(l->service), slice_z(l->id), &lease))
        registry_lease_left(&lease, left);
    if (d->answered < d->expected)
        return;
    d->expected = 0;
    decide(d);
}

static void ask_ages(struct registry_duty *d)
{
    struct str key = {0};

    d->answered = 0;
    d->expected = d->looked.n;
    for (size_t i = 0; i < d->looked.n; i++) {
        str_clear(&key);
        registry_lease_key(d->looked.at[i].service, d->looked.at[i].id, &key);
        watch_sendz(d->watch, on_age, d, "PTTL", str_c(&key), NULL);
    }
    str_fini(&key);
}

static void on_leases(void *arg, const struct redisReply *r)
{
    struct registry_duty *d = arg;
    struct registry_lease lease;

    if (!r || !d->expected)
        return;
    d->expected = 0;
    if (reply_is_error(r)) {
        if (!d->complained)
            log_warning("registry: leases: %.*s", (int)reply_text(r).len, reply_text(r).p);
        d->complained = true;
        return;
    }
    for (size_t i = 0; i < reply_len(r) && i < d->looked.n; i++)
        if (registry_find(&d->registry, slice_z(d->looked.at[i].service), slice_z(d->looked.at[i].id), &lease))
            registry_lease_is(&lease, !reply_is_nil(reply_at(r, i)));
    if (registry_needs_ages(&d->registry, now_ms(d)))
        ask_ages(d);
    else
        decide(d);
}

static void look(struct registry_duty *d)
{
    struct registry_leases leases = {0};
    VEC(char *) keys = {0};
    VEC(struct slice) argv = {0};
    struct slice word = slice_z("MGET");
    struct str key = {0};

    forget_looked(d);
    registry_leases(&d->registry, &leases);
    vec_push(&argv, word);
    for (size_t i = 0; i < leases.at.n; i++) {
        struct looked l = {mem_strdup(leases.at.at[i].service->name), mem_strdup(leases.at.at[i].instance->id)};

        vec_push(&d->looked, l);
        registry_lease_key(l.service, l.id, &key);
        vec_push(&keys, str_take(&key));
        vec_push(&argv, slice_z(vec_last(&keys)));
    }
    d->looked_at_ms = now_ms(d);
    d->expected = leases.at.n;
    if (!leases.at.n)
        decide(d);
    else if (!watch_send(d->watch, on_leases, d, (int)argv.n, argv.at))
        d->expected = 0;
    for (size_t i = 0; i < keys.n; i++)
        mem_free(keys.at[i]);
    str_fini(&key);
    vec_fini(&keys);
    vec_fini(&argv);
    vec_fini(&leases.at);
}

static void turn(void *arg)
{
    struct registry_duty *d = arg;
    int64_t gap = now_ms(d) - d->turned_at_ms;

    if (gap > MISSED_TURN_MS)
        registry_outage(&d->registry, now_ms(d));
    d->turned_at_ms = now_ms(d);
    if (!watch_is_ready(d->watch) || !d->registry.complete)
        return;
    if (d->expected) {
        registry_outage(&d->registry, now_ms(d));
        return;
    }
    look(d);
}

/* --- coming and going --- */

static void begin(void *arg)
{
    struct registry_duty *d = arg;
    struct watch_opts o = {.loop = d->loop, .directory = d->directory, .prefixes = {SERVICE_LINES_KEY, SERVICES_KEY, SERVICES_OWNER_KEY, NULL},
                           .owner = d, .on_ready = on_ready, .on_key = on_key, .on_all = on_all, .on_end = on_watch_end};

    registry_init(&d->registry, directory_state_since_ms(d->directory));
    d->begun = true;
    d->heard = d->complained = d->scanning = false;
    d->pending = d->expected = 0;
    d->turned_at_ms = now_ms(d);
    d->watch = watch_new(&o);
}

static void end(void *arg)
{
    struct registry_duty *d = arg;

    if (!d->begun)
        return;
    d->begun = false;
    watch_free(d->watch);
    d->watch = NULL;
    list_each_safe(struct reading, q, &d->readings, link)
        reading_free(q);
    timer_clear(&d->quiet);
    dict_clear(&d->dirty, NULL);
    forget_looked(d);
    registry_fini(&d->registry);
    registry_init(&d->registry, 0);
}

struct registry_duty *registry_duty_new(struct loop *l, struct directory *dir, struct controller *c)
{
    struct registry_duty *d = mem_zalloc(sizeof *d);
    struct controller_duty duty = {.name = "registry", .every_ms = TURN_MS, .begin = begin, .turn = turn, .end = end, .arg = d};

    d->loop = l;
    d->directory = dir;
    d->controller = c;
    registry_init(&d->registry, 0);
    dict_init(&d->dirty);
    list_init(&d->readings);
    timer_init(&d->quiet, l, on_quiet, d);
    controller_add(c, &duty);
    return d;
}

void registry_duty_free(struct registry_duty *d)
{
    if (!d)
        return;
    end(d);
    registry_fini(&d->registry);
    dict_fini(&d->dirty, NULL);
    vec_fini(&d->looked);
    mem_free(d);
}

void registry_duty_stats(struct registry_duty *d, struct registry_duty_stats *out)
{
    registry_count(&d->registry, &out->counts);
    out->reaped = d->reaped;
    out->mirrored = d->mirrored;
    out->overwritten = d->overwritten;
    out->refused = d->refused;
    out->preserving = d->registry.preserving;
}
