/* A value against a compiled schema. Each question counts its work and its nesting, because a
 * small schema can ask very many questions; what was not answered is an error of its own that
 * no "not" and no "anyOf" turns into a yes. */
#include "agent/core/json_equal.h"
#include "agent/core/json_schema.h"
#include "agent/core/json_schema_node.h"
#include "agent/core/schema.h"

#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WANTED_MAX 120                 /* characters of the schema's side in a message */

struct checker {
    const struct json_schema *s;
    struct str path;                   /* of the value that is looked at */
    int64_t left;                      /* work that may still be done */
    int depth;
    struct err *e;                     /* NULL: a violation need not be told */
    struct err gave_up;                /* why there is no answer: told in any case */
    size_t deepest;                    /* length of the path of the violation told last */
};

static int ask(struct checker *c, const struct js_node *n, const cJSON *v);

/* "files[0].mode: violates pattern "^0...": <more>" */
static int __attribute__((format(printf, 4, 5))) violated(struct checker *c, const struct js_node *n, const char *keyword,
                                                          const char *fmt, ...)
{
    char *wanted, more[300] = "";
    size_t len;
    va_list ap;

    if (!c->e)
        return ERR_RANGE;
    c->deepest = c->path.len;
    va_start(ap, fmt);
    vsnprintf(more, sizeof more, fmt, ap);
    va_end(ap);
    wanted = cJSON_PrintUnformatted(keyword ? tree_at(n->tree, keyword) : n->tree);
    len = wanted ? strlen(wanted) : 0;
    err_set(c->e, ERR_RANGE, "%.200s%sviolates %s%s%.*s%s%s%s", str_c(&c->path), c->path.len ? ": " : "",
            keyword ? keyword : "", keyword ? " " : "", (int)(len > WANTED_MAX ? WANTED_MAX : len), wanted ? wanted : "",
            len > WANTED_MAX ? "..." : "", more[0] ? ": " : "", more);
    cJSON_free(wanted);
    return ERR_RANGE;
}

static int given_up(struct checker *c, const char *why)
{
    return err_set(&c->gave_up, ERR_LIMIT, "%.200s%s%s", str_c(&c->path), c->path.len ? ": " : "", why);
}

/* The question without telling of violations: 0, ERR_RANGE or ERR_LIMIT. */
static int quietly(struct checker *c, const struct js_node *n, const cJSON *v)
{
    struct err *e = c->e;
    int rc;

    c->e = NULL;
    rc = ask(c, n, v);
    c->e = e;
    return rc;
}

/* --- any value --- */

static bool is_whole(double d)
{
    if (!(d >= -DBL_MAX && d <= DBL_MAX))
        return false;
    return d >= 9007199254740992.0 || d <= -9007199254740992.0 || (double)(int64_t)d == d;
}

static unsigned types_of(const cJSON *v)
{
    switch (v->type & 0xff) {
    case cJSON_NULL: return JT_NULL;
    case cJSON_True:
    case cJSON_False: return JT_BOOLEAN;
    case cJSON_Object: return JT_OBJECT;
    case cJSON_Array: return JT_ARRAY;
    case cJSON_String: return JT_STRING;
    case cJSON_Number: return is_whole(v->valuedouble) ? JT_NUMBER | JT_INTEGER : JT_NUMBER;
    default: return 0;
    }
}

static int check_value(struct checker *c, const struct js_node *n, const cJSON *v)
{
    if (n->is_false)
        return violated(c, n, NULL, "nothing may stand here");
    if (n->types && !(n->types & types_of(v)))
        return violated(c, n, "type", "%s", "");
    if (n->constant && !json_equal(n->constant, v, &c->left))
        return violated(c, n, "const", "%s", "");
    if (n->values) {
        const cJSON *one = n->values->child;

        while (one && !json_equal(one, v, &c->left))
            one = one->next;
        if (!one)
            return violated(c, n, "enum", "%s", "");
    }
    return 0;
}

