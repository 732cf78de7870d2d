/* Options of kvorumctl: the same for every verb, before, behind and between its words; some
 * also have a variable of the environment, which the command line overrules. */
#ifndef KV_CTL_FLAGS_H
#define KV_CTL_FLAGS_H

#include "sentinel/ctl/ctl.h"

struct flag {
    const char *name, *alias;  /* "-s", "--sentinel"; alias NULL: none */
    const char *arg;           /* what its value is called; NULL: takes none; "=x": only joined, may be left out */
    const char *env;           /* variable of the environment, or NULL */
    const char *summary;
    int (*take)(struct ctl *c, const char *value);      /* "" when none was given; 0, or -1: no such value */
};
extern const struct flag ctl_flags[];
extern const size_t ctl_flags_n;

/* Both return a negative number after a sentence on stderr. What c keeps points into the environment and argv. */
int flags_from_env(struct ctl *c);
/* What is no option goes to words (room for argc of them); returns how many. *help: -h, --help or the first word "help". */
int flags_read(struct ctl *c, int argc, char **argv, char **words, bool *help);

#endif
