/* The registry: what is reaped and what never is, what the mirror says and what it leaves alone;
 * and a fleet played at random, with deaths, sleeps and outages. */
#include "agent/core/registry.h"
#include "common/base/rng.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void lines(struct registry *r, const char *service, const char *const *pairs)
{
    struct reg_service *s = registry_service(r, slice_z(service));

    registry_lines_begin(s);
    for (; pairs && *pairs; pairs += 2)
        registry_line(s, slice_z(pairs[0]), slice_z(pairs[1]));
    registry_lines_end(s);
}

static void mirrors(struct registry *r, const char *name, const char *mirror, const char *owner)
{
    struct slice m = slice_z(mirror ? mirror : ""), o = slice_z(owner ? owner : "");

    registry_mirrors_begin(r);
    registry_mirror(r, slice_z(name), mirror ? &m : NULL, owner ? &o : NULL);
}

/* The acts as words. Leases: the ids that are there, all renewed a moment ago. */
static const char *turn(struct registry *r, int64_t now_ms, const char *there)
{
    static char text[4000];
    struct registry_leases leases = {0};
    struct registry_acts acts = {0};
    size_t n = 0;

    registry_leases(r, &leases);
    for (size_t i = 0; i < leases.at.n; i++) {
        registry_lease_is(&leases.at.at[i], strstr(there, leases.at.at[i].instance->id) != NULL);
        if (strstr(there, leases.at.at[i].instance->id))
            registry_lease_left(&leases.at.at[i], leases.at.at[i].instance->ttl_ms - 10);
    }
    registry_decide(r, now_ms, &acts);
    text[0] = 0;
    for (size_t i = 0; i < acts.at.n; i++) {
        const struct registry_act *a = &acts.at.at[i];
        static const char *const words[] = {"reap", "mirror", "unmirror", "overwritten", "preserving"};

        n += (size_t)snprintf(text + n, sizeof text - n, "%s%s %s %s%s", n ? ", " : "", words[a->kind], a->service,
                              a->id, a->value);
        if (a->kind == REG_PRESERVING)
            n += (size_t)snprintf(text + n - 1, sizeof text - n, "%d/%zu/%zu", a->on, a->lapsed, a->of) - 1;
    }
    vec_fini(&leases.at);
    vec_fini(&acts.at);
    return text;
}

#define LINE(host) host ":80;state=up;ttl=1000"
static const char *const four[] = {"n1", LINE("a"), "n2", LINE("b"), "n3", LINE("c"), "n4", LINE("d"), NULL};

START_TEST(test_a_dead_one_goes)
{
    struct registry r;

    registry_init(&r, 0);
    lines(&r, "web", four);
    mirrors(&r, "web", "a:80", "a:80");
    registry_complete(&r);
    ck_assert_str_eq(turn(&r, 500, "n2 n3 n4"), "mirror web b:80");      /* not judged yet, but not shown either */
    ck_assert_str_eq(turn(&r, 1000, "n2 n3 n4"), "reap web n1");
    ck_assert_str_eq(turn(&r, 1900, "n2 n3 n4"), "");                    /* under way */
    registry_act_ended(&r, slice_z("web"), slice_z("n1"), false);
    ck_assert_str_eq(turn(&r, 2000, "n1 n2 n3 n4"), "");                 /* it was back in time */
    ck_assert_str_eq(turn(&r, 5000, "n2 n3 n4"), "reap web n1");
    registry_act_ended(&r, slice_z("web"), slice_z("n1"), true);
    ck_assert_uint_eq(registry_service(&r, slice_z("web"))->at.n, 3);
    registry_fini(&r);
}
END_TEST