static bool is_multiple(double v, double of)
{
    double q = v / of, whole;

    if (!(q > -9007199254740992.0 && q < 9007199254740992.0))
        return fmod(v, of) == 0;
    whole = floor(q + 0.5);
    return fabs(q - whole) <= 4 * DBL_EPSILON * fabs(q);     /* 0.0075 is 75 times 0.0001, though neither is a double */
}

static int check_number(struct checker *c, const struct js_node *n, const cJSON *v)
{
    double d = v->valuedouble;

    if (n->minimum && !(d >= n->minimum->valuedouble))
        return violated(c, n, "minimum", "%s", "");
    if (n->maximum && !(d <= n->maximum->valuedouble))
        return violated(c, n, "maximum", "%s", "");
    if (n->exclusive_minimum && !(d > n->exclusive_minimum->valuedouble))
        return violated(c, n, "exclusiveMinimum", "%s", "");
    if (n->exclusive_maximum && !(d < n->exclusive_maximum->valuedouble))
        return violated(c, n, "exclusiveMaximum", "%s", "");
    if (n->multiple_of && !is_multiple(d, n->multiple_of->valuedouble))
        return violated(c, n, "multipleOf", "%s", "");
    return 0;
}

/* --- strings --- */

static int64_t code_points(const char *z)
{
    int64_t n = 0;

    for (; *z; z++)
        n += ((unsigned char)*z & 0xc0) != 0x80;
    return n;
}

/* 1, 0, or ERR_LIMIT */
static int matches(struct checker *c, const struct js_pattern *p, const char *text)
{
    struct err why = {0};
    size_t len = strlen(text);
    int rc = c->s->patterns->matches(p->compiled, text, len, &why);

    c->left -= 10 + (int64_t)(len / 16);
    if (rc >= 0)
        return rc;
    err_wrap(&why, "pattern \"%.80s\"", p->text);
    return given_up(c, why.text);
}

static int check_string(struct checker *c, const struct js_node *n, const cJSON *v)
{
    int64_t len = n->min_length >= 0 || n->max_length >= 0 ? code_points(v->valuestring) : 0;
    int rc;

    c->left -= len / 64;
    if (n->min_length >= 0 && len < n->min_length)
        return violated(c, n, "minLength", "%s", "");
    if (n->max_length >= 0 && len > n->max_length)
        return violated(c, n, "maxLength", "%s", "");
    if (!n->pattern.compiled)
        return 0;
    rc = matches(c, &n->pattern, v->valuestring);
    return rc < 0 ? rc : rc ? 0 : violated(c, n, "pattern", "%s", "");
}

/* --- lists --- */

static int ask_element(struct checker *c, const struct js_node *n, const cJSON *v, int64_t i)
{
    size_t base = c->path.len;
    int rc;

    str_printf(&c->path, "[%lld]", (long long)i);
    rc = ask(c, n, v);
    str_cut(&c->path, base);
    return rc;
}

static int check_contains(struct checker *c, const struct js_node *n, const cJSON *v)
{
    for (const cJSON *x = v->child; x; x = x->next) {
        int rc = quietly(c, n->contains, x);

        if (rc != ERR_RANGE)
            return rc;
    }
    return violated(c, n, "contains", "no element fits");
}

static int check_array(struct checker *c, const struct js_node *n, const cJSON *v)
{
    int64_t len = 0;
    int first, second, rc = 0;

    for (const cJSON *x = v->child; x && rc == 0; x = x->next, len++) {
        const struct js_node *one = (size_t)len < n->tuple.at.n ? n->tuple.at.at[len]
                                    : n->tuple.at.n             ? n->additional_items
                                                                : n->items;

        c->left--;
        if (one)
            rc = ask_element(c, one, x, len);
    }
    if (rc != 0)
        return rc;
    if (n->min_items >= 0 && len < n->min_items)
        return violated(c, n, "minItems", "it has %lld", (long long)len);
    if (n->max_items >= 0 && len > n->max_items)
        return violated(c, n, "maxItems", "it has %lld", (long long)len);
    if (n->unique && json_has_twins(v, &first, &second, &c->left))
        return violated(c, n, "uniqueItems", "[%d] and [%d] are equal", first, second);
    return n->contains ? check_contains(c, n, v) : 0;
}

