/* The label's table: each story, each pair of state and event, and many agents against one
 * pretended API that loses, delays and reorders: never two pods that say primary. */
#include "agent/core/label.h"
#include "tests/support/suite.h"

#include <string.h>

static const struct label_terms terms = {.others = 2, .need_word = true, .request_ms = 1000, .pause_min_ms = 100,
                                         .pause_max_ms = 800, .check_ms = 10000};

static struct label_steps steps;

static void look(struct label *l, enum label_role role, enum label_word word, int64_t now)
{
    struct label_facts f = {.role = role, .word = word};

    label_look(l, &f, now, &steps);
}

/* The steps that are no trace, as letters: x cancel, r read, f free, c claim, s show. */
static const char *did(void)
{
    static char text[LABEL_STEPS_MAX + 1];
    size_t n = 0;

    for (unsigned i = 0; i < steps.n; i++)
        if (steps.at[i].kind != LS_TRACE)
            text[n++] = "xrfcs"[steps.at[i].kind];
    text[n] = 0;
    return text;
}

static void to_on(struct label *l)
{
    label_init(l, &terms, 1);
    look(l, LABEL_ROLE_PRIMARY, LABEL_WORD_US, 0);
    for (int i = 0; i < 4; i++)
        label_hear(l, LE_DONE, 0, i, &steps);
    ck_assert_int_eq(l->state, LB_ON);
}

START_TEST(test_promoted)
{
    struct label l;

    label_init(&l, &terms, 1);
    look(&l, LABEL_ROLE_UNKNOWN, LABEL_WORD_UNKNOWN, 0);
    ck_assert_str_eq(did(), "");
    look(&l, LABEL_ROLE_REPLICA, LABEL_WORD_OTHER, 10);
    ck_assert_str_eq(did(), "xs");
    ck_assert_int_eq(steps.at[steps.n - 1].shown, LABEL_REPLICA);
    label_hear(&l, LE_DONE, 0, 20, &steps);
    ck_assert_str_eq(did(), "");
    ck_assert_int_eq(l.state, LB_OFF);
    look(&l, LABEL_ROLE_PRIMARY, LABEL_WORD_UNKNOWN, 30);
    ck_assert_str_eq(did(), "");               /* waits for the sentinels */
    look(&l, LABEL_ROLE_PRIMARY, LABEL_WORD_US, 40);
    ck_assert_str_eq(did(), "r");
    label_hear(&l, LE_DONE, 0, 50, &steps);
    ck_assert_str_eq(did(), "f");
    ck_assert_uint_eq(steps.at[steps.n - 1].other, 0);
    label_hear(&l, LE_DONE, 0, 60, &steps);
    ck_assert_str_eq(did(), "f");
    ck_assert_uint_eq(steps.at[steps.n - 1].other, 1);
    label_hear(&l, LE_DONE, 0, 70, &steps);
    ck_assert_str_eq(did(), "c");
    label_hear(&l, LE_DONE, 0, 80, &steps);
    ck_assert_int_eq(l.state, LB_ON);
    ck_assert_int_eq(l.shown, LABEL_PRIMARY);
    look(&l, LABEL_ROLE_UNKNOWN, LABEL_WORD_UNKNOWN, 90);
    ck_assert_int_eq(l.state, LB_ON);          /* silence is no reason */
    look(&l, LABEL_ROLE_OTHER, LABEL_WORD_US, 100);
    ck_assert_str_eq(did(), "xs");
    ck_assert_int_eq(steps.at[steps.n - 1].shown, LABEL_NONE);
    ck_assert(!steps.at[steps.n - 1].again);
    label_hear(&l, LE_DONE, 0, 110, &steps);
    ck_assert(label_is_off(&l));
}
END_TEST

