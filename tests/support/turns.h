/* A loop that is turned until something holds. */
#ifndef KV_TESTS_TURNS_H
#define KV_TESTS_TURNS_H

#include "common/io/clock.h"
#include "common/io/loop.h"

/* So many turns, none of which sleeps. */
static inline void turn_times(struct loop *l, int n)
{
    for (int i = 0; i < n; i++) {
        loop_again(l);
        loop_run_once(l, true);
    }
}

/* Turns until cond holds; fails the test after ten seconds. */
#define turn_until(l, cond)                                                   \
    do {                                                                      \
        int64_t until_ = clock_mono_ms() + 10000;                             \
        while (!(cond)) {                                                     \
            loop_again(l);                                                    \
            loop_run_once((l), true);                                         \
            ck_assert_msg(clock_mono_ms() < until_, "never: %s", #cond);      \
        }                                                                     \
    } while (0)

#endif