/* --- objects --- */

static int by_name(const void *key, const void *element)
{
    const struct js_property *p = element;

    return strcmp(key, p->name);
}

static int ask_member(struct checker *c, const struct js_node *n, const cJSON *member)
{
    size_t base = c->path.len;
    int rc;

    str_printf(&c->path, "%s%.100s", base ? "." : "", member->string);
    rc = ask(c, n, member);
    str_cut(&c->path, base);
    return rc;
}

static int check_member(struct checker *c, const struct js_node *n, const cJSON *member)
{
    const struct js_property *p = NULL;
    bool known;
    int rc = 0;

    if (n->properties.n)
        p = bsearch(member->string, n->properties.at, n->properties.n, sizeof *n->properties.at, by_name);
    known = p != NULL;
    if (p)
        rc = ask_member(c, p->node, member);
    for (size_t i = 0; rc == 0 && i < n->pattern_properties.n; i++) {
        int fits = matches(c, &n->pattern_properties.at[i], member->string);

        if (fits < 0)
            return fits;
        known = known || fits;
        if (fits)
            rc = ask_member(c, n->pattern_properties.at[i].node, member);
    }
    if (rc == 0 && !known && n->additional_properties)
        rc = n->additional_properties->is_false
                 ? violated(c, n, "additionalProperties", "'%.100s' is not known", member->string)
                 : ask_member(c, n->additional_properties, member);
    if (rc == 0 && n->property_names) {
        cJSON name = {.type = cJSON_String, .valuestring = member->string};

        rc = quietly(c, n->property_names, &name);
        if (rc == ERR_RANGE)
            return violated(c, n, "propertyNames", "'%.100s'", member->string);
    }
    return rc;
}

static bool has_member(struct checker *c, const cJSON *v, const char *name)
{
    const cJSON *at = v->child;

    for (; at && c->left >= 0 && strcmp(at->string, name) != 0; at = at->next)
        c->left--;
    return at != NULL;
}

static int check_names(struct checker *c, const struct js_node *n, const cJSON *names, const cJSON *v,
                       const char *keyword, const char *because)
{
    for (const cJSON *x = names->child; x; x = x->next) {
        if (!has_member(c, v, x->valuestring))
            return violated(c, n, keyword, "'%.100s' is missing%s%.60s", x->valuestring, because ? " beside " : "",
                            because ? because : "");
    }
    return 0;
}

static int check_dependencies(struct checker *c, const struct js_node *n, const cJSON *v)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < n->dependencies.n; i++) {
        const struct js_dependency *d = &n->dependencies.at[i];

        c->left--;
        if (!has_member(c, v, d->name))
            continue;
        rc = d->node ? ask(c, d->node, v) : check_names(c, n, d->names, v, "dependencies", d->name);
    }
    return rc;
}

static int check_object(struct checker *c, const struct js_node *n, const cJSON *v)
{
    int64_t len = 0;
    int rc = n->required ? check_names(c, n, n->required, v, "required", NULL) : 0;

    for (const cJSON *x = v->child; x && rc == 0; x = x->next, len++) {
        c->left--;
        rc = check_member(c, n, x);
    }
    if (rc != 0)
        return rc;
    if (n->min_properties >= 0 && len < n->min_properties)
        return violated(c, n, "minProperties", "it has %lld", (long long)len);
    if (n->max_properties >= 0 && len > n->max_properties)
        return violated(c, n, "maxProperties", "it has %lld", (long long)len);
    return check_dependencies(c, n, v);
}

