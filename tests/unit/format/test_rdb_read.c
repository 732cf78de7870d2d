#include "tests/unit/format/rdb_bytes.h"

#include "kvnode/store/t_hash.h"
#include "kvnode/store/t_string.h"
#include "tests/support/suite.h"

#include <string.h>

static const struct { const char *what; const char *body; size_t n; const char *want; } strings[] = {
#define S(what, body, want) {what, body, sizeof body - 1, want}
    S("raw", "\0\1k\5hello", "hello"),
    S("empty", "\0\1k\0", ""),
    S("int8", "\0\1k\xc0\xfe", "-2"),
    S("int16", "\0\1k\xc1\x00\x80", "-32768"),
    S("int32", "\0\1k\xc2\xff\xff\xff\x7f", "2147483647"),
    S("14 bit length", "\0\1k\x40\5hello", "hello"),
    S("32 bit length", "\0\1k\x80\0\0\0\5hello", "hello"),
    S("64 bit length", "\0\1k\x81\0\0\0\0\0\0\0\5hello", "hello"),
    S("LZF", "\0\1k\xc3\x07\x1e\x01""aa\xe0\x13\x00\x00\x61", NULL),
    S("idle before it", "\xf8\x40\xff\0\1k\1v", "v"),
    S("counter before it", "\xf9\x7f\0\1k\1v", "v"),
    S("an unknown fact", "\xfa\3abc\3def\0\1k\1v", "v"),
    S("sizes", "\xfe\0\xfb\x2\1\0\1k\1v", "v"),
#undef S
};

START_TEST(string_forms)
{
    for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++) {
        struct rdb_read_result r;
        struct err e = {0};
        char num[NUM_I64_MAX];
        struct keyspace *ks = read_body(strings[i].body, strings[i].n, &r, &e);
        if (strings[i].want == NULL) {
            ck_assert_msg(ks == NULL, "%s", strings[i].what);
            continue;
        }
        ck_assert_msg(ks != NULL, "%s: %s", strings[i].what, e.text);
        struct object *o = db_raw(keyspace_db(ks, 0), slice_z("k"));
        ck_assert_msg(o != NULL, "%s", strings[i].what);
        ck_assert_msg(slice_is(string_view(o, num), strings[i].want), "%s", strings[i].what);
        ck_assert_uint_eq(r.keys_loaded, 1);
        keyspace_free(ks);
    }
}
END_TEST

static void hash_is(struct keyspace *ks, const char *field, const char *want)
{
    struct object *o = db_raw(keyspace_db(ks, 0), slice_z("h"));
    struct slice v;
    char num[NUM_I64_MAX];

    ck_assert_ptr_nonnull(o);
    ck_assert(hash_get(o, slice_z(field), &v, num));
    ck_assert(slice_is(v, want));
}

START_TEST(hash_forms)
{
    static const struct { const char *what; const char *body; size_t n; } forms[] = {
#define S(what, body) {what, body, sizeof body - 1}
        S("plain", "\4\1h\2\1a\1x\1b\xc0\7"),
        S("zipmap", "\x9\1h\x0c\2\1a\1\0x\1b\1\0""7\xff"),
        S("ziplist", "\xd\1h\x16\x16\0\0\0\x13\0\0\0\4\0\0\1a\3\1x\3\1b\3\xf8\xff"),
        S("listpack", "\x10\1h\x12\x12\0\0\0\4\0\x81""a\2\x81x\2\x81""b\2\7\1\xff"),
#undef S
    };

    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct rdb_read_result r;
        struct err e = {0};
        struct keyspace *ks = read_body(forms[i].body, forms[i].n, &r, &e);
        ck_assert_msg(ks != NULL, "%s: %s", forms[i].what, e.text);
        hash_is(ks, "a", "x");
        hash_is(ks, "b", "7");
        keyspace_free(ks);
    }
}
END_TEST

