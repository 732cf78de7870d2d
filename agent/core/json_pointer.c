/* One part after the other, each undone from its two encodings. */
#include "agent/core/json_pointer.h"

#include "common/base/num.h"
#include "common/base/str.h"

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* From *p to the next '/' or the end. */
static bool next_part(const char **p, struct str *out)
{
    str_clear(out);
    while (**p && **p != '/') {
        char c = *(*p)++;

        if (c == '%') {
            int a = hex((*p)[0]), b = a >= 0 ? hex((*p)[1]) : -1;

            if (b < 0 || a * 16 + b == 0)
                return false;
            c = (char)(a * 16 + b);
            *p += 2;
        }
        if (c == '~') {
            if (**p != '0' && **p != '1')
                return false;
            c = *(*p)++ == '0' ? '~' : '/';
        }
        str_append_c(out, c);
    }
    return true;
}

static const cJSON *step_into(const cJSON *v, const struct str *part)
{
    int64_t i;

    if (cJSON_IsObject(v))
        return cJSON_GetObjectItemCaseSensitive(v, str_c(part));
    if (cJSON_IsArray(v) && num_i64_in(str_c(part), part->len, 0, INT32_MAX, &i))
        return cJSON_GetArrayItem(v, (int)i);
    return NULL;
}

bool json_pointer(const cJSON *tree, const char *text, const cJSON **out)
{
    const cJSON *at = tree;
    struct str part = {0};
    bool good = true;

    while (good && *text) {
        good = *text++ == '/' && next_part(&text, &part);
        at = good && at ? step_into(at, &part) : NULL;
    }
    str_fini(&part);
    *out = at;
    return good;
}