/* --- several schemas about one value --- */

/* anyOf: of all refusals the one is told that came deepest, it is the likeliest to be meant. */
static int check_any(struct checker *c, const struct js_node *n, const cJSON *v)
{
    struct err *e = c->e, why, best = {0};
    size_t depth = 0, deepest = 0;
    int rc = ERR_RANGE;

    for (size_t i = 0; i < n->any_of.at.n && rc == ERR_RANGE; i++) {
        c->e = e ? &why : NULL;
        rc = ask(c, n->any_of.at.at[i], v);
        c->e = e;
        depth = c->deepest;
        if (rc == ERR_RANGE && e && (i == 0 || depth > deepest)) {
            best = why;
            deepest = depth;
        }
    }
    return rc == ERR_RANGE ? violated(c, n, "anyOf", "none fits; %.200s", best.text) : rc;
}

static int check_one(struct checker *c, const struct js_node *n, const cJSON *v)
{
    size_t fit = 0;

    for (size_t i = 0; i < n->one_of.at.n; i++) {
        int rc = quietly(c, n->one_of.at.at[i], v);

        if (rc == ERR_LIMIT)
            return rc;
        fit += rc == 0;
    }
    return fit == 1 ? 0 : violated(c, n, "oneOf", "%zu of %zu fit", fit, n->one_of.at.n);
}

static int check_combined(struct checker *c, const struct js_node *n, const cJSON *v)
{
    int rc = n->ref ? ask(c, n->ref, v) : 0;

    for (size_t i = 0; rc == 0 && i < n->all_of.at.n; i++)
        rc = ask(c, n->all_of.at.at[i], v);
    if (rc == 0 && n->any_of.at.n)
        rc = check_any(c, n, v);
    if (rc == 0 && n->one_of.at.n)
        rc = check_one(c, n, v);
    if (rc == 0 && n->negated) {
        rc = quietly(c, n->negated, v);
        if (rc != ERR_LIMIT)
            rc = rc == 0 ? violated(c, n, "not", "%s", "") : 0;
    }
    if (rc == 0 && n->condition && (n->consequence || n->otherwise)) {
        const struct js_node *then;

        rc = quietly(c, n->condition, v);
        if (rc == ERR_LIMIT)
            return rc;
        then = rc == 0 ? n->consequence : n->otherwise;
        rc = then ? ask(c, then, v) : 0;
    }
    return rc;
}

static int ask(struct checker *c, const struct js_node *n, const cJSON *v)
{
    int rc;

    if (--c->left < 0)
        return given_up(c, "checking takes too much work");
    if (c->depth == JSON_SCHEMA_MAX_NESTING)
        return given_up(c, "the schema is nested too deeply here");
    if (n->is_true)
        return 0;
    c->depth++;
    rc = check_value(c, n, v);
    if (rc == 0 && cJSON_IsNumber(v))
        rc = check_number(c, n, v);
    else if (rc == 0 && cJSON_IsString(v))
        rc = check_string(c, n, v);
    else if (rc == 0 && cJSON_IsArray(v))
        rc = check_array(c, n, v);
    else if (rc == 0 && cJSON_IsObject(v))
        rc = check_object(c, n, v);
    if (rc == 0)
        rc = check_combined(c, n, v);
    c->depth--;
    if (rc != ERR_LIMIT && c->left < 0)
        rc = given_up(c, "checking takes too much work");
    return rc;
}

int json_schema_check(const struct json_schema *s, const cJSON *value, struct err *e)
{
    struct checker c = {.s = s, .left = JSON_SCHEMA_MAX_WORK, .e = e};
    int rc = ask(&c, s->nodes.at.at[0], value);

    if (rc == ERR_LIMIT && e)
        *e = c.gave_up;
    str_fini(&c.path);
    return rc;
}
