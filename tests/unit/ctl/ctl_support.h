/* For the suites of this folder: what is printed, gathered; and a node that answers what it is told to, in the
 * same loop as the program under test. */
#ifndef KV_TESTS_CTL_SUPPORT_H
#define KV_TESTS_CTL_SUPPORT_H

#include "common/io/session.h"
#include "sentinel/ctl/ctl.h"

/* From here to heard() what goes to stdout and stderr is kept. */
void listen_to(void);
/* What went to stdout; said(): what went to stderr. Good until the next listen_to(). */
const char *heard(void);
const char *said(void);

/* A command as it comes ("HGET cfglog:files:web 1") and its answer, RESP as it is. Each answers every time. */
struct canned { const char *asked, *answer; };

struct scene {
    struct ctl c;
    struct conn *k;              /* to the node */
    struct resp_server srv;
    struct command_table table;
    const struct canned *answers;
    struct str asked;            /* all that was asked and had an answer, a line each */
};
/* answers ends with {NULL}; what is in none of them is answered with an error. */
void scene_init(struct scene *s, const struct canned *answers);
void scene_fini(struct scene *s);

#endif
