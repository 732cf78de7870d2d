/* Events, edits, and the comparison of instances with the wanted number. */
#include "agent/core/scale.h"

#include "agent/core/document.h"
#include "agent/core/type_scale.h"
#include "common/base/num.h"

#include <stdlib.h>
#include <string.h>

/* --- events --- */

bool scale_event_parse(struct slice message, struct scale_event *out)
{
    const char *colon = memchr(message.p, ':', message.len);
    size_t name = colon ? (size_t)(colon - message.p) : 0, digits = colon ? message.len - name - 1 : 0;
    int n = 0;

    if (name < 1 || name > SCALE_SERVICE_MAX || digits < 1 || digits > 4)
        return false;
    for (size_t i = 0; i < name; i++) {
        char c = message.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-'))
            return false;
    }
    for (size_t i = name + 1; i < message.len; i++) {
        if (message.p[i] < '0' || message.p[i] > '9')
            return false;
        n = n * 10 + (message.p[i] - '0');
    }
    memcpy(out->service, message.p, name);
    out->service[name] = 0;
    out->instances = n;
    return true;
}

/* --- the document --- */

static size_t skip_blank(const char *p, size_t n, size_t i)
{
    while (i < n && (p[i] == ' ' || p[i] == '\t' || p[i] == '\n' || p[i] == '\r'))
        i++;
    return i;
}

static size_t skip_string(const char *p, size_t n, size_t i)
{
    for (i++; i < n && p[i] != '"'; i++)
        if (p[i] == '\\')
            i++;
    return i < n ? i + 1 : n;
}

/* One value of valid JSON, whatever it is. */
static size_t skip_value(const char *p, size_t n, size_t i)
{
    int depth = 0;

    do {
        if (p[i] == '"') {
            i = skip_string(p, n, i);
        } else if (p[i] == '{' || p[i] == '[') {
            depth++;
            i++;
        } else if (p[i] == '}' || p[i] == ']') {
            depth--;
            i++;
        } else if (depth > 0) {
            i++;
        } else {
            while (i < n && !strchr(" \t\r\n,}]", p[i]))
                i++;
        }
    } while (depth > 0 && i < n);
    return i;
}

/* Where the value of the object's nth member stands. The bytes are known to be valid. */
static bool member_span(const char *p, size_t n, int nth, size_t *from, size_t *to)
{
    size_t i = skip_blank(p, n, 0) + 1;

    for (int k = 0;; k++) {
        size_t value;

        i = skip_blank(p, n, i);
        if (i >= n || p[i] != '"')
            return false;
        i = skip_blank(p, n, skip_string(p, n, i)) + 1;       /* over the ':' */
        value = skip_blank(p, n, i);
        if (value >= n)
            return false;
        i = skip_value(p, n, value);
        if (k == nth) {
            *from = value;
            *to = i;
            return true;
        }
        i = skip_blank(p, n, i) + 1;                          /* over the ',' */
    }
}

int scale_document_edit(struct slice bytes, int instances, struct str *out, struct scale_edit *how, struct err *e)
{
    cJSON *tree = NULL;
    const cJSON *c;
    char digits[NUM_I64_MAX];
    size_t from, to;
    int64_t min, max, was;
    int nth = 0, rc = document_parse(bytes.p, bytes.len, &tree, e);

    if (rc == 0)
        rc = shape_check(&scale_shape, tree, e);
    if (rc != 0)
        goto out;
    was = tree_int(tree, "instances", 0);
    min = tree_int(tree, "min", 0);
    max = tree_int(tree, "max", min > 100 ? min : 100);
    if (min > max) {
        rc = err_set(e, ERR_RANGE, "min: %lld is above max (%lld)", (long long)min, (long long)max);
        goto out;
    }
    for (c = tree->child; c && strcmp(c->string, "instances") != 0; c = c->next)
        nth++;
    if (!member_span(bytes.p, bytes.len, nth, &from, &to)) {
        rc = err_set(e, ERR_FORMAT, "instances: cannot be found in the bytes");
        goto out;
    }
    how->was = (int)was;
    how->is = instances < min ? (int)min : instances > max ? (int)max : instances;
    how->cooldown_ms = tree_ms(tree, "cooldown", SCALE_COOLDOWN_MS);
    str_set(out, bytes.p, from);
    str_append(out, digits, num_put_i64(digits, how->is));
    str_append(out, bytes.p + to, bytes.len - to);
out:
    cJSON_Delete(tree);
    return rc;
}

/* --- instances --- */

