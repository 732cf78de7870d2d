/* Are bytes text as every reader takes it? */
#ifndef KV_BASE_UTF8_H
#define KV_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Are these bytes UTF-8: no overlong forms, no surrogates, at most U+10FFFF? When not, and bad_at is not NULL,
 * *bad_at is where the first character begins that is none; untouched when they are. '\0' is a character. */
bool utf8_is_valid(const char *p, size_t n, size_t *bad_at);

#endif
