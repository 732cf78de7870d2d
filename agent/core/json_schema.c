/* From a tree to nodes. A list of schemas that are still to be read keeps the compiler from
 * calling itself, however deep the schema is; references are looked up like any other schema,
 * and each schema is read once. */
#include "agent/core/json_schema.h"

#include "agent/core/json_pointer.h"
#include "agent/core/json_schema_node.h"
#include "common/base/mem.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct maker {
    struct json_schema *s;
    size_t read;                       /* nodes.at[0..read) have been read */
    struct err *e;
};

static void put_place(const struct js_node *n, struct str *out)
{
    if (!n->up)
        return;
    put_place(n->up, out);
    str_printf(out, "%s%s", out->len ? "." : "", n->label);
    if (n->sub)
        str_printf(out, ".%.60s", n->sub);
    else if (n->index >= 0)
        str_printf(out, "[%d]", n->index);
}

static int wrong(struct maker *m, const struct js_node *n, int code, const char *keyword, const char *what)
{
    struct str place = {0};

    put_place(n, &place);
    if (keyword)
        str_printf(&place, "%s%.60s", place.len ? "." : "", keyword);
    err_set(m->e, code, "%s%s%s", str_c(&place), place.len ? ": " : "", what);
    str_fini(&place);
    return code;
}

/* The node of this tree, made if it was not there; NULL when there are too many. */
static struct js_node *node_of(struct maker *m, const cJSON *tree, const struct js_node *up, const char *label,
                               const char *sub, int index)
{
    bool is_new;
    struct dict_entry *entry = dict_put(&m->s->by_tree, &tree, sizeof tree, &is_new);
    struct js_node *n;

    if (!is_new)
        return entry->v.p;
    n = mem_zalloc(sizeof *n);
    n->tree = tree;
    n->up = up;
    n->label = label;
    n->sub = sub;
    n->index = index;
    n->min_length = n->max_length = n->min_items = n->max_items = n->min_properties = n->max_properties = -1;
    entry->v.p = n;
    vec_push(&m->s->nodes.at, n);
    return n;
}

/* --- readers of keywords; v is the keyword's value --- */

struct keyword;
typedef int read_fn(struct maker *m, struct js_node *n, const struct keyword *k, const cJSON *v);

struct keyword {
    const char *name;
    read_fn *read;                     /* NULL: says nothing about validity */
    size_t at;                         /* where in struct js_node */
};

#define FIELD(n, k, type) ((type *)(void *)((char *)(n) + (k)->at))

static bool is_schema(const cJSON *v) { return cJSON_IsObject(v) || cJSON_IsBool(v); }

static int read_schema(struct maker *m, struct js_node *n, const struct keyword *k, const cJSON *v)
{
    if (!is_schema(v))
        return wrong(m, n, ERR_FORMAT, k->name, "must be a schema (an object, true or false)");
    *FIELD(n, k, struct js_node *) = node_of(m, v, n, k->name, NULL, -1);
    return 0;
}

static int read_schema_list(struct maker *m, struct js_node *n, const struct keyword *k, const cJSON *v)
{
    struct js_nodes *list = FIELD(n, k, struct js_nodes);
    int i = 0;

    if (!cJSON_IsArray(v) || !v->child)
        return wrong(m, n, ERR_FORMAT, k->name, "must be a list of at least one schema");
    for (const cJSON *c = v->child; c; c = c->next, i++) {
        struct js_node *one;

        if (!is_schema(c))
            return wrong(m, n, ERR_FORMAT, k->name, "must be a list of schemas");
        one = node_of(m, c, n, k->name, NULL, i);
        vec_push(&list->at, one);
    }
    return 0;
}

static int read_items(struct maker *m, struct js_node *n, const struct keyword *k, const cJSON *v)
{
    static const struct keyword tuple = {"items", NULL, offsetof(struct js_node, tuple)};

    if (cJSON_IsArray(v) && !v->child)
        return 0;
    return cJSON_IsArray(v) ? read_schema_list(m, n, &tuple, v) : read_schema(m, n, k, v);
}

