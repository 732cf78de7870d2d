/* `sim --formed`: many seeds of formed groups, one told in detail, or the bugs on purpose. */
#include "tests/sim/ha_main.h"

#include "common/base/num.h"
#include "tests/sim/ha_sim.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum plant kv_plant = PLANT_NONE;

#define CALM_WITHIN_US (30000 * (int64_t)HS_MS)

struct options {
    int64_t seeds, from, seed, bound;
    bool trace, plants, verbose, keep_on, story, loaded;
    const char *plant;
};

static int usage(void)
{
    fputs("usage: sim --formed [--seeds N] [--from S] [--seed S] [--trace] [--verbose] [--keep-on] [--plant NAME [--story]] [--plants] [--bound N] [--loaded]\n"
          "  --seeds N     play N runs of a formed group, each from its seed; --from S: the first of them (1)\n"
          "  --seed S      play only this one; --trace tells it on standard error\n"
          "  --keep-on     do not stop after ten failures\n"
          "  --plant NAME  with this bug in it\n"
          "  --story       with --plant NAME and --seed S: that bug's own course of events instead of a random one\n"
          "  --plants      for each bug (or only --plant NAME): its story, or how many seeds until it is caught, at most --bound (2000)\n"
          "  --loaded      how long failovers take while every process wakes late and saves take long; --seeds N of each kind (100)\n", stderr);
    return 2;
}

/* The bugs' names and what they are, as plant.h has them. */
static const struct {
    const char *name, *text;
} plants[] = {
    {"NONE", "no bug"},
#define ROW(name, text) {#name, text},
    PLANTS(ROW)
#undef ROW
};

static struct hs_world world;

/* The course of events for this bug; the seed decides only how long each message takes. */
static bool play_story(const struct hs_story *story, uint64_t seed, bool trace)
{
    struct hs_world *w = &world;
    struct hs_scene sc;

    memset(&sc, 0, sizeof sc);
    story->scene(&sc);
    hs_begin(w, seed, &sc);
    w->trace = trace;
    story->play(w);
    hs_end(w);
    return !w->violation[0];
}

static bool play(uint64_t seed, bool trace, struct hs_tally *sum)
{
    struct hs_world *w = &world;
    struct hs_scene sc;
    const char *lacks = "", *excuse = NULL;
    int64_t begin_us, look_us = 0, force_us = INT64_MAX, until_us;

    hs_scene(seed, &sc);
    hs_begin(w, seed, &sc);
    w->trace = trace;
    hs_trace(w, "%d voters, %d spare, %d nodes, %d members, %s%s, k %d, %s, %s%s%s%s%s", sc.voters, sc.spares, sc.nodes, sc.members,
             ha_mode_name(sc.mode), sc.fsync ? "+fsync" : "", sc.k, sc.formed ? "formed" : sc.cold ? "to be formed from fenced nodes" : "to be formed", sc.memory_only ? "memory only, " : "",
             sc.bad_clocks ? "bad clocks, " : "", sc.amnesia ? "amnesia, " : "", sc.changes ? "changes, " : "", sc.handovers ? "hand-overs" : "");
    begin_us = rng_between(&w->rng, 200, 2500) * HS_MS;
    while (w->now_us < begin_us && hs_next(w))
        continue;
    hs_chaos_begin(w);
    while (w->now_us < begin_us + sc.chaos_us && hs_next(w))
        continue;
    if (!w->violation[0])
        hs_chaos_heal(w);
    until_us = w->healed_us + CALM_WITHIN_US;
    while (!w->violation[0] && hs_next(w)) {
        if (w->now_us < look_us)
            continue;
        look_us = w->now_us + 20 * HS_MS;
        if (w->now_us > force_us) {
            hs_chaos_force(w, hs_judge_excuse(w));
            force_us = w->now_us + (w->forced_so_often % 3 == 2 ? 300 : 3000) * HS_MS;
        }
        if (hs_judge_calm(w, &lacks)) {
            w->t.calm++;
            w->t.calm_ms = (uint64_t)(w->now_us - w->healed_us) / HS_MS;
            break;
        }
        if (w->now_us > until_us) {
            excuse = force_us == INT64_MAX ? hs_judge_excuse(w) : NULL;
            if (excuse) {              /* nobody but an operator can know what that lost */
                hs_trace(w, "THE OPERATOR FORCES: %s", excuse);
                w->t.excused++;
                force_us = w->now_us;
                until_us = w->now_us + CALM_WITHIN_US;
                continue;
            }
            w->stuck = true;
            hs_violation(w, "no calm %lld ms after %s: %s", (long long)CALM_WITHIN_US / HS_MS,
                         force_us == INT64_MAX ? "healing" : "an operator's force", lacks);
            break;
        }
    }
    if (sum) {
        uint64_t *to = (uint64_t *)(void *)sum;
        const uint64_t *from = (const uint64_t *)(const void *)&w->t;
        for (size_t i = 0; i < sizeof *sum / sizeof *to; i++)
            to[i] += from[i];
    }
    hs_end(w);
    return !w->violation[0];
}

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The rooms check themselves and abort: the seed must be known then. */
static void says_seed(int sig)
{
    char text[64];
    int n = snprintf(text, sizeof text, "sim: aborted in seed %llu\n", (unsigned long long)world.seed);

    if (write(STDERR_FILENO, text, (size_t)n) < 0)
        _exit(2);
    signal(sig, SIG_DFL);
    raise(sig);
}

