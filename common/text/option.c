/* Options: text to value and back, by type. A value is read into a local first and
 * stored only when it is right, so that a refused text changes nothing. What is allowed
 * is one sentence per option, used in errors, docs and the sample file alike.
 * The pages are option_page.c's. */
#include "common/text/option.h"

#include "common/base/mem.h"
#include "common/base/num.h"
#include "common/text/conf_lex.h"

#include <string.h>

/* One read value, before it is stored. */
struct value {
    int64_t i;
    double d;
    struct slice text;
};

static void *place(const struct option *o, const void *base)
{
    return (char *)(uintptr_t)base + o->where;
}

static bool has_range(const struct option *o)
{
    return o->min != 0 || o->max != 0;
}

static int64_t unit_of(const struct option *o)
{
    return o->unit_ms > 0 ? o->unit_ms : 1;
}

const struct option *option_find(const struct option_table *t, struct slice name)
{
    for (size_t i = 0; i < t->n; i++)
        if (slice_is_nocase(name, t->rows[i].name) || (t->rows[i].alias && slice_is_nocase(name, t->rows[i].alias)))
            return &t->rows[i];
    return NULL;
}

/* ---- what is allowed ---- */

/* "64mb" when that is exact, as redis.conf writes sizes. */
static void put_size(struct str *out, int64_t v)
{
    static const struct {
        const char *name;
        int shift;
    } units[] = {{"gb", 30}, {"mb", 20}, {"kb", 10}};

    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (v > 0 && v % ((int64_t)1 << units[i].shift) == 0) {
            str_printf(out, "%lld%s", (long long)(v >> units[i].shift), units[i].name);
            return;
        }
    str_printf(out, "%lld", (long long)v);
}

static void put_range(const struct option *o, struct str *out, const char *of)
{
    str_append_z(out, of);
    if (!has_range(o))
        return;
    if (o->max == INT64_MAX || o->max < o->min) {
        str_printf(out, " of at least %lld", (long long)o->min);
    } else if (o->type == OPT_SIZE) {
        str_append_z(out, " from ");
        put_size(out, o->min);
        str_append_z(out, " to ");
        put_size(out, o->max);
    } else {
        str_printf(out, " from %lld to %lld", (long long)o->min, (long long)o->max);
    }
}

static void put_words(const struct option *o, struct str *out)
{
    str_append_z(out, "one of ");
    for (const struct option_word *w = o->words; w && w->name; w++) {
        if (w != o->words)
            str_append_z(out, ", ");
        str_append_z(out, w->name);
    }
}

void option_allowed(const struct option *o, struct str *out)
{
    switch (o->type) {
    case OPT_BOOL: str_append_z(out, "yes or no"); break;
    case OPT_INT: put_range(o, out, "a number"); break;
    case OPT_DOUBLE: put_range(o, out, "a decimal number"); break;
    case OPT_SIZE: put_range(o, out, "a size like 100, 64kb or 1gb"); break;
    case OPT_MS:
        put_range(o, out, unit_of(o) == 1 ? "a number of milliseconds" : unit_of(o) == 1000 ? "a number of seconds"
                                                                                           : "a number");
        str_append_z(out, ", or a time like 1500ms, 5s, 2m or 1h");
        break;
    case OPT_STR: str_append_z(out, "a text"); break;
    case OPT_WORD: put_words(o, out); break;
    case OPT_PERM: str_append_z(out, "an octal file mode like 700"); break;
    case OPT_CUSTOM: str_append_z(out, o->unit ? o->unit : "as described"); break;
    case OPT_IGNORED: str_append_z(out, "anything; it is not used here"); break;
    case OPT_REFUSED:
        str_append_z(out, "not supported yet");
        if (o->dflt)
            str_printf(out, "; allowed: %s", o->dflt);
        break;
    }
}