START_TEST(deadlines)
{
    static const char body[] = "\xfc\x10\x27\0\0\0\0\0\0\0\1a\1v"     /* 10000 ms */
                               "\xfd\x14\0\0\0\0\1b\1v"              /* 20 s */
                               "\0\1c\1v";
    struct rdb_read_result r;
    struct err e = {0};
    struct keyspace *ks = read_body(body, sizeof body - 1, &r, &e);

    ck_assert_msg(ks != NULL, "%s", e.text);
    struct db *d = keyspace_db(ks, 0);
    ck_assert_int_eq(object_deadline(db_raw(d, slice_z("a"))), 10000);
    ck_assert_int_eq(object_deadline(db_raw(d, slice_z("b"))), 20000);
    ck_assert_int_eq(object_deadline(db_raw(d, slice_z("c"))), NEVER_MS);
    keyspace_free(ks);
}
END_TEST

static void note(void *arg, int db, struct slice key)
{
    struct str *told = arg;

    str_printf(told, "%d:%.*s ", db, (int)key.len, key.p);
}

START_TEST(expired_ones_are_left_out)
{
    static const char file[] = "REDIS0010\xfe\2\xfc\x10\x27\0\0\0\0\0\0\0\1a\1v\xfd\x14\0\0\0\0\1b\1v\0\1c\1v\xff\0\0\0\0\0\0\0\0";
    struct str told = {0};
    struct rdb_read_result r;
    struct rdb_read_opts o = {.drop_expired_ms = 15000, .expired = note, .expired_arg = &told};
    struct err e = {0};
    struct keyspace *ks = read_bytes(file, sizeof file - 1, &o, &r, &e);

    ck_assert_msg(ks != NULL, "%s", e.text);
    ck_assert_uint_eq(r.keys_loaded, 2);
    ck_assert_uint_eq(r.keys_expired, 1);
    ck_assert_uint_eq(keyspace_count(ks), 2);
    ck_assert_str_eq(str_c(&told), "2:a ");
    keyspace_free(ks);
    str_fini(&told);
}
END_TEST

START_TEST(facts)
{
    static const char body[] = "\xfa\x9redis-ver\5""7.0.9" "\xfa\5""ctime\xc2\x40\xe2\x01\0"
                               "\xfa\xerepl-stream-db\xc0\3"
                               "\xfa\7repl-id\x28""0123456789012345678901234567890123456789"
                               "\xfa\xbrepl-offset\xc1\xe8\3";
    struct rdb_read_result r;
    struct err e = {0};
    struct keyspace *ks = read_body(body, sizeof body - 1, &r, &e);

    ck_assert_msg(ks != NULL, "%s", e.text);
    ck_assert_str_eq(r.facts.version, "7.0.9");
    ck_assert_int_eq(r.facts.made_at_s, 123456);
    ck_assert(r.facts.has_history);
    ck_assert_int_eq(r.facts.stream_db, 3);
    ck_assert_int_eq(r.facts.repl_offset, 1000);
    ck_assert_str_eq(r.facts.repl_id, "0123456789012345678901234567890123456789");
    keyspace_free(ks);
}
END_TEST