START_TEST(test_many_at_once_are_kept)
{
    struct registry r;

    registry_init(&r, -10000);
    lines(&r, "web", four);
    mirrors(&r, "web", "a:80", "a:80");
    registry_complete(&r);
    ck_assert_str_eq(turn(&r, 0, "n1 n2 n3 n4"), "");
    ck_assert_str_eq(turn(&r, 100, "n4"), "preserving 1/3/4, mirror web d:80");
    registry_act_ended(&r, slice_z("web"), slice_z(""), true);
    mirrors(&r, "web", "d:80", "d:80");
    ck_assert_str_eq(turn(&r, 90000, ""), "");                           /* the last one is shown, not nothing */
    ck_assert_str_eq(turn(&r, 91000, "n1 n2 n3"), "preserving 0/1/4, mirror web a:80");
    registry_act_ended(&r, slice_z("web"), slice_z(""), true);
    mirrors(&r, "web", "a:80", "a:80");
    ck_assert_str_eq(turn(&r, 91900, "n1 n2 n3"), "");                   /* one ttl for the last of them */
    ck_assert_str_eq(turn(&r, 92000, "n1 n2 n3"), "reap web n4");
    registry_fini(&r);
}
END_TEST

START_TEST(test_one_after_the_other_is_many_too)
{
    struct registry r;

    registry_init(&r, -10000);
    lines(&r, "web", four);
    mirrors(&r, "web", "d:80", NULL);
    registry_complete(&r);
    ck_assert_str_eq(turn(&r, 0, "n2 n3 n4"), "reap web n1");
    registry_act_ended(&r, slice_z("web"), slice_z("n1"), true);
    ck_assert_str_eq(turn(&r, 300, "n3 n4"), "reap web n2");
    registry_act_ended(&r, slice_z("web"), slice_z("n2"), true);
    ck_assert_str_eq(turn(&r, 600, "n4"), "preserving 1/3/4");
    registry_fini(&r);
}
END_TEST

START_TEST(test_late_ones_count)
{
    struct registry r;
    struct registry_leases leases = {0};
    struct registry_acts acts = {0};

    registry_init(&r, -10000);
    lines(&r, "web", four);
    mirrors(&r, "web", "d:80", NULL);
    registry_complete(&r);
    registry_leases(&r, &leases);
    for (size_t i = 0; i < 4; i++)
        registry_lease_is(&leases.at.at[i], i > 0);
    ck_assert(registry_needs_ages(&r, 0));
    for (size_t i = 1; i < 4; i++)
        registry_lease_left(&leases.at.at[i], i < 3 ? 300 : 900);
    registry_decide(&r, 0, &acts);
    ck_assert_uint_eq(acts.at.n, 1);
    ck_assert_int_eq(acts.at.at[0].kind, REG_PRESERVING);
    vec_fini(&leases.at);
    vec_fini(&acts.at);
    registry_fini(&r);
}
END_TEST

START_TEST(test_lines_without_a_lease_and_junk)
{
    static const char *const mixed[] = {"m1", "h:1", "n1", LINE("a"), "bad id", "h:1", "x", "{}", "y", "", NULL};
    struct registry r;
    struct registry_counts n;

    registry_init(&r, -100000);
    lines(&r, "web", mixed);
    mirrors(&r, "web", NULL, NULL);
    registry_complete(&r);
    registry_count(&r, &n);
    ck_assert_uint_eq(n.junk, 3);
    ck_assert_uint_eq(n.unleased, 1);
    ck_assert_str_eq(turn(&r, 0, ""), "reap web n1, mirror web h:1");
    ck_assert_ptr_null(registry_service(&r, slice_z("bad name")));
    registry_fini(&r);
}
END_TEST

START_TEST(test_mirror)
{
    static const char *const one[] = {"n1", LINE("a"), NULL};
    static const char *const drained[] = {"n1", "a:80;state=drain;ttl=1000", NULL};
    struct registry r;

    registry_init(&r, -100000);
    lines(&r, "web", one);
    registry_complete(&r);
    ck_assert_str_eq(turn(&r, 0, "n1"), "mirror web a:80");
    registry_act_ended(&r, slice_z("web"), slice_z(""), true);
    mirrors(&r, "web", "old:1", NULL);                                   /* an old client's */
    ck_assert_str_eq(turn(&r, 1, "n1"), "");
    mirrors(&r, "web", "old:1", "a:80");                                 /* ours, overwritten */
    ck_assert_str_eq(turn(&r, 2, "n1"), "overwritten web old:1, mirror web a:80");
    registry_act_ended(&r, slice_z("web"), slice_z(""), false);
    ck_assert_str_eq(turn(&r, 3, "n1"), "mirror web a:80");              /* told once */
    registry_act_ended(&r, slice_z("web"), slice_z(""), false);
    mirrors(&r, "web", "a:80", "b:80");                                  /* an old client put what is true */
    ck_assert_str_eq(turn(&r, 4, "n1"), "overwritten web a:80, mirror web a:80");
    registry_act_ended(&r, slice_z("web"), slice_z(""), true);
    mirrors(&r, "web", "a:80", "a:80");
    lines(&r, "web", drained);
    ck_assert_str_eq(turn(&r, 5, "n1"), "");                             /* better a draining one than none */
    lines(&r, "web", NULL);
    ck_assert_str_eq(turn(&r, 6, ""), "unmirror web ");
    registry_act_ended(&r, slice_z("web"), slice_z(""), true);
    mirrors(&r, "web", NULL, NULL);
    ck_assert_str_eq(turn(&r, 7, ""), "");
    registry_fini(&r);
}
END_TEST

