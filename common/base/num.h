/* Strict text <-> number. The whole text must be the number: no blanks, no sign
 * '+', no leading zeros ("0" itself is fine). All return false and leave *out
 * alone when the text is not one. */
#ifndef KV_BASE_NUM_H
#define KV_BASE_NUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NUM_I64_MAX 21    /* characters of an int64_t, with sign and '\0' */
#define NUM_F64_MAX 128

bool num_i64(const char *p, size_t n, int64_t *out);
bool num_u64(const char *p, size_t n, uint64_t *out);
bool num_i64_in(const char *p, size_t n, int64_t lo, int64_t hi, int64_t *out);
bool num_f64(const char *p, size_t n, double *out);         /* strtod's forms, "inf", "-inf"; no nan, no blanks */
bool num_f80(const char *p, size_t n, long double *out);    /* INCRBYFLOAT's type */
int num_hex_digit(char c);                                   /* 0..15, either case; -1: it is none */
size_t num_put_i64(char out[NUM_I64_MAX], int64_t v);       /* length; terminated */
size_t num_put_f64(char out[NUM_F64_MAX], double v);        /* shortest text that reads back the same ("%.17g" at most); "inf", "-inf" */
size_t num_put_f80_human(char out[NUM_F64_MAX], long double v);  /* up to 17 decimals, trailing zeros cut (INCRBYFLOAT) */

/* "64mb", "1gb", "100k", "5b", "1024": k/m/g are 1000-based, kb/mb/gb 1024-based, as in redis.conf. */
bool num_size(const char *p, size_t n, int64_t *bytes);
/* "1500ms", "5s", "2m", "1h", "1d"; a bare number counts in unit_ms milliseconds. */
bool num_duration(const char *p, size_t n, int64_t unit_ms, int64_t *ms);
size_t num_put_size_human(char *out, size_t cap, uint64_t bytes);   /* "1.50M" as INFO's *_human */

#endif