static int not_allowed(const struct option *o, struct slice text, int code, struct err *e)
{
    struct str s = {0};

    option_allowed(o, &s);
    if (o->flags & OPT_SECRET)
        err_set(e, code, "'%s' must be %s", o->name, str_c(&s));
    else
        err_set(e, code, "'%s' must be %s, not '%.*s'", o->name, str_c(&s), (int)(text.len < 128 ? text.len : 128),
                text.p);
    str_fini(&s);
    return code;
}

/* ---- reading ---- */

static bool in_range(const struct option *o, int64_t v)
{
    return !has_range(o) || (v >= o->min && (o->max < o->min || v <= o->max));
}

static bool read_bool(struct slice text, int64_t *out)
{
    if (slice_is_nocase(text, "yes"))
        *out = 1;
    else if (slice_is_nocase(text, "no"))
        *out = 0;
    else
        return false;
    return true;
}

static bool read_word(const struct option *o, struct slice text, int64_t *out)
{
    for (const struct option_word *w = o->words; w && w->name; w++)
        if (slice_is_nocase(text, w->name)) {
            *out = w->value;
            return true;
        }
    return false;
}

static bool read_perm(struct slice text, int64_t *out)
{
    int64_t v = 0;

    if (text.len == 0 || text.len > 5)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] < '0' || text.p[i] > '7')
            return false;
        v = v * 8 + (text.p[i] - '0');
    }
    *out = v;
    return v <= 0777;
}

static bool read_ms(const struct option *o, struct slice text, int64_t *out)
{
    int64_t unit = unit_of(o);

    if (!num_duration(text.p, text.len, unit, out))
        return false;
    if (!has_range(o))
        return true;
    return *out >= o->min * unit && (o->max < o->min || o->max > INT64_MAX / unit || *out <= o->max * unit);
}

static bool read_value(const struct option *o, struct slice text, struct value *v)
{
    *v = (struct value){.text = text};
    switch (o->type) {
    case OPT_BOOL: return read_bool(text, &v->i);
    case OPT_INT: return num_i64(text.p, text.len, &v->i) && in_range(o, v->i);
    case OPT_SIZE:
        return (num_size(text.p, text.len, &v->i) || (o->min < 0 && num_i64(text.p, text.len, &v->i))) &&
               in_range(o, v->i);
    case OPT_MS: return read_ms(o, text, &v->i);
    case OPT_DOUBLE:
        return num_f64(text.p, text.len, &v->d) &&
               (!has_range(o) || (v->d >= (double)o->min && v->d <= (double)o->max));
    case OPT_WORD: return read_word(o, text, &v->i);
    case OPT_PERM: return read_perm(text, &v->i) && in_range(o, v->i);
    default: return !memchr(text.p, '\0', text.len);
    }
}

static void store(const struct option *o, void *base, const struct value *v)
{
    void *at = place(o, base);
    char *text;

    switch (o->type) {
    case OPT_BOOL: *(bool *)at = v->i != 0; break;
    case OPT_INT:
    case OPT_SIZE:
    case OPT_MS: *(int64_t *)at = v->i; break;
    case OPT_WORD:
    case OPT_PERM: *(int *)at = (int)v->i; break;
    case OPT_DOUBLE: *(double *)at = v->d; break;
    case OPT_STR:
        text = v->text.len == 0 && (o->flags & OPT_EMPTY_IS_NULL) ? NULL : mem_strndup(v->text.p, v->text.len);
        mem_free(*(char **)at);
        *(char **)at = text;
        break;
    default: break;
    }
}

/* A value that promises nothing is fine, whatever else it may be called: `appendonly no`. */
static int set_refused(const struct option *o, int argc, const struct slice *argv, struct err *e)
{
    struct conf_words harmless = {0};
    struct str given = {0};
    int rc = ERR_REFUSED;

    for (int i = 0; i < argc; i++) {
        if (i)
            str_append_c(&given, ' ');
        str_append(&given, argv[i].p, argv[i].len);
    }
    if (o->dflt && conf_lex(o->dflt, strlen(o->dflt), &harmless, NULL) == 0) {
        for (int i = 0; i < harmless.argc && rc != 0; i++)
            if (slice_is_nocase(harmless.argv[i], str_c(&given)))
                rc = 0;
    }
    if (rc != 0 && (o->flags & OPT_SECRET))
        err_set(e, rc, "'%s' is not supported yet", o->name);
    else if (rc != 0)
        err_set(e, rc, o->dflt ? "'%s %.128s' is not supported yet; allowed: %s" : "'%s %.128s' is not supported yet%s",
                o->name, str_c(&given), o->dflt ? o->dflt : "; take the line out");
    conf_words_fini(&harmless);
    str_fini(&given);
    return rc;
}

