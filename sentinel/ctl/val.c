/* Copies of replies, and safe questions about them. */
#include "sentinel/ctl/val.h"

#include "common/base/mem.h"
#include "common/base/num.h"

#include <hiredis/hiredis.h>
#include <string.h>

static void copy_text(struct val *v, const redisReply *r)
{
    v->text = mem_strndup(r->str ? r->str : "", r->str ? (size_t)r->len : 0);
    v->len = r->str ? (size_t)r->len : 0;
}

struct val *val_from(const redisReply *r)
{
    struct val *v = mem_zalloc(sizeof *v);

    if (!r)
        return v;
    switch (r->type) {
    case REDIS_REPLY_STRING: v->kind = VAL_TEXT; copy_text(v, r); break;
    case REDIS_REPLY_STATUS: v->kind = VAL_STATUS; copy_text(v, r); break;
    case REDIS_REPLY_ERROR: v->kind = VAL_ERROR; copy_text(v, r); break;
    case REDIS_REPLY_INTEGER: v->kind = VAL_INT; v->i = r->integer; break;
    case REDIS_REPLY_ARRAY:
        v->kind = VAL_LIST;
        v->n = r->elements;
        v->at = v->n ? mem_zalloc(v->n * sizeof *v->at) : NULL;
        for (size_t i = 0; i < v->n; i++)
            v->at[i] = val_from(r->element[i]);
        break;
    default: break;
    }
    return v;
}

void val_free(struct val *v)
{
    if (!v)
        return;
    for (size_t i = 0; i < v->n; i++)
        val_free(v->at[i]);
    mem_free(v->at);
    mem_free(v->text);
    mem_free(v);
}

const struct val *val_at(const struct val *v, size_t i)
{
    return v && v->kind == VAL_LIST && i < v->n ? v->at[i] : NULL;
}

const struct val *val_field(const struct val *v, const char *name)
{
    for (size_t i = 0; v && i + 1 < v->n; i += 2)
        if (strcmp(val_z(v->at[i], ""), name) == 0)
            return v->at[i + 1];
    return NULL;
}

const char *val_z(const struct val *v, const char *otherwise)
{
    return v && v->text ? v->text : otherwise;
}

const char *val_field_z(const struct val *v, const char *name, const char *otherwise)
{
    return val_z(val_field(v, name), otherwise);
}

int64_t val_i64(const struct val *v, int64_t otherwise)
{
    int64_t i = otherwise;

    if (!v)
        return otherwise;
    if (v->kind == VAL_INT)
        return v->i;
    return v->text && num_i64(v->text, v->len, &i) ? i : otherwise;
}

int64_t val_field_i64(const struct val *v, const char *name, int64_t otherwise)
{
    return val_i64(val_field(v, name), otherwise);
}

bool val_is_error(const struct val *v)
{
    return v && v->kind == VAL_ERROR;
}

bool val_error_is(const struct val *v, const char *code)
{
    size_t n = strlen(code);

    return val_is_error(v) && strncmp(v->text, code, n) == 0 && (v->text[n] == ' ' || v->text[n] == '\0');
}
