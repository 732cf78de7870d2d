/* The simulator's door: many seeds, one seed in detail, or the stories.
 *
 *     sim --seeds 2000              seeds 1..2000, and the ones that once failed before them
 *     sim --seed 17 --trace         one seed, told line by line on standard error
 *     sim --formed --seeds 2000     the same for formed groups (ha_sim.h)
 *     sim --stories                 the hand-written stories; --story NAME prints one as it goes
 *
 * Ends with a summary of what happened; exit 1 when a rule was broken, naming the seed. */
#include "common/base/num.h"
#include "tests/sim/faults.h"
#include "tests/sim/ha_main.h"
#include "tests/sim/judge.h"
#include "tests/sim/run.h"
#include "tests/sim/stories.h"
#include "tests/sim/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define KNOWN_SEEDS "tests/sim/seeds.txt"     /* played first when we stand at the top of the tree */

struct options {
    int64_t seeds, from, seed;
    const char *story, *seeds_file;
    bool stories, verbose, trace, list;
};

static int usage(void)
{
    fputs("usage: sim [--seeds N] [--from S] [--seed S] [--seeds-file FILE] [--stories] [--story NAME]\n"
          "           [--list] [--verbose] [--trace] [--by-consequence]\n"
          "  --seeds N         play N worlds, each from its seed\n"
          "  --from S          the first of them (1)\n"
          "  --seed S          play only this one\n"
          "  --seeds-file F    one seed per line, played first (tests/sim/seeds.txt if it is there)\n"
          "  --stories         play the hand-written stories and compare what is told\n"
          "  --story NAME      play one and print what is told\n"
          "  --list            names of the stories\n"
          "  --verbose         one line per seed\n"
          "  --trace           everything that happens, on standard error\n"
          "  --by-consequence  judge only what sentinels say and do, not what is on their disks\n"
          "  --formed ...      formed groups; see sim --formed\n", stderr);
    return 2;
}

static void add(struct tally *sum, const struct tally *t)
{
    uint64_t *to = (uint64_t *)(void *)sum;
    const uint64_t *from = (const uint64_t *)(const void *)t;

    _Static_assert(sizeof *sum % sizeof *to == 0, "a tally is numbers only");
    uint64_t longest = sum->calm_max_ms > t->calm_max_ms ? sum->calm_max_ms : t->calm_max_ms;
    for (size_t i = 0; i < sizeof *sum / sizeof *to; i++)
        to[i] += from[i];
    sum->calm_max_ms = longest;
}

static bool play(uint64_t seed, const struct options *o, struct tally *sum)
{
    struct run_result r;

    run_seed(seed, o->trace, &r);
    add(sum, &r.tally);
    if (o->verbose)
        printf("seed %llu: %s, %lld s, calm after %llu ms, %llu events, %llu elections, %llu failovers, %llu crashes, %llu cuts%s%s\n",
               (unsigned long long)seed, r.scene, (long long)(r.tally.virtual_us / 1000000),
               (unsigned long long)r.tally.calm_max_ms, (unsigned long long)r.tally.events, (unsigned long long)r.tally.elections, (unsigned long long)r.tally.failovers,
               (unsigned long long)(r.tally.crashes + r.tally.power_cuts), (unsigned long long)r.tally.cuts,
               r.violation[0] ? ": " : "", r.violation);
    if (!r.violation[0])
        return true;
    printf("VIOLATION seed %llu (%s)\n  %s\n  replay: sim --seed %llu --trace\n", (unsigned long long)seed, r.scene,
           r.violation, (unsigned long long)seed);
    return false;
}

