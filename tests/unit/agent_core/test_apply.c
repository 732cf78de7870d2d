/* The apply table: every pair of state and event, every road through it, and the bounds
 * on time. The shell is played by a few lines that answer each step. */
#include "agent/core/apply.h"
#include "common/base/str.h"
#include "tests/support/suite.h"

#include <string.h>

static const struct apply_terms terms = {.check_ms = 1000, .reload_ms = 2000, .probe_ms = 3000};

/* Steps as words: "stage", "ack:ok", traces left out. */
static void tell(const struct apply_steps *s, struct str *out)
{
    for (unsigned i = 0; i < s->n; i++) {
        if (s->at[i].kind == STEP_TRACE)
            continue;
        str_printf(out, "%s%s", out->len ? " " : "", apply_step_name(s->at[i].kind));
        if (s->at[i].kind == STEP_ACK || s->at[i].kind == STEP_COMMIT)
            str_printf(out, ":%s", ack_status_word(s->at[i].status));
    }
}

/* Feeds events named by letters: w wanted, d done, f failed, p partly, r refused, l lost, x expired, S/W/T/U/C what was left. */
static void play(struct apply *a, const char *events, struct str *out)
{
    static const char letters[] = "wdfprlxSWTUC";

    for (; *events; events++) {
        struct apply_event ev = {(enum apply_event_kind)(strchr(letters, *events) - letters), 1000, "boom"};
        struct apply_steps steps;

        apply_step(a, &ev, &steps);
        tell(&steps, out);
    }
}

static const struct { const char *events, *steps; enum apply_state ends; bool hold, pending; } roads[] = {
    {"wddddd", "stage check swap reload probe commit:ok ack:ok", AP_IDLE, false},
    {"wf", "stage discard ack:swap_failed", AP_IDLE, false},
    {"wdf", "stage check discard ack:check_failed", AP_IDLE, false},
    {"wdx", "stage check discard ack:check_failed", AP_IDLE, false},
    {"wddf", "stage check swap discard ack:swap_failed", AP_IDLE, false},
    {"wddpddd", "stage check swap restore reload probe undone ack:rolled_back", AP_IDLE, false},
    {"wdddfddd", "stage check swap reload restore reload probe undone ack:rolled_back", AP_IDLE, false},
    {"wddddfddd", "stage check swap reload probe restore reload probe undone ack:rolled_back", AP_IDLE, false},
    {"wddddxddd", "stage check swap reload probe restore reload probe undone ack:rolled_back", AP_IDLE, false},
    {"wddddff", "stage check swap reload probe restore ack:rollback_failed", AP_STUCK, false},
    {"wddddfdf", "stage check swap reload probe restore reload ack:rollback_failed", AP_STUCK, false},
    {"wddddfddf", "stage check swap reload probe restore reload probe ack:rollback_failed", AP_STUCK, false},
    {"wddddffwddddd", "stage check swap reload probe restore ack:rollback_failed stage check swap reload probe commit:ok ack:ok", AP_IDLE, false},
    {"wdddf", "stage check swap reload commit:reload_failed ack:reload_failed", AP_IDLE, true},
    {"wddddf", "stage check swap reload probe commit:probe_failed ack:probe_failed", AP_IDLE, true},
    {"wddpddd", "stage check swap restore reload probe undone ack:rolled_back", AP_IDLE, true},
    {"wddddd", "stage check swap reload probe commit:pending_restart ack:pending_restart", AP_IDLE, false, true},
    {"wddr", "stage check swap discard ack:invalid", AP_IDLE, false},
    {"wddl", "stage check swap ack:held", AP_IDLE, false},
    {"wddpl", "stage check swap restore ack:held", AP_IDLE, false},
    {"wdddl", "stage check swap reload ack:held", AP_IDLE, true},
    {"wddddlWdddd", "stage check swap reload probe ack:held check swap reload probe commit:ok ack:ok", AP_IDLE, false},
    {"wddddfdlUddd", "stage check swap reload probe restore reload ack:held restore reload probe undone ack:rolled_back", AP_IDLE, false},
    {"S", "discard", AP_IDLE, false},
    {"Wdddd", "check swap reload probe commit:ok ack:ok", AP_IDLE, false},
    {"Wfddd", "check restore reload probe undone ack:rolled_back", AP_IDLE, false},
    {"Tddd", "restore reload probe undone ack:rolled_back", AP_IDLE, false},
    {"Uddd", "restore reload probe undone ack:rolled_back", AP_IDLE, false},
    {"C", "commit:ok ack:ok", AP_IDLE, false},
};

START_TEST(test_roads)
{
    for (size_t i = 0; i < sizeof roads / sizeof roads[0]; i++) {
        struct apply a;
        struct str out = {0};

        apply_init(&a);
        a.terms = terms;
        a.terms.hold = roads[i].hold;
        a.terms.pending = roads[i].pending;
        play(&a, roads[i].events, &out);
        ck_assert_msg(strcmp(str_c(&out), roads[i].steps) == 0, "%s: %s", roads[i].events, str_c(&out));
        ck_assert_int_eq(a.state, roads[i].ends);
        ck_assert(!apply_is_busy(&a));
        ck_assert_int_eq(apply_deadline_ms(&a), NEVER_MS);
        str_fini(&out);
    }
}
END_TEST

