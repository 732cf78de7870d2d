/* A strict reading of JSON. A scanner walks the bytes first and says where and what is wrong;
 * cJSON then builds the tree from bytes that are known to be good. */
#include "agent/core/document.h"

#include "common/base/dict.h"
#include "common/base/json_scan.h"

#include <string.h>

static int no_name_twice(const cJSON *v, struct err *e)
{
    struct dict seen;
    int rc = 0;

    dict_init(&seen);
    for (const cJSON *c = v->child; c && rc == 0; c = c->next) {
        if (cJSON_IsObject(v)) {
            bool is_new;

            dict_put(&seen, c->string, strlen(c->string), &is_new);
            if (!is_new) {
                rc = err_set(e, ERR_FORMAT, "the name '%.100s' stands twice in one object", c->string);
                break;
            }
        }
        if (c->child)
            rc = no_name_twice(c, e);
    }
    dict_fini(&seen, NULL);
    return rc;
}

int document_parse(const char *p, size_t n, cJSON **out, struct err *e)
{
    cJSON *tree;
    int rc;

    if (n > DOCUMENT_MAX_BYTES)
        return err_set(e, ERR_LIMIT, "%zu bytes, a document has at most %zu", n, DOCUMENT_MAX_BYTES);
    rc = json_scan_object(p, n, DOCUMENT_MAX_DEPTH, e);
    if (rc != 0)
        return rc;
    tree = cJSON_ParseWithLength(p, n);
    if (!tree)
        return err_set(e, ERR_FORMAT, "the JSON library refused the document");
    rc = no_name_twice(tree, e);
    if (rc != 0) {
        cJSON_Delete(tree);
        return rc;
    }
    *out = tree;
    return 0;
}