START_TEST(test_many_old_names)
{
    struct registry r;
    struct slice value = slice_z("h:1");

    registry_init(&r, 0);
    registry_service(&r, slice_z("web"));
    for (int i = 0; i < 3 * REGISTRY_SERVICES_MAX; i++) {
        char name[32];

        snprintf(name, sizeof name, "old%d", i);
        registry_mirror(&r, slice_z(name), &value, NULL);
    }
    registry_mirror(&r, slice_z("web"), &value, NULL);
    ck_assert_uint_eq(dict_count(&r.services), 1);
    ck_assert_str_eq(registry_service(&r, slice_z("web"))->mirror, "h:1");
    registry_fini(&r);
}
END_TEST

START_TEST(test_after_an_outage_nothing_goes_for_a_ttl)
{
    struct registry r;

    registry_init(&r, -100000);
    lines(&r, "web", NULL);
    mirrors(&r, "web", "a:80", "a:80");
    registry_complete(&r);
    registry_outage(&r, 0);
    ck_assert_str_eq(turn(&r, SERVICE_TTL_MS - 1, ""), "");              /* lines that a failover lost come back first */
    ck_assert_str_eq(turn(&r, SERVICE_TTL_MS, ""), "unmirror web ");
    registry_fini(&r);
}
END_TEST

/* --- a fleet --- */

#define AGENTS 40
#define FLEET_TTL_MS 6000
#define SLEEP_MS 10000                  /* longer than leases last */

struct agent { bool alive, line; int64_t asleep_until, lease_until, beat_at, dead_at; };

struct fleet {
    struct registry r;
    struct rng g;
    unsigned long long seed;
    struct agent at[AGENTS];
    int n;
    bool all_slept;                     /* so many lapse at once that they are preserved */
    int64_t calm_from_ms;
};

static void fleet_init(struct fleet *f, uint64_t seed)
{
    memset(f, 0, sizeof *f);
    f->seed = seed;
    rng_seed(&f->g, seed);
    f->n = (int)rng_between(&f->g, 1, AGENTS);
    registry_init(&f->r, -FLEET_TTL_MS);
    registry_complete(&f->r);
    for (int i = 0; i < f->n; i++)
        f->at[i] = (struct agent){.alive = true, .line = true, .lease_until = FLEET_TTL_MS, .beat_at = rng_between(&f->g, 0, 2000)};
}

static void die_or_return(struct fleet *f, int64_t now)
{
    struct agent *a = &f->at[rng_below(&f->g, (uint64_t)f->n)];

    a->alive = !a->alive;
    if (a->alive)
        a->beat_at = now;
    else
        a->dead_at = now;
}

static void all_sleep(struct fleet *f, int64_t now)
{
    int with_line = 0;

    for (int i = 0; i < f->n; i++) {
        f->at[i].asleep_until = now + SLEEP_MS;
        with_line += f->at[i].line && f->at[i].alive;
    }
    f->all_slept = with_line >= REGISTRY_LAPSED_LEAST;
    f->calm_from_ms = now + SLEEP_MS + 3 * FLEET_TTL_MS;
}

static void beat(struct fleet *f, int64_t now)
{
    for (int i = 0; i < f->n; i++) {
        struct agent *a = &f->at[i];

        if (!a->alive || a->asleep_until > now || a->beat_at > now)
            continue;
        a->lease_until = now + FLEET_TTL_MS;
        a->line = true;
        a->beat_at = now + FLEET_TTL_MS / 3 - FLEET_TTL_MS / 30 + rng_between(&f->g, 0, FLEET_TTL_MS / 15);
    }
}