/* Pairs that mean nothing: an answer when nothing is under way, a second application while one is, something left by a
 * crash when the start is over, a half or refused swap of what does not swap, the loss of
 * what is not needed for writing files and running checks. */
static bool means_nothing(enum apply_state s, enum apply_event_kind k)
{
    if (k >= AE_LEFT_STAGED)
        return s != AP_IDLE;
    if (k == AE_WANTED)
        return s != AP_IDLE && s != AP_STUCK;
    if (!apply_waits(s))
        return true;
    if (k == AE_LOST)
        return s == AP_STAGING || s == AP_CHECKING || s == AP_RECHECKING;
    return (k == AE_PARTLY || k == AE_REFUSED) && s != AP_SWAPPING;
}

START_TEST(test_every_pair)
{
    for (int s = 0; s < AP_STATES; s++)
        for (int k = 0; k < AE_KINDS; k++) {
            struct apply_event ev = {(enum apply_event_kind)k, 5, NULL};
            struct apply_steps steps;
            struct apply a;

            ck_assert_msg(apply_has_row((enum apply_state)s, ev.kind) != means_nothing((enum apply_state)s, ev.kind),
                          "%s x %s", apply_state_name((enum apply_state)s), apply_event_name(ev.kind));
            apply_init(&a);
            a.state = (enum apply_state)s;
            a.terms = terms;
            apply_step(&a, &ev, &steps);
            if (means_nothing((enum apply_state)s, ev.kind)) {
                ck_assert_uint_eq(steps.n, 0);
                ck_assert_int_eq(a.state, s);
                continue;
            }
            /* A state that waits has a deadline, one that does not has none. */
            ck_assert(apply_waits(a.state) == (apply_deadline_ms(&a) != NEVER_MS));
            ck_assert_int_eq(steps.at[0].kind, STEP_TRACE);
            ck_assert_int_eq(steps.at[0].to, a.state);
        }
}
END_TEST

START_TEST(test_deadlines_follow_the_terms)
{
    struct apply a;
    struct str out = {0};

    apply_init(&a);
    a.terms = terms;
    play(&a, "wd", &out);
    ck_assert_int_eq(apply_deadline_ms(&a), 1000 + 1000 + 2000);
    play(&a, "dd", &out);
    ck_assert_int_eq(apply_deadline_ms(&a), 1000 + 2000 + 2000);
    play(&a, "d", &out);
    ck_assert_int_eq(apply_deadline_ms(&a), 1000 + 3000 + 2000);
    str_fini(&out);
}
END_TEST

START_TEST(test_reasons_add_up)
{
    struct apply a;
    struct apply_steps steps;
    struct str out = {0};

    apply_init(&a);
    a.terms = terms;
    play(&a, "wddd", &out);
    apply_step(&a, &(struct apply_event){AE_FAILED, 1, "first"}, &steps);
    apply_step(&a, &(struct apply_event){AE_FAILED, 1, "second"}, &steps);
    ck_assert_str_eq(a.why, "first; second");
    apply_step(&a, &(struct apply_event){AE_WANTED, 1, NULL}, &steps);
    ck_assert_str_eq(a.why, "");
    apply_step(&a, &(struct apply_event){AE_EXPIRED, 1, NULL}, &steps);
    ck_assert_str_eq(a.why, "writing took too long");
    str_fini(&out);
}
END_TEST

START_TEST(test_what_a_crash_left)
{
    static const struct { struct leftovers l; enum apply_event_kind is; } cases[] = {
        {{.begun = false, .swapping = true}, AE_KINDS},
        {{.begun = true}, AE_LEFT_STAGED},
        {{.begun = true, .all_new_whole = true}, AE_LEFT_STAGED},
        {{.begun = true, .swapping = true, .all_new_whole = true}, AE_LEFT_WHOLE},
        {{.begun = true, .swapping = true}, AE_LEFT_TORN},
        {{.begun = true, .swapping = true, .undoing = true, .all_new_whole = true}, AE_LEFT_UNDOING},
        {{.begun = true, .swapping = true, .undoing = true, .undone = true}, AE_KINDS},
        {{.begun = true, .swapping = true, .committed = true}, AE_LEFT_COMMITTED},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_int_eq(leftovers_event(&cases[i].l), cases[i].is);
}
END_TEST

START_TEST(test_words_there_and_back)
{
    enum ack_status is = ACK_HELD;

    for (int k = 0; k < ACK_STATUSES; k++) {
        ck_assert(ack_status_from(ack_status_word((enum ack_status)k), &is));
        ck_assert_int_eq(is, k);
    }
    is = ACK_INVALID;
    ck_assert(!ack_status_from("", &is) && !ack_status_from("OK", &is) && !ack_status_from("okay", &is));
    ck_assert_int_eq(is, ACK_INVALID);
}
END_TEST

SUITE(apply, test_roads, test_every_pair, test_deadlines_follow_the_terms, test_reasons_add_up, test_what_a_crash_left, test_words_there_and_back)
