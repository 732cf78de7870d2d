/* From a snapshot to plans. */
#include "agent/core/desired.h"

#include "agent/core/doc_schema.h"
#include "agent/core/document.h"
#include "common/base/mem.h"

#include <string.h>

static const struct shape_field name_field[] = {{"", SHAPE_TEXT, false, 1, DOC_TYPE_MAX + DOC_COMPONENT_MAX + 1}};
static const struct shape name_shape = SHAPE(name_field);
static const struct shape_field any_field[] = {{"", SHAPE_ANY}};
static const struct shape any_shape = SHAPE(any_field);
static const struct shape_field agent_fields[] = {
    {"v", SHAPE_INT, false, 1, 1, NULL, NULL, "version of this shape"},
    {"apply", SHAPE_LIST, true, 0, AGENT_MAX_DOCUMENTS, NULL, &name_shape, "documents, as <type>:<component>"},
    {"vars", SHAPE_MAP, false, 0, 1024, NULL, &any_shape, "values that templates see as vars.<name>"},
    {"labels", SHAPE_MAP, false, 0, 1024, NULL, &any_shape, "values that templates see as labels.<name>"},
};
const struct shape agent_doc_shape = SHAPE(agent_fields);

struct agent_doc *agent_doc_free(struct agent_doc *a)
{
    if (!a)
        return NULL;
    vec_fini(&a->apply);
    cJSON_Delete(a->tree);
    mem_free(a);
    return NULL;
}

/* The sources of the agent document, the most particular first. */
static size_t agent_names(const struct whoami *who, struct docname out[3])
{
    size_t n = 0;

    if (docname_make(&out[n], slice_z("agent"), slice_z(who->node)))
        n++;
    if (who->group[0] && docname_make(&out[n], slice_z("agent"), slice_z(who->group)))
        n++;
    docname_make(&out[n++], slice_z("agent"), slice_z("default"));
    return n;
}

static int read_agent_doc(const struct input *i, const struct inputs *in, const struct whoami *who, struct agent_doc *a,
                          struct err *e)
{
    const cJSON *c;
    int rc;

    if (i->kind != INPUT_STRING)
        return err_set(e, ERR_FORMAT, "the key holds another type of value than a string");
    rc = document_parse(str_c(&i->bytes), i->bytes.len, &a->tree, e);
    if (rc != 0)
        return rc;
    rc = shape_check(&agent_doc_shape, a->tree, e);
    if (rc == 0)
        rc = doc_schema_check("agent", a->tree, in, who->patterns, e);
    if (rc != 0)
        return rc;
    cJSON_ArrayForEach(c, tree_at(a->tree, "apply"))
    {
        struct docname name;

        if (!docname_parse(slice_z(c->valuestring), &name) || strcmp(name.type, "agent") == 0)
            return err_set(e, ERR_RANGE, "apply[%zu]: '%.100s' is not <type>:<component>", a->apply.n, c->valuestring);
        for (size_t k = 0; k < a->apply.n; k++)
            if (docname_equal(&a->apply.at[k], &name))
                return err_set(e, ERR_RANGE, "apply[%zu]: '%s' stands twice", a->apply.n, c->valuestring);
        vec_push(&a->apply, name);
    }
    return 0;
}

int agent_doc_find(const struct inputs *in, const struct whoami *who, struct docname *name, struct agent_doc **out,
                   struct err *e)
{
    struct docname names[3];
    size_t n = agent_names(who, names);
    char key[DOC_KEY_MAX];

    for (size_t k = 0; k < n; k++) {
        const struct input *i = inputs_get(in, docname_key(&names[k], key));
        struct agent_doc *a;
        int rc;

        if (!i || i->kind == INPUT_MISSING)
            continue;
        *name = names[k];
        a = mem_zalloc(sizeof *a);
        a->name = names[k];
        rc = read_agent_doc(i, in, who, a, e);
        if (rc != 0) {
            agent_doc_free(a);
            return rc;
        }
        *out = a;
        return 0;
    }
    return err_set(e, ERR_MISSING, "neither config:agent:%s%s%s nor config:agent:default exists", who->node,
                   who->group[0] ? ", config:agent:" : "", who->group);
}

