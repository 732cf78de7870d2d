/* Schemas and what they are asked about: two documents with a zero byte between them. A pattern is plain text here;
 * one that begins with '!' gives up. */
#include "agent/core/document.h"
#include "agent/core/json_schema.h"
#include "common/base/check.h"
#include "common/base/mem.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int plain_compile(const char *text, void **out, struct err *e)
{
    if (text[0] == '(')
        return err_set(e, ERR_FORMAT, "no pattern");
    *out = mem_strdup(text);
    return 0;
}

static int plain_matches(const void *pattern, const char *text, size_t n, struct err *e)
{
    const char *z = pattern;

    (void)n;
    return z[0] == '!' ? err_set(e, ERR_LIMIT, "given up") : strstr(text, z) != NULL;
}

static void plain_release(void *pattern) { mem_free(pattern); }
static const struct json_patterns plain = {plain_compile, plain_matches, plain_release};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *p = (const char *)data, *zero = size ? memchr(p, 0, size) : NULL;
    size_t n = zero ? (size_t)(zero - p) : size;
    cJSON *tree = NULL, *value = NULL;
    struct json_schema *s = NULL;
    struct err e = {0};

    if (document_parse(p, n, &tree, &e) != 0)
        return 0;
    if (zero && document_parse(zero + 1, size - n - 1, &value, &e) != 0)
        value = NULL;
    if (!value)
        value = cJSON_Duplicate(tree, true);
    if (json_schema_compile(&tree, &plain, &s, &e) == 0) {
        int rc = json_schema_check(s, value, &e);

        CHECK(tree == NULL);
        CHECK(rc == 0 || rc == ERR_RANGE || rc == ERR_LIMIT);
        CHECK(json_schema_check(s, value, NULL) == rc);
    } else {
        CHECK(e.text[0] && s == NULL && tree != NULL);
    }
    json_schema_free(s);
    cJSON_Delete(tree);
    cJSON_Delete(value);
    return 0;
}
