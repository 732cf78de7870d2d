/* A growable byte string that knows its length and is always followed by '\0'.
 * An empty one is all zeroes ({0}); p may then be NULL, use str_c() for printing.
 * Binary safe. The struct is the caller's, the bytes are ours: str_fini. */
#ifndef KV_BASE_STR_H
#define KV_BASE_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct str {
    char *p;
    size_t len;
    size_t cap;
};

/* A borrowed piece of somebody's bytes. */
struct slice {
    const char *p;
    size_t len;
};

void str_fini(struct str *s);
void str_clear(struct str *s);                          /* length 0, keeps the room */
void str_reserve(struct str *s, size_t more);           /* room for `more` further bytes */
void str_append(struct str *s, const void *p, size_t n);
void str_append_c(struct str *s, char c);
void str_append_z(struct str *s, const char *z);
void str_printf(struct str *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void str_vprintf(struct str *s, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
void str_set(struct str *s, const void *p, size_t n);
void str_set_z(struct str *s, const char *z);
void str_cut(struct str *s, size_t len);                /* shorten to len */
void str_drop(struct str *s, size_t n);                 /* forget the first n bytes */
char *str_take(struct str *s);                          /* now the caller's (mem_free); s is empty */
const char *str_c(const struct str *s);                 /* never NULL */

/* The repr form of redis.conf and of logs: "..." with \n \r \t \a \b \" \\ \xHH */
void str_append_quoted(struct str *s, const void *p, size_t n);
void str_append_hex(struct str *s, const void *p, size_t n);

struct slice slice_z(const char *z);
bool slice_eq(struct slice a, struct slice b);
bool slice_is(struct slice a, const char *z);           /* exact */
bool slice_is_nocase(struct slice a, const char *z);    /* ASCII case ignored */
bool str_eq_nocase(const char *a, const char *b);
/* Copies at most cap-1 bytes and terminates; false if it did not fit. */
bool slice_copy_z(struct slice a, char *dst, size_t cap);

#endif
