/* Strings in three forms: a number, bytes behind the key, bytes of their own. Reading never
 * changes the form; editing in place makes it bytes of their own, which can grow. */
#include "kvnode/store/t_string.h"

#include "common/base/check.h"
#include "common/base/mem.h"

#include <string.h>

struct slice string_view(const struct object *o, char num[NUM_I64_MAX])
{
    switch ((enum obj_enc)o->enc) {
    case ENC_INT:
        return (struct slice){num, num_put_i64(num, o->v.i)};
    case ENC_INLINE:
        return (struct slice){object_inline(o), o->v.len};
    case ENC_BLOB:
        return (struct slice){o->v.blob->p, o->v.blob->len};
    default:
        CHECK(!"a string");
        return (struct slice){NULL, 0};
    }
}

size_t string_len(const struct object *o)
{
    char num[NUM_I64_MAX];

    return string_view(o, num).len;
}

bool string_i64(const struct object *o, int64_t *out)
{
    struct slice s;

    if (o->enc == ENC_INT) {
        *out = o->v.i;
        return true;
    }
    s = string_view(o, NULL);
    return num_i64(s.p, s.len, out);
}

void string_put_i64(struct object *o, int64_t v)
{
    object_free_value(o);
    o->enc = ENC_INT;
    o->flags &= (uint8_t)~OBJF_EDITED;
    o->v.i = v;
}

char *string_edit(struct object *o, size_t len)
{
    char num[NUM_I64_MAX];
    struct blob *b;

    if (o->enc != ENC_BLOB) {
        b = blob_new(string_view(o, num));
        o->enc = ENC_BLOB;
        o->v.blob = b;
    }
    b = o->v.blob;
    if (len > b->len) {
        if (len > b->cap) {
            /* doubling up to a MiB of slack, so that repeated APPEND is cheap */
            size_t cap = len + (len < (1u << 20) ? len : (1u << 20));

            b = mem_realloc(b, sizeof *b + cap + 1);
            b->cap = cap;
            o->v.blob = b;
        }
        memset(b->p + b->len, 0, len - b->len + 1);
        b->len = len;
    }
    o->flags |= OBJF_EDITED;
    return b->p;
}
