/* The run as text, one line per thing worth telling:
 *
 *     [ 8100] s3  +odown n1 #quorum 2/2
 *
 * Time is in true milliseconds. Nothing is formatted unless somebody listens. */
#ifndef KV_SIM_STORY_H
#define KV_SIM_STORY_H

#include "tests/sim/world.h"

#include <stdarg.h>

struct action;

void story_line(struct world *w, const char *who, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void story_news(struct world *w, struct proc *p, const struct action *a);   /* ACT_EVENT, ACT_TRACE */

#define story_on(w) ((w)->telling || (w)->tracing)
#define story_tell(w, p, ...)                          \
    do {                                               \
        if (story_on(w))                               \
            story_line((w), (p)->name, __VA_ARGS__);   \
    } while (0)
#define story_note(w, ...)                             \
    do {                                               \
        if (story_on(w))                               \
            story_line((w), "--", __VA_ARGS__);        \
    } while (0)

#endif