/* Each bug in a process of its own, for a room's own CHECK may be what catches it. */
struct shared {
    int64_t seed;
    bool caught, by_story, story_lies;
    char violation[sizeof world.violation];
};

#define STORY_SEEDS 10

/* Its story first, then random walks. */
static void find(const struct options *o, int64_t bound, struct shared *sh, enum plant planted)
{
    const struct hs_story *story = hs_story(planted);

    for (sh->seed = 1; story && sh->seed <= STORY_SEEDS; sh->seed++) {
        kv_plant = planted;
        sh->by_story = !play_story(story, (uint64_t)sh->seed, false);
        memcpy(sh->violation, world.violation, sizeof sh->violation);
        kv_plant = PLANT_NONE;
        if (!play_story(story, (uint64_t)sh->seed, false)) {
            memcpy(sh->violation, world.violation, sizeof sh->violation);
            sh->story_lies = true;
            return;
        }
        if (sh->by_story) {
            sh->caught = true;
            return;
        }
    }
    for (sh->seed = o->from; sh->seed < o->from + bound && !sh->caught; sh->seed++) {
        kv_plant = planted;
        if (play((uint64_t)sh->seed, false, NULL) || world.stuck)          /* standing still is not what these bugs are about */
            continue;
        memcpy(sh->violation, world.violation, sizeof sh->violation);
        kv_plant = PLANT_NONE;         /* a seed that fails without the bug says nothing about it */
        sh->caught = play((uint64_t)sh->seed, false, NULL) || world.stuck;
    }
    sh->seed -= sh->caught;
}

static void play_plant(const struct options *o, int64_t bound, struct shared *sh)
{
    enum plant planted = kv_plant;
    pid_t pid;
    int status;

    memset(sh, 0, sizeof *sh);
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        signal(SIGABRT, SIG_DFL);
        if (!freopen("/dev/null", "w", stderr))
            _exit(2);
        find(o, bound, sh, planted);
        _exit(0);
    }
    if (pid < 0 || waitpid(pid, &status, 0) < 0) {
        perror("sim: fork");
        exit(2);
    }
    if (WIFSIGNALED(status)) {
        sh->caught = true;
        snprintf(sh->violation, sizeof sh->violation, "a room's own check (signal %d)", WTERMSIG(status));
    }
}

