/* Glob matching by going on greedily and, on a mismatch, back to the last star only:
 * an earlier star never needs to take more once a later one was reached. So the work
 * is at most pattern × text. */
#include "common/base/glob.h"

#include <string.h>

static unsigned char fold(unsigned char c, bool nocase)
{
    return nocase && c >= 'A' && c <= 'Z' ? (unsigned char)(c + 32) : c;
}

/* pat[*i] is just behind '['. Sets *i behind the class; an unclosed one ends with the pattern. */
static bool class_matches(const char *pat, size_t plen, size_t *i, unsigned char c, bool nocase)
{
    bool negated = *i < plen && pat[*i] == '^', hit = false;

    if (negated)
        (*i)++;
    c = fold(c, nocase);
    while (*i < plen && pat[*i] != ']') {
        unsigned char from, to;

        if (pat[*i] == '\\' && *i + 1 < plen)
            (*i)++;
        from = to = (unsigned char)pat[(*i)++];
        if (*i + 1 < plen && pat[*i] == '-') {
            (*i)++;
            to = (unsigned char)pat[(*i)++];
            if (from > to) {
                unsigned char t = from;

                from = to;
                to = t;
            }
        }
        from = fold(from, nocase);
        to = fold(to, nocase);
        if (c >= from && c <= to)
            hit = true;
    }
    if (*i < plen)
        (*i)++;
    return hit != negated;
}

/* One pattern element against c; *i moves behind the element. */
static bool one_matches(const char *pat, size_t plen, size_t *i, unsigned char c, bool nocase)
{
    unsigned char want = (unsigned char)pat[(*i)++];

    if (want == '?')
        return true;
    if (want == '[')
        return class_matches(pat, plen, i, c, nocase);
    if (want == '\\' && *i < plen)
        want = (unsigned char)pat[(*i)++];
    return fold(want, nocase) == fold(c, nocase);
}

bool glob_match(const char *pat, size_t plen, const char *s, size_t slen, bool nocase)
{
    size_t i = 0, j = 0, star = 0, star_j = 0;
    bool have_star = false;

    for (;;) {
        while (i < plen && pat[i] == '*') {
            have_star = true;
            star = ++i;
            star_j = j;
        }
        if (have_star && star == plen)
            return true;
        if (j == slen)
            return i == plen;
        if (i < plen && one_matches(pat, plen, &i, (unsigned char)s[j], nocase)) {
            j++;
            continue;
        }
        if (!have_star || star_j >= slen)
            return false;
        j = ++star_j;
        i = star;
    }
}

bool glob_match_z(const char *pat, const char *s)
{
    return glob_match(pat, strlen(pat), s, strlen(s), false);
}