/* Everything here is refused with a sentence that has this in it. */
static const struct { const char *body; size_t n; int code; const char *sentence; } bad[] = {
#define S(body, code, sentence) {body, sizeof body - 1, code, sentence}
    S("\x1\2mylist\1a", ERR_REFUSED, "key \"my\": a list"),
    S("\x12\5mylst\1\2\0", ERR_REFUSED, "key \"mylst\": a list"),
    S("\x14\3set", ERR_REFUSED, "a set"),
    S("\x11\1z", ERR_REFUSED, "a sorted set"),
    S("\xf\1s", ERR_REFUSED, "a stream"),
    S("\x7\1m", ERR_REFUSED, "a module value"),
    S("\xf7\x81\x21\x72\x1a\x73\x1a\x73\x1a\x41", ERR_REFUSED, "module"),
    S("\xf5\x1c#!lua name=mylib\nredis.regi", ERR_REFUSED, "#!lua name=mylib"),
    S("\x63\1k", ERR_FORMAT, "unknown type or opcode 99"),
    S("\xfe\x40\x40\0\1k\1v", ERR_REFUSED, "database 64"),
    S("\0\1k\1v\0\1k\1w", ERR_FORMAT, "stands twice"),
    S("\4\1h\2\1a\1x\1a\1y", ERR_FORMAT, "field that stands twice"),
    S("\x10\1h\x12\x12\0\0\0\4\0\x81""a\2\x81x\2\x81""a\2\7\1\xff", ERR_FORMAT, "field that stands twice"),
    S("\x10\1h\x10\x10\0\0\0\3\0\x81""a\2\x81x\2\x81""b\2\xff", ERR_FORMAT, "no value"),
    S("\x10\1h\5abcde", ERR_FORMAT, "listpack is damaged"),
    S("\xd\1h\5abcde", ERR_FORMAT, "ziplist"),
    S("\x9\1h\4\1\1a\xff", ERR_FORMAT, "zipmap"),
    S("\0\1k\x81\x7f\0\0\0\0\0\0\0", ERR_LIMIT, "the limit is"),
    S("\0\1k\xc3\1\x80\x7f\0\0\0a", ERR_FORMAT, "compressed"),
    S("\0\1k\xc3\2\5\x3f""a", ERR_FORMAT, "compressed"),
    S("\0\1k\xc7", ERR_FORMAT, "unknown string form"),
    S("\0\1k\x90", ERR_FORMAT, "does not begin a length"),
    S("\xfe\xc0", ERR_FORMAT, "length was expected"),
    S("\xfc\xff\xff\xff\xff\xff\xff\xff\x7f\0\1k\1v", ERR_RANGE, "deadline"),
#undef S
};

START_TEST(bad_ones_are_named)
{
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct rdb_read_result r;
        struct err e = {0};
        struct keyspace *ks = read_body(bad[i].body, bad[i].n, &r, &e);
        ck_assert_msg(ks == NULL, "%s", bad[i].sentence);
        ck_assert_msg(strstr(e.text, bad[i].sentence), "%zu: %s", i, e.text);
        ck_assert_msg(strstr(e.text, "at byte "), "%s", e.text);
        ck_assert_msg(e.code == bad[i].code, "%zu: %d %s", i, e.code, e.text);
    }
}
END_TEST

START_TEST(headers)
{
    static const struct { const char *p; const char *sentence; } heads[] = {
        {"RADIS0010\xff", "does not begin with REDIS"}, {"REDIS00x0\xff", "not a number"},
        {"REDIS0000\xff", "RDB version 0"}, {"REDIS0099\xff", "RDB version 99"}, {"REDIS", "end here"},
    };
    struct rdb_read_result r;

    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        struct err e = {0};
        ck_assert_ptr_null(read_bytes(heads[i].p, strlen(heads[i].p), &(struct rdb_read_opts){0}, &r, &e));
        ck_assert_msg(strstr(e.text, heads[i].sentence), "%s", e.text);
    }
    struct keyspace *ks = read_bytes("REDIS0003\0\1k\1v\xff", 15, &(struct rdb_read_opts){.verify = true}, &r, NULL);
    ck_assert_ptr_nonnull(ks);               /* no checksum before version 5 */
    keyspace_free(ks);
}
END_TEST

START_TEST(can_be_given_up)
{
    struct rdb_progress p = {0};
    struct rdb_read_result r;
    struct err e = {0};

    atomic_store(&p.cancel, true);
    ck_assert_ptr_null(read_bytes("REDIS0010\0\1k\1v\xff", 15, &(struct rdb_read_opts){.progress = &p}, &r, &e));
    ck_assert_int_eq(e.code, ERR_CLOSED);
}
END_TEST

SUITE(rdb_read, string_forms, hash_forms, deadlines, expired_ones_are_left_out, facts, bad_ones_are_named, headers,
      can_be_given_up)