START_TEST(test_taken_back_at_each_step)
{
    for (int n = 0; n <= 4; n++) {
        struct label l;

        label_init(&l, &terms, 1);
        look(&l, LABEL_ROLE_PRIMARY, LABEL_WORD_US, 0);
        for (int i = 0; i < n; i++)
            label_hear(&l, LE_DONE, 0, i, &steps);
        look(&l, LABEL_ROLE_REPLICA, LABEL_WORD_OTHER, 100);
        ck_assert_str_eq(did(), "xs");
        ck_assert(!steps.at[steps.n - 1].again);
        ck_assert_int_eq(steps.at[steps.n - 1].shown, LABEL_REPLICA);
        label_hear(&l, LE_DONE, 0, 110, &steps);
        ck_assert(label_is_off(&l));
    }
}
END_TEST

START_TEST(test_sentinels_name_another)
{
    struct label l;

    to_on(&l);
    look(&l, LABEL_ROLE_PRIMARY, LABEL_WORD_OTHER, 100);
    ck_assert_str_eq(did(), "xs");
    ck_assert_int_eq(steps.at[steps.n - 1].shown, LABEL_NONE);
}
END_TEST

START_TEST(test_conflicts_then_a_pause)
{
    struct label l;

    label_init(&l, &terms, 1);
    look(&l, LABEL_ROLE_PRIMARY, LABEL_WORD_US, 0);
    for (int n = 0; n < 4; n++) {
        for (int i = 0; i < 3; i++)
            label_hear(&l, LE_DONE, 0, 10, &steps);
        ck_assert_int_eq(l.state, LB_CLAIMING);
        label_hear(&l, LE_CONFLICT, 0, 20, &steps);
        ck_assert_int_eq(l.state, n < 3 ? LB_READING : LB_HELD);
    }
    ck_assert(label_deadline_ms(&l) <= 20 + 100);
}
END_TEST

START_TEST(test_pauses_grow_and_obey)
{
    struct label l;
    int64_t now = 0;

    label_init(&l, &terms, 1);
    look(&l, LABEL_ROLE_REPLICA, LABEL_WORD_OTHER, now);
    for (int64_t most = 100; most <= 1600; most *= 2) {
        label_hear(&l, LE_FAILED, 0, now, &steps);
        ck_assert_int_eq(l.state, LB_OWING);
        ck_assert_int_ge(label_deadline_ms(&l) - now, (most > 800 ? 800 : most) / 2);
        ck_assert_int_le(label_deadline_ms(&l) - now, most > 800 ? 800 : most);
        now = label_deadline_ms(&l);
        label_hear(&l, LE_EXPIRED, 0, now, &steps);
        ck_assert_str_eq(did(), "xs");
    }
    label_hear(&l, LE_FAILED, 30000, now, &steps);
    ck_assert_int_ge(label_deadline_ms(&l) - now, 30000);
    look(&l, LABEL_ROLE_OTHER, LABEL_WORD_OTHER, now);
    ck_assert_str_eq(did(), "");
}
END_TEST

/* A request that fails is tried again; what was done before it stays done. */
START_TEST(test_goes_on_where_it_stood)
{
    struct label l;

    label_init(&l, &terms, 1);
    look(&l, LABEL_ROLE_PRIMARY, LABEL_WORD_US, 0);
    label_hear(&l, LE_DONE, 0, 1, &steps);
    label_hear(&l, LE_DONE, 0, 2, &steps);
    ck_assert_str_eq(did(), "f");
    label_hear(&l, LE_FAILED, 0, 3, &steps);
    label_hear(&l, LE_EXPIRED, 0, 200, &steps);
    ck_assert_str_eq(did(), "f");
    ck_assert_uint_eq(steps.at[steps.n - 1].other, 1);
    label_hear(&l, LE_DONE, 0, 201, &steps);
    ck_assert_str_eq(did(), "c");
    label_hear(&l, LE_FAILED, 0, 202, &steps);
    ck_assert_int_le(label_deadline_ms(&l), 202 + 100);
    label_hear(&l, LE_EXPIRED, 0, 400, &steps);
    ck_assert_str_eq(did(), "c");
    label_hear(&l, LE_CONFLICT, 0, 401, &steps);       /* the first one had arrived */
    ck_assert_str_eq(did(), "r");
    label_hear(&l, LE_CARRIES, 0, 402, &steps);
    ck_assert_int_eq(l.state, LB_ON);
}
END_TEST