static int by_name(const void *x, const void *y)
{
    const struct js_property *a = x, *b = y;

    return strcmp(a->name, b->name);
}

static int read_properties(struct maker *m, struct js_node *n, const struct keyword *k, const cJSON *v)
{
    if (!cJSON_IsObject(v))
        return wrong(m, n, ERR_FORMAT, k->name, "must be an object of schemas");
    for (const cJSON *c = v->child; c; c = c->next) {
        struct js_property p = {c->string, NULL};

        if (!is_schema(c))
            return wrong(m, n, ERR_FORMAT, k->name, "must be an object of schemas");
        p.node = node_of(m, c, n, k->name, c->string, -1);
        vec_push(&n->properties, p);
    }
    if (n->properties.n)
        qsort(n->properties.at, n->properties.n, sizeof *n->properties.at, by_name);
    return 0;
}

static int read_definitions(struct maker *m, struct js_node *n, const struct keyword *k, const cJSON *v)
{
    if (!cJSON_IsObject(v))
        return wrong(m, n, ERR_FORMAT, k->name, "must be an object of schemas");
    for (const cJSON *c = v->child; c; c = c->next) {
        if (!is_schema(c))
            return wrong(m, n, ERR_FORMAT, k->name, "must be an object of schemas");
        node_of(m, c, n, k->name, c->string, -1);
    }
    return 0;
}

static int compile_pattern(struct maker *m, struct js_node *n, const char *keyword, struct js_pattern *p)
{
    struct err why = {0};

    if (!m->s->patterns)
        return wrong(m, n, ERR_REFUSED, keyword, "regular expressions are not available here");
    if (m->s->patterns->compile(p->text, &p->compiled, &why) != 0)
        return wrong(m, n, ERR_FORMAT, keyword, why.text);
    return 0;
}

static int read_pattern(struct maker *m, struct js_node *n, const struct keyword *k, const cJSON *v)
{
    if (!cJSON_IsString(v))
        return wrong(m, n, ERR_FORMAT, k->name, "must be a string");
    n->pattern.text = v->valuestring;
    return compile_pattern(m, n, k->name, &n->pattern);
}