static const struct { const char *word; enum instance_state state; } states[] = {
    {"active", INSTANCE_UP},           {"reloading", INSTANCE_UP},          {"activating", INSTANCE_STARTING},
    {"deactivating", INSTANCE_STOPPING}, {"failed", INSTANCE_FAILED},       {"inactive", INSTANCE_DOWN},
};

void instance_unit(const char *unit, int number, struct str *out)
{
    const char *at = strchr(unit, '@');

    str_append(out, unit, (size_t)(at + 1 - unit));
    str_printf(out, "%d%s", number, at + 1);
}

/* The number in "web@7.service", or 0. */
static int number_of(struct slice id, const char *unit)
{
    const char *at = strchr(unit, '@');
    size_t head = (size_t)(at + 1 - unit), tail = strlen(at + 1);
    int64_t n;

    if (id.len <= head + tail || memcmp(id.p, unit, head) != 0 || memcmp(id.p + id.len - tail, at + 1, tail) != 0 ||
        !num_i64_in(id.p + head, id.len - head - tail, 1, SCALE_INSTANCES_MAX, &n))
        return 0;
    return (int)n;
}

static bool line_value(struct slice line, const char *name, struct slice *value)
{
    size_t n = strlen(name);

    if (line.len < n + 1 || memcmp(line.p, name, n) != 0 || line.p[n] != '=')
        return false;
    *value = (struct slice){line.p + n + 1, line.len - n - 1};
    return true;
}

static int by_number(const void *a, const void *b)
{
    return ((const struct instance *)a)->number - ((const struct instance *)b)->number;
}

void instances_read(struct slice text, const char *unit, struct instances *out)
{
    struct instance one = {0};

    vec_clear(&out->at);
    for (size_t i = 0; i <= text.len;) {
        const char *end = i < text.len ? memchr(text.p + i, '\n', text.len - i) : NULL;
        struct slice line = {text.p + i, (end ? (size_t)(end - text.p) : text.len) - i}, v;

        i += line.len + 1;
        if (line.len == 0) {                     /* the end of one unit */
            if (one.number > 0)
                vec_push(&out->at, one);
            one = (struct instance){0};
        } else if (line_value(line, "Id", &v)) {
            one.number = number_of(v, unit);
        } else if (line_value(line, "ActiveState", &v)) {
            for (size_t k = 0; k < sizeof states / sizeof states[0]; k++)
                if (slice_is(v, states[k].word))
                    one.state = states[k].state;
        } else if (line_value(line, "Result", &v) && !slice_is(v, "success")) {
            slice_copy_z(v, one.result, sizeof one.result);
        }
    }
    if (one.number > 0)
        vec_push(&out->at, one);
    if (out->at.n > 1)
        qsort(out->at.at, out->at.n, sizeof *out->at.at, by_number);
}

void instances_fini(struct instances *s) { vec_fini(&s->at); }

const struct instance *instances_find(const struct instances *s, int number)
{
    struct instance key = {.number = number};

    return s->at.n ? bsearch(&key, s->at.at, s->at.n, sizeof key, by_number) : NULL;
}

void scale_decide(const struct instances *seen, int want, bool (*started)(void *arg, int number), void *arg,
                  struct scale_answer *out)
{
    bool stopping = false;

    out->failed = out->waiting = 0;
    vec_clear(&out->start);
    vec_clear(&out->surplus);
    for (int k = 1; k <= want; k++) {
        const struct instance *i = instances_find(seen, k);
        enum instance_state state = i ? i->state : INSTANCE_DOWN;

        if (state == INSTANCE_STARTING || state == INSTANCE_STOPPING)
            out->waiting = k;
        else if (state != INSTANCE_UP && !started(arg, k))
            vec_push(&out->start, k);
        else if (state != INSTANCE_UP && out->failed == 0)
            out->failed = k;
    }
    for (size_t i = seen->at.n; i-- > 0;) {
        const struct instance *s = &seen->at.at[i];

        if (s->number <= want)
            continue;
        if (s->state == INSTANCE_UP || s->state == INSTANCE_STARTING)
            vec_push(&out->surplus, s->number);
        else if (s->state == INSTANCE_STOPPING) {
            out->waiting = s->number;
            stopping = true;
        }
    }
    if (out->start.n > 0)
        out->deed = SCALE_START;
    else if (out->surplus.n > 0 && !stopping)
        out->deed = SCALE_STOP;
    else if (out->waiting > 0)
        out->deed = SCALE_WAIT;
    else
        out->deed = out->failed ? SCALE_FAILED : SCALE_RIGHT;
}

void scale_answer_fini(struct scale_answer *a)
{
    vec_fini(&a->start);
    vec_fini(&a->surplus);
}