START_TEST(test_looks_again)
{
    struct label l;

    to_on(&l);
    ck_assert_int_le(label_deadline_ms(&l), 3 + 12500);
    label_hear(&l, LE_EXPIRED, 0, 20000, &steps);
    ck_assert_str_eq(did(), "r");
    label_hear(&l, LE_CARRIES, 0, 20010, &steps);
    ck_assert_int_eq(l.state, LB_ON);
    label_hear(&l, LE_EXPIRED, 0, 40000, &steps);
    label_hear(&l, LE_DONE, 0, 40010, &steps);      /* somebody took it off */
    ck_assert_str_eq(did(), "f");

    label_init(&l, &terms, 1);
    look(&l, LABEL_ROLE_REPLICA, LABEL_WORD_OTHER, 0);
    label_hear(&l, LE_DONE, 0, 10, &steps);
    label_hear(&l, LE_EXPIRED, 0, 20000, &steps);
    ck_assert_str_eq(did(), "xs");
    ck_assert(steps.at[steps.n - 1].again);
}
END_TEST

START_TEST(test_a_restarted_agent)
{
    struct label l;

    label_init(&l, &terms, 1);
    look(&l, LABEL_ROLE_PRIMARY, LABEL_WORD_US, 0);
    label_hear(&l, LE_CARRIES, 0, 10, &steps);
    ck_assert_int_eq(l.state, LB_ON);

    label_init(&l, &terms, 1);                       /* it carries it, and the node is something else by now */
    look(&l, LABEL_ROLE_OTHER, LABEL_WORD_UNKNOWN, 0);
    ck_assert_str_eq(did(), "xs");
}
END_TEST

START_TEST(test_leaving)
{
    struct label l;
    struct label_facts f = {.role = LABEL_ROLE_PRIMARY, .word = LABEL_WORD_US, .leaving = true};

    to_on(&l);
    label_look(&l, &f, 100, &steps);
    ck_assert_str_eq(did(), "xs");
    ck_assert_int_eq(steps.at[steps.n - 1].shown, LABEL_NONE);
    ck_assert(!label_is_off(&l));
    label_hear(&l, LE_DONE, 0, 110, &steps);
    ck_assert(label_is_off(&l));

    label_init(&l, &terms, 1);                       /* nothing was ever known */
    f.role = LABEL_ROLE_UNKNOWN;
    label_look(&l, &f, 0, &steps);
    ck_assert_str_eq(did(), "xs");
}
END_TEST

START_TEST(test_no_pod)
{
    struct label l;

    label_init(&l, &terms, 1);
    look(&l, LABEL_ROLE_PRIMARY, LABEL_WORD_US, 0);
    label_hear(&l, LE_GONE, 0, 10, &steps);
    ck_assert_int_eq(l.state, LB_GONE);
    ck_assert(label_is_off(&l));
    look(&l, LABEL_ROLE_REPLICA, LABEL_WORD_US, 20);
    ck_assert_str_eq(did(), "");
    label_hear(&l, LE_EXPIRED, 0, 20000, &steps);
    ck_assert_str_eq(did(), "xs");
}
END_TEST

