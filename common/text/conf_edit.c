/* Applying configuration texts and command lines: lines into words, words into options,
 * and where it went wrong. Rewriting is conf_rewrite.c's. */
#include "common/text/conf_edit.h"

#include "common/base/mem.h"
#include "common/text/conf_lex.h"

#include <stdio.h>
#include <string.h>

#define NAME_MAX_KEPT 64

void conf_source_init(struct conf_source *s, const struct option_table *t, void *base)
{
    *s = (struct conf_source){.options = t, .base = base};
    dict_init(&s->seen);
}

void conf_source_fini(struct conf_source *s)
{
    dict_fini(&s->seen, NULL);
}

/* ---- the nearest known name ---- */

/* Letters to change, add, drop or swap to make b of a; both short. */
static int distance(const char *a, size_t n, const char *b, size_t m)
{
    int row[3][NAME_MAX_KEPT + 1];

    for (size_t j = 0; j <= m; j++)
        row[0][j] = (int)j;
    for (size_t i = 1; i <= n; i++) {
        int *now = row[i % 3], *before = row[(i + 2) % 3], *earlier = row[(i + 1) % 3];

        now[0] = (int)i;
        for (size_t j = 1; j <= m; j++) {
            int best = before[j - 1] + (a[i - 1] != b[j - 1]);

            if (before[j] + 1 < best)
                best = before[j] + 1;
            if (now[j - 1] + 1 < best)
                best = now[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && earlier[j - 2] + 1 < best)
                best = earlier[j - 2] + 1;
            now[j] = best;
        }
    }
    return row[n % 3][m];
}

static void consider(const char *name, const char *asked, size_t n, const char **best, int *best_at)
{
    size_t m = name ? strlen(name) : 0;
    int d;

    if (m == 0 || m > NAME_MAX_KEPT)
        return;
    d = distance(asked, n, name, m);
    if (d < *best_at) {
        *best = name;
        *best_at = d;
    }
}

static const char *nearest(const struct option_table *t, const char *asked, size_t n)
{
    const char *best = NULL;
    int best_at = (int)(n / 3 + 1) + 1;         /* up to a third of the letters, and one, may be wrong */

    if (n == 0 || n > NAME_MAX_KEPT)
        return NULL;
    for (size_t i = 0; i < t->n; i++) {
        if (t->rows[i].flags & OPT_HIDDEN)
            continue;
        consider(t->rows[i].name, asked, n, &best, &best_at);
        consider(t->rows[i].alias, asked, n, &best, &best_at);
    }
    return best;
}

static int unknown(const struct option_table *t, struct slice name, struct err *e)
{
    char low[NAME_MAX_KEPT];
    size_t n = name.len < sizeof low ? name.len : sizeof low;
    const char *like;

    for (size_t i = 0; i < n; i++)
        low[i] = name.p[i] >= 'A' && name.p[i] <= 'Z' ? (char)(name.p[i] + 32) : name.p[i];
    like = name.len <= sizeof low ? nearest(t, low, n) : NULL;
    if (like)
        return err_set(e, ERR_UNKNOWN, "'%.*s' is not a known directive; did you mean '%s'?", (int)n, name.p, like);
    return err_set(e, ERR_UNKNOWN, "'%.*s' is not a known directive; --print-docs lists those that are", (int)n, name.p);
}

/* ---- one directive ---- */

static int apply_include(struct conf_source *s, int argc, const struct slice *argv, struct err *e)
{
    if (!s->include)
        return err_set(e, ERR_REFUSED, "'include' is not allowed here");
    if (argc < 2)
        return err_set(e, ERR_FORMAT, "'include' needs the name of a file");
    for (int i = 1; i < argc; i++) {
        int rc = s->include(s->arg, argv[i].p, e);

        if (rc != 0)
            return rc;
    }
    return 0;
}

static int apply_words(struct conf_source *s, int argc, const struct slice *argv, const char *where, struct err *e);

#define FROM_FILE_WORDS 16

static int apply_from_file(struct conf_source *s, int argc, const struct slice *argv, const char *where, struct err *e)
{
    struct slice words[FROM_FILE_WORDS];
    struct str line = {0};
    int rc;

    if (!s->first_line)
        return err_set(e, ERR_REFUSED, "'from-file' is not allowed here");
    if (argc < 3 || argc - 1 > FROM_FILE_WORDS)
        return err_set(e, ERR_FORMAT, "'from-file' needs the name of a file and a directive whose last word stands there");
    if (slice_is_nocase(argv[2], "from-file") || slice_is_nocase(argv[2], "include"))
        return err_set(e, ERR_REFUSED, "'from-file' gives a value, it cannot give '%s' one", argv[2].p);
    rc = s->first_line(s->arg, argv[1].p, &line, e);
    if (rc == 0) {
        for (int i = 2; i < argc; i++)
            words[i - 2] = argv[i];
        words[argc - 2] = (struct slice){str_c(&line), line.len};
        rc = apply_words(s, argc - 1, words, where, e);
    }
    str_fini(&line);
    return rc;
}

