/* How long a formed group has no primary while the machine is busy: every process wakes up late,
 * every save takes its time, and the primary is killed, or stops, again and again. Nothing is lost
 * on the way and no clock drifts: what is measured is how elections bear delay. */
#include "tests/sim/ha_main.h"
#include "tests/sim/ha_sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAILOVERS 4                    /* of each seed */
#define LIMIT_US (60000 * (int64_t)HS_MS)

/* How busy: wake-ups come up to so much late, saves take so long. */
static const struct level {
    const char *name;
    int64_t wake_us, save_min_us, save_max_us;
    int64_t most_ms[2];                /* kill, stop: nine of ten failovers must be over by then */
} levels[] = {
    {"calm",        0,             100,         2 * HS_MS,   {80,   1200}},
    {"busy",        20 * HS_MS,    HS_MS,       20 * HS_MS,  {350,  1400}},
    {"busier",      60 * HS_MS,    5 * HS_MS,   60 * HS_MS,  {900,  2000}},
    {"slow disk",   5 * HS_MS,     100 * HS_MS, 400 * HS_MS, {1600, 2800}},
    {"overloaded",  150 * HS_MS,   20 * HS_MS,  200 * HS_MS, {2500, 3500}},
};
#define LEVELS (sizeof levels / sizeof levels[0])

struct figures {
    int64_t *us;
    size_t n;
    uint64_t elections, never;
};

static void scene_of(const struct level *l, struct hs_scene *sc)
{
    memset(sc, 0, sizeof *sc);
    sc->voters = sc->nodes = sc->members = 3;
    sc->mode = HA_STRICT;
    sc->k = 1;
    sc->formed = true;
    sc->backlog = 100000;
    ha_timing_from_down_after(1000, &sc->timing);
    sc->wake_us = l->wake_us;
    sc->save_min_us = l->save_min_us;
    sc->save_max_us = l->save_max_us;
}

static bool until_calm(struct hs_world *w)
{
    int64_t end_us = w->now_us + LIMIT_US, look_us = 0;
    const char *lacks = "";

    w->healed_us = w->now_us;
    w->acked_at_heal = w->t.acked;
    while (w->now_us < end_us && hs_next(w)) {
        if (w->now_us < look_us)
            continue;
        look_us = w->now_us + 50 * HS_MS;
        if (hs_judge_calm(w, &lacks))
            return true;
    }
    hs_trace(w, "no calm: %s", lacks);
    return false;
}

/* One failover: from the fault to the first answered write. */
static bool fail_over(struct hs_world *w, bool stop, struct figures *f)
{
    int64_t since_us, end_us;
    uint64_t acked, elections = w->t.elections;
    struct hs_proc *p;

    end_us = w->now_us + rng_between(&w->rng, 50, 400) * HS_MS;
    while (w->now_us < end_us && hs_next(w))
        continue;
    p = hs_primary(w);
    if (!p)
        return false;
    if (stop)
        hs_pause(w, p, 5000 * HS_MS);
    else
        hs_kill(w, p, false, 5000 * HS_MS);
    since_us = w->now_us;
    acked = w->t.acked;
    end_us = w->now_us + LIMIT_US;
    while (w->now_us < end_us && w->t.acked == acked && hs_next(w))
        continue;
    if (w->t.acked == acked)
        f->never++;
    f->us[f->n++] = w->now_us - since_us;
    f->elections += w->t.elections - elections;
    hs_trace(w, "FAILOVER took %lld ms, %llu elections", (long long)(w->now_us - since_us) / HS_MS,
             (unsigned long long)(w->t.elections - elections));
    return until_calm(w);
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static double ms(const struct figures *f, unsigned percent)
{
    size_t at = f->n * percent / 100;

    return f->n ? (double)f->us[at < f->n ? at : f->n - 1] / HS_MS : 0;
}

static bool play_level(struct hs_world *w, const struct level *l, bool stop, int64_t from, int64_t seeds, bool trace)
{
    struct figures f = {.us = calloc((size_t)seeds * FAILOVERS, sizeof *f.us)};
    const char *why = "";
    struct hs_scene sc;
    bool fine = f.us != NULL;

    scene_of(l, &sc);
    for (int64_t s = from; fine && s < from + seeds; s++) {
        hs_begin(w, (uint64_t)s, &sc);
        w->trace = trace;
        for (int i = 0; i < FAILOVERS && (i > 0 || until_calm(w)); i++)
            if (!fail_over(w, stop, &f))
                break;
        if (w->violation[0]) {
            printf("VIOLATION seed %lld: %s\n", (long long)s, w->violation);
            fine = false;
        }
        hs_end(w);
    }
    if (f.n > 0)
        qsort(f.us, f.n, sizeof *f.us, by_value);
    if (f.never > 0 || f.n < (size_t)seeds || ms(&f, 90) > (double)l->most_ms[stop]) {
        fine = false;
        why = "  TOO LONG";
    }
    printf("%-12s %-5s %6zu failovers: p50 %6.0f  p90 %6.0f  p99 %6.0f  most %6.0f ms; %.2f ballots each, %llu without end%s\n", l->name,
           stop ? "stop" : "kill", f.n, ms(&f, 50), ms(&f, 90), ms(&f, 99), ms(&f, 100), f.n ? (double)f.elections / (double)f.n : 0,
           (unsigned long long)f.never, why);
    free(f.us);
    return fine;
}

int ha_loaded(struct hs_world *w, int64_t from, int64_t seeds, bool trace)
{
    bool fine = true;

    for (size_t i = 0; i < LEVELS; i++)
        for (int stop = 0; stop < 2; stop++)
            fine &= play_level(w, &levels[i], stop, from, seeds, trace);
    return fine ? EXIT_SUCCESS : EXIT_FAILURE;
}
