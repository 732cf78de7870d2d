#include "kvnode/format/rdb_packed.h"

#include "tests/support/suite.h"

#include <string.h>

static int collect(void *arg, struct slice s)
{
    struct str *out = arg;

    str_append(out, s.p, s.len);
    str_append_c(out, '|');
    return 0;
}

#define BYTES(...) (const unsigned char[]){__VA_ARGS__}, sizeof((const unsigned char[]){__VA_ARGS__})

static const struct { const char *what; const unsigned char *p; size_t n; const char *want; } ziplists[] = {
    {"empty", BYTES(11, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0xff), ""},
    {"string and small number", BYTES(16, 0, 0, 0, 13, 0, 0, 0, 2, 0, 0, 1, 'a', 3, 0xf3, 0xff), "a|2|"},
    {"negative 8 bit", BYTES(17, 0, 0, 0, 13, 0, 0, 0, 2, 0, 0, 1, 'a', 3, 0xfe, 0xff, 0xff), "a|-1|"},
    {"16 bit", BYTES(14, 0, 0, 0, 10, 0, 0, 0, 1, 0, 0, 0xc0, 0x00, 0xff), NULL},   /* cut: its last byte is the end */
    {"16 bit whole", BYTES(15, 0, 0, 0, 10, 0, 0, 0, 1, 0, 0, 0xc0, 0x00, 0x80, 0xff), "-32768|"},
    {"24 bit", BYTES(16, 0, 0, 0, 10, 0, 0, 0, 1, 0, 0, 0xf0, 0x01, 0x00, 0x80, 0xff), "-8388607|"},
    {"32 bit", BYTES(17, 0, 0, 0, 10, 0, 0, 0, 1, 0, 0, 0xd0, 0xff, 0xff, 0xff, 0x7f, 0xff), "2147483647|"},
    {"64 bit", BYTES(21, 0, 0, 0, 10, 0, 0, 0, 1, 0, 0, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0xff), "-9223372036854775808|"},
    {"14 bit length", BYTES(17, 0, 0, 0, 10, 0, 0, 0, 1, 0, 0, 0x40, 3, 'x', 'y', 'z', 0xff), "xyz|"},
    {"32 bit length", BYTES(19, 0, 0, 0, 10, 0, 0, 0, 1, 0, 0, 0x80, 0, 0, 0, 2, 'x', 'y', 0xff), "xy|"},
    {"wrong total", BYTES(99, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0xff), NULL},
    {"no end", BYTES(11, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0), NULL},
    {"wrong count", BYTES(11, 0, 0, 0, 10, 0, 0, 0, 3, 0, 0xff), NULL},
    {"wrong back length", BYTES(16, 0, 0, 0, 13, 0, 0, 0, 2, 0, 0, 1, 'a', 4, 0xf3, 0xff), NULL},
    {"string beyond the end", BYTES(14, 0, 0, 0, 10, 0, 0, 0, 1, 0, 0, 9, 'a', 0xff), NULL},
    {"unknown tag", BYTES(13, 0, 0, 0, 10, 0, 0, 0, 1, 0, 0, 0xc1, 0xff), NULL},
    {"too short", BYTES(3, 0, 0), NULL},
};

START_TEST(ziplist_forms)
{
    for (size_t i = 0; i < sizeof ziplists / sizeof ziplists[0]; i++) {
        struct str out = {0};
        struct err e = {0};
        int rc = ziplist_walk(ziplists[i].p, ziplists[i].n, collect, &out, &e);
        if (ziplists[i].want) {
            ck_assert_msg(rc == 0, "%s: %s", ziplists[i].what, e.text);
            ck_assert_msg(strcmp(str_c(&out), ziplists[i].want) == 0, "%s: %s", ziplists[i].what, str_c(&out));
        } else {
            ck_assert_msg(rc == ERR_FORMAT, "%s was taken", ziplists[i].what);
        }
        str_fini(&out);
    }
}
END_TEST

static const struct { const char *what; const unsigned char *p; size_t n; const char *want; } zipmaps[] = {
    {"empty", BYTES(0, 0xff), ""},
    {"one pair", BYTES(1, 1, 'f', 2, 0, 'v', 'w', 0xff), "f|vw|"},
    {"slack behind the value", BYTES(1, 1, 'f', 1, 2, 'v', 0, 0, 0xff), "f|v|"},
    {"long length form", BYTES(1, 0xfe, 1, 0, 0, 0, 'f', 1, 0, 'v', 0xff), "f|v|"},
    {"more than it counts", BYTES(0xfe, 1, 'f', 1, 0, 'v', 0xff), "f|v|"},
    {"wrong count", BYTES(2, 1, 'f', 1, 0, 'v', 0xff), NULL},
    {"no value", BYTES(1, 1, 'f', 0xff), NULL},
    {"no end", BYTES(1, 1, 'f', 1, 0, 'v'), NULL},
    {"bytes behind", BYTES(1, 1, 'f', 1, 0, 'v', 0xff, 0), NULL},
    {"field beyond", BYTES(1, 200, 'f', 0xff), NULL},
    {"slack beyond", BYTES(1, 1, 'f', 1, 9, 'v', 0xff), NULL},
    {"one byte", BYTES(0xff), NULL},
};

START_TEST(zipmap_forms)
{
    for (size_t i = 0; i < sizeof zipmaps / sizeof zipmaps[0]; i++) {
        struct str out = {0};
        struct err e = {0};
        int rc = zipmap_walk(zipmaps[i].p, zipmaps[i].n, collect, &out, &e);
        if (zipmaps[i].want) {
            ck_assert_msg(rc == 0, "%s: %s", zipmaps[i].what, e.text);
            ck_assert_msg(strcmp(str_c(&out), zipmaps[i].want) == 0, "%s: %s", zipmaps[i].what, str_c(&out));
        } else {
            ck_assert_msg(rc == ERR_FORMAT, "%s was taken", zipmaps[i].what);
        }
        str_fini(&out);
    }
}
END_TEST

static int refuse(void *arg, struct slice s)
{
    (void)arg;
    (void)s;
    return ERR_LIMIT;
}

START_TEST(stops_when_told)
{
    ck_assert_int_eq(zipmap_walk(BYTES(1, 1, 'f', 1, 0, 'v', 0xff), refuse, NULL, NULL), ERR_LIMIT);
    ck_assert_int_eq(ziplist_walk(ziplists[1].p, ziplists[1].n, refuse, NULL, NULL), ERR_LIMIT);
}
END_TEST

SUITE(rdb_packed, ziplist_forms, zipmap_forms, stops_when_told)
