/* The verb `sentinel`: any SENTINEL command, for what has no verb of its own, where kvorumctl is all there is (the image
 * of the chart holds no redis-cli). What several sentinels decide together is waited for. */
#include "sentinel/ctl/ctl.h"
#include "sentinel/ctl/json.h"

#include <cjson/cJSON.h>
#include <stdio.h>

static cJSON *as_json(const struct val *v)
{
    cJSON *list;

    switch (v->kind) {
    case VAL_NIL: return cJSON_CreateNull();
    case VAL_INT: return cJSON_CreateNumber((double)v->i);
    case VAL_LIST: break;
    default: return cJSON_CreateString(v->text);
    }
    list = cJSON_CreateArray();
    for (size_t i = 0; i < v->n; i++)
        cJSON_AddItemToArray(list, as_json(v->at[i]));
    return list;
}

/* One value a line; what stands in a list stands two columns further to the right, and each such list begins with a dash. */
static void as_text(const struct val *v, int depth)
{
    if (v->kind == VAL_LIST) {
        for (size_t i = 0; i < v->n; i++) {
            if (v->at[i]->kind == VAL_LIST)
                printf("%*s-\n", 2 * depth, "");
            as_text(v->at[i], v->at[i]->kind == VAL_LIST ? depth + 1 : depth);
        }
    } else if (v->kind == VAL_INT) {
        printf("%*s%lld\n", 2 * depth, "", (long long)v->i);
    } else {
        printf("%*s%s\n", 2 * depth, "", v->kind == VAL_NIL ? "(nil)" : v->text);
    }
}

int run_any(struct ctl *c, int argc, char **argv)
{
    struct val *v = NULL;
    cJSON *o;
    int rc = ctl_find_sentinel(c);

    if (rc != EXIT_OK_)
        return rc;
    conn_be_patient(c->sentinel, CTL_PATIENCE_MS);
    rc = ctl_words(c, argc, (const char *const *)argv, &v);
    if (rc != EXIT_OK_)
        return rc;
    if (c->json) {
        o = json_object("Reply");
        cJSON_AddItemToObject(o, "reply", as_json(v));
        json_print(o, false);
    } else {
        as_text(v, 0);
    }
    val_free(v);
    return EXIT_OK_;
}
