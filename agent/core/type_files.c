/* The type "files": its shape, its sources, and the rendering of each file. */
#include "agent/core/type_files.h"

#include "agent/core/document.h"
#include "agent/core/escape.h"
#include "agent/core/service_entry.h"
#include "agent/core/template.h"

#include <stdlib.h>
#include <stdio.h>
#include <string.h>

static const char *const engine_words[] = {"mustache", "none", NULL};
static const char *const atomic_words[] = {"batch", "dir", NULL};

static const struct shape_field text_field[] = {{"", SHAPE_TEXT, false, 0, 0}};
static const struct shape text_shape = SHAPE(text_field);
static const struct shape_field source_field[] = {{"", SHAPE_TEXT, false, 1, SOURCE_MAX}};
static const struct shape source_shape = SHAPE(source_field);

static const struct shape_field file_fields[] = {
    {"template", SHAPE_TEXT, false, 0, 0, NULL, NULL, "the text with its holes"},
    {"from", SHAPE_TEXT, false, 1, SOURCE_MAX, NULL, NULL, "config:tmpl:<name>, the document that holds the text"},
    DOCTYPE_FILE_FIELDS,
    {"engine", SHAPE_WORD, false, 0, 0, engine_words, NULL, "none: the text is taken as it is"},
    {"escape", SHAPE_WORD, false, 0, 0, escape_words, NULL, "how values are written, default none"},
    {"data", SHAPE_MAP, false, 0, FILES_MAX_DATA, NULL, &source_shape, "name in the template -> source"},
    {"parts", SHAPE_MAP, false, 0, 64, NULL, &text_shape, "texts for {{>name}}"},
    {"inplace", SHAPE_LATER},
};
static const struct shape file_shape = SHAPE_CHOICE(file_fields, 2);
static const struct shape_field file_field[] = {{"", SHAPE_OBJECT, false, 0, 0, NULL, &file_shape}};
static const struct shape file_list_shape = SHAPE(file_field);

static const struct shape_field files_fields[] = {
    DOCTYPE_VERSION_FIELD,
    {"files", SHAPE_LIST, true, 1, FILES_MAX, NULL, &file_list_shape, "what to write"},
    {"atomic", SHAPE_WORD, false, 0, 0, atomic_words, NULL, "batch: one file after the other, all or none"},
    DOCTYPE_CHECK_FIELDS,
    DOCTYPE_RELOAD_FIELD,
    DOCTYPE_PROBE_FIELDS,
    {"drift", SHAPE_LATER},
};
const struct shape files_shape = SHAPE(files_fields);

static const struct shape_field tmpl_fields[] = {
    DOCTYPE_VERSION_FIELD,
    {"text", SHAPE_TEXT, true, 0, 0},
    {"parts", SHAPE_MAP, false, 0, 64, NULL, &text_shape},
};
static const struct shape tmpl_shape = SHAPE(tmpl_fields);

static bool data_name_ok(const char *z)
{
    size_t n = strlen(z);

    if (n < 1 || n > 64 || strcmp(z, "node") == 0 || strcmp(z, "vars") == 0 || strcmp(z, "labels") == 0)
        return false;
    for (; *z; z++)
        if (!((*z >= 'a' && *z <= 'z') || (*z >= 'A' && *z <= 'Z') || (*z >= '0' && *z <= '9') || *z == '_' || *z == '-'))
            return false;
    return true;
}

