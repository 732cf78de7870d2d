/* A reply that outlives its link: hiredis' replies are borrowed for one callback, and
 * a program that asks one question after the other wants to hold several at once. */
#ifndef KV_CTL_VAL_H
#define KV_CTL_VAL_H

#include "common/base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct redisReply;

enum val_kind { VAL_NIL, VAL_TEXT, VAL_STATUS, VAL_ERROR, VAL_INT, VAL_LIST };

struct val {
    enum val_kind kind;
    int64_t i;
    char *text;              /* TEXT, STATUS, ERROR; '\0' after len bytes */
    size_t len;
    struct val **at;         /* LIST */
    size_t n;
};

struct val *val_from(const struct redisReply *r);
void val_free(struct val *v);
/* All of these answer for every shape, NULL included. */
const struct val *val_at(const struct val *v, size_t i);
const struct val *val_field(const struct val *v, const char *name);   /* in a flat list of name, value, ... */
const char *val_z(const struct val *v, const char *otherwise);
const char *val_field_z(const struct val *v, const char *name, const char *otherwise);
int64_t val_i64(const struct val *v, int64_t otherwise);
int64_t val_field_i64(const struct val *v, const char *name, int64_t otherwise);
bool val_is_error(const struct val *v);
bool val_error_is(const struct val *v, const char *code);

#endif
