/* From a type's name to its schema, and from a list of sources to the schemas they need. */
#include "agent/core/doc_schema.h"

#include "agent/core/document.h"

#include <stdio.h>

#define KEY_MAX (DOC_TYPE_MAX + 16)

static const char *key_of(const char *type, char out[KEY_MAX])
{
    snprintf(out, KEY_MAX, "cfgschema:%.*s", DOC_TYPE_MAX, type);
    return out;
}

void doc_schema_sources(struct sources *s)
{
    for (size_t i = 0, n = s->at.n; i < n; i++) {
        char key[KEY_MAX];
        struct docname name;

        if (docname_from_key(slice_z(s->at.at[i]), &name))
            sources_add(s, key_of(name.type, key));
    }
}

static int open_schema(const struct input *i, const struct json_patterns *patterns, struct json_schema **out,
                       struct err *e)
{
    cJSON *tree = NULL;
    int rc;

    if (i->kind != INPUT_STRING)
        return err_set(e, ERR_FORMAT, "the key holds another type of value than a string");
    rc = document_parse(str_c(&i->bytes), i->bytes.len, &tree, e);
    if (rc == 0)
        rc = json_schema_compile(&tree, patterns, out, e);
    cJSON_Delete(tree);
    return rc;
}

int doc_schema_check(const char *type, const cJSON *tree, const struct inputs *in, const struct json_patterns *patterns,
                     struct err *e)
{
    char key[KEY_MAX];
    const struct input *i = inputs_get(in, key_of(type, key));
    struct json_schema *s = NULL;
    int rc;

    if (!i || i->kind == INPUT_MISSING)
        return 0;
    if (open_schema(i, patterns, &s, e) != 0) {
        err_wrap(e, "%s is wrong", key);
        return ERR_FORMAT;
    }
    rc = json_schema_check(s, tree, e);
    if (rc != 0)
        err_wrap(e, "against %s", key);
    json_schema_free(s);
    return rc;
}

int doc_schema_check_sources(const struct sources *s, const struct inputs *in, const struct json_patterns *patterns,
                             struct err *e)
{
    int rc = 0;

    for (size_t k = 0; rc == 0 && k < s->at.n; k++) {
        const struct input *i = inputs_get(in, s->at.at[k]);
        struct docname name;
        cJSON *tree = NULL;

        if (!docname_from_key(slice_z(s->at.at[k]), &name) || !i || i->kind != INPUT_STRING ||
            document_parse(str_c(&i->bytes), i->bytes.len, &tree, NULL) != 0)
            continue;
        rc = doc_schema_check(name.type, tree, in, patterns, e);
        if (rc != 0)
            err_wrap(e, "%s", s->at.at[k]);
        cJSON_Delete(tree);
    }
    return rc;
}
