/* The table of one registration: every pair of state and event, the roads, the lease beside it. */
#include "agent/core/service.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <string.h>

static const struct service_terms terms = {.checked = true, .rise = 2, .fall = 3, .interval_ms = 1000, .ttl_ms = 6000};

/* Pairs that mean nothing: what is held is told by nobody to be held again, only those that drain expire, ... */
static bool means_nothing(enum service_state in, enum service_event_kind on)
{
    switch (on) {
    case VE_EXPIRED:
        return in != SV_HELD && in != SV_DRAINING && in != SV_LEAVING;
    case VE_HOLD:
        return in != SV_UP && in != SV_FALLING;
    case VE_RELEASE:
        return in != SV_HELD;
    case VE_RISEN:
        return in == SV_HELD || in == SV_GONE;
    case VE_GOOD:
    case VE_BAD:
    case VE_FALLEN:
        return in == SV_GONE;
    case VE_STOP:
        return in == SV_LEAVING || in == SV_GONE;
    default:
        return false;
    }
}

START_TEST(test_every_pair)
{
    for (int in = 0; in < SV_STATES; in++)
        for (int on = 0; on < VE_ROWS; on++)
            ck_assert_msg(service_has_row((enum service_state)in, (enum service_event_kind)on) !=
                              means_nothing((enum service_state)in, (enum service_event_kind)on),
                          "%s on %s", service_state_name((enum service_state)in), service_event_name((enum service_event_kind)on));
}
END_TEST

/* g good, b bad, w wait for the deadline, h hold, r release, s stop, c changed, m moved, L lost, B back, d done.
 * Answers: S say, W withdraw, R renew, C check; and the state at the end. */
static const char *play(const char *events)
{
    static char text[400];
    struct service s;
    int64_t now = 1000;
    size_t n = 0;

    service_init(&s, &terms, true, 7, now);
    for (; *events; events++) {
        static const char letters[] = "gbwhrscmLBd";
        static const enum service_event_kind kinds[] = {VE_GOOD, VE_BAD, VE_DUE, VE_HOLD, VE_RELEASE, VE_STOP, VE_CHANGED,
                                                        VE_MOVED, VE_LOST, VE_BACK, VE_DONE};
        struct service_steps steps;

        if (*events == 'w') {
            ck_assert(service_deadline_ms(&s) != NEVER_MS);
            now = ms_max(now, service_deadline_ms(&s));
        }
        service_step(&s, kinds[strchr(letters, *events) - letters], now, &steps);
        for (size_t i = 0; i < steps.n; i++)
            text[n++] = "CSWR"[steps.at[i]];
    }
    snprintf(text + n, sizeof text - n, " %s%s", service_state_name(s.state), service_is_over(&s) ? "." : "");
    return text;
}

static const struct { const char *events, *answer; } roads[] = {
    {"w", "C down"},
    {"wgwg", "CCSR up"},
    {"wb", "CW down"},                         /* what somebody left there speaks for one that is not well */
    {"wbdwb", "CWC down"},
    {"wgb", "CW down"},                        /* second answer counts anew */
    {"wgwgdwb", "CCSRC falling"},
    {"wgwgdwbwg", "CCSRCC up"},
    {"wgwgdwbbb", "CCSRCSR draining"},
    {"wgwgdwbbbgg", "CCSRCSRSR up"},
    {"wgwgds", "CCSRSR leaving"},
    {"wgwgdsw", "CCSRSRW gone"},
    {"wgwgdswd", "CCSRSRW gone."},
    {"ws", "CW gone"},
    {"wgwgdh", "CCSRSR held"},
    {"wgwgdhr", "CCSRSRSR up"},
    {"wgwghgg", "CCSRSR held"},
    {"hwgwg", "CC rising"},                    /* held before it was up: not announced */
    {"hwgwgrwg", "CCCSR up"},
    {"wgwgc", "CCSRSR up"},
    {"wgwgm", "CCSRWC down"},
    {"wgwgsc", "CCSRSRC draining"},
    {"wgwgL", "CCSR up"},
    {"wgwgLB", "CCSRR up"},                    /* renewing compares */
    {"wgwgLbbb", "CCSR draining"},
    {"wgwgLbbbB", "CCSRR draining"},
    {"wgwgLs", "CCSR leaving"},
    {"LwgwgB", "CCR up"},
};

START_TEST(test_roads)
{
    for (size_t i = 0; i < sizeof roads / sizeof roads[0]; i++)
        ck_assert_msg(strcmp(play(roads[i].events), roads[i].answer) == 0, "%s: %s, not %s", roads[i].events,
                      play(roads[i].events), roads[i].answer);
}
END_TEST

START_TEST(test_renewed_at_a_third)
{
    struct service s;
    struct service_steps steps;
    struct service_terms plain = {.rise = 2, .fall = 3, .interval_ms = 1000, .ttl_ms = 6000};
    int64_t now = 0, last = 0;
    int renewals = 0;

    service_init(&s, &plain, true, 3, now);
    service_step(&s, VE_DUE, now, &steps);
    ck_assert_int_eq(s.state, SV_UP);           /* without a check: at once */
    while (now < 600000) {
        now = service_deadline_ms(&s);
        service_step(&s, VE_DUE, now, &steps);
        ck_assert_uint_eq(steps.n, 1);
        ck_assert_int_eq(steps.at[0], STEP_RENEW);
        ck_assert(now - last >= 1800 && now - last <= 2200);
        last = now;
        renewals++;
    }
    ck_assert(renewals > 280);
}
END_TEST

/* Whatever happens: a state that waits has a deadline, what says nothing is withdrawn, what says something is renewed. */
START_TEST(test_at_random)
{
    struct rng g;

    for (uint64_t seed = 1; seed <= 2000; seed++) {
        struct service s;
        int64_t now = 0;

        rng_seed(&g, seed);
        service_init(&s, &terms, rng_chance(&g, 500), seed, now);
        for (int i = 0; i < 200; i++) {
            struct service_steps steps;
            enum service_event_kind kind = (enum service_event_kind)rng_below(&g, VE_KINDS);

            if (kind == VE_RISEN || kind == VE_FALLEN || kind == VE_EXPIRED)
                kind = VE_DUE;
            if (kind == VE_DUE && service_deadline_ms(&s) != NEVER_MS)
                now = ms_max(now, service_deadline_ms(&s));
            service_step(&s, kind, now, &steps);
            for (size_t k = 0; k < steps.n; k++)
                ck_assert(s.live || steps.at[k] == STEP_CHECK_RUN);
            if (s.state == SV_DRAINING || s.state == SV_LEAVING)
                ck_assert(s.until_ms != NEVER_MS);
            if (s.live && service_says(&s) != SAYS_NOTHING)
                ck_assert(service_deadline_ms(&s) <= now + 2200);
            if (s.state != SV_GONE && s.state != SV_LEAVING)
                ck_assert(s.checking || service_deadline_ms(&s) != NEVER_MS);
        }
    }
}
END_TEST

SUITE(service, test_every_pair, test_roads, test_renewed_at_a_third, test_at_random)