/* argv[0] is the directive. `where` is where it stands, for the warning of ignored ones. */
static int apply_words(struct conf_source *s, int argc, const struct slice *argv, const char *where, struct err *e)
{
    const struct option *o;
    bool first, ignored;
    int rc;

    if (slice_is_nocase(argv[0], "include"))
        return apply_include(s, argc, argv, e);
    if (slice_is_nocase(argv[0], "from-file"))
        return apply_from_file(s, argc, argv, where, e);
    o = option_find(s->options, argv[0]);
    if (!o)
        return unknown(s->options, argv[0], e);
    if (argc == 1 && o->type != OPT_IGNORED)
        return err_set(e, ERR_FORMAT, "'%s' needs a value", o->name);
    dict_put(&s->seen, o->name, strlen(o->name), &first);
    rc = option_set_line(o, s->base, argc - 1, argv + 1, first || !(o->flags & OPT_MULTI), &ignored, e);
    if (rc == 0 && ignored && first && s->ignored)
        s->ignored(s->arg, o->name, where);
    return rc;
}

/* Where it stands goes in front; for a failed include that is where it was asked for, before where it failed. */
static void place_error(struct err *e, int rc, const char *where, const struct err *why)
{
    if (!e)
        return;
    *e = *why;
    err_wrap(e, "%s", where);
    e->code = rc;
}

size_t conf_mark(const char *text, size_t len)
{
    return len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}

int conf_apply(struct conf_source *s, const char *file, const char *text, size_t len, struct err *e)
{
    struct conf_words w;
    struct err why = {0};
    char where[320];
    int rc = 0;

    conf_words_init(&w);
    for (size_t at = conf_mark(text, len), line = 1; at < len && rc == 0; line++) {
        const char *end = memchr(text + at, '\n', len - at);
        size_t n = end ? (size_t)(end - (text + at)) : len - at;

        rc = conf_lex(text + at, n, &w, &why);
        at += n + 1;
        if (rc == 0 && w.argc == 0)
            continue;
        snprintf(where, sizeof where, "%.255s:%zu", file, line);
        if (rc == 0)
            rc = apply_words(s, w.argc, w.argv, where, &why);
        if (rc != 0)
            place_error(e, rc, where, &why);
    }
    conf_words_fini(&w);
    return rc;
}

/* ---- command lines ---- */

static bool is_directive(const char *word)
{
    return word[0] == '-' && word[1] == '-' && word[2] != '\0';
}

/* argv[i] is a directive: how many words behind it are its values. */
static int values_behind(int argc, char *const *argv, int i)
{
    int n = 0;

    while (i + 1 + n < argc && !is_directive(argv[i + 1 + n]))
        n++;
    return n;
}

int conf_apply_args(struct conf_source *s, int argc, char *const *argv, struct err *e)
{
    struct conf_words w;
    struct slice *words = NULL;
    struct err why = {0};
    char where[48];
    int rc = 0, values;

    conf_words_init(&w);
    for (int i = 0; i < argc && rc == 0; i += 1 + values) {
        const char *name = is_directive(argv[i]) ? argv[i] + 2 : argv[i];
        int n;

        snprintf(where, sizeof where, "argument %d", i + 1);
        values = values_behind(argc, argv, i);
        rc = conf_lex(name, strlen(name), &w, &why);
        if (rc == 0 && w.argc == 0)
            rc = err_set(&why, ERR_FORMAT, "'%s' is not a directive", argv[i]);
        if (rc == 0) {
            words = mem_realloc(words, (size_t)(w.argc + values + 1) * sizeof *words);
            memcpy(words, w.argv, (size_t)w.argc * sizeof *words);
            n = w.argc;
            for (int v = 0; v < values; v++)
                words[n++] = slice_z(argv[i + 1 + v]);
            if (n == 1 && slice_is_nocase(words[0], "save"))
                words[n++] = slice_z("");
            rc = apply_words(s, n, words, where, &why);
        }
        if (rc != 0)
            place_error(e, rc, where, &why);
    }
    mem_free(words);
    conf_words_fini(&w);
    return rc;
}
