/* Stories: hand-written runs on a network without chance. Each sets the scene, breaks
 * something, and compares what is told with what was told when a person last read it.
 *
 *     STORY(crash_of_the_primary, 3, 3)
 *     {
 *         story_kill(w, "n1");
 *         story_wait(w, 2000);
 *         story_expect(w, "[     0] n1  is killed\n" ...);
 *     }
 *
 * Time is told from the moment the scene is set. */
#ifndef KV_SIM_STORIES_H
#define KV_SIM_STORIES_H

#include "tests/sim/faults.h"
#include "tests/sim/story.h"
#include "tests/sim/world.h"

struct story_play {
    const char *name;
    int sentinels, nodes;
    void (*play)(struct world *w);
    struct story_play *next;
};
void stories_add(struct story_play *s);
int  stories_main(bool list, const char *only, bool trace);

#define STORY(title, n_sentinels, n_nodes)                                                        \
    static void play_##title(struct world *w);                                                   \
    static void __attribute__((constructor)) add_##title(void)                                   \
    {                                                                                            \
        static struct story_play s = {#title, n_sentinels, n_nodes, play_##title, NULL};         \
        stories_add(&s);                                                                         \
    }                                                                                            \
    static void play_##title(struct world *w)

/* What a story does. Names are those of processes: s1.. sentinels, n1.. nodes. */
void story_wait(struct world *w, int64_t ms);
void story_kill(struct world *w, const char *name);
void story_start(struct world *w, const char *name);
void story_hang(struct world *w, const char *name, int64_t for_ms);    /* NEVER_MS: until story_thaw */
void story_wait_us(struct world *w, int64_t us);
void story_failover(struct world *w, const char *sentinel);            /* an operator's order */
void story_break_disk(struct world *w, const char *sentinel, bool broken);
void story_next_save(struct world *w, const char *sentinel, enum save_fate fate);
void story_same_rank(struct world *w);                                 /* nobody bids earlier than the others */
void story_thaw(struct world *w, const char *name);
void story_power(struct world *w, const char *name, bool on);
/* Nothing passes between the two lists, in both directions; or only from the first to the second. */
void story_cut(struct world *w, const char *left, const char *right);
void story_cut_one_way(struct world *w, const char *from, const char *to);
void story_reject(struct world *w, const char *from, const char *to);   /* a firewall that resets */
void story_heal(struct world *w);

void story_expect(struct world *w, const char *told);
/* Facts, for what need not be told word by word. */
void story_check(struct world *w, bool fact, const char *what);
bool story_is_primary(struct world *w, const char *name);
bool story_follows(struct world *w, const char *name, const char *primary);
const char *story_until_promotion(struct world *w);                    /* waits; the replica that is ordered to be primary */
const char *story_named_by(struct world *w, const char *sentinel);     /* whom it names as primary */

#endif
