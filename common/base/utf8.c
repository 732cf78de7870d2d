/* UTF-8, read to be refused or believed: nothing is decoded for anybody here. */
#include "common/base/utf8.h"

/* How many bytes follow a first byte, and the least that a character of that length may stand for. */
static const struct lead { unsigned char from, to, bits; unsigned more, least; } leads[] = {
    {0x00, 0x7f, 0x7f, 0, 0},
    {0xc2, 0xdf, 0x1f, 1, 0x80},
    {0xe0, 0xef, 0x0f, 2, 0x800},
    {0xf0, 0xf4, 0x07, 3, 0x10000},
};

static const struct lead *lead_of(unsigned char c)
{
    for (size_t i = 0; i < sizeof leads / sizeof leads[0]; i++)
        if (c >= leads[i].from && c <= leads[i].to)
            return &leads[i];
    return NULL;
}

/* The bytes of the character that begins here; 0: none does. */
static size_t character(const unsigned char *p, size_t n)
{
    const struct lead *l = lead_of(p[0]);
    unsigned point;

    if (!l || n <= l->more)
        return 0;
    point = p[0] & l->bits;
    for (unsigned k = 1; k <= l->more; k++) {
        if ((p[k] & 0xc0) != 0x80)
            return 0;
        point = point << 6 | (p[k] & 0x3fu);
    }
    return point < l->least || (point >= 0xd800 && point <= 0xdfff) || point > 0x10ffff ? 0 : l->more + 1;
}

bool utf8_is_valid(const char *p, size_t n, size_t *bad_at)
{
    size_t i = 0, step;

    while (i < n && (step = character((const unsigned char *)p + i, n - i)) > 0)
        i += step;
    if (i < n && bad_at)
        *bad_at = i;
    return i >= n;
}
