/* Operations on one string value. The only place where string encodings are switched. */
#ifndef KV_STORE_T_STRING_H
#define KV_STORE_T_STRING_H

#include "common/base/num.h"
#include "kvnode/store/keyspace.h"

#define STRING_MAX_DEFAULT (512LL << 20)

/* The bytes. Borrowed from o, or from num when the value is kept as a number. */
struct slice string_view(const struct object *o, char num[NUM_I64_MAX]);
size_t string_len(const struct object *o);
bool string_i64(const struct object *o, int64_t *out);          /* is it a whole number that fits? */
void string_put_i64(struct object *o, int64_t v);               /* in place, any string becomes this number */
/* Make it at least len bytes long (zero-filled) and writable in place; returns its bytes. */
char *string_edit(struct object *o, size_t len);

#endif
