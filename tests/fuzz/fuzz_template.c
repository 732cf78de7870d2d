/* Templates and documents: any text, any values. The first byte chooses; a zero byte
 * separates the template from the document that gives its values and its parts. */
#include "agent/core/document.h"
#include "agent/core/template.h"
#include "agent/core/type_files.h"
#include "common/base/check.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_document(const char *p, size_t n)
{
    cJSON *tree = NULL;
    struct sources s;
    struct plan plan;
    struct err e;

    if (document_parse(p, n, &tree, &e) != 0)
        return;
    sources_init(&s);
    plan_init(&plan);
    if (shape_check(&files_shape, tree, &e) == 0 && files_sources(tree, &s, &e) == 0)
        files_read(tree, &plan, &e);
    plan_fini(&plan);
    sources_fini(&s);
    cJSON_Delete(tree);
}

static void try_template(const char *p, size_t n, enum escape_mode mode)
{
    static const char values[] = "{\"a\":\"x<'\\\"\\n\",\"b\":{\"c\":[1,2.5,true,null,{\"d\":\"e\"}]},\"f\":false,\"l\":[[\"p\"],[]]}";
    const char *zero = memchr(p, 0, n);
    size_t text = zero ? (size_t)(zero - p) : n;
    struct str out = {0}, twice = {0};
    struct template_source t = {.text = {p, text}, .escape = mode};
    cJSON *tree = NULL;
    struct err e;
    int rc;

    if (!zero || document_parse(zero + 1, n - text - 1, &tree, &e) != 0)
        tree = cJSON_Parse(values);
    t.values = tree;
    t.parts = tree;
    rc = template_render(&t, &out, &e);
    CHECK(rc == 0 || out.len == 0);
    CHECK(out.len <= TEMPLATE_MAX_OUT);
    CHECK(template_render(&t, &twice, &e) == rc);
    CHECK(out.len == twice.len && (out.len == 0 || memcmp(out.p, twice.p, out.len) == 0));
    str_fini(&out);
    str_fini(&twice);
    cJSON_Delete(tree);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    if (data[0] == 'D')
        try_document((const char *)data + 1, size - 1);
    else
        try_template((const char *)data + 1, size - 1, (enum escape_mode)(data[0] % 6));
    return 0;
}