static int play_plants(const struct options *o)
{
    int missed = 0;
    int64_t bound = o->bound > 0 ? o->bound : 2000;
    struct shared *sh = mmap(NULL, sizeof *sh, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (sh == MAP_FAILED) {
        perror("sim: mmap");
        return 2;
    }
    for (int i = 1; i < PLANT_COUNT; i++) {
        double start = seconds();
        if (o->plant && strcmp(o->plant, plants[i].name) != 0)
            continue;
        kv_plant = (enum plant)i;
        play_plant(o, bound, sh);
        if (sh->story_lies) {
            printf("%-24s ITS STORY BREAKS WITHOUT THE BUG (story seed %lld): %s\n", plants[i].name, (long long)sh->seed, sh->violation);
            missed++;
        } else if (sh->by_story) {
            printf("%-24s caught by its story,    %5.1f s: story seed %lld: %s\n", plants[i].name, seconds() - start, (long long)sh->seed,
                   sh->violation);
        } else if (sh->caught) {
            printf("%-24s caught after %5lld seeds, %5.1f s: seed %lld: %s\n", plants[i].name, (long long)(sh->seed - o->from + 1),
                   seconds() - start, (long long)sh->seed, sh->violation);
        } else {
            printf("%-24s NOT CAUGHT in %lld seeds, %.1f s (%s)\n", plants[i].name, (long long)bound, seconds() - start, plants[i].text);
            missed++;
        }
    }
    munmap(sh, sizeof *sh);
    kv_plant = PLANT_NONE;
    printf("%d of %d bugs on purpose caught\n", PLANT_COUNT - 1 - missed, PLANT_COUNT - 1);
    return missed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static void summary(const struct hs_tally *t, int64_t n, int bad, double took)
{
#define N(x) ((unsigned long long)t->x)
    printf("formed groups: seeds %lld, events %llu, steps %llu\n", (long long)n, N(events), N(steps));
    printf("elections %llu, epochs opened %llu, hand-overs asked %llu, changes asked %llu, tails fetched %llu\n", N(elections), N(opened), N(handovers),
           N(changes), N(fetches));
    printf("kills %llu, power cuts %llu, pauses %llu, cuts %llu, memories lost %llu, saves %llu, failed %llu\n", N(kills), N(powers), N(pauses),
           N(cuts), N(amnesias), N(saves), N(save_fails));
    printf("messages dropped %llu, doubled %llu, late %llu; roll-backs %llu, full copies %llu\n", N(dropped), N(doubled), N(late), N(rolled_back),
           N(full_copies));
    printf("writes %llu, acknowledged %llu, unconfirmed %llu, refused %llu, reads %llu\n", N(writes), N(acked), N(unconfirmed), N(refused), N(reads));
    printf("SIGTERM %llu, forced by an operator %llu (confirmed entries given up %llu), dissolved %llu; async: %llu told, %llu of them lost\n",
           N(left), N(forced), N(forced_lost), N(dissolved), N(async_told), N(async_lost));
    printf("primaries named by an operator %llu, groups dissolved without some %llu\n", N(named), N(by_force));
    printf("calm after healing: %llu runs, %.1f s on average; %llu not without an operator's FORCE (memories lost)\n", N(calm),
           t->calm ? (double)t->calm_ms / (double)t->calm / 1000 : 0, N(excused));
    printf("%lld passed, %d failed, %.1f seeds per second\n", (long long)n - bad, bad, took > 0 ? (double)n / took : 0);
#undef N
}

static bool number(const char *text, int64_t *out) { return text && num_i64_in(text, strlen(text), 0, INT64_MAX, out); }

static bool parse(int argc, char **argv, struct options *o)
{
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i], *v = i + 1 < argc ? argv[i + 1] : NULL;
        int64_t *to = strcmp(a, "--seeds") == 0 ? &o->seeds : strcmp(a, "--from") == 0 ? &o->from : strcmp(a, "--seed") == 0 ? &o->seed
                    : strcmp(a, "--bound") == 0 ? &o->bound : NULL;
        if (to) {
            if (!number(v, to))
                return false;
            i++;
        } else if (strcmp(a, "--plant") == 0 && v) {
            o->plant = v;
            i++;
        } else if (strcmp(a, "--trace") == 0) {
            o->trace = true;
        } else if (strcmp(a, "--verbose") == 0) {
            o->verbose = true;
        } else if (strcmp(a, "--keep-on") == 0) {
            o->keep_on = true;
        } else if (strcmp(a, "--story") == 0) {
            o->story = true;
        } else if (strcmp(a, "--loaded") == 0) {
            o->loaded = true;
        } else if (strcmp(a, "--plants") == 0) {
            o->plants = true;
        } else if (strcmp(a, "--formed") != 0) {
            return false;
        }
    }
    return true;
}

int ha_main(int argc, char **argv)
{
    struct options o = {.from = 1, .seed = -1};
    struct hs_tally sum = {0};
    double start = seconds();
    int64_t n = 0;
    int bad = 0;

    if (!parse(argc, argv, &o) || (o.seeds == 0 && o.seed < 0 && !o.plants && !o.loaded))
        return usage();
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGABRT, says_seed);
    if (o.plants)
        return play_plants(&o);
    if (o.loaded)
        return ha_loaded(&world, o.seed >= 0 ? o.seed : o.from, o.seed >= 0 ? 1 : o.seeds > 0 ? o.seeds : 100, o.trace);
    for (int i = 1; o.plant && i < PLANT_COUNT; i++)
        if (strcmp(plants[i].name, o.plant) == 0)
            kv_plant = (enum plant)i;
    if (o.plant && kv_plant == PLANT_NONE) {
        fprintf(stderr, "sim: no bug is called %s\n", o.plant);
        return 2;
    }
    if (o.story && (!hs_story(kv_plant) || o.seed < 0)) {
        fputs("sim: --story needs --seed S and a bug that has a story (--plant NAME)\n", stderr);
        return 2;
    }
    if (o.story) {
        bool kept = play_story(hs_story(kv_plant), (uint64_t)o.seed, o.trace);
        printf("%s\n", kept ? "every promise was kept" : world.violation);
        return kept ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    if (o.seed >= 0) {
        o.from = o.seed;
        o.seeds = 1;
    }
    for (int64_t s = o.from; s < o.from + o.seeds && (bad < 10 || o.keep_on); s++, n++) {
        bool ok = play((uint64_t)s, o.trace, &sum);
        if (o.verbose || !ok)
            printf("%s seed %lld%s%s\n", ok ? "passed" : "VIOLATION", (long long)s, ok ? "" : ": ", world.violation);
        bad += !ok;
    }
    summary(&sum, n, bad, seconds() - start);
    return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
