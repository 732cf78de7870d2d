/* Safe reading of a reply that hiredis parsed: every question has an answer for
 * every shape, NULL and wrong types included. Borrowed from the reply. */
#ifndef KV_TEXT_REPLY_WALK_H
#define KV_TEXT_REPLY_WALK_H

#include "common/base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct redisReply;

bool reply_is_error(const struct redisReply *r);
bool reply_error_is(const struct redisReply *r, const char *code);    /* "-READONLY ..." starts with code + blank or end */
bool reply_is_status(const struct redisReply *r, const char *z);      /* +OK */
bool reply_is_nil(const struct redisReply *r);
size_t reply_len(const struct redisReply *r);                         /* elements of an array, else 0 */
const struct redisReply *reply_at(const struct redisReply *r, size_t i);   /* NULL if there is none */
struct slice reply_text(const struct redisReply *r);                  /* string, status or error; else p = "", len 0 */
bool reply_text_at(const struct redisReply *r, size_t i, struct slice *out);
bool reply_i64(const struct redisReply *r, int64_t *out);             /* an integer, or text that is one */
bool reply_i64_at(const struct redisReply *r, size_t i, int64_t *out);
/* The value after name in a flat list of name, value, ... ; NULL if missing. */
const struct redisReply *reply_field(const struct redisReply *r, const char *name);

#endif
