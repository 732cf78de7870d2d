/* Comparing trees. A list is searched for twins by sorting hashes, so that a long one costs
 * n log n and not n squared. */
#include "agent/core/json_equal.h"

#include "common/base/hash.h"
#include "common/base/mem.h"

#include <stdlib.h>
#include <string.h>

static bool objects_equal(const cJSON *a, const cJSON *b, int64_t *left)
{
    const cJSON *next = b->child;      /* usually the order is the same */
    int n = cJSON_GetArraySize(a);

    *left -= n;
    if (n != cJSON_GetArraySize(b))
        return false;
    for (const cJSON *c = a->child; c; c = c->next) {
        const cJSON *other = next;

        if (!other || strcmp(other->string, c->string) != 0)
            for (other = b->child; other && *left >= 0 && strcmp(other->string, c->string) != 0; other = other->next)
                --*left;
        if (!other || !json_equal(c, other, left))
            return false;
        next = other->next;
    }
    return true;
}

static bool arrays_equal(const cJSON *a, const cJSON *b, int64_t *left)
{
    const cJSON *x = a->child, *y = b->child;

    for (; x && y; x = x->next, y = y->next)
        if (!json_equal(x, y, left))
            return false;
    return !x && !y;
}

bool json_equal(const cJSON *a, const cJSON *b, int64_t *left)
{
    if (--*left < 0)
        return false;
    if (cJSON_IsNumber(a))
        return cJSON_IsNumber(b) && a->valuedouble == b->valuedouble;
    if (cJSON_IsString(a))
        return cJSON_IsString(b) && strcmp(a->valuestring, b->valuestring) == 0;
    if (cJSON_IsArray(a))
        return cJSON_IsArray(b) && arrays_equal(a, b, left);
    if (cJSON_IsObject(a))
        return cJSON_IsObject(b) && objects_equal(a, b, left);
    return (a->type & 0xff) == (b->type & 0xff);
}

static uint64_t mixed(uint64_t a, uint64_t b)
{
    uint64_t both[2] = {a, b};

    return hash_bytes(both, sizeof both);
}

uint64_t json_hash(const cJSON *v, int64_t *left)
{
    uint64_t h = (uint64_t)(v->type & 0xff);
    double d;

    --*left;
    if (cJSON_IsNumber(v)) {
        d = v->valuedouble == 0 ? 0 : v->valuedouble;     /* one zero */
        return mixed(h, hash_bytes(&d, sizeof d));
    }
    if (cJSON_IsString(v))
        return mixed(h, hash_bytes(v->valuestring, strlen(v->valuestring)));
    for (const cJSON *c = v->child; c; c = c->next) {
        if (cJSON_IsObject(v))
            h += mixed(hash_bytes(c->string, strlen(c->string)), json_hash(c, left));      /* any order */
        else
            h = mixed(h, json_hash(c, left));
    }
    return h;
}

struct element {
    const cJSON *value;
    uint64_t hash;
    int index;
};

static int by_hash(const void *x, const void *y)
{
    const struct element *a = x, *b = y;

    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    return a->index - b->index;
}

bool json_has_twins(const cJSON *array, int *first, int *second, int64_t *left)
{
    int n = cJSON_GetArraySize(array), i = 0;
    struct element *list;
    bool found = false;

    if (n < 2)
        return false;
    list = mem_alloc((size_t)n * sizeof *list);
    for (const cJSON *c = array->child; c; c = c->next, i++)
        list[i] = (struct element){c, json_hash(c, left), i};
    qsort(list, (size_t)n, sizeof *list, by_hash);
    for (int a = 0; a < n && !found; a++)
        for (int b = a + 1; b < n && list[b].hash == list[a].hash && !found; b++)
            if (json_equal(list[a].value, list[b].value, left)) {
                *first = list[a].index;
                *second = list[b].index;
                found = true;
            }
    mem_free(list);
    return found;
}