/* A document's tree with its shape checked. */
static int open_doc(const struct doctype *type, const char *p, size_t n, cJSON **out, struct err *e)
{
    cJSON *tree = NULL;
    int rc = document_parse(p, n, &tree, e);

    if (rc == 0)
        rc = shape_check(type->shape, tree, e);
    if (rc != 0) {
        cJSON_Delete(tree);
        return rc;
    }
    *out = tree;
    return 0;
}

static void own_sources(const struct docname *doc, const struct inputs *in, struct sources *out)
{
    const struct doctype *type = doctype_find(doc->type);
    char key[DOC_KEY_MAX];
    const struct input *i;
    cJSON *tree = NULL;

    sources_add(out, docname_key(doc, key));
    i = inputs_get(in, key);
    if (!type || !i || i->kind != INPUT_STRING || open_doc(type, i->bytes.p, i->bytes.len, &tree, NULL) != 0)
        return;
    if (type->sources)
        type->sources(tree, out, NULL);
    cJSON_Delete(tree);
}

void desired_sources_of(const struct docname *doc, const struct inputs *in, struct sources *out)
{
    own_sources(doc, in, out);
    doc_schema_sources(out);
}

void desired_sources(const struct inputs *in, const struct whoami *who, const struct agent_doc *last,
                     struct sources *out)
{
    struct docname names[3], name;
    size_t n = agent_names(who, names);
    struct agent_doc *found = NULL;
    const struct agent_doc *a = last;
    char key[DOC_KEY_MAX];

    for (size_t k = 0; k < n; k++)
        sources_add(out, docname_key(&names[k], key));
    if (agent_doc_find(in, who, &name, &found, NULL) == 0)
        a = found;
    for (size_t k = 0; a && k < a->apply.n; k++)
        own_sources(&a->apply.at[k], in, out);
    doc_schema_sources(out);
    agent_doc_free(found);
}

int desired_plan(const struct docname *doc, const struct inputs *in, const struct whoami *who,
                 const struct agent_doc *agent, struct plan **out, bool *absent, struct err *e)
{
    const struct doctype *type = doctype_find(doc->type);
    struct surroundings around = {.node = who->node, .group = who->group,
                                  .vars = agent ? tree_at(agent->tree, "vars") : NULL,
                                  .labels = agent ? tree_at(agent->tree, "labels") : NULL};
    struct sources reads;
    struct plan *p = NULL;
    char key[DOC_KEY_MAX];
    const struct input *i;
    cJSON *tree = NULL;
    int rc;

    *absent = false;
    if (!type)
        return err_set(e, ERR_REFUSED, "documents of type '%s' are not supported yet", doc->type);
    i = inputs_get(in, docname_key(doc, key));
    if (!i || i->kind == INPUT_MISSING) {
        *absent = true;
        return err_set(e, ERR_MISSING, "%s does not exist as a string", key);
    }
    if (i->kind != INPUT_STRING)
        return err_set(e, ERR_FORMAT, "%s holds another type of value than a string", key);
    rc = open_doc(type, str_c(&i->bytes), i->bytes.len, &tree, e);
    if (rc == 0 && (rc = doc_schema_check(doc->type, tree, in, who->patterns, e)) != 0)
        cJSON_Delete(tree);
    if (rc != 0)
        return rc;
    sources_init(&reads);
    p = mem_zalloc(sizeof *p);
    if (type->sources)
        rc = type->sources(tree, &reads, e);
    if (rc == 0)
        rc = doc_schema_check_sources(&reads, in, who->patterns, e);
    if (rc == 0)
        rc = type->read(tree, p, e);
    if (rc == 0 && type->render) {
        rc = type->render(tree, in, &around, p, e);
        *absent = rc == ERR_MISSING;
    }
    sources_fini(&reads);
    cJSON_Delete(tree);
    if (rc != 0) {
        plan_free(p);
        return rc;
    }
    *out = p;
    return 0;
}

int desired_read(const struct docname *doc, const char *bytes, size_t n, struct plan **out, struct err *e)
{
    const struct doctype *type = doctype_find(doc->type);
    struct plan *p;
    cJSON *tree = NULL;
    int rc;

    if (!type)
        return err_set(e, ERR_REFUSED, "documents of type '%s' are not supported yet", doc->type);
    rc = open_doc(type, bytes, n, &tree, e);
    if (rc != 0)
        return rc;
    p = mem_zalloc(sizeof *p);
    rc = type->read(tree, p, e);
    cJSON_Delete(tree);
    if (rc != 0) {
        plan_free(p);
        return rc;
    }
    *out = p;
    return 0;
}