static int read_pattern_properties(struct maker *m, struct js_node *n, const struct keyword *k, const cJSON *v)
{
    if (!cJSON_IsObject(v))
        return wrong(m, n, ERR_FORMAT, k->name, "must be an object of schemas");
    for (const cJSON *c = v->child; c; c = c->next) {
        struct js_pattern *p;
        int rc;

        if (!is_schema(c))
            return wrong(m, n, ERR_FORMAT, k->name, "must be an object of schemas");
        p = vec_add(&n->pattern_properties);
        p->text = c->string;
        p->node = node_of(m, c, n, k->name, c->string, -1);
        rc = compile_pattern(m, n, k->name, p);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static bool all_names(const cJSON *v)
{
    if (!cJSON_IsArray(v))
        return false;
    for (const cJSON *c = v->child; c; c = c->next)
        if (!cJSON_IsString(c))
            return false;
    return true;
}

static int read_names(struct maker *m, struct js_node *n, const struct keyword *k, const cJSON *v)
{
    if (!all_names(v))
        return wrong(m, n, ERR_FORMAT, k->name, "must be a list of names");
    *FIELD(n, k, const cJSON *) = v;
    return 0;
}

static int read_dependencies(struct maker *m, struct js_node *n, const struct keyword *k, const cJSON *v)
{
    if (!cJSON_IsObject(v))
        return wrong(m, n, ERR_FORMAT, k->name, "must be an object of schemas or lists of names");
    for (const cJSON *c = v->child; c; c = c->next) {
        struct js_dependency *d = vec_add(&n->dependencies);

        d->name = c->string;
        if (is_schema(c))
            d->node = node_of(m, c, n, k->name, c->string, -1);
        else if (all_names(c))
            d->names = c;
        else
            return wrong(m, n, ERR_FORMAT, k->name, "must be an object of schemas or lists of names");
    }
    return 0;
}

static int read_number(struct maker *m, struct js_node *n, const struct keyword *k, const cJSON *v)
{
    if (!cJSON_IsNumber(v))
        return wrong(m, n, ERR_FORMAT, k->name, "must be a number");
    *FIELD(n, k, const cJSON *) = v;
    return 0;
}

static int read_multiple(struct maker *m, struct js_node *n, const struct keyword *k, const cJSON *v)
{
    if (cJSON_IsNumber(v) && !(v->valuedouble > 0))
        return wrong(m, n, ERR_FORMAT, k->name, "must be above 0");
    return read_number(m, n, k, v);
}

static int read_count(struct maker *m, struct js_node *n, const struct keyword *k, const cJSON *v)
{
    double d = cJSON_IsNumber(v) ? v->valuedouble : -1;

    if (!(d >= 0 && d <= 9007199254740992.0) || (double)(int64_t)d != d)
        return wrong(m, n, ERR_FORMAT, k->name, "must be a whole number, 0 or more");
    *FIELD(n, k, int64_t) = (int64_t)d;
    return 0;
}

static int read_bool(struct maker *m, struct js_node *n, const struct keyword *k, const cJSON *v)
{
    if (!cJSON_IsBool(v))
        return wrong(m, n, ERR_FORMAT, k->name, "must be true or false");
    *FIELD(n, k, bool) = cJSON_IsTrue(v);
    return 0;
}

static int read_any(struct maker *m, struct js_node *n, const struct keyword *k, const cJSON *v)
{
    (void)m;
    *FIELD(n, k, const cJSON *) = v;
    return 0;
}

static int read_enum(struct maker *m, struct js_node *n, const struct keyword *k, const cJSON *v)
{
    if (!cJSON_IsArray(v) || !v->child)
        return wrong(m, n, ERR_FORMAT, k->name, "must be a list of at least one value");
    return read_any(m, n, k, v);
}

static const struct { const char *word; enum json_type type; } type_words[] = {
    {"null", JT_NULL},   {"boolean", JT_BOOLEAN}, {"object", JT_OBJECT},   {"array", JT_ARRAY},
    {"number", JT_NUMBER}, {"string", JT_STRING},   {"integer", JT_INTEGER},
};

static unsigned type_of_word(const cJSON *v)
{
    for (size_t i = 0; cJSON_IsString(v) && i < sizeof type_words / sizeof type_words[0]; i++)
        if (strcmp(type_words[i].word, v->valuestring) == 0)
            return type_words[i].type;
    return 0;
}

static int read_type(struct maker *m, struct js_node *n, const struct keyword *k, const cJSON *v)
{
    static const char words[] = "must be of null, boolean, object, array, number, string, integer (one, or a list)";
    const cJSON *c = cJSON_IsArray(v) ? v->child : v;

    if (!c)
        return wrong(m, n, ERR_FORMAT, k->name, words);
    for (; c; c = cJSON_IsArray(v) ? c->next : NULL) {
        unsigned t = type_of_word(c);

        if (!t)
            return wrong(m, n, ERR_FORMAT, k->name, words);
        n->types |= t;
    }
    return 0;
}

/* $id names the whole schema; anywhere else it would give the references beneath it another meaning. */
static int read_id(struct maker *m, struct js_node *n, const struct keyword *k, const cJSON *v)
{
    if (!cJSON_IsString(v))
        return wrong(m, n, ERR_FORMAT, k->name, "must be a string");
    return n->up ? wrong(m, n, ERR_REFUSED, k->name, "is supported at the top of a schema only") : 0;
}

/* --- references --- */

static int read_ref(struct maker *m, struct js_node *n, const struct keyword *k, const cJSON *v)
{
    const char *text = cJSON_IsString(v) ? v->valuestring : "";
    const cJSON *to = NULL;

    if (!cJSON_IsString(v))
        return wrong(m, n, ERR_FORMAT, k->name, "must be a string");
    if (text[0] != '#' || (text[1] && text[1] != '/'))
        return wrong(m, n, ERR_REFUSED, k->name, "only places in this schema are supported (#, #/definitions/...)");
    if (!json_pointer(m->s->tree, text + 1, &to))
        return wrong(m, n, ERR_FORMAT, k->name, "is not a JSON pointer");
    if (!to)
        return wrong(m, n, ERR_UNKNOWN, k->name, "leads to nothing in this schema");
    if (!is_schema(to))
        return wrong(m, n, ERR_FORMAT, k->name, "does not lead to a schema");
    n->ref = node_of(m, to, n, k->name, NULL, -1);
    return 0;
}

/* --- the table --- */

#define AT(field) offsetof(struct js_node, field)

static const struct keyword keywords[] = {
    {"type", read_type, 0},
    {"enum", read_enum, AT(values)},
    {"const", read_any, AT(constant)},
    {"properties", read_properties, 0},
    {"required", read_names, AT(required)},
    {"additionalProperties", read_schema, AT(additional_properties)},
    {"patternProperties", read_pattern_properties, 0},
    {"propertyNames", read_schema, AT(property_names)},
    {"dependencies", read_dependencies, 0},
    {"minProperties", read_count, AT(min_properties)},
    {"maxProperties", read_count, AT(max_properties)},
    {"items", read_items, AT(items)},
    {"additionalItems", read_schema, AT(additional_items)},
    {"contains", read_schema, AT(contains)},
    {"minItems", read_count, AT(min_items)},
    {"maxItems", read_count, AT(max_items)},
    {"uniqueItems", read_bool, AT(unique)},
    {"minimum", read_number, AT(minimum)},
    {"maximum", read_number, AT(maximum)},
    {"exclusiveMinimum", read_number, AT(exclusive_minimum)},
    {"exclusiveMaximum", read_number, AT(exclusive_maximum)},
    {"multipleOf", read_multiple, AT(multiple_of)},
    {"minLength", read_count, AT(min_length)},
    {"maxLength", read_count, AT(max_length)},
    {"pattern", read_pattern, 0},
    {"allOf", read_schema_list, AT(all_of)},
    {"anyOf", read_schema_list, AT(any_of)},
    {"oneOf", read_schema_list, AT(one_of)},
    {"not", read_schema, AT(negated)},
    {"if", read_schema, AT(condition)},
    {"then", read_schema, AT(consequence)},
    {"else", read_schema, AT(otherwise)},
    {"$ref", read_ref, 0},
    {"definitions", read_definitions, 0},
    {"$id", read_id, 0},
    {"$schema", NULL, 0},
    {"$comment", NULL, 0},
    {"title", NULL, 0},
    {"description", NULL, 0},
    {"default", NULL, 0},
    {"examples", NULL, 0},
    {"readOnly", NULL, 0},
    {"writeOnly", NULL, 0},
    {"format", NULL, 0},               /* not asserted: draft 07 leaves that open */
};

static const struct keyword *keyword_of(const char *name)
{
    for (size_t i = 0; i < sizeof keywords / sizeof keywords[0]; i++)
        if (strcmp(keywords[i].name, name) == 0)
            return &keywords[i];
    return NULL;
}

static int read_node(struct maker *m, struct js_node *n)
{
    bool is_ref = cJSON_GetObjectItemCaseSensitive(n->tree, "$ref") != NULL;

    n->is_true = cJSON_IsTrue(n->tree);
    n->is_false = cJSON_IsFalse(n->tree);
    for (const cJSON *c = n->tree->child; c; c = c->next) {
        const struct keyword *k = keyword_of(c->string);
        int rc;

        if (!k)
            return wrong(m, n, ERR_REFUSED, c->string, "is not a keyword that is supported here");
        if (is_ref && k->read && k->read != read_ref && k->read != read_definitions && k->read != read_id)
            return wrong(m, n, ERR_REFUSED, k->name, "would be ignored beside $ref; put both into allOf");
        rc = k->read ? k->read(m, n, k, c) : 0;
        if (rc != 0)
            return rc;
        if (m->s->nodes.at.n > JSON_SCHEMA_MAX_NODES)
            return wrong(m, n, ERR_LIMIT, k->name, "more than 4096 schemas in one");
    }
    if ((n->consequence || n->otherwise) && !n->condition)
        return wrong(m, n, ERR_REFUSED, n->consequence ? "then" : "else", "has no effect without 'if'");
    if (n->additional_items && !n->tuple.at.n)
        return wrong(m, n, ERR_REFUSED, "additionalItems", "has no effect unless 'items' is a list of schemas");
    return 0;
}

/* --- circles --- */

enum { WHITE, GREY, BLACK };

/* Depth first over the references to the same value; the grey nodes are the way from the start. */
static bool in_circle(struct js_node *n, const struct js_node **culprit)
{
    struct js_node *single[] = {n->ref, n->negated, n->condition, n->consequence, n->otherwise};
    const struct js_nodes *lists[] = {&n->all_of, &n->any_of, &n->one_of};

    if (n->colour == BLACK)
        return false;
    if (n->colour == GREY) {
        *culprit = n;
        return true;
    }
    n->colour = GREY;
    for (size_t i = 0; i < sizeof single / sizeof single[0]; i++)
        if (single[i] && in_circle(single[i], culprit))
            return true;
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        for (size_t k = 0; k < lists[i]->at.n; k++)
            if (in_circle(lists[i]->at.at[k], culprit))
                return true;
    for (size_t i = 0; i < n->dependencies.n; i++)
        if (n->dependencies.at[i].node && in_circle(n->dependencies.at[i].node, culprit))
            return true;
    n->colour = BLACK;
    return false;
}

int json_schema_compile(cJSON **tree, const struct json_patterns *patterns, struct json_schema **out, struct err *e)
{
    struct json_schema *s = mem_zalloc(sizeof *s);
    struct maker m = {.s = s, .e = e};
    const struct js_node *culprit = NULL;
    int rc = 0;

    s->patterns = patterns;
    s->tree = *tree;
    dict_init(&s->by_tree);
    if (!is_schema(s->tree))
        rc = err_set(e, ERR_FORMAT, "a schema must be an object, true or false");
    else
        node_of(&m, s->tree, NULL, "", NULL, -1);
    while (rc == 0 && m.read < s->nodes.at.n)
        rc = read_node(&m, s->nodes.at.at[m.read++]);
    for (size_t i = 0; rc == 0 && i < s->nodes.at.n; i++)
        if (in_circle(s->nodes.at.at[i], &culprit))
            rc = wrong(&m, culprit, ERR_FORMAT, NULL, "asks itself about the same value, in a circle of $ref");
    if (rc != 0) {
        s->tree = NULL;
        json_schema_free(s);
        return rc;
    }
    *tree = NULL;
    *out = s;
    return 0;
}

static void node_free(const struct json_schema *s, struct js_node *n)
{
    if (n->pattern.compiled)
        s->patterns->release(n->pattern.compiled);
    for (size_t i = 0; i < n->pattern_properties.n; i++)
        if (n->pattern_properties.at[i].compiled)
            s->patterns->release(n->pattern_properties.at[i].compiled);
    vec_fini(&n->properties);
    vec_fini(&n->pattern_properties);
    vec_fini(&n->dependencies);
    vec_fini(&n->tuple.at);
    vec_fini(&n->all_of.at);
    vec_fini(&n->any_of.at);
    vec_fini(&n->one_of.at);
    mem_free(n);
}

struct json_schema *json_schema_free(struct json_schema *s)
{
    if (!s)
        return NULL;
    for (size_t i = 0; i < s->nodes.at.n; i++)
        node_free(s, s->nodes.at.at[i]);
    vec_fini(&s->nodes.at);
    dict_fini(&s->by_tree, NULL);
    cJSON_Delete(s->tree);
    mem_free(s);
    return NULL;
}