static int set_custom(const struct option *o, void *base, int argc, const struct slice *argv, bool fresh, struct err *e)
{
    struct err why = {0};
    int rc = o->set(base, argc, argv, fresh, &why);

    if (rc == 0)
        return 0;
    if (strstr(why.text, o->name))
        err_set(e, rc, "%s", why.text);
    else
        err_set(e, rc, "'%s': %s", o->name, why.text[0] ? why.text : "this value cannot be used");
    return rc;
}

int option_set_line(const struct option *o, void *base, int argc, const struct slice *argv, bool fresh, bool *ignored,
                    struct err *e)
{
    struct value v;

    if (ignored)
        *ignored = false;
    if (o->type == OPT_IGNORED) {
        if (ignored)
            *ignored = true;
        return 0;
    }
    if (o->type == OPT_REFUSED)
        return set_refused(o, argc, argv, e);
    if (o->type == OPT_CUSTOM)
        return set_custom(o, base, argc, argv, fresh, e);
    if (argc != 1)
        return err_set(e, ERR_FORMAT, "'%s' takes one value, not %d", o->name, argc);
    if (!read_value(o, argv[0], &v))
        return not_allowed(o, argv[0], ERR_RANGE, e);
    store(o, base, &v);
    return 0;
}

int option_set(const struct option *o, void *base, int argc, const struct slice *argv, bool *ignored, struct err *e)
{
    return option_set_line(o, base, argc, argv, true, ignored, e);
}

int option_set_text(const struct option *o, void *base, struct slice text, bool *ignored, struct err *e)
{
    struct conf_words w = {0};
    int rc;

    if (o->type != OPT_CUSTOM || text.len == 0)
        return option_set(o, base, 1, &text, ignored, e);
    rc = conf_lex(text.p, text.len, &w, e);
    if (rc == 0)
        rc = w.argc > 0 ? option_set(o, base, w.argc, w.argv, ignored, e)
                        : option_set(o, base, 1, &text, ignored, e);
    conf_words_fini(&w);
    return rc;
}

/* ---- defaults ---- */

/* The default of a single-value option as one slice; quotes in the row are taken off. */
static struct slice default_text(const struct option *o, struct conf_words *w)
{
    if (!o->dflt)
        return (struct slice){"", 0};
    if (o->dflt[0] == '"' && conf_lex(o->dflt, strlen(o->dflt), w, NULL) == 0 && w->argc == 1)
        return w->argv[0];
    return slice_z(o->dflt);
}

static int set_default(const struct option *o, void *base, struct conf_words *w, struct err *e)
{
    struct slice text = default_text(o, w);

    if (o->type == OPT_CUSTOM) {
        if (!o->dflt || !o->set)
            return 0;
        return option_set_text(o, base, text, NULL, e);
    }
    if (!o->dflt && o->type != OPT_STR)
        return 0;
    return option_set(o, base, 1, &text, NULL, e);
}

int option_defaults(const struct option_table *t, void *base, struct err *e)
{
    struct conf_words w = {0};
    int rc = 0;

    for (size_t i = 0; i < t->n && rc == 0; i++) {
        if (t->rows[i].type == OPT_IGNORED || t->rows[i].type == OPT_REFUSED)
            continue;
        rc = set_default(&t->rows[i], base, &w, e);
        if (rc != 0)
            err_wrap(e, "the default of '%s'", t->rows[i].name);
    }
    conf_words_fini(&w);
    return rc;
}