/* Each pair has a row, or means nothing for the reason given. */
START_TEST(test_every_pair)
{
    static const struct { enum label_state in; const char *nothing; } table[] = {
        {LB_OFF, "unwanted done carries conflict failed gone"},        /* nothing is under way */
        {LB_SHOWING, "wanted unwanted carries conflict"},              /* judged when it is said; a patch without a version */
        {LB_OWING, "wanted unwanted changed done carries conflict failed gone"},   /* the pause ends first */
        {LB_READING, "wanted changed conflict"},
        {LB_FREEING, "wanted changed carries conflict gone"},          /* what is not there is done */
        {LB_CLAIMING, "wanted changed carries"},
        {LB_ON, "wanted changed done carries conflict failed gone"},
        {LB_HELD, "wanted changed done carries conflict failed gone"},
        {LB_GONE, "wanted unwanted changed done carries conflict failed gone"},
    };

    for (int s = 0; s < LB_STATES; s++)
        for (int k = 0; k < LE_KINDS; k++) {
            bool nothing = strstr(table[s].nothing, label_event_name((enum label_event_kind)k)) != NULL;

            if (k == LE_WANTED)      /* "unwanted" contains it */
                nothing = strncmp(table[s].nothing, "wanted", 6) == 0;
            ck_assert_int_eq(table[s].in, s);
            ck_assert_msg(label_has_row((enum label_state)s, (enum label_event_kind)k) != nothing, "%s on %s",
                          label_state_name((enum label_state)s), label_event_name((enum label_event_kind)k));
        }
    for (int s = 0; s < LB_STATES; s++)
        ck_assert(!label_waits((enum label_state)s) || label_has_row((enum label_state)s, LE_EXPIRED));
}
END_TEST

/* --- many agents, one API ------------------------------------------------------------------- */

#define PODS 3
#define FLIGHT_MAX 64

struct flight {                          /* a request on its way, or its answer */
    bool used, answered;
    int agent, pod;
    enum label_step_kind kind;
    enum label_shown shown;
    bool again;
    uint64_t version;                    /* LS_CLAIM: the condition. The answer of a read: what was read */
    bool wanted_back;                    /* its agent still waits for it */
    enum label_event_kind answer;
    int64_t at;                          /* arrives */
};

static struct { uint64_t version; bool primary; } api[PODS];
static struct { struct label l; uint64_t version; bool is_primary; } agent[PODS];
static struct flight flights[FLIGHT_MAX];
static struct rng chance;
static int64_t now_ms;

static void send_it(int who, const struct label_step *s)
{
    for (int i = 0; i < FLIGHT_MAX; i++) {
        struct flight *f = &flights[i];

        if (f->used)
            continue;
        *f = (struct flight){.used = true, .agent = who, .pod = who, .kind = s->kind, .shown = s->shown, .again = s->again,
                             .version = agent[who].version, .wanted_back = true};
        if (s->kind == LS_FREE)
            f->pod = (who + 1 + (int)s->other) % PODS;
        f->at = now_ms + rng_between(&chance, 1, rng_chance(&chance, 100) ? 5000 : 50);     /* some arrive very late */
        return;
    }
}

static void carry_out(int who)
{
    for (unsigned i = 0; i < steps.n; i++) {
        if (steps.at[i].kind == LS_TRACE)
            continue;
        for (int k = 0; steps.at[i].kind == LS_CANCEL && k < FLIGHT_MAX; k++)
            if (flights[k].used && flights[k].agent == who)
                flights[k].wanted_back = false;
        if (steps.at[i].kind != LS_CANCEL)
            send_it(who, &steps.at[i]);
    }
}

static void arrive_at_api(struct flight *f)
{
    int on = 0;

    f->answer = LE_DONE;
    if (f->kind == LS_READ) {
        f->version = api[f->pod].version;
        f->answer = api[f->pod].primary ? LE_CARRIES : LE_DONE;
    } else if (f->kind == LS_CLAIM && api[f->pod].version != f->version) {
        f->answer = LE_CONFLICT;
    } else {
        bool primary = f->kind == LS_CLAIM;

        if (!f->again || api[f->pod].primary != primary)
            api[f->pod].version++;
        api[f->pod].primary = primary;
    }
    if (rng_chance(&chance, 30))
        f->answer = LE_FAILED;               /* carried out all the same: the answer was lost */
    for (int i = 0; i < PODS; i++)
        on += api[i].primary;
    ck_assert_msg(on <= 1, "two pods say primary at %lld", (long long)now_ms);
    f->answered = true;
    f->at = now_ms + rng_between(&chance, 1, 30);
}