static struct agent *agent_called(struct fleet *f, const char *id) { return &f->at[atoi(id + 1)]; }

/* The registry sees the lines, and which leases are there. */
static void look(struct fleet *f, struct registry_leases *leases, int64_t now)
{
    struct reg_service *s = registry_service(&f->r, slice_z("web"));

    registry_lines_begin(s);
    for (int i = 0; i < f->n; i++) {
        char id[16];

        snprintf(id, sizeof id, "n%d", i);
        if (f->at[i].line)
            registry_line(s, slice_z(id), slice_z("h:1;ttl=6000"));
    }
    registry_lines_end(s);
    registry_leases(&f->r, leases);
    for (size_t k = 0; k < leases->at.n; k++)
        registry_lease_is(&leases->at.at[k], agent_called(f, leases->at.at[k].instance->id)->lease_until > now);
    if (!registry_needs_ages(&f->r, now))
        return;
    for (size_t k = 0; k < leases->at.n; k++) {
        int64_t left = agent_called(f, leases->at.at[k].instance->id)->lease_until - now;

        registry_lease_left(&leases->at.at[k], left > 0 ? left : -2);
    }
}

/* What it does: nobody is reaped who lives, or who only slept with many others. */
static void act(struct fleet *f, const struct registry_acts *acts, int64_t now)
{
    for (size_t k = 0; k < acts->at.n; k++) {
        const struct registry_act *a = &acts->at.at[k];
        struct agent *who;
        char id[32];

        if (a->kind == REG_MIRROR)
            registry_act_ended(&f->r, slice_z("web"), slice_z(""), false);
        if (a->kind != REG_REAP)
            continue;
        slice_copy_z(slice_z(a->id), id, sizeof id);
        who = agent_called(f, id);
        ck_assert_msg(who->lease_until <= now, "seed %llu: %s was reaped alive", f->seed, id);
        ck_assert_msg(!f->all_slept || now >= f->calm_from_ms - 3 * FLEET_TTL_MS || !who->alive,
                      "seed %llu at %lld: a sleeper was reaped", f->seed, (long long)now);
        who->line = false;
        registry_act_ended(&f->r, slice_z("web"), slice_z(id), true);
    }
}

/* In calm times a dead one is gone after a lease and a look. */
static void expect_the_dead_gone(const struct fleet *f, int64_t now)
{
    if (now <= f->calm_from_ms || f->r.preserving || f->r.judge_from_ms + FLEET_TTL_MS > now - 1000)
        return;
    for (int i = 0; i < f->n; i++)
        if (f->at[i].line && !f->at[i].alive)
            ck_assert_msg(now - f->at[i].dead_at <= FLEET_TTL_MS + 1000, "seed %llu: n%d is dead for %lldms", f->seed, i,
                          (long long)(now - f->at[i].dead_at));
}

static void play(uint64_t seed)
{
    struct fleet f;

    fleet_init(&f, seed);
    for (int64_t now = 0; now < 200000; now += 50) {
        struct registry_leases leases = {0};
        struct registry_acts acts = {0};

        if (rng_chance(&f.g, 2))
            die_or_return(&f, now);
        if (rng_chance(&f.g, 1) && f.n >= REGISTRY_LAPSED_LEAST)
            all_sleep(&f, now);
        beat(&f, now);
        if (now % 900 != 0)
            continue;
        look(&f, &leases, now);
        registry_decide(&f.r, now, &acts);
        act(&f, &acts, now);
        expect_the_dead_gone(&f, now);
        vec_fini(&leases.at);
        vec_fini(&acts.at);
    }
    registry_fini(&f.r);
}

START_TEST(test_fleets_at_random)
{
    for (uint64_t seed = 1; seed <= 300; seed++)
        play(seed);
}
END_TEST

SUITE(registry, test_a_dead_one_goes, test_many_at_once_are_kept, test_one_after_the_other_is_many_too, test_late_ones_count,
      test_lines_without_a_lease_and_junk, test_mirror, test_many_old_names, test_after_an_outage_nothing_goes_for_a_ttl, test_fleets_at_random)