int files_sources(const cJSON *doc, struct sources *out, struct err *e)
{
    const cJSON *file, *d;
    int i = 0;

    cJSON_ArrayForEach(file, tree_at(doc, "files"))
    {
        const char *from = tree_text(file, "from", NULL);

        if (from && (strncmp(from, "config:tmpl:", 12) != 0 || !source_valid(slice_z(from))))
            return err_set(e, ERR_RANGE, "files[%d].from: must be config:tmpl:<name>", i);
        if (from)
            sources_add(out, from);
        cJSON_ArrayForEach(d, tree_at(file, "data"))
        {
            if (!data_name_ok(d->string))
                return err_set(e, ERR_RANGE,
                               "files[%d].data: '%.64s' is not a name for data (letters, digits, _ and -; not node, vars, labels)",
                               i, d->string);
            if (!source_valid(slice_z(d->valuestring)))
                return err_set(e, ERR_RANGE, "files[%d].data.%s: '%.100s' is not config:<type>:<component>, hash:<key> or svcs:<service>",
                               i, d->string, d->valuestring);
            sources_add(out, d->valuestring);
        }
        i++;
    }
    return 0;
}

int files_read(const cJSON *doc, struct plan *p, struct err *e)
{
    const cJSON *file;
    int i = 0;

    if (strcmp(tree_text(doc, "atomic", "batch"), "dir") == 0)
        return err_set(e, ERR_REFUSED, "atomic: \"dir\" is not supported yet, use \"batch\"");
    cJSON_ArrayForEach(file, tree_at(doc, "files"))
    {
        char where[24];
        int rc;

        snprintf(where, sizeof where, "files[%d].", i);
        rc = doctype_read_file(file, where, p, e);
        if (rc != 0)
            return rc;
        i++;
    }
    return doctype_read_actions(doc, p, e);
}

static int by_id(const void *a, const void *b)
{
    const struct input_field *const *x = a, *const *y = b;

    return strcmp(str_c(&(*x)->name), str_c(&(*y)->name));
}

/* The instances of a service, by id, as a list for {{#name}}; what is no instance is left out. */
static cJSON *instances_tree(const struct input *i)
{
    cJSON *list = cJSON_CreateArray();
    VEC(const struct input_field *) fields = {0};

    for (size_t k = 0; k < i->fields.n; k++) {
        const struct input_field *f = &i->fields.at[k];

        if (service_id_ok((struct slice){f->name.p, f->name.len}))
            vec_push(&fields, f);
    }
    if (fields.n)
        qsort(fields.at, fields.n, sizeof *fields.at, by_id);
    for (size_t k = 0; k < fields.n; k++) {
        const struct input_field *f = fields.at[k];
        struct service_entry s;
        char text[SERVICE_ENTRY_MAX + 1];
        cJSON *one;

        if (!service_entry_parse((struct slice){f->value.p, f->value.len}, &s))
            continue;
        one = cJSON_CreateObject();
        cJSON_AddStringToObject(one, "id", str_c(&f->name));
        cJSON_AddStringToObject(one, "host", s.at.host);
        cJSON_AddNumberToObject(one, "port", s.at.port);
        cJSON_AddStringToObject(one, "addr", addr_text(&s.at, text));
        slice_copy_z(s.zone, text, sizeof text);
        cJSON_AddStringToObject(one, "zone", text);
        slice_copy_z(s.tags, text, sizeof text);
        cJSON_AddStringToObject(one, "tags", text);
        cJSON_AddNumberToObject(one, "w", s.weight);
        cJSON_AddStringToObject(one, "state", s.drain ? "drain" : "up");
        cJSON_AddBoolToObject(one, "up", !s.drain);
        cJSON_AddBoolToObject(one, "drain", s.drain);
        cJSON_AddItemToArray(list, one);
    }
    vec_fini(&fields);
    return list;
}