static void arrive_at_agent(struct flight *f)
{
    int who = f->agent;

    f->used = false;
    if (!f->wanted_back)
        return;
    if (f->kind == LS_READ && (f->answer == LE_DONE || f->answer == LE_CARRIES))
        agent[who].version = f->version;
    label_hear(&agent[who].l, f->answer, 0, now_ms, &steps);
    carry_out(who);
}

static void tell(int who)
{
    struct label_facts f = {.role = agent[who].is_primary ? LABEL_ROLE_PRIMARY : LABEL_ROLE_REPLICA,
                            .word = agent[who].is_primary ? LABEL_WORD_US : LABEL_WORD_OTHER};

    label_look(&agent[who].l, &f, now_ms, &steps);
    carry_out(who);
}

/* What it sent before may arrive all the same. */
static void restart(int who, const struct label_terms *t, uint64_t seed)
{
    static const struct label_step cancel = {.kind = LS_CANCEL};

    steps.at[0] = cancel;
    steps.n = 1;
    carry_out(who);
    label_init(&agent[who].l, t, seed);
    tell(who);
}

/* Roles change at random, several agents may believe in themselves at once; then calm: one is primary, and its pod says so. */
static void play(uint64_t seed)
{
    static const struct label_terms t = {.others = PODS - 1, .need_word = true, .request_ms = 300, .pause_min_ms = 20,
                                         .pause_max_ms = 200, .check_ms = 2000};

    rng_seed(&chance, seed);
    memset(flights, 0, sizeof flights);
    memset(api, 0, sizeof api);
    for (int i = 0; i < PODS; i++) {
        label_init(&agent[i].l, &t, seed + (uint64_t)i);
        agent[i].version = 0;
        agent[i].is_primary = false;
    }
    for (now_ms = 0; now_ms < 40000; now_ms++) {
        if (now_ms < 20000 && rng_chance(&chance, 5)) {
            int who = (int)rng_below(&chance, PODS);

            agent[who].is_primary = !agent[who].is_primary;
            tell(who);
        }
        if (now_ms == 20000)
            for (int i = 0; i < PODS; i++) {
                agent[i].is_primary = i == 1;
                tell(i);
            }
        if (rng_chance(&chance, 1) && now_ms < 20000)
            restart((int)rng_below(&chance, PODS), &t, seed + (uint64_t)now_ms);
        for (int i = 0; i < FLIGHT_MAX; i++) {
            if (!flights[i].used || flights[i].at > now_ms)
                continue;
            if (flights[i].answered)
                arrive_at_agent(&flights[i]);
            else
                arrive_at_api(&flights[i]);
        }
        for (int i = 0; i < PODS; i++)
            if (label_deadline_ms(&agent[i].l) <= now_ms) {
                label_hear(&agent[i].l, LE_EXPIRED, 0, now_ms, &steps);
                carry_out(i);
            }
    }
    ck_assert_msg(api[1].primary, "seed %llu: pod 1 is primary and does not say so (%s)", (unsigned long long)seed,
                  label_state_name(agent[1].l.state));
}

START_TEST(test_never_two)
{
    for (uint64_t seed = 1; seed <= 200; seed++)
        play(seed);
}
END_TEST

SUITE(label, test_promoted, test_taken_back_at_each_step, test_sentinels_name_another, test_conflicts_then_a_pause,
      test_pauses_grow_and_obey, test_goes_on_where_it_stood, test_looks_again, test_a_restarted_agent, test_leaving, test_no_pod, test_every_pair, test_never_two)