/* The seeds that once failed: first word of each line; `#` begins a comment. */
static int play_known(const struct options *o, struct tally *sum, int *bad)
{
    char line[256];
    int n = 0;
    FILE *f = fopen(o->seeds_file, "r");

    if (!f) {
        fprintf(stderr, "sim: cannot read %s\n", o->seeds_file);
        exit(2);
    }
    while (fgets(line, sizeof line, f)) {
        char *end;
        uint64_t seed = strtoull(line, &end, 10);
        if (end == line)
            continue;
        n++;
        *bad += !play(seed, o, sum);
    }
    fclose(f);
    return n;
}

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void summary(const struct tally *t, int64_t n, int bad, double took)
{
#define N(x) ((unsigned long long)t->x)
    printf("seeds %lld, virtual time %.1f h, events %llu, core steps %llu\n", (long long)n,
           (double)t->virtual_us / 3.6e9, N(events), N(steps));
    printf("elections %llu, votes %llu, split or failed %llu, failovers %llu (leaders by evidence %llu), vetoes %llu, a longer copy left behind %llu, hand-overs ordered %llu, seals ordered %llu\n", N(elections),
           N(votes), N(split_votes), N(failovers), N(fast_failovers), N(vetoes),
           N(shorter), N(handovers), N(seals));
    printf("crashes %llu, power cuts %llu, restarts %llu, freezes %llu, clock jumps %llu\n", N(crashes), N(power_cuts),
           N(restarts), N(freezes), N(jumps));
    printf("cuts %llu, packets lost %llu, duplicates %llu\n", N(cuts), N(losses), N(duplicates));
    printf("saves %llu, failed %llu, lost in a crash %llu\n", N(saves), N(saves_failed), N(saves_lost));
    printf("writes acknowledged %llu turns, writes lost %llu\n", N(writes), N(writes_lost));
    printf("drills %llu; new primary agreed after a kill with evidence: %.0f ms on average (%llu), otherwise down-after + %.0f ms (%llu)\n",
           N(drills), N(fast_outages) ? (double)t->fast_outage_sum_ms / (double)t->fast_outages : 0, N(fast_outages),
           N(outages) ? (double)t->outage_sum_ms / (double)t->outages : 0, N(outages));
    printf("calm after healing: %.1f s on average, %.1f s at most\n",
           N(calms) ? (double)t->calm_sum_ms / (double)t->calms / 1000 : 0, (double)t->calm_max_ms / 1000);
    printf("%lld passed, %d failed, %.0f seeds per second\n", (long long)n - bad, bad, took > 0 ? (double)n / took : 0);
#undef N
}

static bool number(const char *text, int64_t *out)
{
    return text && num_i64_in(text, strlen(text), 0, INT64_MAX, out);
}

static bool parse(int argc, char **argv, struct options *o)
{
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i], *v = i + 1 < argc ? argv[i + 1] : NULL;
        bool takes = true;
        if (strcmp(a, "--seeds") == 0) {
            if (!number(v, &o->seeds))
                return false;
        } else if (strcmp(a, "--from") == 0) {
            if (!number(v, &o->from))
                return false;
        } else if (strcmp(a, "--seed") == 0) {
            if (!number(v, &o->seed))
                return false;
        } else if (strcmp(a, "--seeds-file") == 0 && v) {
            o->seeds_file = v;
        } else if (strcmp(a, "--story") == 0 && v) {
            o->story = v;
        } else {
            takes = false;
            if (strcmp(a, "--stories") == 0)
                o->stories = true;
            else if (strcmp(a, "--verbose") == 0)
                o->verbose = true;
            else if (strcmp(a, "--trace") == 0)
                o->trace = true;
            else if (strcmp(a, "--list") == 0)
                o->list = true;
            else if (strcmp(a, "--by-consequence") == 0)
                judge_by_consequence = true;
            else
                return false;
        }
        i += takes;
    }
    return true;
}

int main(int argc, char **argv)
{
    struct options o = {.from = 1, .seed = -1};
    struct tally sum = {0};
    double start = seconds();
    int64_t n = 0;
    int bad = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 1 && strcmp(argv[1], "--formed") == 0)
        return ha_main(argc, argv);
    if (argc < 2 || !parse(argc, argv, &o))
        return usage();
    if (o.list || o.story || o.stories)
        return stories_main(o.list, o.story, o.trace);
    if (o.seed >= 0) {
        bad += !play((uint64_t)o.seed, &o, &sum);
        n = 1;
    } else {
        if (!o.seeds_file && o.seeds > 0 && access(KNOWN_SEEDS, R_OK) == 0)
            o.seeds_file = KNOWN_SEEDS;
        if (o.seeds_file)
            n += play_known(&o, &sum, &bad);
        for (int64_t s = o.from; s < o.from + o.seeds && bad < 10; s++, n++)
            bad += !play((uint64_t)s, &o, &sum);
    }
    summary(&sum, n, bad, seconds() - start);
    return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