/* A source's value as a tree of its own. */
static int source_tree(const struct inputs *in, const char *source, cJSON **out, struct err *e)
{
    const struct input *i = inputs_get(in, source);
    int rc;

    if (!i || i->kind == INPUT_MISSING)
        return err_set(e, ERR_MISSING, "%s does not exist%s", source, source_is_hash(slice_z(source)) ? "" : " as a string");
    if (i->kind == INPUT_WRONG || (i->kind == INPUT_HASH) != source_is_hash(slice_z(source)))
        return err_set(e, ERR_FORMAT, "%s holds another type of value", source);
    if (i->kind == INPUT_STRING) {
        rc = document_parse(i->bytes.p, i->bytes.len, out, e);
        return rc == 0 ? 0 : err_wrap(e, "%s", source);
    }
    if (strncmp(source, "svcs:", 5) == 0) {
        *out = instances_tree(i);
        return 0;
    }
    *out = cJSON_CreateObject();
    for (size_t k = 0; k < i->fields.n; k++) {
        const struct input_field *f = &i->fields.at[k];

        if (memchr(str_c(&f->name), 0, f->name.len) || memchr(str_c(&f->value), 0, f->value.len)) {
            cJSON_Delete(*out);
            *out = NULL;
            return err_set(e, ERR_FORMAT, "%s: field '%.100s' holds a NUL byte", source, str_c(&f->name));
        }
        cJSON_AddStringToObject(*out, str_c(&f->name), str_c(&f->value));
    }
    return 0;
}

static int gather(const cJSON *file, const struct inputs *in, const struct surroundings *around, cJSON **out,
                  struct err *e)
{
    cJSON *values = cJSON_CreateObject(), *node = cJSON_AddObjectToObject(values, "node");
    const cJSON *d;

    cJSON_AddStringToObject(node, "id", around->node);
    cJSON_AddStringToObject(node, "group", around->group);
    if (around->vars)
        cJSON_AddItemToObject(values, "vars", cJSON_Duplicate(around->vars, true));
    else
        cJSON_AddObjectToObject(values, "vars");
    if (around->labels)
        cJSON_AddItemToObject(values, "labels", cJSON_Duplicate(around->labels, true));
    else
        cJSON_AddObjectToObject(values, "labels");
    cJSON_ArrayForEach(d, tree_at(file, "data"))
    {
        cJSON *tree = NULL;
        int rc = source_tree(in, d->valuestring, &tree, e);

        if (rc != 0) {
            cJSON_Delete(values);
            return rc;
        }
        cJSON_AddItemToObject(values, d->string, tree);
    }
    *out = values;
    return 0;
}

static int render_file(const cJSON *file, const struct inputs *in, const struct surroundings *around,
                       struct plan_file *f, struct err *e)
{
    const char *from = tree_text(file, "from", NULL), *text = tree_text(file, "template", "");
    struct template_source t = {.parts = tree_at(file, "parts"),
                                .escape = escape_from_word(tree_text(file, "escape", "none"))};
    cJSON *values = NULL, *tmpl = NULL;
    int rc = 0;

    if (from) {
        rc = source_tree(in, from, &tmpl, e);
        if (rc == 0 && (rc = shape_check(&tmpl_shape, tmpl, e)) != 0)
            err_wrap(e, "%s", from);
        if (rc != 0)
            goto out;
        text = tree_text(tmpl, "text", "");
        if (tree_at(tmpl, "parts"))
            t.parts = tree_at(tmpl, "parts");
    }
    if (strcmp(tree_text(file, "engine", "mustache"), "none") == 0) {
        str_set_z(&f->bytes, text);
        goto out;
    }
    rc = gather(file, in, around, &values, e);
    if (rc != 0)
        goto out;
    t.text = slice_z(text);
    t.values = values;
    rc = template_render(&t, &f->bytes, e);
    if (rc != 0)
        err_wrap(e, "%s", from ? from : "template");
out:
    cJSON_Delete(values);
    cJSON_Delete(tmpl);
    return rc;
}

int files_render(const cJSON *doc, const struct inputs *in, const struct surroundings *around, struct plan *p,
                 struct err *e)
{
    const cJSON *file;
    size_t i = 0;

    cJSON_ArrayForEach(file, tree_at(doc, "files"))
    {
        int rc = render_file(file, in, around, &p->files.at[i], e);

        if (rc != 0) {
            err_wrap(e, "files[%zu] (%.200s)", i, p->files.at[i].path);
            return rc;
        }
        i++;
    }
    return 0;
}
