/* The type "env": gathering variables, and writing them so that every reader agrees. */
#include "agent/core/type_env.h"

#include "common/base/utf8.h"

#include <stdlib.h>
#include <string.h>

static const struct shape_field value_field[] = {{"", SHAPE_TEXT, false, 0, 0}};
static const struct shape value_shape = SHAPE(value_field);

static const struct shape_field env_fields[] = {
    DOCTYPE_VERSION_FIELD,
    DOCTYPE_FILE_FIELDS,
    {"env", SHAPE_MAP, false, 0, ENV_MAX, NULL, &value_shape, "name of a variable -> its value"},
    {"from_hash", SHAPE_TEXT, false, 1, SOURCE_MAX - 5, NULL, NULL, "a hash of the directory: its fields are variables too"},
    DOCTYPE_CHECK_FIELDS,
    DOCTYPE_RELOAD_FIELD,
    DOCTYPE_PROBE_FIELDS,
    {"drift", SHAPE_LATER},
};
const struct shape env_shape = SHAPE(env_fields);

struct variable {
    struct slice name, value;         /* borrowed from the document and the snapshot */
    bool of_document;
};
struct variables {
    VEC(struct variable) at;
};

static int hash_source(const char *key, char out[SOURCE_MAX + 1], struct err *e)
{
    size_t n = strlen(key);

    memcpy(out, "hash:", 5);
    memcpy(out + 5, key, n + 1);      /* the shape has seen to its length */
    return source_valid((struct slice){out, n + 5}) ? 0 : err_set(e, ERR_RANGE, "from_hash: '%.100s' cannot be a key here", key);
}

int env_sources(const cJSON *doc, struct sources *out, struct err *e)
{
    const char *key = tree_text(doc, "from_hash", NULL);
    char source[SOURCE_MAX + 1];
    int rc = key ? hash_source(key, source, e) : 0;

    if (rc == 0 && key)
        sources_add(out, source);
    return rc;
}

int env_read(const cJSON *doc, struct plan *p, struct err *e)
{
    int rc;

    if (!tree_at(doc, "env") && !tree_at(doc, "from_hash"))
        return err_set(e, ERR_MISSING, "'env' or 'from_hash' must say which variables there are");
    rc = doctype_read_file(doc, "", p, e);
    return rc != 0 ? rc : doctype_read_actions(doc, p, e);
}

static bool name_ok(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (i > 0 && c >= '0' && c <= '9')))
            return false;
    }
    return s.len > 0;
}

/* Names may be secrets' neighbours, values are secrets: no value is ever told. */
static int check(const struct variable *v, struct err *e)
{
    const char *where = v->of_document ? "env" : "from_hash";
    size_t at;

    if (!name_ok(v->name))
        return err_set(e, ERR_RANGE, "%s: '%.*s' is not the name of a variable (letters, digits and _, no digit first)", where,
                       (int)(v->name.len > 100 ? 100 : v->name.len), v->name.p);
    for (size_t i = 0; i < v->value.len; i++) {
        unsigned char c = (unsigned char)v->value.p[i];

        if (c == '\n' || c == '\r')
            return err_set(e, ERR_RANGE, "%s.%.*s: a line break cannot be written in a file of variables", where,
                           (int)v->name.len, v->name.p);
        if (c == 0x7f || (c < 0x20 && c != '\t'))
            return err_set(e, ERR_RANGE, "%s.%.*s: byte %zu is the control character 0x%02x, which not every reader keeps", where,
                           (int)v->name.len, v->name.p, i, c);
    }
    if (!utf8_is_valid(v->value.p, v->value.len, &at))
        return err_set(e, ERR_FORMAT, "%s.%.*s: byte %zu is not UTF-8", where, (int)v->name.len, v->name.p, at);
    if (v->name.len + v->value.len + 2 > ENV_VARIABLE_MAX)
        return err_set(e, ERR_LIMIT, "%s.%.*s: %zu bytes are more than a program can be started with (%zu)", where,
                       (int)(v->name.len > 100 ? 100 : v->name.len), v->name.p, v->value.len, ENV_VARIABLE_MAX);
    return 0;
}

static int add(struct variables *all, struct slice name, struct slice value, bool of_document, struct err *e)
{
    struct variable v = {name, value, of_document};

    vec_push(&all->at, v);
    return check(&v, e);
}

static int add_hash(struct variables *all, const char *key, const struct inputs *in, struct err *e)
{
    char source[SOURCE_MAX + 1];
    const struct input *i;
    int rc = hash_source(key, source, e);

    if (rc != 0)
        return rc;
    i = inputs_get(in, source);
    if (!i || i->kind == INPUT_MISSING)
        return err_set(e, ERR_MISSING, "%s does not exist", source);
    if (i->kind != INPUT_HASH)
        return err_set(e, ERR_FORMAT, "%s holds another type of value", source);
    if (i->fields.n > ENV_MAX)
        return err_set(e, ERR_LIMIT, "%s has %zu fields, more than %d", source, i->fields.n, ENV_MAX);
    for (size_t k = 0; rc == 0 && k < i->fields.n; k++) {
        const struct input_field *f = &i->fields.at[k];

        rc = add(all, (struct slice){str_c(&f->name), f->name.len}, (struct slice){str_c(&f->value), f->value.len}, false, e);
    }
    return rc;
}

/* By name; of two with the same name the document's comes first. */
static int in_order(const void *pa, const void *pb)
{
    const struct variable *a = pa, *b = pb;
    size_t n = a->name.len < b->name.len ? a->name.len : b->name.len;
    int d = memcmp(a->name.p, b->name.p, n);

    if (d == 0)
        d = a->name.len < b->name.len ? -1 : a->name.len > b->name.len;
    return d != 0 ? d : (int)b->of_document - (int)a->of_document;
}

/* In double quotes these four are special to a shell and to systemd, and a backslash takes that away. */
static void put_line(const struct variable *v, struct str *out)
{
    str_append(out, v->name.p, v->name.len);
    str_append_z(out, "=\"");
    for (size_t i = 0; i < v->value.len; i++) {
        if (strchr("\"\\`$", v->value.p[i]))
            str_append_c(out, '\\');
        str_append_c(out, v->value.p[i]);
    }
    str_append_z(out, "\"\n");
}

int env_render(const cJSON *doc, const struct inputs *in, const struct surroundings *around, struct plan *p,
               struct err *e)
{
    const char *key = tree_text(doc, "from_hash", NULL);
    struct variables all = {0};
    size_t n = 0;
    const cJSON *c;
    int rc = 0;

    (void)around;
    cJSON_ArrayForEach(c, tree_at(doc, "env"))
    {
        if (rc == 0)
            rc = add(&all, slice_z(c->string), slice_z(c->valuestring), true, e);
    }
    if (rc == 0 && key)
        rc = add_hash(&all, key, in, e);
    if (rc == 0 && all.at.n)
        qsort(all.at.at, all.at.n, sizeof *all.at.at, in_order);
    for (size_t i = 0; rc == 0 && i < all.at.n; i++) {
        if (i > 0 && slice_eq(all.at.at[i].name, all.at.at[i - 1].name))
            continue;
        if (++n > ENV_MAX)
            rc = err_set(e, ERR_LIMIT, "more than %d variables", ENV_MAX);
        else
            put_line(&all.at.at[i], &p->files.at[0].bytes);
    }
    vec_fini(&all.at);
    return rc;
}
