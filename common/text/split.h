/* A line into words, as both configuration lines and inline requests want it: blanks
 * separate, "..." knows \n \r \t \b \a \" \\ \xHH, '...' knows \'. A quote may begin
 * inside a word; behind a closing quote a blank or the end must follow. */
#ifndef KV_TEXT_SPLIT_H
#define KV_TEXT_SPLIT_H

#include "common/base/str.h"

#include <stdbool.h>

/* Words go to *argv (grown as needed, *cap entries; mem_free), each with a '\0' behind it
 * that is not counted. They live in mem, which must not be touched while they are in
 * use. false: a quote without its end, or something stuck to a closing quote. */
bool split_words(const char *p, size_t n, struct slice **argv, int *cap, int *argc, struct str *mem);

#endif