void option_free(const struct option_table *t, void *base)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->rows[i].type == OPT_STR) {
            char **at = place(&t->rows[i], base);

            mem_free(*at);
            *at = NULL;
        }
}

bool option_is_default(const struct option *o, const void *base)
{
    struct conf_words w = {0};
    struct slice text = default_text(o, &w);
    struct value v = {0};
    struct str now = {0};
    bool same = false;
    const void *at = place(o, base);

    switch (o->type) {
    case OPT_BOOL: same = (!o->dflt || read_value(o, text, &v)) && *(const bool *)at == (v.i != 0); break;
    case OPT_INT:
    case OPT_SIZE:
    case OPT_MS: same = (!o->dflt || read_value(o, text, &v)) && *(const int64_t *)at == v.i; break;
    case OPT_WORD:
    case OPT_PERM: same = (!o->dflt || read_value(o, text, &v)) && *(const int *)at == (int)v.i; break;
    case OPT_DOUBLE: same = (!o->dflt || read_value(o, text, &v)) && *(const double *)at == v.d; break;
    case OPT_STR:
    case OPT_CUSTOM:
        option_get(o, base, &now);
        same = slice_is(text, str_c(&now));
        break;
    case OPT_IGNORED:
    case OPT_REFUSED: same = true; break;
    }
    str_fini(&now);
    conf_words_fini(&w);
    return same;
}

/* ---- showing ---- */

static void put_f64(struct str *out, double v)
{
    char digits[NUM_F64_MAX];

    str_append(out, digits, num_put_f64(digits, v));
}

/* In the option's own unit as a plain number, unless that would round. */
static void put_ms(const struct option *o, struct str *out, int64_t ms)
{
    if (ms % unit_of(o) == 0)
        str_printf(out, "%lld", (long long)(ms / unit_of(o)));
    else
        str_printf(out, "%lldms", (long long)ms);
}

/* What a directive that does nothing would say: its harmless value. */
static void put_harmless(const struct option *o, struct str *out)
{
    struct conf_words w = {0};

    if (o->dflt && o->type == OPT_REFUSED && conf_lex(o->dflt, strlen(o->dflt), &w, NULL) == 0 && w.argc > 0)
        str_append(out, w.argv[0].p, w.argv[0].len);
    else if (o->dflt && o->type == OPT_IGNORED) {
        struct slice text = default_text(o, &w);

        str_append(out, text.p, text.len);
    }
    conf_words_fini(&w);
}

void option_get(const struct option *o, const void *base, struct str *out)
{
    const void *at = place(o, base);

    switch (o->type) {
    case OPT_BOOL: str_append_z(out, *(const bool *)at ? "yes" : "no"); break;
    case OPT_INT:
    case OPT_SIZE: str_printf(out, "%lld", (long long)*(const int64_t *)at); break;
    case OPT_MS: put_ms(o, out, *(const int64_t *)at); break;
    case OPT_DOUBLE: put_f64(out, *(const double *)at); break;
    case OPT_STR: str_append_z(out, *(char *const *)at ? *(char *const *)at : ""); break;
    case OPT_WORD:
        for (const struct option_word *w = o->words; w && w->name; w++)
            if (w->value == *(const int *)at) {
                str_append_z(out, w->name);
                break;
            }
        break;
    case OPT_PERM: str_printf(out, "%o", (unsigned)*(const int *)at); break;
    case OPT_CUSTOM:
        if (o->get)
            o->get(base, out);
        break;
    case OPT_IGNORED:
    case OPT_REFUSED: put_harmless(o, out); break;
    }
}

void option_get_line(const struct option *o, const void *base, struct str *out)
{
    const char *text;

    if (o->type == OPT_SIZE) {
        put_size(out, *(const int64_t *)place(o, base));
    } else if (o->type == OPT_STR) {
        text = *(char *const *)place(o, base);
        str_append_quoted(out, text ? text : "", text ? strlen(text) : 0);
    } else {
        size_t before = out->len;

        option_get(o, base, out);
        if (out->len == before)
            str_append_z(out, "\"\"");
    }
}
