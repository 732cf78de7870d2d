/* The option table type: what a directive is called, what it may be, where it
 * lives, whether it can change while running, and one sentence on what it is for.
 * Config files, --directive arguments, CONFIG GET/SET, --print-docs and the sample
 * file all read the same rows.
 *
 *   { "maxclients", OPT_INT, offsetof(struct kv_options, maxclients), .min = 1, .max = 1000000,
 *     .dflt = "10000", .summary = "How many clients may be connected at once." },
 */
#ifndef KV_TEXT_OPTION_H
#define KV_TEXT_OPTION_H

#include "common/base/err.h"
#include "common/base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum option_type {
    OPT_BOOL,        /* bool; yes|no */
    OPT_INT,         /* int64_t; min..max */
    OPT_SIZE,        /* int64_t bytes; "64mb" */
    OPT_MS,          /* int64_t milliseconds; unit_ms says what a bare number counts */
    OPT_DOUBLE,      /* double */
    OPT_STR,         /* char* (mem_*), NULL when empty and OPT_EMPTY_IS_NULL */
    OPT_WORD,        /* int, one of words[] */
    OPT_PERM,        /* int, octal file mode */
    OPT_CUSTOM,      /* set/get below */
    OPT_IGNORED,     /* known to Redis, only tunes: accepted with one warning, value kept as text nowhere */
    OPT_REFUSED      /* known to Redis, promises something we do not do: "not supported yet".
                        dflt, when given, lists values that promise nothing and are accepted (no, "");
                        a value of several words stands there in quotes ("default on nopass") */
};

enum option_flag {
    OPT_FIXED         = 1 << 0,  /* cannot change while running (CONFIG SET refuses) */
    OPT_SECRET        = 1 << 1,  /* never printed in logs or docs */
    OPT_MULTI         = 1 << 2,  /* may stand on several lines (OPT_CUSTOM only) */
    OPT_HIDDEN        = 1 << 3,  /* works, not in docs */
    OPT_EMPTY_IS_NULL = 1 << 4,
    OPT_PROTECTED     = 1 << 5,  /* CONFIG SET only with enable-protected-configs */
    OPT_NO_REWRITE    = 1 << 6,  /* never written back */
    OPT_ALWAYS_WRITE  = 1 << 7   /* written back even when default */
};

struct option_word { const char *name; int value; };

struct option {
    const char *name;                     /* lower case, as in redis.conf */
    enum option_type type;
    size_t where;                         /* offsetof in the daemon's options struct */
    int64_t min, max;                     /* numbers: both included, OPT_MS in its own unit; both 0 = any
                                             (sizes: any from 0) */
    const char *dflt;                     /* text as in a file; NULL = zero (OPT_STR: ""). OPT_CUSTOM: as get writes it */
    unsigned flags;                       /* enum option_flag */
    const char *alias;                    /* older name, e.g. "slaveof" */
    int64_t unit_ms;                      /* OPT_MS: 1 for ms, 1000 for seconds */
    const struct option_word *words;      /* OPT_WORD: ends with {NULL} */
    /* OPT_CUSTOM. set: argv are the values (without the directive), all or nothing.
     * fresh: this is the first line of a load, earlier values of a multi option are dropped.
     * get: appends the value as one line's words ("save" -> "900 1 300 10").
     * lines: for rewriting, the values of each line, without the directive; NULL = one line from get. */
    int  (*set)(void *base, int argc, const struct slice *argv, bool fresh, struct err *e);
    void (*get)(const void *base, struct str *out);
    void (*lines)(const void *base, void (*line)(void *arg, const char *text), void *arg);
    const char *unit;                     /* for docs: "seconds", "bytes" */
    const char *summary;
};

struct option_table {
    const struct option *rows;
    size_t n;
};

const struct option *option_find(const struct option_table *t, struct slice name);   /* name or alias, case ignored */
/* All defaults into base (fresh memory, zeroed); fails only on a row whose own default is wrong. */
int  option_defaults(const struct option_table *t, void *base, struct err *e);
void option_free(const struct option_table *t, void *base);                          /* the OPT_STR values */
/* One value from text; e names the option, the value and what is allowed. Untouched on failure.
 * ERR_REFUSED for OPT_REFUSED. For OPT_IGNORED returns 0 and sets *ignored (may be NULL). */
int  option_set(const struct option *o, void *base, int argc, const struct slice *argv, bool *ignored, struct err *e);
/* The same for a further line of a multi option: fresh = false keeps what earlier lines said. */
int  option_set_line(const struct option *o, void *base, int argc, const struct slice *argv, bool fresh, bool *ignored,
                     struct err *e);
/* CONFIG SET: one text, which a custom option gets as its words. */
int  option_set_text(const struct option *o, void *base, struct slice text, bool *ignored, struct err *e);
/* The value as it stands in a file: quoted where it must be, sizes with a unit when that is exact. */
void option_get_line(const struct option *o, const void *base, struct str *out);
void option_get(const struct option *o, const void *base, struct str *out);          /* CONFIG GET's text */
bool option_is_default(const struct option *o, const void *base);
/* What the value may be, as the end of a sentence: "yes or no", "a number from 0 to 65535". */
void option_allowed(const struct option *o, struct str *out);
/* Markdown reference, and the annotated sample file. */
void option_markdown(const struct option_table *t, struct str *out);
void option_sample(const struct option_table *t, struct str *out);

#endif
